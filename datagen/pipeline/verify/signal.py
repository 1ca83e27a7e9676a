"""Measurements of a take without a recognizer: level, speech time, clipping, tails, noise."""

from dataclasses import dataclass
from itertools import groupby

import numpy as np

from datagen.engines.audio import window_power
from datagen.engines.base import Audio

_WINDOW_MS = 10
_LOUD_PERCENTILE = 95
_SPEECH_DB = -35
"""Level of speech relative to the loud windows; pauses lie below it, soft sounds above."""
_TAIL_DB = -15
"""Level of a loud window; the take's tail follows the last one, as no voice ends this loud for long."""
_FLOOR_PERCENTILE = 5
_RAIL = 0.9999
_LEAST_POWER = 1e-12


@dataclass(frozen=True, slots=True)
class Signal:
    """Measurements of one take."""

    level_dbfs: float
    """Root mean square relative to full scale; -inf for silence."""
    speech_ms: float
    """Audible time, without pauses."""
    longest_pause_ms: float
    """Longest inaudible time within the take."""
    tail_ms: float
    """Time after the last loud window, silence included."""
    clipped_share: float
    """Share of samples, 0 to 1, that lie at the take's peak in runs of three or more."""
    floor_db: float
    """Level of the quietest windows relative to the loud ones: noise, if the take has pauses."""


def measure(audio: Audio, rate_hz: int) -> Signal:
    """Measure float32 [n_samples].

    >>> hum = np.sin(np.arange(8000, dtype=np.float32) / 9)
    >>> found = measure(np.concatenate([hum, np.zeros(1600, np.float32)]), 8000)
    >>> found.speech_ms, found.tail_ms, found.clipped_share
    (1000.0, 200.0, 0.0)
    """
    power = window_power(audio, rate_hz * _WINDOW_MS // 1000)
    loud = float(np.percentile(power, _LOUD_PERCENTILE))
    if loud <= _LEAST_POWER:
        return Signal(level_db(audio), 0, 0, 0, 0, 0)
    decibels = 10 * np.log10(np.maximum(power, _LEAST_POWER) / loud)
    speech = decibels > _SPEECH_DB
    heard = np.flatnonzero(speech)
    inside = speech[heard[0] : heard[-1] + 1]
    pauses = [sum(1 for _ in run) for is_speech, run in groupby(inside.tolist()) if not is_speech]
    return Signal(
        level_dbfs=level_db(audio),
        speech_ms=float(len(heard) * _WINDOW_MS),
        longest_pause_ms=float(max(pauses, default=0) * _WINDOW_MS),
        tail_ms=float((len(power) - 1 - np.flatnonzero(decibels > _TAIL_DB)[-1]) * _WINDOW_MS),
        clipped_share=clipped_share(audio),
        floor_db=float(np.percentile(decibels, _FLOOR_PERCENTILE)),
    )


def clipped_share(audio: Audio) -> float:
    """Share of samples within 0.01% of the peak in runs of three or more: flattened waves.

    >>> clipped_share(np.array([0, 1, 1, 1, 0, -1, 0, 1], np.float32)), clipped_share(np.zeros(4, np.float32))
    (0.375, 0.0)
    """
    size = np.abs(audio)
    peak = float(size.max(initial=0))
    flat = (size >= _RAIL * peak) & (peak > 0)
    edges = np.flatnonzero(np.diff(np.r_[False, flat, False].astype(np.int8))).reshape(-1, 2)
    runs = edges[:, 1] - edges[:, 0]
    return float(runs[runs >= 3].sum() / max(len(audio), 1))


def level_db(audio: Audio) -> float:
    """Root mean square of float32 [n_samples] relative to full scale, in dB; -inf for silence.

    >>> round(level_db(np.full(100, 0.1, np.float32)))
    -20
    """
    power = float(np.dot(audio, audio)) / max(len(audio), 1)
    return 10 * float(np.log10(power)) if power > 0 else float("-inf")
