"""Bytes to raw records: JSON and JSON Lines, plain or compressed, in bounded memory.

A JSON array is split into its elements by brackets and quotes alone, and each element is then
parsed like a line of JSON Lines. So both formats treat unusual values alike, an element can be
skipped without being held, and a broken element does not hide the others. (An event parser such as
ijson holds a text of any length, silently turns half a surrogate pair into "?", and fails
completely on one NaN or invalid byte.)
"""

import io
import json
from collections.abc import Callable, Iterator
from typing import IO, Any, cast

from datagen.errors import SourceError, StoreError
from datagen.sources.arrays import cut, too_large
from datagen.sources.fields import Raw, UnfitError, quote
from datagen.sources.inputs import Source

_CHUNK_BYTES = 1 << 16
_BOM = b"\xef\xbb\xbf"
MAX_DEPTH = 200
"""Deepest nesting of a record; fixed, because the depth that Python can parse depends on the caller."""
_TOO_DEEP = UnfitError("too_deep", "lists and objects are nested too deep")


def records(file: Source, stream: IO[bytes], shape: str, split: str, max_bytes: int) -> Iterator[Raw]:
    """Read all records of one input.

    Args:
        file: What to read.
        stream: Its raw bytes, from their beginning; read once, unless they are Parquet.
        shape: Shape that its records are to have, or "auto".
        split: Split of a Hugging Face data set.
        max_bytes: Larger records are not read.

    Raises:
        SourceError: If it cannot be read, or holds no record.
    """
    if file.format == "jsonl":
        found = _unpacked(file, stream, lambda unpacked: _lines(unpacked, max_bytes))
    elif file.format == "json":
        found = _unpacked(file, stream, lambda unpacked: _json(file, unpacked, max_bytes))
    else:
        from datagen.sources import table_rows as tables  # needs pyarrow

        found = tables.rows(file, stream, shape, split, max_bytes)
    n_records = 0
    try:
        for raw in found:
            yield raw
            n_records += 1
    except (OSError, EOFError) as error:
        where = f"after record {n_records - 1}" if n_records else "at all"
        fix = "check that it is complete and readable for you, and fetch or pack it again"
        raise SourceError(f"{file.place}: cannot be read {where}: {error}; {fix}") from error
    except StoreError as error:
        raise SourceError(str(error)) from None
    if not n_records:
        raise SourceError(f"{file.place}: contains no records; remove it from the inputs or add some")


def _unpacked(file: Source, packed: IO[bytes], read: Callable[[io.BufferedReader], Iterator[Raw]]) -> Iterator[Raw]:
    """Records of a stream, which is decompressed first if its name says so."""
    packing = {".gz": "gzip", ".zst": "zstd"}.get(file.suffix)
    if packing is None:
        yield from read(cast(io.BufferedReader, packed))
        return
    # pyarrow, because it reads several frames and reports a truncated stream; zstandard just
    # ends there
    import pyarrow as pa

    stream = pa.CompressedInputStream(pa.PythonFile(packed, mode="r"), packing)
    with io.BufferedReader(stream, _CHUNK_BYTES) as unpacked:
        yield from read(unpacked)


def _parse(data: bytes) -> object:
    """The JSON value in these bytes, or an `UnfitError`."""
    try:
        value = json.loads(data.decode())
    except UnicodeDecodeError as error:
        found = repr(data[error.start : error.start + 12])
        return UnfitError("invalid_unicode", f"byte {error.start} of the record is not UTF-8: {found}")
    except json.JSONDecodeError as error:
        return UnfitError("broken_json", f"{error.msg}, at character {error.pos}: {quote(error.doc[error.pos :])}")
    except RecursionError:
        return _TOO_DEEP
    except ValueError as error:  # Python refuses to read integers of thousands of digits
        return UnfitError("bad_number", str(error)[:160])
    return _TOO_DEEP if data.count(b"[") + data.count(b"{") > MAX_DEPTH and _is_deep(value) else value


def _is_deep(value: object) -> bool:
    """True if lists and objects are nested deeper than `MAX_DEPTH`."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            below
            for each in level
            if isinstance(each, (dict, list))
            for below in (each.values() if isinstance(each, dict) else each)
        ]
    return any(isinstance(each, (dict, list)) for each in level)


def _lines(stream: io.BufferedReader, max_bytes: int, n_before: int = 0) -> Iterator[Raw]:
    """JSON Lines: one record per line; blank lines are skipped, a broken line is unfit.

    Args:
        stream: The lines.
        max_bytes: Limit of a line.
        n_before: Number of lines before the stream.
    """
    number = n_before
    if stream.peek(len(_BOM)).startswith(_BOM):
        stream.read(len(_BOM))
    while line := stream.readline(max_bytes + 1):
        number += 1
        whole = len(line) <= max_bytes or line.endswith(b"\n")
        if whole and (not line or line.isspace()):
            continue
        yield Raw(_parse(line) if whole else too_large(max_bytes), f"line {number}")
        while not whole and (piece := stream.readline(_CHUNK_BYTES)):
            whole = piece.endswith(b"\n")


def _json(file: Source, stream: io.BufferedReader, max_bytes: int) -> Iterator[Raw]:
    """JSON: an array, one record, or JSON Lines under another name, as is common on the hub."""
    n_blank_lines = n_blank_bytes = 0
    line = stream.readline(max_bytes + 1)
    while (text := line.removeprefix(_BOM)).isspace():
        n_blank_lines += 1
        n_blank_bytes += len(line)
        line = stream.readline(max_bytes + 1)
    again = cast(io.BufferedReader, io.BufferedReader(_Rejoined(line, stream), _CHUNK_BYTES))
    if text.lstrip().startswith(b"["):
        yield from _array(file, again, max_bytes, n_blank_bytes)
    elif len(text) > max_bytes or not _broken(_parse(text)):
        yield from _lines(again, max_bytes, n_blank_lines)
    elif text:
        yield from _whole(file, again, max_bytes)


class _Rejoined(io.RawIOBase):
    """A stream with the bytes that were already read from it before the others."""

    def __init__(self, head: bytes, rest: io.BufferedReader) -> None:
        self._head, self._rest = memoryview(head), rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._head:
            return self._rest.readinto1(buffer)
        piece, self._head = self._head[: len(buffer)], self._head[len(buffer) :]
        buffer[: len(piece)] = piece
        return len(piece)


def _broken(value: object) -> bool:
    return isinstance(value, UnfitError) and value.reason == "broken_json"


def _whole(file: Source, stream: io.BufferedReader, max_bytes: int) -> Iterator[Raw]:
    """A file that is one record over several lines."""
    data = stream.read(max_bytes + 1).removeprefix(_BOM)
    value = too_large(max_bytes) if len(data) > max_bytes else _parse(data)
    if isinstance(value, UnfitError) and value.reason == "broken_json":
        fix = "fix it there, or name it .jsonl if it has one record per line"
        raise SourceError(f"{file.place}: broken JSON: {value.detail}; {fix}")
    yield Raw(value, "record 0")


def _array(file: Source, stream: io.BufferedReader, max_bytes: int, n_before: int) -> Iterator[Raw]:
    """A JSON array of records. Nothing after broken syntax can be trusted.

    Args:
        file: The file, for errors.
        stream: Its array.
        max_bytes: Limit of a record.
        n_before: Number of bytes before the stream.
    """
    for number, (at_bytes, data) in enumerate(cut(stream, max_bytes)):
        value = _parse(data) if isinstance(data, bytes) else data
        if isinstance(value, UnfitError) and value.reason == "broken_json":
            where = f"in record {number}, which begins at byte {n_before + at_bytes}"
            fix = "fix it there, or convert it to .jsonl, where one broken line costs only itself"
            raise SourceError(f"{file.place}: broken JSON {where}: {value.detail}; {fix}")
        yield Raw(value, f"record {number}")
