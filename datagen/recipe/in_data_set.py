"""Finds out if a recipe came with a data set, and so is data instead of its reader's code (SECURITY.md)."""

import json
import os
from pathlib import Path

from datagen import resources


def in_data_set(recipe: str) -> bool:
    """True if a recipe file lies in a data set, at any depth; a recipe anywhere else is its reader's code.

    A recipe that exists below a folder that cannot be searched counts as one of a data set. One that cannot be found
    does not: whoever reads it says why.

    Args:
        recipe: Its path, or the name of a shipped recipe.
    """
    if recipe in resources.recipes():
        return False
    try:
        found = Path(recipe).absolute()
        folders = {*found.parents, *found.resolve().parents}
        return any(_is_ours(folder / name) for folder in folders for name in ("manifest.json", "plan.json"))
    except (OSError, RuntimeError, ValueError):  # RuntimeError: a loop of links, before Python 3.13
        return os.path.exists(recipe)  # noqa: PTH110 - `Path.exists` may raise


def _is_ours(file: Path) -> bool:
    """True if a file is a manifest or a plan of datagen, or damaged; other programs have files of that name too.

    Raises:
        OSError: If it cannot be known whether there is such a file.
    """
    try:
        file.stat()  # `Path.exists` is false in new Pythons if a folder may not be searched
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        values = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return True
    return isinstance(values, dict) and not values.keys().isdisjoint(("data_version", "identity"))
