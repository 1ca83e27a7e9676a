"""The bytes of the inputs, hashed while they are read and compared with the identity of the build.

The identity of a build holds the hash of every input. The inputs are read after it was settled, so
a file could change in between: its records would be in the build, but not in its identity.
"""

import hashlib
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import zip_longest
from typing import IO, Any

from datagen.errors import SourceError
from datagen.records import InputFile
from datagen.sources.inputs import HASH_BYTES, Source, fingerprint_of, reading

_BUFFER_BYTES = 1 << 18
_AGAIN = "run the same command again"


def pinned(files: Sequence[Source], identity: Sequence[InputFile]) -> list[tuple[Source, tuple[InputFile, ...]]]:
    """The files and data sets with their part of an identity; hub data sets at its commit.

    Raises:
        SourceError: If a file was added, removed or renamed since.
    """
    names = [(file, file.names()) for file in files]
    found = [name for _, each in names for name in each]
    for now, then in zip_longest(found, (_without_commit(each) for each in identity)):
        if now != then:
            wrong = f"{then}: disappeared from the inputs" if now is None else f"{now}: is new among the inputs"
            raise SourceError(f"{wrong} while the build was planned; {_AGAIN}")
    left = iter(identity)
    return [_at_commit(file, tuple(next(left) for _ in each)) for file, each in names]


def _without_commit(file: InputFile) -> str:
    return file.name.rpartition("@")[0] if file.revision else file.name


def _at_commit(file: Source, identity: tuple[InputFile, ...]) -> tuple[Source, tuple[InputFile, ...]]:
    if file.hub:
        file = replace(file, hub=replace(file.hub, revision=identity[0].revision))
    return file, identity


@contextmanager
def opened(file: Source, identity: Sequence[InputFile] = ()) -> Iterator[IO[bytes]]:
    """Open an input; compares its bytes with its identity unless the body raises.

    Bytes of a stream are hashed as they are read, and the rest of them at the end. Parquet, Arrow,
    zip and data sets of `save_to_disk` are read at random places, so they are hashed once more at
    the end: the files through the same open file, a data set file by file. A hub data set has no bytes here;
    it is pinned by its commit.

    Args:
        file: What to open.
        identity: Its hashes, from `pinned`; empty: not compared.

    Yields:
        The raw bytes; empty for a data set, which opens its files itself.

    Raises:
        SourceError: If it cannot be opened or has other bytes than in the identity.
    """
    if file.format in ("saved", "hub"):
        yield io.BytesIO()
        if identity and not file.hub:
            _compare(file, identity, fingerprint_of(file))
        return
    with reading(file):  # pyarrow buffers what it reads of Parquet, so another buffer is not kept
        raw: Any = file.open().detach() if file.format == "parquet" else file.open()
    with raw:
        hashed = HashedStream(raw)
        at_random = file.format in ("parquet", "arrow", "zip") and not file.packing
        yield raw if at_random or not identity else io.BufferedReader(hashed, _BUFFER_BYTES)
        if not identity:
            return
        with reading(file):
            if at_random:
                raw.seek(0)
            hashed.drain()
        _compare(file, identity, [InputFile(identity[0].name, hashed.digest.hexdigest(), hashed.n_bytes)])


def _compare(file: Source, identity: Sequence[InputFile], found: Sequence[InputFile]) -> None:
    for then, now in zip_longest(identity, found):
        if then != now:
            place = file.place if file.format != "saved" else (then or now).name
            seen = f"{now.n_bytes} bytes, SHA-256 {now.sha256[:12]}" if now else "nothing"
            there = f"{then.n_bytes} bytes, {then.sha256[:12]}" if then else "nothing"
            raise SourceError(
                f"{place}: changed while the build was planned ({there} when its identity was settled, "
                f"{seen} when it was read); {_AGAIN}"
            )


class HashedStream(io.RawIOBase):
    """A stream that hashes what is read through it; closing it leaves the stream below open."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.digest, self.n_bytes = hashlib.sha256(), 0
        self._stream: Any = stream

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer; returns the number of bytes."""
        n_bytes: int = self._stream.readinto(buffer) or 0
        self.digest.update(memoryview(buffer)[:n_bytes])
        self.n_bytes += n_bytes
        return n_bytes

    def drain(self) -> None:
        """Hash the rest."""
        while chunk := self._stream.read(HASH_BYTES):
            self.digest.update(chunk)
            self.n_bytes += len(chunk)
