"""The data files of a task as a feed reads them: by the manifest, checked against it, as plain arrays."""

import hashlib
import os
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from datagen.errors import FeedError
from datagen.feed.token_cache import TokenCache, Tokens
from datagen.shards.bucket import is_url
from datagen.shards.identity import json_values
from datagen.shards.manifest import Manifest
from datagen.shards.matrix import ABSENT
from datagen.shards.schema import arrays_of, holds_arrays
from datagen.shards.store import open_store
from datagen.shards.tables import about, from_parquet
from datagen.shards.vocab import SPECIALS

IGNORED = -100
"""Label of a token that is not learned, as `torch.nn.CrossEntropyLoss` has it."""


@dataclass(frozen=True)
class Shard(Tokens):
    """The rows of one file, by its number among the files of its task and split."""

    number: int


_N_READERS = 4
_COLUMNS = {"input_ids": pa.int32(), "loss_mask": pa.bool_()}
"""Columns of lists that a feed reads, with the types of their values."""


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
        found = [(f.key, f.n_rows, f.n_tokens, f.sha256) for f in manifest.files(task, split) if f.n_rows]
        if not found:
            raise FeedError(
                f"{manifest.store.url} has no {split} rows of {task}; it has {', '.join(sorted(manifest.tables[task]))}"
            )
        keys, n_rows, n_tokens, hashes = zip(*found, strict=True)
        self._keys = pa.array(keys)  # up to millions: plain strings would be five times as large
        self._n_rows, self._n_tokens = np.array(n_rows, np.int64), np.array(n_tokens, np.int64)
        self._hashes = pa.array(map(bytes.fromhex, hashes), pa.binary())
        self._vocabulary = json_values(manifest.vocabulary)
        self._limits = _limits(manifest, task)
        self._source, self._cache = source, TokenCache(cache, self._vocabulary) if cache else None
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

    def n_rows(self, number: int) -> int:
        """Rows of a file."""
        return int(self._n_rows[number])

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
        sha256: bytes = self._hashes[number].as_py()
        n_rows, n_tokens = int(self._n_rows[number]), int(self._n_tokens[number])
        found = self._cache.get(sha256, n_rows, (n_tokens, *self._limits.shape)) if self._cache else None
        if found is None or self._fault(found, number):
            found = self._decoded(number, sha256)
            if fault := self._fault(found, number):
                raise FeedError(f"{self.address(number)} {fault}; for details run `datagen check {self._source.url}`")
            if self._cache:
                self._cache.put(sha256, found)
        return Shard(found.ids, found.mask, found.offsets, number)

    def _fault(self, found: Tokens, number: int) -> str:
        """A reason not to train on some rows, or nothing."""
        ids, offsets = found.ids, found.offsets
        if len(offsets) != self._n_rows[number] + 1 or len(ids) != self._n_tokens[number]:
            return "does not match the index"
        if ids.shape != (len(ids), *self._limits.shape) or ids.shape != found.mask.shape:
            return "has rows that do not match their tokens"
        if offsets[0] or offsets[-1] != len(ids) or (np.diff(offsets) < 1).any():
            return "has rows that do not match their tokens"
        begins = ABSENT if self._limits.shape else 0
        if int(ids.min()) < begins or (ids.max(axis=0) >= self._limits).any():
            return f"contains ids outside its vocabulary of {' '.join(f'{n:,}' for n in self._limits.reshape(-1))}"
        return ""

    def address(self, number: int) -> str:
        """Path or URL of a file."""
        return f"{self._source.url}/{self.key(number)}"

    def _decoded(self, number: int, sha256: bytes) -> Tokens:
        """The rows of a file from its bytes, which are hashed at every reading."""
        place, data = self.address(number), self._source.read(self.key(number))
        if hashlib.sha256(data).digest() != sha256:
            raise FeedError(f"{place} is not the file in the index; for details run `datagen check {self._source.url}`")
        table = from_parquet(data, place, list(_COLUMNS), is_hashed=True)
        self._check_vocabulary(table, place)
        offsets, ids = _flat(table, "input_ids", place)
        mask_offsets, mask = _flat(table, "loss_mask", place)
        if not np.array_equal(offsets, mask_offsets):
            raise FeedError(
                f"{place} does not match the index: its masks and its rows differ in length; "
                f"for details run `datagen check {self._source.url}`"
            )
        return Tokens(ids, mask, offsets)

    def _check_vocabulary(self, table: pa.Table, place: str) -> None:
        said = table.schema.metadata.get(b"datagen")
        if said == self._said:  # as the file before: to parse it costs a tenth of what it takes to read a small file
            return
        try:
            stored = about(table)["vocabulary"]
        except (ValueError, TypeError, KeyError):
            stored = "not stated"
        if stored != self._vocabulary:
            raise FeedError(
                f"{place} has the vocabulary {stored}, but its build {self._vocabulary}: it is from another build"
            )
        self._said = said


def _limits(manifest: Manifest, task: str) -> NDArray[np.int64]:
    """The id above the highest: a number, or int64 [n_lines] of matrices."""
    vocabulary, sizes = manifest.vocabulary, manifest.vocabulary.sizes[: manifest.row_codebooks]
    text = vocabulary.special_offset + len(SPECIALS)
    return np.array([text, *sizes, *sizes] if task == "parallel" else vocabulary.size, np.int64)


def _flat(table: pa.Table, name: str, place: str) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Offsets and values of a column of lists, without a copy where Arrow allows it; of matrices, [n, n_lines]."""
    column = table.column(name) if name in table.column_names else pa.chunked_array([], pa.null())
    if holds_arrays(column.type) and pa.types.is_fixed_size_list(column.type):
        matrices = arrays_of(column)
        offsets = np.cumsum([0, *(matrix.shape[1] for matrix in matrices)], dtype=np.int64)
        return offsets, np.ascontiguousarray(np.concatenate(matrices, axis=1).T)
    if pa.types.is_list(column.type) and column.type.value_type == _COLUMNS[name]:
        lists = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
        if not lists.null_count and not lists.values.null_count:
            return lists.offsets.to_numpy().astype(np.int64), _plain(lists.values)
    raise FeedError(f"{place} has no column {name} of lists of {_COLUMNS[name]}; build it again with this datagen")


def _plain(values: pa.Array) -> NDArray[Any]:
    """Values without nulls, of bools ten times as fast as Arrow converts them.

    >>> _plain(pa.array([True, False, True, True])[1:]).tolist(), _plain(pa.array([], pa.bool_())).tolist()
    ([False, True, True], [])
    """
    if not pa.types.is_boolean(values.type):
        plain: NDArray[Any] = values.to_numpy()
        return plain
    bits = np.frombuffer(values.buffers()[1] or b"", np.uint8)
    return np.unpackbits(bits, count=values.offset + len(values), bitorder="little")[values.offset :].view(np.bool_)
