"""A build of many small files on the fake engines, made once, and what is needed to compare feeds of it."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from datagen.feed import Batch, Feed, Stage
from datagen.shards.tables import from_parquet
from tests.run.builds import made, talks
from tests.shared import shared

TASK = "three_stream"
SHORT = "Sure, they are red."
"""An answer whose rows fit into short sequences."""


@pytest.fixture(scope="session")
def out(tmp_path_factory) -> str:
    """160 dialogues, one a file."""
    tasks = "flatten.tasks=[asr, tts, three_stream]"
    splits = "splits={validation: 0.1, test: 0.1, keep_together: null}"
    changes, records = (tasks, splits, "run.unit_dialogues=1"), talks(160, SHORT)
    return str(shared(tmp_path_factory, "feed", lambda folder: made(folder, *changes, records=records)) / "out")


def stage(n_sequences: int | None = None, batch_size: int = 2, max_tokens: int = 2048, **tasks: float) -> Stage:
    """A stage of full duplex, unless other tasks are given."""
    return Stage("stage", tasks or {TASK: 1}, max_tokens, batch_size, n_sequences)


def identity(feed: Feed, batch: Batch) -> list[list[tuple[str, str, int]]]:
    """Which rows each sequence of a batch holds: task, file, row."""
    found: list[list[tuple[str, str, int]]] = [[] for _ in batch.tasks]
    for sequence, file, row in batch.rows.tolist():
        task = batch.tasks[sequence]
        found[sequence].append((task, feed.key(task, file), row))
    return found


def sequences(feed: Feed, batches: Iterable[Batch]) -> list[list[tuple[str, str, int]]]:
    """The same of many batches, one after the other."""
    return [sequence for batch in batches for sequence in identity(feed, batch)]


def row_of(out: str, key: str, number: int) -> dict[str, object]:
    """A row as it is stored."""
    return from_parquet((Path(out) / key).read_bytes(), key).slice(number, 1).to_pylist()[0]
