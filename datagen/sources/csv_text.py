"""Comma- and tab-separated values with a header row to raw records, one row at a time.

Cells are quoted as spreadsheets, pandas and Python's `csv` do it. That module is not used: its limit
of a cell belongs to the whole process, and one quote that is never closed takes all rows after it.
"""

import io
import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import NamedTuple, cast

from datagen.errors import SourceError
from datagen.sources.arrays import too_large
from datagen.sources.fields import Raw, UnfitError, quote
from datagen.sources.json_text import BOM, not_unicode

_PIECE_BYTES = 1 << 16
_WITHIN = re.compile(rb'[^"]*(?:""[^"]*)*')
"""The rest of a quoted cell without its closing quote; a doubled quote is part of the cell."""
_CELL = re.compile(r'[^"]*(?:""[^"]*)*"')


class _At(Enum):
    """Position between two pieces of a file."""

    BEGIN = auto()
    """Of a cell."""
    PLAIN = auto()
    QUOTED = auto()
    QUOTE = auto()
    """After a quote in a quoted cell: the first half of a doubled one, or the end of the cell."""


class _Row(NamedTuple):
    """A row; `data` are its bytes, or what is wrong with it."""

    data: bytes | UnfitError
    line: int


def csv_rows(place: str, stream: io.BufferedReader, max_bytes: int, separator: str) -> Iterator[Raw]:
    """Rows as records of texts by the names in the header row.

    Args:
        place: Of the file, for errors.
        stream: The file in UTF-8.
        max_bytes: Larger rows are not held.
        separator: Between cells; if the header has none, a semicolon or tab as of spreadsheets.

    Raises:
        SourceError: If the header cannot be read.
    """
    if stream.peek(len(BOM)).startswith(BOM):
        stream.read(len(BOM))
    start = stream.peek(1)
    separator = next((each for each in (separator, ";", "\t", ",") if each.encode() in start.partition(b"\n")[0]), ",")
    rows = _rows(stream, max_bytes, separator.encode())
    header = next(rows, None)
    if header is None:
        return
    names = cells(header.data, separator)
    if isinstance(names, UnfitError):
        raise SourceError(
            f"{place}: its header row cannot be read: {names.detail}; name the columns in the first row, in UTF-8"
        )
    for row in rows:
        yield Raw(_record(names, cells(row.data, separator)), f"line {row.line}")


def cells(data: bytes | UnfitError, separator: str) -> list[str] | UnfitError:
    r"""The cells of a row.

    >>> cells(b'a,"b ""c"", d",\r\n', ",")
    ['a', 'b "c", d', '']
    """
    if isinstance(data, UnfitError):
        return data
    try:
        text = data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        return not_unicode(data, error)
    if '"' not in text:
        return text.split(separator)
    found, at = list[str](), 0
    while at <= len(text):
        cell = ""
        if text.startswith('"', at) and (quoted := _CELL.match(text, at + 1)):
            cell, at = text[at + 1 : quoted.end() - 1].replace('""', '"'), quoted.end()
        end = text.find(separator, at)
        end = len(text) if end < 0 else end
        found.append(cell + text[at:end])
        at = end + 1
    return found


def _record(names: list[str], found: list[str] | UnfitError) -> object:
    """A row by the names of its columns; the first of two columns of one name counts."""
    if isinstance(found, UnfitError):
        return found
    if len(found) < len(names) or any(found[len(names) :]):
        start = quote(" | ".join(found))
        return UnfitError("broken_row", f"{len(found)} cells below a header of {len(names)}: {start}")
    row: dict[str, str] = {}
    for name, cell in zip(names, found, strict=False):
        row.setdefault(name, cell)
    return row


def _rows(stream: io.BufferedReader, max_bytes: int, separator: bytes, line: int = 1) -> Iterator[_Row]:
    """The rows that are not blank, each with the number of its first line.

    Args:
        stream: The rows.
        max_bytes: Limit of a row.
        separator: Between cells.
        line: Number of the first line.
    """
    held, at, n_lines = bytearray(), _At.BEGIN, 0
    while piece := stream.readline(_PIECE_BYTES):
        held += piece[: max(0, max_bytes + 1 - len(held))]
        at = _after(piece, at, separator)
        n_lines += piece.endswith(b"\n")
        if piece.endswith(b"\n") and at is not _At.QUOTED:
            yield from _row(held, max_bytes, line)
            held, at, line, n_lines = bytearray(), _At.BEGIN, line + n_lines, 0
    if at is not _At.QUOTED or len(held) > max_bytes:
        yield from _row(held, max_bytes, line)
        return
    # the quote is a fault of its line alone: the others are read without it, and no quote of theirs can be left open
    first, _, rest = bytes(held).partition(b"\n")
    yield _Row(UnfitError("broken_row", f"a quote is never closed: {quote(first.decode(errors='replace'))}"), line)
    again = cast(io.BufferedReader, io.BufferedReader(io.BytesIO(rest)))
    yield from _rows(again, max_bytes, separator, line + 1)


def _row(held: bytearray, max_bytes: int, line: int) -> Iterator[_Row]:
    if len(held) > max_bytes:
        yield _Row(too_large(max_bytes), line)
    elif held.strip():
        yield _Row(bytes(held), line)


def _after(piece: bytes, at: _At, separator: bytes) -> _At:
    """The position after a piece of a row, which ends with a line or anywhere within one."""
    k = 0
    while k < len(piece):
        if at is _At.BEGIN or at is _At.QUOTE:
            is_quote = piece[k : k + 1] == b'"'
            at, k = (_At.QUOTED, k + 1) if is_quote else (_At.PLAIN, k)
        elif at is _At.QUOTED:
            k = _end(piece, k)
            at, k = (_At.QUOTE, k + 1) if k < len(piece) else (_At.QUOTED, k)
        elif (k := piece.find(separator + b'"', k)) < 0:
            return _At.BEGIN if piece.endswith(separator) else _At.PLAIN
        else:
            at, k = _At.QUOTED, k + 1 + len(separator)
    return at


def _end(piece: bytes, k: int) -> int:
    match = _WITHIN.match(piece, k)
    return match.end() if match else k
