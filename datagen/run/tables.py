"""Tables to Parquet bytes and back: the one place that chooses encodings."""

import json
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from datagen.errors import StoreError

_KEY = b"datagen"
_ROW_LISTS = ("input_ids", "loss_mask")
_CODE_LISTS = ("user_codes", "assistant_codes")


def to_parquet(table: pa.Table, about: dict[str, Any] | None = None) -> bytes:
    """A Parquet file of one table, the same bytes for the same table.

    Token ids and codes go byte by byte into streams of their own (BYTE_STREAM_SPLIT) before zstd: the high
    bytes of ids hardly vary, so a token costs little more than its entropy.

    Args:
        table: The table, of one of the schemas of `datagen.schema`.
        about: What the file says of itself, stored as JSON under the key `datagen`.
    """
    split = [f"{name}.list.element" for name in (*_CODE_LISTS, "input_ids") if name in table.column_names]
    if about is not None:
        metadata = {**(table.schema.metadata or {}), _KEY: json.dumps(about, sort_keys=True).encode()}
        table = table.replace_schema_metadata(metadata)
    leaves = _leaves(table.schema)
    file = BytesIO()
    pq.write_table(
        table,
        file,
        compression="zstd",
        compression_level=3,
        use_dictionary=[leaf for leaf in leaves if leaf not in split and not leaf.startswith(_ROW_LISTS)],
        column_encoding=dict.fromkeys(split, "BYTE_STREAM_SPLIT"),
        write_page_index=False,
        store_schema=True,
    )
    return file.getvalue()


def _leaves(schema: pa.Schema) -> list[str]:
    """Paths of all leaf columns as Parquet names them."""

    def walk(path: str, kind: pa.DataType) -> list[str]:
        if pa.types.is_struct(kind):
            return [leaf for field in kind for leaf in walk(f"{path}.{field.name}", field.type)]
        if pa.types.is_list(kind):
            return walk(f"{path}.list.element", kind.value_type)
        return [path]

    return [leaf for field in schema for leaf in walk(field.name, field.type)]


def from_parquet(data: bytes, name: str, columns: list[str] | None = None) -> pa.Table:
    """Read a Parquet file, or only some columns of it (`a.list.element.b` for one within a list of structs).

    Raises:
        StoreError: If the bytes are damaged; names the file.
    """
    try:
        return pq.ParquetFile(pa.BufferReader(data)).read(columns=columns, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise StoreError(f"{name} is damaged: {str(error).splitlines()[0]}") from error


def about(table: pa.Table) -> dict[str, Any]:
    """What a file says of itself; empty if it says nothing."""
    found: dict[str, Any] = json.loads((table.schema.metadata or {}).get(_KEY, b"{}"))
    return found
