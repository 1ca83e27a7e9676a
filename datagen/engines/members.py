"""The members that an engine of each kind has, checked when one from outside the package is loaded."""

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from typing import Any, get_args

from datagen.engines.base import (
    ASR,
    MOS,
    TTS,
    VAD,
    Aligner,
    EngineInfo,
    Noise,
    Normalizer,
    Rooms,
    SpeechTokenizer,
    TextTokenizer,
    WordTimes,
)
from datagen.errors import DatagenError, RecipeError
from datagen.traces import own_place

PROTOCOLS: dict[str, type] = {
    "tts": TTS,
    "speech_tokenizer": SpeechTokenizer,
    "text_tokenizer": TextTokenizer,
    "noise": Noise,
    "asr": ASR,
    "aligner": Aligner,
    "vad": VAD,
    "mos": MOS,
    "rooms": Rooms,
    "normalizer": Normalizer,
}


@dataclass(frozen=True)
class Attribute:
    """An attribute of an engine: what it may be, and the function that reads it."""

    allowed: str
    read: Callable[[Any], Any]
    """Returns the value to keep; raises a ValueError if it is not allowed."""


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ValueError(value)
    return int(value)


def _code(value: Any) -> int:
    return 0 if not isinstance(value, bool) and value == 0 else _count(value)


def _each(read: Callable[[Any], int]) -> Callable[[Any], tuple[int, ...]]:
    """Reads a list of what another function reads."""

    def reads(value: Any) -> tuple[int, ...]:
        if not isinstance(value, tuple | list) or not value:
            raise ValueError(value)
        return tuple(map(read, value))

    return reads


def _rate(value: Any) -> Any:
    if not _seconds(value):
        raise ValueError(value)
    return value


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, tuple | list) or not value or not all(name and isinstance(name, str) for name in value):
        raise ValueError(value)
    return tuple(value)


def _any_names(value: Any) -> tuple[str, ...]:
    return () if value in ((), []) else _names(value)


def _word_times(value: Any) -> Any:
    if value not in get_args(WordTimes):
        raise ValueError(value)
    return value


def _seconds(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise ValueError(value)
    return value


COUNT = Attribute("a whole number from 1", _count)
CODE = Attribute("a whole number from 0", _code)
NAMES = Attribute("a tuple of names, such as ('one', 'two')", _names)
CODES = Attribute("a tuple of language codes, such as ('en',)", _names)
RATE = Attribute("a number above 0", _rate)
SECONDS = Attribute("a number of seconds from 0", _seconds)

ATTRIBUTES: dict[str, dict[str, Attribute]] = {
    "tts": {
        "sample_rate_hz": COUNT,
        "voices": NAMES,
        "languages": CODES,
        "word_times": Attribute(" or ".join(map(repr, get_args(WordTimes))), _word_times),
        "concurrency": COUNT,
        "give_up_seconds": SECONDS,
    },
    "speech_tokenizer": {"sample_rate_hz": COUNT, "frame_rate_hz": RATE},
    "text_tokenizer": {"vocabulary_size": COUNT, "special_offset": COUNT, "n_embeddings": COUNT},
    "asr": {"sample_rate_hz": COUNT, "languages": CODES},
    "aligner": {
        "sample_rate_hz": COUNT,
        "languages": Attribute(f"{CODES.allowed}, or empty for any", _any_names),
        "longest_seconds": SECONDS,
    },
    "mos": {"sample_rate_hz": COUNT},
}
"""Kind → attribute → what it may be, besides `info`; kinds that are absent have none."""
ONE_CODEBOOK = {"codebook_size": COUNT, "silence_code": CODE}
SEVERAL_CODEBOOKS = {
    "codebook_sizes": Attribute("a tuple of whole numbers from 1, such as (2048, 1024)", _each(_count)),
    "silence_codes": Attribute("a tuple of whole numbers from 0, one per codebook", _each(_code)),
}
"""Further attributes of speech tokenizers, by those that they declare."""


def check_members(kind: str, name: str, engine: Any) -> None:
    """Check methods and attributes of an engine from outside the package; lists become tuples.

    Args:
        kind: Its kind.
        name: Its name in the recipe, as `module:Class`.
        engine: The engine.

    Raises:
        RecipeError: If one is missing or has a value that is not allowed; names engine, attribute and value.
    """
    place = f"{kind} engine {name!r}"
    protocol = PROTOCOLS[kind]
    _check_info(place, getattr(engine, "info", None))
    for method in (key for key, value in vars(protocol).items() if callable(value) and not key.startswith("_")):
        if not callable(_value(place, protocol, engine, method)):
            raise RecipeError(f"{place}: {method} is no method (docs/engines.md)")
    for key, attribute in _attributes(kind, engine).items():
        value = _value(place, protocol, engine, key)
        try:
            kept = attribute.read(value)
        except ValueError as error:
            raise RecipeError(f"{place}: {key} is {_shown(value)}; it must be {attribute.allowed}") from error
        if type(kept) is not type(value):
            setattr(engine, key, kept)
    if kind == "speech_tokenizer":
        sizes, codes = (_value(place, protocol, engine, key) for key in SEVERAL_CODEBOOKS)
        if len(sizes) != len(codes):
            raise RecipeError(f"{place}: codebook_sizes has {len(sizes)} and silence_codes {len(codes)}; give one each")
        for size, code in zip(sizes, codes, strict=True):
            if code >= size:
                raise RecipeError(f"{place}: silence_code is {code}; it must be below its codebook_size, {size}")


def _attributes(kind: str, engine: Any) -> dict[str, Attribute]:
    """The attributes of a kind; of a speech tokenizer, those of one codebook or of several, as it declares."""
    if kind != "speech_tokenizer":
        return ATTRIBUTES.get(kind, {})
    own = [vars(engine), *(vars(parent) for parent in type(engine).__mro__ if parent is not SpeechTokenizer)]
    several = any("codebook_sizes" in names for names in own)
    return ATTRIBUTES[kind] | (SEVERAL_CODEBOOKS if several else ONE_CODEBOOK)


def _check_info(place: str, info: Any) -> None:
    if not isinstance(info, EngineInfo):
        raise RecipeError(
            f"{place}: info is {_shown(info)}; it must be an EngineInfo, such as "
            'EngineInfo("mine", "1", "CC0-1.0", bit_exact="machine")'
        )
    for key in ("name", "version", "licence"):
        value = getattr(info, key)
        if not isinstance(value, str) or not value:
            raise RecipeError(f"{place}: info.{key} is {_shown(value)}; it must be text, such as '1'")


def _value(place: str, protocol: type, engine: Any, key: str) -> Any:
    """A member of an engine.

    Raises:
        RecipeError: If it is not there, or cannot be read.
    """
    try:
        return getattr(engine, key)
    except DatagenError:
        raise
    except Exception as error:
        if isinstance(error, AttributeError) and not own_place(error):
            hint = f"; the base class {protocol.__name__} of datagen.engines.base has a default for it"
            default = hint if hasattr(protocol, key) else ""
            raise RecipeError(f"{place} has no `{key}`{default} (docs/engines.md)") from error
        raise RecipeError(f"{place}: {key} cannot be read: {own_mistake(error)}") from error


def own_mistake(error: BaseException) -> str:
    """An exception of somebody's own code with its place, for messages.

    >>> own_mistake(KeyError("umbrella"))
    "KeyError: 'umbrella'"
    """
    text, place = " ".join(f"{type(error).__name__}: {error}".split())[:400], own_place(error)
    return f"{text} ({place})" if place else text


def _shown(value: Any) -> str:
    return repr(value)[:80]
