"""Parquet, Arrow and data sets of `save_to_disk` to raw records, a few rows at a time.

Memory is bounded by the limit of a record, see `budget`: for Parquet by `parquet_pages`, for Arrow
IPC, which data sets of `save_to_disk` are made of, by `arrow_stream`.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from datagen.errors import SourceError, StoreError
from datagen.sources.arrays import too_large
from datagen.sources.budget import TooLargeError
from datagen.sources.fields import Raw, UnfitError, quote
from datagen.sources.folders import open_file
from datagen.sources.inputs import Content
from datagen.sources.json_text import parse
from datagen.sources.shapes import read_columns, usable

_BATCH_ROWS = 128
"""Rows of a data set at once; small, so that rows of the largest size still fit in memory."""
_SHOWN_NAMES = 20
_FIX = "check that it is complete, and fetch it again"
_BUFFER_BYTES = 1 << 20
_MOST_STATE_BYTES = 8 << 20

Batch = Any
"""A pyarrow RecordBatch or Table; pyarrow ships no types."""


def parquet_rows(content: Content, stream: IO[bytes]) -> Iterator[Raw]:
    """Rows of a Parquet file as records with the fields that some shape reads.

    Args:
        content: What is read.
        stream: Its bytes; seekable.

    Raises:
        SourceError: If it cannot be read or has no usable column.
    """
    yield from _records(content, _parquet(content, stream))


def arrow_rows(content: Content, stream: IO[bytes]) -> Iterator[Raw]:
    """Rows of a file of Arrow IPC, likewise; its bytes are read once."""
    yield from _records(content, _arrow(stream, content.max_bytes))


def saved_rows(content: Content, folder: Path, split: str) -> Iterator[Raw]:
    """Rows of a data set written by `save_to_disk`, likewise.

    Args:
        content: What is read.
        folder: The data set.
        split: Its split, if it has several.

    Raises:
        SourceError: If it cannot be read, has no such split or no usable column.
    """
    yield from _records(content, _saved(content, folder, split))


def _records(content: Content, batches: Iterable[Batch]) -> Iterator[Raw]:
    place, shape, max_bytes = content.place, content.shape, content.max_bytes
    number = 0
    for batch in _guarded(place, batches):
        names = batch.schema.names
        if number == 0 and not usable(names, shape):
            fix = "rename the columns, or convert to JSON Lines in one of the known shapes"
            wanted = "known shapes" if shape == "auto" else f"the shape {shape}"
            raise SourceError(f"{place}: no usable columns for {wanted} among {_shown(names)}; {fix}")
        for value in _values(batch.select(read_columns(names, shape)), max_bytes):
            yield Raw(value, f"record {number}")
            number += 1


def _shown(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return f"{', '.join(names[:_SHOWN_NAMES])}{more}"


def _guarded(place: str, batches: Iterable[Batch]) -> Iterator[Batch]:
    """Batches of any kind of table; any error of its reader becomes a `SourceError`."""
    n_rows = 0
    try:
        for batch in batches:
            yield batch
            n_rows += batch.num_rows
    except SourceError:
        raise
    except StoreError as error:
        raise SourceError(str(error)) from None
    except Exception as error:  # a damaged file can raise nearly anything
        where = f"after record {n_rows - 1}" if n_rows else "at all"
        wrong = f"{type(error).__name__}: {str(error)[:300]}; {_FIX}"
        if isinstance(error, TooLargeError):
            wrong = str(error)
        raise SourceError(f"{place}: cannot be read {where}: {wrong}") from error


def _parquet(content: Content, stream: IO[bytes]) -> Iterator[Batch]:
    """Batches of the used columns of a Parquet file; the first is empty and has all columns."""
    import pyarrow.parquet as pq

    from datagen.sources.parquet_pages import Weigher, footer_of

    footer = footer_of(stream, content.place)
    with pq.ParquetFile(stream, buffer_size=_BUFFER_BYTES, pre_buffer=False) as table:
        yield table.schema_arrow.empty_table()
        columns = read_columns(table.schema_arrow.names, content.shape)
        weigher = Weigher(stream, footer, table.schema, columns, content.place, content.max_bytes)
        for group in range(weigher.n_groups):
            n_rows = weigher.batch_rows(group)
            yield from table.iter_batches(n_rows, row_groups=[group], columns=columns, use_threads=False)


def _arrow(stream: IO[bytes], max_bytes: int) -> Iterator[Batch]:
    from datagen.sources.arrow_stream import batches

    for batch in batches(stream, max_bytes):
        for at in range(0, batch.num_rows or 1, _BATCH_ROWS):
            yield batch.slice(at, _BATCH_ROWS)


def _saved(content: Content, folder: Path, split: str) -> Iterator[Batch]:
    """Batches of the files of a data set, which its state lists."""
    if (folder / "dataset_dict.json").exists():
        splits = _listed(content, folder / "dataset_dict.json", "splits")
        if split not in splits:
            raise SourceError(f"{content.place}: no split {split!r}; choose one of {', '.join(map(str, splits))}")
        folder = folder / split
    if _listed(content, folder / "state.json", "_indices_data_files"):
        raise SourceError(f"{content.place}: is a selection of rows; save it again after flatten_indices()")
    for each in _listed(content, folder / "state.json", "_data_files"):
        name = each.get("filename") if isinstance(each, dict) else None
        if not isinstance(name, str) or Path(name).name != name:
            raise SourceError(f"{content.place}: state.json names no file of its folder: {quote(str(name))}; {_FIX}")
        with open_file(folder / name) as stream:
            yield from _arrow(stream, content.max_bytes)


def _listed(content: Content, path: Path, key: str) -> list[object]:
    """A list in a file that describes a data set; empty if it is absent."""
    with open_file(path) as stream:
        value = parse(stream.read(_MOST_STATE_BYTES))
    found = value.get(key) if isinstance(value, dict) else value
    if found is not None and not isinstance(found, list):
        raise SourceError(f"{content.place}: {path.name} cannot be understood; {_FIX}")
    return found or []


def _values(batch: Batch, max_bytes: int) -> Iterator[object]:
    """The rows of a batch as JSON values, or as `UnfitError`."""
    from datagen.sources.arrow_values import weight_of

    def size(rows: Batch) -> int:
        return sum(weight_of(chunk) for column in rows.columns for chunk in getattr(column, "chunks", [column]))

    try:
        if size(batch) <= max_bytes:
            yield from _plain_rows(batch)
            return
    except UnfitError as unfit:
        yield from [unfit] * batch.num_rows
        return
    except (ValueError, OverflowError):  # one value that Python cannot hold; find its row
        pass
    for i in range(batch.num_rows):
        row = batch.slice(i, 1)
        if size(row) > max_bytes:
            yield too_large(max_bytes)
            continue
        try:
            yield _plain_rows(row)[0]
        except UnicodeDecodeError as error:
            yield UnfitError(
                "invalid_unicode", f"a text is not UTF-8: {error.object[error.start : error.start + 12]!r}"
            )
        except (ValueError, OverflowError) as error:
            yield UnfitError("bad_value", f"a value cannot be read: {str(error)[:160]}")


def _plain_rows(batch: Batch) -> list[dict[str, object]]:
    """The rows of a batch as JSON values."""
    from datagen.sources.arrow_values import is_plain, plain, turned

    rows: list[dict[str, object]] = batch.to_pylist()
    for field in batch.schema:
        if not is_plain(field.type):
            for row in rows:
                row[field.name] = plain(row[field.name])
        if str(field.type).startswith("struct"):
            for row in rows:
                row[field.name] = turned(row[field.name])
    return rows
