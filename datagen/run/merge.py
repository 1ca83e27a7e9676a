"""One build from several: their conversations under one plan, copied and flattened again, exactly once.

Records are numbered through, in the order of the builds, and cut into new units. A dialogue whose
id an earlier build has becomes `K:ID`, with K the number of its build from 1; its split stays. Every
file that is read has the hash of its manifest. docs/recordings.md says what builds must share.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

import pyarrow as pa
from typing_extensions import override

from datagen import DATA_VERSION, __version__
from datagen.errors import DatagenError, ResumeError, StoreError, refuse
from datagen.recipe import LimitsConfig, sha256_of
from datagen.records import Dialogue, EngineInfo, InputFile, Reject, Streams, Voice
from datagen.run.commit import commit_blocks, found_unit, sorted_out
from datagen.run.finish import finish
from datagen.run.job import Engine, Job, WholeUnits, WorkerPool, settled
from datagen.run.planning import write_groups, write_parts
from datagen.run.reflatten import flattener
from datagen.run.run_job import run_job
from datagen.shards.identity import Identity, KeptApart, MergedBuild
from datagen.shards.manifest import MANIFEST, Manifest
from datagen.shards.plan import Plan, PlannedInput, blocks_of, load_plan, records_per_unit
from datagen.shards.schema import conversations_table, streams_of
from datagen.shards.store import Store, open_store
from datagen.shards.tables import about, fetched, footer_of, from_parquet, groups_of, verified
from datagen.shards.unit import File, Marker, unit_of

_EQUAL = ("data_version", "vocabulary", "clock", "silence")
_EQUAL_ENGINES = ("speech_tokenizer", "text_tokenizer")
_EQUAL_SECTIONS = {
    "flatten": "set the same values of flatten in both",
    "splits": "set the same values of splits in both",
}
"""Sections of the recipe that builds must share, and the fix if they do not."""
_SPLIT_COLUMNS = ["split", *(f"utterances.list.element.{name}" for name in ("role", "voice"))]
_MAX_NAMED = 3


def merge(sources: Sequence[str], out: str, n_workers: int = 0) -> Manifest:
    """Merge finished builds with equal vocabularies into one.

    Args:
        sources: Outputs of at least two finished builds, in this order.
        out: Directory or URL of the new build.
        n_workers: Number of processes; with 0 the work is done in this one.

    Raises:
        StoreError: If a source is unfinished, damaged or of another data version.
        DatagenError: If the builds do not fit together; names all differences.
        ResumeError: If `out` contains something else.
    """
    return run_job(MergeJob(sources), out, n_workers)


class MergeJob(Job[Manifest, Identity]):
    """A merge of finished builds."""

    limits = LimitsConfig()

    def __init__(self, sources: Sequence[str]) -> None:
        if len(sources) < 2:
            raise DatagenError("name at least two builds to merge")
        self._urls = list(sources)
        self._sources = [Manifest.load(open_store(url)) for url in sources]

    @override
    def plan(self, store: Store) -> Plan:
        refuse(list(_differences(self._sources)))
        wanted = _identity(self._sources)
        return settled(store, wanted, lambda: self._made(wanted, store))

    def _made(self, wanted: Identity, store: Store) -> Plan:
        refuse(list(_crossing(self._sources)))
        records = _Records(self._sources)
        shas, sizes = write_parts(iter(records), int(wanted.recipe["run"]["unit_dialogues"]), store)
        groups = tuple(write_groups(records.groups, sizes, store))
        moved = {group: split for build in self._sources for group, split in _plan_of(build).moved.items()}
        keep_audio = bool(wanted.recipe["mix"]["keep_audio"])
        n_per_unit = records_per_unit(wanted.recipe)
        return Plan(wanted, sum(sizes), n_per_unit, tuple(shas), groups, moved=moved, keep_audio=keep_audio)

    @override
    def pools(self, out: str, n_workers: int, engine: Engine) -> list[WorkerPool]:
        return [WorkerPool(_Merger, (self._urls, out))]

    @override
    def complete(self, store: Store) -> bool:
        return store.exists(MANIFEST)

    @override
    def finish(self, store: Store, plan: Plan) -> Manifest:
        return Manifest.load(store) if self.complete(store) else finish(store, plan)


# -- builds that fit together ----------------------------------------------------------------------------------------


def _differences(builds: Sequence[Manifest]) -> Iterator[DatagenError]:
    """Faults of builds that cannot be merged."""
    for each in builds:
        if each.data_version != DATA_VERSION:
            yield StoreError(
                f"{each.store.url} has data version {each.data_version}, not {DATA_VERSION}; build it again"
            )
        if each.conversations is not None:
            yield DatagenError(f"{each.store.url} holds no conversations: merge the build that it was flattened from")
    for other in builds[1:]:
        both = f"{builds[0].store.url} and {other.store.url} have different"
        yield from (DatagenError(f"{both} {fault}") for fault in _differing(builds[0], other))


def _differing(first: Manifest, other: Manifest) -> Iterator[str]:
    """The values that two builds should share."""
    for name in _EQUAL:
        if getattr(first, name) != getattr(other, name):
            yield f"{name}: {getattr(first, name)} and {getattr(other, name)}"
    for kind in _EQUAL_ENGINES:
        if first.engines.get(kind) != other.engines.get(kind):
            yield f"engines.{kind}; encode both alike"
    for section, fix in _EQUAL_SECTIONS.items():
        if first.recipe[section] != other.recipe[section]:
            yield f"recipe.{section}; {fix}"
    for name, voice in other.voices.items():
        if first.voices.get(name, voice) != voice:
            yield f"facts about the voice {name!r}"


def _crossing(builds: Sequence[Manifest]) -> Iterator[DatagenError]:
    """A fault if a user's speaker would be in two splits, unless the recipes allow that."""
    if any(build.recipe["splits"].get("share_voices") for build in builds):
        return
    splits: dict[str, set[str]] = {}
    for build in builds:
        for file in build.files("conversations"):
            for row in from_parquet(verified(build.store, file.key, file.sha256), file.key, _SPLIT_COLUMNS).to_pylist():
                for voice in {u["voice"] for u in row["utterances"] if u["role"] == "user"}:
                    known = build.voices.get(voice) if build.kept_apart != "voices" else None
                    speaker = known.speaker if known else voice
                    splits.setdefault(speaker, set()).add(row["split"])
    crossing = sorted(speaker for speaker, found in splits.items() if len(found) > 1)
    if crossing:
        named = ", ".join(crossing[:_MAX_NAMED])
        yield DatagenError(
            f"{len(crossing)} speakers would be in several splits: {named}; build their recordings in one build, or "
            "set splits.share_voices in both"
        )


def _identity(builds: Sequence[Manifest]) -> Identity:
    """The identity of a merged build: what its parts share, and who they are."""
    first = builds[0]
    recipe = {**first.recipe, "name": "merged", "description": "Several builds as one; see merged in manifest.json"}
    recipe["input"] = {**first.recipe["input"], "paths": [], "limit": None}
    recipe["input"].pop("recordings", None)
    recipe["mix"] = {**first.recipe["mix"], "keep_audio": all(build.has_audio for build in builds)}
    voices = {name: voice for build in builds for name, voice in build.voices.items()}
    return Identity(
        datagen=__version__,
        data_version=DATA_VERSION,
        recipe=recipe,
        recipe_sha256=sha256_of(recipe),
        inputs=tuple(_input(k, build) for k, build in enumerate(builds, 1)),
        engines=_engines(builds),
        voices=dict[str, Voice](sorted(voices.items())),
        vocabulary=first.vocabulary,
        clock=first.clock,
        silence=first.silence,
        kept_apart=_apart(builds),
        merged=tuple(
            MergedBuild(str(build.recipe["name"]), build.digest, build.n_records, build.recipe_sha256, build.recipe)
            for build in builds
        ),
    )


def _apart(builds: Sequence[Manifest]) -> KeptApart:
    """The parts of user voices that no two splits share: the weakest of all builds."""
    found = {build.kept_apart for build in builds}
    if "nothing" in found:
        return "nothing"
    return "voices" if "voices" in found else "speakers"


def _input(number: int, build: Manifest) -> InputFile:
    data = build.store.read(MANIFEST)
    return InputFile(f"{number}/{MANIFEST}", hashlib.sha256(data).hexdigest(), len(data))


def _engines(builds: Sequence[Manifest]) -> dict[str, EngineInfo]:
    """All engines; a kind that differs is numbered by its build."""
    found: dict[str, EngineInfo] = {}
    for number, build in enumerate(builds, 1):
        for kind, info in build.engines.items():
            found[kind if found.get(kind, info) == info else f"{kind}.{number}"] = info
    return found


# -- records of all builds -------------------------------------------------------------------------------------------


class _Records:
    """The planned records of all builds, numbered through; `groups` is complete after the last one."""

    def __init__(self, builds: Sequence[Manifest]) -> None:
        self._builds = builds
        self.groups: dict[int, str] = {}
        """The group of each record whose group is not its own id."""

    def __iter__(self) -> Iterator[Dialogue | Reject]:
        seen = set[str]()
        number = 0
        for k, build in enumerate(self._builds, 1):
            plan = _plan_of(build)
            planned = PlannedInput(plan, build.store)
            own = set[str]()
            for unit in range(plan.n_units):
                for record in planned.unit(unit):
                    named = _renumbered(record, number, seen, k)
                    if isinstance(named, Dialogue) and isinstance(record, Dialogue):
                        own.add(named.id)
                        group = record.group or record.id
                        if group != named.id:
                            self.groups[number] = group
                    yield named
                    number += 1
            seen |= own


def _renumbered(record: Dialogue | Reject, number: int, seen: set[str], build: int) -> Dialogue | Reject:
    if isinstance(record, Reject):
        return replace(record, record=number)
    id = record.id
    while id in seen:
        id = f"{build}:{id}"
    return replace(record, id=id, record=number)


def _plan_of(build: Manifest) -> Plan:
    plan = load_plan(build.store)
    if plan is None or not plan.parts:
        raise StoreError(f"{build.store.url} has no planned input; restore it from a copy, or build again")
    return plan


@dataclass
class _Part:
    """A build whose conversations are copied, in order of their records; keeps a row group of the last unit."""

    build: Manifest
    unit_dialogues: int
    files: dict[int, File]
    _unit: int = -1
    _groups: Iterator[dict[int, Streams | Reject]] = field(default_factory=lambda: iter(()))
    _results: dict[int, Streams | Reject] = field(default_factory=dict)

    @classmethod
    def of(cls, build: Manifest) -> "_Part":
        files = {unit_of(file.key) or 0: file for file in build.files("conversations")}
        return cls(build, _plan_of(build).unit_dialogues, files)

    def result(self, record: int) -> Streams | Reject:
        """The conversation or reject of a record, which may not precede that of the last call.

        Raises:
            StoreError: If it is not there.
        """
        unit = record // self.unit_dialogues
        if unit != self._unit:
            self._unit, self._groups = unit, self._read(unit)
            self._results = next(self._groups)
        while record not in self._results:
            more = next(self._groups, None)
            if more is None:
                raise StoreError(f"{self.build.store.url}: record {record} is neither a conversation nor a reject")
            self._results = more
        return self._results[record]

    def _read(self, unit: int) -> Iterator[dict[int, Streams | Reject]]:
        """The results of a unit by record: its rejects, and with them one row group of conversations after another."""
        file = self.files[unit]
        with fetched(self.build.store, file.key, file.sha256) as data:
            said = about(footer_of(data, file.key))
            rejects = {r["record"]: Reject(**r) for r in said.get("rejects", ())}
            yield {**rejects}
            for table in groups_of(data, file.key):
                yield {**rejects, **{s.record: s for s in streams_of(table)}}


class _Merger(WholeUnits):
    """A worker whose units are records of the merged builds."""

    doing = "copying"

    def __init__(self, urls: Sequence[str], out: str) -> None:
        self._store = open_store(out)
        plan = load_plan(self._store)
        if plan is None:
            raise ResumeError(f"{out} lost its plan.json")
        self._plan, self._planned = plan, PlannedInput(plan, self._store)
        self._header, self._flatten = plan.header(), flattener(plan.identity)
        self._parts = [_Part.of(Manifest.load(open_store(url))) for url in urls]
        self._begins = [0, *accumulate(part.build.n_records for part in self._parts)]

    def run(self, unit: int) -> Marker:
        """Copy, flatten and commit a unit."""
        found = found_unit(self._store, unit, self._flatten, self._header)
        if found:
            return found
        return commit_blocks(self._store, unit, self._blocks(unit), self._flatten, self._header)

    def _blocks(self, unit: int) -> Iterator[tuple[pa.Table, list[Reject]]]:
        """The conversations and rejects of each block of a unit."""
        for block in blocks_of(self._plan, unit):
            streams, rejects = sorted_out(map(self._result, self._planned.block(block)))
            yield conversations_table(streams), rejects

    def _result(self, planned: Dialogue | Reject) -> Streams | Reject:
        k = bisect_right(self._begins, planned.record) - 1
        result = self._parts[k].result(planned.record - self._begins[k])
        id = planned.id if isinstance(planned, Dialogue) else planned.dialogue_id
        return replace(result, record=planned.record, dialogue_id=id)
