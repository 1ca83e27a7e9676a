"""Preflight: all resources of a build are probed before the first speech, and all faults listed at once.

preflight(pipeline, store)     engines, sounds, voices, inputs, takes, output
faults_of(pipeline, store)     the same, as a list
estimate(...)                  length and size of the output, against the free space
dry_run(recipe, out)           both, and the plan; writes nothing
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from datagen.engines.normalizers import Normalizers
from datagen.errors import DatagenError, SourceError, StoreError, refuse
from datagen.faults import explained
from datagen.pipeline.flatten.flatten import OF_UTTERANCES
from datagen.pipeline.pipeline import Pipeline
from datagen.pipeline.select import Select, count_words
from datagen.pipeline.step import apply
from datagen.recipe import Recipe, refuse_secrets
from datagen.records import Dialogue, Reject
from datagen.run.budget import CpuBudget
from datagen.run.cost import core_hours
from datagen.run.kept import probe
from datagen.run.kept_audio import WORDS_PER_HOUR
from datagen.run.planning import identity, plan_build, remarks
from datagen.run.takes import check_takes
from datagen.shards.bucket import is_url
from datagen.shards.markers import missing
from datagen.shards.plan import Plan, PlannedInput, load_plan, refuse_another
from datagen.shards.store import LocalStore, Store, open_store
from datagen.sources.inputs import resolve
from datagen.sources.recordings.layout_of import is_single
from datagen.terminal import counted

_UNTRIED = "output: listed; writing was not tried, because nothing is written"
_BYTES_PER_HOUR = 4_000_000
"""Conversations and rows of all tasks without audio: measured on the quickstart recipe."""
_AUDIO_BYTES_PER_HOUR = 130_000_000
"""FLAC of both channels at 24 kHz with noise, measured there too; kept takes need about half of it (estimated)."""


def preflight(build: Pipeline, store: Store, address: str | None = None) -> None:
    """Probe all resources of a build.

    Args:
        build: The build.
        store: Its output.
        address: Of the Ray cluster to connect to; None: none.

    Raises:
        DatagenError: If any is missing or cannot be used; lists all of them.
    """
    refuse(faults_of(build, store, address))


def faults_of(build: Pipeline, store: Store, address: str | None = None) -> list[DatagenError]:
    """A fault for each resource of a build that is missing or cannot be used."""
    recipe = build.recipe
    probes: list[Callable[[], object]] = [
        lambda: check_takes(recipe.takes),
        lambda: _check_inputs(build),
        lambda: _check_writable(store),
    ]
    if address is not None:
        probes.append(lambda: _check_reached(address))
    faults = list(build.faults())
    for check in probes:
        try:
            check()
        except Exception as error:
            known = explained(error)
            if known is None:
                raise
            faults.append(known)
    return list({str(fault): fault for fault in faults}.values())  # a broken tokenizer breaks what is made of it too


def _check_reached(address: str) -> None:
    from datagen.run.ray import reached

    with reached(address):
        pass


def _check_inputs(build: Pipeline) -> None:
    source = build.recipe.input
    if source.recordings is not None:
        _ = build.catalogue  # reading it checks it
        return
    if not source.paths:
        raise SourceError("no input: use --input PATH, or set input.paths in the recipe")
    resolve(source.paths)


def _check_writable(store: Store) -> None:
    """Check that an output can be written; of an object store, that it can be listed.

    Raises:
        StoreError: If not.
    """
    if is_url(store.url):
        next(store.keys(""), None)  # a look for one file does not tell a missing bucket from a missing file
        return
    place = _nearest(Path(store.url))
    if not place.is_dir():
        raise StoreError(f"{store.url}: {place} is a file; choose another --out")
    if not os.access(place, os.W_OK | os.X_OK):
        raise StoreError(f"{store.url}: {place} cannot be written; fix its permissions, or choose another --out")


def _nearest(path: Path) -> Path:
    """A path, or the nearest of its parents that exists."""
    path = path.absolute()
    return next((place for place in (path, *path.parents) if place.exists()), path)


@dataclass(frozen=True)
class Estimate:
    """The size of what the units that are left would make, estimated from the words of the first records."""

    n_records: int
    n_units: int
    n_left: int
    """Units that are not done yet."""
    kept_share: float
    """Share of the first records that `select` keeps."""
    hours: float
    """Hours of conversation."""
    n_bytes: int
    free_bytes: int | None
    """Free space where the output lies; None for an object store."""
    core_hours: float = 0.0
    """Time of one core, from measured speeds; 0 if an engine's is not known."""
    unknown_speed: str = ""
    """That engine."""
    notices: tuple[str, ...] = ()

    @property
    def cost(self) -> str:
        """The computing time for people."""
        if self.unknown_speed:
            return (
                f"core-hours: not known for the engine {self.unknown_speed}; a build with --limit 20 measures its speed"
            )
        return (
            f"core-hours: about {self.core_hours:.2g} (estimated from speeds measured on one core of 2.1 GHz; add a "
            "tenth on a cluster)"
        )

    @property
    def line(self) -> str:
        """The estimate for people."""
        free = f", {_size(self.free_bytes)} free" if self.free_bytes is not None else ""
        return (
            f"{counted(self.n_records, 'record')} in {counted(self.n_units, 'unit')}, {self.n_left} left: "
            f"about {self.hours:.1f} hours of "
            f"conversation and {_size(self.n_bytes)} on disk{free}; select keeps {self.kept_share:.0%} of the first "
            "records (estimated)"
        )


def _size(n_bytes: int) -> str:
    """A size for people.

    >>> _size(5_000), _size(3_200_000_000)
    ('0.0 MB', '3.2 GB')
    """
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.1f} MB"


def estimate(recipe: Recipe, plan: Plan, store: Store, planned: Store, n_left: int) -> Estimate:
    """Try the first records, and estimate the output.

    Args:
        recipe: The recipe.
        plan: Its plan.
        store: The output.
        planned: The store with the planned input; mostly the output.
        n_left: Number of units that are not done.

    Raises:
        LimitError: If nothing would be kept, or nearly all rejected for one reason.
        StoreError: If the output would certainly not fit into the free space.
    """
    lengths: list[float] = []
    outcome = probe(_selected(recipe, plan, planned, lengths), plan.n_records, recipe.limits.max_rejected_share)
    hours = sum(lengths) / max(outcome.n_records, 1) * plan.n_records * n_left / max(plan.n_units, 1)
    audio = bool(plan.keep_audio) + recipe.takes.keep / 2
    n_bytes = int(hours * (_BYTES_PER_HOUR + audio * _AUDIO_BYTES_PER_HOUR))
    free = None if is_url(store.url) else shutil.disk_usage(_nearest(Path(store.url))).free
    share = outcome.n_kept / max(outcome.n_records, 1)
    cost, unknown = core_hours(recipe, hours)
    found = Estimate(plan.n_records, plan.n_units, n_left, share, hours, n_bytes, free, cost, unknown)
    if free is not None and n_bytes > 2 * free:
        raise StoreError(
            f"{store.url}: the output needs about {_size(n_bytes)}, and {_size(free)} are free; free some space, "
            "choose another --out, or build less with --limit (mix.keep_audio and takes.keep need most of it)"
        )
    return found


def _selected(recipe: Recipe, plan: Plan, store: Store, hours: list[float]) -> Iterator[Dialogue | Reject]:
    """The records of the input as `select` leaves them; the length of each conversation is added to `hours`."""
    planned = PlannedInput(plan, store)
    if recipe.input.recordings is not None:
        for unit in range(plan.n_units):
            for record in planned.unit(unit):
                if isinstance(record, Dialogue) and record.recorded is not None:
                    hours.append(record.recorded.n_samples / recipe.sample_rate_hz / 3600)
                yield record
        return
    stage = Select(recipe.select, Normalizers(recipe.script.normalizer))
    select = CpuBudget(recipe.limits.stage_cpu_seconds).over(stage)
    for unit in range(plan.n_units):
        for record in planned.unit(unit):
            result: Dialogue | Reject = apply("select", select, record)
            if isinstance(result, Dialogue):
                hours.append(sum(count_words(turn.text) for turn in result.turns) / WORDS_PER_HOUR)
            yield result


def dry_run(recipe: Recipe, out: str, address: str | None = None) -> Estimate:
    """Do all that a build does before its first speech, and write nothing to the output.

    Args:
        recipe: The recipe.
        out: Output directory or URL.
        address: Of the Ray cluster of the build; None: it runs on this machine.

    Raises:
        DatagenError: As a build would raise it.
    """
    refuse_secrets(recipe.dump(), recipe.name)
    build, store = Pipeline(recipe), open_store(out)
    preflight(build, store, address)
    found = estimated(build, store)
    return replace(found, notices=(*found.notices, _UNTRIED)) if is_url(store.url) else found


def estimated(build: Pipeline, store: Store) -> Estimate:
    """The estimate of a build without faults; writes nothing to the output.

    Raises:
        DatagenError: If the output belongs to another build, nothing would be kept, or it would not fit.
    """
    recipe = build.recipe
    standing = load_plan(store)
    with tempfile.TemporaryDirectory() as folder:
        scratch: Store = LocalStore(folder)
        if standing is not None:
            refuse_another(store, standing, identity(build))
            scratch = store
        plan = standing or plan_build(build, scratch)
        left = plan.n_units if standing is None else len(missing(store, plan.n_units))
        found = estimate(recipe, plan, store, scratch, left)
    return replace(found, notices=(*remarks(plan), *notices(build, found)))


def notices(build: Pipeline, found: Estimate | None = None) -> list[str]:
    """Remarks on resources that do not stop a build: files that are skipped, space that may not do."""
    lines = [f"skipped: {line}" for line in build.skipped()]
    recordings, tasks = build.recipe.input.recordings, build.recipe.flatten.tasks
    if recordings is not None and is_single(recordings) and (without := set(tasks) - {*OF_UTTERANCES}):
        lines.append(f"nobody answers in the input, so there will be no rows of {', '.join(sorted(without))}")
    if found and found.free_bytes is not None and found.n_bytes > found.free_bytes:
        lines.append(f"the output may need more than is free: about {_size(found.n_bytes)} (estimated)")
    return lines
