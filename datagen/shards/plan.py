"""The plan of a build on disk: all values that decide its content, and the records that it reads."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Generic

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from typing_extensions import TypeVar

from datagen.errors import ResumeError, StoreError
from datagen.records import Dialogue, Reject
from datagen.shards.identity import Identity, differences, json_values
from datagen.shards.schema import records_of
from datagen.shards.seal import document, refuse_broken
from datagen.shards.store import Store
from datagen.shards.unit import Block

PLAN = "plan.json"
UNITS_PER_PART = 64
"""Row groups per file of planned input: units, or blocks of units."""

_MAX_TOLD = 3
"""Maximum number of differing values that an error names."""


I = TypeVar("I", default=Identity)  # noqa: E741
"""Type of the identity of a planned run: a build, or an authoring run."""


@dataclass(frozen=True)
class Plan(Generic[I]):
    """A planned run: its identity, and the records that it reads."""

    identity: I
    n_records: int
    unit_dialogues: int
    parts: tuple[str, ...]
    """SHA-256 of each file of `input/` with records."""
    groups: tuple[str, ...] = ()
    """SHA-256 of the file with the groups of each part; empty if it has none.

    Absent before data version 4.
    """
    twins: dict[str, int] = field(default_factory=dict)
    """Numbers of compared dialogues, those with near-duplicates, their groups, and the largest group.

    Empty if near-duplicates were not looked for.
    """
    moved: dict[str, str] = field(default_factory=dict)
    """Groups that are not in the split of their hash, with their split, so that no split lacks dialogues.

    Absent before data version 7, as are the next two.
    """
    too_small: tuple[str, ...] = ()
    """Splits that have a share and still fewer dialogues than `splits.min_dialogues`."""
    keep_audio: bool | None = None
    """True if conversations have their audio: the decision on `mix.keep_audio: auto`."""
    seal: str = field(default="", compare=False)
    """Seal of plan.json, by which markers and data files name their run; empty before data version 5."""

    @property
    def n_units(self) -> int:
        """Units of the run; the last may be smaller."""
        return -(-self.n_records // self.unit_dialogues)

    def to_json(self) -> bytes:
        """The content of plan.json."""
        return document(json_values(self), ascii=True)

    def header(self: "Plan[Identity]") -> dict[str, Any]:
        """The metadata of every data file of a build, as JSON values."""
        return {**self.identity.header(), "plan": self.seal}


def units_per_file(recipe: dict[str, Any]) -> int:
    """Blocks per unit of a stored recipe: its `run.units_per_file`.

    >>> units_per_file({"run": {"unit_dialogues": 32}})
    1
    """
    return int(recipe["run"].get("units_per_file", 1))


def records_per_unit(recipe: dict[str, Any]) -> int:
    """Records per unit of a build of a stored recipe.

    >>> records_per_unit({"run": {"unit_dialogues": 32, "units_per_file": 4}})
    128
    """
    return int(recipe["run"]["unit_dialogues"]) * units_per_file(recipe)


def blocks_of(plan: Plan, unit: int) -> list[Block]:
    """The blocks of a unit of a build; the last unit may have fewer."""
    n_together = units_per_file(plan.identity.recipe)
    n_records = min(plan.unit_dialogues, plan.n_records - unit * plan.unit_dialogues)
    n_in_unit = -(-n_records // max(plan.unit_dialogues // n_together, 1))
    return [Block(unit, index, n_in_unit) for index in range(n_in_unit)]


def load_plan(store: Store) -> Plan | None:
    """The plan of a build, or None if nothing has begun in this output.

    Raises:
        StoreError: If plan.json is damaged; names the field.
    """
    return read_plan(store, Identity)


def read_plan(store: Store, kind: type[I]) -> Plan[I] | None:
    """The plan of any run, or None if nothing has begun in this output.

    Args:
        store: The output.
        kind: Type of the run's identity.

    Raises:
        StoreError: If plan.json is damaged; names the field.
    """
    if not store.exists(PLAN):
        return None
    data = store.read(PLAN)
    refuse_broken(data, f"{store.url}/{PLAN}")
    try:
        plan: Plan[I] = msgspec.convert(json.loads(data), Plan[kind])  # type: ignore[valid-type]
        return plan
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{store.url}/{PLAN} is damaged ({error}); choose another --out") from error


def withdraw(store: Store) -> None:
    """Remove the plan of a run that has done nothing, so that another run may use the output."""
    store.remove(PLAN)  # first: without it, nothing has begun
    for key in list(store.keys("input")):
        store.remove(key)


def refuse_another(store: Store, plan: Plan[I], wanted: I) -> None:
    """Check that an output belongs to the wanted run.

    Raises:
        ResumeError: If its identity differs; names the differing values.
    """
    if differing := differences(plan.identity, wanted):
        more = f"; and {len(differing) - _MAX_TOLD} more" if len(differing) > _MAX_TOLD else ""
        raise ResumeError(
            f"{store.url} holds another build: {'; '.join(differing[:_MAX_TOLD])}{more}. "
            "Use another --out, or the values it was made with"
        )


def part_key(part: int, sha256: str) -> str:
    """Name of a file of planned input, with its hash, so that drivers planning at once do not collide."""
    return f"input/{part:05d}-{sha256[:12]}.parquet"


def groups_key(part: int, sha256: str) -> str:
    """Name of the file with the groups of a file of planned input."""
    return f"input/{part:05d}-groups-{sha256[:12]}.parquet"


class PlannedInput:
    """Reads the records of a unit; keeps the last file open."""

    def __init__(self, plan: Plan, store: Store) -> None:
        """A reader of the `input/` of a store."""
        self._plan, self._store = plan, store
        self._per_unit = units_per_file(plan.identity.recipe)
        self._part = -1
        self._file: Any = None
        self._groups: dict[int, str] = {}

    def unit(self, index: int) -> list[Dialogue | Reject]:
        """Records of unit `index`, dialogues with their groups and chosen splits.

        Raises:
            StoreError: If the planned input does not match the plan.
        """
        return [record for block in blocks_of(self._plan, index) for record in self.block(block)]

    def block(self, block: Block) -> list[Dialogue | Reject]:
        """Records of a block of a unit.

        Raises:
            StoreError: If the planned input does not match the plan.
        """
        part, group = divmod(block.unit * self._per_unit + block.index, UNITS_PER_PART)
        if part != self._part:
            self._file = pq.ParquetFile(self._planned(part_key, part, self._plan.parts[part]))
            self._groups = self._groups_of(part)
            self._part = part
        records = records_of(self._file.read_row_group(group, use_threads=False))
        return [self._placed(r) if isinstance(r, Dialogue) else r for r in records]

    def _placed(self, dialogue: Dialogue) -> Dialogue:
        """The dialogue with its group, and its split if the plan chose it."""
        group = self._groups.get(dialogue.record, "")
        split = self._plan.moved.get(group or dialogue.id, "")
        return replace(dialogue, group=group, split=split) if group or split else dialogue

    def _groups_of(self, part: int) -> dict[int, str]:
        sha256 = self._plan.groups[part] if self._plan.groups else ""
        if not sha256:
            return {}
        table = pq.read_table(self._planned(groups_key, part, sha256))
        return dict(zip(table.column("record").to_pylist(), table.column("group").to_pylist(), strict=True))

    def _planned(self, key_of: Callable[[int, str], str], part: int, sha256: str) -> pa.BufferReader:
        key = key_of(part, sha256)
        data = self._store.read(key)
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StoreError(f"{self._store.url}/{key} does not match {PLAN}; delete the output and build again")
        return pa.BufferReader(data)
