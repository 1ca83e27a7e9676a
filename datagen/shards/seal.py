"""Seals: files that hold the hash of their own bytes, so a changed bit is found before anything follows from it.

A seal is the SHA-256 of the file with zeros in place of the seal's own 64 hexadecimal digits. A JSON
document has it as its first value, `seal`; a Parquet file in its footer, as the metadata
`datagen.seal`. Anyone can change a file and seal it again: a seal finds faults of disks, networks
and people, not forgeries.
"""

import hashlib
import json
import re
from typing import Any

from datagen.errors import StoreError

SEALED_SINCE = 5
"""The data version that brought seals; outputs of earlier ones have none."""

KEY = "datagen.seal"
"""The key of a Parquet file's metadata."""

BLANK = "0" * 64
"""Placeholder of a seal until the file is complete."""

_JSON = re.compile(rb'\A\{\s*"seal": "([0-9a-f]{64})"')
_PARQUET = re.compile(KEY.encode() + rb"\x18\x40([0-9a-f]{64})")
"""Thrift's compact protocol: after the key comes the field of the value, a string of 64 bytes."""
_FOOTER_END = 8
"""A Parquet file ends with the length of its footer (4 bytes) and `PAR1`."""


def seal_of(data: bytes | memoryview) -> tuple[str, str] | None:
    """The seal that stands in a file, and the one that its bytes should have; None if it has none."""
    span = _span(data)
    if span is None:
        return None
    begin, end = span
    hashed = hashlib.sha256(memoryview(data)[:begin])
    hashed.update(BLANK.encode())
    hashed.update(memoryview(data)[end:])
    return bytes(data[begin:end]).decode(), hashed.hexdigest()


def seal_in_place(data: memoryview) -> str:
    """Put the seal of a file in the place of `BLANK`; returns the SHA-256 of the sealed file.

    What stands before the seal is hashed once for both.

    Raises:
        ValueError: If it has no place for a seal.

    >>> file = bytearray(document({"n": 1}).replace(b'"n": 1', b'"n": 2'))
    >>> seal_in_place(memoryview(file)) == hashlib.sha256(file).hexdigest(), is_sealed(bytes(file))
    (True, True)
    """
    span = _span(data)
    if span is None:
        raise ValueError("this file has no place for a seal")
    begin, end = span
    hashed = hashlib.sha256(data[:begin])
    blank = hashed.copy()
    blank.update(BLANK.encode())
    blank.update(data[end:])
    data[begin:end] = blank.hexdigest().encode()
    hashed.update(data[begin:])
    return hashed.hexdigest()


def sealed(data: bytes) -> bytes:
    """A file with its seal in the place of `BLANK`, or of an earlier seal.

    Raises:
        ValueError: If it has no place for a seal.

    >>> is_sealed(sealed(document({"n": 1}))), is_sealed(document({"n": 1}).replace(b"1", b"2"))
    (True, False)
    """
    file = bytearray(data)
    seal_in_place(memoryview(file))
    return bytes(file)


def document(values: dict[str, Any], *, ascii: bool = False) -> bytes:
    """A sealed JSON document with sorted keys; a seal among the values is replaced.

    Args:
        values: The document.
        ascii: If true, other characters are escaped; needed for halves of surrogate pairs.

    >>> list(json.loads(document({"b": 1, "a": 2})))
    ['seal', 'a', 'b']
    """
    ordered = {"seal": BLANK, **{key: values[key] for key in sorted(values) if key != "seal"}}
    nested = {key: _sorted(value) for key, value in ordered.items()}
    return sealed(json.dumps(nested, indent=1, ensure_ascii=ascii).encode())


def is_sealed(data: bytes | memoryview) -> bool:
    """True if a file has a seal and its bytes are those that were sealed."""
    found = seal_of(data)
    return found is not None and found[0] == found[1]


def refuse_broken(data: bytes | memoryview, name: str, *, required: bool = False) -> None:
    """Check a file's seal.

    Args:
        data: Its bytes.
        name: Its name for messages.
        required: If true, a file without a seal is refused too.

    Raises:
        StoreError: If its bytes are not those that were sealed.
    """
    found = seal_of(data)
    if found is None and required:
        raise StoreError(f"{name} is damaged: it has no seal; restore it from a copy")
    if found is not None and found[0] != found[1]:
        raise StoreError(f"{name} is damaged: its seal does not match its content; restore it from a copy")


def _span(data: bytes | memoryview) -> tuple[int, int] | None:
    """The place of the digits of a file's seal."""
    if data[:1] == b"{":
        match = _JSON.match(data)
        return match.span(1) if match else None
    n_footer = int.from_bytes(data[-_FOOTER_END:-4], "little")
    begin = max(len(data) - _FOOTER_END - n_footer, 0)
    last = None
    for match in _PARQUET.finditer(data, begin):
        last = match.span(1)
    return last


def _sorted(value: Any) -> Any:
    """JSON values with the keys of every object in order."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(each) for each in value] if isinstance(value, (list, tuple)) else value
