"""A system behind a command or a socket: 16-bit samples of one channel in, the same out.

    COMMAND ...       reads samples on its standard input and writes samples to its standard output
    tcp://HOST:PORT   does so over a connection of its own for each conversation

In lockstep, the system must write as many samples as it has read, silence included; it may be as slow as it
likes. In real time, it may write whenever it likes: what has arrived is played, one piece after the other, and
where nothing has arrived there is silence. So its delay counts, and an answer that it takes back must stop coming.
"""

import contextlib
import queue
import shlex
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, Literal, Protocol
from urllib.parse import urlsplit

import numpy as np

from datagen.errors import DatagenError
from datagen.terminal import printable

if TYPE_CHECKING:
    from datagen.engines.base import Audio

Pace = Literal["lockstep", "real"]
_SAMPLE = np.dtype("<i2")
_FULL_SCALE = 32767
_PATIENCE_S = 60.0
"""Longest wait for samples in lockstep."""
_READ_BYTES = 65536


class Pipe(Protocol):
    """A connection that lasts for one conversation."""

    def write(self, data: bytes) -> None:
        """Send all of it."""
        ...

    def read(self) -> bytes:
        """Wait for the next bytes; empty at the end."""
        ...

    def close(self) -> str:
        """End it; returns what the system says about itself, such as its last message of error."""
        ...


class _Command:
    def __init__(self, line: list[str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - the user's own command
            line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self._errors: list[bytes] = []
        stderr = self._process.stderr
        self._listener = threading.Thread(target=lambda: self._errors.extend(stderr or ()), daemon=True)
        self._listener.start()

    def write(self, data: bytes) -> None:
        stdin: IO[bytes] = self._process.stdin  # type: ignore[assignment]
        stdin.write(data)
        stdin.flush()

    def read(self) -> bytes:
        stdout: Any = self._process.stdout
        return bytes(stdout.read1(_READ_BYTES))

    def close(self) -> str:
        self._process.kill()
        self._process.wait()
        self._listener.join()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError):  # bytes that nobody reads any more
                pipe.close()  # type: ignore[union-attr]
        return b"".join(self._errors[-3:]).decode(errors="replace").strip()


class _Socket:
    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), timeout=_PATIENCE_S)
        self._socket.settimeout(None)

    def write(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read(self) -> bytes:
        return self._socket.recv(_READ_BYTES)

    def close(self) -> str:
        with contextlib.suppress(OSError):  # the server was faster
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        return ""


def connect(address: str) -> Pipe:
    """Start a command, or connect to `tcp://HOST:PORT`.

    Raises:
        DatagenError: If there is no such program or server.
    """
    try:
        if address.startswith("tcp://"):
            parts = urlsplit(address)
            if not parts.hostname or not parts.port:
                raise DatagenError(f"{address}: use tcp://HOST:PORT")
            return _Socket(parts.hostname, parts.port)
        return _Command(shlex.split(address))
    except (OSError, ValueError, IndexError) as error:
        raise DatagenError(
            f"the system {address!r} cannot be started ({error}); check the command or address"
        ) from error


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
        self._pipe = self.open(self.address)
        self._arrived: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._left, self._ended, self._n_heard = b"", False, 0
        self._reader = threading.Thread(target=_read_all, args=(self._pipe, self._arrived), daemon=True)
        self._reader.start()
        self._began_s = self.clock()

    def step(self, heard: "Audio") -> "Audio":
        """Send a piece; returns what arrives, or has arrived, for its time.

        Raises:
            DatagenError: If the system has ended, or in lockstep writes nothing for a minute.
        """
        assert self._pipe is not None  # noqa: S101 - started before
        samples = np.rint(np.clip(heard, -1, 1) * _FULL_SCALE).astype(_SAMPLE)
        try:
            self._pipe.write(samples.tobytes())
        except OSError as error:
            raise self._fault("has ended") from error
        self._n_heard += len(heard)
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
                raise self._fault(
                    f"wrote nothing for {_PATIENCE_S:.0f} s; it must write as many samples as it reads, or choose "
                    "--pace real"
                ) from None

    def _take(self, data: bytes) -> None:
        if not data:
            raise self._fault("has ended")
        self._left += data

    def _fault(self, what: str) -> DatagenError:
        said = self._pipe.close() if self._pipe else ""
        detail = f" ({printable(said)[-300:]})" if said else ""
        return DatagenError(f"the system {self.address!r} {what}{detail}; check that it runs by itself")

    def stop(self) -> None:
        """End the connection."""
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None
            self._reader.join()


def _read_all(pipe: Pipe, arrived: "queue.SimpleQueue[bytes]") -> None:
    """Hand on what a system writes; an empty piece is its end."""
    with contextlib.suppress(OSError, ValueError):  # closed while it was read
        while data := pipe.read():
            arrived.put(data)
    arrived.put(b"")
