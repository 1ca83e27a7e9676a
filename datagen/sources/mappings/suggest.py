"""A mapping for a record of no known shape, made from its fields and tried on it before it is suggested."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from datagen.sources.mappings.options import option
from datagen.sources.mappings.paths import opened
from datagen.sources.mappings.roles import role_named
from datagen.sources.mappings.table import TABLE, words

Item = Mapping[str, object]
_MOST_KEYS = 60
_DEEPEST = 3
_MOST_NAME = 40
_TURN_LIKE = 2
"""Least number of turns in a list that looks like a dialogue."""


def suggestions(record: Item) -> Iterator[dict[str, Any]]:
    """Values of `input.mapping` that may describe a record, the likeliest first; the caller tries them.

    >>> talk = [{"wer": "Anna", "satz": "Hallo, Ben, bist du da?"}, {"wer": "Ben", "satz": "Ja."}]
    >>> next(suggestions({"nr": 1, "gespräch": {"teile": talk}}))
    {'turns': 'gespräch.teile', 'role': 'wer', 'text': 'satz', 'names': True}
    >>> next(suggestions({"Call ID": "c1", "Who": "Anna", "Said": "Hello, Ben."}))
    {'rows': {'group': 'Call ID'}, 'role': 'Who', 'text': 'Said', 'names': True}
    >>> next(suggestions({"nr": "1", "Frage": "Wann fährt der Bus?", "Antwort": "Um acht Uhr."}))
    {'user': 'Frage', 'assistant': 'Antwort'}
    """
    if len(record) > _MOST_KEYS:
        return
    for path, items in _lists(record, "", _DEEPEST):
        yield from _of_turns(path, items)
    yield from _of_row(record)
    yield from _of_sides(record, {})


def is_text(name: str) -> bool:
    """True if a field of this name holds the text of a turn in a known shape."""
    return plain_name(name) in _known("text")


def as_option(mapping: Mapping[str, Any]) -> str:
    """The option that sets a mapping."""
    return option("input.mapping", mapping)


def _lists(value: Item, before: str, deepest: int) -> Iterator[tuple[str, Sequence[object]]]:
    """Lists of several objects or texts in a record, with their paths."""
    for name, each in value.items():
        found, path = opened(each), f"{before}{name}"
        if isinstance(found, list) and len(found) >= _TURN_LIKE and type(found[0]) in (dict, str, list):
            yield path, found
        elif isinstance(found, dict) and deepest > 1 and "." not in name:
            yield from _lists(found, f"{path}.", deepest - 1)


def _of_turns(path: str, items: Sequence[object]) -> Iterator[dict[str, Any]]:
    """Mappings of a list of turns or pairs."""
    rows = [item for item in items if isinstance(item, dict)]
    if not rows:
        yield {"turns": path}
        return
    texts = _texts(rows)
    for role in _named(rows[0], _known("role"), _short(rows)):
        for text in _named(rows[0], _known("text"), texts):
            if role != text:
                yield _with_names({"turns": path, "role": role, "text": text}, [row.get(role) for row in rows])
    yield from _of_sides(rows[0], {"turns": path})
    for text in _named(rows[0], _known("text"), texts):
        yield {"turns": path, "text": text}


def _of_row(record: Item) -> Iterator[dict[str, Any]]:
    """Mappings of a row that is one turn."""
    texts = [name for name in _texts([record]) if not _is_id(name)]
    text = next(iter(_named(record, _known("text"), [name for name in texts if _is_said(record[name])])), None)
    short = [name for name in record if name in texts and _is_name(record[name])]
    role = next((name for name in _named(record, _known("role"), short[-1:]) if name != text), None)
    ids = _named(record, _known("group"), [*(name for name in record if _is_id(name)), *record])
    group = next((name for name in ids if name not in (text, role)), None)
    if text and role and group and len([name for name in texts if _is_said(record[name])]) == 1:
        yield _with_names({"rows": {"group": group}, "role": role, "text": text}, [record[role]])


def _of_sides(item: Item, begin: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Mappings of a question and its answer: fields named like them, else the only two fields of words."""
    asked, answered = (_named(item, _known(side), ()) for side in ("user", "assistant"))
    if asked and answered:
        yield {**begin, "user": asked[0], "assistant": answered[0]}
    said = [name for name in _texts([item]) if _is_said(item[name])]
    in_order = [name for name in item if name in said and not _is_id(name)]
    if len(in_order) == 2:
        yield {**begin, "user": in_order[0], "assistant": in_order[1]}


def _with_names(mapping: dict[str, Any], said_by: Iterable[object]) -> dict[str, Any]:
    """The mapping, with `names` if a role is no known one."""
    is_known = all(isinstance(name, str) and role_named(name, {}) for name in said_by)
    return mapping if is_known else {**mapping, "names": True}


@cache
def _known(what: str) -> frozenset[str]:
    """Names of fields in the shipped mappings, in lower case; of a side also those of its role."""
    if what in ("user", "assistant"):
        of_roles = words()["roles"][what]
        return frozenset((*of_roles, *(name for m in TABLE.values() for name in getattr(m, what) if m.user)))
    if what == "group":
        return frozenset(name for m in TABLE.values() if m.rows for name in m.rows.group)
    return frozenset(name.lower() for m in TABLE.values() for name in getattr(m, what))


def _named(item: Item, known: frozenset[str], others: Sequence[str]) -> list[str]:
    """Keys of an object that are known, compared without case and with any separator; then others."""
    found = [name for name in item if plain_name(name) in known]
    return list(dict.fromkeys([*found, *others]))


def plain_name(name: str) -> str:
    """A field's name in lower case, with underscores.

    >>> plain_name("Call ID")
    'call_id'
    """
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def _is_id(name: str) -> bool:
    plain = plain_name(name)
    return plain in ("id", "nr", "no", "number") or plain.endswith(("_id", "_nr", "_no")) or name.endswith(("Id", "ID"))


def _is_said(value: object) -> bool:
    """True for a text of several words, or of several characters of a script without spaces."""
    text = value.strip() if isinstance(value, str) else ""
    return " " in text or (len(text) > 4 and not text[0].isascii())


def _is_name(value: object) -> bool:
    """True for a text that may name a speaker.

    >>> _is_name("Frau Muster"), _is_name("00:01"), _is_name("How far is it to the lake?")
    (True, False, False)
    """
    if not isinstance(value, str) or len(value) >= _MOST_NAME or len(value.split()) > 3:
        return False
    return value[-1:].isalnum() and (value.isdigit() or any(map(str.isalpha, value)))


def _texts(rows: Sequence[Item]) -> list[str]:
    """Fields that hold text in all rows, the longest first."""
    names = [name for name in rows[0] if all(isinstance(row.get(name), str) for row in rows)]
    return sorted(names, key=lambda name: -sum(len(str(row[name])) for row in rows))


def _short(rows: Sequence[Item]) -> list[str]:
    """Fields that may name two speakers: texts without a sentence, or small numbers, of two values in all."""
    found = []
    for name in rows[0]:
        values = [row.get(name) for row in rows]
        are_names = all(map(_is_name, values))
        are_numbers = all(type(each) is int for each in values)
        if (are_names or are_numbers) and len(set(map(str, values))) == 2:
            found.append(name)
    return found
