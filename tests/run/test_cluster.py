"""On a cluster of four nodes the same content as in one process, whatever the workers, pools and unit sizes."""

import sys
from pathlib import Path

import pytest

from datagen.recipe import Recipe
from datagen.run.build import build
from datagen.shards.manifest import Manifest
from datagen.shards.store import LocalStore
from tests.run.builds import command, fake, faults, n_markers, read, start
from tests.run.ray_cluster import Cluster, cluster_of
from tests.run.test_parity import dialogues

pytestmark = pytest.mark.slow
N = 33


@pytest.fixture(scope="module")
def cluster():
    """Three nodes of a core, and one that says it has a GPU, too."""
    pytest.importorskip("ray")
    with cluster_of(3) as cluster:
        cluster.add(n_gpus=1)
        yield cluster


@pytest.fixture(scope="module")
def digest(tmp_path_factory):
    """Of a build in this process."""
    folder = tmp_path_factory.mktemp("reference")
    return build(fake(folder, n=N), str(folder / "out")).digest


def built(recipe: Recipe, folder: Path, n_workers: int, *options: str) -> Manifest:
    """A build by the command line."""
    process = start([*command(recipe, folder, folder / "out", n_workers), *options], folder)
    assert process.wait() == 0, (folder / "log").read_text()
    assert faults(folder / "out") == []
    return Manifest.load(LocalStore(folder / "out"))


@pytest.mark.parametrize("unit_dialogues", [1, 4, 32])
@pytest.mark.parametrize("n_workers", [1, 2, 3])
def test_workers_of_one_machine_do_not_show(digest, tmp_path, n_workers, unit_dialogues):
    recipe = fake(tmp_path, f"run.unit_dialogues={unit_dialogues}", n=N)
    assert built(recipe, tmp_path, n_workers).digest == digest


@pytest.fixture
def on_ray(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Options of a build on the cluster."""
    for name, value in cluster.environment().items():
        monkeypatch.setenv(name, value)
    return ("--engine", "ray", "--address", cluster.address)


@pytest.mark.parametrize("unit_dialogues", [1, 4, 32])
@pytest.mark.parametrize("n_actors", [1, 2, 4])
def test_actors_of_four_nodes_do_not_show(digest, on_ray, tmp_path, n_actors, unit_dialogues):
    recipe = fake(tmp_path, f"run.unit_dialogues={unit_dialogues}", n=N)
    assert built(recipe, tmp_path, n_actors, *on_ray).digest == digest
    assert n_markers(tmp_path / "out") == -(-N // unit_dialogues)


POOLS = "pools={speak: {cpus: 0.5, gpus: 0.5, max_workers: 2}, place: {cpus: 0.5}, mix: {cpus: 0.5}, encode: {cpus: 1}}"


@pytest.mark.parametrize("unit_dialogues", [1, 4, 32])
def test_pools_do_not_show(digest, on_ray, tmp_path, unit_dialogues):
    recipe = fake(tmp_path, f"run.unit_dialogues={unit_dialogues}", POOLS, n=N)
    assert built(recipe, tmp_path, 2, *on_ray).digest == digest


@pytest.mark.parametrize(
    ("voice", "last_words", "detail"),
    [
        ("Deadly", "No, I die here.", "ended with status 9"),
        ("Hanging", "No, I hang here.", "hung until its time was up"),
    ],
)
def test_what_kills_a_pool_in_the_middle_is_a_reject_and_its_neighbours_are_kept(
    on_ray, tmp_path, voice, last_words, detail
):
    records = dialogues("Sure, I go on.", "Sure, I go on.", last_words, "Sure, I go on.", "Sure, I go on.")
    limits = "limits={attempts: 1, dialogue_seconds: 10}"
    engine = f"engines.tts={{name: 'tests.run.engines:{voice}'}}"
    recipe = fake(tmp_path, engine, limits, POOLS, "run.unit_dialogues=4", records=records)
    manifest = built(recipe, tmp_path, 2, *on_ray)
    (crashed,) = read(tmp_path / "out", "rejects")
    assert (crashed["dialogue_id"], crashed["reason"], crashed["detail"]) == ("d2", "crashed_worker", detail)
    assert {row["dialogue_id"] for row in read(tmp_path / "out", "conversations")} == {"d0", "d1", "d3", "d4"}
    assert build(recipe, str(tmp_path / "local"), 1).digest == manifest.digest


def test_a_cluster_that_refuses_our_token_is_one_clear_error(on_ray, monkeypatch, tmp_path):
    monkeypatch.setenv("RAY_AUTH_TOKEN", "a-token-of-another-cluster-altogether")
    process = start([*command(fake(tmp_path), tmp_path, tmp_path / "out", 1), *on_ray], tmp_path)
    assert process.wait() == 1
    said = (tmp_path / "log").read_text()
    assert "does not accept our token. Set RAY_AUTH_MODE=token" in said.splitlines()[-1]
    assert "Traceback" not in said


_COUNTED = """
import sys, ray
from datagen.recipe import load
from datagen.run.build import build
real, calls = ray.init, []
ray.init = lambda *given, **named: calls.append(given) or real(*given, **named)
build(load(sys.argv[1]), sys.argv[2], 1, engine="ray", address=sys.argv[3])
print("connected", len(calls))
"""


def test_a_build_connects_once(cluster, on_ray, tmp_path):
    words = command(fake(tmp_path, n=4), tmp_path, tmp_path / "out", 1)
    recipe = next(word for word in words if word.endswith(".yaml"))
    process = start([sys.executable, "-c", _COUNTED, recipe, str(tmp_path / "out"), cluster.address], tmp_path)
    assert process.wait() == 0, (tmp_path / "log").read_text()
    assert (tmp_path / "log").read_text().splitlines()[-1] == "connected 1"
    assert faults(tmp_path / "out") == []
