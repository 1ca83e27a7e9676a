"""Files of weights: which ones they are, and where those lie that datagen puts together."""

import hashlib
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

_WORTH_KEEPING_BYTES = 1 << 24
"""Smaller files are hashed in less time than it takes to look."""
_SETTLED_NS = 2_000_000_000
"""A file that was changed so lately could change again within the resolution of its times."""
_PART, _ABANDONED_S = ".part", 86_400


def cache_dir() -> Path:
    """Folder of derived files in the user's cache; it may not exist yet."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "datagen"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal.

    That of a large file is kept in the user's cache, under the file's path, size, times and inode: gigabytes of weights
    are read once, not at each start of a worker.
    """
    found = path.stat()
    changed_ns = max(found.st_mtime_ns, found.st_ctime_ns)
    if found.st_size < _WORTH_KEEPING_BYTES or time.time_ns() - changed_ns < _SETTLED_NS:
        return _hashed(path)
    known = (str(path.resolve()), found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
    kept = cache_dir() / "sha256" / hashlib.sha256(repr(known).encode()).hexdigest()
    with suppress(OSError, UnicodeDecodeError):
        if re.fullmatch("[0-9a-f]{64}", digest := kept.read_text("ascii")):
            return digest
    digest = _hashed(path)
    with suppress(OSError):  # a cache that cannot be written is none
        write_whole(kept, [digest.encode()])
    return digest


def sha256_of_all(files: Iterable[Path], root: Path) -> str:
    """SHA-256 of files below `root`, of their names and contents, in any order."""
    told = sorted((file.relative_to(root).as_posix(), sha256_of(file)) for file in files)
    return hashlib.sha256(repr(told).encode()).hexdigest()


def write_whole(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file that is there in whole or not at all, whoever else writes or reads it at the same time.

    What processes that were killed have left of it is removed after a day.

    Raises:
        OSError: If it cannot be written; nothing is left of it then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f"{path.name}.*{_PART}"):
        with suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > _ABANDONED_S:
                left.unlink()
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.", suffix=_PART)
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(pieces)
        Path(scratch).replace(path)
    finally:
        Path(scratch).unlink(missing_ok=True)


def kept(made_of: object, make: Callable[[], bytes]) -> bytes:
    """Bytes that take long to make, from the user's cache if they are there unharmed.

    Args:
        made_of: All that decides them; its `repr` is the name under which they are kept.
        make: Makes them.
    """
    name = hashlib.sha256(repr(made_of).encode()).hexdigest()
    with suppress(OSError, RuntimeError):  # RuntimeError: a user without a home
        found = (cache_dir() / "made" / name).read_bytes()
        if hashlib.sha256(found[32:]).digest() == found[:32]:
            return found[32:]
    data = make()
    with suppress(OSError, RuntimeError):  # a cache that cannot be written is none
        write_whole(cache_dir() / "made" / name, [hashlib.sha256(data).digest(), data])
    return data


def _hashed(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def one_thread(model: bytes) -> Any:
    """An onnxruntime session of a serialized model, which says nothing but errors."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
