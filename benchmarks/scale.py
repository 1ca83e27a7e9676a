"""Costs of planning, markers and the manifest, per dialogue and per unit, on the fake engines.

Each figure is of a process of its own. Markers of the large builds are written as a worker writes
them, without the data files they name, which no driver reads; `--build` makes every unit of a small
build for true.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from common import DATAGEN, recipe_for, show

from datagen.pipeline.pipeline import Pipeline
from datagen.recipe import LimitsConfig, Recipe
from datagen.recipe import load as load_recipe
from datagen.run.build import FailureLimit
from datagen.run.finish import finish
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


def write_talks(file: Path, n: int) -> None:
    """Short dialogues of four turns, no two alike."""
    with file.open("w", encoding="utf-8") as out:
        for k in range(n):
            turns = [{"role": ("user", "assistant")[i % 2], "text": text.format(k)} for i, text in enumerate(_TEXTS)]
            print(json.dumps({"id": f"d{k}", "language": "en", "turns": turns}), file=out)


def fake_recipe(source: Path, unit_dialogues: int) -> Recipe:
    """The fake recipe on this input."""
    return recipe_for("fake", source, f"run.unit_dialogues={unit_dialogues}")


def write_markers(out: Path, n_units: int) -> None:
    """Write a plan of 32 dialogues per unit, and all its markers, each with 17 files."""
    (out / "units").mkdir(parents=True)
    (out / PLAN).write_bytes(made_up_plan(n_units).to_json())
    for unit in range(n_units):
        (out / marker_key(unit)).write_bytes(made_up_marker(unit).to_json())


def made_up_plan(n_units: int) -> Plan:
    """A plan of 32 dialogues per unit, without its input."""
    work = Pipeline(load_recipe("fake"))
    versions = {"datagen": "", "data_version": 0, "recipe_sha256": ""}
    identity = Identity(**versions, recipe=work.recipe.identity(), inputs=(), **vars(work.describe()))
    return Plan(identity, 32 * n_units, 32, ("0" * 64,) * -(-n_units // 64))


def made_up_marker(unit: int) -> Marker:
    """The marker of a unit with a file in every place."""
    hashes = [hashlib.sha256(b"%d %d" % (unit, k)).hexdigest() for k in range(len(PLACES))]
    files = tuple(
        File(data_key(table, unit, split), table, split, 30, int(sha256[:4], 16), int(sha256[4:8], 16), sha256)
        for (table, split), sha256 in zip(PLACES, hashes, strict=True)
    )
    rejects = {"select/code": 1, "select/too_long": 1}
    return Marker(unit, 32, 30, 15_000_000, hashes[0][:32], rejects, files, "x86_64 SkylakeX", 10**9 + unit)


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
    for marker in markers(store, all_but(left, 2 * found.n_units)):
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


def _peak_mb(pid: int) -> float:
    """The peak of one process without its children, as the system keeps it; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dialogues", type=int, default=1_000_000, help="dialogues to plan; 0: none")
    parser.add_argument("--units", type=int, default=10_000, help="units to end, and ten times as many; 0: none")
    parser.add_argument("--build", type=int, default=0, help="units to build for true, and ten times as many")
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


if __name__ == "__main__":
    main()
