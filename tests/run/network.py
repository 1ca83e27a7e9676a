"""A network of hosts on one machine: Linux namespaces whose links can be cut and slowed, and hosts that can be killed.

A host has its own address, host name, processes, shared memory, temporary files and home folder. The rest of
the disk is the machine's, seen by all hosts. A switch, in namespaces of its own, joins them, so
nothing is left in the machine's network. Every host ends with the process that made it, however
that ends.

`python -m tests.run.network` starts three hosts and a store, and reads commands: `run HOST COMMAND`,
`cut HOST`, `restore HOST`, `slow HOST 1mbit`, `kill HOST`, `boot HOST`, `bytes`, `quit`.
"""

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.run.ray_cluster import descendants
from tests.stores import s3_environment, s3_server

ROOT = Path(__file__).parent.parent.parent
STORE = "store"
NAMES = ("head", "one", "two")
_SUBNET = "10.77.0"
_STORE_PORT = 9000
_TOOLS = ("unshare", "nsenter", "ip")
_UNSHARE = ("unshare", "--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--mount-proc")
_INIT = "import signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); print(flush=True); sys.stdin.read()"
"""Reaps orphans, and ends with the process that holds its standard input; its namespaces end with it."""


def refusal() -> str:
    """The reason why this machine allows no such network; empty if it does."""
    if lacking := [tool for tool in _TOOLS if not shutil.which(tool)]:
        return f"no {', '.join(lacking)} here"
    tried = subprocess.run(
        [*_UNSHARE, "ip", "link", "add", "name", "trial", "type", "veth"], capture_output=True, text=True
    )
    return tried.stderr.strip() if tried.returncode else ""


@dataclass
class Host:
    """A set of namespaces and the process that keeps them."""

    name: str
    address: str
    folder: Path
    """Its home, and the working folder of what runs on it."""
    environment: dict[str, str] = field(default_factory=dict)
    _init: subprocess.Popen[str] = field(init=False)
    _started: list[subprocess.Popen[bytes]] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        """Make the namespaces."""
        self._init = subprocess.Popen(
            [*_UNSHARE, sys.executable, "-I", "-S", "-c", _INIT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        assert self._init.stdout is not None
        assert self._init.stdout.readline(), f"{self.name} does not start"
        self.pid = descendants(self._init.pid)[0]
        self.folder.mkdir(parents=True, exist_ok=True)
        self.sh(f"hostname {self.name} && ip link set lo up && mount -t tmpfs -o size=1g shm /dev/shm")
        self._own_temporary_files()

    def _own_temporary_files(self) -> None:
        """Mount an empty folder at /tmp; what the machine needs of its own stays in its place."""
        own, shown = self.folder.parent / f"{self.name}-tmp", Path("/tmp")
        shutil.rmtree(own, ignore_errors=True)
        own.mkdir()
        for path in {self.folder.parent, ROOT, Path(sys.prefix), Path(sys.base_prefix)}:
            if path.is_relative_to(shown):
                inside = own / path.relative_to(shown)
                inside.mkdir(parents=True)
                self.sh(f"mount --bind {path} {inside}")
        self.sh(f"mount --rbind {own} {shown}")

    def command(self, *arguments: str) -> list[str]:
        """A command line that runs another on this host, in its folder."""
        enter = ("nsenter", f"--target={self.pid}", "--net", "--mount", "--uts", "--ipc", "--pid", "--")
        return [*enter, "env", f"--chdir={self.folder}", *arguments]

    def variables(self) -> dict[str, str]:
        """The environment of what runs on it."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "PYTHONWARNINGS") if name in os.environ}
        path = f"{Path(sys.executable).parent}:{kept.get('PATH', '')}"
        own = {"HOME": str(self.folder), "PYTHONPATH": str(ROOT)}
        return {**kept, **own, "PATH": path, **self.environment}

    def start(self, *arguments: str, log: str = "log") -> subprocess.Popen[bytes]:
        """Run a command in the background; what it prints goes to a file of the host's folder."""
        with (self.folder / log).open("wb") as file:
            process = subprocess.Popen(
                self.command(*arguments),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env=self.variables(),
                start_new_session=True,
            )
        self._started.append(process)
        return process

    def run(self, *arguments: str, limit_s: float = 300) -> subprocess.CompletedProcess[str]:
        """Run a command to its end.

        Raises:
            subprocess.TimeoutExpired: If it takes longer than its limit.
        """
        return subprocess.run(
            self.command(*arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.variables(),
            timeout=limit_s,
            text=True,
        )

    def sh(self, line: str) -> None:
        """Run a line of shell, which must succeed."""
        done = self.run("sh", "-c", line)
        assert done.returncode == 0, f"{self.name}: {line}: {done.stdout}"

    def processes(self, name: str = "") -> list[int]:
        """Processes of this host, by the machine's numbers, whose command line holds a name."""
        found: list[int] = []
        with contextlib.suppress(OSError):  # of a host that was killed
            found += self._processes(str(Path(f"/proc/{self.pid}/ns/pid").readlink()), name.encode())
        return found

    @staticmethod
    def _processes(namespace: str, name: bytes) -> Iterator[int]:
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                if str((folder / "ns/pid").readlink()) == namespace and line and name in line:
                    yield int(folder.name)

    def kill(self) -> None:
        """Kill all its processes at once; its address vanishes without a word to those who are connected."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._init.communicate()
        self.reap()

    def reap(self) -> None:
        """Wait for what was started here; all of it has ended or was killed."""
        while self._started:
            self._started.pop().wait()


class Network:
    """A switch, a host that is an S3 server, and hosts by name."""

    def __init__(self, folder: Path, names: tuple[str, ...] = NAMES) -> None:
        """Start them.

        Args:
            folder: For the folders of the hosts.
            names: Of the hosts beside the store.
        """
        self.folder, self.hosts = folder, dict[str, Host]()
        self._addresses = {name: f"{_SUBNET}.{10 + k}" for k, name in enumerate((STORE, *names))}
        self.endpoint = f"http://{self._addresses[STORE]}:{_STORE_PORT}"
        self.environment = s3_environment(self.endpoint)
        self._switch = Host("switch", "", folder / "switch")
        try:
            self._switch.sh("ip link add bridge type bridge && ip link set bridge up")
            for name in self._addresses:
                self.boot(name)
            self._serve()
        except BaseException:
            self.close()
            raise

    def _serve(self) -> None:
        log = self.hosts[STORE].folder / "log"
        server = self.hosts[STORE].start(sys.executable, "-m", "tests.run.network", STORE)
        while not log.read_bytes():
            assert server.poll() is None, "no S3 server"

    def boot(self, name: str) -> Host:
        """Start a host, or a new one at the address of one that was killed; its home is kept."""
        address, folder = self._addresses[name], self.folder / name
        host = self.hosts[name] = Host(name, address, folder, self.environment)
        lines = "".join(f"{each} {other}\n" for other, each in self._addresses.items())
        (folder / "hosts").write_text(f"127.0.0.1 localhost\n{lines}")
        mac = f"02:00:00:00:00:{int(address.rpartition('.')[2]):02x}"  # the same one again: no stale neighbours
        made = f"ip link add name {name} type veth peer name eth0 address {mac} netns /proc/{host.pid}/ns/net"
        # The switch sees its own processes only, so the machine moves the other end.
        self._machine(made)
        host.sh(f"mount --bind {folder}/hosts /etc/hosts && ip address add {address}/24 dev eth0")
        host.sh(f"ip link set eth0 up && ip route add default via {_SUBNET}.1")
        self._switch.sh(f"ip link set {name} master bridge && ip link set {name} up")
        return host

    def _machine(self, line: str) -> None:
        """Run a line in the switch's network alone, where the machine's process numbers hold."""
        subprocess.run(["nsenter", f"--net=/proc/{self._switch.pid}/ns/net", *line.split()], check=True)

    def cut(self, name: str) -> None:
        """Drop all that a host sends and should receive; it still has its carrier."""
        self._switch.sh(f"ip link set {name} nomaster")

    def restore(self, name: str) -> None:
        """Undo `cut` and `slow`."""
        self._switch.sh(f"ip link set {name} master bridge")
        self._switch.run("tc", "qdisc", "del", "dev", name, "root")
        self.hosts[name].run("tc", "qdisc", "del", "dev", "eth0", "root")

    def slow(self, name: str, rate: str) -> None:
        """Limit a link to a rate, such as `1mbit`, each way.

        Raises:
            AssertionError: If the kernel has no token bucket filter.
        """
        limits = f"root tbf rate {rate} burst 16kb latency 400ms"
        self._switch.sh(f"tc qdisc replace dev {name} {limits}")
        self.hosts[name].sh(f"tc qdisc replace dev eth0 {limits}")

    def n_bytes(self) -> dict[str, int]:
        """Bytes that each host has sent and received since it booted."""
        lines = Path(f"/proc/{self._switch.pid}/net/dev").read_text().splitlines()[2:]
        counters = {name.strip(): values.split() for name, _, values in (line.partition(":") for line in lines)}
        return {name: int(counters[name][0]) + int(counters[name][8]) for name in self.hosts if name in counters}

    def kill(self, name: str) -> None:
        """Kill a host."""
        self.hosts[name].kill()

    def close(self) -> None:
        """End every host and the switch; nothing of them is left."""
        for host in (*self.hosts.values(), self._switch):
            host.kill()


@contextlib.contextmanager
def network(folder: Path, names: tuple[str, ...] = NAMES) -> Iterator[Network]:
    """A network, closed at the end."""
    made = Network(folder, names)
    try:
        yield made
    finally:
        made.close()


def _store() -> None:
    """Serve until this host ends."""
    with s3_server(os.environ["AWS_ENDPOINT_URL"].split("//")[1].split(":")[0], _STORE_PORT) as endpoint:
        print(endpoint, flush=True)
        signal.pause()


def _commanded(made: Network, words: list[str]) -> None:
    """Carry out a command of a person."""
    match words:
        case ["run", name, *command]:
            subprocess.run(made.hosts[name].command(*command), env=made.hosts[name].variables())
        case [("cut" | "restore" | "kill" | "boot") as action, name]:
            getattr(made, action)(name)
        case ["slow", name, rate]:
            made.slow(name, rate)
        case ["bytes"]:
            print(made.n_bytes(), flush=True)
        case _:
            print((__doc__ or "").strip().rpartition("\n\n")[2], flush=True)


def main() -> None:
    """A network to try things on."""
    if reason := refusal():
        sys.exit(f"network: {reason}")
    with tempfile.TemporaryDirectory(prefix="net-") as folder, network(Path(folder)) as made:
        for host in made.hosts.values():
            print(f"{host.name}: {host.address}, {host.folder}", flush=True)
        print(f"store: s3://datagen at {made.endpoint}", flush=True)
        for line in sys.stdin:
            if (words := shlex.split(line)) == ["quit"]:
                break
            if words:
                _commanded(made, words)


if __name__ == "__main__":
    _store() if sys.argv[1:] == [STORE] else main()
