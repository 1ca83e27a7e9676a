"""Fakes of every engine: tones for speech, loudness for codes, bytes for text ids.

They make a pipeline run thousands of times faster than real engines, for tests of logic and for planning a
cluster. What they make is not speech and serves no claim about speech.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from datagen import DATA_VERSION
from datagen.engines.base import (
    TTS,
    Audio,
    Codes,
    EngineInfo,
    Speech,
    SpeechTokenizer,
    Style,
    StylePart,
    TextTokenizer,
    WordTimes,
)
from datagen.errors import EngineError
from datagen.records import Word

_VERSION = str(DATA_VERSION)
_GOLDEN = 0x9E3779B1
"""2**32 over the golden ratio: spreads seeds over the pitches of a voice, so that each has its own."""


class ToneVoice(TTS):
    """Fake TTS: a byte is a tone of 50 ms and a rest of 10, words lie 60 ms apart, pitch by voice and seed.

    With `styles`, emotion raises the pitch, pace changes all lengths by a fifth, whispering is a tenth
    as loud, and laughter twice as loud.
    """

    sample_rate_hz = 24_000
    languages: tuple[str, ...] = ("en", "zh")
    word_times: WordTimes = "model"

    def __init__(self, n_voices: int = 9, ms_per_letter: int = 60, styles: Sequence[StylePart] = ()) -> None:
        """Make voices `tone-0` to `tone-<n_voices - 1>`, which follow these parts of styles."""
        self.styles = tuple(styles)
        self.info = EngineInfo("tone", _VERSION, "Apache-2.0", "machine")
        self.voices = tuple(f"tone-{k}" for k in range(n_voices))
        self._letter_samples = ms_per_letter * self.sample_rate_hz // 1000

    def speak(self, text: str, voice: str, seed: int) -> Speech:
        """Tones for the words of `text`.

        Raises:
            EngineError: If the voice is unknown or there is no word.
        """
        return self.speak_styled(text, voice, seed, Style())

    def speak_styled(self, text: str, voice: str, seed: int, style: Style) -> Speech:
        """Tones in a manner.

        Raises:
            EngineError: As `speak`.
        """
        self.about(voice)
        names = text.split()
        if not names:
            raise EngineError("nothing to speak")
        pitch_hz = (
            100 + 40 * self.voices.index(voice) + 7 * (seed * _GOLDEN % (1 << 32)) / (1 << 32) + 10 * len(style.emotion)
        )
        loudness = 0.2 * (0.1 if style.whisper else 1) * (2 if style.laughter else 1)
        gap, at, words = self._letter_samples * {"slow": 6, "fast": 4}.get(style.pace, 5) // 5, 0, []
        for name in names:
            end = at + len(name.encode()) * gap  # three bytes a Chinese character
            words.append(Word(name, at, end))
            at = end + gap
        audio = np.zeros(at - gap, np.float32)
        tone = loudness * np.sin(2 * np.pi * pitch_hz / self.sample_rate_hz * np.arange(len(audio), dtype=np.float32))
        tone[np.arange(len(tone)) % gap >= gap - gap // 6] = 0  # voices have rests between sounds
        for word in words:
            audio[word.start_samples : word.end_samples] = tone[word.start_samples : word.end_samples]
        return Speech(audio, tuple(words))


class ToneTokenizer(SpeechTokenizer):
    """Fake speech tokenizer: a code is the loudness of its frame, in steps of a quarter dB; 0 is silence."""

    sample_rate_hz = 24_000
    frame_rate_hz = 25
    codebook_size = 512
    silence_code = 0
    _FLOOR_DB = -100.0
    _HOP = 960

    def __init__(self) -> None:
        """Nothing to load."""
        self.info = EngineInfo("tone", _VERSION, "Apache-2.0", "machine")

    def encode(self, audio: NDArray[np.int16]) -> Codes:
        """Loudness of each frame, uint16 [n_samples / 960]."""
        frames = audio.reshape(-1, self._HOP).astype(np.float32) / 32768
        level_db = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-10)
        codes: Codes = np.clip(np.rint((level_db - self._FLOOR_DB) * 4), 0, 511).astype(np.uint16)
        return codes

    def decode(self, codes: Codes) -> Audio:
        """A tone as loud as each code, float32 [n_frames * 960]."""
        level = 10 ** ((codes.astype(np.float32) / 4 + self._FLOOR_DB) / 20) * (codes > 0)
        tone = np.sqrt(2) * np.sin(2 * np.pi * 200 / self.sample_rate_hz * np.arange(len(codes) * self._HOP))
        audio: Audio = (np.repeat(level, self._HOP) * tone).astype(np.float32)
        return audio


class ToneCodebooks(SpeechTokenizer):
    """Fake speech tokenizer of four codebooks at 12.5 Hz: loudness of a frame, then of its thirds relative to it.

    The first codebook is that of `ToneTokenizer`; the others have steps of 1.5, 3 and 6 dB. The codes of silence
    differ from codebook to codebook.

    >>> ToneCodebooks().encode(np.zeros(2 * 1920, np.int16)).tolist()
    [[0, 8, 4, 2], [0, 8, 4, 2]]
    """

    sample_rate_hz = 24_000
    frame_rate_hz = 12.5
    codebook_sizes = (512, 16, 8, 4)
    silence_codes = (0, 8, 4, 2)
    _FLOOR_DB = -100.0
    _HOP = 1920
    _STEPS_DB = np.array([1.5, 3, 6], np.float32)

    def __init__(self) -> None:
        """Nothing to load."""
        self.info = EngineInfo("tone_codebooks", _VERSION, "Apache-2.0", "machine")

    def encode(self, audio: NDArray[np.int16]) -> Codes:
        """Loudness of each frame and of its thirds, uint16 [n_samples / 1920, 4]."""
        frames = audio.reshape(-1, self._HOP).astype(np.float32) / 32768
        thirds_db = 10 * np.log10(np.mean(frames.reshape(-1, 3, self._HOP // 3) ** 2, axis=2) + 1e-10)
        level_db = 10 * np.log10(np.mean(frames**2, axis=1, keepdims=True) + 1e-10)
        middle = np.array(self.silence_codes[1:], np.float32)
        steps = np.hstack([(level_db - self._FLOOR_DB) * 4, (thirds_db - level_db) / self._STEPS_DB + middle])
        codes: Codes = np.clip(np.rint(steps), 0, np.array(self.codebook_sizes) - 1).astype(np.uint16)
        return codes

    def decode(self, codes: Codes) -> Audio:
        """A tone as loud as each third says, or each frame if only the first codebook is given: float32 [n * 1920]."""
        n_frames, n_codebooks = len(codes), codes.shape[1]
        level_db = np.repeat(codes[:, :1].astype(np.float32) / 4 + self._FLOOR_DB, 3, axis=1)
        level_db[:, : n_codebooks - 1] += (codes[:, 1:] - np.array(self.silence_codes[1:n_codebooks], np.float32)) * (
            self._STEPS_DB[: n_codebooks - 1]
        )
        level = 10 ** (level_db / 20) * (codes[:, :1] > 0)
        tone = np.sqrt(2) * np.sin(2 * np.pi * 200 / self.sample_rate_hz * np.arange(n_frames * self._HOP))
        audio: Audio = (np.repeat(level.reshape(-1), self._HOP // 3) * tone).astype(np.float32)
        return audio


class ByteTokenizer(TextTokenizer):
    """Fake text tokenizer: ids are UTF-8 bytes."""

    vocabulary_size = special_offset = n_embeddings = 256

    def __init__(self) -> None:
        """Nothing to load."""
        self.info = EngineInfo("bytes", _VERSION, "Apache-2.0", "all")

    def encode(self, text: str) -> list[int]:
        """Bytes of `text`."""
        return list(text.encode("utf-8", "replace"))

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`."""
        return bytes(ids).decode("utf-8", "replace")
