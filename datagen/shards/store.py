"""The output of a build: a small interface to a local directory or an object store (`bucket`).

Keys are relative, with slashes. A file appears whole or not at all, and never changes once created.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import Protocol

from datagen.errors import StoreError
from datagen.faults import cannot
from datagen.shards.bucket import Bucket, is_url
from datagen.shards.scratch import remove_if_empty, scratch_name, sweep

SCRATCH = ".writing"
"""Folder of partly written files; it disappears with the last of them."""

_TRIES = 100
"""Attempts of a writer whose scratch file, or its folder, another driver removes."""
_RESUME = ", then run the same command again to resume"
_ABSENT = (errno.ENOENT, errno.ENOTDIR)


class Store(Protocol):
    """All operations that a build needs of its output."""

    url: str

    def create(self, key: str, data: bytes | memoryview) -> bool:
        """Write a file unless it exists, whole or not at all.

        Returns:
            True if this call created it; False if a whole file exists already.

        Raises:
            StoreError: If it cannot be written. It may have been written anyway.
        """
        ...

    def replace(self, key: str, data: bytes | memoryview) -> None:
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

    def sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        """All files below a folder with their sizes in bytes, in any order."""
        ...

    def remove(self, key: str) -> None:
        """Remove a file if it is there. Only for what nothing refers to yet, and for what the user opens again."""
        ...

    def sweep(self) -> None:
        """Remove scratch files of killed writers; never touches data or files being written."""
        ...


def inside(key: str, url: str) -> str:
    """A key, which may come from a manifest, an index or a column of somebody's data, if it is one.

    Args:
        key: The key.
        url: The output, for messages.

    Raises:
        StoreError: If it is not a relative path with slashes that stays in its directory.

    >>> inside("asr/train-000000.parquet", "out")
    'asr/train-000000.parquet'
    """
    leaves = key.startswith("/") or key[1:2] == ":" or ".." in key.split("/")
    if leaves or "\\" in key or "\0" in key:
        raise StoreError(f"{url}: {key!r} is no name of a file below it; the data that names it is damaged")
    return key


class LocalStore:
    """A directory on a local disk.

    A file is written to a scratch name, synced, then linked to its name, and the directory is
    synced.
    """

    def __init__(self, root: str | Path) -> None:
        """A store in a directory, which is created at the first write."""
        self._root = Path(root)
        self.url = str(root)

    def create(self, key: str, data: bytes | memoryview) -> bool:
        """Link a synced file to its name unless the name is taken."""
        target = self._path(key)
        with _faults("write", target):
            created = _mode(target) is None and self._written(data, target, _link)
            _sync_directory(target.parent)  # also for another's file: its writer may have died before it did so
        return created

    def replace(self, key: str, data: bytes | memoryview) -> None:
        """Rename a synced file over its name."""
        target = self._path(key)
        with _faults("write", target):
            self._written(data, target, _rename)
            _sync_directory(target.parent)

    def read(self, key: str) -> bytes:
        """Read a file."""
        path = self._path(key)
        with _faults("read", path):
            return path.read_bytes()

    def open(self, key: str) -> BufferedReader:
        """Open a file."""
        path = self._path(key)
        with _faults("read", path):
            return path.open("rb")

    def exists(self, key: str) -> bool:
        """Look for a file.

        Raises:
            StoreError: If a folder on the way cannot be read.
        """
        path = self._path(key)
        with _faults("read", path):
            return stat.S_ISREG(_mode(path) or 0)

    def keys(self, prefix: str) -> Iterator[str]:
        """Walk a folder in sorted order.

        Raises:
            StoreError: If a folder cannot be read: it must not look empty.
        """
        found: list[str] = []
        top = self._path(prefix)
        with _faults("read", top):
            for folder, _, names in os.walk(top, onerror=_unless_absent):  # plain names: paths are ten times as large
                below = Path(folder).relative_to(self._root).as_posix()
                found.extend(name if below == "." else f"{below}/{name}" for name in names)
        yield from sorted(found)

    def sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Walk a folder."""
        top = self._path(prefix)
        with _faults("read", top):
            for folder, _, names in os.walk(top, onerror=_unless_absent):
                for name in names:
                    path = Path(folder, name)
                    yield path.relative_to(self._root).as_posix(), path.lstat().st_size

    def remove(self, key: str) -> None:
        """Unlink a file, sync its directory, and remove the folders that it leaves empty."""
        path = self._path(key)
        with _faults("remove", path):
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                _sync_directory(path.parent)
        for folder in path.parents[: len(path.relative_to(self._root).parts)]:
            remove_if_empty(folder)

    def sweep(self) -> None:
        """Remove scratch files of dead writers."""
        with _faults("read", self._root):
            sweep(self._root / SCRATCH)
            remove_if_empty(self._root / SCRATCH)

    def _path(self, key: str) -> Path:
        return self._root / inside(key, self.url)

    def _written(self, data: bytes | memoryview, target: Path, name: Callable[[Path, Path], bool]) -> bool:
        """Name a scratch file; write it again if another driver has removed it."""
        for left in reversed(range(_TRIES)):
            try:
                with self._scratch(data, target) as written:
                    return name(written, target)
            except FileNotFoundError:
                if not left:
                    raise
        raise AssertionError

    @contextlib.contextmanager
    def _scratch(self, data: bytes | memoryview, target: Path) -> Iterator[Path]:
        """A synced scratch file, removed at the end with its folder."""
        folder = self._root / SCRATCH
        _make_directory(target.parent)
        with contextlib.suppress(FileExistsError):  # `exist_ok` would fail if another removes it just then
            folder.mkdir()
        file = folder / scratch_name()
        try:
            with file.open("xb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
            yield file
        finally:
            with contextlib.suppress(OSError):  # of no weight: what stays is swept
                file.unlink()
            remove_if_empty(folder)


def _link(written: Path, target: Path) -> bool:
    """Give a file its name; False if the name is taken."""
    try:
        os.link(written, target)
    except FileExistsError:
        return False
    return True


def _rename(written: Path, target: Path) -> bool:
    written.replace(target)
    return True


def _mode(path: Path) -> int | None:
    """Kind and permissions of a file; None if there is none."""
    try:
        return path.stat().st_mode
    except OSError as error:
        _unless_absent(error)
        return None


def _unless_absent(error: OSError) -> None:
    if error.errno not in _ABSENT:
        raise error


@contextlib.contextmanager
def _faults(verb: str, place: Path) -> Iterator[None]:
    """Turn a system error into a StoreError."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise StoreError(f"{cannot(verb, place, error)}{_RESUME if verb == 'write' else ''}") from error


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
