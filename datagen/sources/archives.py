"""Members of zip and tar archives to raw records; nothing is ever written to a disk.

A member is read like a file of its name. Those of a zip archive are read in the order of their
names, those of a tar archive in the order in which they stand there, because tar is a stream: it may
be compressed, and WebDataset keeps the parts of a sample together.
"""

import io
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

from datagen.errors import SourceError
from datagen.sources.fields import Raw, UnfitError, quote
from datagen.sources.inputs import SUFFIXES, Content, Kind, is_data, known_suffix, notice_skipped
from datagen.sources.unpacked import unpacked

_DIRECTORY_BYTES = 8 << 20
"""Longest directory of a zip archive; its members take about ten times as much memory."""
_HEADER_BYTES = 1 << 20
"""Longest header of a member of a tar archive."""
_CHUNK_BYTES = 1 << 16
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
_FAULTS = (tarfile.TarError, zipfile.BadZipFile, zlib.error, NotImplementedError, ValueError, RecursionError)
_NOTHING = cast(io.BufferedReader, io.BufferedReader(io.BytesIO()))
_Reader = Callable[[Content, IO[bytes]], Iterator[Raw]]
_Member = tuple[str, io.BufferedReader]


def archived(content: Content, stream: IO[bytes], read: _Reader) -> Iterator[Raw]:
    """Records of the members of an archive; members of other kinds are counted in a notice.

    A member with broken syntax is one reject, as a broken line is in JSON Lines.

    Args:
        content: The archive.
        stream: Its bytes; of a zip archive seekable.
        read: Reads a member.

    Raises:
        SourceError: If the archive is damaged or encrypted, or holds archives.
    """
    n_foreign, example = 0, ""
    try:
        for name, member in _zipped(content, stream) if content.format == "zip" else _tarred(content, stream):
            suffix = known_suffix(name)
            if not all(map(is_data, name.strip("/").split("/"))):
                continue
            if not suffix or SUFFIXES[suffix].format == "parquet":  # which is not read from its beginning to its end
                n_foreign, example = n_foreign + 1, example or name
                continue
            yield from _member_records(content, name, SUFFIXES[suffix], member, read)
    except _FAULTS as error:
        raise OSError(str(error)) from error
    if n_foreign:
        notice_skipped(content.place, "members", n_foreign, example)


def _member_records(archive: Content, name: str, kind: Kind, member: io.BufferedReader, read: _Reader) -> Iterator[Raw]:
    """Records of a member, which say in which it is."""
    shown = quote(name)
    if kind.format in ("zip", "tar"):
        raise SourceError(f"{archive.place}: its member {shown} is an archive itself; unpack it first")
    content = archive._replace(place=f"{archive.place}, member {shown}", format=kind.format, packing=kind.packing)
    try:
        for raw in read(content, member):
            yield raw._replace(place=f"member {shown}, {raw.place}")
    except SourceError as error:
        yield Raw(UnfitError("broken_member", str(error)), f"member {shown}")


def _zipped(content: Content, stream: IO[bytes]) -> Iterator[_Member]:
    """Files of a zip archive by name."""
    limited = _Limited(stream)
    with limited.at_most(_DIRECTORY_BYTES):
        archive = zipfile.ZipFile(cast(IO[bytes], limited))
    with archive:
        for info in sorted(archive.infolist(), key=lambda info: info.filename):
            if info.is_dir():
                continue
            if not known_suffix(info.filename):  # whatever its compression is
                yield info.filename, _NOTHING
                continue
            if info.flag_bits & 1:
                raise SourceError(
                    f"{content.place}: its member {quote(info.filename)} is encrypted; pack it again without a password"
                )
            if info.compress_type not in _METHODS:
                raise NotImplementedError(f"compression method {info.compress_type} of {quote(info.filename)}")
            with archive.open(info) as member, io.BufferedReader(cast(Any, member), _CHUNK_BYTES) as buffered:
                yield info.filename, buffered


def _tarred(content: Content, stream: IO[bytes]) -> Iterator[_Member]:
    """Files of a tar archive in order; links, devices and folders are none."""
    with unpacked(stream, content.packing) as plain:
        limited = _Limited(plain)
        with limited.at_most(_HEADER_BYTES):
            archive = tarfile.TarFile(fileobj=cast(Any, limited))
        while info := _next(archive, limited):
            if info.isreg() and (member := archive.extractfile(info)):
                yield info.name, cast(io.BufferedReader, member)
        # tarfile takes damage for the end
        if not limited.last or limited.last.strip(b"\0"):
            raise tarfile.ReadError("it ends without the mark of its end, or a header is damaged")
        while chunk := plain.read(_CHUNK_BYTES):
            if chunk.strip(b"\0"):
                raise tarfile.ReadError("more data follow the mark of its end; pack archives in a row into one")


def _next(archive: tarfile.TarFile, limited: "_Limited") -> tarfile.TarInfo | None:
    archive.members.clear()  # type: ignore[attr-defined]  # it keeps all
    with limited.at_most(_HEADER_BYTES):
        return archive.next()


class _Limited:
    """A stream that can refuse to read more at once than a header has; it need not seek backwards."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._can_seek, self._at_bytes = stream, stream.seekable(), 0
        self._limit_bytes = 0
        self.last = b""
        """Bytes read last, at most one block of tar."""

    @contextmanager
    def at_most(self, n_bytes: int) -> Iterator[None]:
        """Refuse to read more than this at once within the body."""
        self._limit_bytes = n_bytes
        try:
            yield
        finally:
            self._limit_bytes = 0

    def read(self, n_bytes: int = -1) -> bytes:
        """Read as of a file."""
        if 0 < self._limit_bytes < n_bytes:
            raise OSError(f"a header claims {n_bytes} bytes, at most {self._limit_bytes} are read")
        data = self._stream.read(n_bytes)
        self._at_bytes += len(data)
        self.last = data[:512]
        return data

    def tell(self) -> int:
        """Position from the beginning."""
        return self._stream.tell() if self._can_seek else self._at_bytes

    def seekable(self) -> bool:
        """True if it can seek backwards."""
        return self._can_seek

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to an offset; a stream only forward."""
        if self._can_seek:
            return self._stream.seek(offset, whence)
        if offset < self._at_bytes:
            raise OSError("a header leads backwards")
        while self._at_bytes < offset and self.read(min(_CHUNK_BYTES, offset - self._at_bytes)):
            pass
        return self._at_bytes
