"""The shipped mappings and words, read once, and mappings by name."""

from functools import cache, lru_cache
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from datagen import resources
from datagen.errors import SourceError
from datagen.recipe.mapping_config import MappingConfig

CUSTOM = "mapping"
"""Name of the mapping of a recipe."""


@cache
def words() -> dict[str, Any]:
    """Names of roles, labels, parts and languages; see `words.yaml`."""
    values: dict[str, Any] = resources.values_of(Path(__file__).with_name("words.yaml"))
    return values


class _Table(NamedTuple):
    """Content of `table.yaml`."""

    mappings: dict[str, MappingConfig]
    """By name."""
    also: dict[str, str]
    """Names by other names."""
    formats: dict[str, tuple[str, ...]]
    """Public formats by name."""
    checked: dict[str, tuple[str, ...]]
    """Descriptions against which shapes were checked, by name."""
    plain: frozenset[str]
    """Names of those that count only where no public format fits."""


def _read() -> _Table:
    table: dict[str, dict[str, Any]] = resources.values_of(Path(__file__).with_name("table.yaml"))
    formats = {name: tuple(values.pop("formats")) for name, values in table.items()}
    also = {other: name for name, values in table.items() for other in values.pop("also", ())}
    checked = {name: tuple(values.pop("checked", ())) for name, values in table.items()}
    plain = frozenset(name for name, values in table.items() if values.pop("plain", False))
    mappings = {name: MappingConfig.model_validate(values) for name, values in table.items()}
    return _Table(mappings, also, formats, checked, plain)


TABLE, ALSO, FORMATS, CHECKED, PLAIN = _read()


def key_of(shape: str, mapping: MappingConfig | None) -> str:
    """The name of a shape, or a mapping as text, which can be used in its place.

    Raises:
        SourceError: If there is no such shape, or a mapping is given beside one.
    """
    if mapping is not None:
        if shape != "auto":
            raise SourceError(f"shape {shape!r} is set beside a mapping; set one of the two")
        return mapping.model_dump_json(exclude_defaults=True)
    if shape != "auto" and shape not in TABLE and shape not in ALSO:
        raise SourceError(f"shape {shape!r} is unknown; choose one of auto, {', '.join([*TABLE, *ALSO])}")
    return ALSO.get(shape, shape)


@lru_cache(maxsize=64)
def mappings_of(key: str) -> dict[str, MappingConfig]:
    """The mappings that a key of `key_of` allows, by name.

    >>> list(mappings_of("alpaca")), list(mappings_of('{"turns": ["talk"]}'))
    (['alpaca'], ['mapping'])
    """
    if key == "auto":
        return TABLE
    if key.startswith("{"):
        return {CUSTOM: MappingConfig.model_validate_json(key)}
    name = ALSO.get(key, key)
    return {name: TABLE[name]}


def needs(m: MappingConfig) -> list[tuple[str, ...]]:
    """Paths without which a record cannot have a shape, in all its alternatives."""
    if m.rows:
        tree = tuple(name for name in (m.rows.id, m.rows.parent) if name)
        return [
            tuple(name for name in (group, *tree, role, text) if name)
            for group, role, text in product(m.rows.group, m.role or ("",), m.text)
        ]
    begins: list[tuple[str, ...]] = [(path,) for path in m.turns] or [m.user[:1]]
    side = m.answer or m.candidates or (() if m.turns else m.assistant[:1])
    with_side = [(*begin, path) for begin in begins for path in side] if side else begins
    return [(*paths, *m.speakers[:1]) for paths in with_side]
