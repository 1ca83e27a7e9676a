"""What was measured on the takes of a build: counts of rounded values, which do not grow with the build."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from datagen.records import Spoken

_MEASURES = {
    "ms_per_syllable": ("Speech a syllable, ms", 1),
    "longest_pause_ms": ("Longest pause, ms", 10),
    "tail_ms": ("After the last loud sound, ms", 10),
    "error_rate": ("Word errors heard", 0.001),
    "letter_error_rate": ("Letter errors heard", 0.001),
    "mos": ("How it sounds (MOS)", 0.01),
}
"""Scores that are shown: title and the step to which they are rounded."""
_SHARES = (0.05, 0.5, 0.95, 0.99)


@dataclass
class TakeSums:
    """Sums over utterances; one that was measured in none of the ways counts all the same."""

    counts: dict[str, Counter[int]] = field(default_factory=lambda: {name: Counter() for name in _MEASURES})
    n: int = 0
    n_again: int = 0
    """Utterances whose first take was bad."""
    faults: Counter[str] = field(default_factory=Counter)
    """What was wrong with those takes."""

    def add(self, utterance: Spoken) -> None:
        """Count an utterance."""
        self.n += 1
        self.n_again += utterance.attempt > 0
        self.faults.update(utterance.scores.faults if utterance.scores else ())
        for name, (_, step) in _MEASURES.items() if utterance.scores else ():
            value = getattr(utterance.scores, name)
            if value is not None:
                self.counts[name][round(value / step)] += 1

    def figures(self) -> dict[str, Any]:
        """What the page shows: utterances, those spoken again, and of each measure its mean and some quantiles."""
        measured = [
            {"title": title, "of": name, "mean": _mean(counts) * step, **_quantiles(counts, step)}
            for name, (title, step) in _MEASURES.items()
            if (counts := self.counts[name])
        ]
        return {"n": self.n, "n_again": self.n_again, "faults": self.faults.most_common(), "measured": measured}


def _mean(counts: Counter[int]) -> float:
    return sum(value * n for value, n in counts.items()) / counts.total()


def _quantiles(counts: Counter[int], step: float) -> dict[str, float]:
    """Quantiles of counted values.

    >>> _quantiles(Counter({1: 50, 3: 50}), 10)
    {'p5': 10, 'p50': 10, 'p95': 30, 'p99': 30}
    """
    found, n_below = {}, 0
    shares = list(_SHARES)
    for value, n in sorted(counts.items()):
        n_below += n
        while shares and n_below >= shares[0] * counts.total():
            found[f"p{round(shares.pop(0) * 100)}"] = value * step
    return found
