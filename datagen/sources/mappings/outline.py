"""The outline of a record: all that the detection of its shape looks at, and nothing else of its content."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

from datagen.recipe.mapping_config import LabelsConfig, MappingConfig
from datagen.sources.mappings.labels import has_labels
from datagen.sources.mappings.table import TABLE, needs
from datagen.sources.mappings.turns import ROWS, is_turn

_MOST_KEYS = 32
"""A record or turn with more keys is not outlined."""


@dataclass(slots=True)
class _Look:
    """Properties that matter to detection of the value of a key, beside its type."""

    opens: bool = False
    """A text may hold JSON."""
    inside: bool = False
    """Lists and objects matter by what they begin with."""
    all_turns: bool = False
    """Lists matter by whether all they hold are turns."""
    last: set[str] = field(default_factory=set)
    """Lists matter by these keys of the object that they end with."""
    labels: list[LabelsConfig] = field(default_factory=list)
    """Texts matter by these role labels."""


def outline(record: Mapping[str, object]) -> tuple[object, ...] | None:
    """The outline of a record, equal for records that the same shipped mappings fit; None if it is too unusual.

    >>> outline({"data": ["Hi", "Hello."], "age": 7})
    ('data', (<class 'str'>, <class 'str'>))
    """
    if len(record) > _MOST_KEYS:
        return None
    looks = _looks()
    found: list[object] = []
    for name, value in record.items():
        look = looks.get(name)
        if look is not None:
            seen = _seen(value, look)
            if seen is None:
                return None
            found += name, seen
    return tuple(found)


def _seen(value: object, look: _Look) -> object:
    """Outline of a value; None if it is too unusual."""
    if isinstance(value, str):
        if look.opens and _may_open(value):
            return None
        return tuple([has_labels(value, each) for each in look.labels]) if look.labels else str
    if isinstance(value, list):
        if look.all_turns:
            return list, bool(value) and all(map(is_turn, value))
        return _of_list(value, look) if look.inside else list
    return None if look.inside and isinstance(value, dict) else type(value)


def _of_list(value: list[object], look: _Look) -> tuple[object, ...] | None:
    """Outline of a list of turns: the types of the first two, and of the fields of the first."""
    if not value:
        return ()
    head, last = value[0], value[-1]
    if look.last and (
        _may_open(last) if isinstance(last, str) else isinstance(last, dict) and not look.last.isdisjoint(last)
    ):
        return None
    if not isinstance(head, dict):
        return tuple(map(type, value[:2]))
    if len(head) > _MOST_KEYS:
        return None
    return len(value) > 1, *head, *map(type, head.values())


def _may_open(text: str) -> bool:
    """True if a text may hold JSON."""
    return text.startswith(("[", "{")) or text[:1].isspace()


@cache
def _looks() -> dict[str, _Look]:
    """Keys of a record that matter to detection."""
    looks: dict[str, _Look] = {ROWS: _Look(opens=True, inside=True)}

    def look(path: str) -> _Look:
        steps = path.split(".")
        found = looks.setdefault(steps[0], _Look())
        if len(steps) > 1:  # a key that holds dots is looked at as another key would be
            found.opens = found.inside = True
            found.last |= set(steps[2:] if steps[1] == "-1" else ())
            found = looks.setdefault(path, _Look(opens=True, inside=True))
        return found

    for m in TABLE.values():
        _add(m, look)
    return looks


def _add(m: MappingConfig, look: Callable[[str], _Look]) -> None:
    """Add the keys that matter for a mapping."""
    for path in (*m.user, *m.assistant, *m.tool, *m.history, *m.system, *(name for each in needs(m) for name in each)):
        look(path)
    for path in m.turns:
        found = look(path)
        if m.labels:
            found.labels.append(m.labels)
        else:
            found.opens, found.inside = True, found.inside or not m.numbered
    for path in (*m.candidates, *m.speakers):
        look(path).opens = True
    for path in m.answer:
        look(path).all_turns = True
