"""JSON and JSON Lines to raw records, in bounded memory.

A JSON array is split into its elements by brackets and quotes alone, and each element is then
parsed like a line of JSON Lines. So both formats treat unusual values alike, an element can be
skipped without being held, and a broken element does not hide the others. (An event parser such as
ijson holds a text of any length, silently turns half a surrogate pair into "?", and fails
completely on one NaN or invalid byte.)

The name of a file is only a hint, as the hub shows: `.json` may hold lines, and `.jsonl` an array
or records over several lines. The beginning of the file decides.
"""

import io
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, cast

from datagen.errors import SourceError
from datagen.sources.arrays import Piece, cut, cut_values, too_large
from datagen.sources.fields import Raw, UnfitError, quote
from datagen.sources.mappings.several import keyed
from datagen.sources.nested import is_turn, nest_of

CHUNK_BYTES = 1 << 16
BOM = b"\xef\xbb\xbf"
MAX_DEPTH = 200
"""Deepest nesting of a record; fixed, because the depth that Python can parse depends on the caller."""
_VALUE = re.compile(rb'["{}\[\]0-9-]|true\b|false\b|null\b')
"""Beginnings of JSON values, and ends of objects and lists."""
_TOO_DEEP = UnfitError("too_deep", "lists and objects are nested too deep")


def parse(data: bytes) -> object:
    """The JSON value in these bytes, or an `UnfitError`.

    >>> parse(b'{"a": [1]}'), parse(b"{").reason
    ({'a': [1]}, 'broken_json')
    """
    try:
        value = json.loads(data.decode())
    except UnicodeDecodeError as error:
        return not_unicode(data, error)
    except json.JSONDecodeError as error:
        return UnfitError("broken_json", f"{error.msg}, at character {error.pos}: {quote(error.doc[error.pos :])}")
    except RecursionError:
        return _TOO_DEEP
    except ValueError as error:  # Python refuses to read integers of thousands of digits
        return UnfitError("bad_number", str(error)[:160])
    return _TOO_DEEP if data.count(b"[") + data.count(b"{") > MAX_DEPTH and _is_deep(value) else value


def not_unicode(data: bytes, error: UnicodeDecodeError) -> UnfitError:
    """The fault of a record whose bytes are not UTF-8."""
    found = repr(data[error.start : error.start + 12])
    return UnfitError("invalid_unicode", f"byte {error.start} of the record is not UTF-8: {found}")


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


class _First(NamedTuple):
    """The first line that is not blank."""

    line: bytes
    n_lines: int
    """Number of blank lines before it."""
    n_bytes: int
    """Number of bytes of these."""

    @property
    def text(self) -> bytes:
        """The line without a byte-order mark."""
        return self.line.removeprefix(BOM)


def json_lines(place: str, stream: io.BufferedReader, max_bytes: int) -> Iterator[Raw]:
    """Records of JSON Lines, or of JSON under this name if the first line is not a record of its own."""
    first = _first_line(stream, max_bytes)
    following = b""
    if _breaks_off(first.text):
        following = stream.readline(max_bytes + 1)
        is_json = _continues(first.text.strip(), following.strip())
    else:
        is_json = first.text.lstrip().startswith(b"[") and _is_array_of_records(first.text)
    again = _rejoined(first.line + following, stream)
    if is_json:
        yield from _json(place, again, max_bytes, first.n_bytes)
    else:
        yield from _lines(again, max_bytes, first.n_lines)


def json_file(place: str, stream: io.BufferedReader, max_bytes: int) -> Iterator[Raw]:
    """Records of JSON: an array, an object, or JSON Lines under another name, as is common on the hub."""
    first = _first_line(stream, max_bytes)
    again = _rejoined(first.line, stream)
    is_lines = len(first.text) > max_bytes or not is_broken(parse(first.text))
    if is_lines and not first.text.lstrip().startswith(b"[") and not nest_of(first.text, max_bytes):
        yield from _lines(again, max_bytes, first.n_lines)
    elif first.line:
        yield from _json(place, again, max_bytes, first.n_bytes)


def _first_line(stream: io.BufferedReader, max_bytes: int) -> _First:
    n_lines = n_bytes = 0
    line = stream.readline(max_bytes + 1)
    while line.removeprefix(BOM).isspace():
        n_lines += 1
        n_bytes += len(line)
        line = stream.readline(max_bytes + 1)
    return _First(line, n_lines, n_bytes)


def _continues(line: bytes, following: bytes) -> bool:
    r"""True if a line continues the value that broke off in the one before, so that neither is a record.

    >>> _continues(b"{", b'"id": "a",'), _continues(b"{", b'{"id": "a"}'), _continues(b"{", b"nonsense")
    (True, False, False)
    """
    return bool(_VALUE.match(following)) and (line == b"[" or is_broken(parse(following)))


def _is_array_of_records(line: bytes) -> bool:
    """True if a line is a list of objects that are no turns."""
    value = parse(line)
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict) and not is_turn(value[0])


def _breaks_off(line: bytes) -> bool:
    r"""True if a line is the beginning of JSON that continues after it.

    >>> _breaks_off(b'{"a": [\n'), _breaks_off(b'{"a": b}'), _breaks_off(b'{"a": "b\n')
    (True, False, False)
    """
    text = line.rstrip()
    if text[:1] not in (b"{", b"["):
        return False
    try:
        json.loads(text.decode())
    except json.JSONDecodeError as error:
        return error.pos >= len(error.doc)
    except (ValueError, RecursionError):
        pass
    return False


def _rejoined(head: bytes, rest: io.BufferedReader) -> io.BufferedReader:
    return cast(io.BufferedReader, io.BufferedReader(_Rejoined(head, rest), CHUNK_BYTES))


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


def is_broken(value: object) -> bool:
    """True for JSON with broken syntax."""
    return isinstance(value, UnfitError) and value.reason == "broken_json"


def _lines(stream: io.BufferedReader, max_bytes: int, n_before: int) -> Iterator[Raw]:
    """JSON Lines: one record per line; blank lines are skipped, a broken line is unfit.

    Args:
        stream: The lines.
        max_bytes: Limit of a line.
        n_before: Number of lines before the stream.
    """
    number = n_before
    if stream.peek(len(BOM)).startswith(BOM):
        stream.read(len(BOM))
    while line := stream.readline(max_bytes + 1):
        number += 1
        whole = len(line) <= max_bytes or line.endswith(b"\n")
        if whole and (not line or line.isspace()):
            continue
        yield Raw(parse(line) if whole else too_large(max_bytes), f"line {number}")
        while not whole and (piece := stream.readline(CHUNK_BYTES)):
            whole = piece.endswith(b"\n")


def _json(place: str, stream: io.BufferedReader, max_bytes: int, n_before: int) -> Iterator[Raw]:
    """Records of an array, of an object that holds many, or of values that follow each other.

    Args:
        place: Of the file, for errors.
        stream: Begins with `[` or `{`, after a byte-order mark.
        max_bytes: Limit of a record.
        n_before: Number of bytes before the stream.
    """
    head = stream.read(max_bytes + 1)
    again = _rejoined(head, stream)
    if head.removeprefix(BOM).lstrip().startswith(b"["):
        _, first = next(cut(io.BytesIO(head), max_bytes), (0, None))
        is_record = isinstance(first, bytes) and is_turn(parse(first))
        pieces = cut_values(again, max_bytes) if is_record else cut(again, max_bytes)
    elif (nest := nest_of(head, max_bytes)) is None:
        pieces = cut_values(again, max_bytes)
    elif nest.is_list:
        again.read(nest.at_bytes)
        pieces, n_before = cut(again, max_bytes, is_all=False), n_before + nest.at_bytes
    else:
        yield from _by_id(_parsed(place, cut(again, max_bytes), n_before, b"{%b}"))
        return
    for number, value in enumerate(_parsed(place, pieces, n_before)):
        yield Raw(value, f"record {number}")


def _parsed(place: str, pieces: Iterable[Piece], n_before: int, form: bytes = b"%b") -> Iterator[object]:
    """The values of pieces, or what is wrong with them. Nothing after broken syntax can be trusted.

    Args:
        place: Of the file, for errors.
        pieces: With offsets from the beginning of the stream.
        n_before: Number of bytes before the stream.
        form: What to parse of a piece.
    """
    for number, (at_bytes, data) in enumerate(pieces):
        value = parse(form % data.removeprefix(BOM)) if isinstance(data, bytes) else data
        if isinstance(value, UnfitError) and value.reason == "broken_json":
            where = f"in record {number}, which begins at byte {n_before + at_bytes}"
            fix = "fix it there, or convert it to .jsonl, where one broken line costs only itself"
            raise SourceError(f"{place}: broken JSON {where}: {value.detail}; {fix}")
        yield value


def _by_id(values: Iterable[object]) -> Iterator[Raw]:
    """The dialogues of an object, each value an object of one id."""
    for number, value in enumerate(values):
        if isinstance(value, dict):
            ((key, value),) = value.items()
            value = keyed(key, value)
        yield Raw(value, f"record {number}")
