"""Arrow IPC in bounded memory: each message is weighed before pyarrow decodes it.

A file (Feather too) is the same stream after eight bytes of magic, with an index behind it that is
not needed. pyarrow decodes whole batches, and a few compressed bytes can claim gigabytes.
"""

import io
import struct
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

BATCH_BYTES = 256 << 20
"""Bytes of a batch and of all dictionaries, packed and decoded; pandas writes 65,536 rows to a batch."""
_BATCH_ROWS = 1 << 24
_METADATA_BYTES = 8 << 20
_MAGIC = b"ARROW1\0\0"
_CONTINUES = b"\xff\xff\xff\xff"
_DICTIONARY, _RECORDS = 2, 3
_FIX = "write it again in smaller batches, as in pyarrow.feather.write_feather(chunksize=1000)"


def batches(stream: IO[bytes]) -> Iterator[Any]:
    """The schema of an Arrow stream or file as an empty table, then its record batches.

    Args:
        stream: Read once, from the beginning.

    Raises:
        OSError: If it is damaged, or a batch is too large; `pyarrow.ArrowInvalid` likewise.
    """
    import pyarrow as pa

    start = stream.read(len(_MAGIC))
    if start.startswith(b"FEA1"):
        raise OSError("it is in Feather version 1; write it again in version 2")
    checked = _Checked(stream, b"" if start == _MAGIC else start)
    with pa.ipc.open_stream(pa.PythonFile(checked, mode="r")) as reader:
        yield reader.schema.empty_table()
        for batch in reader:
            batch.validate(full=True)  # offsets of a damaged file could lead anywhere
            yield batch


class _Batch(NamedTuple):
    """What the metadata of a record batch or dictionary say."""

    n_rows: int
    buffers: tuple[tuple[int, int], ...]
    """Offset and length of each in the body."""
    is_compressed: bool
    dictionary: int | None
    """Id of the dictionary."""
    is_delta: bool
    """It is appended to the dictionary, rather than its replacement."""


class _Checked(io.RawIOBase):
    """The messages of a stream, each weighed before its first byte is handed out."""

    def __init__(self, stream: IO[bytes], start: bytes) -> None:
        self._stream, self._start = stream, start
        self._parts = list[bytes]()
        self._dictionary_bytes: dict[int, int] = {}
        self._has_ended = False

    def readable(self) -> bool:
        return True

    def read(self, n_bytes: int = -1) -> bytes:
        """Read all bytes that are wanted, as pyarrow expects it."""
        found = list[bytes]()
        while n_bytes > 0 and (self._parts or self._next()):
            part = self._parts.pop(0)
            if len(part) > n_bytes:
                self._parts.insert(0, part[n_bytes:])
                part = part[:n_bytes]
            found.append(part)
            n_bytes -= len(part)
        return found[0] if len(found) == 1 else b"".join(found)

    def _take(self, n_bytes: int) -> bytes:
        start, self._start = self._start[:n_bytes], self._start[n_bytes:]
        return start + self._stream.read(n_bytes - len(start))

    def _next(self) -> bool:
        """Read and weigh a message; False at the end."""
        if self._has_ended:
            return False
        word = self._take(4)
        prefix = word
        if word == _CONTINUES:  # absent in files before Arrow 0.15
            word = self._take(4)
            prefix += word
        n_bytes = int.from_bytes(word, "little", signed=True)
        if len(word) < 4 or n_bytes == 0:
            self._has_ended, self._parts = True, [prefix] if prefix else []
            return bool(prefix)
        if not 0 < n_bytes <= _METADATA_BYTES:
            raise OSError(f"a message claims {n_bytes} bytes of metadata, at most {_METADATA_BYTES} are read")
        metadata = self._take(n_bytes)
        try:
            body_bytes, batch = _message(metadata)
            if not 0 <= body_bytes <= BATCH_BYTES:
                raise OSError(f"a batch has {body_bytes} bytes, at most {BATCH_BYTES} are held at once; {_FIX}")
            body = self._take(body_bytes)
            if batch:
                self._weigh(batch, body)
        except (struct.error, IndexError) as error:
            raise OSError(f"the metadata of a message are damaged ({error})") from error
        self._parts = [part for part in (prefix, metadata, body) if part]
        return True

    def _weigh(self, batch: _Batch, body: bytes) -> None:
        """Refuse a batch that becomes too large.

        Raises:
            OSError: If it does.
        """
        n_bytes = sum(_decoded(batch, body, *buffer) for buffer in batch.buffers)
        if batch.dictionary is not None:
            before = self._dictionary_bytes.get(batch.dictionary, 0) if batch.is_delta else 0
            self._dictionary_bytes[batch.dictionary] = before + n_bytes
            n_bytes = sum(self._dictionary_bytes.values())
        if n_bytes > BATCH_BYTES or not 0 <= batch.n_rows <= _BATCH_ROWS:
            raise OSError(
                f"a batch of {batch.n_rows} rows has {n_bytes} bytes when decoded, at most {BATCH_BYTES} are held at "
                f"once; {_FIX}"
            )


def _decoded(batch: _Batch, body: bytes, at: int, n_bytes: int) -> int:
    """Bytes of a buffer when decoded; compressed ones begin with this number, -1 if they are not."""
    if at < 0 or n_bytes < 0:
        raise IndexError("a buffer outside of its message")
    if not batch.is_compressed or n_bytes < 8:
        return n_bytes
    claimed: int = struct.unpack_from("<q", body, at)[0]
    return n_bytes if claimed < 0 else claimed


def _message(data: bytes) -> tuple[int, _Batch | None]:
    """Length of a message's body, and its batch if it has one."""
    root = _Table(data, _at(data, "<I", 0))
    kind, body_bytes = root.number(1, "<B"), root.number(3, "<q")
    if kind not in (_DICTIONARY, _RECORDS):
        return body_bytes, None
    header, dictionary, is_delta = root.table(2), None, False
    if header and kind == _DICTIONARY:
        dictionary, is_delta, header = header.number(0, "<q"), bool(header.number(2, "<B")), header.table(1)
    if not header:
        raise IndexError("a message without its header")
    batch = _Batch(header.number(0, "<q"), header.pairs(2), header.table(3) is not None, dictionary, is_delta)
    return body_bytes, batch


def _at(data: bytes, format: str, at: int) -> int:
    if at < 0:
        raise IndexError("an offset before the beginning")
    return int(struct.unpack_from(format, data, at)[0])


class _Table:
    """A table of FlatBuffers: its fields by their numbers."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._begin = data, at
        self._fields = at - _at(data, "<i", at)
        self._n_bytes = _at(data, "<H", self._fields)

    def _place(self, field: int) -> int:
        """Offset of a field; 0 if it is absent."""
        offset = 4 + 2 * field
        inner = _at(self._data, "<H", self._fields + offset) if offset + 2 <= self._n_bytes else 0
        return self._begin + inner if inner else 0

    def number(self, field: int, format: str) -> int:
        """A number; 0 if it is absent."""
        place = self._place(field)
        return _at(self._data, format, place) if place else 0

    def table(self, field: int) -> "_Table | None":
        """A table within this one; None if it is absent."""
        place = self._place(field)
        return _Table(self._data, place + _at(self._data, "<I", place)) if place else None

    def pairs(self, field: int) -> tuple[tuple[int, int], ...]:
        """A vector of pairs of 64-bit numbers."""
        place = self._place(field)
        if not place:
            return ()
        begin = place + _at(self._data, "<I", place)
        n = _at(self._data, "<I", begin)
        if 16 * n > len(self._data):
            raise IndexError("a vector longer than its message")
        values = struct.unpack_from(f"<{2 * n}q", self._data, begin + 4)
        return tuple(zip(values[::2], values[1::2], strict=True))
