"""Engines by name: the one table, and how a name becomes an object."""

import inspect
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

from datagen.engines.base import (
    ASR,
    MOS,
    TTS,
    VAD,
    Aligner,
    Noise,
    Normalizer,
    Options,
    Rooms,
    SpeechTokenizer,
    TextTokenizer,
)
from datagen.engines.members import PROTOCOLS, check_members, own_mistake
from datagen.engines.moved import new_address
from datagen.errors import DatagenError, EngineError, RecipeError
from datagen.suggest import did_you_mean

ENGINES: dict[str, dict[str, str]] = {
    "tts": {
        "hibari": "datagen.engines.tts.hibari:Hibari",
        "kokoro": "datagen.engines.tts.kokoro:Kokoro",
        "by_language": "datagen.engines.tts.by_language:ByLanguage",
        "speech_server": "datagen.engines.tts.speech_server:SpeechServer",
        "tone": "datagen.engines.fakes:ToneVoice",
        "cosyvoice": "datagen.engines.tts.cosyvoice:CosyVoice",
    },
    "speech_tokenizer": {
        "kmeans": "datagen.engines.speech_tokens.kmeans:KMeansTokenizer",
        "tone": "datagen.engines.fakes:ToneTokenizer",
        "tone_codebooks": "datagen.engines.fakes:ToneCodebooks",
        "s3": "datagen.engines.speech_tokens.s3:S3Tokenizer",
        "mimi": "datagen.engines.speech_tokens.mimi:Mimi",
        "encodec": "datagen.engines.speech_tokens.encodec:Encodec",
        "dac": "datagen.engines.speech_tokens.dac:Dac",
    },
    "text_tokenizer": {
        "qwen2": "datagen.engines.text_tokens.qwen2:Qwen2Tokenizer",
        "bytes": "datagen.engines.fakes:ByteTokenizer",
        "hf": "datagen.engines.text_tokens.hf_text:HfTokenizer",
    },
    "noise": {
        "generated": "datagen.engines.noise.noise:GeneratedNoise",
        "directory": "datagen.engines.noise.noise:DirectoryNoise",
        "bursts": "datagen.engines.noise.bursts:GeneratedBursts",
    },
    "asr": {
        "whisper": "datagen.engines.listeners.whisper:Whisper",
    },
    "aligner": {
        "estimated": "datagen.engines.listeners.estimated:Estimated",
        "whisper": "datagen.engines.listeners.whisper_aligner:WhisperAligner",
    },
    "vad": {
        "energy": "datagen.engines.listeners.vad:Energy",
        "silero": "datagen.engines.listeners.vad:Silero",
    },
    "mos": {
        "dnsmos": "datagen.engines.listeners.dnsmos:Dnsmos",
    },
    "rooms": {
        "pyroomacoustics": "datagen.engines.noise.rooms:ShoeBoxes",
    },
    "normalizer": {
        "english": "datagen.engines.normalizers:English",
        "chinese": "datagen.engines.normalizers:Chinese",
        "spanish": "datagen.engines.normalizers:Spanish",
        "german": "datagen.engines.normalizers:German",
        "french": "datagen.engines.normalizers:French",
        "plain": "datagen.engines.normalizers:Plain",
    },
}
"""Kind → name → `module:Class`. An engine outside the package is named by its `module:Class` itself."""

_WARM = {"tts": {"hibari"}, "speech_tokenizer": {"kmeans"}, "text_tokenizer": {"qwen2"}}
"""Engines that may be loaded before a process is forked."""

_VERBS = {
    "tts": "speak",
    "speech_tokenizer": "encode",
    "text_tokenizer": "encode",
    "noise": "take",
    "asr": "transcribe",
    "aligner": "align",
    "vad": "speech",
    "mos": "score",
    "rooms": "response",
    "normalizer": "spoken",
}
"""The method that makes a class an engine of a kind; anything else is not called."""


def load(kind: str, name: str, options: Mapping[str, Any] | Options) -> Any:
    """Build an engine.

    Raises:
        RecipeError: If the name or an option is unknown.
        EngineMissingError: If the engine's package or weights are not there.
        EngineError: If an engine from outside the package fails while it is made, or the codes of a speech tokenizer
            do not fit the 16 bits of a shard.
    """
    if kind not in ENGINES:
        raise RecipeError(f"there is no kind of engine {kind!r}; kinds: {', '.join(ENGINES)}")
    own = name not in ENGINES[kind]
    engine_class = class_of(kind, name)
    try:
        with suppress(ValueError):  # what has no signature is no engine, as it turns out
            inspect.signature(engine_class).bind(**options)
    except TypeError as error:
        raise RecipeError(
            f"{kind} engine {name!r} does not take these options: {error}{_options_of(engine_class, options)}"
        ) from error
    engine = _made(kind, name, engine_class, options) if own else engine_class(**options)
    if own:
        check_members(kind, name, engine)
    if kind == "speech_tokenizer" and max(engine.codebook_sizes) > 1 << 16:
        raise EngineError(f"{name}: {max(engine.codebook_sizes)} codes do not fit in 16 bits")
    return engine


def class_of(kind: str, name: str) -> type:
    """The class of an engine, imported.

    Raises:
        RecipeError: If there is none, or its module cannot be imported; names the line that fails.
    """
    target = ENGINES[kind].get(name, name)
    module_name, colon, class_name = target.partition(":")
    if not colon:
        package, dot, last = name.rpartition(".")
        colon_meant = f"; did you mean {package}:{last}?" if dot else ""
        meant = colon_meant or did_you_mean(name, ENGINES[kind]) or ";"
        known = ", ".join(ENGINES[kind])
        raise RecipeError(f"no {kind} engine {name!r}{meant} known: {known}, or your own as module:Class")
    cannot = f"{kind} engine {name!r} cannot be imported"
    try:
        with _here() if target == name else nullcontext():
            module = import_module(module_name)
    except (DatagenError, MemoryError):
        raise
    except Exception as error:  # of the module's own lines too
        moved = new_address(error, target) if isinstance(error, ImportError | AttributeError) else None
        raise RecipeError(f"{cannot}: {moved or own_mistake(error)}") from error
    try:
        engine_class = getattr(module, class_name)
    except AttributeError as error:
        reason = new_address(error, target) or _no_such_class(module, class_name)
        raise RecipeError(f"{cannot}: {reason}") from error
    if not isinstance(engine_class, type) or not callable(getattr(engine_class, _VERBS[kind], None)):
        raise RecipeError(
            f"{kind} engine {name!r} is not an engine: it must be a class with the method {_VERBS[kind]} "
            "(docs/engines.md)"
        )
    if getattr(engine_class, _VERBS[kind]) is getattr(PROTOCOLS[kind], _VERBS[kind]):
        raise RecipeError(
            f"{kind} engine {name!r} has no method {_VERBS[kind]} of its own; define it (docs/engines.md)"
        )
    return engine_class


def warm_up(kind: str, name: str) -> None:
    """Load what all engines of a name share, if it may be shared with processes forked later.

    Engines say so by a static method `warm_up`, which starts no thread. Only those of the package that need neither
    torch nor a server do; an error is left to the caller that needs the engine.
    """
    if name in _WARM.get(kind, ()):
        with suppress(DatagenError, ImportError):
            getattr(class_of(kind, name), "warm_up", lambda: None)()


def _no_such_class(module: ModuleType, class_name: str) -> str:
    """The reason why a module has no class of a name, with the one that was probably meant."""
    classes = [key for key, value in vars(module).items() if isinstance(value, type)]
    return f"module {module.__name__} has no class {class_name!r}{did_you_mean(class_name, classes)}"


def _made(kind: str, name: str, engine_class: type, options: Mapping[str, Any] | Options) -> Any:
    """An engine from outside the package.

    Raises:
        DatagenError: As its constructor raised it.
        EngineError: If its constructor raised anything else; names the line that failed.
    """
    try:
        return engine_class(**options)
    except (DatagenError, MemoryError):
        raise
    except Exception as error:
        raise EngineError(f"{kind} engine {name!r} cannot be made: {own_mistake(error)}") from error


def _options_of(engine_class: type, options: Mapping[str, Any] | Options) -> str:
    """The options of a class, and the one that a misspelled option probably means, as the end of an error."""
    known = [name for name, each in inspect.signature(engine_class).parameters.items() if each.kind != each.VAR_KEYWORD]
    meant = next((said for name in options if (said := did_you_mean(name, known))), "")
    return f"{meant}{' ' if meant else '; '}it takes {', '.join(known) or 'none'} (docs/engines.md)"


@contextmanager
def _here() -> Iterator[None]:
    """Find modules in the current folder too, after all others, for as long as one is imported."""
    folder = str(Path.cwd())
    if folder in sys.path:
        yield
        return
    sys.path.append(folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


E = TypeVar("E")


@dataclass(frozen=True)
class Loader(Generic[E]):
    """Builds engines of one kind."""

    kind: str

    def __call__(self, name: str, options: Options) -> E:
        """Build an engine of this kind; see `load`."""
        engine: E = load(self.kind, name, options)
        return engine


tts = Loader[TTS]("tts")
speech_tokenizer = Loader[SpeechTokenizer]("speech_tokenizer")
text_tokenizer = Loader[TextTokenizer]("text_tokenizer")
noise = Loader[Noise]("noise")
asr = Loader[ASR]("asr")
aligner = Loader[Aligner]("aligner")
vad = Loader[VAD]("vad")
mos = Loader[MOS]("mos")
rooms = Loader[Rooms]("rooms")
normalizer = Loader[Normalizer]("normalizer")
