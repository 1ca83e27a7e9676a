"""The faults that a check finds: one line each, up to a hundred."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from datagen.errors import StoreError

_MAX_FAULTS = 100


class EnoughError(Exception):
    """Ends a check that has found as many faults as anybody reads."""


class Faults:
    """Collects faults."""

    def __init__(self) -> None:
        """None so far."""
        self.lines: list[str] = []

    def add(self, *lines: str) -> None:
        """Add faults.

        Raises:
            EnoughError: If there are a hundred.
        """
        for line in lines:
            self.lines.append(line)
            if len(self.lines) == _MAX_FAULTS:
                raise EnoughError

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Turn an error of the store into a fault: what follows in the block is left out."""
        try:
            yield
        except StoreError as error:
            self.add(str(error))

    def compare(self, place: str, said: Any, found: Any, source: str) -> None:
        """Add a fault for each leaf in which two JSON values differ.

        Args:
            place: The file that says the first.
            said: What it says.
            found: What it should say.
            source: What proves that, in the plural.
        """
        if said != found:
            self.add(*(f"{place}: {path} is {a}, {source} give {b}" for path, a, b in _differing(said, found)))


def _differing(said: Any, found: Any) -> Iterator[tuple[str, str, str]]:
    """The paths of differing leaves, with both values.

    >>> list(_differing({"a": [1, 2]}, {"a": [1, 3], "b": {}}))
    [('a.1', '2', '3'), ('b', 'absent', '{}')]
    """
    left, right = dict(_leaves(said)), dict(_leaves(found))
    for path in sorted({*left, *right}):
        a, b = left.get(path, "absent"), right.get(path, "absent")
        if a != b:
            yield path, a, b


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    pairs: Iterable[tuple[Any, Any]] | None = None
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, (list, tuple)):
        pairs = enumerate(value)
    if not pairs or not value:
        yield path, repr(value)
        return
    for key, each in pairs:
        yield from _leaves(each, f"{path}.{key}" if path else str(key))
