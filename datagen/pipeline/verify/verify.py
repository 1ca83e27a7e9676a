"""Quality check of a take against the limits of a recipe, cheap checks first."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from datagen.engines.audio import resample
from datagen.engines.base import ASR, MOS, Audio
from datagen.pipeline.verify.signal import Signal, measure
from datagen.recipe import VerifyConfig
from datagen.records import Scores, TakeFault
from datagen.text import Read, spoken
from datagen.text.transcripts import compare, count_syllables, need_comparison

NOTHING = Scores(0, 0, 0, 0, 0)
"""Measurements of a take that cannot be measured."""


class Gate:
    """Measures takes. Cheap checks come first; a recognizer reads only takes that pass them."""

    def __init__(
        self, recipe: VerifyConfig, asr: ASR | None = None, mos: MOS | None = None, read: Read = spoken
    ) -> None:
        """Create the check with the limits and engines of the recipe; `read` normalizes what was recognized.

        Raises:
            EngineMissingError: If there is a recognizer, but no package to compare its transcripts.
        """
        self._recipe, self._asr, self._mos, self._read = recipe, asr, mos, read
        if asr:
            need_comparison()

    def __call__(self, audio: Audio, rate_hz: int, text: str, language: str) -> tuple[TakeFault | None, Scores]:
        """Judge a take.

        Args:
            audio: float32 [n_samples], from the voice engine.
            rate_hz: Sample rate of the audio.
            text: The normalized text.
            language: Language of the text, ISO 639-1.

        Returns:
            The fault, if there is one, and the measurements made before it.
        """
        if fault := _unusable(audio):
            return fault, NOTHING
        signal = measure(audio, rate_hz)
        n_syllables = count_syllables(text)
        scores = Scores(
            ms_per_syllable=round(signal.speech_ms / n_syllables, 1),
            longest_pause_ms=signal.longest_pause_ms,
            tail_ms=signal.tail_ms,
            clipped_share=round(signal.clipped_share, 6),
            floor_db=round(signal.floor_db, 4),
        )
        if fault := next(self._faults(signal, n_syllables), None):
            return fault, scores
        if self._asr:
            fault, scores = self._heard(self._asr, audio, rate_hz, text, language, scores)
        if self._mos and not fault:
            fault, scores = self._rated(self._mos, audio, rate_hz, scores)
        return fault, scores

    def _faults(self, signal: Signal, n_syllables: int) -> Iterator[TakeFault]:
        limits = self._recipe
        if signal.level_dbfs < limits.min_level_dbfs:
            yield TakeFault("silent", f"the take is silent ({signal.level_dbfs:.0f} dBFS)")
        spoken = f"{signal.speech_ms:.0f} ms of speech is too"
        if signal.speech_ms + limits.short_slack_ms < n_syllables * limits.min_ms_per_syllable:
            yield TakeFault("short", f"{spoken} short for {n_syllables} syllables")
        if signal.speech_ms > n_syllables * limits.max_ms_per_syllable + limits.long_slack_ms:
            yield TakeFault("long", f"{spoken} long for {n_syllables} syllables")
        if signal.longest_pause_ms > limits.max_pause_ms:
            yield TakeFault("pause", f"a pause of {signal.longest_pause_ms:.0f} ms")
        if signal.tail_ms > limits.max_tail_ms:
            yield TakeFault("tail", f"{signal.tail_ms:.0f} ms after the last word")
        if signal.clipped_share > limits.max_clipped_share:
            yield TakeFault("clipped", f"{signal.clipped_share:.2%} of the samples are clipped")
        if signal.floor_db > limits.max_floor_db:
            yield TakeFault("noise", f"noise between words ({round(signal.floor_db)} dB)")

    def _heard(
        self, asr: ASR, audio: Audio, rate_hz: int, text: str, language: str, scores: Scores
    ) -> tuple[TakeFault | None, Scores]:
        limits = self._recipe
        heard = asr.transcribe(resample(audio, rate_hz, asr.sample_rate_hz), language)
        found = compare(text, heard, language, self._read)
        scores = replace(
            scores,
            error_rate=round(found.error_rate, 4),
            letter_error_rate=round(found.letter_error_rate, 4),
            n_repeated=found.n_repeated,
            heard=heard,
        )
        if found.n_repeated > limits.max_repeated:
            return TakeFault("repeated", f"{found.n_repeated} words are repeated: heard {heard[:200]!r}"), scores
        wrong = found.error_rate > limits.max_error_rate and found.letter_error_rate > limits.max_letter_error_rate
        if wrong and found.n_units >= limits.min_units:
            return TakeFault("words", f"{found.error_rate:.0%} of the words are wrong: heard {heard[:200]!r}"), scores
        return None, scores

    def _rated(self, mos: MOS, audio: Audio, rate_hz: int, scores: Scores) -> tuple[TakeFault | None, Scores]:
        score = round(mos.score(resample(audio, rate_hz, mos.sample_rate_hz)), 3)
        fault = TakeFault("mos", f"it sounds bad (MOS {score:.2f})") if score < self._recipe.min_mos else None
        return fault, replace(scores, mos=score)


def _unusable(audio: Audio) -> TakeFault | None:
    """The fault of a take without usable audio, if any."""
    if audio.ndim != 1 or audio.dtype != np.float32:
        return TakeFault("unusable", f"the take is no mono float32 but {audio.dtype} {audio.shape}")
    if not len(audio):
        return TakeFault("unusable", "the take is empty")
    return None if np.isfinite(audio).all() else TakeFault("unusable", "the take holds NaN or infinite samples")
