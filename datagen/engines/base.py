"""What an engine of each kind must offer. Stages know these protocols and no concrete engine.

An engine is built once per worker process (engines need not be picklable) and must be deterministic: the
same arguments give the same result, whatever was asked of it before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from datagen.errors import EngineError
from datagen.records import Word

Audio = NDArray[np.float32]
"""Mono audio, float32 [n_samples], nominally in [-1, 1]."""

Codes = NDArray[np.uint16]
"""Speech codes, uint16 [n_frames], each below the codebook size."""


BitExact = Literal["machine", "all", "no"]
""""machine": the same bytes on one kind of processor; "all": on every one; "no": never promised."""


@dataclass(frozen=True)
class EngineInfo:
    """What a manifest says of an engine.

    Raises:
        EngineError: If it promises nothing that is known.
    """

    name: str
    version: str
    licence: str
    bit_exact: BitExact

    def __post_init__(self) -> None:
        """Refuse another word: what a digest is worth rests on this one."""
        if self.bit_exact not in get_args(BitExact):
            known = ", ".join(get_args(BitExact))
            raise EngineError(f"engine {self.name}: bit_exact is {self.bit_exact!r}; it must be one of {known}")


@dataclass(frozen=True)
class Speech:
    """One synthesized utterance."""

    audio: Audio
    words: tuple[Word, ...]
    """One entry per whitespace-separated word of the text, in order, times within `audio`."""


class TTS(Protocol):
    """A voice: text in, audio and word times out."""

    info: EngineInfo
    sample_rate_hz: int
    voices: tuple[str, ...]
    """All voices by name; the first is the default of the assistant."""
    languages: tuple[str, ...]

    def speak(self, text: str, voice: str, seed: int) -> Speech:
        """Speak `text` (already in spoken form, not empty).

        Raises:
            EngineError: If the text cannot be spoken or the voice is unknown.
        """
        ...


class SpeechTokenizer(Protocol):
    """Audio in, one code per frame out, and back."""

    info: EngineInfo
    sample_rate_hz: int
    frame_rate_hz: int
    codebook_size: int
    silence_code: int
    """The code of digital silence, measured on this tokenizer."""

    def encode(self, audio: NDArray[np.int16]) -> Codes:
        """Encode int16 [n_samples], a whole number of frames, to uint16 [n_samples / hop]."""
        ...

    def decode(self, codes: Codes) -> Audio:
        """Make codes audible: float32 [len(codes) * hop]."""
        ...


class TextTokenizer(Protocol):
    """Text in, ids of the language model out, and back. Never yields an id of a special token."""

    info: EngineInfo
    vocabulary_size: int
    """Number of ids including the tokenizer's own special ones; all ids are below."""

    def encode(self, text: str) -> list[int]:
        """Ids of `text`, which is data: markers of special tokens in it are spelled out as plain text."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`."""
        ...


@dataclass(frozen=True)
class Loop:
    """Audio that repeats without end, heard from `start_samples` on. Never copied, however long it is heard."""

    audio: Audio
    """float32 [n], n > 0, not silent."""
    start_samples: int = 0


class Noise(Protocol):
    """A supply of background noise."""

    info: EngineInfo

    def kinds(self) -> tuple[str, ...]:
        """Names of the noises to draw from, sorted."""
        ...

    def take(self, kind: str, rng: np.random.Generator) -> Loop:
        """The noise `kind` from a drawn offset.

        Raises:
            EngineError: If there is nothing to hear.
        """
        ...


@dataclass(frozen=True)
class Response:
    """How a room answers an impulse."""

    audio: Audio
    """float32 [n_samples]."""
    onset_samples: int
    """Where the direct sound lies."""
    rt60_ms: float
    """Time in which the reverberation falls by 60 dB, as asked for."""


class Rooms(Protocol):
    """A supply of rooms."""

    info: EngineInfo

    def response(self, number: int) -> Response:
        """The response of room `number`, from 0: the same whoever asks.

        Raises:
            EngineError: If there is no such room.
        """
        ...


Options = dict[str, Any]
"""Keyword arguments of an engine as a recipe gives them."""
