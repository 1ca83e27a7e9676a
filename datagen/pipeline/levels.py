"""Level of speech: power, peak and loudness of the heard part of one speaker."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from datagen.engines.audio import energy_of
from datagen.engines.base import Audio

Segments = list[tuple[int, Audio]]
"""Start of each stretch of one speaker's audio, in samples, and the stretch."""

FULL_SCALE = 32767
_LEAST_POWER = 1e-20
_BLOCK_SAMPLES = 1 << 16
"""256 KiB of float32, which fit in the cache."""


@dataclass(frozen=True)
class ChannelSpeech:
    """Audible speech of one speaker, with its peak and its power while audible."""

    segments: Segments
    heard: Sequence[Audio]
    """Audio for measuring levels: each utterance from its start to its end."""
    power: float
    peak: float

    @classmethod
    def of(cls, segments: Segments, heard: Sequence[Audio] | None = None) -> "ChannelSpeech":
        """Measure segments that do not overlap.

        If segments are longer than their utterances, `heard` contains the part to measure of each.
        """
        measured = [audio for _, audio in segments] if heard is None else heard
        energy, peak = 0.0, 0.0
        for audio in measured:  # both in one pass, while the audio is in the cache
            energy += energy_of(audio)
            peak = max(peak, peak_of(audio))
        if heard is not None:
            peak = max((peak_of(audio) for _, audio in segments), default=0.0)
        n_samples = sum(len(audio) for audio in measured)
        return cls(segments, measured, max(energy / max(n_samples, 1), _LEAST_POWER), peak)


def fade_out(audio: Audio, n_fade: int) -> Audio:
    """A copy of float32 [n_samples] whose last `n_fade` samples fall to silence as a raised cosine.

    >>> [round(float(x), 2) for x in fade_out(np.ones(4, np.float32), 2)]
    [1.0, 1.0, 0.85, 0.15]
    """
    n_fade = min(n_fade, len(audio))
    faded = audio.copy()
    if n_fade:
        ramp = 0.5 + 0.5 * np.cos(np.pi * (np.arange(n_fade) + 0.5) / n_fade)
        faded[len(faded) - n_fade :] *= ramp.astype(np.float32)
    return faded


def joined(segments: Segments) -> Segments:
    """Segments in chronological order, with overlapping ones added into one, so that peaks are exact.

    >>> one = np.ones(3, np.float32)
    >>> [(start, audio.tolist()) for start, audio in joined([(7, one), (0, one), (2, one)])]
    [(0, [1.0, 1.0, 2.0, 1.0, 1.0]), (7, [1.0, 1.0, 1.0])]
    """
    found: Segments = []
    for start, audio in sorted(segments, key=lambda segment: segment[0]):
        if found and start < found[-1][0] + len(found[-1][1]):
            first, before = found[-1]
            both = np.zeros(max(len(before), start - first + len(audio)), np.float32)
            both[: len(before)] = before
            both[start - first : start - first + len(audio)] += audio
            found[-1] = (first, both)
        else:
            found.append((start, audio))
    return found


def peak_of(audio: Audio) -> float:
    """The largest magnitude in float32 [n_samples], n_samples > 0.

    >>> peak_of(np.array([1, -2], np.float32))
    2.0
    """
    return max(float(audio.max()), -float(audio.min()))


def power_and_peak(audio: Audio) -> tuple[float, float]:
    """Mean square and largest magnitude of float32 [n_samples], n_samples > 0, in one pass through memory.

    >>> power_and_peak(np.array([1, -2], np.float32))
    (2.5, 2.0)
    """
    blocks = [audio[begin : begin + _BLOCK_SAMPLES] for begin in range(0, len(audio), _BLOCK_SAMPLES)]
    found = [(energy_of(block), peak_of(block)) for block in blocks]
    return sum(energy for energy, _ in found) / len(audio), max(peak for _, peak in found)


def amplitude(db: float) -> float:
    """The amplitude factor of a level in decibels.

    >>> amplitude(-20)
    0.1
    """
    return float(10 ** (db / 20))


def decibels(factor: float) -> float:
    """The level of an amplitude factor in decibels, to three digits; -inf for 0.

    >>> decibels(0.1)
    -20.0
    """
    return round(20 * float(np.log10(factor)), 3) if factor > 0 else float("-inf")


def loudness_lufs(speech: ChannelSpeech, sample_rate_hz: int) -> float:
    """Loudness of a speaker's joined audible speech, by ITU-R BS.1770-4 (pyloudnorm)."""
    import pyloudnorm

    audio = np.concatenate(speech.heard)
    n_least = int(0.4 * sample_rate_hz) + 1  # one gating block
    return float(pyloudnorm.Meter(sample_rate_hz).integrated_loudness(np.resize(audio, max(len(audio), n_least))))
