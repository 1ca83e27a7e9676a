"""What a perfect model would score on a build, and how late its labels are: the shards' own labels, scored.

After each position that a row labels, the row's own assistant stream says where speech or silence begins. A model that
predicts every token right can be no faster.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.errors import DatagenError
from datagen.evaluate.turns import Mask, Responses, places, swayed
from datagen.records import HARD_NEGATIVES
from datagen.run.manifest import Manifest
from datagen.run.store import Store
from datagen.run.tables import from_parquet
from datagen.vocab import Vocabulary

TASKS = ("three_stream", "two_stream")
_COLUMNS = ["input_ids", "user_turn_ends", "barge_ins", "event_kinds", "event_roles", "event_starts", "event_ends"]
_MAY_START = ("overlapping_start",)
"""Hard negatives that begin as the assistant does, so that it may be silent before."""


@dataclass(frozen=True)
class Layout:
    """How rows of a task are laid out, and which id is silence.

    Where silence is the tokenizer's own codes, a digitally silent pause inside the assistant's speech is silence too.
    """

    n_speech: int
    width: int
    silence_id: int
    frame_ms: float

    @classmethod
    def of(cls, manifest: Manifest, task: str) -> "Layout":
        """As the manifest of a build says."""
        flat, vocabulary = manifest.values["recipe"]["flatten"], Vocabulary.from_dict(manifest.values["vocabulary"])
        n_speech = flat["speech_chunk_tokens"]
        n_text = flat["text_chunk_tokens"] if task == "three_stream" else 0
        silence = manifest.values["silence"]
        silence_id = (
            vocabulary["<|speech_silence|>"]
            if silence["assistant"] == "special"
            else vocabulary.speech_offset + silence["silence_code"]
        )
        return cls(n_speech, 2 * n_speech + n_text, silence_id, 1000 / manifest.values["clock"]["frame_rate_hz"])

    @property
    def chunk_ms(self) -> float:
        """What a model that runs chunk by chunk adds to every response: it has to hear a chunk before it answers."""
        return self.n_speech * self.frame_ms

    def silent(self, input_ids: NDArray[np.int32]) -> Mask:
        """Where the assistant's speech stream of a row is silent, bool [n_chunks x n_speech]."""
        speech = input_ids.reshape(-1, self.width)[:, -self.n_speech :]
        return np.asarray(speech == self.silence_id, np.bool_).reshape(-1)


@dataclass
class Scores:
    """Scores over the rows of one task."""

    layout: Layout
    n_rows: int = 0
    user_turn_ends: Responses = field(init=False)
    barge_ins: Responses = field(init=False)
    hard_negatives: Counter[str] = field(default_factory=Counter)
    n_swayed: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Start at nothing."""
        self.user_turn_ends, self.barge_ins = Responses(self.layout.frame_ms), Responses(self.layout.frame_ms)

    def add(self, row: dict[str, Any]) -> None:
        """Count a row: its ids, positions and events."""
        silent = self.layout.silent(row["input_ids"])
        self.n_rows += 1
        self.user_turn_ends.add(~silent, self._places(row["user_turn_ends"]))
        self.barge_ins.add(silent, self._places(row["barge_ins"]))
        events = list(zip(row["event_kinds"], row["event_roles"], strict=True))
        hard = [k for k, event in enumerate(events) if event in HARD_NEGATIVES]
        kinds = [events[k][0] for k in hard]
        starts, ends = (self._places(row[name])[hard] for name in ("event_starts", "event_ends"))
        found = swayed(silent, starts, ends, [kind in _MAY_START for kind in kinds])
        self.hard_negatives.update(kinds)
        self.n_swayed.update(kind for kind, was in zip(kinds, found, strict=True) if was)

    def _places(self, positions: NDArray[np.int32]) -> NDArray[np.int64]:
        return places(positions, self.layout.n_speech, self.layout.width)

    def table(self) -> dict[str, Any]:
        """All scores, as `datagen timing oracle --json` prints them."""
        return {
            "n_rows": self.n_rows,
            "chunk_ms": self.layout.chunk_ms,
            "assistant_turn_taking": self.user_turn_ends.table(),
            "user_turn_taking": self.barge_ins.table(),
            "hard_negatives": {
                kind: {"n": n, "n_errors": self.n_swayed[kind]} for kind, n in sorted(self.hard_negatives.items())
            },
        }


def oracle(store: Store, manifest: Manifest) -> dict[str, Any]:
    """Score the labels of a build by task and split, a file at a time.

    Raises:
        DatagenError: If the build has no rows of a full-duplex task.
    """
    tasks = [task for task in TASKS if task in manifest.tasks]
    if not tasks:
        raise DatagenError(f"{store.url} has no rows of {' or '.join(TASKS)}; it has {', '.join(manifest.tasks)}")
    found = {}
    for task in tasks:
        scores = Scores(Layout.of(manifest, task))
        for file in manifest.files(task):
            for row in _rows(store, file.key):
                scores.add(row)
        found[task] = scores.table()
    return found


def _rows(store: Store, key: str) -> Iterator[dict[str, Any]]:
    """Rows of a file with their lists of numbers as arrays."""
    table = from_parquet(store.read(key), key, _COLUMNS)
    columns = {name: _lists(table.column(name)) for name in table.column_names}
    for k in range(table.num_rows):
        yield {name: column[k] for name, column in columns.items()}


def _lists(column: Any) -> list[Any]:
    """One array a row, or a list of strings."""
    if str(column.type.value_type) == "string":
        found: list[Any] = column.to_pylist()
        return found
    return [array for chunk in column.chunks for array in np.split(chunk.flatten().to_numpy(), _inner(chunk))]


def _inner(chunk: Any) -> NDArray[np.int64]:
    """Where one list ends and the next begins."""
    offsets = chunk.offsets.to_numpy()
    return np.asarray(offsets[1:-1] - offsets[0], np.int64)
