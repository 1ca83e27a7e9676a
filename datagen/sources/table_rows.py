"""Parquet files and Hugging Face data sets to raw records, a few rows at a time."""

from collections.abc import Iterable, Iterator
from typing import IO, Any

from datagen.errors import SourceError, StoreError
from datagen.sources.arrays import too_large
from datagen.sources.fields import Raw, UnfitError
from datagen.sources.inputs import Source
from datagen.sources.shapes import read_columns, usable

_BATCH_ROWS = 128
"""Rows of a data set at once; small, so that rows of the largest size still fit in memory."""
_SHOWN_NAMES = 20
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
    number = 0
    for batch in _guarded(file, stream, shape, split):
        names = batch.schema.names
        if number == 0 and not usable(names, shape):
            fix = "rename the columns, or convert to JSON Lines in one of the known shapes"
            wanted = "known shapes" if shape == "auto" else f"the shape {shape}"
            raise SourceError(f"{file.place}: no usable columns for {wanted} among {_shown(names)}; {fix}")
        for value in _values(batch.select(read_columns(names, shape)), max_bytes):
            yield Raw(value, f"record {number}")
            number += 1


def _shown(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return f"{', '.join(names[:_SHOWN_NAMES])}{more}"


def _guarded(file: Source, stream: IO[bytes], shape: str, split: str) -> Iterator[Batch]:
    """Batches of any kind of table; any error of its reader becomes a `SourceError`."""
    readers = {"saved": _saved, "hub": _hub}
    n_rows = 0
    try:
        for batch in readers[file.format](file, split) if file.format in readers else _parquet(file, stream, shape):
            yield batch
            n_rows += batch.num_rows
    except SourceError:
        raise
    except StoreError as error:
        raise SourceError(str(error)) from None
    except Exception as error:  # a damaged file or an absent hub can raise nearly anything
        detail = f"{type(error).__name__}: {str(error)[:300]}"
        where = f"after record {n_rows - 1}" if n_rows else "at all"
        fix = "check name, revision, split and network" if file.hub else "check that it is complete, and fetch it again"
        raise SourceError(f"{file.place}: cannot be read {where}: {detail}; {fix}") from error


def _parquet(file: Source, stream: IO[bytes], shape: str) -> Iterator[Batch]:
    """Batches of the used columns of a Parquet file; the first is empty and has all columns."""
    import pyarrow.parquet as pq

    from datagen.sources.parquet_pages import Weigher, check_footer

    check_footer(stream, file.place)
    with pq.ParquetFile(stream, buffer_size=_BUFFER_BYTES, pre_buffer=False) as table:
        yield table.schema_arrow.empty_table()
        columns = read_columns(table.schema_arrow.names, shape)
        weigher = Weigher(stream, table.metadata, columns, file.place)
        for group in range(table.metadata.num_row_groups):
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
    if _size(batch) <= max_bytes:
        try:
            yield from batch.to_pylist()
            return
        except (ValueError, OverflowError):  # one value that Python cannot hold; find its row
            pass
    for i in range(batch.num_rows):
        row = batch.slice(i, 1)
        if _size(row) > max_bytes:
            yield too_large(max_bytes)
            continue
        try:
            yield row.to_pylist()[0]
        except UnicodeDecodeError as error:
            yield UnfitError(
                "invalid_unicode", f"a text is not UTF-8: {error.object[error.start : error.start + 12]!r}"
            )
        except (ValueError, OverflowError) as error:
            yield UnfitError("bad_value", f"a value cannot be read: {str(error)[:160]}")


def _size(batch: Batch) -> int:
    """Bytes of a batch; at least four per value, because nulls take none in Arrow but do in Python."""
    n_values = sum(_n_values(chunk) for column in batch.columns for chunk in getattr(column, "chunks", [column]))
    return max(int(batch.nbytes), 4 * n_values)


def _n_values(array: Any) -> int:
    """Number of values of an array, those of nested lists and objects included."""
    import pyarrow.types as types

    if types.is_list(array.type) or types.is_large_list(array.type) or types.is_map(array.type):
        return len(array) + _n_values(array.flatten())
    if types.is_struct(array.type):
        return max(len(array), sum(_n_values(array.field(k)) for k in range(array.type.num_fields)))
    return len(array)
