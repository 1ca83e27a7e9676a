"""Counts of an authoring run while it runs: answers, retries, rejects, tokens."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from datagen.authoring.spend import NOTHING, Usage


@dataclass
class Live:
    """Work of a run so far. Written by the run's threads, and read by whoever shows it.

    >>> live = Live()
    >>> live.answered(Usage(10, 5)), live.unfit(), live.decided(""), live.decided("copied_example")
    (None, None, None, None)
    >>> live.n_answers, live.n_unfit, live.n_records, dict(live.rejects), live.usage.tokens
    (1, 1, 2, {'copied_example': 1}, 15)
    """

    n_left: int = 0
    """Records that the run had to do when it began."""
    n_answers: int = 0
    n_unfit: int = 0
    """Answers that did not fit, so the question was asked again or given up."""
    n_failed: int = 0
    """Requests without an answer."""
    n_records: int = 0
    """Records that are decided, or that the server could not answer."""
    rejects: Counter[str] = field(default_factory=Counter)
    usage: Usage = NOTHING
    began: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answered(self, usage: Usage) -> None:
        """Count an answer."""
        with self._lock:
            self.n_answers += 1
            self.usage += usage

    def unfit(self) -> None:
        """Count an answer that did not fit."""
        with self._lock:
            self.n_unfit += 1

    def failed(self) -> None:
        """Count a request without an answer."""
        with self._lock:
            self.n_failed += 1

    def decided(self, reason: str) -> None:
        """Count a record; the reason is empty if it is kept."""
        with self._lock:
            self.n_records += 1
            if reason:
                self.rejects[reason] += 1

    def seconds_left(self) -> float | None:
        """Time left at the speed so far; None before the first record."""
        if not self.n_records:
            return None
        return (time.monotonic() - self.began) / self.n_records * max(self.n_left - self.n_records, 0)
