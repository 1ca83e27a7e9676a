"""Checks the finished units of an interrupted run before the work continues."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.errors import StoreError
from datagen.shards.markers import markers
from datagen.shards.plan import Plan
from datagen.shards.store import Store
from datagen.shards.unit import File, Marker, marker_key, unit_of

_MAX_TOLD = 5
"""Maximum number of files that an error names."""
_FOLDER = re.compile(r"/[0-9]{6,}/[^/]+\Z")
"""A file in the folder of a unit."""


def standing(store: Store, units: Iterable[int], plan: Plan[Any], *, hashes: bool = False) -> Iterator[Marker]:
    """The markers of finished units, whose files are checked.

    Args:
        store: The output.
        units: Numbers of the finished units, in order.
        plan: The plan of the run.
        hashes: If true, files are read and their hashes compared; otherwise only their sizes.

    Raises:
        StoreError: At once if a marker is damaged; at the end if files are missing or changed, with
            their names.
    """
    sizes, faults, n_faults = _Sizes(store, plan.n_units), list[str](), 0
    for marker in markers(store, units, plan.seal):
        for file in marker.files:
            fault = _changed(store, file) if hashes else sizes.fault(file)
            if fault:
                n_faults += 1
                faults = [*faults, f"{file.key} {fault} ({marker_key(marker.unit)})"][:_MAX_TOLD]
        yield marker
    if faults:
        more = f", and {n_faults - len(faults)} more" if n_faults > len(faults) else ""
        raise StoreError(
            f"{store.url} has lost finished work: {'; '.join(faults)}{more}. Delete each unit's files with its marker, "
            "named in brackets, and run the same command again: these units are made again"
        )


class _Sizes:
    """Sizes of the files of an output, from one listing of each table: 8 bytes per file.

    A folder that belongs to one unit is listed by itself, and only the last one is kept.
    """

    def __init__(self, store: Store, n_units: int) -> None:
        self._store, self._n_units = store, n_units
        self._listed = set[str]()
        self._by_name: dict[str, NDArray[np.int64]] = {}
        self._folder, self._in_folder = "", dict[str, int]()

    def fault(self, file: File) -> str:
        """The fault of a file; empty if it has the size of its marker."""
        found = self._of_folder(file.key) if _FOLDER.search(file.key) else self._of_table(file.key)
        if found == file.n_bytes:
            return ""
        return "is missing" if found < 0 else f"has {found} bytes instead of {file.n_bytes}"

    def _of_folder(self, key: str) -> int:
        folder = key.rpartition("/")[0]
        if folder != self._folder:
            self._folder, self._in_folder = folder, dict(self._store.sizes(folder))
        return self._in_folder.get(key, -1)

    def _of_table(self, key: str) -> int:
        name, unit = _name(key)
        if (table := name.partition("/")[0]) not in self._listed:
            self._listed.add(table)
            self._list(table)
        sizes = self._by_name.get(name)
        return -1 if sizes is None else int(sizes[unit])

    def _list(self, table: str) -> None:
        for key, n_bytes in self._store.sizes(table):
            name, unit = _name(key)
            if 0 <= unit < self._n_units:
                if name not in self._by_name:
                    self._by_name[name] = np.full(self._n_units, -1, np.int64)
                self._by_name[name][unit] = n_bytes


def _name(key: str) -> tuple[str, int]:
    """A file's key without its unit, and the unit; -1 if it has none.

    >>> _name("asr/train-000012.parquet"), _name("asr/notes.txt")
    (('asr/train-.parquet', 12), ('asr/notes.txt', -1))
    """
    unit = unit_of(key)
    if unit is None:
        return key, -1
    head, _, tail = key.rpartition(f"{unit:06d}")
    return head + tail, unit


def _changed(store: Store, file: File) -> str:
    """The fault of a file; empty if it has the bytes of its marker."""
    if not store.exists(file.key):
        return "is missing"
    return "" if hashlib.sha256(store.read(file.key)).hexdigest() == file.sha256 else "has other bytes"
