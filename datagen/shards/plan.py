"""The plan of a build on disk: all that decides its content, and the records it will read."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from datagen.errors import ResumeError, StoreError
from datagen.records import Dialogue, Reject
from datagen.shards.schema import records_of
from datagen.shards.store import Store

PLAN = "plan.json"
UNITS_PER_PART = 64


_MAX_TOLD = 3
"""Differing values that a refusal names."""


@dataclass(frozen=True)
class Plan:
    """A planned build."""

    identity: dict[str, Any]
    """All that decides the content: versions, recipe, inputs, engines, voices, vocabulary, clock, silence."""
    n_records: int
    unit_dialogues: int
    parts: tuple[str, ...]
    """SHA-256 of each file of `input/` with records."""
    groups: tuple[str, ...] = ()
    """SHA-256 of the file with the groups of each part; empty where none has any. Absent before data version 4."""
    twins: dict[str, int] = field(default_factory=dict)
    """Dialogues compared, those that have near-duplicates, their groups, the largest; empty if none was looked for."""

    @property
    def n_units(self) -> int:
        """Units of the build; the last may be smaller."""
        return -(-self.n_records // self.unit_dialogues)

    def to_json(self) -> bytes:
        """As stored in plan.json."""
        return json.dumps(asdict(self), indent=1, sort_keys=True).encode()


def load_plan(store: Store) -> Plan | None:
    """The plan of an output, or None if nothing has begun there.

    Raises:
        StoreError: If plan.json is damaged.
    """
    if not store.exists(PLAN):
        return None
    try:
        values = json.loads(store.read(PLAN))
        frozen = Plan(values["identity"], values["n_records"], values["unit_dialogues"], tuple(values["parts"]))
        return replace(frozen, groups=tuple(values.get("groups", ())), twins=dict(values.get("twins", {})))
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{store.url}/{PLAN} is damaged ({error}); choose another --out") from error


def refuse_another(store: Store, plan: Plan, wanted: dict[str, Any]) -> None:
    """Go on only with the build that lies in an output.

    Raises:
        ResumeError: If its identity is not the wanted one; says which values differ.
    """
    if differing := differences(plan.identity, wanted):
        more = f"; and {len(differing) - _MAX_TOLD} more" if len(differing) > _MAX_TOLD else ""
        raise ResumeError(
            f"{store.url} holds another build: {'; '.join(differing[:_MAX_TOLD])}{more}. "
            "Use another --out, or the values it was made with"
        )


def differences(old: Any, new: Any, path: str = "") -> list[str]:
    """Which values of two identities differ, and how.

    Lists of named things, such as inputs, are compared thing by thing. An absent value counts as none, as in JSON.

    >>> differences({"recipe": {"seed": 7}}, {"recipe": {"seed": 8}})
    ['recipe.seed is 7 there and 8 now']
    >>> differences({"inputs": [{"name": "a.jsonl"}]}, {"inputs": []})
    ['inputs.a.jsonl is there but not now']
    """
    if old == new:
        return []
    if isinstance(old, list) and isinstance(new, list):
        return differences(_by_name(old), _by_name(new), path) or [f"{path} is in another order now"]
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [key for key in sorted({*old, *new}) if key != "recipe_sha256"]  # the values say it better
        below = [differences(old.get(key), new.get(key), f"{path}.{key}" if path else key) for key in keys]
        return [difference for each in below for difference in each]
    if isinstance(old, dict) or isinstance(new, dict):
        return [f"{path} is there but not now" if isinstance(old, dict) else f"{path} is now but not there"]
    return [f"{path} is {old!r} there and {new!r} now"]


def _by_name(values: list[Any]) -> dict[str, Any]:
    """A list as a dict of names, so that one thing more or less does not make all that follow differ."""
    found: dict[str, Any] = {}
    for position, value in enumerate(values):
        name = str(value["name"]) if isinstance(value, dict) and "name" in value else str(position)
        found[f"{name}~{position}" if name in found else name] = value
    return found


def part_key(part: int, sha256: str) -> str:
    """Name of a file of planned input; it holds the content's hash, so drivers that plan at once do not collide."""
    return f"input/{part:05d}-{sha256[:12]}.parquet"


def groups_key(part: int, sha256: str) -> str:
    """Name of the file with the groups of a file of planned input."""
    return f"input/{part:05d}-groups-{sha256[:12]}.parquet"


class PlannedInput:
    """Reads the records of a unit; keeps the last file at hand."""

    def __init__(self, plan: Plan, store: Store) -> None:
        """Take the plan and where `input/` lies."""
        self._plan, self._store = plan, store
        self._part = -1
        self._file: Any = None
        self._groups: dict[int, str] = {}

    def unit(self, index: int) -> list[Dialogue | Reject]:
        """Records of unit `index`, dialogues with their groups.

        Raises:
            StoreError: If the planned input is not what the plan froze.
        """
        part, group = divmod(index, UNITS_PER_PART)
        if part != self._part:
            self._file = pq.ParquetFile(self._planned(part_key, part, self._plan.parts[part]))
            self._groups = self._groups_of(part)
            self._part = part
        records = records_of(self._file.read_row_group(group, use_threads=False))
        return [
            replace(r, group=self._groups[r.record]) if isinstance(r, Dialogue) and r.record in self._groups else r
            for r in records
        ]

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
            raise StoreError(f"{self._store.url}/{key} is not what {PLAN} froze; delete the output and build anew")
        return pa.BufferReader(data)
