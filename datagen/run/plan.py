"""What is to be done, frozen before any speech is made: the input cut into units, and the identity of a build.

Planning reads every input once and keeps what it read in `input/`, a row group a unit, so that a worker finds
its dialogues without reading the rest. Duplicates are found here, so units stay independent. `plan.json`
comes last: while it is missing, nothing has begun.

Near-duplicates share a split. Who they are is known when all has been read and written, so their groups lie beside the
records, one small file for each file of `input/` that needs one.
"""

import hashlib
import json
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from io import BytesIO
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from datagen import DATA_VERSION, __version__, sources
from datagen.build import Build
from datagen.duplicates import most_of
from datagen.errors import ResumeError, SourceError, StoreError
from datagen.recipe import Input, Recipe
from datagen.records import Dialogue, Reject
from datagen.run.repeats import Grouping, mark_duplicates
from datagen.run.store import Store
from datagen.schema import GROUPS, INPUT, input_table, records_of

PLAN = "plan.json"
_UNITS_PER_PART = 64
_MAX_TOLD = 3
"""Differing values that a refusal names."""
_UNITS_AT_ONCE = 4
"""Units held as records while planning: few, so that even the largest records fit in memory."""


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


def identity(build: Build) -> dict[str, Any]:
    """All values that decide what a build contains."""
    recipe = build.recipe.identity()
    inputs = [asdict(file) for file in sources.fingerprint(build.recipe.input.paths)]
    return {
        "datagen": __version__,
        "data_version": DATA_VERSION,
        "recipe": recipe,
        "recipe_sha256": build.recipe.sha256(),
        "inputs": inputs,
        **build.describe(),
    }


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


def plan_build(build: Build, store: Store) -> Plan:
    """Plan a build, or find the plan of the one to resume.

    Raises:
        ResumeError: If the output belongs to another build; says which value differs.
        SourceError: If an input cannot be read or holds no record.
    """
    if not build.recipe.input.paths:
        raise SourceError("nothing to read: give --input PATH, or input.paths in the recipe")
    wanted = identity(build)
    plan = load_plan(store)
    if plan is None:
        made = _make_plan(build.recipe, wanted, store)
        store.create(PLAN, made.to_json())
        plan = load_plan(store)  # that of another driver, if it was faster
    if plan is None:
        raise StoreError(f"{store.url}: {PLAN} vanished while planning")
    refuse_another(store, plan, wanted)
    return plan


def remarks(plan: Plan) -> list[str]:
    """What a user should know of a plan before speech is made: near-duplicates that leave the splits lopsided."""
    largest, n_dialogues = plan.twins.get("largest", 0), plan.twins.get("n_dialogues", 0)
    if largest <= most_of(n_dialogues):
        return []
    threshold = plan.identity["recipe"]["splits"]["keep_together"]
    return [
        f"{largest} of {n_dialogues} dialogues are near-duplicates of one another and share a split, train wherever "
        f"possible; validation and test are dealt from the others. splits.keep_together ({threshold}) says how alike "
        "dialogues must be; null lets near-duplicates of training data into validation and test"
    ]


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


def _make_plan(recipe: Recipe, wanted: dict[str, Any], store: Store) -> Plan:
    shas, sizes = list[str](), list[int]()
    grouping = Grouping(recipe.splits.keep_together) if recipe.splits.keep_together else None
    records = mark_duplicates(_read(recipe.input), recipe.input, grouping)
    for part, (n_in_part, data) in enumerate(_parts(records, recipe.run.unit_dialogues)):
        shas.append(hashlib.sha256(data).hexdigest())
        store.create(part_key(part, shas[-1]), data)
        sizes.append(n_in_part)
    plan = Plan(wanted, sum(sizes), recipe.run.unit_dialogues, tuple(shas))
    if grouping is None:
        return plan
    clusters = grouping.clusters()
    counts = {"n_dialogues": clusters.n_dialogues, "n_alike": len(clusters)}
    twins = {**counts, "n_groups": len(clusters.members), "largest": clusters.largest}
    groups = tuple(_write_groups(grouping.names(clusters, recipe.splits), sizes, store))
    return replace(plan, groups=groups, twins=twins)


def _write_groups(names: dict[int, str], sizes: Sequence[int], store: Store) -> Iterator[str]:
    """Write the groups of each part that has any; gives the SHA-256 of each file, empty for none."""
    records, begin = list(names), 0
    for part, size in enumerate(sizes):
        first, last = bisect_left(records, begin), bisect_left(records, begin + size)
        begin += size
        if first == last:
            yield ""
            continue
        table = pa.table({"record": records[first:last], "group": [names[k] for k in records[first:last]]}, GROUPS)
        file = BytesIO()
        pq.write_table(table, file, compression="zstd", write_statistics=False)
        sha256 = hashlib.sha256(file.getvalue()).hexdigest()
        store.create(groups_key(part, sha256), file.getvalue())
        yield sha256


def _read(source: Input) -> Iterator[Dialogue | Reject]:
    return sources.read(
        source.paths, source.shape, split=source.hf_split, limit=source.limit, max_record_bytes=source.max_record_bytes
    )


def part_key(part: int, sha256: str) -> str:
    """Name of a file of planned input; it holds the content's hash, so drivers that plan at once do not collide."""
    return f"input/{part:05d}-{sha256[:12]}.parquet"


def groups_key(part: int, sha256: str) -> str:
    """Name of the file with the groups of a file of planned input."""
    return f"input/{part:05d}-groups-{sha256[:12]}.parquet"


def _parts(records: Iterator[Dialogue | Reject], unit_dialogues: int) -> Iterator[tuple[int, bytes]]:
    """Pack records into files, a row group a unit; gives the number of records and the bytes of each file."""
    while True:
        file, n_records = BytesIO(), 0
        with pq.ParquetWriter(file, INPUT, compression="zstd", use_dictionary=False, write_statistics=False) as writer:
            for _ in range(_UNITS_PER_PART // _UNITS_AT_ONCE):
                if not (batch := list(islice(records, _UNITS_AT_ONCE * unit_dialogues))):
                    break
                writer.write_table(input_table(batch), row_group_size=unit_dialogues)
                n_records += len(batch)
        if not n_records:
            return
        yield n_records, file.getvalue()


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
        part, group = divmod(index, _UNITS_PER_PART)
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
