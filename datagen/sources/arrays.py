"""Split a JSON array into its elements without parsing them, in bounded memory."""

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


def cut(stream: IO[bytes], max_bytes: int) -> Iterator[tuple[int, bytes | UnfitError]]:
    """Split an array into its elements.

    Args:
        stream: Begins with `[`, after optional space or a byte-order mark.
        max_bytes: Limit of an element; no more than this is held of a larger one.

    Yields:
        Offset in bytes and bytes of each element; in place of its bytes `record_too_large`, or
        `broken_json` as the last item if the array does not end correctly.

    >>> import io
    >>> list(cut(io.BytesIO(b'[{"a": "],"}, 2]'), 100))
    [(1, b'{"a": "],"}'), (13, b' 2')]
    """
    cutter = _Cutter(max_bytes)
    while chunk := stream.read(_CHUNK_BYTES):
        yield from cutter.feed(chunk)
    if not cutter.closed:
        yield cutter.begin_bytes, UnfitError("broken_json", "the file ends before the array does")


class _Cutter:
    """Position in the array between two chunks of the file."""

    def __init__(self, max_bytes: int) -> None:
        self.closed = False
        self.begin_bytes = 0
        self._max_bytes = max_bytes
        self._read_bytes = 0
        self._depth = 0
        self._in_text = False
        self._n_skip = 0
        """1 if the chunk ended in a backslash, so that the next byte is escaped."""
        self._n_elements = 0
        self._part = bytearray()
        """The element's bytes in earlier chunks, never much more than the limit."""

    def feed(self, chunk: bytes) -> Iterator[tuple[int, bytes | UnfitError]]:
        """Elements that end in this chunk."""
        start, at = 0, self._n_skip
        self._n_skip = 0
        while not self.closed and (at := self._after_mark(chunk, at)):
            mark = chunk[at - 1]
            if mark in b"[{":
                self._depth += 1
                if self._depth == 1:
                    start, self.begin_bytes = at, self._read_bytes + at
            elif mark in b"]}":
                self._depth -= 1
                self.closed = self._depth == 0
            if self.closed or (mark == b","[0] and self._depth == 1):
                yield from self._element(chunk[start : at - 1])
                start, self.begin_bytes = at, self._read_bytes + at
                if mark == b"}"[0]:
                    yield self.begin_bytes, UnfitError("broken_json", "a } where the array's ] was expected")
        if not self.closed:
            self._hold(chunk[start:])
        elif rest := chunk[start:].strip():
            yield self.begin_bytes, UnfitError("broken_json", f"after the end of the array: {quote(ascii(rest[:40]))}")
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

    def _element(self, end: bytes) -> Iterator[tuple[int, bytes | UnfitError]]:
        """The element that ends with these bytes; none if the array is empty."""
        self._hold(end)
        data, self._part = bytes(self._part), bytearray()
        if data.strip() or self._n_elements or not self.closed:
            self._n_elements += 1
            yield self.begin_bytes, data if len(data) <= self._max_bytes else too_large(self._max_bytes)

    def _hold(self, piece: bytes) -> None:
        """Keep bytes of an element, up to one more than the limit."""
        self._part += piece[: max(0, self._max_bytes + 1 - len(self._part))]


def _end(pattern: re.Pattern[bytes], chunk: bytes, at: int) -> int:
    """End of a match at `at`, or `at` if there is none."""
    match = pattern.match(chunk, at)
    return match.end() if match else at
