"""Recipes that are based on others: `extends` names a shipped recipe, or a file beside the recipe.

The parent's values come first, and the recipe's own over them. Only the result is validated, hashed and stored.
"""

from pathlib import Path
from typing import Any

from datagen import resources
from datagen.errors import RecipeError, TrustError
from datagen.recipe.in_data_set import in_data_set
from datagen.recipe.merge import merged
from datagen.recipe.yaml_values import read_file, read_yaml
from datagen.suggest import did_you_mean

EXTENDS = "extends"
"""The key of a recipe file that names its parent."""
_OWN = ("name", "description")
"""Keys that a recipe never inherits: its output is named by them."""
_MOST = 16
"""Longest chain of parents."""


def values_of(text: str, path: str) -> dict[str, Any]:
    """The top-level keys and values of a recipe file, over those of its parents.

    Args:
        text: The YAML.
        path: Path of the file or name of the shipped recipe, for errors and to find a parent beside it.

    Raises:
        RecipeError: If it contains something else than keys and values, or a parent is missing, wrong or its own
            parent; the message begins with `path`.
        TrustError: If a parent lies in a data set, or a recipe in a data set names a file.
    """
    chain, layers = [_identity(path)], [_mapping(text, path)]
    while (parent := layers[-1].pop(EXTENDS, None)) is not None:
        place = _parent(parent, path)
        if _identity(place) in chain:
            raise RecipeError(f"{path}: {EXTENDS}: {place} extends itself, directly or by its parents; remove one")
        if len(chain) == _MOST:
            raise RecipeError(f"{path}: {EXTENDS}: more than {_MOST} recipes extend each other; use fewer")
        layers.append(_mapping(read_recipe(place, f"{path}: {EXTENDS}: recipe {place}"), place))
        chain.append(_identity(place))
        path = place
    return _over(layers)


def read_recipe(path: str, name: str) -> str:
    """The text of a recipe file or of a shipped recipe, whose name takes precedence over a file of that name.

    Args:
        path: The path, or the name.
        name: Name of the file for errors.

    Raises:
        RecipeError: If there is no such recipe.
    """
    shipped = resources.recipes()
    file = resources.directory("pipelines") / f"{path}.yaml" if path in shipped else Path(path)
    try:
        return read_file(file, name)
    except RecipeError as error:
        meant = "" if file.exists() else did_you_mean(Path(path).stem, shipped)
        raise RecipeError(f"{error}{meant}{' ' if meant else '. '}Shipped recipes: {', '.join(shipped)}") from (
            error.__cause__
        )


def _over(layers: list[dict[str, Any]]) -> dict[str, Any]:
    """Each layer over the next; the first is the recipe itself."""
    found: dict[str, Any] = {}
    for values in reversed(layers[1:]):
        found = merged(found, {key: value for key, value in values.items() if key not in _OWN})
    return merged(found, layers[0]) if len(layers) > 1 else layers[0]


def _mapping(text: str, name: str) -> dict[str, Any]:
    values = read_yaml(text, name)
    if not isinstance(values, dict):
        raise RecipeError(f"{name} must be a mapping of keys to values, not {type(values).__name__}")
    return values


def _parent(parent: Any, child: str) -> str:
    """The name or path of a parent.

    Raises:
        RecipeError: If it is no text.
        TrustError: If it or its child is data.
    """
    if not isinstance(parent, str) or not parent:
        raise RecipeError(f"{child}: {EXTENDS} must be the name of a shipped recipe, or the path of a file beside it")
    if parent in resources.recipes():
        return parent
    if in_data_set(child):
        raise TrustError(
            f"{child}: {EXTENDS}: {parent!r}: this recipe lies in a data set, so it may extend shipped recipes only; "
            "if you trust its maker, copy both files out of the data set"
        )
    place = str(Path(child).parent / parent)
    if in_data_set(place):
        raise TrustError(
            f"{child}: {EXTENDS}: {place} lies in a data set, so it is data; read it, and copy it beside your recipe "
            "if you trust its maker"
        )
    return place


def _identity(path: str) -> str:
    """A name for a recipe that is the same however its path is written."""
    return path if path in resources.recipes() else str(Path(path).absolute().resolve())
