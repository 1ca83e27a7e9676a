"""A worker in a separate process, replaced when it dies, and the search for a fatal dialogue.

Local builds and actors on Ray use it: an engine (TTS, tokenizer) that crashes or hangs only ends its
own process.
"""

import contextlib
import errno
import os
import signal
import threading
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

from datagen.errors import EngineError
from datagen.faults import explained
from datagen.records import Reject, dialogue_of, reject
from datagen.run import spare
from datagen.shards.unit import Block, Marker

Notice = Callable[[str], None]
"""A function that reports one line to the user."""
_SAID_BYTES = 4000
"""Amount of the last output kept of a dead process."""
_LOG_BYTES = 1 << 20
_START = "import sys; from datagen.run.supervise import serve; serve(*map(int, sys.argv[1:]))"


class Died(Exception):
    """The process of a worker ended in the middle of a call.

    Attributes:
        reason: How it ended, in a few words that are the same on every machine.
        said: The last lines it printed.
    """

    def __init__(self, reason: str, said: str) -> None:
        super().__init__(reason)
        self.reason, self.said = reason, said


class Child:
    """A process that makes one object and answers calls of its methods, in order.

    Its output goes to a file, so only the driver writes to the terminal. Ctrl-C never reaches it,
    and it ends when its parent process ends for any reason.
    """

    def __init__(self, make: Callable[..., object], *arguments: object) -> None:
        """Start the process, which calls `make(*arguments)`; `wait` before the first call."""
        self._spare = spare.take(_START)
        self._calls, self._log = self._spare.calls, self._spare.log
        with contextlib.suppress(BrokenPipeError):  # dead already: `wait` tells
            self._calls.send((make, arguments))

    def wait(self) -> None:
        """Wait until the object is made; raises as `call` does."""
        self._answer()

    def call(self, method: str, *arguments: object) -> Any:
        """Call a method of the object and wait for its result.

        Raises:
            Died: If the process ended.
            DatagenError: As raised by the method; other exceptions become a RuntimeError.
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
        """End the process at once; a caller that waits for its answer gets `Died`."""
        self._spare.process.kill()

    def close(self) -> None:
        """End the process and release its resources, once no caller waits for it."""
        self._spare.close()

    def _death(self) -> Died:
        code = self._spare.process.wait()
        self._log.seek(max(self._log.seek(0, os.SEEK_END) - _SAID_BYTES, 0))
        said = self._log.read().decode("utf-8", "replace")
        if code == 1 and "Timeout (" in said:  # faulthandler's words
            return Died("hung until its time was up", said)
        if code == errno.ENOMEM:
            return Died("ran out of memory", said)
        return Died(f"killed by signal {-code}" if code < 0 else f"ended with status {code}", said)


_serves = False


def in_worker() -> bool:
    """True in the process of a worker, and false in the driver."""
    return _serves


def serve(calls: int, life: int) -> None:
    """Answer calls in the child until the parent ends.

    Args:
        calls: File descriptor of the connection.
        life: File descriptor that reaches its end when the parent ends.
    """
    global _serves
    _serves = True
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # libraries can swallow it and stay half imported
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
        except MemoryError:  # as if the system had ended the process: the call is repeated in a new one
            traceback.print_exc()
            os._exit(errno.ENOMEM)
        except Exception as error:
            answer = False, _portable(error)
        connection.send(answer)


def _portable(error: Exception) -> Exception:
    """The error itself if a user can fix it, else its traceback as text, which can be pickled."""
    known = explained(error)
    if known is not None:
        return type(known)(str(known))
    return RuntimeError("".join(traceback.format_exception(error)))


def _end_with_parent(life: int) -> None:
    os.read(life, 1)
    os._exit(1)


class Warden:
    """Keeps one worker running in a separate process, and replaces it when it dies.

    A unit that kills it is retried. Then its dialogues are run one by one, each with the same
    number of attempts. A dialogue that kills its worker by itself becomes a reject
    "crashed_worker"; the others are kept.
    """

    def __init__(self, make: Callable[..., object], arguments: tuple[Any, ...], attempts: int, notice: Notice) -> None:
        self._make, self._arguments, self._attempts, self._notice = make, arguments, attempts, notice
        self._child: Child | None = None
        self._lock, self._stopped = threading.Lock(), False

    def _call(self, method: str, *arguments: object) -> Any:
        """Call a method of the worker, in a new process if the last one died; may raise `Died`."""
        child = self._child or self._start()
        try:
            return child.call(method, *arguments)
        except Died:
            self._bury()
            raise

    def _start(self) -> Child:
        for attempt in range(1, self._attempts + 1):
            with self._lock:
                if self._stopped:
                    raise EngineError("the build was stopped")
                child = self._child = Child(self._make, *self._arguments)
            try:
                child.wait()
            except Died as death:
                self._bury()
                if attempt == self._attempts or self._stopped:
                    raise EngineError(f"workers die while they start ({death.reason}):\n{death.said}") from death
            else:
                break
        return child

    def unit(self, unit: int) -> Marker:
        """Make and commit a unit, even if workers die.

        Raises:
            EngineError: If its worker also dies while reading or committing it.
        """
        marker: Marker = self._made("run", unit, Block(unit))
        return marker

    def block(self, block: Block) -> Marker | None:
        """Make and keep a block of a unit, even if workers die; its marker if it is a unit."""
        marker: Marker | None = self._made("block", block, block)
        return marker

    def _made(self, method: str, argument: object, block: Block) -> Any:
        try:
            return self._persist(f"{block}", method, argument)
        except Died:
            self._raise_if_stopped()
            self._notice(f"{block}: its dialogues are run one by one")
            return self.keep(block, self.each(self.must("records", block)))

    def begin(self, block: Block) -> Any:
        """The records of a block; of one that an earlier attempt has decided, its marker or nothing."""
        return self.must("begin", block)

    def piece(self, block: Block, items: Sequence[Any]) -> list[Any]:
        """The results of some records of a block, even if workers die."""
        return self.batch(f"{block}", items)

    def keep(self, block: Block, results: Sequence[Any]) -> Marker | None:
        """Keep a block whose results are complete; its marker if it is a unit."""
        marker: Marker | None = self.must("keep", block, results)
        return marker

    def join(self, block: Block) -> Marker:
        """Commit the unit of a block, when all its blocks are kept."""
        marker: Marker = self.must("join", block)
        return marker

    def join_if_last(self, block: Block) -> Marker | None:
        """Commit the unit of a block if all its blocks are kept."""
        marker: Marker | None = self.must("join_if_last", block)
        return marker

    def must(self, method: str, block: Block, *arguments: object) -> Any:
        """Call a method of the worker on a block.

        Raises:
            EngineError: If the worker dies in every attempt.
        """
        try:
            return self._persist(f"{block}", method, block, *arguments)
        except Died as death:
            self._raise_if_stopped()
            raise EngineError(f"{block} kills its worker ({death.reason}):\n{death.said}") from death

    def batch(self, what: str, items: Sequence[Any]) -> list[Any]:
        """Run the worker's steps over items, or over each by itself if the worker dies."""
        try:
            results: list[Any] = self._persist(what, "apply", items)
        except Died:
            self._raise_if_stopped()
            return self.each(items)
        return results

    def each(self, items: Sequence[Any]) -> list[Any]:
        """Run the worker's steps over items one by one; one that kills the worker becomes a reject."""
        return [item if isinstance(item, Reject) else self._alone(item) for item in items]

    def _alone(self, item: Any) -> Any:
        name = f"dialogue {dialogue_of(item).id!r}"
        try:
            return self._persist(name, "apply", [item])[0]
        except Died as death:
            self._raise_if_stopped()
            self._notice(f"{name} kills its worker ({death.reason}) and is rejected")
            return reject(item, "run", "crashed_worker", death.reason, death.said)

    def _persist(self, what: str, method: str, *arguments: object) -> Any:
        """Call until the worker survives; raises `Died` after the last attempt."""
        for attempt in range(1, self._attempts + 1):
            try:
                return self._call(method, *arguments)
            except Died as death:
                if attempt == self._attempts or self._stopped:
                    raise
                self._notice(
                    f"{what}: its worker died ({death.reason}) and is replaced, {attempt} of {self._attempts - 1}"
                )
        raise AssertionError("attempts is at least 1")

    def _raise_if_stopped(self) -> None:
        """Raise an error after a requested stop, which does not count as a death."""
        if self._stopped:
            raise EngineError("the build was stopped")

    def stop(self) -> None:
        """End the worker at once, from any thread; a caller that waits for it gets `Died`."""
        with self._lock:
            self._stopped = True
            if self._child is not None:
                self._child.kill()

    def close(self) -> None:
        """Release the worker's resources, once no caller waits for it."""
        self.stop()
        self._bury()

    def _bury(self) -> None:
        with self._lock:
            if self._child is not None:
                self._child.close()
            self._child = None
