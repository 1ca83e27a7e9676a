"""The data files of a task as a feed reads them: by the manifest, checked against it, as plain arrays."""

import contextlib
import hashlib
import os
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from datagen.errors import FeedError
from datagen.shards.bucket import is_url
from datagen.shards.identity import json_values
from datagen.shards.manifest import Manifest
from datagen.shards.store import open_store
from datagen.shards.tables import about, from_parquet

IGNORED = -100
"""Label of a token that is not learned, as `torch.nn.CrossEntropyLoss` has it."""


@dataclass(frozen=True)
class Shard:
    """The rows of one file."""

    number: int
    """Index among the files of its task and split."""
    ids: NDArray[np.int32]
    """Tokens of all rows, one row after the other; [n_tokens]."""
    mask: NDArray[np.bool_]
    """True for tokens that are learned; [n_tokens]."""
    offsets: NDArray[np.int64]
    """Begin of each row, and end of the last; [n_rows + 1]."""


_N_READERS = 4


class ShardSource:
    """The output that files are read from, in threads. Each process opens its own store."""

    def __init__(self, url: str) -> None:
        """A source for an output, by directory or URL."""
        self.url = url
        self._open()

    def _open(self) -> None:
        self._process, self._store, self._threads = os.getpid(), open_store(self.url), ThreadPoolExecutor(_N_READERS)

    def __getstate__(self) -> dict[str, Any]:
        return {"url": self.url}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.url = state["url"]
        self._open()

    def read(self, key: str) -> bytes:
        """The content of a file.

        Raises:
            StoreError: If it is not there or cannot be read.
        """
        return self._store.read(key)

    def threads(self) -> ThreadPoolExecutor:
        """Threads of this process.

        Raises:
            FeedError: If this process was forked from one that had opened an object store.
        """
        if self._process != os.getpid():
            if is_url(self.url):
                raise FeedError(
                    "a client of an object store does not survive a fork: "
                    'use multiprocessing_context="spawn" or num_workers=0 in the DataLoader'
                )
            self._open()
        return self._threads


class Shards:
    """The files of one task and split, by number."""

    def __init__(
        self, manifest: Manifest, task: str, split: str, source: ShardSource, cache: str | None = None
    ) -> None:
        """Read the names of the files from the index.

        Raises:
            FeedError: If the build has no such rows.
        """
        if task not in manifest.tasks:
            raise FeedError(f"{manifest.store.url} has no rows of task {task!r}; it has {', '.join(manifest.tasks)}")
        found = [(f.key, f.n_rows, bytes.fromhex(f.sha256)) for f in manifest.files(task, split) if f.n_rows]
        if not found:
            raise FeedError(
                f"{manifest.store.url} has no {split} rows of {task}; it has {', '.join(sorted(manifest.tables[task]))}"
            )
        self._keys = pa.array([key for key, *_ in found])  # up to millions: plain strings would be five times as large
        self._n_rows = np.array([n for _, n, _ in found], np.int64)
        self._hashes = pa.array([sha256 for *_, sha256 in found])
        self._is_checked = np.zeros(len(found), np.bool_)
        self._vocabulary, self._n_ids = json_values(manifest.vocabulary), manifest.vocabulary.size
        self._source, self._cache = source, cache
        self._said = b""
        self._coming: dict[tuple[int, int], Future[Shard]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_coming": {}}

    def release(self) -> None:
        """Drop files that are being read ahead."""
        self._coming = {}

    def __len__(self) -> int:
        return len(self._n_rows)

    def key(self, number: int) -> str:
        """Path of a file below the output."""
        found: str = self._keys[number].as_py()
        return found

    def expect(self, number: int) -> None:
        """Begin to read and decode a file in a thread, if that was not begun."""
        threads = self._source.threads()
        place = os.getpid(), number  # what was begun before a fork never ends after it
        if place not in self._coming:
            self._coming[place] = threads.submit(self._read, number)

    def read(self, number: int) -> Shard:
        """A file's rows, decoded now or ahead of time.

        Raises:
            FeedError: If its tokens are of another vocabulary than the build's, or it is not what the index says.
            StoreError: If it is missing or damaged.
        """
        self.expect(number)
        return self._coming.pop((os.getpid(), number)).result()

    def _read(self, number: int) -> Shard:
        place = self._place(number)
        table = self._kept(number, Path(self._cache)) if self._cache else self._decoded(number)
        self._check_vocabulary(table, place)
        offsets, ids = _flat(table.column("input_ids"))
        _, mask = _flat(table.column("loss_mask"))
        if len(offsets) != self._n_rows[number] + 1 or len(ids) != len(mask):
            raise FeedError(f"{place} does not match the index; for details run `datagen check {self._source.url}`")
        if int(ids.view(np.uint32).max()) >= self._n_ids:  # as unsigned, negative ids are large
            raise FeedError(f"{place} contains ids outside its vocabulary of {self._n_ids:,}")
        return Shard(number, ids, mask, offsets)

    def _place(self, number: int) -> str:
        """A file's name for messages."""
        return f"{self._source.url}/{self.key(number)}"

    def _decoded(self, number: int) -> pa.Table:
        place, data = self._place(number), self._source.read(self.key(number))
        if not self._is_checked[number]:  # once in a process
            if hashlib.sha256(data).digest() != self._hashes[number].as_py():
                raise FeedError(
                    f"{place} is not the file in the index; for details run `datagen check {self._source.url}`"
                )
            self._is_checked[number] = True
        return from_parquet(data, place, ["input_ids", "loss_mask"])

    def _kept(self, number: int, cache: Path) -> pa.Table:
        """A decoded file out of the cache, mapped into memory; it is put there if it is not."""
        file = cache / f"{self._hashes[number].as_py().hex()}.arrow"
        with contextlib.suppress(FileNotFoundError, pa.ArrowInvalid):
            return pa.ipc.open_file(pa.memory_map(str(file))).read_all()
        table = self._decoded(number).combine_chunks()
        file.parent.mkdir(parents=True, exist_ok=True)
        scratch = file.with_name(f".{uuid4().hex}")
        with pa.ipc.new_file(str(scratch), table.schema) as writer:
            writer.write_table(table)
        scratch.replace(file)
        return table

    def _check_vocabulary(self, table: pa.Table, place: str) -> None:
        said = table.schema.metadata.get(b"datagen")
        if said == self._said:  # as the file before: to parse it costs a tenth of what it takes to read a small file
            return
        if (stored := about(table).get("vocabulary")) != self._vocabulary:
            raise FeedError(
                f"{place} has the vocabulary {stored}, but its build {self._vocabulary}: it is from another build"
            )
        self._said = said


def _flat(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Offsets and values of a column of lists, without a copy where Arrow allows it."""
    lists = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    return lists.offsets.to_numpy().astype(np.int64), lists.values.to_numpy(zero_copy_only=False)
