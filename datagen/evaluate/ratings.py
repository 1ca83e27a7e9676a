"""Ratings of replies by a judge, from 1 to 10, and their table."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Protocol

from datagen.evaluate.cells import Cell, ratio
from datagen.evaluate.replies import TRUTH, Exchange
from datagen.evaluate.tables import Column, Table

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


@dataclass(frozen=True)
class Rated:
    """Ratings of a row of the table, of the same dialogues as those of the other rows."""

    ratings: tuple[Rating, ...]
    alpha: float | None = None
    """Krippendorff's alpha of the repeats; None: too few, or all alike."""


class Judge(Protocol):
    """Rates replies."""

    name: str
    n_repeats: int
    """Ratings per reply."""

    def rate(
        self,
        found: Sequence[Exchange],
        replies: Mapping[str, Sequence[str]],
        tell: Callable[[int], object],
        must_rate: bool = False,
    ) -> dict[str, Rated]:
        """Rate the replies of each row of a table; a reply without words is rated 1.

        Args:
            found: Exchanges.
            replies: By row, a reply to each exchange.
            tell: Called with 1 after each rating.
            must_rate: True to refuse a judge that gives no score at all.

        Raises:
            DatagenError: A fault that stops all requests, or a judge that gives no score.
        """
        ...


def rating_table(rated: Mapping[str, Rated], judge: str, n_repeats: int) -> Table:
    """Mean scores, their difference to the ground truth of the same dialogues, and agreement of the repeats.

    Args:
        rated: Ratings of each row, of the same dialogues in the same order.
        judge: Name of the judge.
        n_repeats: Ratings per reply.
    """
    words = rated[TRUTH].ratings if TRUTH in rated else ()
    truth = {each.dialogue_id: fmean(each.scores) for each in words if each.scores}
    cells = {name: _cells(each, truth) for name, each in rated.items()}
    notes = [
        f"Judge: {judge}, {n_repeats} ratings per reply from 1 to 10. A reply without words is rated 1 without it.",
        "agreement: Krippendorff's alpha of the repeats; 1 is perfect, 0 is chance.",
    ]
    reasons = Counter(reason for each in rated.values() for rating in each.ratings for reason in rating.failures)
    if reasons:
        named = "; ".join(f"{n} x {reason}" for reason, n in reasons.most_common(3))
        notes.append(f"{reasons.total():,} ratings gave no score: {named}{'; ...' * (len(reasons) > 3)}.")
    return Table.of("dialogue", "LLM score of the first reply", _COLUMNS, cells, notes)


def _cells(rated: Rated, truth: Mapping[str, float]) -> dict[str, Cell]:
    each = rated.ratings
    means = [(r.dialogue_id, fmean(r.scores)) for r in each if r.scores]
    n_repeated = sum(len(r.scores) > 1 for r in each)
    apart = ((group, (score - truth[group], 1.0)) for group, score in means if group in truth)
    asked = ((r.dialogue_id, (len(r.failures), len(r.scores) + len(r.failures))) for r in each)
    return {
        "score": ratio((group, (score, 1.0)) for group, score in means),
        "minus ground truth": ratio(apart),
        "agreement (alpha)": Cell(rated.alpha, n=n_repeated, n_groups=n_repeated),
        "failed": ratio(asked),
    }
