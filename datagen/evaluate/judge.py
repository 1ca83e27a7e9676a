"""The LLM score: a language model rates what models say from 1 to 10, several times over, and may agree with itself.

OmniFlatten reports such a score by Qwen-max (Zhang et al. 2024, arXiv 2410.17799). One judging is a draw; its mean over
repeats is what to compare, its agreement says what a difference is worth.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean, pstdev
from typing import Any

from datagen.authoring.answers import ScoreAnswer, UnfitAnswerError
from datagen.authoring.authoring import question_of, read
from datagen.authoring.authoring_config import Llm
from datagen.authoring.llm_client import Client, NoAnswerError
from datagen.authoring.prompts import load_prompt, shown
from datagen.records import Turn

_PROMPT = "score"


@dataclass(frozen=True, slots=True)
class DialogueText:
    """A dialogue as texts: what was said, as far as is known."""

    id: str
    language: str
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class JudgedDialogue:
    """All judgings of one dialogue."""

    id: str
    scores: tuple[int, ...]
    reasons: tuple[str, ...]
    failures: tuple[str, ...] = ()
    """Why a judging gave no score, for those that gave none."""


@dataclass(frozen=True, slots=True)
class JudgeAgreement:
    """How far repeated judgings of the same dialogues agree. None where too little was judged to tell."""

    n_dialogues: int
    """With at least one score."""
    n_scores: int
    n_failures: int
    mean: float | None
    """Of the dialogues' mean scores."""
    deviation: float | None
    """Standard deviation of a dialogue's scores around their mean, averaged over dialogues with several."""
    exact: float | None
    """Share of pairs of judgings of a dialogue that are equal."""
    within_one: float | None
    """Share of pairs that differ by at most 1."""
    alpha: float | None
    """Krippendorff's, for intervals: 1 is perfect, 0 is chance."""

    def table(self) -> dict[str, Any]:
        """All figures, as a report stores them."""
        return {name: getattr(self, name) for name in self.__slots__}


async def judge(
    talks: Sequence[DialogueText], client: Client, llm: Llm, n_repeats: int = 3, prompts: str = ""
) -> list[JudgedDialogue]:
    """Have dialogues judged.

    Args:
        talks: The dialogues.
        client: Asks the model; its answers are kept, so judging again what was judged costs nothing.
        llm: Its values; with several repeats a temperature above 0 shows how sure the judge is.
        n_repeats: Independent judgings of each dialogue.
        prompts: Folder of a prompt `score` of your own; empty: the one shipped.

    Returns:
        One item per dialogue, in order.

    Raises:
        DatagenError: What stops a run, such as a budget that is used up, after all that was under way has ended.
    """
    places = [(talk, sample) for talk in talks for sample in range(n_repeats)]
    asked = (_score(talk, sample, client, llm, prompts) for talk, sample in places)
    found = await asyncio.gather(*asked, return_exceptions=True)
    for result in found:
        if isinstance(result, BaseException) and not isinstance(result, (UnfitAnswerError, NoAnswerError)):
            raise result
    judged = []
    for k, talk in enumerate(talks):
        here = found[k * n_repeats : (k + 1) * n_repeats]
        scores = [result for result in here if isinstance(result, ScoreAnswer)]
        failures = tuple(str(result) for result in here if isinstance(result, BaseException))
        judged.append(
            JudgedDialogue(talk.id, tuple(s.score for s in scores), tuple(s.reason for s in scores), failures)
        )
    return judged


async def _score(talk: DialogueText, sample: int, client: Client, llm: Llm, prompts: str) -> ScoreAnswer:
    """One judging; asked again while answers do not fit."""
    prompt = load_prompt(_PROMPT, talk.language, prompts)
    messages = prompt.render(turns=shown(talk.turns))
    unfit: UnfitAnswerError | None = None
    for attempt in range(llm.attempts):
        answer = await client.ask(question_of(prompt, messages, llm, sample, attempt))
        try:
            given = read(answer, ScoreAnswer)
        except UnfitAnswerError as error:
            unfit = error
        else:
            assert isinstance(given, ScoreAnswer)  # noqa: S101 - what was asked for
            return given
    raise unfit or UnfitAnswerError("no_answer", "nothing was asked")


def agreement(judged: Sequence[JudgedDialogue]) -> JudgeAgreement:
    """Sum up judgings.

    >>> found = agreement([Judged("a", (7, 7, 8), ()), Judged("b", (3, 5, 3), ()), Judged("c", (), (), ("refused",))])
    >>> found.n_scores, found.n_failures, round(found.mean, 2), round(found.exact, 2), round(found.within_one, 2)
    (6, 1, 5.5, 0.33, 0.67)
    """
    rated = [item.scores for item in judged if item.scores]
    several = [scores for scores in rated if len(scores) > 1]
    apart = [abs(a - b) for scores in several for a, b in combinations(scores, 2)]
    return JudgeAgreement(
        n_dialogues=len(rated),
        n_scores=sum(map(len, rated)),
        n_failures=sum(len(item.failures) for item in judged),
        mean=fmean(map(fmean, rated)) if rated else None,
        deviation=fmean(map(pstdev, several)) if several else None,
        exact=fmean(difference == 0 for difference in apart) if apart else None,
        within_one=fmean(difference <= 1 for difference in apart) if apart else None,
        alpha=krippendorff_alpha(rated),
    )


def krippendorff_alpha(units: Sequence[Sequence[float]]) -> float | None:
    """Krippendorff's alpha for interval data: 1 minus observed over expected disagreement.

    Disagreement is the mean squared difference of two values: of one unit, and of any two (Krippendorff 2011,
    "Computing Krippendorff's Alpha-Reliability"). Units with one value tell nothing and are left out.

    Args:
        units: The values that each unit was given; their order and number do not matter.

    Returns:
        At most 1; None if there are no two values of one unit, or all values are equal.

    >>> krippendorff_alpha([(1, 1), (2, 2), (3, 3)]), krippendorff_alpha([(5, 5), (5, 5)])
    (1.0, None)
    >>> round(krippendorff_alpha([(1, 2), (3, 3), (4, 6)]), 4)
    0.7191
    """
    several = [list(values) for values in units if len(values) > 1]
    pooled = [value for values in several for value in values]
    expected = _squares(pooled) / (len(pooled) - 1) if several else 0.0
    if not expected:
        return None
    return 1 - sum(_squares(values) / (len(values) - 1) for values in several) / expected


def _squares(values: Sequence[float]) -> float:
    """Sum of the squared differences of all ordered pairs: 2 (n Σv² - (Σv)²)."""
    return 2 * (len(values) * sum(value * value for value in values) - sum(values) ** 2)
