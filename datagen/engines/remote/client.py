"""HTTP clients of the openai package with datagen's settings, their keys, and error texts without them."""

import os
from typing import Any

from datagen.errors import EngineError, EngineMissingError
from datagen.installed import pip_install

_MOST_SHOWN = 200
"""Characters of a server's message in an error."""


def http_client(
    user: str, extra: str, *, base_url: str, key: str, timeout_seconds: float, n_connections: int = 0
) -> Any:
    """An `OpenAI` client, or for `n_connections` > 0 an `AsyncOpenAI` with that many.

    It never retries: how often and when a call is made decide the pace, the budget and the faults.

    Args:
        user: The part of datagen that needs it, for the error.
        extra: The extra of the package that installs it.
        base_url: Address of the server.
        key: May be empty.
        timeout_seconds: Of each read.
        n_connections: Of an asynchronous client.

    Raises:
        EngineMissingError: If the package openai is not installed.
    """
    try:
        import httpx2
        import openai
    except ImportError as error:
        raise EngineMissingError(f"{user} needs the package openai>=3: {pip_install(extra)}") from error
    settings: dict[str, Any] = {"api_key": key or "none", "base_url": base_url, "max_retries": 0}
    if not n_connections:
        return openai.OpenAI(timeout=timeout_seconds, **settings)
    limits = httpx2.Limits(max_connections=n_connections, max_keepalive_connections=n_connections)
    http = openai.DefaultAsyncHttpxClient(limits=limits, timeout=httpx2.Timeout(timeout_seconds))
    return openai.AsyncOpenAI(http_client=http, **settings)


def key_in(variable: str) -> str:
    """The key in an environment variable; empty if it is not set, or no variable is named.

    Raises:
        EngineError: If its value cannot be a key.
    """
    key = os.environ.get(variable, "").strip() if variable else ""
    if not (key.isascii() and key.isprintable()):
        raise EngineError(f"the value of the environment variable {variable} is not a valid key")
    return key


def without_key(text: str, key: str) -> str:
    """A server's text without the key, which it might repeat.

    >>> without_key("bad key sk-1", "sk-1"), without_key("no key", "")
    ('bad key ***', 'no key')
    """
    return text.replace(key, "***") if key else text


def shown(text: str, key: str) -> str:
    """A server's text as an error shows it: on one line, short, and without the key.

    >>> shown("no " + chr(10) + " such key: sk-1", "sk-1")
    'no such key: ***'
    """
    printable = "".join(c if c.isprintable() else " " for c in without_key(text, key))
    return " ".join(printable.split())[:_MOST_SHOWN]  # cut last: half a key would not be found
