"""Fields of a raw record: its faults, its id, its language, a turn's text.

A record that cannot become a dialogue raises `UnfitError`. Text is always data, whatever it looks
like.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

ID_KEYS = ("id", "conversation_id", "dialogue_id", "uuid")
MAX_ID_CHARS = 200
_QUOTE_CHARS = 80


class Raw(NamedTuple):
    """One parsed record, or the reason why parsing failed."""

    value: object
    """A JSON value, or an `UnfitError`."""
    place: str
    """Place in the file, such as `line 3` (from 1) or `record 2` (from 0)."""


class UnfitError(Exception):
    """A record that cannot become a dialogue; it becomes a reject."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def quote(text: str) -> str:
    r"""The start of a text, safe to print: at most 80 characters, unprintable ones escaped.

    >>> print(quote("a\n\ud800"))
    'a\n\ud800'
    """
    quoted = repr(text[:_QUOTE_CHARS])
    whole = len(text) <= _QUOTE_CHARS and len(quoted) <= _QUOTE_CHARS
    return quoted if whole else quoted[: _QUOTE_CHARS - 1] + "…"


def kind_of(value: object) -> str:
    """A JSON value's type in words.

    >>> kind_of(1.5), kind_of(None), kind_of([])
    ('a number', 'null', 'a list')
    """
    words = {bool: "a boolean", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}
    return "null" if value is None else words.get(type(value), f"of type {type(value).__name__}")


def names(item: Mapping[object, object] | Mapping[str, object]) -> str:
    """The keys of an object, for a reject's detail.

    >>> names({"id": 1, "prompt": ""})
    "'id, prompt'"
    """
    return quote(", ".join(map(str, item))) if item else "no fields"


def given_id(record: Mapping[str, object]) -> str | None:
    """The id that a record has, or None.

    Raises:
        UnfitError: `bad_id`, unless it is an integer or 1 to 200 printable characters.

    >>> given_id({"uuid": 7}), given_id({"id": None})
    ('7', None)
    """
    for key in ID_KEYS:
        value = record.get(key)
        if value is None:
            continue
        if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() < 3 * MAX_ID_CHARS:
            return str(value)
        if not isinstance(value, str):
            raise UnfitError("bad_id", f"{key} is {kind_of(value)}, not text or a short whole number")
        if not value.strip() or len(value) > MAX_ID_CHARS or not value.isprintable():
            raise UnfitError("bad_id", f"{key} is not 1 to {MAX_ID_CHARS} printable characters: {quote(value)}")
        return value
    return None


def language(record: Mapping[str, object], shape: str) -> str:
    """The ISO 639-1 code of a record in our own shape, empty if it has none.

    Raises:
        UnfitError: `bad_language`, unless it begins with a code of two letters.

    >>> language({"language": "zh-CN"}, "turns"), language({"language": "python"}, "alpaca")
    ('zh', '')
    """
    # Elsewhere `language` may be a programming language or a name in full, so only our own shape is
    # believed.
    value = record.get("language") if shape == "turns" else None
    if value is None or value == "":
        return ""
    if not isinstance(value, str):
        raise UnfitError("bad_language", f"language is {kind_of(value)}, not text")
    if not re.fullmatch(r"[A-Za-z]{2}(?:[-_][A-Za-z0-9_-]{1,20})?", value):
        raise UnfitError("bad_language", f"language is not an ISO 639-1 code such as en or zh: {quote(value)}")
    return value[:2].lower()


def spoken_text(value: object, field: str) -> str:
    """Text of a turn without surrounding space; parts of one turn are joined by newlines."""
    if isinstance(value, list):
        return "\n".join(_part(part, f"{field}[{i}]") for i, part in enumerate(value)).strip()
    if not isinstance(value, str):
        raise UnfitError("bad_text", f"{field} is {kind_of(value)}, not text")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            found = quote(value[error.start :])
            raise UnfitError("invalid_unicode", f"{field} has half a surrogate pair: {found}") from None
    return value.strip()


def _part(part: object, field: str) -> str:
    """Text of one part of a turn's content."""
    if not isinstance(part, dict) or part.get("type") != "text":
        raise UnfitError("not_text", f"{field} is not a part of type text")
    text = part.get("text")
    if isinstance(text, list):  # parts do not nest
        raise UnfitError("bad_text", f"{field}.text is a list, not text")
    return spoken_text(text, f"{field}.text")
