"""Comments in the YAML of a recipe: the meaning of each key, on a line above it."""

from collections.abc import Iterator
from pathlib import Path

import yaml
from pydantic import BaseModel

from datagen import resources
from datagen.recipe.reference import Key, keys

SCHEMA = "# yaml-language-server: $schema="
"""Beginning of the comment by which editors find a schema."""


def commented(text: str, model: type[BaseModel]) -> str:
    r"""A YAML text with the meaning of each known key above it; without its comments it is unchanged.

    Keys inside a flow mapping (`{low: 1, high: 2}`), of distributions and of engine options get none.

    Args:
        text: A mapping of keys to values, in block style.
        model: The class of the whole, such as `Recipe`.

    >>> from datagen.recipe.timing_config import FalseStartConfig
    >>> print(commented("min_words: 8\n", FalseStartConfig), end="")
    # Minimum length of such a turn, in words [words, 1 to 1,000]
    min_words: 8
    """
    root = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    if not isinstance(root, yaml.MappingNode):
        return text
    known = {key.path: key for key in keys(model)}
    above = {line: f"{' ' * column}# {meaning}" for line, column, meaning in _comments(root, "", known)}
    lines = text.splitlines()
    return "".join(f"{above[k]}\n{line}\n" if k in above else f"{line}\n" for k, line in enumerate(lines))


def schema_line(folder: str) -> str:
    """The comment by which an editor finds the schema of recipes, for a recipe in a folder.

    Args:
        folder: The folder. The address of the packaged schema is relative if it lies below, else absolute.
    """
    schema = (resources.directory("schemas") / "recipe.schema.json").resolve()
    here = Path(folder).resolve()
    address = schema.relative_to(here).as_posix() if schema.is_relative_to(here) else schema.as_uri()
    return f"{SCHEMA}{address}"


def with_schema_line(text: str, folder: str) -> str:
    """A recipe's text with the comment of `schema_line` as its first line, in place of another one there."""
    first, _, rest = text.partition("\n")
    return f"{schema_line(folder)}\n{rest if first.startswith(SCHEMA) else text}"


def _comments(node: yaml.MappingNode, prefix: str, known: dict[str, Key]) -> Iterator[tuple[int, int, str]]:
    """Line, column and text of each comment."""
    if node.flow_style:
        return
    for name, value in node.value:
        key = known.get(prefix + name.value)
        if key:
            yield name.start_mark.line, name.start_mark.column, _text(key)
        is_list = isinstance(value, yaml.SequenceNode)
        below = f"{key.path}{'[].' if is_list else '.'}" if key else f"{prefix}*."
        for each in value.value if is_list else [value]:
            if isinstance(each, yaml.MappingNode) and any(path.startswith(below) for path in known):
                yield from _comments(each, below, known)


def _text(key: Key) -> str:
    """The comment of a key.

    >>> _text(Key(None, "a", "number", "0 to 9", "ms", "1", "", "Longest wait"))
    'Longest wait [ms, 0 to 9]'
    """
    bounds = ", ".join(filter(None, (key.unit, key.range)))
    return f"{key.meaning} [{bounds}]" if bounds else key.meaning
