"""Checks of a stretch of a recording: level, clipping, silence, overlap, and voices in the wrong channel."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datagen.engines.audio import resample
from datagen.engines.base import Audio
from datagen.intervals import Intervals, bridge, intervals
from datagen.pipeline.recorded.piece import Piece
from datagen.pipeline.recorded.speech import ROLES
from datagen.recipe import RecordingLimitsConfig
from datagen.records import CHANNEL, Role

_RATE_HZ = 8000
"""Cross-talk is measured at this rate: it holds most of a voice's power."""
_LONGEST_S = 60
_LEAST_S = 1
_EARLIEST_S, _LATEST_S = 0.02, 0.3
"""Delays of cross-talk that are searched: telephone echo is late, recorders may be early."""
_WRONG_DB = 6
"""A voice that is louder in the other's channel by this is on the wrong channel."""


@dataclass(frozen=True)
class Measures:
    """Measurements of both channels against the times of speech."""

    overlap_share: float
    """Time in which both speak, as a share of the time in which anybody does."""
    speech_s: Mapping[Role, float]
    level_dbfs: Mapping[Role, float]
    """Level of a channel while its speaker speaks."""
    leak_dbfs: Mapping[Role, float | None]
    """Level of a channel while only the other speaks; None if too short."""
    cross_talk_db: Mapping[Role, float | None]
    """Level of the other's voice in a channel, against its own channel; None if too short."""
    longest_silence_s: float


def measure(channels: NDArray[np.float32], pieces: Mapping[Role, Sequence[Piece]], rate_hz: int) -> Measures:
    """Measure both channels, float32 [2, n_samples]."""
    speech = {role: bridge(intervals((p.start, p.end) for p in pieces[role]), 1) for role in ROLES}
    masks = {role: _mask(speech[role], channels.shape[1]) for role in ROLES}
    both, either = masks["user"] & masks["assistant"], masks["user"] | masks["assistant"]
    levels: dict[Role, float] = {role: _dbfs(channels[CHANNEL[role]][masks[role]]) for role in ROLES}
    leaks, talk = dict[Role, float | None](), dict[Role, float | None]()
    for role, other in zip(ROLES, reversed(ROLES), strict=True):
        alone = masks[other] & ~masks[role]
        is_enough = alone.sum() >= _LEAST_S * rate_hz
        own, source = channels[CHANNEL[role]], channels[CHANNEL[other]]
        leaks[role] = _dbfs(own[alone]) if is_enough else None
        talk[role] = _cross_talk(own, source, alone, rate_hz) if is_enough else None
    return Measures(
        overlap_share=float(both.sum() / max(either.sum(), 1)),
        speech_s={role: float(masks[role].sum()) / rate_hz for role in ROLES},
        level_dbfs=levels,
        leak_dbfs=leaks,
        cross_talk_db=talk,
        longest_silence_s=_longest_gap(either) / rate_hz,
    )


def faults(
    m: Measures, clipped: Mapping[Role, float], limits: RecordingLimitsConfig, roles: Sequence[Role] = ROLES
) -> Iterator[tuple[str, str]]:
    """Reason and detail of each limit that is exceeded, the most telling first.

    Args:
        m: The measurements.
        clipped: Share of clipped samples of each channel.
        limits: The recipe's.
        roles: Those who were recorded; one alone need not speak for long, and has nobody to talk across.
    """
    if all((leak := m.leak_dbfs[role]) is not None and leak > m.level_dbfs[role] + _WRONG_DB for role in ROLES):
        yield "wrong_channels", "each voice is louder in the other's channel; swap the channels of the transcript"
    for role in roles:
        if len(roles) > 1 and m.speech_s[role] < limits.min_speech_seconds:
            yield "one_sided", f"the {role} speaks for {m.speech_s[role]:.1f} s"
        elif m.level_dbfs[role] < limits.min_level_dbfs:
            yield "silent", f"the {role}'s speech has a level of {m.level_dbfs[role]:.0f} dBFS"
        if clipped[role] > limits.max_clipped_share:
            yield "clipped", f"{clipped[role]:.2%} of the {role}'s channel is at full scale"
    if m.longest_silence_s > limits.max_silence_seconds:
        yield "long_silence", f"nobody speaks for {m.longest_silence_s:.0f} s"
    if m.overlap_share > limits.max_overlap_share:
        yield "too_much_overlap", f"both speak in {m.overlap_share:.0%} of the time of speech"
    for role in roles if len(roles) > 1 else ():
        level = m.cross_talk_db[role]
        if level is not None and level > limits.max_cross_talk_db:
            yield "cross_talk", f"the other's voice is in the {role}'s channel at {level:.0f} dB"


def _mask(speech: Intervals, n_samples: int) -> NDArray[np.bool_]:
    mask = np.zeros(n_samples, np.bool_)
    for start, end in speech.tolist():
        mask[start:end] = True
    return mask


def _dbfs(audio: Audio) -> float:
    power = float(np.mean(np.square(audio, dtype=np.float64))) if len(audio) else 0.0
    return 10 * float(np.log10(max(power, 1e-20)))


def _longest_gap(speech: NDArray[np.bool_]) -> int:
    edges = np.flatnonzero(np.diff(np.r_[False, ~speech, False].astype(np.int8))).reshape(-1, 2)
    return int((edges[:, 1] - edges[:, 0]).max(initial=0))


def _cross_talk(own: Audio, source: Audio, alone: NDArray[np.bool_], rate_hz: int) -> float:
    """Level of a source in another channel while only the source speaks, by their cross-correlation, in decibels.

    The gain is the largest correlation over the delays searched, divided by the power of the source.
    Independent sounds give about -40 dB.
    """
    gated = source * alone, own * alone
    x, y = (resample(audio[: _LONGEST_S * rate_hz].astype(np.float32), rate_hz, _RATE_HZ) for audio in gated)
    power = float(np.dot(x, x))
    if power <= 0:
        return -120.0
    from scipy.fft import irfft, next_fast_len, rfft

    n = next_fast_len(len(x) + int(_LATEST_S * _RATE_HZ), real=True)
    correlation = irfft(rfft(y, n) * np.conj(rfft(x, n)), n)
    early, late = int(_EARLIEST_S * _RATE_HZ), int(_LATEST_S * _RATE_HZ)
    peak = max(float(np.abs(correlation[:late]).max()), float(np.abs(correlation[-early:]).max()))
    return max(20 * float(np.log10(max(peak / power, 1e-6))), -120.0)
