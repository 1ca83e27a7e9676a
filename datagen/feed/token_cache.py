"""Decoded files on a local disk: faster to read than shards, and never trusted more than them.

A file holds the SHA-256 of what follows, the begins of rows, the tokens, and a bit per token that is
learned. Its name derives from the shard's hash and the vocabulary. A file that is damaged, replaced
or missing is made again from its shard.
"""

import hashlib
import json
import logging
import math
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.errors import FeedError
from datagen.faults import cannot
from datagen.shards.scratch import scratch_name, sweep

_FORMAT = b"datagen tokens 1"
_HASH_BYTES = 32
_SUFFIX = ".tokens"
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""No link is followed, and no pipe is waited for."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tokens:
    """All rows of one file, one after the other."""

    ids: NDArray[np.int32]
    """Tokens; [n_tokens], of matrices a column each: [n_tokens, n_lines]."""
    mask: NDArray[np.bool_]
    """True for tokens that are learned; of the same shape."""
    offsets: NDArray[np.int64]
    """Begin of each row, and end of the last; [n_rows + 1]."""


class TokenCache:
    """A folder of decoded files, which several processes and users may share."""

    def __init__(self, folder: str, vocabulary: dict[str, Any]) -> None:
        """Open a folder, and remove what killed writers left there.

        Raises:
            FeedError: If it cannot be written to.
        """
        self._folder = Path(folder)
        self._salt = _FORMAT + json.dumps(vocabulary, sort_keys=True).encode()
        self._seen: dict[Path, tuple[int, ...]] = {}
        self._can_write = True
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            sweep(self._folder, ".", _SUFFIX)
            self._write(b"", self._scratch()).unlink()
        except (OSError, ValueError) as error:
            raise FeedError(f"{cannot('write', folder, error)}, or omit cache=") from error

    def get(self, sha256: bytes, n_rows: int, shape: tuple[int, ...]) -> Tokens | None:
        """The rows of a shard by its hash and the shape of its tokens; None unless they are there, whole and unchanged.

        The hash is checked when this process first reads a file, and again when the file system says
        that it changed.
        """
        path, n_bytes = self._path(sha256), _n_bytes(n_rows, math.prod(shape))
        try:
            with os.fdopen(os.open(path, _FLAGS), "rb", buffering=0) as file:
                found = os.fstat(file.fileno())
                if not stat.S_ISREG(found.st_mode) or found.st_size != n_bytes:
                    return None
                data = np.empty(n_bytes, np.uint8)
                n_read = _read_all(file, data)
                version = _version(os.fstat(file.fileno()))  # after reading: what changes later is not in `data`
        except (OSError, ValueError):
            return None
        if n_read != n_bytes:
            return None
        if self._seen.get(path) != version:
            if self._hash(path, data[_HASH_BYTES:]) != data[:_HASH_BYTES].tobytes():
                return None
            self._seen[path] = version
        return _split(data[_HASH_BYTES:], n_rows, shape)

    def put(self, sha256: bytes, tokens: Tokens) -> None:
        """Keep the rows of a shard. If that fails, the cache does without them, and says so once."""
        path = self._path(sha256)
        parts = (tokens.offsets.astype("<i8"), tokens.ids.astype("<i4"), np.packbits(tokens.mask))
        body = b"".join(part.tobytes() for part in parts)
        scratch = self._scratch()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._write(self._hash(path, body) + body, scratch).replace(path)
        except OSError as error:
            if self._can_write:
                _log.warning("%s; until then, shards are read again instead", cannot("write", self._folder, error))
            self._can_write = False
        finally:
            scratch.unlink(missing_ok=True)

    def _path(self, sha256: bytes) -> Path:
        return self._folder / f"{hashlib.sha256(self._salt + sha256).hexdigest()}{_SUFFIX}"

    def _scratch(self) -> Path:
        return self._folder / f".{scratch_name()}{_SUFFIX}"

    def _write(self, data: bytes, path: Path) -> Path:
        with path.open("xb") as file:
            file.write(data)
        return path

    def _hash(self, path: Path, body: Any) -> bytes:
        """Hash of a content under its name, so that no file passes for another."""
        found = hashlib.sha256(path.name.encode())
        found.update(body)
        return found.digest()


def _n_bytes(n_rows: int, n_tokens: int) -> int:
    return _HASH_BYTES + 8 * (n_rows + 1) + 4 * n_tokens + (n_tokens + 7) // 8


def _version(found: os.stat_result) -> tuple[int, ...]:
    """Changes with every write to a file; nobody can set the time of the last change."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _read_all(file: Any, data: NDArray[np.uint8]) -> int:
    n_read = 0
    while n := file.readinto(data[n_read:]):
        n_read += n
    return n_read


def _split(body: NDArray[np.uint8], n_rows: int, shape: tuple[int, ...]) -> Tokens:
    """The arrays of a body, without a copy but of the mask."""
    n_tokens = math.prod(shape)
    begin, end = 8 * (n_rows + 1), 8 * (n_rows + 1) + 4 * n_tokens
    mask = np.unpackbits(body[end:], count=n_tokens).view(np.bool_)
    return Tokens(body[begin:end].view("<i4").reshape(shape), mask.reshape(shape), body[:begin].view("<i8"))
