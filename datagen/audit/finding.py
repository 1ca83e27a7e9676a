"""The result of a predictor, and the rule that turns its score into a verdict."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Literal, Protocol

from scipy.special import bdtr

from datagen.audit.audited import AuditedConversation

Verdict = Literal["pass", "fail", "not enough data", "not applicable"]

_RARE = 0.05
N_EXAMPLES = 8
"""Maximum number of examples in a finding, unless a reader should see all of them."""


@dataclass(frozen=True, slots=True)
class Example:
    """A place to look at."""

    dialogue_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of a predictor on a build."""

    name: str
    meaning: str
    """One sentence."""
    score: float | None
    """A share or a ratio; None without data."""
    n: int
    """Number of cases behind the score: turns, frames, pairs."""
    chance: float | None
    """The score expected by chance, computed from the same data; None if chance plays no role."""
    limit: float | None
    """The largest score that passes; with `at_least`, the smallest."""
    verdict: Verdict
    examples: tuple[Example, ...] = ()
    figures: dict[str, float] = field(default_factory=dict)
    """Further figures by name."""
    at_least: bool = False
    """True if a high score is good."""

    @classmethod
    def of_share(
        cls,
        name: str,
        meaning: str,
        n_found: int,
        n: int,
        limit: float,
        *,
        chance: float | None = None,
        n_least: int = 1,
        examples: Sequence[Example] = (),
        figures: dict[str, float] | None = None,
    ) -> "Finding":
        """A finding whose score is the share of cases that should not occur; see `verdict`."""
        score = share(n_found, n)
        result = verdict(score, n, limit, n_least)
        return cls(name, meaning, score, n, chance, limit, result, tuple(examples), figures or {})


class Predictor(Protocol):
    """Reads conversations one at a time and keeps only what its finding needs."""

    def add(self, talk: AuditedConversation) -> None:
        """Read a conversation."""
        ...

    def finding(self) -> Finding:
        """The result over all conversations read."""
        ...


def standard_error(share: float, n: int) -> float:
    """Standard error of a share of n independent cases.

    >>> standard_error(0.5, 100)
    0.05
    """
    share = min(max(share, 0.0), 1.0)
    return sqrt(share * (1 - share) / n) if n else 0.0


def share(n_found: int, n: int) -> float | None:
    """A share; None if there are no cases.

    >>> share(1, 4), share(0, 0)
    (0.25, None)
    """
    return n_found / n if n else None


def judged(fails: bool, n: int, n_least: int = 1) -> Verdict:
    """The verdict of a test, if there are enough cases for one.

    >>> judged(True, 9), judged(True, 9, n_least=10), judged(False, 0)
    ('fail', 'not enough data', 'not applicable')
    """
    if n < max(n_least, 1):
        return "not enough data" if n else "not applicable"
    return "fail" if fails else "pass"


def verdict(score: float | None, n: int, limit: float, n_least: int = 1) -> Verdict:
    """The verdict on a share that should be small.

    It fails if fewer than one in twenty builds exactly at the limit would show that many cases or
    more. So a single case in a small build does not fail it.

    Args:
        score: The share; None without data.
        n: Number of cases.
        limit: The largest share that passes.
        n_least: Fewest cases to judge by.

    >>> verdict(0.04, 30, 0.03), verdict(0.2, 30, 0.03), verdict(None, 0, 0.03)
    ('pass', 'fail', 'not applicable')
    """
    n_found = round((score or 0.0) * n)
    return judged(n_found > 0 and bool(1 - bdtr(n_found - 1, n, limit) < _RARE), n, n_least)


def first(examples: Sequence[Example], n_most: int = N_EXAMPLES) -> tuple[Example, ...]:
    """The first few examples, from different conversations where possible."""
    seen: set[str] = set()
    of_others, of_same = list[Example](), list[Example]()
    for example in examples:
        (of_same if example.dialogue_id in seen else of_others).append(example)
        seen.add(example.dialogue_id)
    return tuple((of_others + of_same)[:n_most])
