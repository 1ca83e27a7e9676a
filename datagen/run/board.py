"""Work of each worker of a cluster while it runs: workers report to one board, which the driver reads."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class WorkerState:
    """The work of a worker at a moment."""

    node: str
    """Name of its machine."""
    pid: int
    """Its process there."""
    steps: str
    """Steps that it runs, such as `speak, verify`; empty: all."""
    units: tuple[int, ...]
    """Units under way, or whose blocks are, the oldest first; none: it waits."""
    seconds: float
    """Time since the oldest of them was begun, or since the worker began to wait."""
    n_done: int
    """Units, or blocks of larger ones, that it has ended."""


@dataclass
class _Row:
    """Times at which a worker began its units, and since when it waits."""

    idle_since: float
    begun: dict[tuple[int, int], float] = field(default_factory=dict)
    """By unit and block."""
    n_done: int = 0

    def state(self, node: str, pid: int, steps: str, now: float) -> WorkerState:
        units = tuple(unit for unit, _ in sorted(self.begun, key=lambda block: self.begun[block]))
        seconds = now - min(self.begun.values(), default=self.idle_since)
        return WorkerState(node, pid, steps, units, seconds, self.n_done)


class Board:
    """Collects reports of workers. Times are those of its own clock, so clocks of machines do not matter.

    >>> times = iter([0.0, 5.0, 12.0])
    >>> board = Board(lambda: next(times))
    >>> board.begin("node-a", 71, "", 4)
    >>> board.begin("node-b", 90, "", 4)  # the first worker was lost
    >>> [(state.pid, state.units, state.seconds) for state in board.workers()]
    [(90, (4,), 7.0)]
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """An empty board."""
        self._now, self._rows = now, dict[tuple[str, int, str], _Row]()

    def begin(self, node: str, pid: int, steps: str, unit: int, block: int = 0) -> None:
        """A worker begins a block of a unit. Another one that had begun the same steps of it is lost."""
        now = self._now()
        for key, row in list(self._rows.items()):
            if key != (node, pid, steps) and key[2] == steps and (unit, block) in row.begun:
                del self._rows[key]
        self._rows.setdefault((node, pid, steps), _Row(now)).begun[unit, block] = now

    def end(self, node: str, pid: int, steps: str, unit: int, block: int = 0) -> None:
        """A worker has ended a block, well or not."""
        row = self._rows.get((node, pid, steps))
        if row is not None and row.begun.pop((unit, block), None) is not None:
            row.n_done, row.idle_since = row.n_done + 1, self._now()

    def workers(self) -> list[WorkerState]:
        """The state of all workers that have begun a unit, by node and process."""
        now = self._now()
        return [row.state(*key, now) for key, row in sorted(self._rows.items())]
