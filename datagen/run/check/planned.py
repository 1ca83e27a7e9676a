"""The planned input, compared with what became of each record."""

import hashlib
from collections.abc import Iterable

import pyarrow as pa

from datagen.records import Dialogue, Reject, Streams
from datagen.run.check.faults import Faults
from datagen.shards.plan import (
    PLAN,
    UNITS_PER_PART,
    Plan,
    PlannedInput,
    blocks_of,
    groups_key,
    part_key,
    units_per_file,
)
from datagen.shards.store import Store

Records = dict[int, Dialogue | Reject]
"""Planned records by number."""


def input_keys(plan: Plan) -> list[list[tuple[str, str]]]:
    """The files of each part of the planned input, with their SHA-256."""
    found = []
    for part, sha256 in enumerate(plan.parts):
        files = [(part_key(part, sha256), sha256)]
        if part < len(plan.groups) and plan.groups[part]:
            files.append((groups_key(part, plan.groups[part]), plan.groups[part]))
        found.append(files)
    return found


def check_by_name(store: Store, faults: Faults) -> None:
    """Check the planned input without a plan: a file's name ends in the first digits of its hash."""
    for key in store.keys("input"):
        with faults.caught():
            if not hashlib.sha256(store.read(key)).hexdigest().startswith(key.removesuffix(".parquet").split("-")[-1]):
                faults.add(f"{key}: its bytes are not those it is named by")


class Planned:
    """Reads the planned records of one unit after another."""

    def __init__(self, plan: Plan, store: Store, faults: Faults) -> None:
        """A reader that reports damaged files once."""
        self._plan, self._store, self._faults = plan, store, faults
        self._input, self._keys = PlannedInput(plan, store), input_keys(plan)
        self._sound: dict[int, bool] = {}
        """Parts that were checked; the last one of a unit is the first of the next."""

    def unit(self, unit: int) -> Records | None:
        """The planned records of a unit; None if a file of them is damaged."""
        begin = unit * units_per_file(self._plan.identity.recipe)
        parts = range(begin // UNITS_PER_PART, (begin + len(blocks_of(self._plan, unit)) - 1) // UNITS_PER_PART + 1)
        self._sound = {part: self._sound[part] if part in self._sound else self._check(part, unit) for part in parts}
        if not all(self._sound.values()):
            return None
        part = parts[-1]
        try:
            records = self._input.unit(unit)
        except (pa.ArrowException, IndexError) as error:
            self._faults.add(f"{self._keys[part][0][0]}: it has no records of unit {unit} ({error})")
            return None
        begin = unit * self._plan.unit_dialogues
        end = min(begin + self._plan.unit_dialogues, self._plan.n_records)
        if [record.record for record in records] != [*range(begin, end)]:
            self._faults.add(f"{self._keys[part][0][0]}: unit {unit} is not the records {begin} to {end - 1}")
        return {record.record: record for record in records}

    def _check(self, part: int, unit: int) -> bool:
        """True if the files of a part are those of the plan."""
        if part >= len(self._keys):
            self._faults.add(f"{PLAN}: it names no file of input for unit {unit}")
            return False
        n_faults = len(self._faults.lines)
        for key, sha256 in self._keys[part]:
            with self._faults.caught():
                if hashlib.sha256(self._store.read(key)).hexdigest() != sha256:
                    self._faults.add(f"{key}: its bytes are not those of {PLAN}")
        return len(self._faults.lines) == n_faults


def compare_planned(
    planned: Records, streams: Iterable[Streams], rejects: Iterable[Reject], faults: Faults, unit: int, n_records: int
) -> None:
    """Report conversations and rejects that are not those of the planned records with their numbers.

    Args:
        planned: The planned records of the unit.
        streams: Its conversations.
        rejects: Its rejects.
        faults: Where faults go.
        unit: Its number.
        n_records: Records of the input; numbers outside are reported elsewhere.
    """
    for s in streams:
        record = planned.get(s.record)
        place = f"conversation {s.dialogue_id!r}"
        if isinstance(record, Dialogue):
            said = {"dialogue_id": s.dialogue_id, "source": s.source, "group": s.group}
            wanted = {"dialogue_id": record.id, "source": record.source, "group": record.group or record.id}
            faults.compare(place, said, wanted, f"the planned values of record {s.record}")
        elif record is not None:
            faults.add(f"{place}: record {s.record} is a reject in the planned input")
        elif 0 <= s.record < n_records:
            faults.add(f"{place}: record {s.record} is not one of unit {unit}")
    for r in rejects:
        record = planned.get(r.record)
        if record is not None:
            faults.compare(f"reject {r.dialogue_id!r}", _known(r, record), _known(record, record), "the planned values")
        elif 0 <= r.record < n_records:
            faults.add(f"reject {r.dialogue_id!r}: record {r.record} is not one of unit {unit}")


def _known(r: Dialogue | Reject, planned: Dialogue | Reject) -> dict[str, str]:
    """The values of a reject that are known when it is planned: with a reason if it is a reject there already."""
    found = {"dialogue_id": r.id if isinstance(r, Dialogue) else r.dialogue_id, "source": r.source}
    if isinstance(r, Reject) and isinstance(planned, Reject):
        found |= {"stage": r.stage, "reason": r.reason, "detail": r.detail}
    return found
