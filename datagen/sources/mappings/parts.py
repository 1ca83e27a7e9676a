"""Content of a turn that has several parts: text is spoken, reasoning is not, tools and images are kept apart."""

from collections.abc import Iterator
from functools import cache

from datagen.sources.fields import spoken_text
from datagen.sources.mappings.roles import Kind, Said
from datagen.sources.mappings.table import words

_TEXT = ("text", "value", "content")
_CALLS = ("functionCall", "functionResponse", "function_call", "function_response")


@cache
def _sorts() -> dict[str, str]:
    return {name: sort for sort, known in words()["parts"].items() for name in known}


def pieces(kind: Kind, value: object, field: str) -> Iterator[Said]:
    """The content of a turn as pieces; texts between other parts are joined by newlines.

    Args:
        kind: Who it is from.
        value: A text, or a list of parts.
        field: Its field, for errors.

    Raises:
        UnfitError: `bad_text` if a part of type text has none.

    >>> [said.text for said in pieces("user", [{"type": "text", "value": "Hi"}, {"type": "reasoning"}], "content")]
    ['Hi']
    """
    if isinstance(value, dict) and _sort(value) != "other":
        value = [value]
    if not isinstance(value, list):
        yield Said(kind, value, field)
        return
    texts: list[str] = []
    for i, part in enumerate(value):
        sort = _sort(part)
        if sort == "spoken":
            texts.append(_text(part, f"{field}[{i}]"))
        elif sort != "silent":
            if texts:
                yield Said(kind, "\n".join(texts), field)
                texts = []
            yield _unspoken(part, sort, f"{field}[{i}]")
    if texts:
        yield Said(kind, "\n".join(texts), field)


def _unspoken(part: object, sort: str, field: str) -> Said:
    if sort != "tool" or not isinstance(part, dict):
        return Said("other", None, field)
    names = (str(part.get("type", "")).strip().lower(), *part)
    answers = any("result" in name or "response" in name.lower() or "output" in name for name in names)
    return Said("tool", part, field, "result" if answers else "call")


def _sort(part: object) -> str:
    """`spoken`, `silent`, `tool` or `other`."""
    if not isinstance(part, dict):
        return "other"
    given = part.get("type")
    if isinstance(given, str):
        return _sorts().get(given.strip().lower(), "other")
    if part.get("thought") is True:
        return "silent"
    if any(part.get(key) is not None for key in _CALLS):
        return "tool"
    return "spoken" if isinstance(part.get("text"), str) and len(part) <= 2 else "other"


def _text(part: object, field: str) -> str:
    found = part if isinstance(part, dict) else {}
    key = next((key for key in _TEXT if found.get(key) is not None), _TEXT[0])
    return spoken_text(found.get(key), f"{field}.{key}")  # parts do not nest
