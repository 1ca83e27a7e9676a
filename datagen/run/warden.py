"""Keeps one worker at work: starts it, replaces it when it dies, and finds the dialogue that kills it."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from datagen.errors import EngineError
from datagen.records import Reject, dialogue_of, reject
from datagen.run.child import Child, Died
from datagen.shards.unit import Marker

Notice = Callable[[str], None]
"""Takes one line for the person who watches."""


class Warden:
    """One worker in a process of its own.

    A unit that kills it is tried again; then its dialogues are run one by one, each in turn as often, and one that
    kills its worker even alone becomes a reject "crashed_worker". Its neighbours are kept.
    """

    def __init__(self, make: Callable[..., object], arguments: tuple[Any, ...], attempts: int, notice: Notice) -> None:
        """Take how to make the worker, how often it may die on one piece of work, and whom to tell."""
        self._make, self._arguments, self._attempts, self._notice = make, arguments, attempts, notice
        self._child: Child | None = None
        self._lock, self._stopped = threading.Lock(), False

    def _call(self, method: str, *arguments: object) -> Any:
        """Call a method of the worker, in a new process if the last one died.

        Raises:
            Died: If the process died of it.
            DatagenError: As the worker raised it; an EngineError if workers cannot even start.
        """
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
                    raise EngineError(f"workers die while they start ({death.reason}):\n{death.told}") from death
            else:
                break
        return child

    def unit(self, unit: int) -> Marker:
        """Make and commit a unit, whatever dies of it.

        Raises:
            EngineError: If not even reading or committing it goes without a death.
        """
        try:
            marker: Marker = self._persist(f"unit {unit}", "run", unit)
        except Died:
            self._raise_if_stopped()
            self._notice(f"unit {unit}: its dialogues are run one by one")
            marker = self.commit(unit, self.each(self.records(unit)))
        return marker

    def records(self, unit: int) -> list[Any]:
        """The records of a unit, read in the worker.

        Raises:
            EngineError: If the worker dies of it each time.
        """
        records: list[Any] = self._must(unit, "records", unit)
        return records

    def commit(self, unit: int, results: Sequence[Any]) -> Marker:
        """Have the worker write a unit.

        Raises:
            EngineError: If the worker dies of it each time.
        """
        marker: Marker = self._must(unit, "commit", unit, results)
        return marker

    def _must(self, unit: int, method: str, *arguments: object) -> Any:
        try:
            return self._persist(f"unit {unit}", method, *arguments)
        except Died as death:
            self._raise_if_stopped()
            raise EngineError(f"unit {unit} kills its worker ({death.reason}):\n{death.told}") from death

    def batch(self, what: str, items: Sequence[Any]) -> list[Any]:
        """Run the worker's steps over items; one by one if it dies of them together."""
        try:
            results: list[Any] = self._persist(what, "apply", items)
        except Died:
            self._raise_if_stopped()
            return self.each(items)
        return results

    def each(self, items: Sequence[Any]) -> list[Any]:
        """Run the worker's steps over items one by one; what kills the worker even alone becomes a reject."""
        return [item if isinstance(item, Reject) else self._alone(item) for item in items]

    def _alone(self, item: Any) -> Any:
        name = f"dialogue {dialogue_of(item).id!r}"
        try:
            return self._persist(name, "apply", [item])[0]
        except Died as death:
            self._raise_if_stopped()
            self._notice(f"{name} kills its worker ({death.reason}) and is rejected")
            return reject(item, "run", "crashed_worker", death.reason, death.told)

    def _persist(self, what: str, method: str, *arguments: object) -> Any:
        """Call until the worker lives through it, a bounded number of times.

        Raises:
            Died: If it died as often as is allowed.
        """
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
        """Do not take an end that was asked for as one more death.

        Raises:
            EngineError: If the warden was stopped.
        """
        if self._stopped:
            raise EngineError("the build was stopped")

    def stop(self) -> None:
        """End the worker at once, from any thread; whoever waits for it gets `Died`."""
        with self._lock:
            self._stopped = True
            if self._child is not None:
                self._child.kill()

    def close(self) -> None:
        """Give back what the worker held, when nobody waits for it any more."""
        self.stop()
        self._bury()

    def _bury(self) -> None:
        with self._lock:
            if self._child is not None:
                self._child.close()
            self._child = None
