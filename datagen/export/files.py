"""The files of one unit of an export, and the lines that it adds to the lists of the whole."""

import gzip
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from datagen.errors import StoreError
from datagen.shards.store import Store
from datagen.shards.unit import File

PARTS = "parts"
"""Folder with the lines of each unit."""


class UnitFiles:
    """Writes files of a unit, each whole or not at all, and remembers them for the unit's marker."""

    def __init__(self, store: Store, unit: int) -> None:
        """No files yet."""
        self._store, self.unit = store, unit
        self.files: list[File] = []
        self.counts: dict[str, int] = {}
        """Counts of what a trainer will drop, by name."""
        self._lines: list[bytes] = []

    @property
    def number(self) -> str:
        """The unit as it stands in names."""
        return f"{self.unit:06d}"

    def add(self, key: str, data: bytes, table: str, split: str, n_rows: int = 1, n_tokens: int = 0) -> None:
        """Write a file, or find it there from an earlier attempt with the same bytes.

        Args:
            key: Its path; the unit's number is in its name, or that of its folder.
            data: Its bytes.
            table: What it holds, such as `audio`.
            split: Its split.
            n_rows: Conversations or rows in it.
            n_tokens: Tokens in it.

        Raises:
            StoreError: If it is there with other bytes.
        """
        if not self._store.create(key, data) and self._store.read(key) != data:
            raise StoreError(
                f"{self._store.url}/{key} is damaged or was written by another version of a package; "
                "delete it and run the same command again"
            )
        self.files.append(File(key, table, split, n_rows, n_tokens, len(data), hashlib.sha256(data).hexdigest()))

    def add_folder(self, folder: Path, key: str, table: str, split: str, n_rows: int) -> None:
        """Write all files that a library left in a local folder; the rows count with the first of them."""
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            self.add(f"{key}/{path.relative_to(folder).as_posix()}", path.read_bytes(), table, split, n_rows)
            n_rows = 0

    def line(self, name: str, split: str, value: Any) -> None:
        """Add a line to a list of a split."""
        self._lines.append(json_line({"list": name, "split": split, "line": value}))

    def count(self, name: str, n: int) -> None:
        """Add to a count."""
        if n:
            self.counts[name] = self.counts.get(name, 0) + n

    def close(self) -> None:
        """Write the lines."""
        self.add(part_key(self.unit), b"".join(self._lines), PARTS, "", n_rows=len(self._lines))


def part_key(unit: int) -> str:
    """Name of the file with the lines of a unit."""
    return f"{PARTS}/{unit:06d}.lines"


def json_line(value: Any) -> bytes:
    r"""A line of a JSON Lines file; half surrogates of somebody's text are escaped.

    >>> json_line({"text": "é"})
    b'{"text": "\xc3\xa9"}\n'
    """
    try:
        return json.dumps(value, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(value).encode() + b"\n"


def packed(lines: Iterable[bytes], key: str) -> bytes:
    """The bytes of a list, compressed if its name ends in `.gz`; they do not depend on the time."""
    data = b"".join(lines)
    return gzip.compress(data, 5, mtime=0) if key.endswith(".gz") else data
