"""The kinds of generated noise: what each is made of. All is drawn anew for each conversation.

A kind is a sum of walks through pools of noise (`texture`), with slow gains of its own, and single sounds where a place
has them. Spectra are amplitudes against frequency in hertz, from 20 Hz up.
"""

from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from datagen.engines.audio import product
from datagen.engines.base import Audio
from datagen.engines.noise.bursts import Wave, clatter, key_strokes
from datagen.engines.noise.texture import (
    FRAME_SAMPLES,
    STEP_SAMPLES,
    Floats,
    Spectrum,
    Stride,
    amplitudes,
    from_frames,
    noise,
    noise_pool,
    walk,
    wander,
)

Hertz = NDArray[np.float64]
Make = Callable[[int, np.random.Generator, int], Audio]
"""Makes noise from its length in samples, a generator and the sample rate."""

_HUM_HARMONICS = ((1, 1.0), (2, 0.7), (3, 0.5), (5, 0.25), (7, 0.2), (9, 0.12))
"""Harmonics of the mains and about how strong each is."""
_HUM_STEP = 2 * STEP_SAMPLES
"""Samples over which the mains keep their frequency."""


def _white(hz: Hertz) -> Hertz:
    return np.ones_like(hz)


def _pink(hz: Hertz) -> Hertz:
    return hz**-0.5


def _brown(hz: Hertz) -> Hertz:
    return 1 / hz


def _office(hz: Hertz) -> Hertz:
    return np.asarray(hz**-0.8 / np.sqrt(1 + (hz / 1500) ** 4))


def _hiss(hz: Hertz) -> Hertz:
    return hz**-0.25


def _speech(hz: Hertz) -> Hertz:
    """Long-term spectrum of speech: nothing below the voice, level to 500 Hz, then about 9 dB less per octave.

    After the averages of 12 languages of Byrne et al., JASA 96 (1994), by eye.
    """
    return np.asarray(1 / np.sqrt(1 + (90 / hz) ** 6) / (1 + (hz / 550) ** 2) ** 0.75)


def _rumble(hz: Hertz) -> Hertz:
    return np.asarray(1 / hz / np.sqrt(1 + (hz / 250) ** 2))


def _tyres(hz: Hertz) -> Hertz:
    return np.asarray(np.exp(-0.5 * (np.log2(hz / 900) / 1.1) ** 2))


def _fan_spectrum(hz: Hertz) -> Hertz:
    """Blades that pass, with harmonics, and a stream of air."""
    tones = sum(np.exp(-0.5 * ((hz - 118 * k) / (2.5 * k)) ** 2) * 5 / k for k in (1, 2, 3))
    return np.asarray((1 + tones) * hz**-0.5 / np.sqrt(1 + (hz / 700) ** 2) + 2e-2 / np.sqrt(1 + (hz / 3000) ** 4))


def _drifting(spectrum: Spectrum, every_s: float, by_db: float, n: int, rng: np.random.Generator, rate: int) -> Audio:
    """Noise whose level wanders."""
    return noise(spectrum, n, rng, rate, amplitudes(np.float32(by_db) * wander(rng, n, every_s * rate)))


def _hum(n: int, rng: np.random.Generator, rate: int) -> Audio:
    """The mains over a faint hiss; its frequency and level drift, as they do.

    At 50 Hz whole periods fill a frame of 20, 40 or 80 ms, so that no lag in frames is special; at 60 Hz every fifth
    frame of 40 ms would be like another.
    """
    mains_hz = 50 * rng.uniform(0.999, 1.001)
    strengths = [strength * rng.uniform(0.5, 1.5) for _, strength in _HUM_HARMONICS]
    multiples = np.array([multiple for multiple, _ in _HUM_HARMONICS])
    turns = mains_hz / rate * _HUM_STEP * (1 + 5e-4 * _resampled(wander(rng, n, 4 * rate)))
    phase = np.outer(np.cumsum(turns) - turns, multiples) + rng.random(len(multiples))
    gain = _resampled(amplitudes(wander(rng, n, 3 * rate)))[:, None] * strengths
    left = np.concatenate([gain * part for part in _cos_sin(phase)], axis=1, dtype=np.float32)
    cos, sin = _cos_sin(mains_hz / rate * np.outer(multiples, np.arange(_HUM_STEP)))
    hum: Audio = product(left, np.concatenate([sin, cos])).ravel()[:n]
    hum += walk(noise_pool(_hiss, rng, rate) * np.float32(0.3), n, rng)
    return hum


def _cos_sin(turns: NDArray[np.float64]) -> tuple[Floats, Floats]:
    angle = (2 * np.pi * (turns % 1)).astype(np.float32)
    return np.cos(angle), np.sin(angle)


def _resampled(curve: Floats) -> NDArray[np.float64]:
    """A curve per step of a gain as one per step of the hum's phase."""
    return curve[:: _HUM_STEP // STEP_SAMPLES].astype(np.float64)


def _street(n: int, rng: np.random.Generator, rate: int) -> Audio:
    """Distant traffic that rumbles, and cars that pass one by one."""
    street, tyres = _drifting(_rumble, 4, 3, n, rng, rate), noise_pool(_tyres, rng, rate)
    for at in _times(rng, n, 11 * rate):
        width = rate * rng.uniform(0.3, 0.7)
        begin, end = max(0, int(at - 3 * width)), min(n, int(at + 3 * width))
        from_it = (np.arange(begin, end, STEP_SAMPLES, dtype=np.float32) - np.float32(at)) / np.float32(width)
        passing = (1 / (1 + from_it**2) - 0.1) * np.float32(rng.uniform(0.7, 2.5))  # as power falls with distance
        street[begin:end] += walk(tyres, end - begin, rng, gain=np.maximum(passing, 0))
    return street


def _cafe(n: int, rng: np.random.Generator, rate: int) -> Audio:
    """A murmur without words, made of vowels in the rhythm of syllables, and dishes now and then."""
    cafe = walk(_murmur(rng, rate), n, rng, Stride(1 << 15, 1024))
    for at in _times(rng, n, 15 * rate):
        _add(cafe, int(at), clatter(rng, rate) * np.float32(rng.uniform(0.3, 1.2)))
    return cafe


def _murmur(rng: np.random.Generator, rate: int) -> Floats:
    """A pool of talkers without voices: in each frame a few resonances, drawn for a syllable, stand out."""
    n_rows, n_syllables, frames_each = 2, 22, 2  # 130 ms each at 24 kHz
    bands = _formants(rate)
    drawn = rng.random((n_rows * n_syllables, len(bands)), dtype=np.float32)
    power = product(np.exp(8 * drawn - 4), bands)
    power = np.repeat(power.reshape(n_rows, n_syllables, -1), frames_each, axis=1)
    return from_frames(np.sqrt(power).astype(np.complex64), rng)


@lru_cache(maxsize=4)
def _formants(rate: int) -> Floats:
    """Power spectra of 16 resonances from 250 Hz to 4.5 kHz, as strong as in speech: float32 [16, n_bins]."""
    hz = np.maximum(np.fft.rfftfreq(FRAME_SAMPLES, 1 / rate), 20.0)
    centres = np.geomspace(250, 4500, 16)[:, None]
    power = (np.exp(-(((hz - centres) / (0.12 * centres)) ** 2)) + 2e-3) * _speech(hz) ** 2
    power *= FRAME_SAMPLES**2 / 13.6 / np.sum(power)  # 6.8 is the mean of what `_murmur` multiplies it by
    table: Floats = power.astype(np.float32)
    return table


def _keyboard(n: int, rng: np.random.Generator, rate: int) -> Audio:
    """Somebody types in a quiet room, with pauses to think."""
    room = walk(noise_pool(_pink, rng, rate) * np.float32(0.3), n, rng)
    n_keys = int(n / rate * 6) + 1
    apart = np.where(rng.random(n_keys) < 0.05, rng.uniform(0.8, 3, n_keys), rng.gamma(4, 0.045, n_keys))
    strokes = key_strokes(rng, rate, min(n_keys, 16))
    starts = (rate * np.cumsum(apart)).astype(int)
    which, gains = rng.integers(len(strokes), size=n_keys), rng.uniform(0.2, 0.6, n_keys).astype(np.float32)
    for at, stroke, gain in zip(starts[starts < n].tolist(), which.tolist(), gains, strict=False):
        _add(room, at, strokes[stroke] * gain)
    return room


def _times(rng: np.random.Generator, n: int, every: float) -> NDArray[np.float64]:
    """Times of independent events in [0, n), about one per `every`."""
    return rng.uniform(0, n, int(rng.poisson(n / every)))


def _add(audio: Audio, at: int, sound: Wave) -> None:
    audio[at : at + len(sound)] += sound[: len(audio) - at]


def _plain(spectrum: Spectrum) -> Make:
    return partial(noise, spectrum)


KINDS: dict[str, Make] = {
    "brown": _plain(_brown),
    "cafe": _cafe,
    "fan": partial(_drifting, _fan_spectrum, 4, 2),
    "hum": _hum,
    "keyboard": _keyboard,
    "pink": _plain(_pink),
    "room": partial(_drifting, _office, 3, 2.5),
    "speech_shaped": _plain(_speech),
    "street": _street,
    "white": _plain(_white),
}
