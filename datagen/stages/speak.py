"""Script → Takes: one waveform with word times per utterance, checked and trimmed."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from datagen import seeds
from datagen.engines.audio import resample
from datagen.engines.base import TTS, Audio, Speech
from datagen.errors import EngineError
from datagen.recipe import Speak as SpeakRecipe
from datagen.records import Reject, Script, Take, Takes, Utterance, Word, reject
from datagen.units import ms_to_samples, samples_to_ms

_LETTERS_PER_HAN = 3
"""A Chinese character takes about as long to say as three Latin letters (250 against 75 ms)."""


class Speak:
    """Speak every utterance; a take that fails or is implausible is spoken again with the next seed."""

    def __init__(self, recipe: SpeakRecipe, tts: TTS, sample_rate_hz: int, run_seed: int) -> None:
        """Take the limits, the engine, the rate of the conversation and the seed of the recipe."""
        self._recipe, self._tts, self._rate, self._seed = recipe, tts, sample_rate_hz, run_seed

    def __call__(self, batch: Sequence[Script]) -> list[Takes | Reject]:
        """Speak each script."""
        return [self._takes(script) for script in batch]

    def _takes(self, script: Script) -> Takes | Reject:
        takes = []
        for index, utterance in enumerate(script.utterances):
            take = self._take(script.dialogue.id, index, utterance)
            if isinstance(take, str):
                return reject(script, "speak", "bad_take", f"turn {index} ({utterance.role}): {take}")
            takes.append(take)
        return Takes(script, tuple(takes))

    def _take(self, dialogue_id: str, index: int, utterance: Utterance) -> Take | str:
        """The first plausible take, or what was wrong with the last one."""
        fault = ""
        for attempt in range(self._recipe.attempts):
            seed = seeds.seed32(self._seed, dialogue_id, "speak", index, attempt)
            try:
                speech = self._tts.speak(utterance.spoken, utterance.voice, seed)
            except EngineError as error:
                fault = str(error)
                continue
            fault = self._fault(utterance.spoken, speech)
            if not fault:
                return self._trim(self._at_our_rate(speech), attempt)
        return fault

    def _fault(self, text: str, speech: Speech) -> str:
        """What makes the take implausible, or nothing."""
        n_letters = count_letters(text)
        length_ms = samples_to_ms(len(speech.audio), self._tts.sample_rate_hz)
        if length_ms < n_letters * self._recipe.min_ms_per_letter:
            return f"{length_ms:.0f} ms is too short for {n_letters} letters"
        if length_ms > n_letters * self._recipe.max_ms_per_letter + self._recipe.slack_ms:
            return f"{length_ms:.0f} ms is too long for {n_letters} letters"
        level_dbfs = level_db(speech.audio)
        if not np.isfinite(level_dbfs) or level_dbfs < self._recipe.min_level_dbfs:
            return f"the take is silent ({level_dbfs:.0f} dBFS)"
        return ""

    def _at_our_rate(self, speech: Speech) -> Speech:
        if self._tts.sample_rate_hz == self._rate:
            return speech
        audio = resample(speech.audio, self._tts.sample_rate_hz, self._rate)
        scale = self._rate / self._tts.sample_rate_hz
        words = (
            replace(w, start_samples=int(w.start_samples * scale), end_samples=int(w.end_samples * scale))
            for w in speech.words
        )
        return Speech(audio, tuple(words))

    def _trim(self, speech: Speech, attempt: int) -> Take:
        start, end = heard_span(
            speech.audio,
            below_db=self._recipe.trim_below_db,
            window=ms_to_samples(10, self._rate),
            margin=ms_to_samples(self._recipe.trim_margin_ms, self._rate),
        )
        words = tuple(
            Word(w.text, min(max(w.start_samples, start), end) - start, min(max(w.end_samples, start), end) - start)
            for w in speech.words
        )
        return Take(speech.audio[start:end], words, attempt, len(speech.audio) - (end - start))


def count_letters(text: str) -> int:
    """Letters of a text as far as they take time to say; a Chinese character counts as three.

    >>> count_letters("Hello, you."), count_letters("你好")
    (8, 6)
    """
    return sum(_LETTERS_PER_HAN if "\u4e00" <= char <= "\u9fff" else char.isalnum() for char in text)


def level_db(audio: Audio) -> float:
    """Root mean square of float32 [n_samples] against full scale, in dB; -inf for silence.

    >>> round(level_db(np.full(100, 0.1, np.float32)))
    -20
    """
    power = float(np.dot(audio, audio)) / max(len(audio), 1)
    return 10 * float(np.log10(power)) if power > 0 else float("-inf")


def heard_span(audio: Audio, below_db: float, window: int, margin: int) -> tuple[int, int]:
    """The span [start, end) from the first to the last window that is heard, in samples.

    Args:
        audio: float32 [n_samples], not silent.
        below_db: A window quieter than the whole take's level by more than this is not heard; negative.
        window: Samples a window.
        margin: Samples kept on both sides.

    >>> quiet, loud = np.zeros(100, np.float32), np.ones(100, np.float32)
    >>> heard_span(np.concatenate([quiet, loud, quiet]), -45, window=10, margin=5)
    (95, 205)
    """
    n_windows = -(-len(audio) // window)
    padded = np.zeros(n_windows * window, np.float32)
    padded[: len(audio)] = audio
    power = np.einsum("ij,ij->i", *(padded.reshape(n_windows, window),) * 2) / window
    floor = float(np.dot(audio, audio)) / len(audio) * 10 ** (below_db / 10)
    heard = np.flatnonzero(power > floor)
    return max(int(heard[0]) * window - margin, 0), min((int(heard[-1]) + 1) * window + margin, len(audio))
