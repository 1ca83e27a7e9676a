"""The engines that a data set may name without the user's word.

Opening somebody's build must run nothing that the build names and follow no path out of it. Without
trust only shipped engines load, and only without options that could name a file, a folder or a
server: model folders can hold code (HyperPyYAML, pickles, Hugging Face modules).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from datagen.engines.load import ENGINES
from datagen.errors import TrustError

HARMLESS: dict[str, frozenset[str]] = {
    "hibari": frozenset(),
    "kokoro": frozenset(),
    "tone": frozenset({"n_voices", "ms_per_letter"}),
    "kmeans": frozenset(),
    "qwen2": frozenset(),
    "bytes": frozenset(),
    "generated": frozenset({"kinds", "sample_rate_hz"}),
    "bursts": frozenset({"kinds", "sample_rate_hz"}),
    "energy": frozenset(),
    "silero": frozenset(),
    "whisper": frozenset(),
    "dnsmos": frozenset(),
    "pyroomacoustics": frozenset(),
}
"""Shipped engines that read their own packages only, with the options that name no file and no server."""
_LONGEST = 80


def refuse_untrusted(kind: str, name: Any, options: Any, place: str) -> None:
    """Refuse an engine that a data set names, unless it is harmless.

    Args:
        kind: Kind of the engine.
        name: Its name as the data set gives it, of any type.
        options: Its options as the data set gives them, of any type.
        place: Path or URL of the data set.

    Raises:
        TrustError: If it is outside the package, or has an option that could name a file or a server.
    """
    if action := _action(kind, name, options):
        raise TrustError(
            f"{place} names the {kind.replace('_', ' ')} {_shown(name)}: using it would {action}. If you trust its "
            "maker, pass --trust, or trust=True in Python"
        )


def refuse_untrusted_recipe(values: Mapping[str, Any], place: str) -> None:
    """Refuse a recipe that lies in a data set, if one of its engines is not harmless.

    Raises:
        TrustError: As of `refuse_untrusted`.
    """
    for key, engine in _engines(values):
        name = str(engine["name"])
        kind = next((kind for kind, names in ENGINES.items() if name in names), key)
        refuse_untrusted(kind, name, engine.get("options"), place)


def _engines(values: Any, key: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Everything in a recipe that could be an engine: an object with a name, at any depth but the top."""
    if isinstance(values, Mapping):
        if "name" in values and key:
            yield key, values
        for name, value in values.items():
            yield from _engines(value, str(name))
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _engines(value, key)


def _action(kind: str, name: Any, options: Any) -> str:
    """The danger of an engine in words, empty if there is none.

    >>> _action("text_tokenizer", "qwen2", {}), _action("text_tokenizer", "subprocess:Popen", {})
    ('', 'import the module subprocess and run code of it')
    >>> _action("speech_tokenizer", "kmeans", {"model": "mine.npz"})
    'read what its option model names'
    """
    if not isinstance(name, str) or name not in ENGINES.get(kind, {}):
        module = str(name).partition(":")[0]
        return f"import the module {_plain(module)} and run code of it"
    if not isinstance(options, Mapping | None):
        return "build it with options that are no object"
    given = sorted(str(key) for key, value in (options or {}).items() if value not in ("", None))
    if name not in HARMLESS:
        return f"read what its options name ({_plain(', '.join(given) or 'none')})"
    if foreign := [key for key in given if key not in HARMLESS[name]]:
        return f"read what its option {_plain(foreign[0])} names"
    return ""


def _plain(text: str) -> str:
    """A foreign text for a message: one line of printable characters, cut."""
    return "".join(c if c.isprintable() else "?" for c in text)[:_LONGEST]


def _shown(name: Any) -> str:
    return repr(name if len(repr(name)) <= _LONGEST else _plain(str(name)))
