"""Parquet, Arrow and Hugging Face data sets to raw records, a few rows at a time.

Memory is bounded for Parquet (`parquet_pages`) and for files of Arrow IPC (`arrow_stream`). It is
not for data sets of the hub and of `save_to_disk`, which the library `datasets` reads: the former
are held a row group at a time, the latter are memory-mapped unless they are compressed.
"""

from collections.abc import Iterable, Iterator
from typing import IO, Any

from datagen.errors import SourceError, StoreError
from datagen.sources.arrays import too_large
from datagen.sources.fields import Raw, UnfitError
from datagen.sources.inputs import Content, Source
from datagen.sources.shapes import read_columns, usable

_BATCH_ROWS = 128
"""Rows of a data set at once; small, so that rows of the largest size still fit in memory."""
_SHOWN_NAMES = 20
_FIX = "check that it is complete, and fetch it again"
_BUFFER_BYTES = 1 << 20

Batch = Any
"""A pyarrow RecordBatch or Table; pyarrow ships no types."""


def rows(file: Source, stream: IO[bytes], shape: str, split: str, max_bytes: int) -> Iterator[Raw]:
    """Rows of a table as records with the fields that some shape reads.

    Args:
        file: A Parquet file, saved data set or hub data set.
        stream: The bytes of a Parquet file.
        shape: Shape that its records are to have, or "auto".
        split: Which split of a data set.
        max_bytes: Larger rows are not converted.

    Raises:
        SourceError: If it cannot be read or has no usable column.
    """
    readers = {"saved": _saved, "hub": _hub}
    batches = readers[file.format](file, split) if file.format in readers else _parquet(file.place, stream, shape)
    fix = "check name, revision, split and network" if file.hub else _FIX
    yield from _records(file.place, _guarded(file.place, batches, fix), shape, max_bytes)


def arrow_rows(content: Content, stream: IO[bytes]) -> Iterator[Raw]:
    """Rows of a file of Arrow IPC, likewise.

    Args:
        content: What is read.
        stream: Its bytes, read once.

    Raises:
        SourceError: If it cannot be read or has no usable column.
    """
    from datagen.sources.arrow_stream import batches

    slices = (
        batch.slice(at, _BATCH_ROWS) for batch in batches(stream) for at in range(0, batch.num_rows or 1, _BATCH_ROWS)
    )
    found = _guarded(content.place, slices, _FIX)
    yield from _records(content.place, found, content.shape, content.max_bytes)


def _records(place: str, batches: Iterable[Batch], shape: str, max_bytes: int) -> Iterator[Raw]:
    number = 0
    for batch in batches:
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


def _guarded(place: str, batches: Iterable[Batch], fix: str) -> Iterator[Batch]:
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
    except Exception as error:  # a damaged file or an absent hub can raise nearly anything
        detail = f"{type(error).__name__}: {str(error)[:300]}"
        where = f"after record {n_rows - 1}" if n_rows else "at all"
        raise SourceError(f"{place}: cannot be read {where}: {detail}; {fix}") from error


def _parquet(place: str, stream: IO[bytes], shape: str) -> Iterator[Batch]:
    """Batches of the used columns of a Parquet file; the first is empty and has all columns."""
    import pyarrow.parquet as pq

    from datagen.sources.parquet_pages import Weigher, footer_of

    footer = footer_of(stream, place)
    with pq.ParquetFile(stream, buffer_size=_BUFFER_BYTES, pre_buffer=False) as table:
        yield table.schema_arrow.empty_table()
        columns = read_columns(table.schema_arrow.names, shape)
        weigher = Weigher(stream, footer, table.schema, columns, place)
        for group in range(weigher.n_groups):
            n_rows = weigher.batch_rows(group)
            yield from table.iter_batches(n_rows, row_groups=[group], columns=columns, use_threads=False)


def _saved(file: Source, split: str) -> Iterator[Batch]:
    """Batches of a data set written by `save_to_disk`; it is memory-mapped."""
    import datasets

    found = datasets.load_from_disk(str(file.path))
    if isinstance(found, datasets.DatasetDict):
        if split not in found:
            raise SourceError(f"{file.place}: no split {split!r}; choose one of {', '.join(found)}")
        found = found[split]
    yield from _dataset(found)


def _hub(file: Source, split: str) -> Iterator[Batch]:
    """Batches of a hub data set, streamed."""
    import datasets

    if hub := file.hub:
        options = {"split": split, "revision": hub.revision, "streaming": True}
        yield from _dataset(datasets.load_dataset(hub.repo, hub.config, **options))


def _dataset(found: Any) -> Iterable[Batch]:
    # As Arrow, so that images and audio in other columns are not decoded.
    batches: Iterable[Batch] = found.with_format("arrow").iter(_BATCH_ROWS)
    return batches


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
