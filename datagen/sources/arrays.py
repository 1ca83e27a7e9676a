"""Split JSON into the elements of an array or object, or into values in a row, unparsed and in bounded memory."""

import re
from collections.abc import Iterator
from typing import IO

from datagen.sources.fields import UnfitError, quote

_CHUNK_BYTES = 1 << 16
_REST_OF_TEXT = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)
_NO_MARK = re.compile(rb'(?:[^"\[\]{},]+|"[^"\\]*(?:\\.[^"\\]*)*")*', re.DOTALL)
"""Complete texts and everything else up to a bracket, brace or comma."""
_NO_BRACKET = re.compile(rb'(?:[^"\[\]{}]+|"[^"\\]*(?:\\.[^"\\]*)*")*', re.DOTALL)
"""The same without the comma, which means nothing inside an element; three times as fast."""


def too_large(max_bytes: int) -> UnfitError:
    """The fault of a record that is not read because of its size."""
    return UnfitError("record_too_large", f"more than {max_bytes} bytes")


Piece = tuple[int, bytes | UnfitError]
"""Offset in bytes of an element, and its bytes or what is wrong with it."""


def cut(stream: IO[bytes], max_bytes: int, *, is_all: bool = True) -> Iterator[Piece]:
    """Split an array or object into its elements.

    Args:
        stream: Begins with `[` or `{`, after optional space or a byte-order mark.
        max_bytes: Limit of an element; no more than this is held of a larger one.
        is_all: The stream ends with the array; else whatever follows it is left unread.

    Yields:
        Offset in bytes and bytes of each element; in place of its bytes `record_too_large`, or
        `broken_json` as the last item if the array does not end correctly. An element of an object
        is a key and its value.

    >>> import io
    >>> list(cut(io.BytesIO(b'[{"a": "],"}, 2]'), 100))
    [(1, b'{"a": "],"}'), (13, b' 2')]
    >>> list(cut(io.BytesIO(b'{"a": [1, 2], "b": 3}'), 100))
    [(1, b'"a": [1, 2]'), (13, b' "b": 3')]
    """
    cutter = _Cutter(max_bytes, is_all)
    while (is_all or not cutter.closed) and (chunk := stream.read(_CHUNK_BYTES)):
        yield from cutter.feed(chunk)
    if not cutter.closed:
        yield cutter.begin_bytes, UnfitError("broken_json", f"the file ends before the {cutter.what} does")


def cut_values(stream: IO[bytes], max_bytes: int) -> Iterator[Piece]:
    r"""Split objects and arrays that follow each other, each over any number of lines.

    Args:
        stream: The values, with space between them; may begin with a byte-order mark.
        max_bytes: Limit of a value; no more than this is held of a larger one.

    Yields:
        Offset in bytes and bytes of each value, with the space before it; in place of its bytes
        `record_too_large`, or `broken_json` as the last item if the last value is not closed.

    >>> import io
    >>> list(cut_values(io.BytesIO(b'{"a":\n1}\n[2]'), 100))
    [(0, b'{"a":\n1}'), (8, b'\n[2]')]
    """
    cutter = _ValueCutter(max_bytes)
    while chunk := stream.read(_CHUNK_BYTES):
        yield from cutter.feed(chunk)
    if cutter.is_open:
        yield cutter.begin_bytes, UnfitError("broken_json", "the file ends before the record does")


class _Cutter:
    """Position in the array or object between two chunks of the file."""

    def __init__(self, max_bytes: int, is_all: bool = True) -> None:
        self.closed = False
        self.what = "array"
        self.begin_bytes = 0
        self._max_bytes, self._is_all = max_bytes, is_all
        self._read_bytes = 0
        self._depth = 0
        self._in_text = False
        self._n_skip = 0
        """1 if the chunk ended in a backslash, so that the next byte is escaped."""
        self._n_elements = 0
        self._part = bytearray()
        """The element's bytes in earlier chunks, never much more than the limit."""

    def feed(self, chunk: bytes) -> Iterator[Piece]:
        """Elements that end in this chunk."""
        start, at = 0, self._n_skip
        self._n_skip = 0
        while not self.closed and (at := self._after_mark(chunk, at)):
            mark = chunk[at - 1]
            if mark in b"[{":
                self._depth += 1
                if self._depth == 1:
                    self.what = "array" if mark == b"["[0] else "object"
                    start, self.begin_bytes = at, self._read_bytes + at
            elif mark in b"]}":
                self._depth -= 1
                self.closed = self._depth == 0
            if self.closed or (mark == b","[0] and self._depth == 1):
                yield from self._element(chunk[start : at - 1])
                start, self.begin_bytes = at, self._read_bytes + at
                wanted = "]" if self.what == "array" else "}"
                if self.closed and chr(mark) != wanted:
                    wrong = f"a {chr(mark)} where the {self.what}'s {wanted} was expected"
                    yield self.begin_bytes, UnfitError("broken_json", wrong)
        if not self.closed:
            self._hold(chunk[start:])
        elif self._is_all and (rest := chunk[start:].strip()):
            wrong = f"after the end of the {self.what}: {quote(ascii(rest[:40]))}"
            yield self.begin_bytes, UnfitError("broken_json", wrong)
        self._read_bytes += len(chunk)

    def _after_mark(self, chunk: bytes, at: int) -> int:
        """Position after the next mark outside texts, from `at` on; 0 if the chunk has no more."""
        skip = _NO_MARK if self._depth == 1 else _NO_BRACKET
        while True:
            if self._in_text:
                at = _end(_REST_OF_TEXT, chunk, at)
                if at >= len(chunk) or chunk[at] != b'"'[0]:  # a backslash is the chunk's last byte
                    self._n_skip = int(at < len(chunk))
                    return 0
                self._in_text = False
                at += 1
            at = _end(skip, chunk, at)
            if at >= len(chunk):
                return 0
            at += 1
            if chunk[at - 1] != b'"'[0]:
                return at
            self._in_text = True  # it ends in a later chunk

    def _element(self, end: bytes) -> Iterator[Piece]:
        """The element that ends with these bytes; none if the array is empty."""
        self._hold(end)
        data, self._part = bytes(self._part), bytearray()
        if data.strip() or self._n_elements or not self.closed:
            self._n_elements += 1
            yield self.begin_bytes, data if len(data) <= self._max_bytes else too_large(self._max_bytes)

    def _hold(self, piece: bytes) -> None:
        """Keep bytes of an element, up to one more than the limit."""
        self._part += piece[: max(0, self._max_bytes + 1 - len(self._part))]


class _ValueCutter(_Cutter):
    """Position in values that follow each other, between two chunks of the file."""

    @property
    def is_open(self) -> bool:
        """True if something that is not space follows the last whole value."""
        return bool(self._part.strip())

    def feed(self, chunk: bytes) -> Iterator[Piece]:
        """Values that end in this chunk."""
        start, at = 0, self._n_skip
        self._n_skip = 0
        while at := self._after_mark(chunk, at):
            mark = chunk[at - 1]
            self._depth += (mark in b"[{") - (mark in b"]}")
            if mark in b"]}" and self._depth <= 0:
                self._depth = 0
                yield from self._element(chunk[start:at])
                start, self.begin_bytes = at, self._read_bytes + at
        self._hold(chunk[start:])
        self._read_bytes += len(chunk)


def _end(pattern: re.Pattern[bytes], chunk: bytes, at: int) -> int:
    """End of a match at `at`, or `at` if there is none."""
    match = pattern.match(chunk, at)
    return match.end() if match else at
