"""The LLM score: a language model rates dialogues from 1 to 10, several times over.

OmniFlatten reports such a score by Qwen-max (Zhang et al. 2024, arXiv 2410.17799). A single rating
is a draw. Compare means over repeats; the agreement of the repeats tells how large a difference has
to be.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations, islice
from statistics import fmean, pstdev
from typing import Any

from datagen.authoring.answers import ScoreAnswer, UnfitAnswerError
from datagen.authoring.authoring import question_of, read
from datagen.authoring.authoring_config import Llm
from datagen.authoring.llm_client import Client, NoAnswerError
from datagen.authoring.prompts import load_prompt, shown
from datagen.authoring.reply_cache import Cache, Memory, ReplyShelf
from datagen.authoring.spend import NOTHING
from datagen.errors import BudgetError, DatagenError, EngineError
from datagen.records import FLOOR, Turn
from datagen.shards.manifest import Manifest
from datagen.shards.tables import from_parquet

_PROMPT = "score"
_COLUMNS = [
    *("dialogue_id", "language", "split"),
    *(f"utterances.list.element.{name}" for name in ("role", "kind", "said", "start_samples")),
]


@dataclass(frozen=True, slots=True)
class DialogueText:
    """The text of a dialogue as spoken, or as transcribed from speech."""

    id: str
    language: str
    turns: tuple[Turn, ...]

    @classmethod
    def of(cls, row: dict[str, Any]) -> "DialogueText":
        """The spoken turns of a row of `conversations`, without backchannels and other responses."""
        spoken = [u for u in row["utterances"] if u["kind"] in FLOOR and u["said"]]
        turns: list[Turn] = []
        for u in sorted(spoken, key=lambda u: u["start_samples"]):
            if turns and turns[-1].role == u["role"]:
                turns[-1] = Turn(u["role"], f"{turns[-1].text} {u['said']}")
            else:
                turns.append(Turn(u["role"], u["said"]))
        return cls(row["dialogue_id"], row["language"], tuple(turns))


@dataclass(frozen=True, slots=True)
class JudgedDialogue:
    """All ratings of one dialogue."""

    id: str
    scores: tuple[int, ...]
    reasons: tuple[str, ...]
    failures: tuple[str, ...] = ()
    """Reasons of ratings that gave no score."""


@dataclass(frozen=True, slots=True)
class JudgeAgreement:
    """Agreement of repeated ratings of the same dialogues; None if there are too few."""

    n_dialogues: int
    """Dialogues with at least one score."""
    n_scores: int
    n_failures: int
    mean: float | None
    """Mean of the dialogues' mean scores."""
    deviation: float | None
    """Standard deviation of a dialogue's scores, averaged over dialogues with several."""
    exact: float | None
    """Share of pairs of ratings of a dialogue that are equal."""
    within_one: float | None
    """Share of pairs that differ by at most 1."""
    alpha: float | None
    """Krippendorff's alpha for intervals: 1 is perfect agreement, 0 is chance."""

    def table(self) -> dict[str, Any]:
        """All figures by name."""
        return asdict(self)


async def judge(
    talks: Sequence[DialogueText],
    client: Client,
    llm: Llm,
    n_repeats: int = 3,
    prompts: str = "",
    tell: Callable[[int], object] = lambda _: None,
) -> list[JudgedDialogue]:
    """Have dialogues rated.

    Args:
        talks: The dialogues.
        client: Client of the model; it keeps answers, so rating the same again costs nothing.
        llm: Values of the client; a temperature above 0 shows the judge's uncertainty.
        n_repeats: Independent ratings per dialogue.
        prompts: Folder with your own prompt `score`; empty for the shipped one.
        tell: Called with 1 after each rating.

    Returns:
        One item per dialogue, in order.

    Raises:
        DatagenError: A fault that stops a run, such as a spent budget, after all requests ended.
    """
    places = [(talk, sample) for talk in talks for sample in range(n_repeats)]
    requests = (_told(_score(talk, sample, client, llm, prompts), tell) for talk, sample in places)
    found = await asyncio.gather(*requests, return_exceptions=True)
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


async def _told(rating: Awaitable[ScoreAnswer], tell: Callable[[int], object]) -> ScoreAnswer:
    try:
        return await rating
    finally:
        tell(1)


async def _score(talk: DialogueText, sample: int, client: Client, llm: Llm, prompts: str) -> ScoreAnswer:
    """One rating, repeated while answers are invalid."""
    prompt = load_prompt(_PROMPT, talk.language, prompts)
    messages = prompt.render(llm.examples, turns=shown(talk.turns))
    unfit: UnfitAnswerError | None = None
    for attempt in range(llm.attempts):
        answer = await client.ask(question_of(prompt, messages, llm, sample, attempt))
        try:
            given = read(answer, ScoreAnswer)
        except UnfitAnswerError as error:
            unfit = error
        else:
            assert isinstance(given, ScoreAnswer)  # noqa: S101 - the requested type
            return given
    raise unfit or UnfitAnswerError("no_answer", "no request was sent")


def judge_build(
    manifest: Manifest,
    llm: Llm,
    split: str = "test",
    n_dialogues: int | None = None,
    n_repeats: int = 3,
    prompts: str = "",
    answers: ReplyShelf | None = None,
    tell: Callable[[int], object] = lambda _: None,
) -> list[JudgedDialogue]:
    """Have the conversations of a build rated.

    Args:
        manifest: Of the build.
        llm: The judge.
        split: Name of the split.
        n_dialogues: Number of conversations; by default all.
        n_repeats: Independent ratings per conversation.
        prompts: Folder with your own prompt `score`; empty for the shipped one.
        answers: Store that keeps the answers; by default they are lost.
        tell: Called with 1 after each rating.

    Raises:
        DatagenError: If the build has no such conversations, a fault stops the run, or the judge gives no score.
    """
    talks = list(islice(_conversations(manifest, split), n_dialogues))
    if not talks:
        raise DatagenError(f"{manifest.store.url} contains no {split} conversations to rate")
    return need_scores(judge_all(talks, llm, n_repeats, prompts, answers, tell))


def judge_all(
    talks: Sequence[DialogueText],
    llm: Llm,
    n_repeats: int = 3,
    prompts: str = "",
    answers: ReplyShelf | None = None,
    tell: Callable[[int], object] = lambda _: None,
) -> list[JudgedDialogue]:
    """Have dialogues rated with a client of their own; see `judge` and `judge_build`.

    Raises:
        DatagenError: A fault that stops the run. Kept answers count towards the budget.
    """
    is_limited = llm.budget.tokens is not None or llm.budget.money is not None
    spent = Cache(answers).spent() if answers and is_limited else NOTHING

    async def run() -> list[JudgedDialogue]:
        async with Client(llm, answers or Memory(), spent=spent) as client:
            return await judge(talks, client, llm, n_repeats, prompts, tell)

    try:
        return asyncio.run(run())
    except BudgetError as error:
        if answers and not isinstance(answers, Memory):
            raise
        raise BudgetError(
            "the budget of the judge is used up, and its answers are lost; raise llm.budget, and keep answers with "
            "--answers DIR"
        ) from error


def need_scores(judged: list[JudgedDialogue]) -> list[JudgedDialogue]:
    """The ratings, if there are any.

    Raises:
        EngineError: If no rating gave a score; names the commonest reason.
    """
    failures = Counter(failure for each in judged for failure in each.failures)
    if failures and not any(each.scores for each in judged):
        reason, n = failures.most_common(1)[0]
        raise EngineError(
            f"the judge gave no score in {failures.total():,} ratings; the reason of {n:,}: {reason}; use another "
            "model (--set llm.model=NAME), or see llm.structured and llm.max_tokens of its recipe"
        )
    return judged


def _conversations(manifest: Manifest, split: str) -> Iterator[DialogueText]:
    for file in manifest.files("conversations"):
        table = from_parquet(manifest.store.open(file.key), file.key, _COLUMNS)
        yield from (DialogueText.of(row) for row in table.to_pylist() if row["split"] == split)


def agreement(judged: Sequence[JudgedDialogue]) -> JudgeAgreement:
    """Sum up ratings.

    >>> failed = JudgedDialogue("c", (), (), ("refused",))
    >>> found = agreement([JudgedDialogue("a", (7, 7, 8), ()), JudgedDialogue("b", (3, 5, 3), ()), failed])
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

    Disagreement is the mean squared difference of two values: of one unit, and of any two
    (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability"). Units with one value are left
    out.

    Args:
        units: The values of each unit; their order and number do not matter.

    Returns:
        At most 1; None if no unit has two values, or all values are equal.

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
