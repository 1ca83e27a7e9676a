"""A figure of a table: its value, its interval, and the number of units and groups behind it.

Every score here is a ratio of two sums (wrong words per word, nats per token, hits per event) or a
median. Units of one dialogue are alike, so the bootstrap draws whole dialogues (Efron & Tibshirani
1993, "An Introduction to the Bootstrap", chapter 13: percentile intervals).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datagen.seeds import rng

N_DRAWS = 1000
"""Draws of a bootstrap."""
LEVEL = 0.95
"""Coverage of an interval."""

Part = tuple[float, float]
"""Numerator and denominator of one unit, such as wrong words and words of an utterance."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure of a table. None: nothing to measure."""

    value: float | None = None
    low: float | None = None
    """Lower end of the interval; None with fewer than two groups."""
    high: float | None = None
    n: int = 0
    """Units behind the value, such as words."""
    n_groups: int = 0
    """Dialogues behind the value."""


EMPTY = Cell()


def ratio(parts: Iterable[tuple[str, Part]]) -> Cell:
    """The ratio of two sums over units, with an interval from drawing groups.

    Args:
        parts: Group (a dialogue), numerator and denominator of each unit; n is the sum of denominators.

    >>> cell = ratio([("a", (1, 10)), ("b", (3, 10)), ("b", (0, 0))])
    >>> cell.value, cell.low, cell.high, cell.n, cell.n_groups
    (0.2, 0.1, 0.3, 20, 2)
    >>> ratio([("a", (1, 4))])
    Cell(value=0.25, low=None, high=None, n=4, n_groups=1)
    """
    sums: dict[str, NDArray[np.float64]] = {}
    for group, part in parts:
        sums[group] = sums.get(group, np.zeros(2)) + part
    groups = np.array([pair for pair in sums.values() if pair[1] > 0]).reshape(-1, 2)
    if not len(groups):
        return EMPTY

    def of(pairs: NDArray[np.float64]) -> float:
        return float(pairs[:, 0].sum() / pairs[:, 1].sum())

    low, high = _interval(len(groups), lambda drawn: of(groups[drawn]))
    return Cell(of(groups), low, high, round(groups[:, 1].sum()), len(groups))


def median(values: Mapping[str, list[float]]) -> Cell:
    """The median of all values, with an interval from drawing groups.

    Args:
        values: Values of each group (a dialogue).

    >>> median({"a": [1.0, 3.0], "b": [2.0]}).value
    2.0
    """
    groups = [np.array(each) for each in values.values() if each]
    if not groups:
        return EMPTY
    low, high = _interval(len(groups), lambda drawn: float(np.median(np.concatenate([groups[k] for k in drawn]))))
    pooled = np.concatenate(groups)
    return Cell(float(np.median(pooled)), low, high, len(pooled), len(groups))


def _interval(n: int, of: Callable[[NDArray[np.int64]], float]) -> tuple[float | None, float | None]:
    """Percentiles of a statistic over drawn groups; the draws depend on the number of groups alone."""
    if n < 2:
        return None, None
    drawn = rng(0, "bootstrap", n).integers(n, size=(N_DRAWS, n))
    found = np.array([of(each) for each in drawn])
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
