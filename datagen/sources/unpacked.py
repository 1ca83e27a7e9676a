"""Streams without their compression, and text in UTF-8 whatever its encoding."""

import bz2
import codecs
import io
import lzma
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

from datagen.sources.inputs import Packing

_CHUNK_BYTES = 1 << 16
_XZ_BYTES = 160 << 20
"""Memory that xz may take; its strongest preset takes 65 MB, and a file can claim gigabytes."""
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@contextmanager
def unpacked(packed: IO[bytes], packing: Packing) -> Iterator[io.BufferedReader]:
    """A stream without its compression; several compressed streams in a row are read as one.

    Yields:
        The content. Reading it raises `OSError`, `EOFError` or `LZMAError` if it is damaged.
    """
    if not packing:
        yield cast(io.BufferedReader, packed)
        return
    raw: Any
    if packing in ("gzip", "zstd"):
        # pyarrow, because it reads several frames and reports a truncated stream; zstandard just
        # ends there
        import pyarrow as pa

        raw = pa.CompressedInputStream(pa.PythonFile(packed, mode="r"), packing)
    else:
        raw = _Unpacked(packed, bz2.BZ2Decompressor if packing == "bz2" else _xz)
    with io.BufferedReader(raw, _CHUNK_BYTES) as stream:
        yield stream


def _xz() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_BYTES)


class _Unpacked(io.RawIOBase):
    """The content of bz2 or xz; their own files of Python hold no limit of memory."""

    def __init__(self, packed: IO[bytes], make: Callable[[], Any]) -> None:
        self._packed, self._make = packed, make
        self._now = make()
        self._next = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            if self._now.eof and not self._begin_next():
                return 0
            if self._now.needs_input and not self._next:
                self._next = self._packed.read(_CHUNK_BYTES)
                if not self._next:
                    raise EOFError("the compressed data end too early")
            data = self._now.decompress(self._next, len(buffer))
            self._next = b""
            if data:
                buffer[: len(data)] = data
                return len(data)

    def _begin_next(self) -> bool:
        """Begin the next compressed stream, after the padding of zeros that xz allows; False if there is none."""
        left = self._now.unused_data.lstrip(b"\0")
        while not left:
            if not (chunk := self._packed.read(_CHUNK_BYTES)):
                return False
            left = chunk.lstrip(b"\0")
        self._now, self._next = self._make(), left
        return True


def in_utf8(stream: io.BufferedReader) -> io.BufferedReader:
    r"""Text in UTF-8: UTF-16 and UTF-32 are recognized by their byte-order mark.

    A character that is damaged there becomes one that is damaged in UTF-8 too, so it costs its
    record and not the file.

    >>> in_utf8(io.BufferedReader(io.BytesIO("好".encode("utf-16")))).read().decode()
    '好'
    """
    start = stream.peek(4)[:4]
    mark, encoding = next(((mark, name) for mark, name in _BOMS if start.startswith(mark)), (b"", ""))
    if not encoding:
        return stream
    stream.read(len(mark))
    return cast(io.BufferedReader, io.BufferedReader(_Recoded(stream, encoding), _CHUNK_BYTES))


class _Recoded(io.RawIOBase):
    """Text of another encoding, read as UTF-8."""

    def __init__(self, stream: IO[bytes], encoding: str) -> None:
        self._stream, self._left = stream, memoryview(b"")
        self._decoder = codecs.getincrementaldecoder(encoding)(_DAMAGED)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            chunk = self._stream.read(_CHUNK_BYTES)
            text = self._decoder.decode(chunk, not chunk)
            self._left = memoryview(text.encode("utf-8", "surrogatepass"))
            if not chunk:
                break
        n_bytes = min(len(buffer), len(self._left))
        buffer[:n_bytes], self._left = self._left[:n_bytes], self._left[n_bytes:]
        return n_bytes


_DAMAGED = "datagen.damaged"
codecs.register_error(_DAMAGED, lambda error: ("\udcff", getattr(error, "end", 0)))
