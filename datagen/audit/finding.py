"""What a predictor reports, and how a score becomes a verdict."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Literal, Protocol

from scipy.special import bdtr

from datagen.audit.talk import AuditedConversation

Verdict = Literal["pass", "fail", "not enough data", "not applicable"]

_RARE = 0.05
N_EXAMPLES = 8
"""Examples that a finding lists, unless all of them are to be looked at."""


@dataclass(frozen=True, slots=True)
class Example:
    """A place that a person can look at."""

    dialogue_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """How well a predictor does on a build."""

    name: str
    meaning: str
    """What it means, in one sentence."""
    score: float | None
    """A share or a ratio; none without data."""
    n: int
    """What the score is of: turns, frames, pairs."""
    chance: float | None
    """The score to expect by chance, computed from the same data; none if chance has no part in it."""
    limit: float | None
    """The score from which on the verdict is `fail`; with `at_least`, up to which."""
    verdict: Verdict
    examples: tuple[Example, ...] = ()
    figures: dict[str, float] = field(default_factory=dict)
    """Further figures by name."""
    at_least: bool = False
    """True if a high score is the good one."""


class Predictor(Protocol):
    """Reads conversations one at a time and keeps only what its finding needs."""

    def add(self, talk: AuditedConversation) -> None:
        """Read a conversation."""
        ...

    def finding(self) -> Finding:
        """How well it predicts, over all conversations read."""
        ...


def standard_error(share: float, n: int) -> float:
    """The standard error of a share of n independent cases.

    >>> standard_error(0.5, 100)
    0.05
    """
    share = min(max(share, 0.0), 1.0)
    return sqrt(share * (1 - share) / n) if n else 0.0


def share(n_found: int, n: int) -> float | None:
    """A share, none of nothing.

    >>> share(1, 4), share(0, 0)
    (0.25, None)
    """
    return n_found / n if n else None


def verdict(score: float | None, n: int, limit: float, n_least: int = 1) -> Verdict:
    """The verdict on a share that should be small.

    It fails if so many cases or more would be found in less than one of twenty builds that are just at the limit, so
    that one accident in a small build does not count as a fault.

    Args:
        score: The share; none without data.
        n: Cases it is of.
        limit: The largest share that passes.
        n_least: Fewest cases to judge by.

    >>> verdict(0.04, 30, 0.03), verdict(0.2, 30, 0.03), verdict(0.2, 5, 0.03, n_least=10), verdict(None, 0, 0.03)
    ('pass', 'fail', 'not enough data', 'not applicable')
    """
    if score is None or n == 0:
        return "not applicable"
    if n < n_least:
        return "not enough data"
    n_found = round(score * n)
    return "fail" if n_found and 1 - bdtr(n_found - 1, n, limit) < _RARE else "pass"


def first(examples: Sequence[Example], n_most: int = N_EXAMPLES) -> tuple[Example, ...]:
    """The first few examples, no two of one conversation as long as there are others."""
    seen: set[str] = set()
    of_others, of_same = list[Example](), list[Example]()
    for example in examples:
        (of_same if example.dialogue_id in seen else of_others).append(example)
        seen.add(example.dialogue_id)
    return tuple((of_others + of_same)[:n_most])
