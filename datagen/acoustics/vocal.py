"""Sounds of the user's own throat that are no words: laughter and coughs, each made anew."""

from collections.abc import Sequence

import numpy as np

from datagen.acoustics.levels import unit_power
from datagen.engines.base import Audio
from datagen.engines.hits import coloured, decay

_FORMANTS = ((700, 130), (1250, 180), (2600, 320), (3700, 500))
"""Centre and width in hertz of the resonances of an open vowel, of a voice of 120 Hz."""
_USUAL_PITCH_HZ = 160.0


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
    pitch, fall = min(1.7 * pitch_hz * rng.uniform(0.85, 1.2), 550.0), rng.uniform(0.9, 0.96)
    scale = 1 + 0.25 * np.log2(pitch_hz / 120)  # a higher voice has a shorter throat
    formants = [(centre * scale * rng.uniform(0.92, 1.08), width) for centre, width in _FORMANTS]
    calls = [_ha(rng, rate, n_apart, pitch * fall**k, formants) * np.float32(fall ** (2 * k)) for k in range(n_calls)]
    return unit_power(np.concatenate(calls))


def _ha(rng: np.random.Generator, rate: int, n: int, pitch_hz: float, formants: Sequence[tuple[float, float]]) -> Audio:
    """A breath that becomes a vowel, for about half of its time: float32 [n]."""
    time = np.arange(n) / n
    curve = pitch_hz * (1.08 - 0.25 * time) * (1 + 0.02 * np.sin(2 * np.pi * (time * 3 + rng.random())))
    pulses = np.diff(np.floor(np.cumsum(curve) / rate + rng.random()), prepend=0.0) > 0
    voiced = _resonant(pulses.astype(np.float32), rate, formants)
    voiced *= (np.clip((time - 0.15) / 0.1, 0, 1) * np.clip((0.75 - time) / 0.25, 0, 1)).astype(np.float32)
    breath = coloured(rng, n, rate, formants)
    breath *= (np.clip(time / 0.08, 0, 1) * np.exp(-time / 0.25) * np.clip((1 - time) / 0.1, 0, 1)).astype(np.float32)
    return unit_power(voiced) + np.float32(rng.uniform(0.3, 0.5)) * breath


def _resonant(audio: Audio, rate: int, formants: Sequence[tuple[float, float]]) -> Audio:
    """Pulses through resonances in parallel, weaker the higher they are."""
    hz = np.fft.rfftfreq(2 * len(audio), 1 / rate)
    response = sum(0.55**k * (-1) ** k / (1 + 2j * (hz - centre) / width) for k, (centre, width) in enumerate(formants))
    made = np.fft.irfft(np.fft.rfft(audio, 2 * len(audio)) * response, 2 * len(audio))
    return made[: len(audio)].astype(np.float32)


def cough(rng: np.random.Generator, rate: int, pitch_hz: float) -> Audio:
    """One to three puffs of throaty noise, or a cleared throat that buzzes: 0.3 to 0.9 s, root mean square 1."""
    clears = rng.random() < 0.35
    n_puffs, n_each = (1 if clears else int(rng.integers(1, 4))), int(rate * rng.uniform(0.25, 0.32))
    scale = 1 + 0.25 * np.log2(pitch_hz / 120)
    throat = [(rng.uniform(450, 650) * scale, 180), (rng.uniform(1300, 1800) * scale, 350), (2800 * scale, 700)]
    n = n_puffs * n_each + int(0.15 * rate)
    sound = coloured(rng, n, rate, throat)
    envelope = np.zeros(n, np.float32)
    for k in range(n_puffs):
        fall = decay(n - k * n_each, rate, rng.uniform(0.05, 0.08) * (3 if clears else 1))
        envelope[k * n_each :] += fall * np.float32(rng.uniform(0.8, 1) * 0.8**k)
    if clears:
        buzz_hz = rng.uniform(28, 45)
        envelope *= (0.6 + 0.4 * np.sign(np.sin(2 * np.pi * buzz_hz * np.arange(n) / rate))).astype(np.float32)
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
