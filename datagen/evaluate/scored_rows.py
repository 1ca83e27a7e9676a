"""Full-duplex rows for scoring: position of the streams, id of silence, events."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.errors import DatagenError
from datagen.shards.given import moved_back, without_given
from datagen.shards.layout import ChunkLayout
from datagen.shards.manifest import Manifest
from datagen.shards.schema import arrays_of
from datagen.shards.store import Store
from datagen.shards.tables import from_parquet

TASKS = ("three_stream", "two_stream")
_POSITIONS = ("user_turn_ends", "barge_ins", "event_starts", "event_ends")
_GIVEN = ("given_starts", "given_lengths")
_ARRAYS = ("input_ids", *_POSITIONS, *_GIVEN)
_PLAIN = ("row_id", "dialogue_id", "language", "start_frames", "event_kinds", "event_roles")

Mask = NDArray[np.bool_]
"""Of the frames of the assistant's speech stream of a row: bool [n_chunks x n_speech]."""
Places = NDArray[np.int64]
"""Indices into that stream."""
Given = tuple[int, NDArray[np.int32]]
"""Number of tokens of chunks before given tokens, and their ids."""


class NothingToScoreError(DatagenError):
    """A build lacks what a measure is about."""


@dataclass(frozen=True)
class Layout:
    """Layout of the rows of a task, and the ids of silence.

    If silence consists of the tokenizer's own codes, a digitally silent pause within the
    assistant's speech counts as silence too.
    """

    chunk: ChunkLayout
    silence_ids: tuple[int, ...]
    """Of a silent frame, by codebook; a frame is silent if its first code is."""
    frame_ms: float

    @classmethod
    def of(cls, manifest: Manifest, task: str) -> "Layout":
        """The layout that the manifest of a build describes."""
        vocabulary, n_codebooks = manifest.vocabulary, manifest.row_codebooks
        chunk = ChunkLayout.of(manifest.recipe["flatten"], n_codebooks, task)
        codes = np.array(manifest.silence.codes[:n_codebooks], np.uint16)
        ids = vocabulary.speech(codes).tolist()
        if manifest.silence.assistant == "special":
            ids = [vocabulary["<|speech_silence|>"]] * n_codebooks
        return cls(chunk, tuple(ids), 1000 / manifest.clock.frame_rate_hz)

    @property
    def n_speech(self) -> int:
        """Frames per chunk."""
        return self.chunk.n_speech

    @property
    def width(self) -> int:
        """Tokens per chunk."""
        return self.chunk.width

    @property
    def chunk_ms(self) -> float:
        """Delay that a model adds to each response if it reads a whole chunk before it answers."""
        return self.n_speech * self.frame_ms

    def silent(self, input_ids: NDArray[np.int32]) -> Mask:
        """True for frames in which the assistant's speech stream of a row is silent."""
        speech = input_ids.reshape(-1, self.width)[:, self.chunk.assistant]
        return np.asarray(speech[:, :: self.chunk.n_codebooks] == self.silence_ids[0], np.bool_).reshape(-1)

    def places(self, positions: NDArray[np.int32]) -> Places:
        """Convert positions in `input_ids` to frames of the assistant's speech stream."""
        return self.chunk.frames(positions)


def full_duplex_tasks(manifest: Manifest) -> list[str]:
    """The full-duplex tasks of a build.

    Raises:
        NothingToScoreError: If there are none.
    """
    tasks = [task for task in TASKS if task in manifest.tasks]
    if not tasks:
        place = manifest.store.url
        raise NothingToScoreError(f"{place} has no rows of {' or '.join(TASKS)}; it has {', '.join(manifest.tasks)}")
    return tasks


def rows(store: Store, manifest: Manifest, task: str, split: str = "") -> Iterator[dict[str, Any]]:
    """Rows of a task, or of one of its splits, with arrays for lists of numbers; one file at a time.

    `input_ids` and positions are those of the chunks alone; `given` has the given tokens, as pairs
    of the number of tokens of chunks before them and their ids.
    """
    for file in manifest.files(task, split):
        table = from_parquet(store.read(file.key), file.key, [*_ARRAYS, *_PLAIN])
        stored = [name for name in _ARRAYS if name in table.column_names]  # before data version 8 nothing was given
        columns: dict[str, list[Any]] = {name: arrays_of(table.column(name)) for name in stored}
        columns |= {name: table.column(name).to_pylist() for name in _PLAIN}
        for k in range(table.num_rows):
            yield _bare({name: column[k] for name, column in columns.items()})


def split_rows(
    manifest: Manifest, task: str = "two_stream", split: str = "test", n_rows: int | None = None
) -> Iterator[dict[str, Any]]:
    """Rows of a split of a full-duplex task, at most `n_rows`.

    Raises:
        DatagenError: If the build has no such rows.
    """
    tasks, url = full_duplex_tasks(manifest), manifest.store.url
    if task not in tasks:
        raise DatagenError(f"{url} has no full-duplex rows of {task!r}; it has {', '.join(tasks)}")
    need_split(manifest, task, split)
    return islice(rows(manifest.store, manifest, task, split), n_rows)


def need_split(manifest: Manifest, task: str, split: str) -> None:
    """Check that a task has rows in a split.

    Raises:
        NothingToScoreError: If not; says which rows there are.
    """
    url, splits = manifest.store.url, manifest.tables.get(task, {})
    if task not in manifest.tables:
        raise NothingToScoreError(
            f"{url} has no rows of {task!r}; it has {', '.join(manifest.tasks)}; build with "
            f"--set 'flatten.tasks=[{', '.join([*manifest.tasks, task])}]'"
        )
    if split not in splits:
        fix = f"score one of these, as with --split {next(iter(splits))}" if splits else "add dialogues"
        raise NothingToScoreError(f"{url} has no {split} rows of {task}; it has {', '.join(splits) or 'none'}; {fix}")


def group_of(row: Mapping[str, Any]) -> str:
    """Id of the dialogue of a row.

    >>> group_of({"row_id": "tea#2#two_stream#0"})
    'tea#2'
    """
    return str(row["row_id"]).rsplit("#", 2)[0]


def with_other_users(found: Sequence[dict[str, Any]], layout: Layout) -> list[dict[str, Any]]:
    """Rows with the user's channel of the next row of another dialogue, repeated if it is shorter.

    A model that listens does worse on them; what it can guess from the assistant's stream alone stays.
    """
    return [_with_user(row, _next_other(found, k), layout) for k, row in enumerate(found)]


def _next_other(found: Sequence[dict[str, Any]], k: int) -> dict[str, Any]:
    after = (found[(k + step) % len(found)] for step in range(1, len(found)))
    return next((row for row in after if group_of(row) != group_of(found[k])), found[k])


def _with_user(row: dict[str, Any], other: dict[str, Any], layout: Layout) -> dict[str, Any]:
    chunks = row["input_ids"].reshape(-1, layout.width).copy()
    users = other["input_ids"].reshape(-1, layout.width)[:, layout.chunk.user]
    chunks[:, layout.chunk.user] = np.resize(users, (len(chunks), users.shape[1]))
    return {**row, "input_ids": chunks.reshape(-1)}


def _bare(row: dict[str, Any]) -> dict[str, Any]:
    none = np.zeros(0, np.int32)
    starts, lengths = (row.pop(name, none) for name in _GIVEN)
    before = starts - np.concatenate([[0], np.cumsum(lengths)[:-1]]) if len(starts) else starts
    given = [(int(at), row["input_ids"][s : s + n]) for at, s, n in zip(before, starts, lengths, strict=True)]
    moved = {name: moved_back(row[name], starts, lengths) for name in _POSITIONS}
    return {**row, **moved, "input_ids": without_given(row["input_ids"], starts, lengths), "given": given}


def interleaved(ids: NDArray[np.int32], given: Sequence[Given]) -> tuple[NDArray[np.int32], Mask]:
    """Ids with given tokens between them, and True where a token is given.

    >>> interleaved(np.array([1, 2], np.int32), [(0, np.array([7], np.int32))])[0].tolist()
    [7, 1, 2]
    """
    where = np.repeat([at for at, _ in given], [len(block) for _, block in given]).astype(np.int64)
    blocks = np.concatenate([ids[:0], *(block for _, block in given)])
    is_given = np.insert(np.zeros(len(ids), np.bool_), where, values=True)
    return np.asarray(np.insert(ids, where, blocks), ids.dtype), np.asarray(is_given, np.bool_)
