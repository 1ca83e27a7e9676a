"""Tables of one row per turn: which rows a mapping reads, and their order within a dialogue."""

import re
from collections.abc import Mapping, Sequence

from datagen.recipe.mapping_config import MappingConfig
from datagen.sources.mappings.paths import first, top

Row = Mapping[str, object]
_CLOCK = re.compile(r"(?:([0-9]{1,3}):)?([0-9]{1,2}):([0-9]{1,2}(?:[.,][0-9]{1,9})?)")
_NUMBER = re.compile(r"-?[0-9]{1,15}(?:[.][0-9]{1,9})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.,]{5,18}(?:Z|[+-][0-9:]{2,6})?")


def group_of(row: Row, m: MappingConfig) -> str | int | None:
    """The dialogue that a row belongs to; None if the mapping does not read such a row.

    >>> m = MappingConfig(rows={"group": ["call", "chat"]}, role="who", text="words")
    >>> group_of({"chat": "c1", "who": "Al", "words": "Hi"}, m), group_of({"chat": "c1", "words": "Hi"}, m)
    ('c1', None)
    """
    if m.rows is None or not any(top(text, row) for text in m.text):
        return None
    if m.role and not any(role in row for role in m.role):
        return None
    if not all(each in row for each in (m.rows.id, m.rows.parent) if each):
        return None
    found = first(row, m.rows.group)
    return found[1] if found and isinstance(found[1], (str, int)) else None


def in_order(rows: Sequence[Row], order: Sequence[str]) -> list[Row]:
    """Rows by their time or number; as they are if one of them has none.

    >>> [row["n"] for row in in_order([{"n": "10"}, {"n": "9"}], ["n"])]
    ['9', '10']
    >>> [row["t"] for row in in_order([{"t": "0:09"}, {"t": "soon"}, {"t": "0:01"}], ["t"])]
    ['0:09', 'soon', '0:01']
    """
    field = next((name for name in order if all(row.get(name) is not None for row in rows)), None)
    if field is None:
        return list(rows)
    places = [_place(row[field]) for row in rows]
    if None in places or len({type(place) for place in places}) > 1:
        return list(rows)
    return [rows[i] for i in sorted(range(len(rows)), key=lambda i: (places[i], i))]


def _place(value: object) -> float | str | None:
    """A number, seconds of a clock time, or a date with its time as text; None for anything else.

    >>> _place("00:01:04.5"), _place(7), _place("2026-01-02 10:00:00"), _place("soon")
    (64.5, 7.0, '2026-01-02 10:00:00', None)
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value) if abs(value) < 1e15 else None
    text = value.strip() if isinstance(value, str) else ""
    if clock := _CLOCK.fullmatch(text):
        return int(clock[1] or 0) * 3600.0 + int(clock[2]) * 60 + float(clock[3].replace(",", "."))
    if _NUMBER.fullmatch(text):
        return float(text)
    return text if _DATE.fullmatch(text) else None
