"""A Ray cluster on the hosts of a network, started with Ray's own command as on real machines, and builds on it."""

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from datagen.recipe import Recipe
from tests.run.builds import fake, talk
from tests.run.network import NAMES, Network
from tests.stores import BUCKET

HEAD = NAMES[0]
PATIENCE_S = 240
"""For Ray on a busy machine."""
_DIGEST = re.compile(r"^digest ([0-9a-f]{32})$", re.MULTILINE)
_START = ("--num-cpus=1", f"--object-store-memory={80 << 20}", "--disable-usage-stats")
_TRIES = 4
"""Of `ray start`, which gives up after 30 s on a busy machine."""


def until(happened: Callable[[], object], limit_s: float = PATIENCE_S) -> float:
    """Wait until something happened; returns the seconds waited."""
    begun = time.monotonic()
    while not happened():
        assert time.monotonic() - begun < limit_s, f"not within {limit_s:g} s"
        time.sleep(0.05)
    return time.monotonic() - begun


class RayHosts:
    """Hosts that are nodes of a Ray, with a token, and the builds that they make into the store."""

    def __init__(self, folder: Path) -> None:
        self.network = Network(folder)
        self.hosts = self.network.hosts
        self.tickets = folder / "tickets"
        """Each lets a build make one more dialogue; the only thing that does not cross the network."""
        self.network.environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "a-token-of-the-tests-of-networks"}
        self.network.environment |= {"RAY_worker_niceness": "0"}  # not behind all else that this machine does
        self.address = f"{self.hosts[HEAD].address}:6379"
        try:
            self.join(*NAMES)
        except BaseException:
            self.close()
            raise

    def join(self, *names: str) -> None:
        """Make hosts nodes, the head first."""
        for name in names:
            head = ("--head", "--port=6379", "--dashboard-host=0.0.0.0") if name == HEAD else ()
            options = head or (f"--address={self.address}",)
            for _ in range(_TRIES):
                if (done := self.hosts[name].run("ray", "start", *options, *_START)).returncode == 0:
                    break
                self.leave(name)
            else:
                raise AssertionError(done.stdout)

    def leave(self, name: str) -> None:
        """Stop the Ray of a host."""
        done = self.hosts[name].run("ray", "stop")
        assert done.returncode == 0, done.stdout
        assert not self.hosts[name].processes("/raylet ")

    def reboot(self, name: str) -> None:
        """Start a host anew after it was killed, as a node."""
        self.network.boot(name)
        self.join(name)

    def recipe(self, n: int, *overrides: str) -> Recipe:
        """Of dialogues that wait for tickets, one per unit; no ticket is there."""
        self.tickets.mkdir(exist_ok=True)
        for ticket in self.tickets.iterdir():
            ticket.unlink()
        answer = "Here is a ticket for you."
        records = [talk(f"Tell me about {k} apples please.", answer, "Thank you.", id=f"d{k}") for k in range(n)]
        voice = f"engines.tts={{name: 'tests.run.engines:Ticketed', options: {{tickets: {self.tickets}}}}}"
        own = ("run.unit_dialogues=1", "mix.keep_audio=true")
        return fake(self.hosts[HEAD].folder, voice, *own, *overrides, records=records)

    def hand_out(self, n: int | None = None) -> None:
        """Give out tickets; without a number, for all."""
        for k in range(n or 0):
            (self.tickets / f"t{k}").touch()
        if n is None:
            (self.tickets / "all").touch()

    def made(self) -> bool:
        """True if all tickets are used."""
        return not any(self.tickets.glob("t*"))

    def command(self, recipe: Recipe, out: str) -> list[str]:
        """The command line of a build, alike on every host."""
        path = self.hosts[HEAD].folder / "recipe.yaml"
        path.write_text(recipe.to_yaml(), "utf-8")
        url = f"s3://{BUCKET}/{out}"
        return ["datagen", "build", str(path), "--out", url, "--engine", "ray", "--address", "auto"]

    def actors(self, name: str) -> list[int]:
        """Workers of a build on a host."""
        return self.hosts[name].processes("UnitActor")

    def calm(self) -> None:
        """Restore every link and end the drivers that a failed test left running."""
        for name in self.hosts:
            with contextlib.suppress(AssertionError):  # of a host that was killed
                self.network.restore(name)
        for name in NAMES:
            host = self.hosts[name]
            for pid in host.processes("datagen build"):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            host.reap()

    def checked(self, out: str, log: str) -> str:
        """The digest that a driver printed, after a check of every file from another host."""
        done = self.hosts["two"].run("datagen", "check", f"s3://{BUCKET}/{out}")
        assert done.returncode == 0, done.stdout
        return digest_in(log)

    def close(self) -> None:
        """End everything."""
        self.network.close()


def said(hosts: RayHosts, name: str, log: str = "log") -> str:
    """Everything that a command printed on a host."""
    return (hosts.hosts[name].folder / log).read_text("utf-8", "replace")


def digest_in(text: str) -> str:
    """The digest in the output of a build."""
    found = _DIGEST.search(text)
    assert found, text
    return found[1]


def ended(process: subprocess.Popen[bytes], limit_s: float) -> int:
    """Status of a command, which is killed if it takes longer than its limit."""
    try:
        return process.wait(limit_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise


def jobs(text: str) -> list[str]:
    """Ids of jobs in the output of `ray job submit`."""
    return list(dict.fromkeys(re.findall(r"raysubmit_\w+", text)))


def record(figures: dict[str, object]) -> None:
    """Show figures of a run (pytest -s), for docs/cluster.md."""
    print(json.dumps(figures), flush=True)
