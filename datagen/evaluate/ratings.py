"""Ratings of replies by a language model, from 1 to 10, and their table."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from datagen.evaluate.cells import Cell, ratio
from datagen.evaluate.replies import TRUTH, Exchange
from datagen.evaluate.tables import Column, Table
from datagen.records import Turn

if TYPE_CHECKING:
    from datagen.authoring.authoring_config import Llm
    from datagen.authoring.reply_cache import ReplyShelf

_COLUMNS = (
    Column("score", "number", "dialogues"),
    Column("minus ground truth", "number", "dialogues"),
    Column("agreement (alpha)", "number", "dialogues"),
    Column("failed", "percent", "ratings"),
)


@dataclass(frozen=True)
class Rating:
    """Ratings of one reply."""

    dialogue_id: str
    scores: tuple[int, ...]
    """1 to 10, repeated; empty if the judge gave none."""
    failures: tuple[str, ...] = ()
    """Reasons of ratings that gave no score."""


class Judge:
    """A language model that rates replies."""

    def __init__(self, llm: "Llm", n_repeats: int = 3, prompts: str = "", answers: "ReplyShelf | None" = None) -> None:
        """A judge; nothing is sent yet.

        Args:
            llm: The model and its server.
            n_repeats: Ratings per reply.
            prompts: Folder with your own prompt `score`; empty for the shipped one.
            answers: Store that keeps the answers; by default they are lost.
        """
        self._llm, self._prompts, self._answers = llm, prompts, answers
        self.n_repeats = n_repeats

    @property
    def name(self) -> str:
        """Name of the model."""
        return self._llm.model

    def rate(
        self,
        found: Sequence[Exchange],
        replies: Mapping[str, Sequence[str]],
        tell: Callable[[int], object] = lambda _: None,
        must_rate: bool = False,
    ) -> dict[str, list[Rating]]:
        """Rate the replies of each row of a table; a reply without words is rated 1 without the judge.

        Args:
            found: Exchanges.
            replies: By row, a reply to each exchange.
            tell: Called with 1 after each rating.
            must_rate: True to refuse a judge that gives no score at all.

        Raises:
            DatagenError: A fault that stops all requests, or a judge that gives no score.
        """
        from datagen.authoring.judge import DialogueText, judge_all, need_scores

        places = [(row, k) for row, texts in replies.items() for k, text in enumerate(texts) if text]
        asked = [
            DialogueText(
                found[k].dialogue_id,
                found[k].language,
                (Turn("user", found[k].user), Turn("assistant", replies[row][k])),
            )
            for row, k in places
        ]
        judged = judge_all(asked, self._llm, self.n_repeats, self._prompts, self._answers, tell)
        if must_rate:
            need_scores(judged)
        rated = {row: [Rating(each.dialogue_id, (1,)) for each in found] for row in replies}
        for (row, k), each in zip(places, judged, strict=True):
            rated[row][k] = Rating(each.id, each.scores, each.failures)
        return rated


def rating_table(rated: Mapping[str, Sequence[Rating]], judge: str, n_repeats: int) -> Table:
    """Mean scores, their difference to the ground truth of the same dialogues, and agreement of the repeats.

    Args:
        rated: Ratings of each row, of the same dialogues in the same order.
        judge: Name of the judge.
        n_repeats: Ratings per reply.
    """
    truth = {each.dialogue_id: fmean(each.scores) for each in rated.get(TRUTH, ()) if each.scores}
    cells = {name: _cells(each, truth) for name, each in rated.items()}
    notes = [
        f"Judge: {judge}, {n_repeats} ratings per reply from 1 to 10. A reply without words is rated 1 without it.",
        "agreement: Krippendorff's alpha of the repeats; 1 is perfect, 0 is chance.",
    ]
    reasons = Counter(reason for each in rated.values() for rating in each for reason in rating.failures)
    if reasons:
        named = "; ".join(f"{n} x {reason}" for reason, n in reasons.most_common(3))
        notes.append(f"{reasons.total():,} ratings gave no score: {named}{'; ...' * (len(reasons) > 3)}.")
    return Table.of("dialogue", "LLM score of the first reply", _COLUMNS, cells, notes)


def _cells(each: Sequence[Rating], truth: Mapping[str, float]) -> dict[str, Cell]:
    from datagen.authoring.judge import krippendorff_alpha

    means = [(r.dialogue_id, fmean(r.scores)) for r in each if r.scores]
    n_repeated = sum(len(r.scores) > 1 for r in each)
    apart = ((group, (score - truth[group], 1.0)) for group, score in means if group in truth)
    asked = ((r.dialogue_id, (len(r.failures), len(r.scores) + len(r.failures))) for r in each)
    return {
        "score": ratio((group, (score, 1.0)) for group, score in means),
        "minus ground truth": ratio(apart),
        "agreement (alpha)": Cell(krippendorff_alpha([r.scores for r in each]), n=n_repeated, n_groups=n_repeated),
        "failed": ratio(asked),
    }
