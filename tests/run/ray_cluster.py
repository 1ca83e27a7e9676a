"""A Ray cluster of several raylets on this machine, started with Ray's own command, to be killed in parts."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.run.builds import environment, until

RAY = str(Path(sys.executable).with_name("ray"))
_OBJECT_STORE_BYTES = 80 << 20
_TOKEN = "a-token-of-the-tests-and-of-nothing-else"


@dataclass
class Node:
    """A raylet, and the `ray start --block` that watches over it."""

    process: subprocess.Popen[bytes]

    @property
    def raylet(self) -> int:
        """Process id of the raylet; 0 once it is gone."""
        return next((pid for pid in descendants(self.process.pid) if named(pid, b"/raylet ")), 0)


@dataclass
class Cluster:
    """A head without cores, and nodes that may be killed and replaced. All its processes are ended by their ids."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="ray-")))
    nodes: list[Node] = field(default_factory=list)
    _started: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _known: set[tuple[int, str]] = field(default_factory=set)
    """Processes seen so far, with when they were started: a process id may be used again."""

    def __post_init__(self) -> None:
        """Start the head."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        self.head = self._start(
            "--head",
            f"--port={port}",
            "--num-cpus=0",
            "--include-dashboard=false",
            f"--temp-dir={self.folder / 'head'}",
        )

    def add(self, n_cpus: float = 1, n_gpus: int = 0) -> Node:
        """Start one more node and wait until it is there."""
        self.nodes.append(self._start(f"--address={self.address}", f"--num-cpus={n_cpus}", f"--num-gpus={n_gpus}"))
        return self.nodes[-1]

    def _start(self, *options: str) -> Node:
        log = self.folder / f"log{len(self._started)}"
        common = ("--node-ip-address=127.0.0.1", f"--object-store-memory={_OBJECT_STORE_BYTES}", "--block")
        ports = ("--dashboard-agent-listen-port=0", "--disable-usage-stats")
        with log.open("wb") as file:
            process = subprocess.Popen(
                [RAY, "start", *options, *common, *ports],
                stdout=file,
                stderr=file,
                env=self.environment(),
                start_new_session=True,
            )
        self._started.append(process)
        try:
            until(lambda: b"Ray runtime started" in log.read_bytes(), process)
        except AssertionError as error:
            said = log.read_text()
            self.close()
            raise AssertionError(said) from error
        return Node(process)

    @staticmethod
    def environment() -> dict[str, str]:
        """For `ray` and for drivers: the engines of tests, and a token as real clusters have one."""
        return {**environment(), "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": _TOKEN}

    def kill(self, node: Node) -> None:
        """Kill a raylet with -9; what it ran dies of that."""
        self.processes()
        self.nodes.remove(node)
        os.kill(node.raylet, signal.SIGKILL)

    def processes(self) -> list[int]:
        """All living processes of the cluster, those it has lost track of included."""
        for process in self._started:
            for pid in (process.pid, *descendants(process.pid)):
                self._known.add((pid, started(pid)))
        return [pid for pid, when in self._known if when and started(pid) == when]

    def running(self, name: bytes) -> list[int]:
        """Its processes whose command line holds a name."""
        return [pid for pid in self.processes() if named(pid, name)]

    def close(self) -> None:
        """End every process of the cluster."""
        while left := self.processes():
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        for process in self._started:
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def cluster_of(n_nodes: int) -> Iterator[Cluster]:
    """A cluster of so many nodes of a core each; nothing of it runs on at the end."""
    cluster = Cluster()
    try:
        for _ in range(n_nodes):
            cluster.add()
        yield cluster
    finally:
        cluster.close()
    assert cluster.processes() == []


def descendants(pid: int) -> list[int]:
    """Children of a process, whichever of its threads started them, and theirs."""
    found = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, file.read_text().split()):
                found += [child, *descendants(child)]
    return found


def started(pid: int) -> str:
    """When a process was started, as the kernel writes it; empty if it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def named(pid: int, name: bytes) -> bool:
    """Whether a process' command line holds a name."""
    try:
        return name in Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
    except OSError:
        return False
