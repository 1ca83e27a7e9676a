"""Workers, unit sizes, kills and interrupts change no byte of the content."""

import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from datagen.errors import EngineError, LimitError
from datagen.recipe import Recipe
from datagen.run.board import WorkerState
from datagen.run.build import build
from datagen.shards.plan import Plan
from datagen.shards.store import LocalStore
from datagen.shards.unit import Block, Marker
from tests.run.builds import alive, children, command, fake, faults, made, n_markers, read, start, talk, tree, until

KILLED = -signal.SIGKILL


@pytest.mark.parametrize("size", [1, 3, 32])
def test_the_cut_into_units_does_not_show(tmp_path, size):
    _, one = made(tmp_path / "a", "run.unit_dialogues=2", n=7)
    out, other = made(tmp_path / "b", f"run.unit_dialogues={size}", n=7)
    assert other.digest == one.digest
    assert other.n_units == -(-7 // size)
    assert faults(out) == []


def test_two_processes_make_the_same_files_as_one(tmp_path):
    recipe = fake(tmp_path, "run.unit_dialogues=1", n=5)
    one = build(recipe, str(tmp_path / "one"), 1)
    two = build(recipe, str(tmp_path / "two"), 2)
    assert two.digest == one.digest
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
        self.act, self.plans, self.n_before, self.units, self.kept, self.notices = act, [], 0, [], [], []

    def planned(self, plan: Plan, n_done: int) -> None:
        self.plans.append(plan)
        self.n_before = n_done

    def unit_done(self, marker: Marker) -> None:
        self.units.append(marker.unit)
        if len(self.units) == 1:
            self.act()

    def notice(self, line: str) -> None:
        self.notices.append(line)

    def block_kept(self, block: Block) -> None:
        self.kept.append(block)

    def workers(self, states: Sequence[WorkerState]) -> None:
        pass


def test_a_watcher_hears_of_every_unit_once(tmp_path):
    class Stop(Exception):
        pass

    def stop() -> None:
        raise Stop

    recipe = fake(tmp_path)
    with pytest.raises(Stop):
        build(recipe, str(tmp_path / "out"), 0, Watching(stop))
    watcher = Watching()
    build(recipe, str(tmp_path / "out"), 0, watcher)
    assert (watcher.n_before, watcher.units, watcher.plans[0].n_units) == (1, [1, 2], 3)


def test_a_killed_worker_costs_nothing_but_time(tmp_path):
    recipe, gate = gated(tmp_path, 3, 4)

    def kill() -> None:
        os.kill(children(os.getpid())[0], signal.SIGKILL)
        gate.touch()

    watcher = Watching(kill)
    manifest = build(recipe, str(tmp_path / "out"), 2, watcher)
    assert sorted({*watcher.units}) == list(range(8))
    assert [line for line in watcher.notices if "its worker died (killed by signal 9) and is replaced" in line]
    assert faults(tmp_path / "out") == []
    assert manifest.digest == build(recipe, str(tmp_path / "clean")).digest
    assert children(os.getpid()) == []


def dialogues(*texts: str) -> list[object]:
    return [talk(f"Please go on {k}.", text, id=f"d{k}") for k, text in enumerate(texts)]


BAD = "No, I die here."


@pytest.mark.parametrize("n_workers", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_dialogue_that_kills_its_worker_is_a_reject_and_its_neighbours_are_kept(tmp_path, n_workers):
    voice = "engines.tts={name: 'tests.run.engines:Deadly'}"
    records = dialogues(*["Sure, I go on."] * 3, BAD, "Sure, I go on.", "Sure, I go on.")
    recipe = fake(tmp_path, voice, "run.unit_dialogues=3", "limits.attempts=2", records=records)
    watcher = Watching()
    build(recipe, str(tmp_path / "out"), n_workers, watcher)
    (crashed,) = read(tmp_path / "out", "rejects")
    assert (crashed["dialogue_id"], crashed["stage"], crashed["reason"]) == ("d3", "run", "crashed_worker")
    assert crashed["detail"] == "ended with status 9"
    assert "the last words" in crashed["traceback"]
    assert {row["dialogue_id"] for row in read(tmp_path / "out", "conversations")} == {"d0", "d1", "d2", "d4", "d5"}
    assert watcher.notices[-1] == "dialogue 'd3' kills its worker (ended with status 9) and is rejected"
    assert faults(tmp_path / "out") == []


def test_an_engine_that_hangs_is_ended(tmp_path):
    voice = "engines.tts={name: 'tests.run.engines:Hanging'}"
    records = dialogues("Sure, I go on.", "No, I hang here.", "Sure, I go on.")
    limits = "limits={attempts: 1, dialogue_seconds: 4}"
    build(fake(tmp_path, voice, limits, "run.unit_dialogues=3", records=records), str(tmp_path / "out"), 1)
    (hung,) = read(tmp_path / "out", "rejects")
    assert (hung["dialogue_id"], hung["reason"]) == ("d1", "crashed_worker")
    assert hung["detail"] == "hung until its time was up"
    assert "in speak" in hung["traceback"]  # where it hung
    assert faults(tmp_path / "out") == []


def test_workers_that_die_while_they_start_end_the_build_with_what_they_said(tmp_path):
    voice = "engines.tts={name: 'tests.run.engines:Stillborn'}"
    with pytest.raises(EngineError, match=r"(?s)workers die while they start \(ended with status 7\).*cannot load"):
        build(fake(tmp_path, voice), str(tmp_path / "out"), 2)


def test_engines_that_hang_while_they_load_end_the_build(tmp_path):
    voice = "engines.tts={name: 'tests.run.engines:Sleepy'}"
    with pytest.raises(
        EngineError, match=r"(?s)workers die while they start \(hung until its time was up\).*in __init__"
    ):
        build(fake(tmp_path, voice, "limits={attempts: 1, start_seconds: 4}"), str(tmp_path / "out"), 1)


def test_a_node_with_another_engine_refuses_to_work(tmp_path):
    voice = "engines.tts={name: 'tests.run.engines:Newer'}"
    with pytest.raises(EngineError, match=r"a different engine from the one in the plan: engines\.tts\.version is"):
        build(fake(tmp_path, voice), str(tmp_path / "out"), 1)
    assert n_markers(tmp_path / "out") == 0


def test_too_many_failures_stop_a_build_and_it_can_go_on(tmp_path):
    records = dialogues(*["All is broken here.", "All is broken, too.", "Sure, I go on."] * 2)
    voice = "engines.tts={name: 'tests.run.engines:Picky'}"

    def recipe(share: float) -> Recipe:
        limits = f"limits={{max_failed_share: {share}, min_dialogues: 3}}"
        return fake(tmp_path, voice, "run.unit_dialogues=1", limits, records=records)

    for n_done in (3, 3):  # a second run stops before it does anything
        with pytest.raises(LimitError, match=r"2 of 3 selected dialogues failed \(speak/bad_take 2\).*--set limits"):
            build(recipe(0.5), str(tmp_path / "out"))
        assert n_markers(tmp_path / "out") == n_done
    build(recipe(1), str(tmp_path / "out"))
    assert n_markers(tmp_path / "out") == 6


def test_rejects_of_the_input_are_no_failures(tmp_path):
    limits = "limits={max_failed_share: 0.01, min_dialogues: 1}"
    out, manifest = made(tmp_path, limits, n=6)
    assert manifest.n_rejects == 2
    assert n_markers(out) == 3


def test_an_attempt_that_got_as_far_as_the_conversations_is_not_made_again(tmp_path):
    voice = "engines.tts={name: 'tests.run.engines:Fickle'}", "verify.max_floor_db=0"
    out, first = made(tmp_path, *voice)
    for name in ("units/000001.json", "manifest.json"):
        (out / name).unlink()
    n_made = tree(out)["conversations/000001.parquet"]
    assert build(fake(tmp_path, *voice), str(out)) == first
    assert tree(out)["conversations/000001.parquet"] == n_made


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


@pytest.mark.parametrize("n_workers", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_build_killed_goes_on_where_it_was(tmp_path, n_workers):
    recipe, gate = gated(tmp_path, 3, 4)
    arguments = command(recipe, tmp_path, tmp_path / "out", n_workers)
    process = start(arguments, tmp_path)
    until(lambda: n_markers(tmp_path / "out") >= 3, process)
    workers = children(process.pid)
    assert len(workers) == n_workers
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
    assert "run the same command again to continue" in said
    assert "Traceback" not in said
    assert not any(map(alive, workers))
    gate.touch()
    finish(arguments, tmp_path)
    same_as_never_stopped(recipe, tmp_path)


def test_ctrl_c_while_workers_start_is_quiet(tmp_path):
    recipe, _ = gated(tmp_path, *range(8))
    process = start(command(recipe, tmp_path, tmp_path / "out", 2), tmp_path)
    until(lambda: len(children(process.pid)) == 2, process)
    until(lambda: all(os.getpgid(child) != process.pid for child in children(process.pid)))  # out of Ctrl-C's reach
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait() == 130
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_scratch_of_a_killed_writer_is_no_data(tmp_path):
    """Whatever a killed process left half-written is neither read nor in the way."""
    out, manifest = made(tmp_path / "a")
    (out / ".writing").mkdir(exist_ok=True)
    (out / ".writing" / "half").write_bytes(b"PAR1")
    assert faults(out) == [".writing/half: left over from a writer that was killed; delete it"]
    assert build(fake(tmp_path / "a"), str(out)) == manifest
    assert LocalStore(out).exists(".writing/half")  # no name of ours: it is left alone
