"""The rejects of a build by reason, with examples; of one that is unfinished or kept nothing too."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from datagen.errors import DatagenError
from datagen.shards.manifest import MANIFEST, Manifest
from datagen.shards.markers import all_but, markers, missing
from datagen.shards.plan import load_plan
from datagen.shards.store import Store
from datagen.shards.tables import from_parquet
from datagen.suggest import did_you_mean
from datagen.traces import own_place

_COLUMNS = ["record", "dialogue_id", "source", "stage", "reason", "detail", "traceback"]


@dataclass
class RejectReason:
    """All rejects of one stage for one reason."""

    name: str
    """`stage/reason`, as a manifest counts them."""
    count: int
    examples: list[dict[str, Any]] = field(default_factory=list)
    """The first ones: record, dialogue_id, source, detail, traceback, and the place in code outside datagen."""


@dataclass(frozen=True)
class Rejected:
    """The rejects of a build so far."""

    store: Store
    n_records: int
    """Records of all finished units."""
    counts: dict[str, int]
    """By `stage/reason`."""
    is_finished: bool
    files: tuple[str, ...]
    """Keys of the files that hold them, in the order of the input."""

    @property
    def n_rejects(self) -> int:
        """Number of rejects."""
        return sum(self.counts.values())

    @classmethod
    def of(cls, store: Store) -> "Rejected":
        """Read the counts of a build from its manifest, or without one from the markers of its finished units.

        Raises:
            StoreError: If there is no build.
        """
        plan = None if store.exists(MANIFEST) else load_plan(store)
        if plan is None:
            manifest = Manifest.load(store)
            keys = tuple(file.key for file in manifest.files("rejects"))
            return cls(store, manifest.n_records, manifest.rejects, True, keys)
        n_records, counts, files = 0, Counter[str](), list[str]()
        for marker in markers(store, all_but(missing(store, plan.n_units), plan.n_units), plan.seal):
            n_records += marker.n_records
            counts.update(marker.rejects)
            files += [file.key for file in marker.files if file.table == "rejects"]
        return cls(store, n_records, dict(counts), False, tuple(files))


def rejects(found: Rejected, reason: str = "", n_examples: int = 1) -> list[RejectReason]:
    """List the rejects of a build, the commonest reason first. Files are read only as far as examples are needed.

    Args:
        found: The rejects of the build.
        reason: Only this one, as `stage/reason` or `reason`, or all of a stage; empty: all.
        n_examples: Most examples per reason.

    Raises:
        DatagenError: If the build has no reject with that reason; names those that it has.
    """
    counts = found.counts
    wanted = [name for name in counts if not reason or reason in (name, *name.split("/"))]
    if reason and not wanted:
        names = sorted({part for name in counts for part in (name, name.partition("/")[2])})
        known = ", ".join(counts) or "none"
        raise DatagenError(
            f"{found.store.url} has no rejects for {reason!r}{did_you_mean(reason, names) or ';'} it has {known}"
        )
    listed = {name: RejectReason(name, counts[name]) for name in sorted(wanted, key=lambda each: (-counts[each], each))}
    left = sum(min(each.count, n_examples) for each in listed.values())
    for row in _rows(found) if left else ():
        each = listed.get(f"{row.pop('stage')}/{row.pop('reason')}")
        if each and len(each.examples) < n_examples:
            each.examples.append({**row, "place": own_place(row["traceback"])})
            left -= 1
            if not left:
                break
    return list(listed.values())


def _rows(found: Rejected) -> Iterator[dict[str, Any]]:
    """Every reject, one file in memory at a time."""
    for key in found.files:
        yield from from_parquet(found.store.open(key), key, _COLUMNS).to_pylist()
