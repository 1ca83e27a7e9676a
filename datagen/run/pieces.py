"""Hands units to workers: first whole ones, then the last ones in pieces, so that all workers end together.

A whole unit costs one call. But when none is left, each worker would wait for the slowest. So the dialogues
of the last units are dealt in pieces that become smaller toward the end, the longest dialogues of a unit
first. Results are put back in order and committed by one worker, so nothing in a unit tells who made it.
They lie in the memory of the driver until then, as conversations without their working audio.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import methodcaller
from typing import Any, Protocol

from datagen.records import Dialogue, Reject, Streams
from datagen.shards.unit import Marker

Record = Dialogue | Reject
Result = Streams | Reject
_PIECES_PER_WORKER = 4
"""Share of a worker in what is left, as a number of pieces: the more, the evener is the end."""
_UNITS_PER_HELPER = 2
"""Units in pieces per worker that may have to wait for another; one would do if all units took equally long."""


class Sharer(Protocol):
    """Makes units, and parts of units."""

    def unit(self, unit: int) -> Marker:
        """Make and commit a unit."""
        ...

    def begin(self, unit: int) -> Marker | list[Record]:
        """The records of a unit, or its marker if an earlier attempt has decided its content."""
        ...

    def piece(self, unit: int, records: Sequence[Record]) -> list[Result]:
        """The results of some records of a unit."""
        ...

    def commit(self, unit: int, results: Sequence[Result]) -> Marker:
        """Commit a unit whose results are complete and in order."""
        ...


class _Shared:
    """A unit in pieces."""

    def __init__(self, unit: int, records: Sequence[Record]) -> None:
        self.unit, self.records = unit, records
        self.left = deque(sorted(range(len(records)), key=lambda k: -_length(records[k])))
        """Records that nobody has begun, the longest first."""
        self.results: dict[int, Result] = {}

    def cut(self, n_elsewhere: int, n_hands: int) -> list[int]:
        """The records of the next piece, given the number that other units have left."""
        size = (len(self.left) + n_elsewhere) // (_PIECES_PER_WORKER * n_hands)
        return [self.left.popleft() for _ in range(min(max(size, 1), len(self.left)))]

    def add(self, chosen: Sequence[int], results: Sequence[Result]) -> list[Result] | None:
        """Add the results of a piece; all of them in order if it was the last."""
        self.results.update(zip(chosen, results, strict=True))
        n_records = len(self.records)
        return [self.results[k] for k in range(n_records)] if len(self.results) == n_records else None


def _length(record: Record) -> int:
    """Length of a dialogue's text in characters, in proportion to its time; of a recording, in samples."""
    if isinstance(record, Reject):
        return 0
    return record.recorded.n_samples if record.recorded else sum(len(turn.text) for turn in record.turns)


class Deal:
    """The units of a run and what is left of them; its workers call `work`, each in a thread."""

    def __init__(self, units: Sequence[int], n_hands: int, *, shares: bool) -> None:
        """Set the units.

        Args:
            units: Indices of the units, in the order in which they are begun.
            n_hands: Number of workers.
            shares: If true, the workers are `Sharer`s, and the last units are dealt in pieces.
        """
        n_whole = max(len(units) - _UNITS_PER_HELPER * (n_hands - 1), 0) if shares and n_hands > 1 else len(units)
        self._n_hands = n_hands
        self._whole, self._last = deque(units[:n_whole]), deque(units[n_whole:])
        self._open: deque[_Shared] = deque()
        self._n_opening = 0
        self._changed = threading.Condition()

    def work(self, hand: Any) -> Iterator[Marker]:
        """Work on units as long as there is work that nobody has begun; yields the markers of those that end here."""
        while (task := self._next()) is not None:
            if (marker := task(hand)) is not None:
                yield marker

    def _next(self) -> Callable[[Any], Marker | None] | None:
        with self._changed:
            while True:
                if self._whole:
                    return methodcaller("unit", self._whole.popleft())
                if self._open:
                    return self._piece_of(self._open[0])
                if self._last:
                    self._n_opening += 1
                    return partial(self._begin, self._last.popleft())
                if not self._n_opening:
                    return None
                self._changed.wait()  # for pieces of a unit that is being read

    def _piece_of(self, shared: _Shared) -> Callable[[Any], Marker | None]:
        chosen = shared.cut(len(self._last) * len(shared.records), self._n_hands)
        if not shared.left:
            self._open.popleft()
        return partial(self._piece, shared, chosen)

    def _begin(self, unit: int, hand: Sharer) -> Marker | None:
        try:
            found = hand.begin(unit)
            if isinstance(found, Marker):
                return found
            with self._changed:
                self._open.append(_Shared(unit, found))
            return None
        finally:
            with self._changed:
                self._n_opening -= 1
                self._changed.notify_all()

    def _piece(self, shared: _Shared, chosen: list[int], hand: Sharer) -> Marker | None:
        results = hand.piece(shared.unit, [shared.records[k] for k in chosen])
        with self._changed:
            whole = shared.add(chosen, results)
        return hand.commit(shared.unit, whole) if whole is not None else None
