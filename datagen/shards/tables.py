"""Converts tables to Parquet bytes and back; the only place that chooses encodings."""

import json
from io import BufferedReader, BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from datagen.errors import StoreError
from datagen.shards import seal

_KEY = "datagen"
_TOKENS = ("input_ids", "user_codes", "assistant_codes")


def to_parquet(table: pa.Table, about: dict[str, Any] | None = None, group_rows: int | None = None) -> bytes:
    """A sealed Parquet file of one table, the same bytes for the same table.

    Before zstd, token ids and codes are split into one stream per byte (BYTE_STREAM_SPLIT). The high
    bytes of ids hardly vary, so a token costs little more than its entropy. There are no
    dictionaries or statistics, because they cost more than they save in files of this size
    (`benchmarks/size.py`).

    Args:
        table: The table, of one of the schemas of `datagen.shards.schema`.
        about: Metadata of the file, stored as JSON under the key `datagen`.
        group_rows: Rows per row group, which are read together; by default all.
    """
    encodings = {_leaf(table, name): "BYTE_STREAM_SPLIT" for name in _TOKENS if name in table.column_names}
    if "loss_mask" in table.column_names:
        encodings[_leaf(table, "loss_mask")] = "RLE"
    file = BytesIO()
    with pq.ParquetWriter(
        file,
        table.schema,
        compression="zstd",
        compression_level=5,
        use_dictionary=False,
        write_statistics=False,
        column_encoding=encodings,
    ) as writer:
        writer.write_table(table, row_group_size=group_rows or max(table.num_rows, 1))
        said = {} if about is None else {_KEY: json.dumps(about, sort_keys=True)}
        # in the footer alone: in the schema it would be stored twice
        writer.add_key_value_metadata({**said, seal.KEY: seal.BLANK})
    return seal.sealed(file.getvalue())


def _leaf(table: pa.Table, name: str) -> str:
    """Path of the values of a column of lists or matrices in a Parquet file."""
    is_matrix = pa.types.is_fixed_size_list(table.schema.field(name).type)
    return f"{name}{'.list.element' * (2 if is_matrix else 1)}"


def from_parquet(
    data: bytes | BufferedReader, name: str, columns: list[str] | None = None, *, is_hashed: bool = False
) -> pa.Table:
    """Read a Parquet file, or only some columns of it (`a.list.element.b` for one within a list of structs).

    Args:
        data: Its bytes, whose seal is checked if they have one, or a stream of which only the
            requested columns are read; it is closed.
        name: Name of the file for messages.
        columns: Names of the columns; by default all.
        is_hashed: True if the hash of the bytes is known to be that of the manifest, which makes the seal superfluous.

    Raises:
        StoreError: If the bytes are damaged; names the file.
    """
    if isinstance(data, bytes) and not is_hashed:
        seal.refuse_broken(data, name)
    try:
        # of a stream, pyarrow itself decides what to read
        with pa.BufferReader(data) if isinstance(data, bytes) else data.detach() as source:
            file = pq.ParquetFile(source)
            table = file.read(columns=columns, use_threads=False)
            said = (file.metadata.metadata or {}).get(_KEY.encode(), b"{}")
        return table.replace_schema_metadata({**(table.schema.metadata or {}), _KEY: said})
    except (pa.ArrowException, OSError) as error:
        raise StoreError(f"{name} is damaged: {str(error).splitlines()[0]}") from error


def about(table: pa.Table) -> dict[str, Any]:
    """Metadata of a file; empty if there is none."""
    found: dict[str, Any] = json.loads((table.schema.metadata or {}).get(_KEY.encode(), b"{}"))
    return found
