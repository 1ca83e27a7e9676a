"""On Ray the same bytes as on one machine, and every fault told in our words. Storms and clusters: test_storm.py."""

import contextlib
import os
import re
import signal
import socket
from pathlib import Path

import pytest

from datagen.errors import ClusterError, EngineError, StoreError
from datagen.pipeline.pipeline import Pipeline
from datagen.recipe import PoolConfig
from datagen.run.board import WorkerState
from datagen.run.build import build
from datagen.run.pools import missing
from tests.run.builds import command, environment, fake, faults, read, start, tree
from tests.run.test_parity import Watching, dialogues, gated

ray = pytest.importorskip("ray")


@pytest.fixture(scope="module")
def cluster():
    """A Ray of two cores and a pretended GPU in this process; workers find the engines of tests."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = environment()["PYTHONPATH"]
    ray.init(
        "local", num_cpus=2, num_gpus=1, include_dashboard=False, log_to_driver=False, object_store_memory=100 << 20
    )
    yield
    ray.shutdown()
    os.environ.pop("PYTHONPATH") if before is None else os.environ.update(PYTHONPATH=before)


pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"
)

POOLS = "pools={speak: {cpus: 0.5, gpus: 1}, place: {cpus: 0.5}, mix: {cpus: 0.5}, encode: {cpus: 0.5}}"


@pytest.mark.parametrize("pools", ["pools={}", POOLS])
def test_ray_makes_the_same_files_as_this_process(cluster, tmp_path, pools):
    recipe = fake(tmp_path, "run.unit_dialogues=2", pools, n=7)
    assert len(Pipeline(recipe).pools()) == (1 if pools == "pools={}" else 3)
    here = build(recipe, str(tmp_path / "here"))
    watcher = Watching()
    there = build(recipe, str(tmp_path / "there"), 2, watcher, engine="ray")
    assert there.digest == here.digest
    assert tree(tmp_path / "there") == tree(tmp_path / "here")
    assert sorted(watcher.units) == [0, 1, 2, 3]


@pytest.mark.parametrize("pools", ["pools={}", POOLS])
def test_blocks_of_units_are_spread_over_actors_and_a_unit_is_committed_after_its_last(cluster, tmp_path, pools):
    recipe = fake(tmp_path, "run.unit_dialogues=1", "run.units_per_file=4", pools, n=7)
    build(recipe, str(tmp_path / "here"))
    watcher = Watching()
    build(recipe, str(tmp_path / "there"), 2, watcher, engine="ray")
    assert tree(tmp_path / "there") == tree(tmp_path / "here")
    assert sorted(watcher.units) == [0, 1]
    assert sorted((block.unit, block.index) for block in watcher.kept) == [(k // 4, k % 4) for k in range(7)]


@pytest.mark.slow
@pytest.mark.parametrize("pools", ["pools={}", POOLS])
def test_a_dialogue_that_kills_its_worker_is_a_reject_on_ray_too(cluster, tmp_path, pools):
    voice = "engines.tts={name: 'tests.run.engines:Deadly'}"
    records = dialogues("Sure, I go on.", "No, I die here.", "Sure, I go on.")
    recipe = fake(tmp_path, voice, pools, "limits.attempts=2", "run.unit_dialogues=3", records=records)
    watcher = Watching()
    build(recipe, str(tmp_path / "out"), 1, watcher, engine="ray")
    (crashed,) = read(tmp_path / "out", "rejects")
    assert (crashed["dialogue_id"], crashed["reason"], crashed["detail"]) == (
        "d1",
        "crashed_worker",
        "ended with status 9",
    )
    assert "dialogue 'd1' kills its worker (ended with status 9) and is rejected" in watcher.notices
    assert faults(tmp_path / "out") == []


def parent(pid: int) -> int:
    """Parent of a process; 0 if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def actors() -> list[int]:
    """Processes in which the Ray of this process runs units."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        pid = int(file.parent.name)
        with contextlib.suppress(OSError):
            if b"UnitActor" in file.read_bytes() and parent(parent(pid)) == os.getpid():
                found.append(pid)
    return found


@pytest.mark.slow
def test_a_killed_actor_costs_nothing_but_time(cluster, tmp_path):
    recipe, gate = gated(tmp_path, 3, n=6)

    def kill() -> None:
        (actor,) = actors()
        os.kill(actor, signal.SIGKILL)
        gate.touch()

    watcher = Watching(kill)
    manifest = build(recipe, str(tmp_path / "out"), 1, watcher, engine="ray")
    assert sorted({*watcher.units}) == list(range(6))
    assert faults(tmp_path / "out") == []
    assert manifest.digest == build(recipe, str(tmp_path / "clean")).digest


def test_what_each_worker_does_is_seen_while_it_does_it(cluster, tmp_path):
    recipe, gate = gated(tmp_path, 3, n=5)
    watcher, seen = Watching(), []

    def look(states: list[WorkerState]) -> None:
        seen.extend(states)
        if any(3 in state.units for state in states):  # it stands still until it was seen
            gate.touch()

    watcher.workers = look
    build(recipe, str(tmp_path / "out"), 1, watcher, engine="ray")
    (busy, *_) = (state for state in seen if 3 in state.units)
    assert (busy.node, busy.steps) == (socket.gethostname(), "")
    assert busy.seconds >= 0
    assert busy.n_done in range(4)


def test_what_fails_in_a_worker_is_raised_in_the_driver(cluster, tmp_path):
    recipe = fake(tmp_path)

    def spoil(*_: object) -> None:
        (part,) = (tmp_path / "out" / "input").iterdir()
        part.write_bytes(b"spoiled")

    watcher = Watching()
    watcher.planned = spoil
    with pytest.raises(StoreError, match=r"does not match plan\.json"):
        build(recipe, str(tmp_path / "out"), 1, watcher, engine="ray")
    voice = "engines.tts={name: 'tests.run.engines:Stillborn'}"
    with pytest.raises(EngineError, match=r"(?s)workers die while they start.*cannot load"):
        build(fake(tmp_path, voice, "limits.attempts=1"), str(tmp_path / "other"), 1, engine="ray")


def test_a_recipe_that_cannot_be_placed_fails_with_what_is_missing(cluster, tmp_path):
    recipe = fake(tmp_path, "pools={speak: {gpus: 1, min_workers: 2}}", "limits.cluster_seconds=0")
    with pytest.raises(ClusterError, match=r"no room for worker 2 of 2 that needs 1 CPU, 1 GPU .* 2 CPU, 1 GPU"):
        build(recipe, str(tmp_path / "out"), engine="ray")


def test_pools_that_only_fit_one_after_the_other_do_not_fit():
    pools = [PoolConfig(cpus=1.1), PoolConfig(cpus=1.1)]
    assert missing(pools, [{"CPU": 2, "GPU": 0}])
    assert not missing(pools, [{"CPU": 1.1, "GPU": 0}] * 2)
    assert missing([PoolConfig(cpus=1)], [])


@pytest.mark.slow
def test_the_terminal_shows_our_words_alone(tmp_path):
    recipe = fake(tmp_path, n=4)
    arguments = [*command(recipe, tmp_path, tmp_path / "out", 1), "--engine", "ray"]
    process = start(arguments, tmp_path)
    assert process.wait() == 0, (tmp_path / "log").read_text()
    progress = re.compile(r"\d+/\d+ units, |.*: planning and loading engines|  \S+ \d+: ")  # of a slow machine
    said = [line for line in (tmp_path / "log").read_text().splitlines() if not progress.match(line)]
    assert said[0].endswith("4 records in 2 units")
    assert said[1].startswith("Done: ")


def test_no_cluster_is_one_clear_error(tmp_path):
    arguments = command(fake(tmp_path), tmp_path, tmp_path / "out", 1)
    process = start([*arguments, "--engine", "ray", "--address", "127.0.0.1:1"], tmp_path)
    assert process.wait() == 1
    said = (tmp_path / "log").read_text()
    assert said.splitlines()[-1].startswith("datagen: no Ray cluster at '127.0.0.1:1'")
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()  # it is found before anything is planned
