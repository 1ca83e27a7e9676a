"""The content digest: a hash over all rows that depends on neither their order nor the files they lie in.

Each row is hashed with BLAKE2b to 128 bits; the digest is the sum of all hashes modulo 2**128. A row that is
lost, doubled or changed changes the sum.
"""

import hashlib
import json
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from datagen.shards.schema import arrays_of

_MODULUS = 1 << 128
_JOINED_BYTES = 1 << 16
"""Larger cells are hashed where they lie."""
_UNHASHED = frozenset({"traceback"})
"""Columns that describe the machine, not the data."""


def row_hashes(kind: str, table: pa.Table) -> list[int]:
    """A 128-bit hash of each row.

    Args:
        kind: Name of the table, which is part of the hash, so that equal rows of two tables differ.
        table: Any table; column order and chunking do not matter.
    """
    names = sorted(name for name in table.column_names if name not in _UNHASHED)
    heads = [f"{name}:".encode() for name in names]
    found = []
    for row in zip(*(_cells(table.column(name)) for name in names), strict=True):
        hasher, parts = hashlib.blake2b(kind.encode(), digest_size=16), list[bytes]()
        for head, cell in zip(heads, row, strict=True):
            if len(cell) < _JOINED_BYTES:  # few large updates are faster than many small ones
                parts += (head, b"%d:" % len(cell), cell)
            else:
                hasher.update(b"".join((*parts, head, b"%d:" % len(cell))))
                hasher.update(cell)
                parts = []
        hasher.update(b"".join(parts))
        found.append(int.from_bytes(hasher.digest(), "little"))
    return found


def _cells(column: pa.ChunkedArray) -> list[bytes]:
    """The bytes of each cell: little-endian lists and matrices of numbers, text, digits, or canonical JSON."""
    kind = column.type
    if pa.types.is_fixed_size_list(kind):
        return [cell.tobytes() for cell in arrays_of(column)]
    if pa.types.is_list(kind) and pa.types.is_primitive(kind.value_type):
        cells: list[bytes] = []
        for chunk in column.chunks:
            values = chunk.values.to_numpy(zero_copy_only=False)
            if values.dtype == np.bool_:
                values = values.view(np.uint8)
            raw, size = np.ascontiguousarray(values).tobytes(), values.itemsize
            cells.extend(raw[begin:end] for begin, end in pairwise((chunk.offsets.to_numpy() * size).tolist()))
        return cells
    if pa.types.is_binary(kind):
        return [value or b"" for value in column.to_pylist()]
    if pa.types.is_string(kind):
        return [cell for chunk in column.chunks for cell in chunk.cast(pa.binary()).to_pylist()]
    if pa.types.is_integer(kind):
        return [b"%d" % value for value in column.to_pylist()]
    return [_encoder.encode(value).encode() for chunk in column.chunks for value in _values(chunk)]


_encoder = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
"""Made once: it takes longer to make than to use for a short list."""


def _values(array: pa.Array) -> list[Any]:
    """The values of an array as `to_pylist` gives them, but lists of numbers as a whole instead of one by one.

    >>> _values(pa.array([[{"a": 1, "b": [2.5]}], None, []]))
    [[{'a': 1, 'b': [2.5]}], None, []]
    """
    kind, n_nulls = array.type, array.null_count
    if pa.types.is_list(kind):
        offsets, values = array.offsets.to_pylist(), _values(array.values)
        found: list[Any] = [values[begin:end] for begin, end in pairwise(offsets)]
    elif pa.types.is_struct(kind):
        names = [each.name for each in kind]
        found = [dict(zip(names, row, strict=True)) for row in zip(*map(_values, array.flatten()), strict=True)]
    elif pa.types.is_integer(kind) and not n_nulls:
        found = array.to_numpy().tolist()
    else:
        return list(array.to_pylist())
    if n_nulls:
        found = [
            value if is_there else None for value, is_there in zip(found, array.is_valid().to_pylist(), strict=True)
        ]
    return found


def total(hashes: Iterable[int]) -> int:
    """The digest of rows from their hashes, or of parts from their digests.

    >>> total([1, 2]) == total([2, 1]), total([(1 << 128) - 1, 2])
    (True, 1)
    """
    return sum(hashes) % _MODULUS


def to_text(digest: int) -> str:
    """32 hexadecimal digits.

    >>> to_text(255)
    '000000000000000000000000000000ff'
    """
    return f"{digest:032x}"
