"""Workers, unit sizes, kills and interrupts change no byte of the content."""

import multiprocessing
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from datagen.errors import EngineError
from datagen.recipe import Recipe
from datagen.run.build import build
from datagen.run.commit import Marker
from datagen.run.local import interrupts_held
from datagen.run.plan import Plan
from datagen.run.store import LocalStore
from tests.run.builds import (
    alive,
    children,
    command,
    end_all,
    fake,
    faults,
    hears_ctrl_c,
    made,
    n_markers,
    read,
    start,
    talk,
    tree,
    until,
)

KILLED = -signal.SIGKILL


@pytest.fixture(autouse=True)
def nothing_runs_on():
    yield
    end_all()


@pytest.mark.parametrize("size", [1, 3, 32])
def test_the_cut_into_units_does_not_show(tmp_path, size):
    _, one = made(tmp_path / "a", "run.unit_dialogues=2", n=7)
    out, other = made(tmp_path / "b", f"run.unit_dialogues={size}", n=7)
    assert other.values["digest"] == one.values["digest"]
    assert other.values["n_units"] == -(-7 // size)
    assert faults(out) == []


def test_two_processes_make_the_same_files_as_one(tmp_path):
    recipe = fake(tmp_path, "run.unit_dialogues=1", n=5)
    one = build(recipe, str(tmp_path / "one"), 1)
    two = build(recipe, str(tmp_path / "two"), 2)
    assert two.values["digest"] == one.values["digest"]
    assert tree(tmp_path / "two") == tree(tmp_path / "one")


def test_a_dialogue_comes_out_alike_whatever_stands_beside_it(tmp_path):
    records = [talk(f"Tell me about {k} pears please.", "Sure, they are green.", id=f"d{k}") for k in range(4)]
    here, _ = made(tmp_path / "a", records=records)
    there, _ = made(tmp_path / "b", "run.unit_dialogues=3", records=[talk("One more?", "Yes, one."), *records[::-1]])
    alone = {row["row_id"]: row for row in read(here, "three_stream")}
    among = {row["row_id"]: row for row in read(there, "three_stream")}
    assert len(alone) == 4
    assert {name: among[name] for name in alone} == alone


def test_a_finished_build_is_left_as_it_is(tmp_path):
    recipe = fake(tmp_path)
    first = build(recipe, str(tmp_path / "out"))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert build(recipe, str(tmp_path / "out"), 2) == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*") if path.is_file()} == before


class Watching:
    """A watcher that acts when the first unit is done."""

    def __init__(self, act: Callable[[], None] = lambda: None) -> None:
        self.act, self.plans, self.n_before, self.units = act, [], 0, []

    def planned(self, plan: Plan, n_done: int) -> None:
        self.plans.append(plan)
        self.n_before = n_done

    def unit_done(self, marker: Marker) -> None:
        self.units.append(marker.unit)
        if len(self.units) == 1:
            self.act()


def test_a_watcher_hears_of_every_unit_once(tmp_path):
    class Stop(Exception):
        pass

    def stop() -> None:
        raise Stop

    recipe = fake(tmp_path)
    with pytest.raises(Stop):
        build(recipe, str(tmp_path / "out"), 1, Watching(stop))
    watcher = Watching()
    build(recipe, str(tmp_path / "out"), 1, watcher)
    assert (watcher.n_before, watcher.units, watcher.plans[0].n_units) == (1, [1, 2], 3)


def test_a_killed_worker_costs_nothing_but_time(tmp_path):
    def kill() -> None:
        os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)

    recipe = fake(tmp_path, "run.unit_dialogues=1", n=8)
    watcher = Watching(kill)
    manifest = build(recipe, str(tmp_path / "out"), 2, watcher)
    assert sorted({*watcher.units}) == list(range(8))
    assert faults(tmp_path / "out") == []
    assert manifest.values["digest"] == build(recipe, str(tmp_path / "clean")).values["digest"]
    assert multiprocessing.active_children() == []


@pytest.mark.slow
def test_a_unit_that_kills_its_worker_is_named_and_all_others_are_done(tmp_path):
    records = [talk("Please go on.", "No, I die here." if k == 2 else "Sure, I go on.", id=f"d{k}") for k in range(4)]
    overrides = "engines.tts={name: 'tests.run.engines:Deadly'}", "run.unit_dialogues=1", "input.exact_duplicates=false"
    with pytest.raises(EngineError, match=r"units \[2\] kill their worker"):
        build(fake(tmp_path, *overrides, records=records), str(tmp_path / "out"), 2)
    assert n_markers(tmp_path / "out") == 3


# -- the command line, killed -----------------------------------------------------------------------------------


def gated(folder: Path, *units: int, n: int = 8) -> tuple[Recipe, Path]:
    """A build of one dialogue a unit that stands still at some until `folder/gate` is there."""
    folder.mkdir(parents=True, exist_ok=True)
    gate = folder / "gate"
    answers = ["Here is a gate for you." if k in units else "Sure, they are red." for k in range(n)]
    records = [talk(f"Tell me about {k} apples please.", answer, id=f"d{k}") for k, answer in enumerate(answers)]
    voice = f"engines.tts={{name: 'tests.run.engines:Gated', options: {{gate: {gate}}}}}"
    return fake(folder, voice, "run.unit_dialogues=1", records=records), gate


def finish(arguments: list[str], folder: Path) -> None:
    process = start(arguments, folder, "rerun")
    assert process.wait() == 0, (folder / "rerun").read_text()


def same_as_never_stopped(recipe: Recipe, folder: Path) -> None:
    """What lies in `folder/out` is what an undisturbed build makes."""
    clean, out = folder / "clean", folder / "out"
    build(recipe, str(clean))
    assert faults(out) == []
    files = {key: data for key, data in tree(out).items() if not key.startswith(".writing/")}
    assert files == tree(clean)


@pytest.mark.parametrize("n_workers", [1, 2])
def test_a_build_killed_goes_on_where_it_was(tmp_path, n_workers):
    recipe, gate = gated(tmp_path, 3, 4)
    arguments = command(recipe, tmp_path, tmp_path / "out", n_workers)
    process = start(arguments, tmp_path)
    until(lambda: n_markers(tmp_path / "out") >= 3, process)
    workers = children(process.pid)
    assert len(workers) == (2 if n_workers == 2 else 0)
    process.kill()
    assert process.wait() == KILLED
    until(lambda: not any(map(alive, workers)))  # workers end with their driver
    assert n_markers(tmp_path / "out") == 3
    assert not (tmp_path / "out" / "manifest.json").exists()
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "conversations").iterdir()}
    gate.touch()
    finish(arguments, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    same_as_never_stopped(recipe, tmp_path)


def test_ctrl_c_leaves_a_build_to_resume(tmp_path):
    """As a terminal sends it: to the driver and all its workers."""
    recipe, gate = gated(tmp_path, 3, 4)
    arguments = command(recipe, tmp_path, tmp_path / "out", 2)
    process = start(arguments, tmp_path)
    until(lambda: n_markers(tmp_path / "out") >= 3, process)
    workers = children(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait() == 130
    said = (tmp_path / "log").read_text()
    assert "run the same command again to go on" in said
    assert "Traceback" not in said
    assert not any(map(alive, workers))
    gate.touch()
    finish(arguments, tmp_path)
    same_as_never_stopped(recipe, tmp_path)


def test_ctrl_c_while_workers_start_is_quiet(tmp_path):
    recipe, _ = gated(tmp_path, *range(8))
    process = start(command(recipe, tmp_path, tmp_path / "out", 2), tmp_path)
    until(lambda: len(children(process.pid)) == 2, process)
    assert not any(map(hears_ctrl_c, children(process.pid)))
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait() == 130
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_ctrl_c_while_a_process_starts_is_held_but_not_lost():
    reached = []
    with pytest.raises(KeyboardInterrupt), interrupts_held():
        signal.raise_signal(signal.SIGINT)
        reached.append(True)
    assert reached
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)  # all is as before


@pytest.mark.slow
def test_a_storm_of_kills_changes_nothing(tmp_path):
    """Killed as soon as so many new files lie there, again and again, workers or driver or all."""
    recipe, gate = gated(tmp_path, n=40)
    gate.touch()
    out, chance = tmp_path / "out", random.Random(5)
    arguments = command(recipe, tmp_path, out, 2)
    for _ in range(15):
        process = start(arguments, tmp_path)
        wanted = len(tree(out)) + chance.randint(1, 7)
        until(lambda process=process, wanted=wanted: len(tree(out)) >= wanted or process.poll() is not None)
        workers = children(process.pid)
        victim = chance.choice(["driver", "worker", "all"])
        if victim == "worker" and workers:
            os.kill(workers[0], signal.SIGKILL)
        if victim != "all" and process.poll() is None:
            process.kill()
        elif process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        until(lambda workers=workers: not any(map(alive, workers)))
    finish(arguments, tmp_path)
    same_as_never_stopped(recipe, tmp_path)


@pytest.mark.slow
def test_two_drivers_at_one_output_agree(tmp_path):
    recipe, gate = gated(tmp_path, n=12)
    gate.touch()
    arguments = command(recipe, tmp_path, tmp_path / "out", 1)
    processes = [start(arguments, tmp_path, f"log{k}") for k in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    same_as_never_stopped(recipe, tmp_path)


def test_scratch_of_a_killed_writer_is_no_data(tmp_path):
    """Whatever a killed process left half-written is neither read nor in the way."""
    out, manifest = made(tmp_path / "a")
    (out / ".writing").mkdir(exist_ok=True)
    (out / ".writing" / "half").write_bytes(b"PAR1")
    assert faults(out) == []
    assert build(fake(tmp_path / "a"), str(out)) == manifest
    assert LocalStore(out).exists(".writing/half")  # too young to sweep: it may be in use
