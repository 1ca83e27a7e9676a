"""The mappings that fit a record. One that reads more of it wins over one that reads a part of that."""

from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from typing import NamedTuple

from datagen.recipe.mapping_config import MappingConfig
from datagen.sources.mappings.outline import outline
from datagen.sources.mappings.paths import at, first, opened, top
from datagen.sources.mappings.table import PLAIN, mappings_of, needs
from datagen.sources.mappings.turns import ROWS, form, is_turn, place

_MOST_KEYS = 100
_MOST_KNOWN = 4096
"""Outlines that are remembered; most data sets have a few."""


class _Fit(NamedTuple):
    name: str
    has_text: bool
    """False if only the roles of its turns were found."""
    reads: frozenset[str]
    """Fields that it reads, those of turns with the field of the turns before them."""


@lru_cache(maxsize=4096)
def possible(key: str, columns: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the mappings whose fields a record with these columns may have.

    >>> possible("auto", ("instruction", "output"))
    ('alpaca',)
    """
    have = frozenset(columns)

    def has(path: str) -> bool:
        return top(path, have) is not None

    return tuple(
        name
        for name, m in mappings_of(key).items()
        if (m.rows and ROWS in have) or any(all(map(has, paths)) for paths in needs(m))
    )


def fitting(record: Mapping[str, object], key: str) -> list[str]:
    """Names of the mappings that fit a record, in the order of the table, without those that others contain.

    Records of one outline have the same shape, so it is detected once for them.

    Args:
        record: The record.
        key: A key of `key_of`.

    >>> fitting({"messages": [{"role": "user", "content": "Hi"}], "chosen": {"role": "bot", "content": "Yes"}}, "auto")
    ['dpo']
    """
    drawn = outline(record) if key == "auto" else None
    if drawn is None:
        return detected(record, key)
    known = _known()
    found = known.get(drawn)
    if found is None:
        if len(known) >= _MOST_KNOWN:
            known.clear()
        found = known[drawn] = detected(record, key)
    return found


@cache
def _known() -> dict[object, list[str]]:
    """The shipped mappings that fit records, by their outlines; filled by `fitting`."""
    return {}


def detected(record: Mapping[str, object], key: str) -> list[str]:
    """The names of `fitting`, found from the record itself."""
    keys = tuple(record)
    names = possible(key, keys) if len(keys) <= _MOST_KEYS else tuple(mappings_of(key))
    fits = [fit for name in names if (fit := _fit(record, name, mappings_of(key)[name])) is not None]
    if len(fits) > 1:
        fits = [fit for fit in fits if fit.has_text] or fits
        fits = [fit for k, fit in enumerate(fits) if not any(_beats(other, fit, j < k) for j, other in enumerate(fits))]
        fits = [fit for fit in fits if fit.name not in PLAIN] or fits
    return [fit.name for fit in fits]


def _beats(one: _Fit, other: _Fit, is_before: bool) -> bool:
    return one.reads > other.reads or (one.reads == other.reads and is_before)


def _fit(record: Mapping[str, object], name: str, m: MappingConfig) -> _Fit | None:
    reads: set[str] = set()
    has_text = True
    if m.turns or m.rows:
        found = place(record, m)
        fields = form(found[1], m) if found else None
        if found is None or fields is None:
            return None
        reads = {found[0], *(f"{found[0]}.{field}" for field in fields)}
        has_text = not m.role or bool(fields & set(m.text)) or not m.text
    elif m.user and not all(top(side[0], record) for side in (m.user, m.assistant or m.user)):
        return None
    if not _has_rest(record, m):
        return None
    reads |= _present(record, (*m.user, *m.assistant, *m.tool) if not m.turns else ())
    for paths in (m.history, m.system, m.answer, m.candidates, m.speakers):
        reads |= _present(record, paths)
    return _Fit(name, has_text, frozenset(reads))


def _has_rest(record: Mapping[str, object], m: MappingConfig) -> bool:
    """True if the answers and speakers are there, in their form."""
    answer, candidates, speakers = (first(record, paths) for paths in (m.answer, m.candidates, m.speakers))
    if m.answer and (answer is None or not isinstance(answer[1], (str, dict, list))):
        return False
    if m.answer and not m.turns and not m.user and not _are_turns(answer[1] if answer else None):
        return False
    if m.candidates and (candidates is None or not isinstance(opened(candidates[1]), list)):
        return False
    return not m.speakers or (speakers is not None and isinstance(opened(speakers[1]), list))


def _are_turns(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(is_turn, value))


def _present(record: Mapping[str, object], paths: Iterable[str]) -> set[str]:
    return {path for path in paths if at(record, path) is not None}
