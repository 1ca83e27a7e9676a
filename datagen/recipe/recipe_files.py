"""Reads recipes, either shipped, from YAML files or from finished builds, and changes their keys."""

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from datagen.errors import RecipeError
from datagen.recipe.extends import EXTENDS, read_recipe, values_of
from datagen.recipe.recipe import Recipe
from datagen.recipe.reference import all_paths, sections
from datagen.recipe.timing_config import STORED
from datagen.recipe.yaml_values import read_yaml
from datagen.redaction import places_of_secrets
from datagen.suggest import closest

_TOKENS = ("timing", "tokens")
_MAX_PARENTS = 16
_MAX_SHOWN = 80
_UNKNOWN = "unknown key, check its spelling"
_M = TypeVar("_M", bound=BaseModel)


def stored(values: dict[str, Any]) -> Recipe:
    """The recipe of a finished build, without keys that only older versions of datagen know.

    `timing.tokens` of an older version are replaced by the current ones if some are missing. A
    profile that is a file is not read: a path out of a build is never followed.

    Args:
        values: Values as in the manifest of the build.

    Raises:
        ValidationError: If a value is invalid.
    """
    try:
        return Recipe.model_validate(values, context=STORED)
    except ValidationError as error:
        gone = {fault["loc"] for fault in error.errors() if fault["type"] == "extra_forbidden"}
        if any(fault["type"] == "missing" and fault["loc"][:2] == _TOKENS for fault in error.errors()):
            gone.add(_TOKENS)
        if not gone:
            raise
        return stored(_without(values, gone))


def _without(values: dict[str, Any], gone: set[tuple[int | str, ...]]) -> dict[str, Any]:
    """Nested values without some of their keys.

    >>> _without({"a": {"b": 1, "c": 2}, "d": 3}, {("a", "b")})
    {'a': {'c': 2}, 'd': 3}
    """
    return {
        key: _without(value, {place[1:] for place in gone if place[0] == key and len(place) > 1})
        if isinstance(value, dict)
        else value
        for key, value in values.items()
        if (key,) not in gone
    }


WRITE = "write"
"""The section of a recipe file that `datagen write` reads; a build ignores it."""


def load(path: str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe.

    Args:
        path: Name of a recipe shipped with the package, such as `quickstart`, or path of a YAML
            file. Write `./quickstart` for a file with the name of a shipped recipe.
        overrides: `key=value` pairs; the key is dotted (`timing.barge_in.probability`), the value
            is YAML.

    Raises:
        RecipeError: If there is no such recipe, or a key or value is invalid.
    """
    values = values_of(read_text(path), path)
    values.pop(WRITE, None)
    return validated(Recipe, values, path, overrides)


def validated(model: type[_M], values: dict[str, Any], name: str, overrides: Sequence[str]) -> _M:
    """A recipe from its values, with overrides as of `load`.

    Raises:
        RecipeError: If a key or value is wrong or holds a credential; `name` says where.
    """
    for override in overrides:
        set_value(values, override)
    refuse_secrets(values, name)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise RecipeError(f"{name}: {explain(error, model=model)}") from error


def refuse_secrets(values: dict[str, Any], name: str) -> None:
    """Refuse a recipe with a password, token or key in a URL or elsewhere; it is not repeated.

    Raises:
        RecipeError: Names the keys.
    """
    if places := places_of_secrets(values):
        raise RecipeError(
            f"{name}: {', '.join(places)}: a password, token or key in a recipe would end up in manifests and logs; "
            "remove it, and set the environment variables in docs/stores.md, or those that an engine's options name"
        )


def read_text(path: str) -> str:
    """The text of a recipe file or of a shipped recipe.

    The name of a shipped recipe takes precedence over a file of that name.

    Raises:
        RecipeError: If there is no such recipe.
    """
    return read_recipe(path, f"recipe {path}")


def set_value(
    values: dict[str, Any], override: str, option: str = "--set", example: str = "timing.barge_in.probability=0.5"
) -> None:
    """Set a dotted key of nested values, in place, from `key=value`; the value is YAML.

    Args:
        values: The values to change.
        override: The override, as on the command line.
        option: Name of its command-line option, for errors.
        example: An example of a valid override, for errors.

    Raises:
        RecipeError: If the override is malformed.
    """
    key, equals, text = override.partition("=")
    override = override if len(override) <= _MAX_SHOWN else f"{override[:_MAX_SHOWN]} ..."
    if not equals or not key:
        raise RecipeError(f"{option} {override}: use the form key=value, for example {example}")
    *parents, last = (part.strip() for part in key.split("."))
    if not all((*parents, last)) or len(parents) > _MAX_PARENTS:
        raise RecipeError(f"{option} {override}: this is no key; use the form {example}")
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise RecipeError(f"{option} {override}: {parent} is a single value and has no keys; set it as a whole")
    values[last] = read_yaml(text, f"{option} {key.strip()}: the value")


def explain(error: ValidationError, part: str = "", model: type[BaseModel] | None = None) -> str:
    """Faults found by pydantic, as `key: fault; key: fault`.

    Args:
        error: The faults.
        part: Name of the validated section, to begin keys with.
        model: Its class, from which misspelled keys are corrected.
    """
    lines = []
    for fault in error.errors(include_url=False, include_input=False):
        key = ".".join(str(name) for name in (part, *fault["loc"]) if name != "") or "recipe"
        lines.append(f"{key}: {_unknown(fault['loc'], model) if fault['type'] == 'extra_forbidden' else fault['msg']}")
    return "; ".join(lines)


def _unknown(place: tuple[int | str, ...], model: type[BaseModel] | None) -> str:
    """The fault of an unknown key, with the key that was probably meant: of its section, or of its name elsewhere."""
    if place == (EXTENDS,):
        return "belongs into the recipe's file; it cannot be set here"
    if model is None:
        return _UNKNOWN
    name = str(place[-1])
    beside = [known for section in sections(model, place[:-1]) for known in section.model_fields]
    elsewhere = [path for path in all_paths(model) if path.rpartition(".")[2] == name]
    meant = closest(name, beside) or (elsewhere[0] if len(elsewhere) == 1 else "")
    return f"unknown key; did you mean {meant}?" if meant else _UNKNOWN
