"""Values at the paths of a mapping."""

import json
import re
from collections.abc import Container, Iterable, Mapping

_PLACE = re.compile(r"-?[0-9]{1,9}")


def opened(value: object) -> object:
    """The list or object that a text holds as JSON; anything else unchanged.

    >>> opened('["a"]'), opened("[sic]")
    (['a'], '[sic]')
    """
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def at(record: Mapping[str, object], path: str) -> object:
    """The value at a path, or None. A key that holds dots comes before keys inside keys.

    >>> at({"data": {"conv": ["a", "b"]}}, "data.conv.-1"), at({"a.b": 1}, "a.b"), at({}, "a")
    ('b', 1, None)
    """
    if path in record:
        return record[path]
    if "." not in path:
        return None
    value: object = record
    for step in path.split("."):
        value = opened(value)
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and _PLACE.fullmatch(step) and -len(value) <= int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def first(record: Mapping[str, object], paths: Iterable[str]) -> tuple[str, object] | None:
    """The first path with a value other than null, and that value.

    >>> first({"a": None, "b": 0}, ["a", "b"])
    ('b', 0)
    """
    for path in paths:
        if (value := at(record, path)) is not None:
            return path, value
    return None


def top(path: str, keys: Container[str]) -> str | None:
    """The key of a record at which a path begins, if it is there.

    >>> top("data.conv", ["id", "data"]), top("a.b", ["a.b"]), top("x", ["y"])
    ('data', 'a.b', None)
    """
    if path in keys:
        return path
    begin = path.partition(".")[0]
    return begin if begin in keys else None
