"""Costs of planning, markers and the manifest, per dialogue and per unit, on the fake engines.

Each figure is of a process of its own. Markers of the large builds are written as a worker writes
them, without the data files they name, which no driver reads; `--build` makes every unit of a small
build for true, and `--whole` makes one build of any number of dialogues and samples the memory of
the driver and its workers, and the time per dialogue, all along.
"""

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from common import DATAGEN, recipe_for, show
from typing_extensions import override

from datagen import DATA_VERSION
from datagen.pipeline.pipeline import Pipeline
from datagen.recipe import LimitsConfig, Recipe
from datagen.recipe import load as load_recipe
from datagen.run.build import FailureLimit, build
from datagen.run.finish import finish
from datagen.run.job import Watcher
from datagen.run.planning import plan_build
from datagen.run.status import status
from datagen.shards.identity import Identity
from datagen.shards.manifest import MANIFEST
from datagen.shards.markers import all_but, markers, missing
from datagen.shards.plan import PLAN, Plan, load_plan
from datagen.shards.store import open_store
from datagen.shards.unit import File, Marker, data_key, marker_key

_TASKS = ("asr", "four_stream", "three_stream", "tts", "two_stream")
_SPLITS = ("test", "train", "validation")
PLACES = (("conversations", ""), *((task, split) for task in _TASKS for split in _SPLITS), ("rejects", ""))
"""Table and split of each file of a large unit."""
_TEXTS = (
    "Is room {} free on Monday?",
    "Yes, it is free until noon.",
    "Then keep it for me, please.",
    "Done, it is yours.",
)


def write_talks(file: Path, n: int, n_turns: int = 4) -> None:
    """Short dialogues of at most four turns, no two alike."""
    with file.open("w", encoding="utf-8") as out:
        for k in range(n):
            texts = enumerate(_TEXTS[:n_turns])
            turns = [{"role": ("user", "assistant")[i % 2], "text": text.format(k)} for i, text in texts]
            print(json.dumps({"id": f"d{k}", "language": "en", "turns": turns}), file=out)


def fake_recipe(source: Path, unit_dialogues: int) -> Recipe:
    """The fake recipe on this input."""
    return recipe_for("fake", source, f"run.unit_dialogues={unit_dialogues}")


def write_markers(out: Path, n_units: int) -> None:
    """Write a plan of 32 dialogues per unit, and all its markers, each with 17 files."""
    (out / "units").mkdir(parents=True)
    plan = made_up_plan(n_units)
    (out / PLAN).write_bytes(plan.to_json())
    for unit in range(n_units):
        (out / marker_key(unit)).write_bytes(made_up_marker(unit, plan.seal).to_json())


def made_up_plan(n_units: int) -> Plan:
    """A plan of 32 dialogues per unit, without its input."""
    work = Pipeline(load_recipe("fake"))
    versions = {"datagen": "", "data_version": DATA_VERSION, "recipe_sha256": ""}
    identity = Identity(**versions, recipe=work.recipe.identity(), inputs=(), **vars(work.describe()))
    plan = Plan(identity, 32 * n_units, 32, ("0" * 64,) * -(-n_units // 64))
    return replace(plan, seal=json.loads(plan.to_json())["seal"])


def made_up_marker(unit: int, plan: str) -> Marker:
    """The marker of a unit with a file in every place."""
    hashes = [hashlib.sha256(b"%d %d" % (unit, k)).hexdigest() for k in range(len(PLACES))]
    files = tuple(
        File(data_key(table, unit, split), table, split, 30, int(sha256[:4], 16), int(sha256[4:8], 16), sha256)
        for (table, split), sha256 in zip(PLACES, hashes, strict=True)
    )
    rejects = {"select/code": 1, "select/too_long": 1}
    return Marker(
        unit=unit,
        n_records=32,
        n_kept=30,
        n_samples=15_000_000,
        digest=hashes[0][:32],
        rejects=rejects,
        files=files,
        processor="x86_64 SkylakeX",
        finished_at=10**9 + unit,
        plan=plan,
    )


# -- what is measured, each in a process of its own
# ---------------------------------------------------------------


def nothing(_folder: Path) -> None:
    """Load the code and the engines; what every driver needs."""
    Pipeline(load_recipe("fake")).describe()


def plan(folder: Path) -> None:
    """Plan."""
    recipe = fake_recipe(folder / "talks.jsonl", 32)
    plan_build(Pipeline(recipe), open_store(str(folder / "out")))


def resume(folder: Path) -> None:
    """Find what is left to do, and what failed before, in a build of which the first half is done."""
    store = open_store(str(folder))
    found = load_plan(store)
    if found is None:
        raise SystemExit("no plan")
    left, limit = missing(store, 2 * found.n_units), FailureLimit(LimitsConfig())
    for marker in markers(store, all_but(left, 2 * found.n_units), found.seal):
        limit.count(marker)


def end(folder: Path) -> None:
    """Index, card and manifest."""
    store = open_store(str(folder))
    found = load_plan(store)
    if found is None:
        raise SystemExit("no plan")
    finish(store, found)


def look(folder: Path) -> None:
    """`datagen status`."""
    status(open_store(str(folder)))


PARTS = {part.__name__: part for part in (nothing, plan, resume, end, look)}


@dataclass(frozen=True)
class Cost:
    """Time and memory of a part in a process of its own; time without start-up."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def measured(part: str, folder: Path) -> Cost:
    """Run a part in a process of its own."""
    command = [sys.executable, __file__, "--part", part, "--folder", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        said = process.stdout.read() if process.stdout else ""
        _, code, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(code)
    if process.returncode:
        raise SystemExit(f"{part} failed")
    return Cost(*map(float, said.split()), peak_mb=usage.ru_maxrss / 1024)


def show_plan(folder: Path, n: int, base_mb: float) -> None:
    """Planning of short dialogues, the targets for a million."""
    folder.mkdir()
    write_talks(folder / "talks.jsonl", n)
    cost = measured("plan", folder)
    size = sum(file.stat().st_size for file in (folder / "out").rglob("*.*"))
    show(f"plan {n:,} short dialogues", cost.wall_s, "s", most=60 * n / 1e6)
    show("  CPU time", cost.cpu_s, "s")
    show("  peak memory", cost.peak_mb, "MB", most=500)
    show("  memory a dialogue", (cost.peak_mb - base_mb) * 1e6 / n, "bytes")
    show("  input/ and plan.json a dialogue", size / n, "bytes")


def show_units(folder: Path, n_units: int, base_mb: float) -> float:
    """Do the work of a driver on markers; returns the largest of its peaks in MB."""
    write_markers(folder, n_units)
    peaks = []
    for name, part, most in (
        ("find what is left", "resume", 5.0),
        ("status", "look", 5.0),
        ("end a build", "end", None),
    ):
        cost = measured(part, folder)
        show(f"{name}, {n_units:,} units", cost.wall_s, "s", most=most if n_units <= 10_000 else None)
        show("  CPU time", cost.cpu_s, "s")
        show("  peak memory above the start's", cost.peak_mb - base_mb, "MB")
        if part != "look":  # not the driver's
            peaks.append(cost.peak_mb)
    index = sum(file.stat().st_size for file in (folder / "index").iterdir())
    show("  manifest.json", (folder / MANIFEST).stat().st_size / 1000, "KB")
    show("  index a file of 17 a unit", index / n_units / 17, "bytes")
    show("  marker", (folder / marker_key(0)).stat().st_size, "bytes")
    return max(peaks)


def show_build(folder: Path, n_units: int) -> float:
    """A whole build of units of one dialogue: what a unit costs beyond speech; gives the peak of the driver in MB."""
    folder.mkdir()
    write_talks(folder / "talks.jsonl", n_units)
    recipe = folder / "recipe.yaml"
    recipe.write_text(fake_recipe(folder / "talks.jsonl", 1).to_yaml(), "utf-8")
    begin, peak_mb = time.perf_counter(), 0.0
    command = [*DATAGEN, "build", str(recipe), "--out", str(folder / "out"), "--workers", "2"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak_mb = max(peak_mb, _peak_mb(process.pid))
            time.sleep(0.2)
    took = time.perf_counter() - begin
    if process.returncode:
        raise SystemExit("the build failed")
    files = [file for file in (folder / "out").rglob("*.*") if file.is_file()]
    show(f"build of {n_units:,} units of one dialogue, 2 workers", took, "s")
    show("  a unit, one core", 2 * took / n_units * 1000, "ms")
    show("  files a unit", len(files) / n_units)
    show("  peak memory of the driver", peak_mb, "MB")
    return peak_mb


class Sampler(Watcher):
    """Samples the processes of a build whenever another share of it is done."""

    def __init__(self, n_samples: int) -> None:
        """A sampler that takes about `n_samples` samples."""
        self._n_samples, self._every, self._n_done = n_samples, 1, 0
        self.samples: list[Sample] = []

    @override
    def planned(self, plan: Plan, n_done: int) -> None:
        self._every = max(1, plan.n_units // self._n_samples)
        self.samples.append(sample(0))

    @override
    def unit_done(self, marker: Marker) -> None:
        self._n_done += marker.n_records
        if marker.unit % self._every == 0:
            self.samples.append(sample(self._n_done))


@dataclass(frozen=True)
class Sample:
    """A build at one moment."""

    n_dialogues: int
    wall_s: float
    cpu_s: float
    """Of the driver and its living workers."""
    driver_mb: float
    worker_mb: float
    """The largest worker's."""


def sample(n_dialogues: int) -> Sample:
    """The build in this process now."""
    workers = [int(pid) for file in Path("/proc/self/task").glob("*/children") for pid in file.read_text().split()]
    cpu_s = time.process_time() + sum(map(_cpu_s, workers))
    worker_mb = max((_memory_mb(pid, "VmRSS") for pid in workers), default=0.0)
    return Sample(n_dialogues, time.perf_counter(), cpu_s, _memory_mb(os.getpid(), "VmRSS"), worker_mb)


def show_whole(folder: Path, n: int, unit_dialogues: int) -> None:
    """One build of many dialogues of two turns and a single task, in this process with two workers."""
    folder.mkdir()
    write_talks(folder / "talks.jsonl", n, 2)
    changes = (f"run.unit_dialogues={unit_dialogues}", "flatten.tasks=[three_stream]", "input.exact_duplicates=false")
    recipe = recipe_for("fake", folder / "talks.jsonl", *changes, "splits.keep_together=null")
    sampler, begin, cpu = Sampler(200), time.perf_counter(), os.times()
    manifest = build(recipe, str(folder / "out"), 2, sampler)
    wall_s, after = time.perf_counter() - begin, os.times()
    cpu_s = sum(after[:4]) - sum(cpu[:4])
    show(f"build of {manifest.n_records:,} dialogues, {unit_dialogues} per unit, 2 workers", wall_s, "s")
    show("  CPU time per dialogue, planning included", 1000 * cpu_s / n, "ms")
    show("  conversation", manifest.hours, "hours")
    show_flat(sampler.samples)


def show_flat(samples: Sequence[Sample]) -> None:
    """Memory and time per dialogue of the last tenth of a build against the first, start-up left out."""
    first, last = tenths(samples)
    for name in ("driver_mb", "worker_mb"):
        mb = [statistics.median(getattr(each, name) for each in part) for part in (first, last)]
        show(f"  memory of the {name.removesuffix('_mb')}, median of the last tenth", mb[1], "MB")
        show("  the same / of the second tenth", mb[1] / mb[0], "", most=1.1)
    for name, what in (("cpu_s", "CPU"), ("wall_s", "wall")):
        cost = [_per_dialogue(part, name) for part in (first, last)]
        show(f"  {what} time per dialogue, last tenth", 1000 * cost[1], "ms")
        show("  the same / of the second tenth", cost[1] / cost[0], "", most=1.1 if name == "cpu_s" else None)


def tenths(samples: Sequence[Sample]) -> tuple[list[Sample], list[Sample]]:
    """Samples of the second and of the last tenth of the dialogues; in the first, workers start.

    >>> first, last = tenths([Sample(n, 0, 0, 0, 0) for n in range(0, 101, 5)])
    >>> [each.n_dialogues for each in first], [each.n_dialogues for each in last]
    ([10, 15, 20], [90, 95, 100])
    """
    n = samples[-1].n_dialogues

    def part(begin: float, end: float) -> list[Sample]:
        return [each for each in samples if begin * n <= each.n_dialogues <= end * n]

    return part(0.1, 0.2), part(0.9, 1)


def _per_dialogue(part: Sequence[Sample], name: str) -> float:
    spent: float = getattr(part[-1], name) - getattr(part[0], name)
    return spent / (part[-1].n_dialogues - part[0].n_dialogues)


def _cpu_s(pid: int) -> float:
    """CPU time of a process so far; 0 if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak_mb(pid: int) -> float:
    """The peak of one process without its children, as the system keeps it; 0 if it has ended."""
    return _memory_mb(pid, "VmHWM")


def _memory_mb(pid: int, name: str) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dialogues", type=int, default=1_000_000, help="dialogues to plan; 0: none")
    parser.add_argument("--units", type=int, default=10_000, help="units to end, and ten times as many; 0: none")
    parser.add_argument("--build", type=int, default=0, help="units to build for true, and ten times as many")
    parser.add_argument("--whole", type=int, default=0, help="dialogues of one build that is sampled all along")
    parser.add_argument("--unit-dialogues", type=int, default=64, help="per unit of that build")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        wall, cpu = time.perf_counter(), time.process_time()
        PARTS[options.part](options.folder)
        print(time.perf_counter() - wall, time.process_time() - cpu)
        return
    with TemporaryDirectory() as name:
        folder = Path(name)
        base_mb = measured("nothing", folder).peak_mb
        show("peak memory of a driver that does nothing", base_mb, "MB")
        if options.dialogues:
            show_plan(folder / "plan", options.dialogues, base_mb)
        if options.units:
            peaks = [show_units(folder / f"units-{k}", k * options.units, base_mb) for k in (1, 10)]
            show("driver's peak with ten times the units / with one", peaks[1] / peaks[0], "", most=1.1)
        if options.build:
            peaks = [show_build(folder / f"build-{k}", k * options.build) for k in (1, 10)]
            show("driver's peak with ten times the units / with one", peaks[1] / peaks[0], "", most=1.1)
        if options.whole:
            show_whole(folder / "whole", options.whole, options.unit_dialogues)


if __name__ == "__main__":
    main()
