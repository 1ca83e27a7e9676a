"""Reads the YAML of recipes: text, numbers, true, false, null, lists and mappings, of limited size.

A few lines of YAML can stand for gigabytes, because an alias repeats a whole value, so the size is
counted on the parsed document before any value is made.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from datagen.errors import RecipeError

_MAX_BYTES = 1 << 20
"""Largest file of a recipe."""
_MAX_VALUES = 100_000
"""Values in a document, those of an alias counted wherever it is used."""
_MAX_DEPTH = 40
_TAGS = {f"tag:yaml.org,2002:{tag}" for tag in ("str", "int", "float", "bool", "null", "seq", "map", "merge")}


def read_file(file: Path, name: str) -> str:
    """The text of a YAML file of limited size.

    Args:
        file: The file.
        name: Name of the file for errors.

    Raises:
        RecipeError: If it cannot be read, is too large, or is not text.
    """
    try:
        if file.is_dir():
            raise RecipeError(f"{name} is a folder; a recipe is a YAML file, or the name of a shipped one")
        with file.open("rb") as opened:
            data = opened.read(_MAX_BYTES + 1)  # a device never ends
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise RecipeError(f"cannot read {name}: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > _MAX_BYTES:
        raise RecipeError(f"{name} is larger than {_MAX_BYTES >> 20} MB; a recipe is a YAML file of values, not data")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise RecipeError(f"{name} is not UTF-8 text (byte {error.start}); a recipe is a YAML file") from error


def read_yaml(text: str, name: str) -> Any:
    """The value of a YAML document.

    Args:
        text: The document.
        name: Name of its file or option for errors.

    Raises:
        RecipeError: If it is not valid, stands for too many values, is too deep, repeats a key, or holds anything
            but plain values.

    >>> read_yaml("{low: 1, high: [2, null]}", "x.yaml")
    {'low': 1, 'high': [2, None]}
    """
    try:
        if _is_shallow(text):
            with suppress(yaml.YAMLError, ValueError, LookupError):  # the parser in Python says more about a fault
                return _value(_FastLoader(text))  # type: ignore[call-arg]
        return _value(_Loader(text))
    except yaml.YAMLError as error:
        raise _not_yaml(name, error) from error
    except RecursionError as error:
        raise _not_yaml(name, f"it is nested deeper than {_MAX_DEPTH} levels") from error
    except (ValueError, LookupError) as error:  # a number of thousands of digits, `!!bool x`
        raise _not_yaml(name, error) from error


def _not_yaml(name: str, fault: object) -> RecipeError:
    return RecipeError(f"{name} is not valid YAML: {fault}; correct it, and put text with special characters in quotes")


def _value(loader: "_Loader | _FastLoader") -> Any:
    document = loader.get_single_node()
    if document is None:
        return None
    _check(document)
    return loader.construct_document(document)


def _is_shallow(text: str) -> bool:
    """True if the parser in C, which crashes on deep nesting, is there and can read a text."""
    if not yaml.__with_libyaml__:
        return False
    depth = 0
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _MAX_DEPTH:
                return False
    except (yaml.YAMLError, ValueError):
        return False
    return True


class _UniqueKeys(yaml.constructor.SafeConstructor):
    """A safe constructor that refuses a key given twice, of which YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping.

        Raises:
            ConstructorError: If a key is there twice; names it and its line.
        """
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} is there twice", key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


class _Loader(_UniqueKeys, yaml.SafeLoader):
    """The parser in Python."""


class _FastLoader(_UniqueKeys, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The parser in C, ten times as fast, if there is one."""


def _check(document: yaml.Node) -> None:
    """Check the tags, keys, depth and size of a document.

    Raises:
        MarkedYAMLError: If it breaks a rule; names the line.
    """
    sizes: dict[int, int] = {}

    def size(node: yaml.Node, depth: int) -> int:
        if id(node) in sizes:
            n_values = sizes[id(node)]
            if not n_values:
                raise _fault("a value contains itself", node)
            return n_values
        if depth > _MAX_DEPTH:
            raise _fault(f"it is nested deeper than {_MAX_DEPTH} levels", node)
        if node.tag not in _TAGS:
            raise _fault(
                f"{node.tag.rpartition(':')[2]!r} is no kind of value in a recipe; quote it if it is text", node
            )
        sizes[id(node)] = 0
        sizes[id(node)] = n_values = 1 + sum(size(part, depth + 1) for part in _parts(node))
        if n_values > _MAX_VALUES:
            raise _fault(f"it stands for more than {_MAX_VALUES:,} values; use fewer aliases", node)
        return n_values

    size(document, 0)


def _parts(node: yaml.Node) -> Iterator[yaml.Node]:
    """The values inside a value."""
    if isinstance(node, yaml.SequenceNode):
        yield from node.value
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _fault("a key must be text", key)
            yield from (key, value)


def _fault(problem: str, node: yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
