"""The files of a task and split of several builds, as if they were of one."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

from datagen.feed.shard_files import Shard, Shards


class JoinedShards(Shards):
    """Files numbered through, in the order of the builds."""

    def __init__(self, parts: Sequence[Shards]) -> None:
        """Join the files of at least one build."""
        self._parts = list(parts)
        self._begins = [0, *accumulate(len(part) for part in parts)]

    def __getstate__(self) -> dict[str, object]:
        return dict(self.__dict__)

    def __len__(self) -> int:
        return self._begins[-1]

    def _part(self, number: int) -> tuple[Shards, int]:
        which = bisect_right(self._begins, number) - 1
        return self._parts[which], number - self._begins[which]

    def release(self) -> None:
        """Drop files that are being read ahead."""
        for part in self._parts:
            part.release()

    def key(self, number: int) -> str:
        """Path or URL of a file, with its build's."""
        part, own = self._part(number)
        return part.address(own)

    def n_rows(self, number: int) -> int:
        """Rows of a file."""
        part, own = self._part(number)
        return part.n_rows(own)

    def expect(self, number: int) -> None:
        """Begin to read and decode a file in a thread, if that was not begun."""
        part, own = self._part(number)
        part.expect(own)

    def read(self, number: int) -> Shard:
        """A file's rows, decoded now or ahead of time; see `Shards.read`."""
        part, own = self._part(number)
        return replace(part.read(own), number=number)
