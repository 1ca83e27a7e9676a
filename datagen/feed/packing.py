"""The assignment of rows to sequences: a pure function of their lengths."""

from bisect import bisect_left, insort
from itertools import count

import numpy as np
from numpy.typing import NDArray

_SMALL = 16
"""Rows shorter than a sequence over this are poured in one after the other, not placed one by one."""


def pack(lengths: NDArray[np.int64], capacity: int) -> list[list[int]]:
    """Deal rows to as few sequences as is cheap: long rows best fit first, short ones poured into what is left.

    Args:
        lengths: Tokens of each row, 1 to capacity; int [n_rows].
        capacity: Tokens a sequence holds.

    Returns:
        Indices of the rows of each sequence; every row is in exactly one.

    >>> pack(np.array([60, 30, 70, 40]), 100)
    [[2, 1], [0, 3]]
    >>> pack(np.array([90, 3, 3, 3, 3, 3]), 100)
    [[0, 1, 2, 3], [4, 5]]
    """
    is_small = lengths * _SMALL < capacity
    small = np.flatnonzero(is_small).tolist()
    packed, room = _best_fit(lengths, np.flatnonzero(~is_small), capacity)
    if not small:
        return packed
    ends, at, begin = np.cumsum(lengths[small]), 0, 0
    for k in count():
        if at == len(small):
            return packed
        if k == len(packed):
            packed.append([])
            room.append(capacity)
        end = int(np.searchsorted(ends, begin + room[k], side="right"))  # where the run that fits ends
        packed[k].extend(small[at:end])
        at, begin = end, int(ends[end - 1]) if end else 0
    raise AssertionError


def _best_fit(lengths: NDArray[np.int64], rows: NDArray[np.int64], capacity: int) -> tuple[list[list[int]], list[int]]:
    """Best fit decreasing; the room left in each sequence."""
    rows = rows[np.argsort(-lengths[rows], kind="stable")]
    packed: list[list[int]] = []
    room: list[int] = []
    by_room: list[int] = []  # sorted: room left x number of rows + sequence, one number, which compares faster
    n = max(len(rows), 1)
    for row, need in zip(rows.tolist(), lengths[rows].tolist(), strict=True):
        place = bisect_left(by_room, need * n)
        if place < len(by_room):
            left, index = divmod(by_room.pop(place), n)
            left -= need
            packed[index].append(row)
            room[index] = left
        else:
            left, index = capacity - need, len(packed)
            packed.append([row])
            room.append(left)
        if left:
            insort(by_room, left * n + index)
    return packed, room
