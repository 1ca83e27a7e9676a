"""Full-duplex rows for scoring: position of the streams, id of silence, events."""

from collections.abc import Iterator
from dataclasses import dataclass
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
_TEXTS = ("row_id", "event_kinds", "event_roles")

Mask = NDArray[np.bool_]
"""Of the frames of the assistant's speech stream of a row: bool [n_chunks x n_speech]."""
Places = NDArray[np.int64]
"""Indices into that stream."""


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
        DatagenError: If there are none.
    """
    tasks = [task for task in TASKS if task in manifest.tasks]
    if not tasks:
        place = manifest.store.url
        raise DatagenError(f"{place} has no rows of {' or '.join(TASKS)}; it has {', '.join(manifest.tasks)}")
    return tasks


def rows(store: Store, manifest: Manifest, task: str, split: str = "") -> Iterator[dict[str, Any]]:
    """Rows of a task, or of one of its splits, with arrays for lists of numbers; one file at a time.

    `input_ids` and positions are those of the chunks alone; `given` has the given tokens, as pairs
    of the number of tokens of chunks before them and their ids.
    """
    for file in manifest.files(task, split):
        table = from_parquet(store.read(file.key), file.key, [*_ARRAYS, *_TEXTS])
        stored = [name for name in _ARRAYS if name in table.column_names]  # before data version 8 nothing was given
        columns: dict[str, list[Any]] = {name: arrays_of(table.column(name)) for name in stored}
        columns |= {name: table.column(name).to_pylist() for name in _TEXTS}
        for k in range(table.num_rows):
            yield _bare({name: column[k] for name, column in columns.items()})


def _bare(row: dict[str, Any]) -> dict[str, Any]:
    none = np.zeros(0, np.int32)
    starts, lengths = (row.pop(name, none) for name in _GIVEN)
    before = starts - np.concatenate([[0], np.cumsum(lengths)[:-1]]) if len(starts) else starts
    given = [(int(at), row["input_ids"][s : s + n]) for at, s, n in zip(before, starts, lengths, strict=True)]
    moved = {name: moved_back(row[name], starts, lengths) for name in _POSITIONS}
    return {**row, **moved, "input_ids": without_given(row["input_ids"], starts, lengths), "given": given}
