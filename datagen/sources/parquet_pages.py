"""Memory that the rows of a Parquet file take, found before they are decoded.

A few bytes of Parquet can stand for gigabytes: pages are compressed, and values are repeated by
reference to a dictionary. pyarrow decodes whole rows, however large, so each row group is weighed
first. The sizes of its pages give a bound; if it is too high, the rows are weighed one by one.
"""

import io
import struct
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from datagen.errors import SourceError
from datagen.sources.budget import held_bytes, needed_record_bytes

_PAGES = 3
"""Largest pages that are held at once, because one of each column is."""
_BATCHES_OF_PAGE = 4
"""Batches of decoded rows that take as much as a page."""
_VALUE_BYTES = 16
"""Memory of a value beside its text: levels, offset and validity, measured at 13."""
_FOOTER_BYTES = 8 << 20
"""Longest footer; in memory it is about ten times as large."""
_LEVEL_BYTES = 32
"""Memory of a value while its page is weighed."""
_PACKED_AT_ONCE = 1 << 16
_HEADER_BYTES = 1 << 16
_BATCHES = (128, 16, 1)
_PLAIN, _DELTA_LENGTHS, _DELTA_BYTE_ARRAY = 0, 6, 7
_DICTIONARIES = (2, 8)
_CODECS = {1: "snappy", 2: "gzip", 4: "brotli", 5: "lz4_raw", 6: "zstd", 7: "lz4_raw"}
_DAMAGED_FIX = "check that it is complete, and fetch it again"
_FIX = "write it again with smaller row groups and pages, as in pyarrow.parquet.write_table(row_group_size=1000)"


class _Page(NamedTuple):
    """A page of a column chunk; `header` by field numbers of Thrift."""

    header: dict[int, Any]
    at: int
    """Offset of its bytes."""

    @property
    def is_dictionary(self) -> bool:
        return bool(self.header[1] == 2)

    @property
    def n_bytes(self) -> int:
        return int(self.header[2])

    @property
    def encoding(self) -> int:
        """The encoding of the values."""
        return int(self.about[4 if 8 in self.header else 2])

    @property
    def about(self) -> dict[int, Any]:
        found: dict[int, Any] = self.header.get(5) or self.header.get(7) or self.header.get(8) or {}
        return found


class _Chunk(NamedTuple):
    """A column of a row group."""

    codec: int
    n_values: int
    at: int
    """Offset of its first page."""


def footer_of(stream: IO[bytes], place: str) -> bytes:
    """A file's footer; empty if there is none.

    Raises:
        SourceError: If it is too long to be parsed.
    """
    n_bytes = stream.seek(0, io.SEEK_END)
    stream.seek(max(0, n_bytes - 8))
    end = stream.read(8)
    if end[4:] == b"PAR1" and int.from_bytes(end[:4], "little") > _FOOTER_BYTES:
        raise SourceError(
            f"{place}: cannot be read: its footer claims {int.from_bytes(end[:4], 'little')} bytes, at most "
            f"{_FOOTER_BYTES} are parsed; write it again with fewer columns and larger row groups, or as several files"
        )
    stream.seek(max(0, n_bytes - 8 - int.from_bytes(end[:4], "little")))
    return stream.read(n_bytes - 8 - stream.tell()) if end[4:] == b"PAR1" else b""


class Weigher:
    """Weighs the row groups of an open file."""

    def __init__(
        self, stream: IO[bytes], footer: bytes, schema: Any, columns: list[str], place: str, max_record_bytes: int
    ) -> None:
        """Of the leaves of some columns.

        Args:
            stream: The file.
            footer: Its footer; parsed here, because pyarrow ends the process on damaged row groups.
            schema: Its Parquet schema.
            columns: Names of the columns.
            place: Of the file, for errors.
            max_record_bytes: Limit of a record.

        Raises:
            SourceError: If the footer is damaged.
        """
        self._stream, self._schema, self._place = stream, schema, place
        self._page_bytes = held_bytes(max_record_bytes)
        self._batch_bytes = self._page_bytes // _BATCHES_OF_PAGE
        self._leaves = [k for k in range(len(schema)) if schema.column(k).path.split(".")[0] in columns]
        try:
            self._groups = list(_row_groups(footer, self._leaves))
        except (IndexError, KeyError, TypeError, ValueError, struct.error) as error:
            fix = "check that it is complete, and fetch it again"
            raise SourceError(f"{place}: cannot be read: its footer is damaged ({error!r}); {fix}") from error

    @property
    def n_groups(self) -> int:
        """Number of row groups."""
        return len(self._groups)

    def batch_rows(self, group: int) -> int:
        """The number of rows of a row group that may be decoded at once.

        Raises:
            SourceError: If not even one row or page may; names the row group and the column.
        """
        n_bytes = page_bytes = 0
        heavy = list[int]()
        for leaf in self._leaves:
            bound, largest = self._bound(group, leaf)
            n_bytes += bound
            page_bytes += largest
            if bound > self._batch_bytes // (4 * len(self._leaves)):
                heavy.append(leaf)
            if page_bytes > _PAGES * self._page_bytes:
                raise self._error(
                    group, leaf, f"the largest pages up to it have {page_bytes} bytes", page_bytes, _PAGES
                )
        if n_bytes <= self._batch_bytes:
            return _BATCHES[0]
        heaviest = {leaf: self._heaviest(group, leaf) for leaf in heavy}
        for n_rows in _BATCHES:
            if sum(found[n_rows] for found in heaviest.values()) <= self._batch_bytes:
                return n_rows
        worst = max(heavy, key=lambda leaf: heaviest[leaf][1])
        worst_bytes = sum(found[1] for found in heaviest.values())
        raise self._error(
            group, worst, f"a row has {heaviest[worst][1]} bytes when decoded", worst_bytes, 1 / _BATCHES_OF_PAGE
        )

    def _error(self, group: int, leaf: int, wrong: str, n_bytes: int = 0, pages: float = 1) -> SourceError:
        """An error at a column of a row group.

        Args:
            group: Number of the row group.
            leaf: The column.
            wrong: The fault.
            n_bytes: Bytes that would be held at once; 0: the fault is another.
            pages: How many pages as large as allowed may be held there.
        """
        fix = _DAMAGED_FIX
        if n_bytes:
            wrong += f"; at most {int(self._page_bytes * pages)} are held at once"
            fix = f"set input.max_record_bytes to {needed_record_bytes(int(n_bytes / pages))}, or {_FIX}"
        path = self._schema.column(leaf).path
        return SourceError(f"{self._place}: cannot be read: row group {group}, column {path}: {wrong}; {fix}")

    def _bound(self, group: int, leaf: int) -> tuple[int, int]:
        """A bound on the decoded bytes of a column chunk, and its largest page; checks the size of each page."""
        n_bytes = n_values = longest = largest = 0
        for page in self._pages(group, leaf):
            n_held = max(page.n_bytes, page.header[3], page.about.get(1, 0) * _LEVEL_BYTES)
            if n_held > self._page_bytes:
                wrong = f"a page has {page.n_bytes} bytes and {page.about.get(1)} values"
                few = page.about.get(1, 0) <= _BATCHES[0]  # a row may take nearly all of it
                raise self._error(group, leaf, wrong, n_held * _BATCHES_OF_PAGE + _HEADER_BYTES if few else n_held)
            largest = max(largest, page.n_bytes)
            if page.is_dictionary:
                longest = int(self._lengths(group, leaf, page).max(initial=0))
            else:
                n_values += page.about.get(1, 0)
                n_bytes += page.n_bytes
                if page.encoding == _DELTA_BYTE_ARRAY:  # each value may repeat all of the one before it
                    n_bytes += page.n_bytes * page.about.get(1, 0)
        return largest + n_bytes + n_values * (_VALUE_BYTES + longest), largest

    def _pages(self, group: int, leaf: int) -> Iterator[_Page]:
        chunk = self._groups[group][1][leaf]
        at, n_left = chunk.at, chunk.n_values
        while n_left > 0:
            try:
                self._stream.seek(at)
                data = self._stream.read(_HEADER_BYTES)
                header, length = _read_struct(data, 0)
                page = _Page(header, at + length)
                if min(at, header[3], page.n_bytes, page.about.get(1, 0)) < 0:
                    raise ValueError("a negative size")
            except (IndexError, KeyError, TypeError, ValueError, OSError, struct.error) as error:
                raise self._error(group, leaf, f"the header of a page is damaged ({error})") from error
            yield page
            n_left -= 0 if page.is_dictionary else page.about.get(1, 0)
            at = page.at + header[3]

    def _content(self, group: int, leaf: int, page: _Page) -> bytes:
        """The bytes of a page, decompressed; of version 2 the values alone, without levels."""
        codec = self._groups[group][1][leaf].codec
        self._stream.seek(page.at)
        data, n_levels = self._stream.read(page.header[3]), 0
        if 8 in page.header:
            n_levels = page.about.get(5, 0) + page.about.get(6, 0)
        packed, n_bytes = data[n_levels:], page.n_bytes - n_levels
        if not codec or (8 in page.header and page.about.get(7) is False):
            return data
        return data[:n_levels] + (pa.decompress(packed, n_bytes, _CODECS[codec], asbytes=True) if n_bytes else b"")

    def _lengths(self, group: int, leaf: int, page: _Page) -> NDArray[np.int64]:
        """Decoded bytes of each value of a dictionary."""
        column = self._schema.column(leaf)
        n_values = page.about.get(1, 0)
        if column.physical_type != "BYTE_ARRAY":
            return np.full(n_values, max(8, column.length or 0), np.int64)
        try:
            return _text_lengths(self._content(group, leaf, page), 0, n_values)
        except (OSError, struct.error, ValueError, IndexError, KeyError) as error:
            raise self._error(group, leaf, f"its dictionary is damaged ({error})") from error

    def _heaviest(self, group: int, leaf: int) -> dict[int, int]:
        """The most decoded bytes of a column chunk in a batch, by the number of rows of batches."""
        most, last = dict.fromkeys(_BATCHES, 0), dict.fromkeys(_BATCHES, (0, 0))
        for row, weights in self._rows(group, leaf):
            for n_rows in _BATCHES:
                begins = np.arange(-(row % n_rows), len(weights), n_rows).clip(0)
                sums = np.add.reduceat(weights, begins)
                batch, n_bytes = last[n_rows]
                sums[0] += n_bytes if batch == row // n_rows else 0  # a batch and even a row may span pages
                most[n_rows] = max(most[n_rows], int(sums.max()))
                last[n_rows] = row // n_rows + len(sums) - 1, int(sums[-1])
        return most

    def _rows(self, group: int, leaf: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """The first row in a page and the decoded bytes of each row there; no array is as long as the row group."""
        lengths: NDArray[np.int64] = np.zeros(0, np.int64)
        row = -1
        for page in self._pages(group, leaf):
            if page.is_dictionary:
                lengths = self._lengths(group, leaf, page)
                continue
            try:
                values, starts = self._weights(group, leaf, page, lengths)
            except (OSError, struct.error, ValueError, IndexError, KeyError) as error:
                raise self._error(group, leaf, f"a page cannot be weighed ({error})") from error
            if not len(values):
                continue
            begins = np.flatnonzero(starts)
            first = row + 1
            if not starts[0]:
                begins, first = np.concatenate([[0], begins]), row
            row = first + len(begins) - 1
            if first < 0 or row >= self._groups[group][0]:
                raise self._error(group, leaf, "its pages have another number of rows than the footer says")
            yield first, np.add.reduceat(values, begins, dtype=np.int64)

    def _weights(self, group: int, leaf: int, page: _Page, lengths: NDArray[np.int64]) -> tuple[Any, Any]:
        """Decoded bytes of each value of a page, nulls included, and whether a row begins with it."""
        column, n_values = self._schema.column(leaf), page.about[1]
        data, at, levels = self._content(group, leaf, page), 0, []
        second = 8 in page.header
        sizes = (page.about.get(6, 0), page.about.get(5, 0))  # of repetition and definition levels
        for most, size in zip((column.max_repetition_level, column.max_definition_level), sizes, strict=True):
            level, n_bytes = np.zeros(n_values, np.int32), size
            if most:
                if not second:
                    n_bytes = struct.unpack_from("<I", data, at)[0]
                    at += 4
                level = _hybrid(data, at, at + n_bytes, most.bit_length(), n_values)
            at += n_bytes
            levels.append(level)
        present = levels[1] == column.max_definition_level
        weights = np.full(n_values, _VALUE_BYTES, np.int32)
        n_present = int(present.sum())
        if column.physical_type == "BYTE_ARRAY" and n_present:
            weights[present] += _value_lengths(data, at, page.encoding, n_present, lengths)
        elif column.physical_type == "FIXED_LEN_BYTE_ARRAY":
            weights += column.length
        return weights, levels[0] == 0


def _value_lengths(
    data: bytes, at: int, encoding: int, n_values: int, dictionary: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Lengths of the texts of a page that are not null.

    Args:
        data: The page.
        at: Where its values begin.
        encoding: Of the values.
        n_values: Their number.
        dictionary: Lengths of the texts of the dictionary.
    """
    if encoding in _DICTIONARIES:
        return dictionary[_hybrid(data, at + 1, len(data), data[at], n_values)]
    if encoding == _PLAIN:
        return _text_lengths(data, at, n_values)
    if encoding not in (_DELTA_LENGTHS, _DELTA_BYTE_ARRAY):
        raise ValueError(f"encoding {encoding} is not known for texts")
    lengths, at = _deltas(data, at, n_values)
    if encoding == _DELTA_BYTE_ARRAY:  # what each text shares with the one before it, then what follows
        lengths = lengths + _deltas(data, at, n_values)[0]
    return lengths


def _deltas(data: bytes, at: int, n_values: int) -> tuple[NDArray[np.int64], int]:
    r"""Lengths as DELTA_BINARY_PACKED stores them, and the offset after them.

    >>> _deltas(b"\x80\x01\x04\x03\x04\x02\0\0\0\0", 0, 3)
    (array([2, 3, 4]), 10)
    """
    block, at = _varint(data, at)
    n_parts, at = _varint(data, at)
    n_found, at = _varint(data, at)
    value, at = _zigzag(data, at)
    if n_found != n_values or not 0 < n_parts <= block <= 1 << 16:
        raise ValueError("other lengths than announced")
    part, deltas = block // n_parts, [np.full(min(1, n_values), value, np.int64)]
    left = n_values - 1
    while left > 0:
        least, at = _zigzag(data, at)
        widths, at = data[at : at + n_parts], at + n_parts
        for width in widths:
            if left <= 0:
                break
            n_bytes = width * part // 8
            packed = _packed(data[at : at + n_bytes], width, min(left, part))
            if width > 32 or len(packed) < min(left, part):
                raise ValueError("fewer lengths than announced")
            deltas.append(packed + np.int64(least))
            at, left = at + n_bytes, left - part
    lengths = np.concatenate(deltas).cumsum()
    if lengths.min(initial=0) < 0 or lengths.max(initial=0) > len(data):
        raise ValueError("a length that no text of the page can have")
    return lengths, at


def _text_lengths(data: bytes, at: int, n_values: int) -> NDArray[np.int64]:
    r"""Lengths of texts, each after its length in four bytes.

    >>> _text_lengths(b"\x02\0\0\0hi\0\0\0\0", 0, 2).tolist()
    [2, 0]
    """
    lengths = np.zeros(min(n_values, len(data) // 4), np.int64)
    for k in range(len(lengths)):
        (length,) = struct.unpack_from("<I", data, at)
        lengths[k] = length
        at += 4 + length
    if len(lengths) < n_values or at > len(data):
        raise ValueError("fewer values than announced")
    return lengths


def _hybrid(data: bytes, at: int, end: int, width: int, n_values: int) -> NDArray[np.int32]:
    r"""Whole numbers in runs and packed bits, as levels and references to a dictionary are stored.

    >>> _hybrid(b"\x06\x01\x03\x05", 0, 4, 1, 6).tolist()
    [1, 1, 1, 1, 0, 1]
    """
    parts, left, n_bytes = [np.zeros(0, np.int32)], n_values, (width + 7) // 8
    while left > 0 and at < end:
        header, at = _varint(data, at)
        if header & 1:
            n_groups = min((header >> 1), -(-left // 8))
            step = max(1, _PACKED_AT_ONCE // 8)
            for first in range(0, n_groups, step):
                begin = at + first * width
                piece = data[begin : min(end, begin + min(step, n_groups - first) * width)]
                parts.append(_packed(piece, width, min(left, 8 * step)).astype(np.int32))
                left -= len(parts[-1])
            at += (header >> 1) * width
        else:
            value = int.from_bytes(data[at : at + n_bytes], "little")
            parts.append(np.full(min(left, header >> 1), value, np.int32))
            at += n_bytes
            left -= len(parts[-1])
    if left > 0:
        raise ValueError("fewer levels or references than announced")
    return np.concatenate(parts)


def _packed(data: bytes, width: int, n_values: int) -> NDArray[np.int64]:
    """At most `n_values` whole numbers of `width` bits."""
    if not width:
        return np.zeros(n_values, np.int64)
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
    bits = bits[: len(bits) // width * width].reshape(-1, width)[:n_values]
    return bits @ (1 << np.arange(width, dtype=np.int64))


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    raise ValueError("a number is too long")


def _zigzag(data: bytes, at: int) -> tuple[int, int]:
    value, at = _varint(data, at)
    return (value >> 1) ^ -(value & 1), at


def _read_struct(data: bytes, at: int, depth: int = 0) -> tuple[dict[int, Any], int]:
    """A structure of Thrift's compact protocol by field numbers, and the offset after it."""
    found: dict[int, Any] = {}
    field = 0
    if depth > 8:
        raise ValueError("nested too deep")
    while kind := data[at]:
        at += 1
        delta, kind = kind >> 4, kind & 15
        if delta:
            field += delta
        else:
            field, at = _zigzag(data, at)
        found[field], at = _read_value(data, at, kind, depth)
    return found, at + 1


def _read_value(data: bytes, at: int, kind: int, depth: int) -> tuple[Any, int]:
    if kind in (1, 2):
        return kind == 1, at
    if kind == 3:
        return data[at], at + 1
    if kind in (4, 5, 6):
        return _zigzag(data, at)
    if kind == 7:
        return None, at + 8
    if kind == 8:
        length, at = _varint(data, at)
        if at + length > len(data):
            raise ValueError("a text is too long")
        return None, at + length
    if kind == 12:
        return _read_struct(data, at, depth + 1)
    if kind in (9, 10):
        return _read_list(data, at, depth)
    raise ValueError(f"type {kind} is not part of Parquet's metadata")


def _read_list(data: bytes, at: int, depth: int) -> tuple[list[Any], int]:
    n, kind, at = data[at] >> 4, data[at] & 15, at + 1
    if n == 15:
        n, at = _varint(data, at)
    if n > len(data) - at:
        raise ValueError("a list is too long")
    found = []
    for _ in range(n):
        value, at = (data[at] == 1, at + 1) if kind in (1, 2) else _read_value(data, at, kind, depth + 1)
        found.append(value)
    return found, at


def _row_groups(footer: bytes, leaves: list[int]) -> Iterator[tuple[int, dict[int, _Chunk]]]:
    """Number of rows and column chunks of each row group, one held at a time.

    Args:
        footer: The file's metadata, as Thrift.
        leaves: Columns wanted.
    """
    at = field = 0
    while kind := footer[at]:
        delta, kind, at = kind >> 4, kind & 15, at + 1
        if delta:
            field += delta
        else:
            field, at = _zigzag(footer, at)
        if field != 4:
            _, at = _read_value(footer, at, kind, 0)
            continue
        n, at = footer[at] >> 4, at + 1
        if n == 15:
            n, at = _varint(footer, at)
        for _ in range(n):
            group, at = _read_struct(footer, at)
            chunks = {leaf: group[1][leaf][3] for leaf in leaves}
            firsts = {leaf: min(chunk[9], chunk.get(11) or chunk[9]) for leaf, chunk in chunks.items()}
            yield group[3], {leaf: _Chunk(chunk[4], chunk[5], firsts[leaf]) for leaf, chunk in chunks.items()}
