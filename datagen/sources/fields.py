"""Fields of a raw record: its faults, its id, its language, a turn's text.

A record that cannot become a dialogue raises `UnfitError`. Text is always data, whatever it looks
like.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

from datagen.sources.mappings.paths import at
from datagen.sources.mappings.table import words

ID_KEYS = ("id", "conversation_id", "dialogue_id", "uuid")
MAX_ID_CHARS = 200
_QUOTE_CHARS = 80
_MOST_NAMES = 20
_MOST_LANGUAGE = 60


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
    """The keys of an object in their order, each quoted, for a reject's detail.

    >>> names({"id": 1, "prompt": ""})
    "'id', 'prompt'"
    """
    shown = [quote(str(name)) for name in list(item)[:_MOST_NAMES]]
    more = f" and {len(item) - len(shown)} more" if len(item) > len(shown) else ""
    return ", ".join(shown) + more if shown else "no fields"


def given_id(record: Mapping[str, object], keys: Sequence[str] = ID_KEYS) -> tuple[str | None, str]:
    """The first usable id that a record has, if any, and why another is unusable.

    An id is an integer or 1 to 200 printable characters.

    >>> given_id({"uuid": 7}), given_id({"id": None}), given_id({"id": " "})
    (('7', ''), (None, ''), (None, "id is not 1 to 200 printable characters: ' '"))
    """
    fault = ""
    for key in keys:
        if (value := at(record, key)) is None:
            continue
        if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() < 3 * MAX_ID_CHARS:
            return str(value), fault
        if not isinstance(value, str):
            fault = fault or f"{key} is {kind_of(value)}, not text or a short whole number"
        elif not value.strip() or len(value) > MAX_ID_CHARS or not value.isprintable():
            fault = fault or f"{key} is not 1 to {MAX_ID_CHARS} printable characters: {quote(value)}"
        else:
            return value, fault
    return None, fault


def language(value: object, field: str) -> tuple[str, str]:
    """The ISO 639-1 code of a language, empty if it is unknown, and a notice if it is no such code.

    Args:
        value: A code with or without a region, a code of three letters, or a name; None: no language.
        field: Its field, for the notice.

    >>> language("zh-CN", "language"), language("English", "lang")[0], language("Klingon", "lang")
    (('zh', ''), 'en', ('', "lang is no known language: 'Klingon'"))
    """
    if value is None or value == "":
        return "", ""
    if not isinstance(value, str):
        return "", f"{field} is {kind_of(value)}, not text"
    tag = re.fullmatch(r"([A-Za-z]{2})(?:[-_][A-Za-z0-9_-]{1,20})?", value)
    if tag:
        return tag[1].lower(), ""
    plain = re.sub(r"[(（].*", "", value[:_MOST_LANGUAGE], flags=re.DOTALL).split(".")[0].strip().lower()
    code = _languages().get(plain) or _languages().get(re.split(r"[-_]", plain)[0])
    if code is None:
        return "", f"{field} is no known language: {quote(value)}"
    return code, f"{field} is {quote(value)}, understood as {code}"


@cache
def _languages() -> dict[str, str]:
    """ISO 639-1 codes by themselves, by codes of three letters, and by names in lower case."""
    table: dict[str, list[str]] = words()["languages"]
    return {name: code for code, known in table.items() for name in (code, *known)}


def spoken_text(value: object, field: str) -> str:
    """Text of a turn without surrounding space.

    Raises:
        UnfitError: `bad_text` or `invalid_unicode`; `field` says where.
    """
    if not isinstance(value, str):
        raise UnfitError("bad_text", f"{field} is {kind_of(value)}, not text")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            found = quote(value[error.start :])
            raise UnfitError("invalid_unicode", f"{field} has half a surrogate pair: {found}") from None
    return value.strip()
