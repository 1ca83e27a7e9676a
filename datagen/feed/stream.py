"""The rows of one task in one lane, as an endless run of packed sequences that can be taken up anywhere.

A lane reads every n-th file of an epoch's shuffled order, the rows of each file shuffled too. Rows are packed a window
at a time, some sequences' worth of them. Everything follows from the seed, so four numbers say where a stream is.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datagen.errors import FeedError
from datagen.feed.packing import pack
from datagen.feed.shard_files import Shard, Shards
from datagen.seeds import Key, rng

_WINDOW = 32
"""Sequences' worth of rows that are packed together: more pad less and hold more memory."""

_AHEAD = 2
"""Files that a lane reads ahead of need."""

Order = Callable[..., NDArray[np.int64]]
"""The order of n things for a purpose: `order(n, *keys)`."""


def shuffled(seed: int, *about: Key) -> Order:
    """An order for every purpose, from a seed.

    >>> shuffled(1, "a")(9, "files", 0).tolist() == shuffled(1, "a")(9, "files", 0).tolist()
    True
    """
    return lambda n, *keys: rng(seed, "feed", *about, *keys).permutation(n)


def as_they_lie(n: int, *_: Key) -> NDArray[np.int64]:
    """No shuffling."""
    return np.arange(n)


@dataclass(frozen=True)
class Rows:
    """Some rows of one file."""

    shard: Shard
    numbers: NDArray[np.int64]
    """Indices of rows of the file; [n]."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each; [n]."""
        return self.shard.offsets[self.numbers + 1] - self.shard.offsets[self.numbers]


class Sequence(NamedTuple):
    """Rows that are trained on as one sequence, and the fill behind them."""

    task: str
    shards: list[Shard]
    """The files of the rows; the padding is not among them."""
    pieces: NDArray[np.int64]
    """Index of the shard (-1 the fill), its file, row of the file, first token, length; lengths sum up to the capacity;
    [n, 5]."""


@dataclass
class StreamPosition:
    """Position of a stream: its window begins at a row of a file of an epoch; some of its sequences are given."""

    epoch: int = 0
    file: int = 0
    row: int = 0
    n_given: int = 0


class Deal:
    """The files of a task in the order of each epoch, dealt to the lanes in turn."""

    def __init__(self, task: str, shards: Shards, order: Order, n_lanes: int) -> None:
        """The files of a task, their order, and the number of lanes that share them."""
        self.task, self.shards, self.order, self._n_lanes = task, shards, order, n_lanes
        self._epoch = lru_cache(4)(lambda epoch: order(len(shards), "files", epoch))  # lanes are about as far

    def number(self, lane: int, epoch: int, index: int) -> int | None:
        """The index-th file of a lane in an epoch; None behind its last."""
        place = (lane + epoch) % self._n_lanes + index * self._n_lanes  # in turn, lanes get a file more than others
        return int(self._epoch(epoch)[place]) if place < len(self.shards) else None


def _shorter(task: str, capacity: int) -> str:
    """Advice about rows that are too long."""
    if task in ("asr", "tts"):
        return "raise max_tokens (their limit is the recipe's flatten.max_alignment_tokens)"
    return f"raise max_tokens, or make shorter rows: datagen flatten OUT --max-tokens {capacity} --out DIR"


class Stream:
    """Packed sequences of one task from one lane's files."""

    def __init__(self, deal: Deal, lane: int, capacity: int, n_epochs: int | None, place: StreamPosition) -> None:
        """Begin at a place.

        Args:
            deal: The files of the task.
            lane: Which of the lanes.
            capacity: Tokens a sequence.
            n_epochs: After how many to end; None for never.
            place: Where to begin or resume.

        Raises:
            FeedError: If the place lies behind the last epoch.
        """
        if n_epochs is not None and place.epoch > n_epochs:
            raise FeedError(
                f"this state cannot be resumed: its lane {lane} is in epoch {place.epoch} of {n_epochs}; "
                "load the state of a checkpoint unchanged"
            )
        self._deal, self._lane, self._capacity, self._n_epochs = deal, lane, capacity, n_epochs
        self._at = place
        self._next: StreamPosition | None = None
        self._window: list[Sequence] = []
        self._open: tuple[int, Rows] | None = None

    def place(self) -> dict[str, int]:
        """Position of the stream, to resume from."""
        return asdict(self._at)

    def take(self) -> Sequence | None:
        """The next sequence; None at the end of the last epoch."""
        if self._next is None:
            self._fill()
        if self._next and self._at.n_given == len(self._window):
            self._at = self._next
            self._fill()
        if not self._window:
            return None
        if self._at.n_given >= len(self._window):
            raise FeedError(
                f"this state cannot be resumed: its lane {self._lane} has given {self._at.n_given} sequences of "
                f"{self._deal.task}, but only {len(self._window)} begin there; load the state of a checkpoint unchanged"
            )
        self._at.n_given += 1
        return self._window[self._at.n_given - 1]

    def _fill(self) -> None:
        """Pack the window that begins here; an empty one if nothing is left."""
        at = self._at
        if self._deal.number(self._lane, at.epoch, at.file) is None:
            at.epoch, at.file, at.row = at.epoch + 1, 0, 0
        parts, left, file, row = list[Rows](), _WINDOW * self._capacity, at.file, at.row
        while left > 0 and at.epoch != self._n_epochs:
            number = self._deal.number(self._lane, at.epoch, file)
            if number is None:
                break
            self._expect(at.epoch, file)
            if row >= (n_rows := self._deal.shards.n_rows(number)):
                raise FeedError(
                    f"this state cannot be resumed: {self._deal.shards.key(number)} has {n_rows} rows, "
                    f"and no row {row} to begin at; load the state of a checkpoint unchanged"
                )
            rows = self._rows(number, at.epoch)
            reach = np.cumsum(rows.lengths[row:])
            n = int(np.searchsorted(reach, left)) + 1
            parts.append(Rows(rows.shard, rows.numbers[row : row + n]))
            left -= int(reach[min(n, len(reach)) - 1])
            file, row = (file, row + n) if row + n < len(rows.numbers) else (file + 1, 0)
        self._window = self._packed(parts) if parts else []
        self._next = StreamPosition(at.epoch, file, row)
        self._expect(at.epoch, file - (not row))

    def _expect(self, epoch: int, file: int) -> None:
        """Begin to read the files after one."""
        if epoch == self._n_epochs:
            return
        for index in range(file + 1, file + 1 + _AHEAD):
            if (number := self._deal.number(self._lane, epoch, index)) is not None:
                self._deal.shards.expect(number)

    def _packed(self, parts: list[Rows]) -> list[Sequence]:
        lengths = np.concatenate([part.lengths for part in parts])
        rows = np.concatenate([part.numbers for part in parts])
        which = np.repeat(np.arange(len(parts)), [len(part.numbers) for part in parts])
        shards = [part.shard for part in parts]
        files = np.array([shard.number for shard in shards])[which]
        starts = np.concatenate([part.shard.offsets[part.numbers] for part in parts])
        longest = int(lengths.argmax())
        if lengths[longest] > self._capacity:
            raise FeedError(
                f"{self._deal.shards.key(int(files[longest]))}, row {rows[longest]}: "
                f"{lengths[longest]:,} tokens do not fit in sequences of {self._capacity:,}; "
                f"{_shorter(self._deal.task, self._capacity)}"
            )
        order = self._deal.order
        packed = pack(lengths, self._capacity)
        turns = order(len(packed), "window", self._lane, self._at.epoch, self._at.file, self._at.row).tolist()
        fill = len(lengths)
        taken = np.array([row for k in turns for row in (*packed[k], fill)])
        table = np.append(np.stack([which, files, rows, starts, lengths], axis=1), [[-1, -1, -1, 0, 0]], axis=0)[taken]
        ends = np.flatnonzero(taken == fill)
        begins = np.append(0, ends[:-1] + 1)
        n_tokens = np.add.reduceat(table[:, 4], begins)
        table[ends, 4] = self._capacity - n_tokens
        task = self._deal.task
        spans = zip(begins.tolist(), ends.tolist(), strict=True)
        return [Sequence(task, shards, table[begin : end + 1]) for begin, end in spans]

    def _rows(self, number: int, epoch: int) -> Rows:
        """A file's rows in their order; the last file stays open, for a window may end inside it."""
        if self._open is None or (self._open[0], self._open[1].shard.number) != (epoch, number):
            shard = self._deal.shards.read(number)
            self._open = epoch, Rows(shard, self._deal.order(len(shard.offsets) - 1, "rows", epoch, number))
        return self._open[1]
