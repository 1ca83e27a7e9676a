"""A table of a build as Arrow record batches."""

from collections.abc import Container, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from datagen.records import Streams
from datagen.shards.manifest import Manifest
from datagen.shards.schema import CONVERSATIONS, NEW, ROWS, table_of
from datagen.shards.store import Store
from datagen.shards.tables import from_parquet

SPLIT = pa.field("split", pa.string(), nullable=False)
"""The column of a task that its files do not store."""
_BATCH_ROWS = 1024


def batches(
    store: Store, manifest: Manifest, table: str, split: str, columns: list[str], keys: Container[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """Columns of a table, one file in memory at a time.

    Args:
        store: The store of the build.
        manifest: Its manifest, which names the files.
        table: `conversations`, `rejects`, or a task.
        split: Only this one; all if empty.
        columns: Columns of the table, in the order of the batches.
        keys: Only files of these names; None: all.
    """
    is_task = table in manifest.tasks
    stored = [name for name in columns if not (is_task and name == "split")]
    if split and not is_task:
        stored = list(dict.fromkeys([*stored, "split"]))
    for file in manifest.files(table, split if is_task else ""):
        if keys is not None and file.key not in keys:
            continue
        found = from_parquet(store.open(file.key), file.key, stored)
        absent = [name for name in stored if name not in found.column_names]
        if is_task:
            for name in (name for name in absent if name in NEW):
                new = ROWS.field(name)
                found = found.append_column(new, pa.array([NEW[name]] * file.n_rows, new.type))
        elif table == "conversations":
            for new in (CONVERSATIONS.field(name) for name in absent if name in CONVERSATIONS.names):
                values = table_of(pa.schema([new]), [Streams("")] * file.n_rows)
                found = found.append_column(new, values.column(0))
        if is_task:
            splits = pa.array([file.split] * file.n_rows, pa.string())
            found = pa.table([*found.columns, splits], pa.schema([*found.schema, SPLIT]))
        elif split:
            found = found.filter(pc.equal(found.column("split"), split))
        yield from found.select(columns).replace_schema_metadata(None).to_batches(_BATCH_ROWS)
