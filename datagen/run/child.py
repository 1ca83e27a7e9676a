"""A worker in a process of its own: one call at a time, and known to be dead when it is.

Both engines stand on it: an engine (TTS, tokenizer) that crashes or hangs takes down this process and nothing else.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection, Pipe
from typing import Any

from datagen.errors import DatagenError

_TOLD_BYTES = 4000
"""How much of what a dead process last printed is kept."""
_LOG_BYTES = 1 << 20
_START = "import sys; from datagen.run.child import serve; serve(*map(int, sys.argv[1:]))"


class Died(Exception):
    """The process of a worker ended in the middle of a call.

    Attributes:
        reason: How, in a few words that are the same on every machine.
        told: The last lines it printed.
    """

    def __init__(self, reason: str, told: str) -> None:
        """Take how it ended and what it printed."""
        super().__init__(reason)
        self.reason, self.told = reason, told


class Child:
    """A process that makes one object and answers calls of its methods, in order.

    What it prints is kept aside, so the terminal stays the driver's. Ctrl-C never reaches it, and it ends when
    the process that started it does, however that died.
    """

    def __init__(self, make: Callable[..., object], *arguments: object) -> None:
        """Start the process; it makes `make(*arguments)`; `wait` for it before the first call."""
        self._log = tempfile.TemporaryFile(mode="a+b")  # noqa: SIM115  (closed with the child)
        self._calls, theirs = Pipe()
        lives, self._life = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603  (our own interpreter and code)
                [sys.executable, "-c", _START, str(theirs.fileno()), str(lives)],
                pass_fds=(theirs.fileno(), lives),
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,  # Ctrl-C is the driver's to handle
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"},
            )
        finally:
            theirs.close()
            os.close(lives)
        with contextlib.suppress(BrokenPipeError):  # dead already: `wait` tells
            self._calls.send((make, arguments))

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def wait(self) -> None:
        """Wait until the object is made.

        Raises:
            Died: If the process ended.
            DatagenError: As the making of the object raised it; anything else becomes a RuntimeError.
        """
        self._answer()

    def call(self, method: str, *arguments: object) -> Any:
        """Call a method of the object and wait for its result.

        Raises:
            Died: If the process ended.
            DatagenError: As the method raised it; anything else becomes a RuntimeError.
        """
        if self._log.seek(0, os.SEEK_END) > _LOG_BYTES:
            self._log.truncate(0)
        try:
            self._calls.send((method, arguments))
        except OSError as error:
            raise self._death() from error
        return self._answer()

    def _answer(self) -> Any:
        try:
            fine, result = self._calls.recv()
        except (EOFError, OSError) as error:
            raise self._death() from error
        if fine:
            return result
        raise result

    def kill(self) -> None:
        """End the process at once; whoever waits for its answer gets `Died`."""
        self._process.kill()

    def close(self) -> None:
        """End the process and give back what it held, when nobody waits for it any more."""
        self._process.kill()
        self._process.wait()
        self._calls.close()
        os.close(self._life)
        self._log.close()

    def _death(self) -> Died:
        code = self._process.wait()
        self._log.seek(max(self._log.seek(0, os.SEEK_END) - _TOLD_BYTES, 0))
        told = self._log.read().decode("utf-8", "replace")
        if code == 1 and "Timeout (" in told:  # faulthandler's words
            return Died("hung until its time was up", told)
        return Died(f"killed by signal {-code}" if code < 0 else f"ended with status {code}", told)


def serve(calls: int, life: int) -> None:
    """What the process runs: answer calls until nobody is left to ask.

    Args:
        calls: File descriptor of the connection.
        life: File descriptor that ends when the parent does.
    """
    threading.Thread(target=_end_with_parent, args=(life,), daemon=True).start()
    connection = Connection(calls)
    make, arguments = connection.recv()
    try:
        worker = make(*arguments)
    except Exception as error:
        connection.send((False, _portable(error)))
        return
    connection.send((True, None))
    while True:
        method, arguments = connection.recv()
        try:
            answer = True, getattr(worker, method)(*arguments)
        except Exception as error:
            answer = False, _portable(error)
        connection.send(answer)


def _portable(error: Exception) -> Exception:
    """The error itself if a user can mend it, else its traceback as text: not every exception can be sent."""
    if isinstance(error, DatagenError):
        return type(error)(str(error))
    return RuntimeError("".join(traceback.format_exception(error)))


def _end_with_parent(life: int) -> None:
    os.read(life, 1)
    os._exit(1)
