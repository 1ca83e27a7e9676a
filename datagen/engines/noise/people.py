"""Sounds of people that are no words of a script, each made anew: babble, laughter, coughs."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from datagen.engines.audio import unit_power
from datagen.engines.base import Audio, People
from datagen.engines.noise.bursts import Wave, coloured, decay
from datagen.engines.noise.texture import Stride, random_phases, walk

_POOL_SAMPLES = 1 << 16
_STRIDE = Stride(1 << 15, 2048)

_FORMANTS = ((700, 130), (1250, 180), (2600, 320), (3700, 500))
"""Centre and width in hertz of the resonances of an open vowel, of a voice of 120 Hz."""
_USUAL_PITCH_HZ = 160.0


class GeneratedPeople(People):
    """Babble, laughter and coughs at the rate of the conversation."""

    def __init__(self, sample_rate_hz: int) -> None:
        """Set the rate."""
        self._rate = sample_rate_hz

    def babble(self, talkers: Sequence[Audio], n_samples: int, rng: np.random.Generator) -> Audio:
        """Equally loud talkers who never pause: float32 [n_samples], at no level in particular.

        Two groups of them talk for some seconds each; then phases are replaced by random ones, so no other
        conversation has a stretch of it, and both are walked through at drawn places for as long as needed.
        """
        groups = np.zeros((2, _POOL_SAMPLES), np.float32)
        for k, audio in enumerate(talkers if len(talkers) > 1 else [*talkers] * 2):
            _add_round(groups[k % 2], unit_power(audio), -int(rng.integers(len(audio))))
        return walk(random_phases(groups, rng), n_samples, rng, _STRIDE)

    def vocal_sound(self, kind: str, speech: Sequence[Audio], rng: np.random.Generator) -> Audio:
        """A `laughter` or `cough` at the pitch of the speaker of `speech`."""
        return KINDS[kind](rng, self._rate, pitch_of(speech, self._rate))


def _add_round(group: Audio, audio: Audio, at: int) -> None:
    """Add a line again and again from `at` on, which is not after the beginning."""
    while at < len(group):
        first, last = max(at, 0), min(at + len(audio), len(group))
        group[first:last] += audio[first - at : last - at]
        at += len(audio)


def laughter(rng: np.random.Generator, rate: int, pitch_hz: float) -> Audio:
    """`Ha-ha-ha`: three to six breathy vowels that fall in pitch and level, 0.4 to 1.4 s, root mean square 1.

    Calls of laughter come about five per second and lie well above the pitch of speech (Bachorowski et al., JASA 110,
    2001).

    Args:
        rng: Draws all of it.
        rate: Samples per second.
        pitch_hz: Of the speaker's speech.
    """
    n_calls, n_apart = int(rng.integers(3, 7)), int(rate * rng.uniform(0.17, 0.22))
    call, time = np.divmod(np.arange(n_calls * n_apart), n_apart)
    time = time / n_apart  # within a call: first a breath, then a vowel for about half of it
    fall = rng.uniform(0.9, 0.96) ** call
    pitch = min(1.7 * pitch_hz * rng.uniform(0.85, 1.2), 550.0) * fall * (1.08 - 0.25 * time)
    scale = _throat(pitch_hz) * rng.uniform(0.92, 1.08)
    formants = [(centre * scale, width) for centre, width in _FORMANTS]
    vowel = _resonant(np.diff(np.floor(np.cumsum(pitch) / rate), prepend=0.0), rate, formants)
    vowel = unit_power(vowel * _ramp(time, 0.15, 0.25) * _ramp(time, 0.75, 0.5))
    breath = coloured(rng, len(time), rate, formants) * _ramp(time, 0, 0.08) * _ramp(time, 1, 0.5)
    return unit_power(((vowel + rng.uniform(0.2, 0.4) * breath) * fall**2).astype(np.float32))


def _throat(pitch_hz: float) -> float:
    """About how much higher the resonances of a voice are than those of a voice of 120 Hz."""
    return 1 + 0.25 * float(np.log2(pitch_hz / 120))


def _ramp(time: NDArray[np.float64], nothing: float, all_of_it: float) -> Wave:
    """A line from 0 at one time to 1 at another, and level beyond."""
    return np.clip((time - nothing) / (all_of_it - nothing), 0, 1).astype(np.float32)


def _resonant(pulses: NDArray[np.float64], rate: int, formants: Sequence[tuple[float, float]]) -> Wave:
    """Pulses through resonances in parallel, weaker the higher they are: float32 [n_samples]."""
    import scipy.fft

    n_fft = scipy.fft.next_fast_len(len(pulses) + rate // 50, real=True)
    hz = np.fft.rfftfreq(n_fft, 1 / rate).astype(np.float32)
    response = sum((-0.55) ** k / (1 + 2j * (hz - centre) / width) for k, (centre, width) in enumerate(formants))
    bins = scipy.fft.rfft(pulses.astype(np.float32), n_fft, workers=1) * response
    wave: Wave = scipy.fft.irfft(bins.astype(np.complex64), n_fft, workers=1)[: len(pulses)]
    return wave


def cough(rng: np.random.Generator, rate: int, pitch_hz: float) -> Audio:
    """One to three puffs of throaty noise, or a cleared throat that buzzes: 0.3 to 0.9 s, root mean square 1."""
    clears = rng.random() < 0.35
    n_puffs, n_each = (1 if clears else int(rng.integers(1, 4))), int(rate * rng.uniform(0.25, 0.32))
    scale = _throat(pitch_hz)
    throat = [(rng.uniform(450, 650) * scale, 180), (rng.uniform(1300, 1800) * scale, 350), (2800 * scale, 700)]
    n = n_puffs * n_each + int(0.15 * rate)
    sound = coloured(rng, n, rate, throat)
    envelope = np.zeros(n, np.float32)
    for k in range(n_puffs):
        n_left = n - k * n_each
        puff = decay(n_left, rate, rng.uniform(0.05, 0.08) * (3 if clears else 1)) - decay(n_left, rate, 0.004)
        envelope[k * n_each :] += puff * np.float32(rng.uniform(0.8, 1) * 0.8**k)
    if clears:
        envelope *= (0.6 + 0.4 * np.sin(2 * np.pi * rng.uniform(28, 45) * np.arange(n) / rate)).astype(np.float32)
    n_edge = rate // 100
    envelope[:n_edge] *= np.linspace(0, 1, n_edge, dtype=np.float32)
    envelope[-n_edge:] *= np.linspace(1, 0, n_edge, dtype=np.float32)
    return unit_power(sound * envelope)


KINDS = {"cough": cough, "laughter": laughter}


def pitch_of(speech: Sequence[Audio], rate: int) -> float:
    """About the pitch of a voice, in hertz: median over the loud frames of its first seconds; 160 if none is voiced.

    >>> tone = np.sign(np.sin(2 * np.pi * 200 * np.arange(24_000) / 24_000)).astype(np.float32)
    >>> round(pitch_of([tone], 24_000))
    200
    """
    n_frame, shortest, longest = int(0.05 * rate), rate // 350, rate // 75
    audio = np.concatenate([*speech, np.zeros(0, np.float32)])[: 4 * rate]
    frames = audio[: len(audio) // n_frame * n_frame].reshape(-1, n_frame)
    power = np.mean(frames**2, axis=1)
    frames = frames[power > 0.2 * power.max(initial=0)]
    spectrum = np.abs(np.fft.rfft(frames, 2 * n_frame, axis=1)) ** 2
    likeness = np.fft.irfft(spectrum, axis=1)[:, : longest + 1]
    likeness /= np.maximum(likeness[:, :1], 1e-20) * (1 - np.arange(longest + 1) / n_frame)
    best = likeness[:, shortest:].argmax(1)
    voiced = likeness[np.arange(len(best)), best + shortest] > 0.5
    return float(np.median(rate / (best[voiced] + shortest))) if voiced.any() else _USUAL_PITCH_HZ
