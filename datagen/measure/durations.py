"""Distributions of durations in whole milliseconds: as large as the range of the values, however many there are."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass
class Durations:
    """How often which duration occurs, in milliseconds; floor-transfer offsets may be negative."""

    counts: Counter[int] = field(default_factory=Counter)

    @classmethod
    def of(cls, values_ms: ArrayLike) -> "Durations":
        """The distribution of values in milliseconds, rounded to whole ones.

        >>> Durations.of([10.4, 10, 30]).counts == {10: 2, 30: 1}
        True
        """
        return cls(Counter(np.rint(np.asarray(values_ms, np.float64)).astype(np.int64).tolist()))

    def add(self, samples: Iterable[int], rate_hz: int) -> None:
        """Count durations in samples of a clock of `rate_hz`."""
        self.counts.update(round(n * 1000 / rate_hz) for n in samples)

    def __add__(self, other: "Durations") -> "Durations":
        """Both together."""
        return Durations(Counter({ms: self.counts[ms] + other.counts[ms] for ms in self.counts | other.counts}))

    @property
    def n(self) -> int:
        """How many durations were counted."""
        return self.counts.total()

    def sorted(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Values in ascending order and how often each occurs, both int64 [n_values]."""
        pairs = np.array(sorted(self.counts.items()), np.int64).reshape(-1, 2)
        return pairs[:, 0], pairs[:, 1]

    def mean(self) -> float | None:
        """The mean in milliseconds; None if there are none."""
        values, counts = self.sorted()
        return float(np.average(values, weights=counts)) if self.n else None

    def quantiles(self, shares: Iterable[float]) -> list[float]:
        """The values below which these shares lie, interpolated as numpy does for the values one by one.

        Raises:
            ValueError: If there are no values.

        >>> Durations.of([0, 10, 20]).quantiles([0.5, 0.75])
        [10.0, 15.0]
        """
        if not self.n:
            raise ValueError("there are no durations")
        values, counts = self.sorted()
        reached = np.cumsum(counts)
        found = []
        for share in shares:
            place = share * (self.n - 1)
            around = (int(place), min(int(place) + 1, self.n - 1))
            low, high = (values[np.searchsorted(reached, k, "right")] for k in around)
            found.append(float(low + (high - low) * (place - int(place))))
        return found

    def median(self) -> float | None:
        """The median in milliseconds; None if there are none."""
        return self.quantiles([0.5])[0] if self.n else None

    def share_below(self, ms: float) -> float | None:
        """The share of values below `ms`; None if there are none.

        >>> Durations.of([-100, 50, 200, 300]).share_below(200)
        0.5
        """
        return sum(count for value, count in self.counts.items() if value < ms) / self.n if self.n else None

    def mode(self, width_ms: int) -> float | None:
        """The middle of the fullest bin of `width_ms`, the lowest of equally full ones; None if there are none.

        >>> Durations.of([10, 120, 180, 190]).mode(100)
        150.0
        """
        bins: Counter[int] = Counter()
        for value, count in self.counts.items():
            bins[value // width_ms] += count
        return (max(sorted(bins), key=bins.__getitem__) + 0.5) * width_ms if bins else None

    def chance_w1(self, n: int) -> float:
        """What the W1 distance of `n` draws to this distribution comes to by chance alone, in milliseconds.

        The mean of |F_n - F| is that of a normal variable of variance F (1 - F) / n (central limit theorem).

        >>> round(Durations.of(range(1000)).chance_w1(100))
        31
        """
        values, counts = self.sorted()
        below = np.cumsum(counts)[:-1] / self.n
        return float(np.sum(np.sqrt(below * (1 - below)) * np.diff(values)) * np.sqrt(2 / (np.pi * n)))

    def w1(self, other: "Durations") -> float | None:
        """The Wasserstein-1 distance in milliseconds; None if either is empty.

        >>> Durations.of([0, 100]).w1(Durations.of([10, 110]))
        10.0
        """
        from scipy.stats import wasserstein_distance

        if not self.n or not other.n:
            return None
        (ours, our_counts), (theirs, their_counts) = self.sorted(), other.sorted()
        return float(wasserstein_distance(ours, theirs, our_counts, their_counts))
