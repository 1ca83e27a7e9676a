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
_UNHASHED = frozenset({"traceback"})
"""Columns that describe the machine, not the data."""


def row_hashes(kind: str, table: pa.Table) -> list[int]:
    """A 128-bit hash of each row.

    Args:
        kind: Name of the table, which is part of the hash, so that equal rows of two tables differ.
        table: Any table; column order and chunking do not matter.
    """
    names = sorted(name for name in table.column_names if name not in _UNHASHED)
    columns = [(name.encode(), _cells(table.column(name))) for name in names]
    found = []
    for index in range(table.num_rows):
        hasher = hashlib.blake2b(kind.encode(), digest_size=16)
        for name, cells in columns:
            cell = cells[index]
            hasher.update(b"%s:%d:" % (name, len(cell)))
            hasher.update(cell)
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
        return [value.encode() for value in column.to_pylist()]
    if pa.types.is_integer(kind):
        return [b"%d" % value for value in column.to_pylist()]
    return [_canonical(value) for value in column.to_pylist()]


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


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
