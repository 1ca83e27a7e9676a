"""The check of a finished export: every file against its hash, and no file that no list names."""

import hashlib
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from datagen.errors import StoreError
from datagen.export.export_identity import EXPORT, Exported, ExportIdentity
from datagen.shards import digest
from datagen.shards.markers import Tally, markers
from datagen.shards.plan import PLAN, read_plan
from datagen.shards.store import SCRATCH, Store
from datagen.shards.unit import File, Marker, marker_key

_MAX_FAULTS = 100


@dataclass
class ExportReport:
    """The result of a check."""

    digest: str = ""
    n_files: int = 0
    faults: list[str] = field(default_factory=list)
    """One line per fault, at most a hundred."""


def check_export(store: Store, tell: Callable[[int], object] = lambda _: None) -> ExportReport:
    """Check a finished export, one unit at a time.

    Args:
        store: The export.
        tell: Called with 1 after each unit.

    Raises:
        StoreError: If it is unfinished, or its manifest or plan is damaged.
    """
    exported = Exported.load(store)
    plan = read_plan(store, ExportIdentity)
    if plan is None or plan.seal != exported.plan:
        raise StoreError(f"{store.url}: {PLAN} is missing or that of another export; restore it from a copy")
    names, tally, report = _Names(), Tally(), ExportReport()
    names.add(EXPORT, PLAN, *exported.lists, *(part.key for part in exported.index))
    listed = exported.files()
    for fault in _of_units(store, markers(store, range(plan.n_units), plan.seal), listed, names, tally, tell):
        report.faults.append(fault)
        if len(report.faults) == _MAX_FAULTS:
            return report
    report.n_files, report.digest = len(names.hashes), digest.to_text(tally.digest)
    report.faults += [f"{file.key}: the index has it, and no unit" for file in listed]
    if report.digest != exported.digest:
        report.faults.append(f"{EXPORT}: its digest is {exported.digest}, the units give {report.digest}")
    for key, sha256 in exported.lists.items():
        report.faults += _of_file(store, key, sha256)
    report.faults += names.foreign(store)
    return report


def _of_units(
    store: Store,
    found: Iterator[Marker],
    listed: Iterator[File],
    names: "_Names",
    tally: Tally,
    tell: Callable[[int], object],
) -> Iterator[str]:
    """The faults of all units, whose files are compared with the index."""
    for marker in found:
        tally.add(marker)
        names.add(marker_key(marker.unit), *(file.key for file in marker.files))
        for file in marker.files:
            if next(listed, None) != file:
                yield f"{file.key}: the index has another file in its place ({marker_key(marker.unit)})"
            yield from _of_file(store, file.key, file.sha256)
        tell(1)


def _of_file(store: Store, key: str, sha256: str) -> Iterator[str]:
    try:
        data = store.read(key)
    except StoreError as error:
        yield str(error)
        return
    if hashlib.sha256(data).hexdigest() != sha256:
        yield f"{key}: its bytes are not those that were exported"


class _Names:
    """The names of all files that an export lists, eight bytes each."""

    def __init__(self) -> None:
        self.hashes = array("Q")

    def add(self, *keys: str) -> None:
        self.hashes.extend(map(_hash, keys))

    def foreign(self, store: Store) -> Iterator[str]:
        """A fault for each file that no list names."""
        known = np.unique(np.frombuffer(self.hashes, np.uint64))
        for key, _ in store.sizes(""):
            at = int(np.searchsorted(known, np.uint64(_hash(key))))
            if key.startswith(f"{SCRATCH}/"):
                continue
            if at == len(known) or known[at] != _hash(key):
                yield f"{key}: in no list of this export"


def _hash(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode("utf-8", "surrogateescape"), digest_size=8).digest(), "little")
