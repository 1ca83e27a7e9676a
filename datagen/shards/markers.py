"""All markers of a build: the units that lack one, each marker in order, and their sums.

They are never all in memory at once. One listing shows which exist; their content is read a few
ahead, because a store may be far away.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from datagen.clock import samples_to_ms
from datagen.errors import StoreError
from datagen.shards import digest
from datagen.shards.store import Store
from datagen.shards.unit import Marker, marker_key, unit_of

_N_READERS = 32
_READ_AHEAD = 4 * _N_READERS
"""Number of markers read ahead, which is also the most in memory."""


def missing(store: Store, n_units: int) -> list[int]:
    """Units without a marker, in order, from one listing."""
    there = bytearray(n_units)
    for key in store.keys("units"):
        if (unit := unit_of(key)) is not None and unit < n_units:
            there[unit] = 1
    return [unit for unit in range(n_units) if not there[unit]]


def all_but(left: Iterable[int], n_units: int) -> Iterator[int]:
    """The finished units, given those that are left.

    >>> list(all_but([1, 3], 5))
    [0, 2, 4]
    """
    skip = set(left)
    return (unit for unit in range(n_units) if unit not in skip)


def marker_of(store: Store, unit: int, plan: str) -> Marker:
    """The marker of a finished unit.

    Args:
        store: The output.
        unit: Its number.
        plan: Seal of the plan of the run.

    Raises:
        StoreError: If it is missing, damaged, or the marker of another unit or run.
    """
    key = marker_key(unit)
    marker = Marker.from_json(store.read(key), f"{store.url}/{key}")
    if marker.unit != unit or any(unit_of(file.key) not in (unit, None) for file in marker.files):
        raise StoreError(f"{store.url}/{key} is the marker of unit {marker.unit}; delete it and run the command again")
    if marker.plan != plan:
        raise StoreError(f"{store.url}/{key} is the marker of another run; delete it and run the command again")
    return marker


def markers(store: Store, units: Iterable[int], plan: str) -> Iterator[Marker]:
    """The marker of each of these units, in their order.

    Args:
        store: The output.
        units: Numbers of finished units.
        plan: Seal of the plan of the run.

    Raises:
        StoreError: If one is missing, damaged, or the marker of another unit or run.
    """

    def read(unit: int) -> Marker:
        return marker_of(store, unit, plan)

    left = iter(units)
    with ThreadPoolExecutor(_N_READERS) as readers:
        try:
            ahead: deque[Future[Marker]] = deque(readers.submit(read, unit) for unit in islice(left, _READ_AHEAD))
            while ahead:
                yield ahead.popleft().result()
                ahead.extend(readers.submit(read, unit) for unit in islice(left, 1))
        finally:
            readers.shutdown(cancel_futures=True)


@dataclass
class Tally:
    """Sums over markers."""

    n_units: int = 0
    n_records: int = 0
    n_kept: int = 0
    n_samples: int = 0
    digest: int = 0
    rejects: Counter[str] = field(default_factory=Counter)
    """By `stage/reason`."""
    notices: Counter[str] = field(default_factory=Counter)
    """Kept conversations with a mild fault, by reason."""
    added: Counter[str] = field(default_factory=Counter)
    """Utterances and corrections that the recipe added, by kind."""
    processors: Counter[str] = field(default_factory=Counter)
    """Units by kind of processor."""
    tables: dict[str, dict[str, Counter[str]]] = field(default_factory=dict)
    """Rows, tokens and bytes by table and split."""

    def hours(self, sample_rate_hz: int) -> float:
        """Hours of conversation."""
        return samples_to_ms(self.n_samples, sample_rate_hz) / 3_600_000

    def add(self, marker: Marker) -> None:
        """Count one more unit."""
        self.n_units += 1
        self.n_records += marker.n_records
        self.n_kept += marker.n_kept
        self.n_samples += marker.n_samples
        self.digest = digest.total((self.digest, int(marker.digest, 16)))
        self.rejects.update(marker.rejects)
        self.notices.update(marker.notices)
        self.added.update(marker.added)
        self.processors[marker.processor] += 1
        for file in marker.files:
            sums = self.tables.setdefault(file.table, {}).setdefault(file.split or "all", Counter())
            sums.update(n_rows=file.n_rows, n_tokens=file.n_tokens, n_bytes=file.n_bytes)
