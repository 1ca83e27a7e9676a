"""Values of Arrow tables as plain JSON, and the memory that they take in Python."""

import datetime
import decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as types

from datagen.sources.fields import UnfitError

_VALUE_BYTES = 4
"""Least weight of a value: nulls take nothing in Arrow but do in Python."""
_OFFSETS = (
    *((is_kind, np.int32) for is_kind in (types.is_string, types.is_binary)),
    *((is_kind, np.int64) for is_kind in (types.is_large_string, types.is_large_binary)),
)
"""Kinds of texts and how the offsets of their values are stored."""


def weight_of(array: Any) -> int:
    """Bytes of an array's values when each is decoded; at least four per value.

    A text of a dictionary counts as often as it occurs.

    Raises:
        UnfitError: If values of its type are not read.

    >>> weight_of(pa.array(["a" * 50] * 3).dictionary_encode()), weight_of(pa.nulls(2))
    (162, 8)
    """
    kind, least = array.type, _VALUE_BYTES * len(array)
    if isinstance(kind, pa.BaseExtensionType):
        return weight_of(array.storage)
    if types.is_dictionary(kind):
        return least + _referred(array)
    if types.is_struct(kind):
        return least + sum(map(weight_of, array.flatten()))
    if types.is_map(kind):
        first, last = array.offsets[0].as_py(), array.offsets[len(array)].as_py()
        return least + sum(weight_of(part.slice(first, last - first)) for part in (array.keys, array.items))
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return least + weight_of(array.flatten())
    if kind in (pa.string_view(), pa.binary_view()):
        return least + _viewed(array)
    if types.is_union(kind) or types.is_run_end_encoded(kind) or "list_view" in str(kind):
        raise UnfitError("bad_value", f"values of the type {str(kind)[:80]} are not read")
    return max(int(array.nbytes), least)


def _referred(array: Any) -> int:
    """Bytes of the values of a dictionary array, each as often as it occurs."""
    values = array.dictionary
    offsets = next((width for is_kind, width in _OFFSETS if is_kind(values.type)), None)
    if offsets is None:
        return len(array) * weight_of(values)  # a bound
    if not len(values):
        return 0
    ends = np.frombuffer(values.buffers()[1], offsets)[values.offset :]
    used = array.indices.drop_null().to_numpy(zero_copy_only=False)
    return int((ends[used + 1].astype(np.int64) - ends[used]).sum())


def _viewed(array: Any) -> int:
    """Bytes of texts that are views: each may refer to the same bytes. A view begins with its length."""
    views = np.frombuffer(array.buffers()[1], np.int32).reshape(-1, 4)
    return int(views[array.offset : array.offset + len(array), 0].sum(dtype=np.int64))


def is_plain(kind: Any) -> bool:
    """True if `to_pylist` gives JSON values for a type.

    >>> is_plain(pa.list_(pa.struct({"role": pa.string()}))), is_plain(pa.map_(pa.string(), pa.string()))
    (True, False)
    """
    if types.is_struct(kind):
        return all(is_plain(kind.field(k).type) for k in range(kind.num_fields))
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return is_plain(kind.value_type)
    if types.is_dictionary(kind):
        return is_plain(kind.value_type)
    is_text = types.is_string(kind) or types.is_large_string(kind) or kind == pa.string_view()
    is_number = types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)
    return bool(is_text or is_number or types.is_null(kind))


def plain(value: object) -> object:
    """A value of `to_pylist` as a JSON value: maps as objects, times and bytes as text.

    Raises:
        UnicodeDecodeError: If bytes are not UTF-8.

    >>> plain([("a", b"x")]), plain(datetime.date(2024, 5, 1)), plain([decimal.Decimal("1.5")])
    ({'a': 'x'}, '2024-05-01', [1.5])
    """
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list):
        if value and isinstance(value[0], tuple):  # nothing but a map has pairs
            return {str(plain(key)): plain(each) for key, each in value}
        return [plain(each) for each in value]
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    return float(value) if isinstance(value, decimal.Decimal) else str(value)


def turned(value: object) -> object:
    """A struct of lists as a list of structs: so `datasets` keeps turns; other values unchanged.

    >>> turned({"role": ["user", "bot"], "text": ["Hi", "Hello."]})
    [{'role': 'user', 'text': 'Hi'}, {'role': 'bot', 'text': 'Hello.'}]
    >>> turned({"turns": ["Hi"]}), turned({"a": ["b"], "c": []})
    ({'turns': ['Hi']}, {'a': ['b'], 'c': []})
    """
    if not isinstance(value, dict) or len(value) < 2:
        return value
    lists = [each for each in value.values() if isinstance(each, list)]
    if len(lists) < len(value) or len(set(map(len, lists))) > 1:
        return value
    return [dict(zip(value, each, strict=True)) for each in zip(*lists, strict=True)]
