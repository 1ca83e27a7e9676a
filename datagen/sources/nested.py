"""Records inside one JSON object: dialogues by their ids, or a list beside other fields.

MultiWOZ and CrossWOZ are published as `{"d-1": {...}, "d-2": {...}}`, exports of databases often are
`{"data": [{...}, ...]}`. Such a file may be large, so its beginning decides.
"""

import io
import json
import re
from collections.abc import Mapping
from typing import NamedTuple

from datagen.sources.arrays import cut
from datagen.sources.fields import UnfitError
from datagen.sources.shapes import read_columns

_LISTS = ("data", "dialogues", "dialogs", "conversations", "records", "rows", "examples", "items", "samples", "train")
"""Fields that hold a list of records, if its first element looks like one."""
_TURN_FIELDS = (("role", "content"), ("role", "text"), ("from", "value"), ("speaker", "text"), ("speaker", "utterance"))
_LIST_BEGINS = re.compile(rb'\s*("(?:[^"\\]|\\.)*")\s*:\s*(?=\[)', re.DOTALL)


class Nest(NamedTuple):
    """Place of the records in an object."""

    is_list: bool
    """In a list under one of its keys; else they are its values, and its keys are their ids."""
    at_bytes: int = 0
    """Offset of the list."""


def is_turn(value: object) -> bool:
    """True if a value is one turn of a dialogue, rather than a record.

    >>> is_turn({"from": "human", "value": "Hi"}), is_turn({"id": 1, "messages": []})
    (True, False)
    """
    return isinstance(value, dict) and any(who in value and what in value for who, what in _TURN_FIELDS)


def is_dialogues_by_id(value: Mapping[str, object]) -> bool:
    """True if the values of an object are dialogues, and its keys their ids.

    >>> is_dialogues_by_id({"d-1": {"messages": [{"role": "user", "content": "Hi"}]}})
    True
    >>> is_dialogues_by_id({"messages": [{"role": "user", "content": "Hi"}]})
    False
    """
    has_field = bool(read_columns(value)) or any(key in value for key in _LISTS)
    return bool(value) and not has_field and all(map(_is_dialogue, value.values()))


def nest_of(head: bytes, max_bytes: int) -> Nest | None:
    """Find the records of an object; None if it is a record itself.

    Args:
        head: Its beginning, or all of it.
        max_bytes: Limit of a record.

    >>> nest_of(b'{"version": 1, "data": [{"messages": []}, {"mess', 100)
    Nest(is_list=True, at_bytes=23)
    >>> nest_of(b'{"d-1": {"turns": []}, "d-2": {"tur', 100)
    Nest(is_list=False, at_bytes=0)
    """
    whole: dict[str, object] = {}
    if not head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
        return None
    for at, data in cut(io.BytesIO(head), max_bytes):
        begin = _LIST_BEGINS.match(head, at)
        if begin and _is_list_of_records(_value(begin[1]), head[begin.end() :], max_bytes):
            return Nest(True, begin.end())
        if isinstance(data, UnfitError):
            break
        element = _value(b"{%b}" % data)
        if not isinstance(element, dict):
            return None
        whole |= element
    return Nest(False) if is_dialogues_by_id(whole) else None


def _is_dialogue(value: object) -> bool:
    """True if a value may be a dialogue: a list of turns, or an object that has a list or some texts."""
    if isinstance(value, list):
        return bool(value) and all(isinstance(each, type(value[0])) for each in value) and type(value[0]) in (dict, str)
    if not isinstance(value, dict) or is_turn(value):
        return False
    has_list = any(isinstance(each, (list, dict)) for each in value.values())
    return has_list or sum(isinstance(each, str) for each in value.values()) > 1


def _value(data: bytes) -> object:
    """The JSON value in these bytes, whatever their encoding; None if there is none."""
    try:
        return json.loads(data.decode(errors="replace"))
    except (ValueError, RecursionError):
        return None


def _is_list_of_records(key: object, data: bytes, max_bytes: int) -> bool:
    """True if a list under a key begins with a record, not with a turn or a pair of texts."""
    if key not in _LISTS:
        return False
    _, first = next(cut(io.BytesIO(data), max_bytes), (0, None))
    value = _value(first) if isinstance(first, bytes) else None
    if isinstance(value, list):
        return bool(value) and all(map(is_turn, value))
    has_list = isinstance(value, dict) and any(isinstance(each, (list, dict)) for each in value.values())
    return _is_dialogue(value) and (has_list or not read_columns([key]) or key == "data")
