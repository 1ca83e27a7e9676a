"""Kill storms: whatever is killed with -9 in a build, whenever, running on gives what an undisturbed build gives."""

import pytest

from tests.run.builds import alive, command, start, until
from tests.run.ray_cluster import cluster_of
from tests.run.storms import RayStorm, Storm, kill, workers_of
from tests.run.test_parity import gated, same_as_never_stopped

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster():
    pytest.importorskip("ray")
    with cluster_of(2) as cluster:
        yield cluster


@pytest.fixture
def reachable(cluster, monkeypatch):
    for name, value in cluster.environment().items():
        monkeypatch.setenv(name, value)
    return cluster


@pytest.mark.parametrize(("n_workers", "size"), [(1, 1), (2, 1), (3, 1), (8, 4)])
def test_a_storm_on_one_machine_changes_nothing(tmp_path, n_workers, size):
    """Of eight workers, all but one unit is in pieces."""
    storm = Storm(tmp_path, n_workers, f"run.unit_dialogues={size}")
    victims, seen = workers_of(storm)
    storm.run(command(storm.recipe, tmp_path, storm.out, n_workers), victims, kill)
    until(lambda: not any(map(alive, seen)))  # workers end with their driver, however it ends


POOLS = "pools={speak: {cpus: 0.4}, place: {cpus: 0.3}, mix: {cpus: 0.3}, encode: {cpus: 0.3}}"


@pytest.mark.parametrize(("seed", "pools", "n"), [(1, "pools={}", 60), (2, "pools={}", 60), (3, POOLS, 160)])
def test_a_storm_on_a_cluster_changes_nothing(reachable, tmp_path, seed, pools, n):
    """With pools more dialogues are needed: what waits between them is committed in bursts."""
    RayStorm(reachable, tmp_path, seed, pools, n=n, n_kills=10).rage()


def test_a_local_driver_and_one_on_ray_agree(reachable, tmp_path):
    RayStorm(reachable, tmp_path, 0, n=40).rivals()


def test_a_node_that_comes_later_is_put_to_work(monkeypatch, tmp_path):
    pytest.importorskip("ray")
    with cluster_of(1) as cluster:
        storm = RayStorm(cluster, tmp_path, 0)
        for name, value in cluster.environment().items():
            monkeypatch.setenv(name, value)
        process = start(storm.arguments, tmp_path)
        until(lambda: len(cluster.running(b"UnitActor")) == 1, process)
        cluster.add()
        until(lambda: len(cluster.running(b"UnitActor")) == 2, process)
        (storm.tickets / "all").touch()
        assert process.wait() == 0, (tmp_path / "log").read_text()
    same_as_never_stopped(storm.recipe, tmp_path)


def test_two_drivers_at_one_output_agree(tmp_path):
    recipe, gate = gated(tmp_path, n=12)
    gate.touch()
    arguments = command(recipe, tmp_path, tmp_path / "out", 1)
    processes = [start(arguments, tmp_path, f"log{k}") for k in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    same_as_never_stopped(recipe, tmp_path)
