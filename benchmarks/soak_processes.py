"""Forked processes of the soak: cheap drivers that may be killed, and work that must not touch the soak itself.

The soak only imports, forks, kills and counts. All that uses Arrow, threads or servers happens in
forked children, so each fork begins with a process of one thread and costs milliseconds instead of
a start of Python. Orphans become children of the soak (Linux), so it sees every process that
survives its driver.
"""

import contextlib
import ctypes
import importlib
import os
import pickle
import resource
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tests.run.ray_cluster import descendants

PATIENCE_S = 120.0
"""Longest wait for a process that should end by itself."""
CRASHED = 70
"""Exit status of a child that ended with a traceback."""
_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36
"""Numbers of `prctl`."""
_POLL_S = 0.002


class Soaked(Exception):
    """A child of the soak did not do its work; holds the end of its output."""


def adopt_orphans() -> None:
    """Become the parent of every descendant whose parent ends.

    Raises:
        SystemExit: If the system cannot do that.
    """
    if not sys.platform.startswith("linux") or ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise SystemExit("the soak needs Linux: it finds what a killed process leaves behind by prctl and /proc")


def cpu_seconds() -> float:
    """CPU time of this process and of all descendants that have ended."""
    found = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in found)


class Forked:
    """A child in a session of its own, whose output goes to a file."""

    def __init__(self, run: Callable[[], object], log: Path) -> None:
        """Fork; the child calls `run`, and ends as a command would."""
        self.log, self.code = log, None
        kept = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)  # until the child can end on them
        self.pid = os.fork()
        if not self.pid:
            _be(run, log)
        signal.pthread_sigmask(signal.SIG_SETMASK, kept)

    code: int | None
    """Exit status, or the negative number of the signal that ended it; None while it runs."""

    def ended(self) -> bool:
        """True if it has ended; then `code` is set."""
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.code = os.waitstatus_to_exitcode(status) if pid else None
        return self.code is not None

    def wait(self, seconds: float = PATIENCE_S) -> bool:
        """Wait until it ends; False if it does not within some seconds."""
        deadline = time.monotonic() + seconds
        while not self.ended():
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_S)
        return True

    def kill(self) -> None:
        """End it at once."""
        if not self.ended():
            os.kill(self.pid, signal.SIGKILL)
            self.wait()

    def said(self) -> str:
        """The end of its output."""
        return self.log.read_text("utf-8", "replace")[-2000:].strip()


_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _be(run: Callable[[], object], log: Path) -> None:
    """The life of a child."""
    code = CRASHED
    try:
        os.setsid()
        ctypes.CDLL(None).prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # nothing outlives the soak
        for number in _ENDING:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        _redirect(log)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
        run()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    except KeyboardInterrupt:
        code = 130
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _redirect(log: Path) -> None:
    file = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    for standard in (1, 2):
        os.dup2(file, standard)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)


def apart(log: Path, run: Callable[..., Any], *arguments: object, seconds: float = 3600.0) -> Any:
    """The result of a function, computed in a child.

    Raises:
        Soaked: If the child ends without a result, or takes too long.
    """
    ours, theirs = os.pipe()
    child = Forked(partial(_send, theirs, run, *arguments), log)
    os.close(theirs)
    parts, deadline = [], time.monotonic() + seconds
    with os.fdopen(ours, "rb", 0) as pipe:
        while time.monotonic() < deadline:
            if select.select([pipe], [], [], 1.0)[0]:
                if not (part := pipe.read(1 << 20)):
                    break
                parts.append(part)
    if not child.wait(10) or child.code:
        child.kill()
        raise Soaked(f"{getattr(run, '__name__', run)} ended with {child.code}:\n{child.said()}")
    return pickle.loads(b"".join(parts))


def _send(pipe: int, run: Callable[..., Any], *arguments: object) -> None:
    with os.fdopen(pipe, "wb") as out:
        out.write(pickle.dumps(run(*arguments)))


def rehearse(log: Path, run: Callable[..., object], *arguments: object) -> None:
    """Run a function in a child, then import here all modules that it imported: later children need not.

    Raises:
        Soaked: If it fails.
    """
    for name in apart(log, _modules_after, run, *arguments):
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def _modules_after(run: Callable[..., object], *arguments: object) -> list[str]:
    try:
        run(*arguments)
    except SystemExit as end:
        if end.code:
            raise
    return sorted(sys.modules)


@contextmanager
def serving(log: Path, serve: Callable[[Callable[[str], None]], None]) -> Iterator[tuple[str, int]]:
    """A server in a child; `serve` passes its address to its argument and never ends. Yields address and process id."""
    ours, theirs = os.pipe()
    child = Forked(lambda: serve(lambda address: _tell(theirs, address)), log)
    os.close(theirs)
    try:
        with os.fdopen(ours, "rb") as pipe:
            address = pipe.readline().decode().strip()
        if not address:
            raise Soaked(f"a server did not start:\n{child.said()}")
        yield address, child.pid
    finally:
        child.kill()


def _tell(pipe: int, address: str) -> None:
    os.write(pipe, f"{address}\n".encode())
    os.close(pipe)


def leftovers(but: Collection[int] = (), seconds: float = 30.0) -> list[str]:
    """Command lines of the processes that still run after some seconds, which are then killed.

    Args:
        but: Children that are meant to run, with what they started.
        seconds: Longest wait for the others to end.
    """
    deadline = time.monotonic() + seconds
    while left := _reaped(but):
        if time.monotonic() > deadline:
            break
        time.sleep(0.01)
    found = [_command_line(pid) for pid in left]
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    while _reaped(but):
        time.sleep(0.01)
    return found


def _reaped(but: Collection[int]) -> list[int]:
    """Descendants that run, after those that have ended are taken away."""
    spared = {*but, *(pid for spared in but for pid in descendants(spared))}
    left = [pid for pid in descendants(os.getpid()) if pid not in spared]
    for pid in left:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
    return [pid for pid in descendants(os.getpid()) if pid not in spared]


def _command_line(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()[-200:]
    return f"process {pid}"
