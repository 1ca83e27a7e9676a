"""Arrow IPC in bounded memory: each message is weighed before pyarrow decodes it.

pyarrow decodes whole batches, and a few compressed bytes can claim gigabytes. A file (Feather too)
is read through the index at its end; where it cannot seek, as in a compressed file or an archive,
it is read as the stream that it is after eight bytes of magic.
"""

import io
import struct
from collections.abc import Callable, Iterator
from typing import IO, Any, NamedTuple

from datagen.sources.budget import TooLargeError, held_bytes, needed_record_bytes

_BATCH_ROWS = 1 << 24
_METADATA_BYTES = 8 << 20
_MAGIC = b"ARROW1\0\0"
_CONTINUES = b"\xff\xff\xff\xff"
_DICTIONARY, _RECORDS = 2, 3
_FIX = "write it again in smaller batches, as in pyarrow.feather.write_feather(chunksize=1000)"


def batches(stream: IO[bytes], max_record_bytes: int) -> Iterator[Any]:
    """The schema of an Arrow stream or file as an empty table, then its record batches.

    Args:
        stream: From the beginning.
        max_record_bytes: Limit of a record; `held_bytes` of it is that of a batch and of all
            dictionaries, packed and decoded.

    Raises:
        OSError: If it is damaged, or a batch is too large; `pyarrow.ArrowInvalid` likewise.
    """
    start = stream.read(len(_MAGIC))
    if start.startswith(b"FEA1"):
        raise OSError("it is in Feather version 1; write it again in version 2")
    if start == _MAGIC and stream.seekable():
        found = _from_file(stream, _Weigher(max_record_bytes))
    else:
        found = _from_stream(_Checked(stream, b"" if start == _MAGIC else start, _Weigher(max_record_bytes)))
    for batch in found:
        batch.validate(full=True)  # offsets of a damaged file could lead anywhere
        yield batch


def _from_stream(checked: "_Checked") -> Iterator[Any]:
    import pyarrow as pa

    with pa.ipc.open_stream(pa.PythonFile(checked, mode="r")) as reader:
        yield reader.schema.empty_table()
        yield from reader


def _from_file(stream: IO[bytes], weigher: "_Weigher") -> Iterator[Any]:
    """Batches of a file by its index, all of them weighed first."""
    import pyarrow as pa

    try:
        for at, n_bytes, body_bytes in _blocks(stream):
            stream.seek(at)
            head = stream.read(n_bytes)
            metadata = head[8 if head.startswith(_CONTINUES) else 4 :]

            def body_at(offset: int, begin: int = at + n_bytes) -> bytes:
                stream.seek(begin + offset)
                return stream.read(8)

            weigher.check(body_bytes)
            weigher.weigh(metadata, body_at)
    except (struct.error, IndexError) as error:
        raise OSError(f"its index is damaged ({error})") from error
    stream.seek(0)
    with pa.ipc.open_file(pa.PythonFile(stream, mode="r")) as reader:
        yield reader.schema.empty_table()
        for k in range(reader.num_record_batches):
            yield reader.get_batch(k)


def _blocks(stream: IO[bytes]) -> list[tuple[int, ...]]:
    """Offset, bytes of metadata and bytes of body of the dictionaries and batches of a file."""
    end = stream.seek(-10, io.SEEK_END)
    n_bytes, magic = struct.unpack("<i6s", stream.read(10))
    if magic != _MAGIC[:6] or not 0 < n_bytes <= min(end, _METADATA_BYTES):
        raise OSError(f"it does not end as Arrow files do, or its index has more than {_METADATA_BYTES} bytes")
    stream.seek(end - n_bytes)
    data = stream.read(n_bytes)
    root = _Table(data, _at(data, "<I", 0))
    blocks = [block for field in (2, 3) for block in root.structs(field, "<qi4xq")]
    if any(at < 0 or not 0 <= size <= _METADATA_BYTES for at, size, _ in blocks):
        raise IndexError("a message outside of the file")
    return blocks


class _Batch(NamedTuple):
    """Metadata of a record batch or dictionary."""

    n_rows: int
    buffers: list[tuple[int, ...]]
    """Offset and length of each in the body."""
    is_compressed: bool
    dictionary: int | None
    """Id of the dictionary."""
    is_delta: bool
    """It is appended to the dictionary, rather than its replacement."""


class _Weigher:
    """Weighs the messages of a file or stream in order."""

    def __init__(self, max_record_bytes: int) -> None:
        self._most_bytes = held_bytes(max_record_bytes)
        self._dictionary_bytes: dict[int, int] = {}

    def weigh(self, metadata: bytes, body_at: Callable[[int], bytes]) -> None:
        """Refuse a batch that becomes too large.

        Args:
            metadata: Of its message.
            body_at: The eight bytes at an offset in the body.

        Raises:
            OSError: If it does.
        """
        body_bytes, batch = _message(metadata)
        self.check(body_bytes)
        if batch is None:
            return
        n_bytes = sum(_decoded(batch, body_at, *buffer) for buffer in batch.buffers)
        if batch.dictionary is not None:
            before = self._dictionary_bytes.get(batch.dictionary, 0) if batch.is_delta else 0
            self._dictionary_bytes[batch.dictionary] = before + n_bytes
            n_bytes = sum(self._dictionary_bytes.values())
        if n_bytes > self._most_bytes or not 0 <= batch.n_rows <= _BATCH_ROWS:
            raise self._error(f"a batch of {batch.n_rows} rows has {n_bytes} bytes when decoded", n_bytes)

    def check(self, body_bytes: int) -> None:
        """Refuse a body that is too long to be held."""
        if not 0 <= body_bytes <= self._most_bytes:
            raise self._error(f"a batch has {body_bytes} bytes", body_bytes)

    def _error(self, wrong: str, n_bytes: int) -> TooLargeError:
        needed = f"set input.max_record_bytes to {needed_record_bytes(n_bytes)}, or " if n_bytes > 0 else ""
        return TooLargeError(f"{wrong}, at most {self._most_bytes} are held at once; {needed}{_FIX}")


class _Checked(io.RawIOBase):
    """The messages of a stream, each weighed before its first byte is handed out."""

    def __init__(self, stream: IO[bytes], start: bytes, weigher: _Weigher) -> None:
        self._stream, self._start = stream, start
        self._parts = list[bytes]()
        self._weigher = weigher
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
            body_bytes, _ = _message(metadata)
            self._weigher.check(body_bytes)
            body = self._take(body_bytes)
            self._weigher.weigh(metadata, lambda at: body[at : at + 8])
        except (struct.error, IndexError) as error:
            raise OSError(f"the metadata of a message are damaged ({error})") from error
        self._parts = [part for part in (prefix, metadata, body) if part]
        return True


def _decoded(batch: _Batch, body_at: Callable[[int], bytes], at: int, n_bytes: int) -> int:
    """Bytes of a buffer when decoded; compressed ones begin with this number, -1 if they are not."""
    if at < 0 or n_bytes < 0:
        raise IndexError("a buffer outside of its message")
    if not batch.is_compressed or n_bytes < 8:
        return n_bytes
    claimed: int = struct.unpack("<q", body_at(at))[0]
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
    batch = _Batch(header.number(0, "<q"), header.structs(2, "<qq"), header.table(3) is not None, dictionary, is_delta)
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

    def structs(self, field: int, format: str) -> list[tuple[int, ...]]:
        """A vector of structs; empty if it is absent."""
        place = self._place(field)
        if not place:
            return []
        begin = place + _at(self._data, "<I", place)
        end = begin + 4 + _at(self._data, "<I", begin) * struct.calcsize(format)
        if end > len(self._data):
            raise IndexError("a vector longer than its message")
        return list(struct.iter_unpack(format, self._data[begin + 4 : end]))
