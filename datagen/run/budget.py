"""A budget of processor time for a stage that only computes, such as one that reads text."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from datagen.pipeline.step import TooSlowError

X = TypeVar("X")
Y = TypeVar("Y")


class CpuBudget:
    """A limit on the processor time of single calls, enforced by a timer of this process.

    Only the main thread of a process can be interrupted, as that of a worker is; elsewhere there is
    no limit. Time of other threads of the process counts too.
    """

    def __init__(self, seconds: float | None) -> None:
        """Set the processor time of a call; None: no limit."""
        self._seconds = seconds if threading.current_thread() is threading.main_thread() else None

    def over(self, call: Callable[[X], Y]) -> Callable[[X], Y]:
        """A function within the budget; it raises `TooSlowError` when its time is used up."""

        def limited(item: X) -> Y:
            with self._limit():
                return call(item)

        return limited

    @contextmanager
    def _limit(self) -> Iterator[None]:
        if self._seconds is None:
            yield
            return
        before = signal.signal(signal.SIGPROF, _stop)
        signal.setitimer(signal.ITIMER_PROF, self._seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, before)


def _stop(*_: object) -> None:
    raise TooSlowError
