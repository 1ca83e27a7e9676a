"""The output of a build: a small interface to a local directory or an object store (`bucket`).

Keys are relative, with slashes. A file appears whole or not at all, and never changes once created.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from datagen.errors import StoreError
from datagen.faults import cannot
from datagen.shards.bucket import Bucket, is_url

_SCRATCH = ".writing"
"""Folder of partly written files. Leftovers of killed processes are removed at the next start."""

_STALE_SECONDS = 3600


class Store(Protocol):
    """All operations that a build needs of its output."""

    url: str

    def create(self, key: str, data: bytes) -> bool:
        """Write a file unless it exists, whole or not at all.

        Returns:
            True if this call created it; False if a whole file exists already.

        Raises:
            StoreError: If it cannot be written. It may have been written anyway.
        """
        ...

    def replace(self, key: str, data: bytes) -> None:
        """Write a file, replacing one that exists. Only for files that nothing refers to yet."""
        ...

    def read(self, key: str) -> bytes:
        """The content of a file.

        Raises:
            StoreError: If it is not there or cannot be read.
        """
        ...

    def open(self, key: str) -> BufferedReader:
        """A seekable stream over a file, to read parts of it.

        Raises:
            StoreError: If it is not there or cannot be read.
        """
        ...

    def exists(self, key: str) -> bool:
        """True if the file exists."""
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """All files below a folder, sorted."""
        ...

    def sweep(self) -> None:
        """Remove old scratch files of killed writers; never touches data or files being written."""
        ...


class LocalStore:
    """A directory on a local disk.

    A file is written to a scratch name, synced, then linked to its name, and the directory is
    synced.
    """

    def __init__(self, root: str | Path) -> None:
        """A store in a directory, which is created at the first write."""
        self._root = Path(root)
        self.url = str(root)

    def create(self, key: str, data: bytes) -> bool:
        """Link a synced file to its name unless the name is taken."""
        target = self._root / key
        with _writing(target):
            if target.exists():
                _sync_directory(target.parent)  # its writer may have died before it did so
                return False
            with self._scratch(data, key) as written:
                try:
                    os.link(written, target)
                except FileExistsError:
                    created = False
                else:
                    created = True
            _sync_directory(target.parent)
        return created

    def replace(self, key: str, data: bytes) -> None:
        """Rename a synced file over its name."""
        target = self._root / key
        with _writing(target):
            with self._scratch(data, key) as written:
                written.replace(target)
            _sync_directory(target.parent)

    def read(self, key: str) -> bytes:
        """Read a file."""
        try:
            return (self._root / key).read_bytes()
        except OSError as error:
            raise StoreError(cannot("read", self._root / key, error)) from error

    def open(self, key: str) -> BufferedReader:
        """Open a file."""
        try:
            return (self._root / key).open("rb")
        except OSError as error:
            raise StoreError(cannot("read", self._root / key, error)) from error

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

    @contextlib.contextmanager
    def _scratch(self, data: bytes, key: str) -> Iterator[Path]:
        """A synced scratch file, removed at the end."""
        file = self._root / _SCRATCH / uuid4().hex
        _make_directory((self._root / key).parent)
        _make_directory(file.parent)
        try:
            with file.open("wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
            yield file
        finally:
            with contextlib.suppress(OSError):  # of no weight: what stays is swept
                file.unlink()


@contextlib.contextmanager
def _writing(target: Path) -> Iterator[None]:
    """Turn a system error into a StoreError."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"{cannot('write', target, error)}, then run the same command again to resume") from error


def _make_directory(directory: Path) -> None:
    """Create a directory whose name survives a power failure."""
    if not directory.is_dir():
        _make_directory(directory.parent)
        directory.mkdir(exist_ok=True)
        _sync_directory(directory.parent)


def _sync_directory(directory: Path) -> None:
    """Ensure that a new name in a directory survives a power failure."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def open_store(url: str) -> Store:
    """The store at a local path or at the URL of an object store.

    Raises:
        StoreError: If a URL is not of a supported store, or contains credentials.
    """
    return Bucket(url) if is_url(url) else LocalStore(url)
