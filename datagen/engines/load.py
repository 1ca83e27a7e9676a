"""Engines by name: the one table, and how a name becomes an object."""

import inspect
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Generic, TypeVar

from datagen.engines.base import (
    ASR,
    MOS,
    TTS,
    VAD,
    Aligner,
    EngineInfo,
    Noise,
    Normalizer,
    Options,
    Rooms,
    SpeechTokenizer,
    TextTokenizer,
)
from datagen.engines.moved import new_address
from datagen.errors import EngineError, RecipeError
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
        EngineError: If the codes of a speech tokenizer do not fit the 16 bits of a shard.
    """
    if kind not in ENGINES:
        raise RecipeError(f"there is no kind of engine {kind!r}; kinds: {', '.join(ENGINES)}")
    target = ENGINES[kind].get(name, name)
    module_name, colon, class_name = target.partition(":")
    if not colon:
        meant = did_you_mean(name, ENGINES[kind]) or ";"
        known = ", ".join(ENGINES[kind])
        raise RecipeError(f"no {kind} engine {name!r}{meant} known: {known}, or your own as module:Class")
    try:
        with _here() if target == name else nullcontext():
            engine_class = getattr(import_module(module_name), class_name)
    except (ImportError, AttributeError) as error:
        reason = new_address(error, target) or error
        raise RecipeError(f"{kind} engine {name!r} cannot be imported: {reason}") from error
    if not isinstance(engine_class, type) or not callable(getattr(engine_class, _VERBS[kind], None)):
        raise RecipeError(
            f"{kind} engine {name!r} is none: it is no class with the method {_VERBS[kind]}; docs/engines.md says "
            "what an engine has"
        )
    try:
        with suppress(ValueError):  # what has no signature is no engine, as it turns out
            inspect.signature(engine_class).bind(**options)
    except TypeError as error:
        raise RecipeError(
            f"{kind} engine {name!r} does not take these options: {error}{_options_of(engine_class, options)}"
        ) from error
    engine = engine_class(**options)
    if not isinstance(getattr(engine, "info", None), EngineInfo):
        raise RecipeError(f"{kind} engine {name!r} has no `info`, so it is not an engine; see docs/engines.md")
    if kind == "speech_tokenizer" and max(engine.codebook_sizes) > 1 << 16:
        raise EngineError(f"{name}: {max(engine.codebook_sizes)} codes do not fit in 16 bits")
    return engine


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
