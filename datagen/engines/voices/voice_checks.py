"""True if a recording can be the reference of a voice: what is measured of it, and the limits.

Noise is estimated from loud and quiet windows. White noise added to eight recordings of LibriSpeech and AISHELL, 10 dB
below the speech, gave estimates of 13 to 17 dB, and 5 dB below, of 10 to 12: some 6 dB more than there is.

Whether one person alone speaks in a recording is not checked. Pitch cannot tell: its medians over a second range over
5 to 13 semitones in those recordings, and over 3 to 20 where halves of two of them follow each other. It needs a model
of speaker verification, or an ear. What is checked: two channels that differ, and one file given as two speakers.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from datagen.engines.base import Audio
from datagen.errors import RecipeError

_WINDOW_MS = 20
_FULL_SCALE = 0.999
_MOST_SNR_DB = 100.0
_DIGITAL_SILENCE = 1e-12


@dataclass(frozen=True)
class RecordingLimits:
    """Limits of a reference. Engines that imitate voices work best with 3 to 10 s and refuse more than 30 s."""

    min_seconds: float = 2.0
    best_seconds: tuple[float, float] = (3.0, 10.0)
    """Of several recordings of a voice, one of this length is taken if there is one."""
    max_seconds: float = 30.0
    min_rate_hz: int = 16_000
    min_level_dbfs: float = -45.0
    max_clipped_share: float = 0.001
    """Most samples at full scale."""
    min_snr_db: float = 15.0
    max_channel_difference_db: float = -10.0
    """Loudest difference of two channels against their sum: two people on a channel each differ in all they say."""
    transcript: bool = False
    """True if it must be known what is said."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "RecordingLimits":
        """Limits as a recipe or a command line gives them; what is not given keeps its default.

        Raises:
            RecipeError: If one is unknown or of another type.

        >>> RecordingLimits.of({"min_seconds": 1}).min_seconds
        1
        """
        known = {each.name: each.default for each in fields(cls)}
        for name, value in values.items():
            if name not in known:
                raise RecipeError(f"unknown voice limit {name!r}; known: {', '.join(known)}")
            if not _like(value, known[name]):
                raise RecipeError(f"the limit {name} is {value!r}; it must look like {known[name]!r}")
        given: dict[str, Any] = {n: tuple(value) if isinstance(value, list) else value for n, value in values.items()}
        return cls(**given)


@dataclass(frozen=True)
class Measures:
    """Measurements of a recording."""

    seconds: float
    rate_hz: int
    level_dbfs: float
    """Root mean square; -inf for silence."""
    clipped_share: float
    snr_db: float
    """Estimate: the loudest twentieth of windows of 20 ms against the quietest tenth; at most 100."""
    channel_difference_db: float
    """The channels' difference against their sum; -inf for one channel."""


def _like(value: Any, default: Any) -> bool:
    if isinstance(default, bool) or isinstance(value, bool):
        return type(value) is type(default)
    if isinstance(default, tuple):
        return isinstance(value, list | tuple) and len(value) == 2 and all(_like(v, 0.0) for v in value)
    return isinstance(value, int | float)


def measure(audio: Audio, rate_hz: int) -> Measures:
    """Measure float32 [n_samples, n_channels], n_samples > 0.

    >>> hum = 0.1 * np.sin(np.arange(16_000, dtype=np.float32))[:, None]
    >>> found = measure(np.concatenate([hum, hum * 0.01]), 16_000)
    >>> found.seconds, round(found.level_dbfs), round(found.snr_db), found.clipped_share
    (2.0, -26, 40, 0.0)
    """
    mono = audio.mean(axis=1, dtype=np.float32)
    return Measures(
        len(mono) / rate_hz,
        rate_hz,
        _db(_power(mono)),
        float(np.mean(np.abs(audio) >= _FULL_SCALE)),
        _snr_db(mono, rate_hz),
        _db(_power(np.ptp(audio, axis=1)) / 4) - _db(_power(mono)) if audio.shape[1] > 1 else float("-inf"),
    )


def faults(found: Measures, limits: RecordingLimits) -> Iterator[str]:
    """Faults of a recording, each with its fix."""
    if found.seconds < limits.min_seconds:
        yield f"{found.seconds:.1f} s is too short; give at least {limits.min_seconds:g} s"
    if found.seconds > limits.max_seconds:
        yield f"{found.seconds:.1f} s is too long; cut it below {limits.max_seconds:g} s"
    if found.rate_hz < limits.min_rate_hz:
        yield f"{found.rate_hz} Hz is too low a sample rate; give at least {limits.min_rate_hz} Hz"
    if found.level_dbfs < limits.min_level_dbfs:
        yield f"{found.level_dbfs:.0f} dBFS is too quiet; make it louder than {limits.min_level_dbfs:g} dBFS"
    if found.clipped_share > limits.max_clipped_share:
        yield f"{found.clipped_share:.1%} of it is clipped; record it at a lower level"
    if found.snr_db < limits.min_snr_db:
        yield f"about {found.snr_db:.0f} dB above its noise; give a cleaner one of at least {limits.min_snr_db:g} dB"
    if found.channel_difference_db > limits.max_channel_difference_db:
        yield "its channels differ, as if of two speakers; give one channel"


def fitness(seconds: float, limits: RecordingLimits) -> float:
    """Distance of a length from the best ones, in seconds.

    >>> fitness(4.0, RecordingLimits()), fitness(12.0, RecordingLimits())
    (0.0, 2.0)
    """
    shortest, longest = limits.best_seconds
    return max(shortest - seconds, seconds - longest, 0.0)


def _snr_db(mono: Audio, rate_hz: int) -> float:
    window = min(rate_hz * _WINDOW_MS // 1000, len(mono))
    n_windows = len(mono) // window
    power = np.square(mono[: n_windows * window].reshape(n_windows, window)).mean(axis=1)
    quiet, loud = np.percentile(power, [10, 95])
    return min(10 * float(np.log10((loud + _DIGITAL_SILENCE) / (quiet + _DIGITAL_SILENCE))), _MOST_SNR_DB)


def _power(audio: Audio) -> float:
    return float(np.mean(np.square(audio, dtype=np.float64)))


def _db(power: float) -> float:
    return 10 * float(np.log10(power)) if power > 0 else float("-inf")
