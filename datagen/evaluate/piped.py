"""A system behind a command or a socket: 16-bit samples of one channel in, the same out.

    COMMAND ...       reads samples on its standard input and writes samples to its standard output
    tcp://HOST:PORT   does so over a connection of its own for each conversation

In lockstep, the system must write as many samples as it has read, silence included; it may be as slow as it
likes. In real time, it may write whenever it likes: what has arrived is played, one piece after the other, and
where nothing has arrived there is silence. So its delay counts, and an answer that it takes back must stop coming.
"""

import contextlib
import os
import queue
import shlex
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol
from urllib.parse import urlsplit

import numpy as np

from datagen.errors import DatagenError
from datagen.evaluate.systems import STEP_MS
from datagen.terminal import printable

if TYPE_CHECKING:
    from datagen.engines.base import Audio

Pace = Literal["lockstep", "real"]
_SAMPLE = np.dtype("<i2")
_FULL_SCALE = 32767
_PATIENCE_S = 60.0
"""Longest wait for samples in lockstep, and most sound that a system may leave unread."""
_AHEAD_S = {"lockstep": 1.0, "real": 600.0}
"""Most sound that a system may have written before its time, by pace."""
_END_S = 1.0
"""Time in which a program that has closed its streams ends by itself."""
_GONE = "has ended, or closed its input or output"
_FILES = (b"RIFF", b"OggS", b"fLaC", b"ID3")
"""Beginnings of files of sound."""
_READ_BYTES = 65536


class Pipe(Protocol):
    """A connection that lasts for one conversation."""

    def write(self, data: bytes) -> None:
        """Send all of it; may wait for a system that does not read."""
        ...

    def read(self) -> bytes:
        """Wait for the next bytes; empty at the end."""
        ...

    def close(self, wait_s: float = 0.0) -> str:
        """End it, also while another thread writes or reads.

        Args:
            wait_s: Time in which the system may end by itself.

        Returns:
            What the system says about its end, such as the last line of its errors.
        """
        ...

    def release(self) -> None:
        """Free it, once no thread writes or reads any more."""
        ...


class _Command:
    def __init__(self, line: list[str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - the user's own command
            line,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # programs that it starts end with it
        )
        self._errors: deque[bytes] = deque(maxlen=3)
        stderr = self._process.stderr
        self._listener = threading.Thread(target=lambda: self._errors.extend(stderr or ()), daemon=True)
        self._listener.start()
        self._is_open = True

    def write(self, data: bytes) -> None:
        stdin: Any = self._process.stdin
        left = memoryview(data)
        while left:
            left = left[stdin.write(left) :]

    def read(self) -> bytes:
        stdout: Any = self._process.stdout
        return bytes(stdout.read(_READ_BYTES))

    def close(self, wait_s: float = 0.0) -> str:
        status = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = self._process.wait(wait_s)
        if self._is_open:
            self._is_open = False
            with contextlib.suppress(ProcessLookupError):  # nothing of it runs any more
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._listener.join(_END_S)
        lines = [line.strip() for line in b"".join(self._errors).decode(errors="replace").splitlines()]
        said = next((line for line in reversed(lines) if line), "")
        return ": ".join([*[f"status {status}"] * (status is not None), *[said] * bool(said)])

    def release(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            pipe.close()  # type: ignore[union-attr]


class _Socket:
    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), timeout=_PATIENCE_S)
        self._socket.settimeout(None)

    def write(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read(self) -> bytes:
        return self._socket.recv(_READ_BYTES)

    def close(self, wait_s: float = 0.0) -> str:  # noqa: ARG002
        with contextlib.suppress(OSError):  # the server was faster
            self._socket.shutdown(socket.SHUT_RDWR)
        return ""

    def release(self) -> None:
        self._socket.close()


def connect(address: str) -> Pipe:
    """Start a command, or connect to `tcp://HOST:PORT`.

    Raises:
        DatagenError: If there is no such program or server.
    """
    place = _parsed(address)
    try:
        return _Command(place) if isinstance(place, list) else _Socket(*place)
    except (OSError, ValueError) as error:
        raise _cannot(address, error) from error


def check_address(address: str) -> None:
    """Check that an address can be read, and that the program of a command exists; nothing is started.

    Raises:
        DatagenError: If not.
    """
    place = _parsed(address)
    if isinstance(place, list) and shutil.which(place[0]) is None:
        raise _cannot(address, f"there is no program {place[0]!r}")


def _parsed(address: str) -> "list[str] | tuple[str, int]":
    """The words of a command, or host and port."""
    try:
        if not address.startswith("tcp://"):
            words = shlex.split(address)
            if not words:
                raise _cannot(address, "it is empty")
            return words
        parts = urlsplit(address)
        if not parts.hostname or not parts.port:
            raise DatagenError(f"{address}: use tcp://HOST:PORT")
        return parts.hostname, parts.port
    except ValueError as error:
        raise _cannot(address, error) from error


def _cannot(address: str, why: object) -> DatagenError:
    return DatagenError(f"the system {address!r} cannot be started ({why}); check the command or address")


@dataclass
class Piped:
    """An `AudioSystem` behind a pipe."""

    address: str
    sample_rate_hz: int
    pace: Pace = "lockstep"
    open: Callable[[str], Pipe] = connect
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _pipe: Pipe | None = field(default=None, init=False)

    def start(self, about: dict[str, Any]) -> None:  # noqa: ARG002
        """Start the command, or connect."""
        self._pipe = pipe = self.open(self.address)
        self._arrived: queue.SimpleQueue[bytes | str] = queue.SimpleQueue()  # samples, or what went wrong
        self._unread: queue.Queue[bytes] = queue.Queue(
            1 if self.pace == "lockstep" else round(_PATIENCE_S * 1000 / STEP_MS)
        )
        self._left, self._n_heard = b"", 0
        self._threads = [
            threading.Thread(target=target, args=(pipe,), daemon=True) for target in (self._read_all, self._write_all)
        ]
        for thread in self._threads:
            thread.start()
        self._began_s = self.clock()

    def step(self, heard: "Audio") -> "Audio":
        """Send a piece; returns what arrives, or has arrived, for its time.

        Raises:
            DatagenError: If the system has ended, does not read, writes too much, or writes nothing in lockstep.
        """
        samples = np.rint(np.clip(heard, -1, 1) * _FULL_SCALE).astype(_SAMPLE)
        self._n_heard += len(heard)
        try:
            self._unread.put(samples.tobytes(), timeout=_PATIENCE_S if self.pace == "lockstep" else 0)
        except queue.Full:
            raise self._fault(f"has read nothing for {_PATIENCE_S:.0f} s; it must read while it speaks") from None
        n_bytes = len(heard) * _SAMPLE.itemsize
        if self.pace == "real":
            self._wait_until(self._began_s + self._n_heard / self.sample_rate_hz)
        else:
            self._wait_for(n_bytes)
        said, self._left = self._left[:n_bytes], self._left[n_bytes:]
        said = said.ljust(n_bytes, b"\0")
        return np.asarray(np.frombuffer(said, _SAMPLE) / _FULL_SCALE, np.float32)

    def _wait_until(self, time_s: float) -> None:
        """Take all that arrives until a time."""
        while (left_s := time_s - self.clock()) > 0:
            self.sleep(left_s)
        while not self._arrived.empty():
            self._take(self._arrived.get())

    def _wait_for(self, n_bytes: int) -> None:
        while len(self._left) < n_bytes:
            try:
                self._take(self._arrived.get(timeout=_PATIENCE_S))
            except queue.Empty:
                n, n_wanted = len(self._left) // _SAMPLE.itemsize, n_bytes // _SAMPLE.itemsize
                raise self._fault(
                    f"wrote {n:,} of {n_wanted:,} samples and then nothing for {_PATIENCE_S:.0f} s; it must write as "
                    "many samples as it reads, without keeping some back, or choose --pace real"
                ) from None

    def _take(self, data: bytes | str) -> None:
        if isinstance(data, str):
            raise self._fault(data)
        self._left += data

    def _fault(self, what: str) -> DatagenError:
        said = self._pipe.close(_END_S if what == _GONE else 0) if self._pipe else ""
        detail = f" ({printable(said)[-300:]})" if said else ""
        return DatagenError(f"the system {self.address!r} {what}{detail}; check that it runs by itself")

    def stop(self) -> None:
        """End the connection."""
        if self._pipe is None:
            return
        pipe, self._pipe = self._pipe, None
        pipe.close()
        with contextlib.suppress(queue.Full):  # then the writer meets the closed pipe
            self._unread.put_nowait(b"")
        for thread in self._threads:
            thread.join(_END_S)
        if not any(thread.is_alive() for thread in self._threads):
            pipe.release()

    # -- other threads ----------------------------------------------------------------------------------------

    def _read_all(self, pipe: Pipe) -> None:
        """Hand on what the system writes."""
        n_bytes = 0
        with contextlib.suppress(OSError, ValueError):  # closed while it was read
            while data := pipe.read():
                if not n_bytes and data.startswith(_FILES):
                    self._arrived.put("writes a file of sound; it must write bare 16-bit samples, without a header")
                    return
                n_bytes += len(data)
                self._arrived.put(data)
                ahead_s = (n_bytes // _SAMPLE.itemsize - self._n_heard) / self.sample_rate_hz
                if ahead_s > _AHEAD_S[self.pace]:
                    self._arrived.put(
                        f"wrote more than {_AHEAD_S[self.pace]:.0f} s of sound before its time; it must write as many "
                        "16-bit samples as it reads, at the rate of --rate"
                    )
                    return
        self._arrived.put(_GONE)

    def _write_all(self, pipe: Pipe) -> None:
        """Send pieces; an empty one is the end."""
        try:
            while data := self._unread.get():
                pipe.write(data)
        except (OSError, ValueError):  # it reads no more
            self._arrived.put(_GONE)
