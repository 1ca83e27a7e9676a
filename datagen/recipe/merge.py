"""Merges the values of a recipe over those that it is based on."""

from typing import Any


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """The keys of both; values of `over` take precedence.

    Groups merge by key. A distribution with a kind, and an engine with another name, replace the whole: the
    parameters of one mean nothing to another. So do lists.

    Args:
        base: Nested values.
        over: Nested values.

    >>> merged({"a": {"x": 1, "y": 2}, "b": {"kind": "c", "v": 1}}, {"a": {"y": 3}, "b": {"kind": "d"}})
    {'a': {'x': 1, 'y': 3}, 'b': {'kind': 'd'}}
    >>> merged({"tts": {"name": "s3", "options": {"path": "x"}}}, {"tts": {"name": "tone"}})
    {'tts': {'name': 'tone'}}
    """
    found = dict(base)
    for key, value in over.items():
        old = found.get(key)
        is_group = isinstance(old, dict) and isinstance(value, dict) and "kind" not in value
        found[key] = merged(old, value) if is_group and old and not _renamed(old, value) else value
    return found


def _renamed(old: dict[str, Any], new: dict[str, Any]) -> bool:
    return "name" in new and new["name"] != old.get("name")
