"""Processes for workers: started anew, or forked in time from a command that has imported everything already.

A fork costs milliseconds where a new interpreter costs most of a second, but only a process without other threads
may be forked: threads of engines, stores and progress bars would be missing in the child, and what they held would
stay locked. So a command forks its processes before it does anything else, and they wait. Whoever builds from a
program of their own, and every worker that replaces a dead one, gets a new interpreter.
"""

import contextlib
import gc
import os
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import IO, Protocol

Serve = Callable[[int, int], None]
"""The work of a process, given the file descriptors of its connection and of the pipe that ends with its parent."""


class Process(Protocol):
    """A running process."""

    def kill(self) -> None:
        """End it at once; does nothing if it has ended."""

    def wait(self) -> int:
        """Wait for its end; its exit status, or minus the signal that ended it."""


@dataclass(frozen=True)
class Spare:
    """A process that waits for its first call."""

    process: Process
    calls: Connection
    """Leads to it."""
    life: int
    """End of a pipe that it watches: it ends when this is closed."""
    log: IO[bytes]
    """Holds all that it prints."""

    def close(self) -> None:
        """End the process and release its resources."""
        self.process.kill()
        self.process.wait()
        self.let_go()
        self.log.close()

    def let_go(self) -> None:
        """Close the ends that lead to it."""
        self.calls.close()
        os.close(self.life)


_ENDS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
_spares: list[Spare] = []


@contextmanager
def spares(n: int, serve: Serve) -> Iterator[None]:
    """Keep forked processes ready while something is done; none where a fork is not safe."""
    if sys.platform == "linux" and threading.active_count() == 1:
        gc.freeze()  # else the first collection in each child would copy all memory
        for _ in range(n):
            _spares.append(_forked(serve))  # noqa: PERF401  (each closes the ends of those before it)
    try:
        yield
    finally:
        while _spares:
            _spares.pop().close()


def take(start: str) -> Spare:
    """A process: one that is ready, or a new interpreter.

    Args:
        start: Python code that a new interpreter runs, with the two file descriptors as its arguments.
    """
    with contextlib.suppress(IndexError):
        return _spares.pop()
    return _spawned(start)


def _spawned(start: str) -> Spare:
    log = tempfile.TemporaryFile(mode="a+b")  # noqa: SIM115  (closed with the spare)
    calls, theirs = Pipe()
    lives, life = os.pipe()
    try:
        process = subprocess.Popen(  # noqa: S603  (our own interpreter and code)
            [sys.executable, "-c", start, str(theirs.fileno()), str(lives)],
            pass_fds=(theirs.fileno(), lives),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is the driver's to handle
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"},
        )
    finally:
        theirs.close()
        os.close(lives)
    return Spare(process, calls, life, log)


def _forked(serve: Serve) -> Spare:
    log = tempfile.TemporaryFile(mode="a+b")  # noqa: SIM115  (closed with the spare)
    calls, theirs = Pipe()
    lives, life = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)  # Ctrl-C must not find the child where it is
    if pid := os.fork():
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        os.close(lives)
        return Spare(_Fork(pid), calls, life, log)
    try:
        for spare in (*_spares, Spare(_Fork(0), calls, life, log)):
            spare.let_go()  # the parent's ends, or this process would keep others alive
        _leave_terminal(log)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        serve(theirs.fileno(), lives)
    except BaseException:
        traceback.print_exc()
    os._exit(1)


def _leave_terminal(log: IO[bytes]) -> None:
    """Become as `subprocess` makes a new interpreter: no terminal, and signals as they are by default."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    for number, stream in ((1, "stdout"), (2, "stderr")):
        os.dup2(log.fileno(), number)
        # The parent's may be a notebook's, without a file behind it.
        setattr(sys, stream, os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace", closefd=False))
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    os.environ["OMP_NUM_THREADS"] = "1"


class _Fork:
    """A forked process; its methods may be called from several threads."""

    def __init__(self, pid: int) -> None:
        self._pid, self._lock = pid, threading.Lock()
        self._status: int | None = None

    def kill(self) -> None:
        with self._lock:
            if self._status is None:  # else the number may be somebody else's by now
                os.kill(self._pid, signal.SIGKILL)

    def wait(self) -> int:
        if self._status is None:
            os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOWAIT)
        with self._lock:
            if self._status is None:
                self._status = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
            return self._status
