"""Decided records that are opened again: `datagen write --retry-rejects`.

Of a unit with such rejects, the records are noted in `reopened/1-000000.json`, then its marker and files are removed,
and the run does it again: kept dialogues follow from the answers that are kept, and opened records get fresh ones.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from datagen.authoring.authoring_units import WriteIdentity
from datagen.errors import SourceError
from datagen.shards.markers import all_but, markers, missing
from datagen.shards.plan import Plan
from datagen.shards.seal import document
from datagen.shards.store import Store
from datagen.shards.tables import from_parquet
from datagen.shards.unit import Marker, marker_key

FOLDER = "reopened"
_NEVER = ("bad_topic", "duplicate", "has_marks", "no_prompt")
"""Reasons that lie in the input, so another answer changes nothing."""


@dataclass
class Reopened:
    """The records that were opened again so far."""

    versions: Counter[int] = field(default_factory=Counter)
    """Times that each unit was opened."""
    fresh: Counter[int] = field(default_factory=Counter)
    """Times that each record was opened, by its number."""


def reopened(store: Store) -> Reopened:
    """All that was opened again in an output."""
    found = Reopened()
    for key in store.keys(FOLDER):
        values = json.loads(store.read(key))
        found.versions[int(values["unit"])] += 1
        found.fresh.update(int(record) for record in values["records"])
    return found


def reopen(store: Store, plan: Plan[WriteIdentity], reason: str, summary: str) -> int:
    """Open the rejects of finished units again.

    Args:
        store: The output.
        plan: Its plan.
        reason: Only rejects of this reason; empty: all but those that lie in the input.
        summary: Name of the file that says that the run is complete.

    Returns:
        The number of opened records.

    Raises:
        SourceError: If there is no reject of that reason.
    """
    done = list(all_but(missing(store, plan.n_units), plan.n_units))
    known, before = Counter[str](), reopened(store)
    n = 0
    for marker in markers(store, done, plan.seal):
        known.update({name.partition("/")[2]: count for name, count in marker.rejects.items()})
        records = _records(store, marker, reason)
        if records:
            store.remove(summary)
            _open(store, marker, records, before.versions)
            n += len(records)
    if reason and reason not in known:
        there = ", ".join(sorted(known)) or "no rejects at all"
        raise SourceError(f"{store.url} has no reject of the reason {reason!r}; there are: {there}")
    return n


def _records(store: Store, marker: Marker, reason: str) -> list[int]:
    files = [file.key for file in marker.files if file.table == "rejects"]
    rows: Iterable[Mapping[str, object]] = (
        row for key in files for row in from_parquet(store.read(key), key).to_pylist()
    )
    wanted = (row for row in rows if row["reason"] == reason or (not reason and row["reason"] not in _NEVER))
    return [int(str(row["record"])) for row in wanted if row["stage"] == "write"]


def _open(store: Store, marker: Marker, records: list[int], versions: Mapping[int, int]) -> None:
    """Note the records before anything is removed: whatever happens then, the unit is done again."""
    version = versions[marker.unit] + 1
    values = {"unit": marker.unit, "records": records}
    store.create(f"{FOLDER}/{version}-{marker.unit:06d}.json", document(values, ascii=True))
    store.remove(marker_key(marker.unit))
    for file in marker.files:
        store.remove(file.key)
