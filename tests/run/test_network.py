"""Three hosts and a store on a network that fails: the same content as in one process, and nothing hangs.

The limits are those of docs/cluster.md. `pytest -s` shows what was measured.
"""

import importlib.util
import subprocess
import time
from pathlib import Path

import pytest

from datagen.recipe import Recipe
from datagen.run.build import build
from tests.run.network import STORE, network, refusal
from tests.run.ray_hosts import HEAD, RayHosts, ended, jobs, record, said, until

pytestmark = pytest.mark.slow
BUILD_LIMIT_S = 420
"""For a build on a busy machine, Ray's start of workers included."""
DEAD_NODE_LIMIT_S = 180
"""Until the work of a vanished node runs elsewhere, and the build ends."""
LOST_HEAD_LIMIT_S = 180
"""Until a driver on another host gives up."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A head and two other nodes, each with a core."""
    pytest.importorskip("ray")
    if reason := refusal():
        pytest.skip(f"needs network namespaces: {reason}")
    hosts = RayHosts(tmp_path_factory.mktemp("network"))
    yield hosts
    hosts.close()


@pytest.fixture
def hosts(cluster: RayHosts):
    """The cluster, with every link whole and no build running at the end."""
    yield cluster
    cluster.calm()


def locally(recipe: Recipe, hosts: RayHosts, folder: Path) -> str:
    """The digest of the same build in this process; all tickets must be there."""
    hosts.hand_out()
    return build(recipe, str(folder / "out")).digest


def test_three_hosts_make_what_one_process_makes(hosts, tmp_path):
    recipe = hosts.recipe(24)
    hosts.hand_out()
    before, begun = hosts.network.n_bytes(), time.monotonic()
    driver = hosts.hosts["one"].start(*hosts.command(recipe, "plain"))
    assert ended(driver, BUILD_LIMIT_S) == 0, said(hosts, "one")
    seconds = time.monotonic() - begun
    moved = {name: n - before[name] for name, n in hosts.network.n_bytes().items()}
    made = build(recipe, str(tmp_path / "out"))
    assert hosts.checked("plain", said(hosts, "one")) == made.digest
    n_output = sum(file.stat().st_size for file in (tmp_path / "out").rglob("*") if file.is_file())
    assert moved[STORE] > n_output / 2  # through the network, not beside it
    among_hosts = (sum(moved.values()) - 2 * moved[STORE]) / 2
    record(
        {
            "hours": made.hours,
            "seconds": round(seconds),
            "output_mb": round(n_output / 1e6, 2),
            "store_mb_per_hour": round(moved[STORE] / 1e6 / made.hours, 2),
            "ray_mb_per_hour": round(among_hosts / 1e6 / made.hours, 2),
            "ray_kb_per_second": round(among_hosts / 1e3 / seconds, 1),
        }
    )


def started(hosts: RayHosts, recipe: Recipe, out: str, driver: str = HEAD) -> subprocess.Popen[bytes]:
    """A driver whose build has begun on every host, and has made a dialogue."""
    process = hosts.hosts[driver].start(*hosts.command(recipe, out))
    until(lambda: all(hosts.actors(name) for name in ("one", "two")) or process.poll() is not None)
    assert process.poll() is None, said(hosts, driver)
    hosts.hand_out(1)
    until(hosts.made)
    return process


@pytest.mark.parametrize("cut", ["one", STORE])
def test_a_link_cut_for_a_while_changes_nothing(hosts, tmp_path, cut):
    recipe = hosts.recipe(8)
    driver = started(hosts, recipe, f"cut-{cut}")
    raylets = hosts.hosts["one"].processes("/raylet ")
    hosts.network.cut(cut)
    if cut == STORE:
        n_said = len(said(hosts, HEAD))
        until(lambda: len(said(hosts, HEAD)) > n_said)  # a report, every 30 s
    else:
        hosts.hand_out(1)  # to a worker that is not cut off, or to the one that is: then its unit is finished later
        until(hosts.made)
    hosts.network.restore(cut)
    expected = locally(recipe, hosts, tmp_path)
    assert ended(driver, BUILD_LIMIT_S) == 0, said(hosts, HEAD)
    assert hosts.checked(f"cut-{cut}", said(hosts, HEAD)) == expected
    assert hosts.hosts["one"].processes("/raylet ") == raylets  # Ray did not give the host up


def test_a_slow_link_changes_nothing(hosts, tmp_path):
    recipe = hosts.recipe(8)
    driver = started(hosts, recipe, "slow")
    try:
        hosts.network.slow("one", "2mbit")
    except AssertionError as error:
        pytest.skip(str(error))
    expected = locally(recipe, hosts, tmp_path)
    assert ended(driver, BUILD_LIMIT_S) == 0, said(hosts, HEAD)
    assert hosts.checked("slow", said(hosts, HEAD)) == expected


def test_a_host_that_stays_cut_off_is_done_without(hosts, tmp_path):
    recipe = hosts.recipe(8)
    driver = started(hosts, recipe, "off")
    hosts.network.cut("one")
    expected, begun = locally(recipe, hosts, tmp_path), time.monotonic()
    assert ended(driver, DEAD_NODE_LIMIT_S) == 0, said(hosts, HEAD)
    record({"cut off": round(time.monotonic() - begun)})
    assert hosts.checked("off", said(hosts, HEAD)) == expected
    hosts.network.restore("one")
    seconds = until(lambda: not hosts.actors("one"), DEAD_NODE_LIMIT_S)  # its node was given up: nothing runs on
    record({"workers of the cut host ended after": round(seconds)})
    hosts.leave("one")
    hosts.join("one")


def test_a_killed_worker_host_is_done_without(hosts, tmp_path):
    recipe = hosts.recipe(8)
    driver = started(hosts, recipe, "killed")
    hosts.network.kill("two")
    expected, begun = locally(recipe, hosts, tmp_path), time.monotonic()
    assert ended(driver, DEAD_NODE_LIMIT_S) == 0, said(hosts, HEAD)
    record({"killed": round(time.monotonic() - begun)})
    hosts.reboot("two")
    assert hosts.checked("killed", said(hosts, HEAD)) == expected


@pytest.mark.parametrize("driver_on", [HEAD, "one"])
def test_a_killed_head_is_started_anew_and_the_build_resumed(hosts, tmp_path, driver_on):
    recipe, out = hosts.recipe(8), f"head-{driver_on}"
    driver = started(hosts, recipe, out, driver_on)
    hosts.network.kill(HEAD)
    begun = time.monotonic()
    assert ended(driver, LOST_HEAD_LIMIT_S) != 0
    record({f"the driver on {driver_on} ended after": round(time.monotonic() - begun)})
    if driver_on != HEAD:
        assert "run the same command again" in said(hosts, driver_on), said(hosts, driver_on)
        assert "Traceback" not in said(hosts, driver_on)
    for name in ("one", "two"):
        hosts.leave(name)
        assert hosts.actors(name) == []
    hosts.reboot(HEAD)
    hosts.join("one", "two")
    expected = locally(recipe, hosts, tmp_path)
    again = hosts.hosts[driver_on].start(*hosts.command(recipe, out))
    assert ended(again, BUILD_LIMIT_S) == 0, said(hosts, driver_on)
    assert hosts.checked(out, said(hosts, driver_on)) == expected


@pytest.mark.skipif(not importlib.util.find_spec("aiohttp_cors"), reason="needs ray[default]")
def test_a_job_is_submitted_stopped_and_submitted_again(hosts, tmp_path):
    recipe = hosts.recipe(8)
    words = hosts.command(recipe, "job")
    head = f"http://{hosts.hosts[HEAD].address}:8265"
    submitted = hosts.hosts["two"].run("ray", "job", "submit", "--no-wait", "--address", head, "--", *words)
    assert submitted.returncode == 0, submitted.stdout
    (job,) = jobs(submitted.stdout)
    until(lambda: any(hosts.actors(name) for name in ("one", "two", HEAD)))
    hosts.hand_out(2)
    until(hosts.made)
    stopped = hosts.hosts["two"].run("ray", "job", "stop", "--address", head, job)
    assert stopped.returncode == 0, stopped.stdout
    until(lambda: not any(hosts.actors(name) for name in hosts.hosts))
    expected = locally(recipe, hosts, tmp_path)
    again = hosts.hosts["two"].start("ray", "job", "submit", "--address", head, "--", *words)
    assert ended(again, BUILD_LIMIT_S) == 0, said(hosts, "two")
    assert hosts.checked("job", said(hosts, "two")) == expected


def test_nothing_is_left_of_a_network(tmp_path):
    if reason := refusal():
        pytest.skip(f"needs network namespaces: {reason}")
    devices = Path("/proc/net/dev").read_text().count(":")
    with network(tmp_path, ("alone",)) as made:
        host = made.hosts["alone"]
        assert host.run("hostname").stdout == "alone\n"
        assert "eth0" in host.run("cat", "/proc/self/net/dev").stdout
        host.start("sleep", "1000")
        pids = host.processes()
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
    assert Path("/proc/net/dev").read_text().count(":") == devices
