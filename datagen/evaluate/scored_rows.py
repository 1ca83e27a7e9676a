"""Full-duplex rows for scoring: position of the streams, id of silence, events."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.errors import DatagenError
from datagen.shards.manifest import Manifest
from datagen.shards.schema import arrays_of
from datagen.shards.store import Store
from datagen.shards.tables import from_parquet

TASKS = ("three_stream", "two_stream")
_ARRAYS = ("input_ids", "user_turn_ends", "barge_ins", "event_starts", "event_ends")
_TEXTS = ("row_id", "event_kinds", "event_roles")

Mask = NDArray[np.bool_]
"""Of the assistant's speech stream of a row: bool [n_chunks x n_speech]."""
Places = NDArray[np.int64]
"""Indices into that stream."""


@dataclass(frozen=True)
class Layout:
    """Layout of the rows of a task, and the id of silence.

    If silence consists of the tokenizer's own codes, a digitally silent pause within the
    assistant's speech counts as silence too.
    """

    n_speech: int
    width: int
    silence_id: int
    frame_ms: float

    @classmethod
    def of(cls, manifest: Manifest, task: str) -> "Layout":
        """The layout that the manifest of a build describes."""
        flat, vocabulary = manifest.recipe["flatten"], manifest.vocabulary
        n_speech = flat["speech_chunk_tokens"]
        n_text = flat["text_chunk_tokens"] if task == "three_stream" else 0
        silence_id = (
            vocabulary["<|speech_silence|>"]
            if manifest.silence.assistant == "special"
            else vocabulary.speech_offset + manifest.silence.silence_code
        )
        return cls(n_speech, 2 * n_speech + n_text, silence_id, 1000 / manifest.clock.frame_rate_hz)

    @property
    def chunk_ms(self) -> float:
        """Delay that a model adds to each response if it reads a whole chunk before it answers."""
        return self.n_speech * self.frame_ms

    def silent(self, input_ids: NDArray[np.int32]) -> Mask:
        """True where the assistant's speech stream of a row is silent."""
        speech = input_ids.reshape(-1, self.width)[:, -self.n_speech :]
        return np.asarray(speech == self.silence_id, np.bool_).reshape(-1)

    def places(self, positions: NDArray[np.int32]) -> Places:
        """Convert positions in `input_ids` to places in the assistant's speech stream."""
        return places(positions, self.n_speech, self.width)


def places(positions: NDArray[np.integer[Any]], n_speech: int, width: int) -> Places:
    """Convert positions in `input_ids` of a row to places in its assistant speech stream.

    Args:
        positions: Positions of assistant speech tokens, or the length of the row; int [n].
        n_speech: Assistant speech tokens per chunk; they come last in it.
        width: Tokens per chunk.

    >>> places(np.array([12, 21, 34, 44]), 10, 22).tolist()
    [0, 9, 10, 20]
    """
    chunk, slot = np.divmod(np.asarray(positions, np.int64), width)
    return np.asarray(chunk * n_speech + np.maximum(slot - (width - n_speech), 0), np.int64)


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
    """Rows of a task, or of one of its splits, with arrays for lists of numbers; one file at a time."""
    for file in manifest.files(task, split):
        table = from_parquet(store.read(file.key), file.key, [*_ARRAYS, *_TEXTS])
        columns: dict[str, list[Any]] = {name: arrays_of(table.column(name)) for name in _ARRAYS}
        columns |= {name: table.column(name).to_pylist() for name in _TEXTS}
        for k in range(table.num_rows):
            yield {name: column[k] for name, column in columns.items()}
