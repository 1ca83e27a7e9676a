"""The engines that a data set may name without the user's word.

Opening somebody's build must run nothing that the build names and follow no path out of it. Without
trust only shipped engines load, and only without options that could name a file, a folder or a
server: model folders can hold code (HyperPyYAML, pickles, Hugging Face modules).
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from datagen.engines.load import ENGINES
from datagen.errors import TrustError
from datagen.recipe.in_data_set import in_data_set
from datagen.recipe.timing_config import profiles
from datagen.terminal import printable

HARMLESS: dict[str, frozenset[str]] = {
    "hibari": frozenset(),
    "kokoro": frozenset(),
    "tone": frozenset({"n_voices", "ms_per_letter"}),
    "tone_codebooks": frozenset(),
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
    "estimated": frozenset(),
    **dict.fromkeys(("english", "chinese", "spanish", "german", "french", "plain"), frozenset[str]()),
}
"""Shipped engines that read their own packages only, with the options that name no file and no server."""
_LONGEST = 80
_ALLOW = "If you trust its maker, pass --trust, or trust=True in Python"


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
            f"{place} names the {_plain(kind.replace('_', ' '))} {_shown(name)}: using it would {action}. {_ALLOW}"
        )


def refuse_untrusted_recipe(values: Any, place: str, given: Collection[str] = ()) -> None:
    """Refuse a recipe that lies in a data set, if it names an engine that is not harmless, or a place to read.

    Args:
        values: The recipe as in its file, changed by the user's overrides.
        place: Path of the file.
        given: Keys that the user set, dotted; what they hold is the user's word.

    Raises:
        TrustError: If it names any such thing; says what would be imported, read or called.
    """
    for key, engine in _engines(values):
        name = engine["name"]
        kind = next((kind for kind, names in ENGINES.items() if isinstance(name, str) and name in names), key)
        refuse_untrusted(kind, name, engine.get("options"), place)
    for key, is_harmless in _PLACES.items():
        found = _value(values, key)
        if found and not is_harmless(found) and not any(f"{key}.".startswith(f"{each}.") for each in given):
            raise TrustError(f"{place} sets {key} to {_shown(found)}: using it would read or call that. {_ALLOW}")


def _value(values: Any, key: str) -> Any:
    """The value of a dotted key; None if there is none.

    >>> _value({"a": {"b": 1}}, "a.b"), _value({"a": 1}, "a.b")
    (1, None)
    """
    for name in key.split("."):
        values = values.get(name) if isinstance(values, Mapping) else None
    return values


def _all_shipped(paths: Any) -> bool:
    """True if inputs are files of the package."""
    names = [paths] if isinstance(paths, str) else paths
    return isinstance(names, list | tuple) and all(str(name).startswith("package:") for name in names)


_PLACES: dict[str, Callable[[Any], bool]] = {
    "input.paths": _all_shipped,
    "takes.reuse": lambda _: False,
    "timing.profile": lambda name: name in profiles(),
}
"""Keys of a build's recipe whose values name files and servers, with the values that are harmless."""


def refuse_authoring(recipe: str) -> None:
    """Refuse an authoring recipe that lies in a data set.

    Raises:
        TrustError: If it does; says what it would do.
    """
    if in_data_set(recipe):
        raise TrustError(
            f"{recipe} lies in a data set: using it would send texts, and the key in an environment variable that it "
            f"names, to a server that it names. {_ALLOW}"
        )


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
    "read or call what its options name (model: 'mine.npz')"
    """
    if not isinstance(name, str) or name not in ENGINES.get(kind, {}):
        module = str(name).partition(":")[0]
        return f"import the module {_plain(module)} and run code of it"
    if not isinstance(options, Mapping | None):
        return "build it with options that are no object"
    given = {str(key): value for key, value in (options or {}).items() if value not in ("", None)}
    foreign = sorted(given.keys() - HARMLESS.get(name, frozenset()))
    if foreign or name not in HARMLESS:
        shown = ", ".join(f"{key}: {given[key]!r}" for key in foreign)
        return f"read or call what its options name ({_plain(shown) or 'none'})"
    return ""


def _plain(text: str) -> str:
    """A foreign text for a message: one line of printable characters, cut."""
    return printable(text)[:_LONGEST]


def _shown(name: Any) -> str:
    return _plain(repr(name))
