"""Hands units to workers: first whole ones, then the last ones in pieces, so that all workers end together.

A whole unit costs one call. But when none is left, each worker would wait for the slowest. So the dialogues
of the last units are dealt in pieces that become smaller toward the end, the longest dialogues of a unit
first. Results are put back in order and committed by one worker, so nothing in a unit tells who made it.
They lie in the memory of the driver until then, as conversations without their working audio.

A unit of several blocks is handed out block by block, and the last blocks of the run in pieces. Whoever ends the
last block of a unit commits it.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Protocol

from datagen.records import Dialogue, Reject, Streams
from datagen.shards.unit import Block, Marker

Record = Dialogue | Reject
Result = Streams | Reject
_PIECES_PER_WORKER = 4
"""Share of a worker in what is left, as a number of pieces: the more, the evener is the end."""
_BLOCKS_PER_HELPER = 2
"""Blocks in pieces per worker that may have to wait for another; one would do if all took equally long."""


class Sharer(Protocol):
    """Makes units, blocks of units, and pieces of blocks. A unit of one block is its block."""

    def unit(self, unit: int) -> Marker:
        """Make and commit a unit."""
        ...

    def block(self, block: Block) -> Marker | None:
        """Make and keep a block; its marker if it is a unit."""
        ...

    def begin(self, block: Block) -> list[Record] | Marker | None:
        """The records of a block; of one that an earlier attempt has decided, its marker or nothing."""
        ...

    def piece(self, block: Block, records: Sequence[Record]) -> list[Result]:
        """The results of some records of a block."""
        ...

    def keep(self, block: Block, results: Sequence[Result]) -> Marker | None:
        """Keep a block whose results are complete and in order; its marker if it is a unit."""
        ...

    def join(self, block: Block) -> Marker:
        """Commit the unit of a block, when all its blocks are kept."""
        ...


class _Shared:
    """A block in pieces."""

    def __init__(self, block: Block, records: Sequence[Record]) -> None:
        self.block, self.records = block, records
        self.left = deque(sorted(range(len(records)), key=lambda k: -_length(records[k])))
        """Records that nobody has begun, the longest first."""
        self.results: dict[int, Result] = {}

    def cut(self, n_elsewhere: int, n_hands: int) -> list[int]:
        """The records of the next piece, given the number that other blocks have left."""
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
    """The blocks of a run and what is left of them; its workers call `work`, each in a thread."""

    def __init__(self, blocks: Sequence[Block], n_hands: int, *, shares: bool) -> None:
        """Set the blocks.

        Args:
            blocks: Blocks in the order in which they are begun, those of a unit together.
            n_hands: Number of workers.
            shares: If true, the workers are `Sharer`s, and the last blocks are dealt in pieces.
        """
        n_whole = max(len(blocks) - _BLOCKS_PER_HELPER * (n_hands - 1), 0) if shares and n_hands > 1 else len(blocks)
        self._n_hands = n_hands
        self._whole, self._last = deque(blocks[:n_whole]), deque(blocks[n_whole:])
        self._n_left = Counter(block.unit for block in blocks)
        """Blocks of each unit that have not ended."""
        self._open: deque[_Shared] = deque()
        self._n_opening = 0
        self._changed = threading.Condition()

    def work(self, hand: Any) -> Iterator[Marker | Block]:
        """Work on blocks as long as there is work that nobody has begun.

        Yields:
            Each block that ends here if its unit has several, and the markers of units that end here.
        """
        while (task := self._next()) is not None:
            ended = task(hand)
            if isinstance(ended, Block):
                yield ended
                ended = hand.join(ended) if self._ends_unit(ended) else None
            if ended is not None:
                yield ended

    def _ends_unit(self, block: Block) -> bool:
        """Count a block that has ended; true for the last one of its unit."""
        with self._changed:
            self._n_left[block.unit] -= 1
            return not self._n_left[block.unit]

    def _next(self) -> Callable[[Any], Marker | Block | None] | None:
        with self._changed:
            while True:
                if self._whole:
                    return partial(_whole, self._whole.popleft())
                if self._open:
                    return self._piece_of(self._open[0])
                if self._last:
                    self._n_opening += 1
                    return partial(self._begin, self._last.popleft())
                if not self._n_opening:
                    return None
                self._changed.wait()  # for pieces of a block that is being read

    def _piece_of(self, shared: _Shared) -> Callable[[Any], Marker | Block | None]:
        chosen = shared.cut(len(self._last) * len(shared.records), self._n_hands)
        if not shared.left:
            self._open.popleft()
        return partial(self._piece, shared, chosen)

    def _begin(self, block: Block, hand: Sharer) -> Marker | Block | None:
        try:
            found = hand.begin(block)
            if not isinstance(found, list):
                return found or block
            with self._changed:
                self._open.append(_Shared(block, found))
            return None
        finally:
            with self._changed:
                self._n_opening -= 1
                self._changed.notify_all()

    def _piece(self, shared: _Shared, chosen: list[int], hand: Sharer) -> Marker | Block | None:
        results = hand.piece(shared.block, [shared.records[k] for k in chosen])
        with self._changed:
            whole = shared.add(chosen, results)
        return (hand.keep(shared.block, whole) or shared.block) if whole is not None else None


def _whole(block: Block, hand: Any) -> Marker | Block:
    if block.is_unit:
        marker: Marker = hand.unit(block.unit)
        return marker
    return hand.block(block) or block
