"""Every key of a recipe as data: type, range, unit, default, source and meaning, from the classes that validate it.

The page docs/recipe.md, comments in written recipes and suggestions for misspelled keys come from here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from datagen.recipe.distributions import Constant, Within

_LONGEST_DEFAULT = 70
_UNITS = {
    "ms": "ms",
    "hz": "Hz",
    "db": "dB",
    "dbfs": "dBFS",
    "m": "m",
    "seconds": "s",
    "bytes": "bytes",
    "words": "words",
    "tokens": "tokens",
    "turns": "turns",
    "share": "share",
    "probability": "share",
    "minute": "per minute",
}
"""The unit that the last word of a key's name states."""
_SOURCE = re.compile(r"\s*\((S|N|\?|ours)\)$")
_NAMES = {str: "text", int: "integer", float: "number", bool: "true or false", NoneType: "null", Any: "any value"}


@dataclass(frozen=True)
class Key:
    """One key of a recipe."""

    section: type[BaseModel] | None
    """The class of its own keys, if it has some."""
    path: str
    """Dotted; `*` stands for any name, and `[]` for an item of a list."""
    type: str
    range: str
    """Empty if there is none."""
    unit: str
    value: Any
    """The default; `PydanticUndefined` if the key must be set."""
    source: str
    """`S`, `N`, `?` or `ours`, as docs/recipe.md explains; empty if none is stated."""
    meaning: str
    """One line."""

    @property
    def default(self) -> str:
        """The default as YAML on one line; empty for a section and a key that must be set."""
        return _default(self.value)


@cache
def keys(model: type[BaseModel]) -> tuple[Key, ...]:
    """All keys of a section, such as `Recipe`, and of the sections in it, each section before its keys."""
    return tuple(_keys(model, "", None))


def _keys(model: type[BaseModel], prefix: str, given: BaseModel | None) -> Iterator[Key]:
    """The keys below a dotted prefix; `given` holds the defaults of the section if they are not those of its class."""
    for name, field in model.model_fields.items():
        default = getattr(given, name) if given else field.get_default(call_default_factory=True)
        section, steps = _section(field.annotation)
        key = _key(prefix + name, field, section, default)
        yield key
        if section:
            inner = default[0] if isinstance(default, tuple) and default else default
            yield from _keys(section, f"{key.path}{steps}.", inner if isinstance(inner, BaseModel) else None)


def sections(model: type[BaseModel], place: tuple[int | str, ...]) -> set[type[BaseModel]]:
    """The classes that a place inside a model may have.

    Args:
        model: The outermost section.
        place: Names of keys and indices of items on the way, as pydantic reports them; the names of a
            union's members among them are skipped.

    >>> from datagen.recipe.timing_config import BargeInConfig, TimingConfig
    >>> sections(TimingConfig, ("barge_in",)) == {BargeInConfig}
    True
    """
    found = {model}
    for step in place:
        named = {each.model_fields[step].annotation for each in found if step in each.model_fields}
        found = {inner for annotation in named for inner in _models(annotation)} if named else found
    return found


def meaning_of(model: type[BaseModel]) -> str:
    """The first sentence of a section's docstring, without its full stop."""
    text = " ".join((model.__doc__ or "").split())
    return re.split(r"\.(?= |$)", text, maxsplit=1)[0]


def _key(path: str, field: FieldInfo, section: type[BaseModel] | None, default: Any) -> Key:
    text = " ".join((field.description or (meaning_of(section) if section else "")).split())
    stated = _SOURCE.search(text)
    kind = _type(field.annotation)
    return Key(
        path=path,
        type=kind,
        range=_range(field.metadata),
        unit=_unit(path, field) if kind.split()[0] in ("integer", "number", "distribution") else "",
        value=default,
        source=stated[1] if stated else "",
        meaning=_sentence(text[: stated.start()] if stated else text),
        section=section,
    )


def _unit(path: str, field: FieldInfo) -> str:
    """The unit of a number: of its distribution, or as the last word of its key says."""
    within = next((each.unit for each in field.metadata if isinstance(each, Within)), "")
    if path.endswith("ms_per_syllable"):
        return "ms per syllable"
    return within or _UNITS.get(re.split(r"[._]", path)[-1], "")


def _sentence(text: str) -> str:
    """A text with a capital, unless it begins with a name, such as `asr:`."""
    first = text.partition(" ")[0]
    return text[:1].upper() + text[1:] if first.isalpha() else text


def _section(annotation: Any) -> tuple[type[BaseModel] | None, str]:
    """The single section that a value holds, and the steps to it: empty, `[]` or `.*`; none in distributions."""
    found = _models(annotation)
    if len(found) != 1:
        return None, ""
    origin = get_origin(_bare(annotation))
    return found[0], {tuple: "[]", list: "[]", dict: ".*"}.get(origin or annotation, "")


def _bare(annotation: Any) -> Any:
    """An annotation without metadata and without null."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        members = [each for each in get_args(annotation) if each is not NoneType]
        return _bare(members[0]) if len(members) == 1 else annotation
    return annotation


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The sections inside an annotation, each once, in its order."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    inner = (each for part in get_args(annotation) for each in _models(part))
    return list(dict.fromkeys(inner)) if get_origin(annotation) is not Literal else []


def _type(annotation: Any) -> str:
    """A type in words."""
    if get_origin(annotation) is Annotated:
        return _type(get_args(annotation)[0])
    arguments, origin = get_args(annotation), get_origin(annotation)
    if origin is Literal:
        return ", ".join(f"`{each}`" for each in arguments)
    if Constant in arguments:
        return "distribution"
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(_type(each) for each in arguments))
    if origin in (tuple, list):
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"{_type(arguments[1])} by name" if get_origin(arguments[0]) is not Literal else _by_choice(arguments)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "section"
    return _NAMES.get(annotation, "any value")


def _by_choice(arguments: tuple[Any, ...]) -> str:
    return f"{_type(arguments[1])} by {_type(arguments[0])}"


def _range(metadata: list[Any]) -> str:
    """Bounds of a value in words.

    >>> _range([Ge(0), Le(1)]), _range([Gt(0), Lt(2)]), _range([MinLen(1)])
    ('0 to 1', 'above 0, below 2', 'at least 1 long')
    """
    within = next((each for each in metadata if isinstance(each, Within)), None)
    if within:
        return f"{_plain(within.low)} to {_plain(within.high)}"
    low = next((_plain(each.ge) for each in metadata if isinstance(each, Ge)), "")
    high = next((_plain(each.le) for each in metadata if isinstance(each, Le)), "")
    if low and high:
        return f"{low} to {high}"
    words = {Ge: "from {}", Gt: "above {}", Le: "at most {}", Lt: "below {}"}
    words |= {MinLen: "at least {} long", MaxLen: "at most {} long"}
    values = {type(each): getattr(each, _BOUND[type(each)]) for each in metadata if type(each) in _BOUND}
    return ", ".join(said.format(_plain(values[kind])) for kind, said in words.items() if kind in values)


_BOUND = {Ge: "ge", Gt: "gt", Le: "le", Lt: "lt", MinLen: "min_length", MaxLen: "max_length"}


def _plain(number: Any) -> str:
    """A number for people.

    >>> _plain(1.0), _plain(1e6), _plain(2**63), _plain(0.1)
    ('1', '1,000,000', '2^63', '0.1')
    """
    if number == 2**63:
        return "2^63"
    return f"{int(number):,}" if float(number).is_integer() else f"{number:g}"


def _default(value: Any) -> str:
    """A default as YAML on one line; `...` for a long one, empty for a section and a key that must be set."""
    if value is PydanticUndefined or (isinstance(value, BaseModel) and "kind" not in type(value).model_fields):
        return ""
    plain = _rounded(TypeAdapter(Any).dump_python(value, mode="json"))
    if isinstance(plain, dict) and plain.get("kind") == "constant":
        plain = plain["value"]
    text = yaml.safe_dump(plain, default_flow_style=True, allow_unicode=True, width=10**6, sort_keys=False)
    text = text.removesuffix("\n").removesuffix("\n...")
    return text if len(text) <= _LONGEST_DEFAULT else "..."


def _rounded(value: Any) -> Any:
    """A value as people write it: whole numbers as integers, the kind of a distribution first."""
    if isinstance(value, dict):
        first = {"kind": value["kind"]} if "kind" in value else {}
        return {key: _rounded(each) for key, each in (first | value).items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def all_paths(model: type[BaseModel]) -> Iterator[str]:
    """Dotted paths of all keys."""
    return (key.path for key in keys(model))
