"""A build that is killed again and again, for the tests of storms and the soak."""

import contextlib
import os
import random
import signal
import subprocess
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import get_args

from datagen.recipe import Recipe
from datagen.recipe.recipe import Task
from tests.run.builds import children, command, fake, start, talk, until
from tests.run.ray_cluster import Cluster
from tests.run.test_parity import finish, same_as_never_stopped

Victims = dict[str, Callable[[int], list[int]]]
"""What may be killed, and its processes for the process id of a driver."""
N_KILLS = 12
_ENDING = ("driver", "interrupt")
"""Victims after which the driver is waited for."""


class Storm:
    """A build whose units go on only as far as tickets are given out, so that a kill always finds it under way."""

    def __init__(self, folder: Path, seed: int, *overrides: str, n_kills: int = N_KILLS, n: int = 5 * N_KILLS) -> None:
        self.folder, self.out, self.tickets = folder, folder / "out", folder / "tickets"
        self.n_kills = n_kills
        self.tickets.mkdir()
        self.chance, self.killed, self._numbers = random.Random(seed), list[str](), count()
        answer = "Here is a ticket for you."
        records = [talk(f"Tell me about {k} apples please.", answer, id=f"d{k}") for k in range(n)]
        voice = f"engines.tts={{name: 'tests.run.engines:Ticketed', options: {{tickets: {self.tickets}}}}}"
        own = ("run.unit_dialogues=1", "limits.attempts=20")
        self.recipe: Recipe = fake(folder, voice, *own, *overrides, records=records)

    def n_files(self) -> int:
        """Files of data and markers."""
        folders = ("conversations", "rejects", "units", *get_args(Task))
        return sum(len(list(folder.iterdir())) for name in folders if (folder := self.out / name).is_dir())

    def run(self, arguments: list[str], victims: Victims, killed: Callable[[str, int], None]) -> None:
        """Kill until enough is killed, then let the build end, and compare."""
        process, names = None, sorted(victims) * (self.n_kills // len(victims))
        self.chance.shuffle(names)
        while names:
            if process is None or process.poll() is not None:
                process = start(arguments, self.folder, f"log{len(self.killed)}")
            wanted = self.n_files() + self.chance.randint(1, 7)
            self._wait(wanted, process)
            for pid in victims[names[-1]](process.pid)[:1]:
                killed(names[-1], pid)
                self.killed.append(names.pop())
                if self.killed[-1] in _ENDING:
                    process.wait()
        assert len(self.killed) == self.n_kills
        (self.tickets / "all").touch()
        if process is not None and self.killed[-1] not in _ENDING:
            assert process.wait() == 0, self._said()
        finish(arguments, self.folder)
        same_as_never_stopped(self.recipe, self.folder)

    def _wait(self, n_wanted: int, process: subprocess.Popen[bytes]) -> None:
        """Give out tickets until a number of files are there; a killed worker takes its tickets with it."""

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


def workers_of(storm: Storm) -> tuple[Victims, set[int]]:
    """The victims of a storm on one machine, and all workers that have been seen."""
    seen: set[int] = set()

    def workers(driver: int) -> list[int]:
        found = children(driver)
        seen.update(found)
        storm.chance.shuffle(found)
        return found

    def driver(pid: int) -> list[int]:
        workers(pid)
        return [pid]

    return {"driver": driver, "worker": workers}, seen


class RayStorm(Storm):
    """A storm on a cluster: its victims are the driver, workers, actors and raylets."""

    def __init__(self, cluster: Cluster, folder: Path, seed: int, *overrides: str, **sizes: int) -> None:
        super().__init__(folder, seed, *overrides, **sizes)
        self.cluster = cluster

    @property
    def arguments(self) -> list[str]:
        """The command line of the build; the cluster's environment must be set."""
        return [*command(self.recipe, self.folder, self.out, 2), "--engine", "ray", "--address", self.cluster.address]

    def victims(self) -> Victims:
        return {
            "driver": lambda driver: [driver],
            "interrupt": lambda driver: [driver],
            "worker": self._running(b"datagen.run.supervise"),
            "actor": self._running(b"UnitActor"),
            "raylet": lambda _: [self.chance.choice(self.cluster.nodes).raylet],
        }

    def _running(self, name: bytes) -> Callable[[int], list[int]]:
        def found(driver: int) -> list[int]:
            pids = self.cluster.running(name)
            self.chance.shuffle(pids)
            return pids

        return found

    def kill(self, name: str, pid: int) -> None:
        """Kill a victim; a raylet is replaced, and Ctrl-C goes to the driver's group."""
        if name == "raylet":
            self.cluster.kill(next(node for node in self.cluster.nodes if node.raylet == pid))
            self.cluster.add()
        elif name == "interrupt":
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGINT)
        else:
            kill(name, pid)

    def rage(self) -> None:
        """Run the storm; a driver's actors end with it."""
        self.run(self.arguments, self.victims(), self.kill)
        until(lambda: not self.cluster.running(b"UnitActor"))

    def rivals(self) -> str:
        """Run a driver on Ray and one on this machine at once, and kill one of them; returns which."""
        local = command(self.recipe, self.folder, self.out, 2)
        drivers = {"ray": start(self.arguments, self.folder, "log0"), "local": start(local, self.folder, "log1")}
        until(lambda: children(drivers["local"].pid) and self.cluster.running(b"UnitActor"))
        (self.tickets / "all").touch()
        name = self.chance.choice(sorted(drivers))
        until(lambda: self.n_files() > self.chance.randint(1, 100), drivers[name])
        drivers.pop(name).kill()
        (other,) = drivers.values()
        assert other.wait() == 0, self._said()
        finish(local, self.folder)
        same_as_never_stopped(self.recipe, self.folder)
        return name
