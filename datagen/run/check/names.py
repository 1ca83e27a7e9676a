"""The files that an output lists; any other below its folder is foreign."""

import re
from collections.abc import Iterator

from datagen.shards.store import Store
from datagen.shards.unit import block_of

_NUMBERED = re.compile(r"(.*[/-])([0-9]{6,})(\.[a-z]+)\Z")
_SCRATCH = ".writing/"
_PROBE = ".writing/probe"
"""Left in an object store that was asked whether it refuses to overwrite."""


class Names:
    """The names of listed files: a byte for each unit's file."""

    def __init__(self, n_units: int) -> None:
        """No names yet, of an output of `n_units` units."""
        self._n_units = n_units
        self._of_units: dict[tuple[str, str], bytearray] = {}
        self._others: set[str] = set()

    def add(self, *keys: str) -> None:
        """List files."""
        for key in keys:
            parts = self._parts(key)
            if parts is None:
                self._others.add(key)
            else:
                head, unit, tail = parts
                self._of_units.setdefault((head, tail), bytearray(self._n_units))[unit] = 1

    def __contains__(self, key: str) -> bool:
        """True if a file is listed.

        >>> names = Names(8)
        >>> names.add("asr/train-000007.parquet", "README.md")
        >>> [key in names for key in ("asr/train-000007.parquet", "asr/train-0000007.parquet", "README.txt")]
        [True, False, False]
        """
        parts = self._parts(key)
        if parts is None:
            return key in self._others
        return (parts[0], parts[2]) in self._of_units and self._of_units[parts[0], parts[2]][parts[1]] == 1

    def _parts(self, key: str) -> tuple[str, int, str] | None:
        """A name without its unit, and the unit; None if it is not the name of a unit's file."""
        match = _NUMBERED.match(key)
        if match is None or not (unit := int(match[2])) < self._n_units or f"{unit:06d}" != match[2]:
            return None
        return match[1], unit, match[3]


def foreign(store: Store, names: Names, unknown: tuple[str, ...] = ()) -> Iterator[str]:
    """A fault for each file that is not listed.

    Args:
        store: The output.
        names: The files that are.
        unknown: Folders whose lists are lost, with a slash at the end.
    """
    for key, _ in store.sizes(""):
        if key == _PROBE:
            continue
        if key.startswith(_SCRATCH):
            yield f"{key}: left over from a writer that was killed; delete it"
        elif block_of(key):
            yield f"{key}: left over from a worker that was killed; delete it, or run the build again"
        elif key not in names and not key.startswith(unknown):
            yield f"{key}: not in the manifest or in any other list of this output"
