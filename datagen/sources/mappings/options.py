"""Options of the command line that describe records, made from what they hold, ready to be copied."""

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any

_PLAIN = re.compile(r"[^\W\d][\w]*(?:[ .-]\w+)*")
_WORDS_OF_YAML = frozenset(("true", "false", "yes", "no", "on", "off", "null", "y", "n"))


def option(key: str, values: Mapping[str, Any]) -> str:
    """A `--set` of a recipe's key, quoted for a shell; texts are data, so whatever is not plain is quoted for YAML.

    >>> print(option("input.mapping", {"turns": "talk", "text": "a: b", "names": True}))
    --set 'input.mapping={turns: talk, text: "a: b", names: true}'
    """
    return f"--set {shlex.quote(f'{key}={_flow(values)}')}"


def _flow(value: Any) -> str:
    """A value as YAML on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_flow(str(name))}: {_flow(each)}" for name, each in value.items()) + "}"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS_OF_YAML:
        return value
    return json.dumps(value, ensure_ascii=not str(value).isprintable())
