"""Calls of tools and their results as text: of OpenAI, Anthropic and Gemini messages, and of ShareGPT.

What a tool is called with and what it answers is data. It becomes text and nothing else.
"""

import json
from collections.abc import Mapping, Sequence
from typing import cast

from datagen.sources.fields import UnfitError, spoken_text

_ARGUMENTS = ("arguments", "parameters", "args", "input")
_INNER = ("function", "functionCall", "function_call")
_RESULTS = ("content", "output", "response", "result", "text", "value")
_DEPTH = 8


def call_text(value: object, field: str) -> str:
    """A call as one line of JSON per tool, `{"name": ..., "arguments": ...}`; a call in words unchanged.

    Args:
        value: The content of a call in a record.
        field: Its field, for errors.

    Returns:
        Its text; empty if it has none.

    Raises:
        UnfitError: If its text cannot be stored.

    >>> call_text([{"function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}], "tool_calls")
    '{"name": "weather", "arguments": {"city": "Oslo"}}'
    >>> call_text({"type": "tool_use", "id": "t1", "name": "now", "input": {}}, "content"), call_text(None, "content")
    ('{"name": "now", "arguments": {}}', '')
    """
    value = _opened(value)
    items = value if isinstance(value, list) else [value]
    return "\n".join(filter(None, (_one_call(item, field) for item in items)))


def _one_call(value: object, field: str) -> str:
    if isinstance(value, str):
        return " ".join(spoken_text(value, field).split())
    if not isinstance(value, dict):
        return ""
    inner = next((value[key] for key in _INNER if isinstance(value.get(key), dict)), value)
    name = inner.get("name")
    if not isinstance(name, str) or not name.strip():
        return ""
    arguments = next((_opened(inner[key]) for key in _ARGUMENTS if inner.get(key) is not None), {})
    return _line({"name": name.strip(), "arguments": arguments}, field)


def result_text(value: object, field: str) -> str:
    """A tool's answer as text: words unchanged, anything else as a line of JSON.

    Raises:
        UnfitError: If its text cannot be stored.

    >>> result_text("21 degrees", "content"), result_text({"celsius": 21}, "content")
    ('21 degrees', '{"celsius": 21}')
    >>> result_text({"type": "tool_result", "content": [{"type": "text", "text": "21 degrees"}]}, "content")
    '21 degrees'
    """
    for _ in range(_DEPTH):
        if isinstance(value, list) and value and all(isinstance(part, dict) and "text" in part for part in value):
            value = "\n".join(str(part["text"]) for part in value)
        inner = value.get("functionResponse") or value.get("function_response") if isinstance(value, dict) else None
        typed = isinstance(value, dict) and ("type" in value or "tool_call_id" in value)
        key = next((key for key in _RESULTS if typed and key in cast(Mapping[str, object], value)), None)
        if isinstance(inner, dict):
            value = inner.get("response", inner)
        elif key:
            value = cast(Mapping[str, object], value)[key]
        else:
            break
    if value is None or isinstance(value, str):
        return spoken_text(value, field) if value else ""
    return _line(value, field)


def _opened(value: object) -> object:
    """The value of a text of JSON; another text unchanged."""
    if not isinstance(value, str) or value.strip()[:1] not in ("{", "["):
        return value
    try:
        return cast(object, json.loads(value))
    except (ValueError, RecursionError):
        return value


def _line(value: Mapping[str, object] | Sequence[object] | object, field: str) -> str:
    try:
        return spoken_text(json.dumps(value, ensure_ascii=False), field)
    except (ValueError, RecursionError) as error:
        raise UnfitError("bad_text", f"{field} is nested too deeply to be kept: {error}") from error
