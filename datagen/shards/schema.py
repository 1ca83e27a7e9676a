"""Arrow schemas of all tables, derived from records; records to tables and back.

Units are in the metadata of each field. `docs/format.md` explains every column.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import is_dataclass
from functools import lru_cache
from itertools import accumulate, chain, pairwise
from operator import attrgetter
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from datagen.errors import StoreError
from datagen.records import Dialogue, Grouped, InputRecord, Reject, Row, StoredTake, Streams, unit
from datagen.shards.matrix import n_lines
from datagen.shards.unit import File

T = TypeVar("T")
_TYPES = {str: pa.string(), float: pa.float64(), bool: pa.bool_(), bytes: pa.binary()}


def fields_of(record: type) -> list[pa.Field]:
    """The Arrow field of each field of a record, in order.

    >>> fields_of(Grouped)[0]
    pyarrow.Field<record: int64 not null>
    """
    return [_field(name, hint) for name, hint in get_type_hints(record, include_extras=True).items()]


def _field(name: str, hint: Any) -> pa.Field:
    nullable = type(None) in get_args(hint)
    if nullable:
        hint = get_args(hint)[0]
    extra: dict[str, Any] = {}
    if get_origin(hint) is Annotated:
        hint, meta = get_args(hint)
        extra = meta.extra or {}
    metadata = {"unit": extra["unit"]} if extra else None
    return pa.field(name, _type(hint, extra.get("bits", 32)), nullable=nullable, metadata=metadata)


def _type(hint: Any, bits: int = 32) -> pa.DataType:
    origin = get_origin(hint)
    if hint is int:
        return pa.int64() if bits == 64 else pa.int32()
    if origin is Literal:
        return pa.string()
    if origin is np.ndarray:
        return pa.list_(pa.from_numpy_dtype(_dtype(hint)))
    if origin is tuple:
        return pa.list_(_type(get_args(hint)[0]))
    return _TYPES[hint] if hint in _TYPES else pa.struct(fields_of(hint))


@lru_cache
def _dtype(hint: Any) -> np.dtype[Any]:
    """The dtype of a type such as `NDArray[np.int32]`."""
    dtype: np.dtype[Any] = np.dtype(get_args(get_args(hint)[1])[0])
    return dtype


def _rows_schema() -> pa.Schema:
    fields = {field.name: field for field in fields_of(Row) if field.name not in ("task", "split")}
    place = [*fields].index("loss_mask") + 1
    return pa.schema([*fields.values()]).insert(place, _field("n_tokens", Annotated[int, unit("tokens")]))


def matrix_rows(n_lines: int) -> pa.Schema:
    """Schema of rows of `parallel`: ROWS, but each row is a matrix of that many streams, [n_lines, n_tokens]."""
    fields = (
        field.with_type(pa.list_(field.type, n_lines)) if field.name in ("input_ids", "loss_mask") else field
        for field in ROWS
    )
    return pa.schema([*fields])


def rows_schema(task: str, n_codebooks: int) -> pa.Schema:
    """Schema of the rows of a task, with that many codes per frame.

    >>> rows_schema("parallel", 8).field("input_ids").type.list_size, rows_schema("asr", 8) == ROWS
    (17, True)
    """
    return matrix_rows(n_lines(n_codebooks)) if task == "parallel" else ROWS


CONVERSATIONS = pa.schema(fields_of(Streams))
ROWS = _rows_schema()
REJECTS = pa.schema(fields_of(Reject))
TAKES = pa.schema(fields_of(StoredTake))
INPUT = pa.schema(fields_of(InputRecord))
GROUPS = pa.schema(fields_of(Grouped))
"""Schema of groups: the records of planned input that have near-duplicates, in order."""
FILES = pa.schema(fields_of(File))
SCHEMAS = {
    "conversations": CONVERSATIONS,
    "rows": ROWS,
    "parallel_rows": matrix_rows(n_lines(8)),
    "rejects": REJECTS,
    "input": INPUT,
    "groups": GROUPS,
    "files": FILES,
    "takes": TAKES,
}
NEW: dict[str, Any] = {"n_dropped_text_tokens": 0, "given_starts": (), "given_lengths": ()}
"""Columns of rows that tables of older data versions lack, and their default values."""
HEAVY = ("audio_flac",)
"""Columns of conversations that no training format needs."""


def table_of(schema: pa.Schema, records: Sequence[Any]) -> pa.Table:
    """One row per record, with the fields that a schema names."""
    return pa.Table.from_arrays(_columns(schema, records), schema=schema)


def _columns(fields: Iterable[pa.Field], records: Sequence[Any]) -> list[pa.Array]:
    return [_column([*map(attrgetter(field.name), records)], field.type) for field in fields]


def _column(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Values of one field as Arrow, without converting numbers of arrays one by one."""
    if pa.types.is_list(kind):
        offsets = pa.array([*accumulate(map(len, values), initial=0)], pa.int32())
        return pa.ListArray.from_arrays(offsets, _column(_joined(values), kind.value_type), type=kind)
    if pa.types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(_column([*chain.from_iterable(values)], kind.value_type), type=kind)
    if not pa.types.is_struct(kind):
        return pa.array(values, kind)
    absent = [value is None for value in values]
    if True not in absent:
        return pa.StructArray.from_arrays(_columns(kind, values), fields=[*kind])
    if False not in absent:
        return pa.array(values, kind)
    masked = values[absent.index(False)]  # stands below a null, where nobody reads it
    columns = _columns(kind, [masked if value is None else value for value in values])
    return pa.StructArray.from_arrays(columns, fields=[*kind], mask=pa.array(absent))


def _joined(values: Sequence[Any]) -> Any:
    is_arrays = len(values) > 0 and isinstance(values[0], np.ndarray)
    return np.concatenate(values) if is_arrays else [*chain.from_iterable(values)]


def decode(record: type[T], table: pa.Table, **given: Any) -> list[T]:
    """The records of a table.

    A field without a column has its default; a column without a field is ignored.

    Args:
        record: Type of the records.
        table: One row per record.
        given: Values of fields without columns, for all records.

    Raises:
        StoreError: If the table does not contain such records.
    """
    columns: dict[str, Iterable[Any]] = {name: [value] * table.num_rows for name, value in given.items()}
    columns.update((name, _values(table.column(name))) for name in table.column_names)
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    try:
        return msgspec.convert(rows, list[record], dec_hook=_array)  # type: ignore[valid-type]
    except msgspec.ValidationError as error:
        raise StoreError(f"a table of {record.__name__} is damaged or of an unknown version: {error}") from error


def _values(column: pa.ChunkedArray) -> list[Any]:
    values: list[Any] = arrays_of(column) if holds_arrays(column.type) else column.to_pylist()
    return values


def holds_arrays(kind: pa.DataType) -> bool:
    """True for a column of lists or matrices of numbers.

    >>> holds_arrays(ROWS.field("input_ids").type), holds_arrays(ROWS.field("event_kinds").type)
    (True, False)
    """
    if pa.types.is_fixed_size_list(kind):
        kind = kind.value_type
    return bool(pa.types.is_list(kind) and pa.types.is_primitive(kind.value_type))


def _array(hint: Any, value: Any) -> NDArray[Any]:
    return np.asarray(value, _dtype(hint))


def arrays_of(column: pa.ChunkedArray) -> list[NDArray[Any]]:
    """The numpy array of each list in a column of lists of numbers; [n_lines, n] of a column of matrices.

    Raises:
        StoreError: If the lines of a matrix differ in length.
    """
    found: list[NDArray[Any]] = []
    for chunk in column.chunks:
        if pa.types.is_fixed_size_list(chunk.type):
            found.extend(_matrices(chunk))
            continue
        offsets, values = chunk.offsets.to_numpy(), chunk.values.to_numpy(zero_copy_only=False)
        found.extend(values[begin:end] for begin, end in pairwise(offsets.tolist()))
    return found


def _matrices(chunk: pa.FixedSizeListArray) -> Iterator[NDArray[Any]]:
    """The matrix of each row: lists of equal length, as many as the type says."""
    n, lists = chunk.type.list_size, chunk.flatten()
    offsets, values = lists.offsets.to_numpy(), lists.values.to_numpy(zero_copy_only=False)
    lengths = np.diff(offsets).reshape(-1, n)
    if (lengths != lengths[:, :1]).any():
        raise StoreError("a matrix has lines of different lengths")
    for begin, end in pairwise(offsets[::n].tolist()):
        yield values[begin:end].reshape(n, -1)


def plain(record: Any, skipped: tuple[str, ...] = ()) -> dict[str, Any]:
    """Fields of a record by name, including those of records within it.

    >>> plain(Grouped(3, "tea"), skipped=("record",))
    {'group': 'tea'}
    """
    return {name: _plain(getattr(record, name)) for name in record.__dataclass_fields__ if name not in skipped}


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return plain(value)
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def conversations_table(streams: Sequence[Streams]) -> pa.Table:
    """One row per conversation, of schema CONVERSATIONS."""
    return table_of(CONVERSATIONS, streams)


def streams_of(table: pa.Table) -> list[Streams]:
    """Conversations of a table; a reader loads only the columns that it needs."""
    return decode(Streams, table)


def rows_table(rows: Sequence[Row]) -> pa.Table:
    """One row per training sequence of a task: of schema ROWS, or a matrix each."""
    is_matrices = len(rows) > 0 and rows[0].input_ids.ndim > 1
    return table_of(matrix_rows(len(rows[0].input_ids)) if is_matrices else ROWS, rows)


def rows_of(table: pa.Table, task: str, split: str) -> list[Row]:
    """Training sequences of a task and split; a count that an older version did not store is 0."""
    return decode(Row, table, task=task, split=split, **NEW)


def rejects_table(rejects: Iterable[Reject]) -> pa.Table:
    """One row per rejected record, of schema REJECTS."""
    return table_of(REJECTS, [*rejects])


def input_table(records: Iterable[Dialogue | Reject]) -> pa.Table:
    """One row per planned record, a dialogue or a reject, of schema INPUT."""
    return table_of(INPUT, [_planned(record) for record in records])


def _planned(r: Dialogue | Reject) -> InputRecord:
    if isinstance(r, Reject):
        return InputRecord(r.record, r.dialogue_id, r.source, stage=r.stage, reason=r.reason, detail=r.detail)
    return InputRecord(
        r.record, r.id, r.source, r.language, r.turns, marks=r.marks, judged=r.judged, written_by=r.written_by,
        system=r.system, cut=r.cut, notices=r.notices, recorded=r.recorded, transcript=r.transcript,
    )  # fmt: skip


def records_of(table: pa.Table) -> list[Dialogue | Reject]:
    """Dialogues and rejects of a table of planned input."""
    return [_unplanned(record) for record in decode(InputRecord, table)]


def _unplanned(r: InputRecord) -> Dialogue | Reject:
    if r.stage:
        return Reject(r.record, r.dialogue_id, r.source, r.stage, r.reason, r.detail)
    return Dialogue(
        r.dialogue_id, r.turns, r.source, r.language, r.record, r.marks, r.judged, r.written_by,
        system=r.system, cut=r.cut, notices=r.notices, recorded=r.recorded, transcript=r.transcript,
    )  # fmt: skip
