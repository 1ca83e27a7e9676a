"""Forced alignment by Whisper: words of a transcript placed in time by the model's cross-attention.

The path of the attention is found by dynamic time warping (Radford et al. 2022, `timing.py` of
their code); faster-whisper has it as `find_alignment`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from datagen.engines.base import Aligner, Audio
from datagen.engines.gpu import outages
from datagen.engines.listeners.whisper import Whisper
from datagen.errors import EngineError
from datagen.records import Word

_RATE_HZ = 16_000
_HOP = 160
_START_MS, _END_MS = 80, 20
"""Times by which starts and ends of the attention are ahead of the sound: medians on the embedded English voice."""


class WhisperAligner(Aligner):
    """Whisper, given the words."""

    sample_rate_hz = _RATE_HZ
    longest_seconds = 29.0

    def __init__(self, model: str = "base", device: str = "cpu", compute_type: str = "int8") -> None:
        """Load a model; options as of the recognizer `whisper`.

        Raises:
            EngineMissingError: If the extra `asr` is not installed, or the directory holds no model.
        """
        self._whisper = Whisper(model, device, compute_type)
        self.info, self.languages = self._whisper.info, self._whisper.languages

    def align(self, audio: Audio, words: Sequence[str], language: str) -> tuple[Word, ...]:
        """Place words in float32 [n_samples] at 16 kHz, at most 29 s.

        Raises:
            EngineError: If the model does not know the language, or the audio is too long.
            OutageError: If the GPU fails.
        """
        if language not in self.languages:
            raise EngineError(f"whisper does not know the language {language!r}")
        if len(audio) > self.longest_seconds * _RATE_HZ:
            raise EngineError(f"whisper aligns at most {self.longest_seconds:g} s at once")
        with outages():
            return placed(words, self._pieces(audio, " ".join(words), language), len(audio))

    def _pieces(self, audio: Audio, text: str, language: str) -> list[tuple[str, float, float]]:
        """Pieces of a text with start and end in seconds, as the model's tokenizer divides it."""
        from faster_whisper.audio import pad_or_trim
        from faster_whisper.tokenizer import Tokenizer

        model: Any = self._whisper._model
        tokenizer = Tokenizer(model.hf_tokenizer, model.model.is_multilingual, task="transcribe", language=language)
        features = model.feature_extractor(audio)
        n_frames = min(max(len(audio) // _HOP, 1), features.shape[-1])
        encoded = model.encode(pad_or_trim(features))
        (found,) = model.find_alignment(tokenizer, [tokenizer.encode(f" {text}")], encoded, n_frames) or ([],)
        return [(piece["word"], float(piece["start"]), float(piece["end"])) for piece in found]


def placed(words: Sequence[str], pieces: Sequence[tuple[str, float, float]], n_samples: int) -> tuple[Word, ...]:
    """The times of words from those of pieces that spell them; a piece's time is shared by its letters.

    Args:
        words: The words.
        pieces: Text, start and end in seconds of each piece; spaces do not matter.
        n_samples: Length of the audio at 16 kHz.

    >>> placed(["it's", "on"], [(" it", 0.02, 0.5), ("'s", 0.5, 0.6), (" on", 0.7, 1.0)], 16_000)
    (Word(text="it's", start_samples=1600, end_samples=9920), Word(text='on', start_samples=12480, end_samples=16000))
    """
    starts, ends = list[float](), list[float]()
    for text, start, end in pieces:
        n = len("".join(text.split()))
        edges = np.linspace(start, end, n + 1)
        starts += edges[:-1].tolist()
        ends += edges[1:].tolist()
    found, at, last = list[Word](), 0, 0
    for word in words:
        n = len("".join(word.split()))
        begin, end = (starts[at], ends[min(at + n, len(ends)) - 1]) if at < len(starts) else (n_samples / _RATE_HZ,) * 2
        first = min(max(round((begin + _START_MS / 1000) * _RATE_HZ), last), n_samples)
        last = min(max(round((end + _END_MS / 1000) * _RATE_HZ), first), n_samples)
        found.append(Word(word, first, last))
        at += n
    return tuple(found)
