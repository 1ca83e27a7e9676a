"""Converts tables to Parquet bytes and back; the only place that chooses encodings."""

import contextlib
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader, BytesIO
from mmap import mmap
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from datagen.errors import StoreError
from datagen.shards import seal
from datagen.shards.store import Store

_KEY = "datagen"
_TOKENS = ("input_ids", "user_codes", "assistant_codes")


def to_parquet(table: pa.Table, about: dict[str, Any] | None = None, group_rows: int | None = None) -> bytes:
    """A sealed Parquet file of one table, the same bytes for the same table.

    Args:
        table: The table, of one of the schemas of `datagen.shards.schema`.
        about: Metadata of the file, stored as JSON under the key `datagen`.
        group_rows: Rows per row group, which are read together; by default all.
    """
    with TableFile(table.schema) as file:
        file.add(table, group_rows)
        return bytes(file.end(about).data)


@dataclass(frozen=True)
class Sealed:
    """A complete file."""

    data: memoryview
    """Its bytes, as long as its `TableFile` is open."""
    sha256: str


class TableFile:
    """A sealed Parquet file that is written a row group at a time.

    Before zstd, token ids and codes are split into one stream per byte (BYTE_STREAM_SPLIT). The high
    bytes of ids hardly vary, so a token costs little more than its entropy. There are no
    dictionaries or statistics, because they cost more than they save in files of this size
    (`benchmarks/size.py`).

    Example:
        >>> rows = pa.table({"record": [1, 2]})
        >>> with TableFile(rows.schema) as file:
        ...     file.add(rows)
        ...     file.add(rows)
        ...     sealed = file.end({"unit": 7})
        ...     [group.num_rows for group in groups_of(sealed.data, "f")]
        [2, 2]
    """

    def __init__(self, schema: pa.Schema, *, on_disk: bool = False) -> None:
        """An empty file.

        Args:
            schema: The columns.
            on_disk: If true, the bytes are kept in a temporary file without a name; else in memory.
        """
        self._on_disk = on_disk
        self._file: IO[bytes] = tempfile.TemporaryFile() if on_disk else BytesIO()  # noqa: SIM115  (closed on exit)
        encodings = {_leaf(schema, name): "BYTE_STREAM_SPLIT" for name in _TOKENS if name in schema.names}
        if "loss_mask" in schema.names:
            encodings[_leaf(schema, "loss_mask")] = "RLE"
        self._writer = pq.ParquetWriter(
            self._file,
            schema,
            compression="zstd",
            compression_level=5,
            use_dictionary=False,
            write_statistics=False,
            column_encoding=encodings,
        )

    def __enter__(self) -> "TableFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()
        with contextlib.suppress(BufferError):  # somebody still looks at its bytes, and keeps them
            self._file.close()

    def add(self, table: pa.Table, group_rows: int | None = None) -> None:
        """Write a table as a row group.

        Args:
            table: The table.
            group_rows: Rows per row group, if it shall be several.
        """
        self._writer.write_table(table, row_group_size=group_rows or max(table.num_rows, 1))

    def end(self, about: dict[str, Any] | None = None) -> Sealed:
        """Complete and seal the file.

        Args:
            about: Metadata of the file, stored as JSON under the key `datagen`.
        """
        said = {} if about is None else {_KEY: json.dumps(about, sort_keys=True)}
        # in the footer alone: in the schema it would be stored twice
        self._writer.add_key_value_metadata({**said, seal.KEY: seal.BLANK})
        self._writer.close()
        data = _bytes_of(self._file)
        return Sealed(data, seal.seal_in_place(data))


def _bytes_of(file: IO[bytes]) -> memoryview:
    """The bytes of a file in memory or on disk, which may be changed."""
    if isinstance(file, BytesIO):
        return file.getbuffer()
    file.flush()
    return memoryview(mmap(file.fileno(), 0))


@contextlib.contextmanager
def fetched(store: Store, key: str, sha256: str = "") -> Iterator[memoryview]:
    """The bytes of a file of a store, in a temporary file rather than in memory.

    Args:
        store: The store.
        key: Path of the file.
        sha256: Hash that they must have; empty: any.

    Raises:
        StoreError: If they have another.
    """
    with tempfile.TemporaryFile() as file:
        with store.open(key) as source:
            shutil.copyfileobj(source, file, 1 << 22)
        data = _bytes_of(file) if file.tell() else memoryview(b"")
        _refuse_changed(data, store, key, sha256)
        yield data


def verified(store: Store, key: str, sha256: str) -> bytes:
    """The bytes of a file of a store, which must have a hash.

    Raises:
        StoreError: If they have another.
    """
    data = store.read(key)
    _refuse_changed(data, store, key, sha256)
    return data


def _refuse_changed(data: bytes | memoryview, store: Store, key: str, sha256: str) -> None:
    if sha256 and hashlib.sha256(data).hexdigest() != sha256:
        raise StoreError(f"{store.url}/{key} is damaged: its hash is not the one on record; restore it from a copy")


def groups_of(data: bytes | memoryview, name: str, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """The row groups of a Parquet file, one after another, each with the metadata of the file.

    Args:
        data: Its bytes.
        name: Name of the file for messages.
        columns: Names of the columns; by default all.

    Raises:
        StoreError: If the bytes are damaged; names the file.
    """
    with _named(name), pa.BufferReader(pa.py_buffer(data)) as source:
        file = pq.ParquetFile(source)
        for group in range(file.num_row_groups):
            yield _with_metadata(file, file.read_row_group(group, columns=columns, use_threads=False))


def _leaf(schema: pa.Schema, name: str) -> str:
    """Path of the values of a column of lists or matrices in a Parquet file."""
    is_matrix = pa.types.is_fixed_size_list(schema.field(name).type)
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
        is_hashed: True if the bytes are known to be whole, by the hash of the manifest or by their seal.

    Raises:
        StoreError: If the bytes are damaged; names the file.
    """
    if isinstance(data, bytes) and not is_hashed:
        seal.refuse_broken(data, name)
    # of a stream, pyarrow itself decides what to read
    with _named(name), pa.BufferReader(data) if isinstance(data, bytes) else data.detach() as source:
        file = pq.ParquetFile(source)
        return _with_metadata(file, file.read(columns=columns, use_threads=False))


@contextlib.contextmanager
def _named(name: str) -> Iterator[None]:
    """Turn what pyarrow raises into an error that names the file."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise StoreError(f"{name} is damaged: {str(error).splitlines()[0]}") from error


def _with_metadata(file: pq.ParquetFile, table: pa.Table) -> pa.Table:
    said = (file.metadata.metadata or {}).get(_KEY.encode(), b"{}")
    return table.replace_schema_metadata({**(table.schema.metadata or {}), _KEY: said})


def footer_of(data: bytes | memoryview, name: str) -> pq.FileMetaData:
    """The footer of a Parquet file.

    Raises:
        StoreError: If the bytes are damaged; names the file.
    """
    with _named(name), pa.BufferReader(pa.py_buffer(data)) as source:
        return pq.ParquetFile(source).metadata


def about(table: pa.Table | pq.FileMetaData) -> dict[str, Any]:
    """Metadata of a file, from its table or its footer; empty if there is none."""
    metadata = table.schema.metadata if isinstance(table, pa.Table) else table.metadata
    found: dict[str, Any] = json.loads((metadata or {}).get(_KEY.encode(), b"{}"))
    return found
