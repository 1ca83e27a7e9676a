"""Kill storms: whatever is killed with -9 in a build, whenever, running on gives what an undisturbed build gives."""

import contextlib
import os
import random
import signal
import subprocess
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from datagen.recipe import Recipe
from tests.run.builds import alive, children, command, fake, start, talk, until
from tests.run.ray_cluster import cluster_of
from tests.run.test_parity import finish, gated, same_as_never_stopped

pytestmark = pytest.mark.slow

Victims = dict[str, Callable[[int], list[int]]]
"""What may be killed, and its processes for the process id of a driver."""
N_KILLS = 12
"""In each of six builds."""


@pytest.fixture(scope="module")
def cluster():
    pytest.importorskip("ray")
    with cluster_of(2) as cluster:
        yield cluster


class Storm:
    """A build whose units go on only as far as tickets are given out, so that a kill always finds it under way."""

    def __init__(self, folder: Path, seed: int, *overrides: str, n: int = 5 * N_KILLS) -> None:
        self.folder, self.out, self.tickets = folder, folder / "out", folder / "tickets"
        self.tickets.mkdir()
        self.chance, self.killed, self._numbers = random.Random(seed), list[str](), count()
        answer = "Here is a ticket for you."
        records = [talk(f"Tell me about {k} apples please.", answer, id=f"d{k}") for k in range(n)]
        voice = f"engines.tts={{name: 'tests.run.engines:Ticketed', options: {{tickets: {self.tickets}}}}}"
        own = ("run.unit_dialogues=1", "limits.attempts=20")
        self.recipe: Recipe = fake(folder, voice, *own, *overrides, records=records)

    def n_files(self) -> int:
        """Files of data and markers."""
        return len([file for file in self.out.glob("*/*") if file.parent.name != ".writing"])

    def run(self, arguments: list[str], victims: Victims, killed: Callable[[str, int], None]) -> None:
        """Kill until enough is killed, then let the build end, and compare."""
        process, names = None, sorted(victims) * (N_KILLS // len(victims))
        self.chance.shuffle(names)
        while names:
            if process is None or process.poll() is not None:
                process = start(arguments, self.folder, f"log{len(self.killed)}")
            wanted = self.n_files() + self.chance.randint(1, 7)
            self._wait(wanted, process)
            for pid in victims[names[-1]](process.pid)[:1]:
                killed(names[-1], pid)
                self.killed.append(names.pop())
                if self.killed[-1] == "driver":
                    process.wait()
        assert len(self.killed) == N_KILLS
        (self.tickets / "all").touch()
        if process is not None and self.killed[-1] != "driver":
            assert process.wait() == 0, self._said()
        finish(arguments, self.folder)
        same_as_never_stopped(self.recipe, self.folder)

    def _wait(self, n_wanted: int, process: subprocess.Popen[bytes]) -> None:
        """Give out tickets until so many files are there; a killed worker takes its tickets with it."""

        def there() -> bool:
            if not any(self.tickets.iterdir()):
                (self.tickets / f"t{next(self._numbers)}").touch()
            return self.n_files() >= n_wanted

        try:
            until(there, process)
        except AssertionError as error:
            raise AssertionError(f"{error}, after {self.killed}:\n{self._said()}") from error

    def _said(self) -> str:
        return "\n".join(log.read_text("utf-8", "replace")[-3000:] for log in sorted(self.folder.glob("log*"))[-2:])


def kill(_: str, pid: int) -> None:
    """Kill a process that may have ended just now."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("n_workers", [1, 2, 3])
def test_a_storm_on_one_machine_changes_nothing(tmp_path, n_workers):
    storm = Storm(tmp_path, n_workers)
    seen: set[int] = set()

    def workers(driver: int) -> list[int]:
        found = children(driver)
        seen.update(found)
        storm.chance.shuffle(found)
        return found

    def driver(pid: int) -> list[int]:
        workers(pid)
        return [pid]

    victims: Victims = {"driver": driver, "worker": workers}
    storm.run(command(storm.recipe, tmp_path, storm.out, n_workers), victims, kill)
    until(lambda: not any(map(alive, seen)))  # workers end with their driver, however it ends


POOLS = "pools={speak: {cpus: 0.4}, place: {cpus: 0.3}, mix: {cpus: 0.3}, encode: {cpus: 0.3}}"


@pytest.mark.parametrize(("seed", "pools", "n"), [(1, "pools={}", 60), (2, "pools={}", 60), (3, POOLS, 160)])
def test_a_storm_on_a_cluster_changes_nothing(cluster, monkeypatch, tmp_path, seed, pools, n):
    storm = Storm(tmp_path, seed, pools, n=n)  # what waits between pools is committed in bursts, so they need more

    def running(name: bytes) -> Callable[[int], list[int]]:
        def found(driver: int) -> list[int]:
            pids = cluster.running(name)
            storm.chance.shuffle(pids)
            return pids

        return found

    def killed(name: str, pid: int) -> None:
        if name == "raylet":
            cluster.kill(next(node for node in cluster.nodes if node.raylet == pid))
            cluster.add()
        else:
            kill(name, pid)

    victims: Victims = {
        "driver": lambda driver: [driver],
        "worker": running(b"datagen.run.supervise"),
        "actor": running(b"UnitActor"),
        "raylet": lambda _: [storm.chance.choice(cluster.nodes).raylet],
    }
    arguments = [*command(storm.recipe, tmp_path, storm.out, 2), "--engine", "ray", "--address", cluster.address]
    for name, value in cluster.environment().items():
        monkeypatch.setenv(name, value)
    storm.run(arguments, victims, killed)
    until(lambda: not cluster.running(b"UnitActor"))  # a driver's actors end with it


def test_a_node_that_comes_later_is_put_to_work(monkeypatch, tmp_path):
    pytest.importorskip("ray")
    storm = Storm(tmp_path, 0)
    with cluster_of(1) as cluster:
        for name, value in cluster.environment().items():
            monkeypatch.setenv(name, value)
        arguments = [*command(storm.recipe, tmp_path, storm.out, 2), "--engine", "ray", "--address", cluster.address]
        process = start(arguments, tmp_path)
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
