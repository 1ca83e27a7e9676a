"""Where a build is written: one small interface, and a local directory behind it.

Keys are relative, with slashes. A file appears whole or not at all, and never changes once created.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from datagen.errors import StoreError

_SCRATCH = ".writing"
"""Folder of half-written files, apart from all data; what a killed process leaves there is swept at the next start."""

_STALE_SECONDS = 3600


class Store(Protocol):
    """What a build needs of its output."""

    url: str

    def create(self, key: str, data: bytes) -> bool:
        """Write a file unless it is there; tells whether this call created it. Whole or not at all."""
        ...

    def replace(self, key: str, data: bytes) -> None:
        """Write a file whether or not it is there. Only for files that nothing refers to yet."""
        ...

    def read(self, key: str) -> bytes:
        """The content of a file.

        Raises:
            StoreError: If it is not there or cannot be read.
        """
        ...

    def exists(self, key: str) -> bool:
        """Whether the file is there."""
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """All files below a folder, sorted."""
        ...

    def sweep(self) -> None:
        """Remove what killed writers left behind long ago; never touches data nor what is being written."""
        ...


class LocalStore:
    """A directory on a local disk. A file is written aside, synced, then linked to its name."""

    def __init__(self, root: str | Path) -> None:
        """Take the directory; it is made when first written to."""
        self._root = Path(root)
        self.url = str(root)

    def create(self, key: str, data: bytes) -> bool:
        """Link a synced file to its name unless the name is taken."""
        target = self._root / key
        if target.exists():
            return False
        with self._scratch(data, key) as written:
            try:
                os.link(written, target)
            except FileExistsError:
                return False
            except OSError as error:
                raise _unwritten(target, error) from error
        _sync_directory(target.parent)
        return True

    def replace(self, key: str, data: bytes) -> None:
        """Rename a synced file over its name."""
        target = self._root / key
        with self._scratch(data, key) as written:
            try:
                written.replace(target)
            except OSError as error:
                raise _unwritten(target, error) from error
        _sync_directory(target.parent)

    def read(self, key: str) -> bytes:
        """Read a file."""
        try:
            return (self._root / key).read_bytes()
        except OSError as error:
            raise StoreError(f"cannot read {self._root / key}: {error.strerror}") from error

    def exists(self, key: str) -> bool:
        """Look for a file."""
        return (self._root / key).is_file()

    def keys(self, prefix: str) -> Iterator[str]:
        """Walk a folder in sorted order."""
        found: list[str] = []
        for folder, _, names in os.walk(self._root / prefix):  # plain names: paths would be ten times as large
            below = Path(folder).relative_to(self._root).as_posix()
            found.extend(name if below == "." else f"{below}/{name}" for name in names)
        yield from sorted(found)

    def sweep(self) -> None:
        """Remove old scratch files."""
        for file in (self._root / _SCRATCH).glob("*"):
            with contextlib.suppress(OSError):
                if time.time() - file.stat().st_mtime > _STALE_SECONDS:
                    file.unlink()

    def _scratch(self, data: bytes, key: str) -> "_Scratch":
        return _Scratch(self._root, data, key)


class _Scratch:
    """A synced file aside, removed again at the end."""

    def __init__(self, root: Path, data: bytes, key: str) -> None:
        self._root, self._data, self._key = root, data, key
        self._file = root / _SCRATCH / uuid4().hex

    def __enter__(self) -> Path:
        try:
            (self._root / self._key).parent.mkdir(parents=True, exist_ok=True)
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("wb") as out:
                out.write(self._data)
                out.flush()
                os.fsync(out.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.unlink()
            raise _unwritten(self._root / self._key, error) from error
        return self._file

    def __exit__(self, *_: object) -> None:
        self._file.unlink(missing_ok=True)


def _unwritten(target: Path, error: OSError) -> StoreError:
    return StoreError(f"cannot write {target}: {error.strerror}")


def _sync_directory(directory: Path) -> None:
    """Make a new name in a directory survive a power cut."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def open_store(path: str) -> Store:
    """The store behind a path.

    Raises:
        StoreError: If the path is a URL, which this version does not write to.
    """
    if "://" in path:
        raise StoreError(
            f"{path}: only local directories can be written so far; copy the finished output to an object store"
        )
    return LocalStore(path)
