"""An export as a job: conversations of a build in the format of another package, unit by unit.

The only file here that knows `run`: it describes the job, which runs as a build does.
"""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from typing_extensions import override

from datagen import __version__
from datagen.errors import DatagenError, ResumeError, StoreError
from datagen.export.augment import cannot_swap
from datagen.export.clip import ExportClip
from datagen.export.convention import Convention, convention_of
from datagen.export.export_identity import EXPORT, Exported, ExportIdentity
from datagen.export.files import UnitFiles, json_line, packed, part_key
from datagen.export.formats import Format, format_of
from datagen.export.presets import preset_of
from datagen.export.selection import Selection
from datagen.inspect import Output
from datagen.inspect.conversation import ConversationFile
from datagen.run.finish import gathered
from datagen.run.job import Engine, Job, Watcher, WholeUnits, WorkerPool, settled
from datagen.run.run_job import run_job
from datagen.shards import digest
from datagen.shards.identity import differences
from datagen.shards.manifest import MANIFEST, Manifest, Sums
from datagen.shards.markers import Tally, marker_of
from datagen.shards.plan import PLAN, Plan, read_plan, records_per_unit
from datagen.shards.seal import refuse_broken
from datagen.shards.store import SCRATCH, Store, open_store
from datagen.shards.unit import File, Marker, data_key, marker_key

_ALWAYS = ("soundfile", "soxr", "numpy")
"""Packages that decide the bytes of sound."""
_SPLIT = "split/"
"""Before the name of a split, in the counts of a marker."""
_MOST_LIST_BYTES = 1 << 29
"""A longer list is continued in another file."""


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """The selection and the conventions of an export."""

    format: str = ""
    """Empty: that of the preset."""
    preset: str = ""
    values: Mapping[str, Any] | None = None
    """Values of the convention that differ from those of preset and format."""
    selection: Selection = field(default_factory=Selection)
    trust: bool = False
    """True if engines that the build names may run their own code."""

    def settled(self, manifest: Manifest) -> tuple[str, Convention]:
        """The format and the whole convention.

        Raises:
            DatagenError: If there is no such format, preset or value.
        """
        preset = preset_of(self.preset) if self.preset else None
        name = self.format or (preset.format if preset else "")
        if not name:
            raise DatagenError("name a format (--format) or a consumer (--for)")
        layers = [format_of(name).defaults, preset.values if preset else {}, self.values or {}]
        values = {key: value for layer in layers for key, value in layer.items()}
        values["kinds"] = {kind: how for layer in layers for kind, how in layer.get("kinds", {}).items()}
        if not manifest.has_audio and format_of(name).has_sound and values.get("codec") != "codes":
            values["decoded"] = True
        return name, convention_of(values)


def export(
    source: str,
    to: str,
    request: ExportRequest,
    n_workers: int = 0,
    watcher: Watcher | None = None,
    engine: Engine = "local",
    address: str = "local",
    *,
    verify: bool = False,
) -> Exported:
    """Export conversations of a build, or resume an export that was interrupted.

    Args:
        source: Directory or URL of a finished build.
        to: Directory or URL of the export.
        request: What to export, and how.
        n_workers: Number of workers, as in `run_job`.
        watcher: Receives reports of progress.
        engine: `local` processes or `ray`.
        address: Address of the Ray cluster.
        verify: If true, hashes of finished units' files are compared before the export continues.

    Raises:
        DatagenError: If the user can fix the fault: a format, an option, a package, the build, the target.
    """
    job = ExportJob(source, request)
    return run_job(job, to, n_workers, watcher, engine, address, verify=verify)


class ExportJob(Job[Exported, ExportIdentity]):
    """An export."""

    def __init__(self, source: str, request: ExportRequest) -> None:
        self._source, self._trust = source, request.trust
        self._output = Output(source, request.trust)
        manifest = self._output.manifest
        self._output.schema("conversations")  # refuses what was flattened from another build
        name, convention = request.settled(manifest)
        if convention.decoded:
            _ = self._output.speech_tokenizer  # refuses, before any worker starts, what must not be loaded
        kind = format_of(name)
        self._format = kind(convention, self._output)
        self._hours = convention.shard_hours or min(kind.hours, manifest.hours / kind.least_units)
        self.identity = ExportIdentity(
            datagen=__version__,
            build=manifest.digest,
            format=name,
            convention=convention,
            selection=request.selection,
            packages={each: _version(each) for each in (*_ALWAYS, *kind.packages)},
        )

    @override
    def plan(self, store: Store) -> Plan[ExportIdentity]:
        _refuse_another(store, self.identity)
        manifest = self._output.manifest
        n_dialogues = records_per_unit(manifest.recipe) * units_together(manifest, self._hours)
        plan = settled(store, self.identity, lambda: Plan(self.identity, manifest.n_records, n_dialogues, ()))
        if plan.unit_dialogues != n_dialogues:
            raise ResumeError(
                f"{store.url} was divided into other units by another version of datagen; use another --to"
            )
        return plan

    @override
    def pools(self, out: str, n_workers: int, engine: Engine) -> list[WorkerPool]:
        return [WorkerPool(ExportWorker, (self._source, out, self._trust))]

    @override
    def complete(self, store: Store) -> bool:
        return store.exists(EXPORT)

    @override
    def finish(self, store: Store, plan: Plan[ExportIdentity]) -> Exported:
        if self.complete(store):
            return Exported.load(store)
        tally, index = gathered(store, plan)
        lists = {key: _write(store, key, data) for key, data in _lists(self._format, plan, store)}
        exported = replace(
            _summed(plan, tally, self._output), index=tuple(index), lists=dict(sorted(lists.items())), store=store
        )
        store.create(EXPORT, exported.to_json())
        return exported

    @property
    def sample_rate_hz(self) -> int:
        """Samples per second of the build's times."""
        return self._output.sample_rate_hz

    def next_step(self, to: str) -> str:
        """A line on how to read the export."""
        return self._format.next_step(to)


def units_together(manifest: Manifest, hours: float) -> int:
    """Number of units of a build whose conversations become one unit of an export.

    Args:
        manifest: That of the build.
        hours: Wanted hours of conversation per unit.
    """
    in_unit = manifest.hours / max(manifest.n_units, 1)
    return max(1, min(round(hours / in_unit), manifest.n_units)) if in_unit else 1


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def _refuse_another(store: Store, wanted: ExportIdentity) -> None:
    """Check that a target is empty, or holds this export.

    Raises:
        ResumeError: If it holds something else.
    """
    if not store.exists(PLAN):
        found = next((key for key in store.keys("") if not key.startswith(f"{SCRATCH}/")), None)
        if found is not None:
            raise ResumeError(f"{store.url} contains other files, such as {found}; use another --to")
        return
    try:
        plan = read_plan(store, ExportIdentity)
    except StoreError as error:
        found = "a build" if store.exists(MANIFEST) else f"a build, or a damaged export ({error})"
        raise ResumeError(f"{store.url} contains {found}; use another --to") from error
    if plan and (differing := differences(plan.identity, wanted)):
        raise ResumeError(f"{store.url} contains another export: {'; '.join(differing[:3])}; use another --to")


def _summed(plan: Plan[ExportIdentity], tally: Tally, output: Output) -> Exported:
    tables = {
        table: {split: Sums(**sums) for split, sums in sorted(splits.items())}
        for table, splits in sorted(tally.tables.items())
    }
    return Exported(
        identity=plan.identity,
        n_conversations={split: tally.notices[f"{_SPLIT}{split}"] for split in plan.identity.selection.splits},
        hours=round(tally.hours(output.sample_rate_hz), 4),
        n_units=plan.n_units,
        digest=digest.to_text(tally.digest),
        counts={name: n for name, n in sorted(tally.notices.items()) if not name.startswith(_SPLIT)},
        tables=tables,
        index=(),
        lists={},
        plan=plan.seal,
    )


def _write(store: Store, key: str, data: bytes) -> str:
    """Write a list, which another driver may have written; returns its hash."""
    store.replace(key, data)
    return hashlib.sha256(data).hexdigest()


def _lists(format: Format, plan: Plan[ExportIdentity], store: Store) -> Iterator[tuple[str, bytes]]:
    """The lists of a whole export, from the lines of its units: names and bytes."""
    splits = plan.identity.selection.splits
    found: dict[tuple[str, str], list[Any]] = {(name, split): [] for name in format.lists for split in splits}
    written = {place: _List(format.lists[place[0]].format(split=place[1])) for place in found if format.lists[place[0]]}
    for unit in range(plan.n_units):
        for line in store.read(part_key(unit)).splitlines():
            each = json.loads(line)
            place = each["list"], each["split"]
            if place in written:
                yield from written[place].add(json_line(each["line"]))
            else:
                found[place].append(each["line"])
    for each in written.values():
        yield each.end()
    yield from format.finish(splits, {place: lines for place, lines in found.items() if place not in written})


class _List:
    """A list that is continued in another file when it is long."""

    def __init__(self, key: str) -> None:
        self._key, self._number = key, 0
        self._lines, self._n_bytes = list[bytes](), 0

    def add(self, line: bytes) -> Iterator[tuple[str, bytes]]:
        """Add a line; yields a file that is full."""
        if self._n_bytes + len(line) > _MOST_LIST_BYTES and self._lines:
            yield self.end()
        self._lines.append(line)
        self._n_bytes += len(line)

    def end(self) -> tuple[str, bytes]:
        """The file with the lines so far: `cuts.jsonl.gz`, then `cuts-1.jsonl.gz` and so on."""
        folder, slash, name = self._key.rpartition("/")
        stem, dot, ending = name.partition(".")
        key = f"{folder}{slash}{stem}{f'-{self._number}' if self._number else ''}{dot}{ending}"
        data = packed(self._lines, key)
        self._lines, self._n_bytes, self._number = [], 0, self._number + 1
        return key, data


class _Loaded(ConversationFile):
    """The conversations of a data file that was read and checked as a whole.

    It must not hold its conversations, which hold it: in a cycle, sound would stay in memory until a rare collection.
    """

    def __init__(self, output: Output, key: str) -> None:
        super().__init__(output, File(key, "conversations", "", 0, 0, 0, ""))
        data, self._place = output.store.read(key), f"{output.url}/{key}"
        refuse_broken(data, self._place)
        with self._named():
            self._parquet = pq.ParquetFile(pa.BufferReader(data))

    def _read(self, columns: list[str]) -> pa.Table:
        with self._named():
            return self._parquet.read(columns=columns, use_threads=False)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Turn what pyarrow raises into an error that names the file."""
        try:
            yield
        except (pa.ArrowException, OSError) as error:
            raise StoreError(f"{self._place} is damaged: {str(error).splitlines()[0]}") from error


class ExportWorker(WholeUnits):
    """A worker whose units are conversations to export."""

    doing = "exporting"

    def __init__(self, source: str, out: str, trust: bool) -> None:
        self._store, self._output = open_store(out), Output(source, trust)
        plan = read_plan(self._store, ExportIdentity)
        if plan is None:
            raise ResumeError(f"{out} lost its {PLAN}")
        if plan.identity.build != self._output.manifest.digest:
            raise ResumeError(f"{source} is another build now; restore it, or export to another --to")
        self._plan, self._test = plan, plan.identity.selection.test()
        self._format = format_of(plan.identity.format)(plan.identity.convention, self._output)

    def run(self, unit: int) -> Marker:
        """Export and commit a unit."""
        files = UnitFiles(self._store, unit)
        taken: list[tuple[str, int]] = []
        self._format.write(self._clips(unit, taken, files), files)
        files.close()
        splits = [split for split, _ in taken]
        hashes = (hashlib.blake2b(f"{f.key} {f.sha256}".encode(), digest_size=16).digest() for f in files.files)
        marker = Marker(
            unit=unit,
            n_records=len(taken),
            n_kept=len(taken),
            n_samples=sum(n for _, n in taken),
            digest=digest.to_text(digest.total(int.from_bytes(each, "little") for each in hashes)),
            notices={**files.counts, **{f"{_SPLIT}{split}": splits.count(split) for split in sorted({*splits})}},
            files=tuple(files.files),
            finished_at=int(time.time()),
            plan=self._plan.seal,
        )
        if not self._store.create(marker_key(unit), marker.to_json()):
            return marker_of(self._store, unit, marker.plan)
        return marker

    def _clips(self, unit: int, taken: list[tuple[str, int]], files: UnitFiles) -> Iterator[ExportClip]:
        """The selected conversations of a unit; notes the split and length of each, and counts what is left out."""
        manifest, convention = self._output.manifest, self._plan.identity.convention
        n_together = self._plan.unit_dialogues // records_per_unit(manifest.recipe)
        for k in range(unit * n_together, min((unit + 1) * n_together, manifest.n_units)):
            for talk in _Loaded(self._output, data_key("conversations", k)):
                clip = ExportClip.of(talk, convention)
                if not self._test(talk.streams):
                    continue
                if convention.swap and (reason := cannot_swap(talk.streams)):
                    files.count(f"conversations left out, whose roles cannot be exchanged: {reason}", 1)
                    continue
                taken.append((talk.split, clip.talk.streams.n_samples))
                yield clip
