"""Protocols of engines, one per kind. Stages use these protocols and no concrete engine.

An engine is built once per worker process (engines need not be picklable) and must be deterministic: the
same arguments give the same result, whatever the earlier calls. Others declare it (`bit_exact`).
A class that names its protocol as its base gets what has a default here.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from datagen.errors import EngineError
from datagen.records import BitExact as BitExact
from datagen.records import EngineInfo as EngineInfo
from datagen.records import Style as Style
from datagen.records import StylePart as StylePart
from datagen.records import Voice as Voice
from datagen.records import Word
from datagen.records import WordTimes as WordTimes
from datagen.text.reading import Reading as Reading

Audio = NDArray[np.float32]
"""Mono audio, float32 [n_samples], nominally in [-1, 1]."""

Codes = NDArray[np.uint16]
"""Speech codes, each below the size of its codebook: uint16 [n_frames] of one codebook, [n_frames, n_codebooks] of
several."""


@dataclass(frozen=True)
class Speech:
    """One synthesized utterance."""

    audio: Audio
    words: tuple[Word, ...]
    """One entry per whitespace-separated word of the text, in order, times within `audio`. A text whose words are long,
    as in Chinese, may be cut finer: then one entry per piece, such as a character, that together spell the text."""


@dataclass(frozen=True)
class SpeechRequest:
    """One text to synthesize."""

    text: str
    voice: str
    seed: int
    is_token: bool = False
    """True if it is to be spoken by `speak_token`."""
    style: Style | None = None
    """Its manner, in parts that the engine follows; it is then spoken by `speak_styled`."""


class TTS(Protocol):
    """A voice: text in, audio and word times out."""

    info: EngineInfo
    sample_rate_hz: int
    voices: tuple[str, ...]
    """All voices by name; the first is the default of the assistant."""
    languages: tuple[str, ...]
    word_times: WordTimes = "estimated"
    styles: tuple[StylePart, ...] = ()
    """Parts of a style that `speak_styled` follows; nothing else of a style reaches the engine."""
    concurrency: int = 1
    """Limit of concurrent calls of `speak`, one per thread; 1: one after the other."""
    give_up_seconds: float = 0
    """Seconds for which a call of `speak` retries, such as one that needs a server."""

    def about(self, voice: str) -> Voice:
        """Known facts about a voice; by default it is a speaker of its own.

        Raises:
            EngineError: If the voice is unknown.
        """
        if voice not in self.voices:
            raise EngineError(f"{self.info.name} has no voice {voice!r}; it has {', '.join(self.voices)}")
        return Voice(voice, voice, self.languages, self.info.licence)

    def speak(self, text: str, voice: str, seed: int) -> Speech:
        """Speak `text` (already in spoken form, not empty).

        Raises:
            EngineError: If the text cannot be spoken or the voice is unknown.
        """
        ...

    def speak_token(self, text: str, voice: str, seed: int) -> Speech:
        """Speak a short text that comes often, such as a backchannel.

        People say such tokens in many ways. An engine whose `speak` sounds much alike from seed to seed lets the seed
        change pitch, pace and level here, as far as the voice stays the same person's.

        Raises:
            EngineError: As `speak`.
        """
        return self.speak(text, voice, seed)

    def styles_of(self, voice: str) -> tuple[StylePart, ...]:  # noqa: ARG002
        """Parts of a style that a voice follows; by default the engine's."""
        return self.styles

    def speak_styled(self, text: str, voice: str, seed: int, style: Style) -> Speech:  # noqa: ARG002
        """Speak `text` in a manner. An engine with `styles` overrides this.

        Args:
            text: As in `speak`.
            voice: As in `speak`.
            seed: As in `speak`.
            style: Its parts are among those of `styles_of(voice)`.

        Raises:
            EngineError: As `speak`.
        """
        return self.speak(text, voice, seed)

    def speak_many(self, requests: Sequence[SpeechRequest]) -> Iterator[tuple[int, Speech | EngineError]]:
        """Speak the utterances of one conversation, `concurrency` of them at once.

        An engine that is faster in batches overrides this.

        Yields:
            The index of a request, and its speech or the reason why it cannot be spoken.

        Raises:
            OutageError: As `speak`; with several at once, after all that could be spoken.
        """
        if self.concurrency == 1:
            yield from ((k, _attempted(self, request)) for k, request in enumerate(requests))
            return
        with ThreadPoolExecutor(self.concurrency) as threads:
            futures = [threads.submit(_attempted, self, request) for request in requests]
            yield from ((k, future.result()) for k, future in enumerate(futures) if not future.exception())
        for future in futures:
            future.result()


def _attempted(tts: TTS, request: SpeechRequest) -> Speech | EngineError:
    speak = tts.speak_token if request.is_token else tts.speak
    try:
        if request.style:
            return tts.speak_styled(request.text, request.voice, request.seed, request.style)
        return speak(request.text, request.voice, request.seed)
    except EngineError as error:
        return error


class SpeechTokenizer(Protocol):
    """Audio in, one code per frame and codebook out, and back.

    A tokenizer of one codebook declares `codebook_size` and `silence_code`; one of several declares `codebook_sizes`
    and `silence_codes` instead, as attributes of the class or of an instance.
    """

    info: EngineInfo
    sample_rate_hz: int
    frame_rate_hz: float
    """Frames per second. A frame is a whole number of samples: 12.5 Hz at 24 kHz is 1,920."""
    codebook_size: int
    """Number of codes of the only codebook."""
    silence_code: int
    """The commonest code of digital silence, measured on this tokenizer."""

    @cached_property
    def codebook_sizes(self) -> tuple[int, ...]:
        """Number of codes of each codebook, the coarsest (semantic) first."""
        return (self.codebook_size,)

    @cached_property
    def silence_codes(self) -> tuple[int, ...]:
        """The commonest code of digital silence of each codebook, measured on this tokenizer."""
        return (self.silence_code,)

    @property
    def n_codebooks(self) -> int:
        """Number of codes per frame."""
        return len(self.codebook_sizes)

    def encode(self, audio: NDArray[np.int16]) -> Codes:
        """Encode int16 [n_samples], a whole number of frames of any number.

        Returns:
            uint16 [n_samples / hop] of one codebook, [n_samples / hop, n_codebooks] of several.

        Raises:
            ValueError: If it has a part of a frame.
        """
        ...

    def encode_many(self, audios: Sequence[NDArray[np.int16]]) -> list[Codes]:
        """Encode several channels, at once where that is faster."""
        return [self.encode(audio) for audio in audios]

    def decode(self, codes: Codes) -> Audio:
        """Decode codes to float32 [len(codes) * hop]. A call without codes tests whether it can.

        Args:
            codes: As `encode` returns them. A tokenizer of several codebooks also decodes the first k of them, uint16
                [n_frames, k].

        Raises:
            EngineMissingError: If the tokenizer has no decoder, or its weights are not given.
        """
        ...

    def decode_as(self, codes: Codes, voice: str) -> Audio:  # noqa: ARG002
        """Decode codes in a voice, named as the voice engine does; by default as `decode`, in any voice.

        Raises:
            EngineMissingError: As `decode`.
        """
        return self.decode(codes)


class TextTokenizer(Protocol):
    """Text in, ids of the language model out, and back. Never yields an id of a special token."""

    info: EngineInfo
    vocabulary_size: int
    """Number of ids including the tokenizer's own special ones; all ids are below."""
    special_offset: int
    """The first id that no model of this tokenizer uses, at least `vocabulary_size`."""
    n_embeddings: int
    """Rows to which models of this tokenizer pad their embedding, at least `special_offset`."""

    def encode(self, text: str) -> list[int]:
        """Ids of `text`, which is data: markers of special tokens in it are spelled out as plain text."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`."""
        ...


class People(Protocol):
    """A maker of sounds of people that are no words of a script; each sound depends on its generator alone."""

    def babble(self, talkers: Sequence[Audio], n_samples: int, rng: np.random.Generator) -> Audio:
        """Speech of all talkers at once, none of them intelligible: float32 [n_samples].

        Args:
            talkers: float32 [any] per talker, at least one.
            n_samples: Length to make.
            rng: Draws all of it.
        """
        ...

    def vocal_sound(self, kind: str, speech: Sequence[Audio], rng: np.random.Generator) -> Audio:
        """A `laughter` or `cough` of the speaker of `speech`: float32 [any], root mean square 1."""
        ...


class Noise(Protocol):
    """A supply of background noise, or of single sounds."""

    info: EngineInfo

    def kinds(self) -> tuple[str, ...]:
        """Names of the noises to draw from, sorted."""
        ...

    def take(self, kind: str, rng: np.random.Generator, n_samples: int) -> Audio:
        """The noise `kind` for so long: float32 [n_samples], or less from a supply of single sounds; not silent.

        What is made depends on the generator alone. A supply that makes sound makes another one for each generator;
        recordings may repeat.

        Raises:
            EngineError: If nothing can be heard.
        """
        ...


@dataclass(frozen=True)
class RoomResponse:
    """Impulse response of a room."""

    audio: Audio
    """float32 [n_samples]."""
    onset_samples: int
    """Place of the direct sound."""
    rt60_ms: float
    """Requested time in which the reverberation falls by 60 dB."""


class Rooms(Protocol):
    """A supply of rooms."""

    info: EngineInfo

    def response(self, number: int) -> RoomResponse:
        """The response of room `number`, from 0: the same whoever asks.

        Raises:
            EngineError: If there is no such room.
        """
        ...


class ASR(Protocol):
    """A recognizer: audio in, text out."""

    info: EngineInfo
    sample_rate_hz: int
    languages: tuple[str, ...]

    def transcribe(self, audio: Audio, language: str) -> str:
        """Transcribe float32 [n_samples], at most 10 minutes; empty if there is no speech.

        Raises:
            EngineError: If the language is unknown.
        """
        ...


class Aligner(Protocol):
    """A forced aligner: audio and its words in, the time of each word out."""

    info: EngineInfo
    sample_rate_hz: int
    languages: tuple[str, ...]
    """Empty: any."""
    longest_seconds: float
    """Longest audio of a call."""

    def align(self, audio: Audio, words: Sequence[str], language: str) -> tuple[Word, ...]:
        """Find the times of words in float32 [n_samples], at most `longest_seconds`.

        Args:
            audio: The audio.
            words: All words that are said in it, in order, at least one.
            language: ISO 639-1 code.

        Returns:
            One entry per word, with its text, in order, within the audio.

        Raises:
            EngineError: If the language is unknown.
        """
        ...


class VAD(Protocol):
    """A detector of speech."""

    info: EngineInfo

    def speech(self, audio: Audio, rate_hz: int) -> NDArray[np.int64]:
        """Detect speech in float32 [n_samples]: int64 [n, 2], samples [start, end), in order, apart."""
        ...


class MOS(Protocol):
    """A judge of how speech sounds, as people would rate it."""

    info: EngineInfo
    sample_rate_hz: int

    def score(self, audio: Audio) -> float:
        """Mean opinion score of float32 [n_samples], 1 (bad) to 5 (excellent)."""
        ...


class Normalizer(Protocol):
    """The rules of a language: written text in, the words that are said out."""

    info: EngineInfo

    def spoken(self, text: str) -> Reading:
        """The words of a text, which is data: whatever it contains, this returns.

        Returns:
            `text`: one line of letters, apostrophes, single spaces and marks, without a digit, empty if nothing is
            to be said; it stays unchanged if it is read again. `unread`: the parts that no rule reads, such as an
            unknown symbol. A turn with unread parts is rejected, so leave nothing out in silence.
        """
        ...


Options = dict[str, Any]
"""Keyword arguments of an engine as a recipe gives them."""
