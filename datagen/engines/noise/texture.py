"""Sound that continues for any time and never repeats: made fresh from random bits, at little cost per sample.

A *pool* is a few seconds of sound that nobody else has: noise of a spectrum with random phases, or speech whose phases
were replaced by random ones. A *walk* makes it as long as needed: every stretch is the sum of two stretches of the pool
at drawn places. A pool of 2 x 65,536 samples has some 10^9 such sums, so none comes twice, and no lag is special.
Everything depends on the generator alone, whatever the number of threads.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datagen.engines.base import Audio

Floats = NDArray[np.float32]
Spectrum = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Amplitude at frequencies in hertz; its scale does not matter."""

STEP_SAMPLES = 256
"""Samples that share one value of a slow gain."""
_ROWS, _ROW_SAMPLES = 2, 1 << 16
_BYTE_POWER = (256**2 - 1) / 12
"""Mean square of a random signed byte."""
FRAME_SAMPLES = 2048
"""Speech with random phases keeps its spectrum over this time, but not its sound within."""
_EDGE_SAMPLES = 512
HOP_SAMPLES = FRAME_SAMPLES - _EDGE_SAMPLES


class Stride(NamedTuple):
    """Length of a walk through its pool before it jumps."""

    n_samples: int
    """A multiple of 256 if there is a gain."""
    n_fade: int
    """The first samples of a stretch are a crossfade of equal power with the end of the one before."""


_STRIDE = Stride(1 << 15, 512)


def noise_pool(spectrum: Spectrum, rng: np.random.Generator, sample_rate_hz: int) -> Floats:
    """A pool of Gaussian noise: float32 [2, 65536], root mean square 1.

    Args:
        spectrum: Amplitude by frequency; a function of a module, for tables of it are kept.
        rng: Makes all of it.
        sample_rate_hz: Of the noise.
    """
    import scipy.fft

    table = _amplitudes(spectrum, sample_rate_hz)
    n_bytes = _ROWS * len(table)
    drawn = rng.bit_generator.random_raw(-(-n_bytes // 8)).view(np.int8)[:n_bytes]
    bins = np.empty((_ROWS, len(table)), np.float32)
    np.multiply(drawn.reshape(bins.shape), table, out=bins)
    pool: Floats = scipy.fft.irfft(bins.view(np.complex64), axis=1, workers=1)
    return pool


@lru_cache(maxsize=64)
def _amplitudes(spectrum: Spectrum, sample_rate_hz: int) -> Floats:
    """Factors of the real and the imaginary part of each bin, such that random bytes give power 1."""
    frequency_hz = np.fft.rfftfreq(_ROW_SAMPLES, 1 / sample_rate_hz)
    amplitude = spectrum(np.maximum(frequency_hz, 20.0))
    amplitude[0] = amplitude[-1] = 0
    power = 4 * _BYTE_POWER * float(np.sum(amplitude**2)) / _ROW_SAMPLES**2
    return np.repeat(amplitude / np.sqrt(power), 2).astype(np.float32)


def walk(
    pool: Floats, n_samples: int, rng: np.random.Generator, stride: Stride = _STRIDE, gain: Floats | None = None
) -> Audio:
    """Sums of two stretches of a pool, one after the other without a seam: float32 [n_samples].

    Args:
        pool: float32 [an even number of rows, more than a stride], of rows that are independent of each other. A sum is
            of one row of even and one of odd number.
        n_samples: How much to make.
        rng: Draws the places.
        stride: How long a stretch is, and how much of it fades.
        gain: What the sound is multiplied by, one value per step of 256 samples.

    >>> (10 * walk(np.ones((2, 9), np.float32), 7, np.random.default_rng(0), Stride(4, 1))).round().tolist()
    [14.0, 14.0, 14.0, 14.0, 20.0, 14.0, 14.0]
    """
    n_rows, n_row = pool.shape
    n, n_fade = stride.n_samples, stride.n_fade
    n_strides = -(-n_samples // n)
    starts = rng.integers(n_row - n - n_fade, size=(n_strides, 2))
    starts += n_row * (2 * rng.integers(n_rows // 2, size=(n_strides, 2)) + (0, 1))
    flat, made = (pool * np.float32(np.sqrt(0.5))).ravel(), np.empty((n_strides, n), np.float32)
    rise, tail = _rise(n_fade), np.zeros(n_fade, np.float32)
    for k, (part, (first, second)) in enumerate(zip(made, starts.tolist(), strict=True)):
        np.add(flat[first : first + n], flat[second : second + n], out=part)
        if k:
            part[:n_fade] *= rise
            part[:n_fade] += tail
        tail = (flat[first + n : first + n + n_fade] + flat[second + n : second + n + n_fade]) * rise[::-1]
        if gain is not None:  # while it is in the cache
            steps = part.reshape(-1, STEP_SAMPLES)
            here = gain[k * len(steps) : (k + 1) * len(steps), None]
            steps[: len(here)] *= here
    return made.reshape(-1)[:n_samples]


def noise(
    spectrum: Spectrum, n_samples: int, rng: np.random.Generator, sample_rate_hz: int, gain: Floats | None = None
) -> Audio:
    """Gaussian noise of a spectrum: float32 [n_samples], root mean square about 1 times the gain of each step."""
    return walk(noise_pool(spectrum, rng, sample_rate_hz), n_samples, rng, gain=gain)


def random_phases(audio: Floats, rng: np.random.Generator) -> Floats:
    """Sound with the short-time spectrum of another, and nothing else in common with it.

    Frames of 2,048 samples keep their amplitudes and get random phases, so words blur and the waveform is a new one.

    Args:
        audio: float32 [n_rows, n_samples].
        rng: Draws the phases.

    Returns:
        float32 [n_rows, n_samples], of about the same power.
    """
    import scipy.fft

    n_rows, n_samples = audio.shape
    n_frames = -(-n_samples // HOP_SAMPLES)
    padded = np.zeros((n_rows, n_frames * HOP_SAMPLES + _EDGE_SAMPLES), np.float32)
    padded[:, :n_samples] = audio
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME_SAMPLES, axis=1)[:, ::HOP_SAMPLES] * _window()
    return from_frames(scipy.fft.rfft(frames, axis=2, workers=1), rng)[:, :n_samples]


def from_frames(bins: NDArray[np.complex64], rng: np.random.Generator) -> Floats:
    """Sound from short-time spectra, whose phases are replaced by random ones.

    Args:
        bins: complex64 [n_rows, n_frames, 1025], a frame every 1,536 samples; changed in place.
        rng: Draws the phases.

    Returns:
        float32 [n_rows, n_frames * 1536 + 512].
    """
    import scipy.fft

    n_rows, n_frames, _ = bins.shape
    drawn = rng.bit_generator.random_raw(-(-bins.size // 8)).view(np.uint8)[: bins.size]
    bins *= _PHASORS[drawn].reshape(bins.shape)
    frames = scipy.fft.irfft(bins, axis=2, workers=1)
    frames *= _window()
    made = np.empty((n_rows, n_frames * HOP_SAMPLES + _EDGE_SAMPLES), np.float32)
    made[:, : n_frames * HOP_SAMPLES] = frames[..., :HOP_SAMPLES].reshape(n_rows, -1)
    made[:, n_frames * HOP_SAMPLES :] = 0
    for k in range(n_frames):  # the last edge of each frame lies over the first edge of the next
        made[:, (k + 1) * HOP_SAMPLES : (k + 1) * HOP_SAMPLES + _EDGE_SAMPLES] += frames[:, k, HOP_SAMPLES:]
    return made


_PHASORS = np.exp(2j * np.pi * np.arange(256) / 256).astype(np.complex64)


@lru_cache(maxsize=8)
def _rise(n: int) -> Floats:
    return np.sin(np.pi / 2 * (np.arange(n) + 0.5) / n).astype(np.float32)


@lru_cache(maxsize=1)
def _window() -> Floats:
    window = np.ones(FRAME_SAMPLES, np.float32)
    window[:_EDGE_SAMPLES], window[-_EDGE_SAMPLES:] = _rise(_EDGE_SAMPLES), _rise(_EDGE_SAMPLES)[::-1]
    return window


def wander(rng: np.random.Generator, n_samples: int, every_samples: float) -> Floats:
    """A slow random curve, one value per step of 256 samples: float32 [n_steps], of mean 0 and deviation below 1.

    Args:
        rng: Draws a normal value about every `every_samples`; between them the curve is straight.
        n_samples: Length of what it is for.
        every_samples: Mean distance of the drawn values.
    """
    n_steps = -(-n_samples // STEP_SAMPLES)
    n_knots = int(2 * n_samples / every_samples) + 3
    at = np.cumsum(rng.uniform(0.5, 1.5, n_knots)) * (every_samples / STEP_SAMPLES)
    return np.interp(np.arange(n_steps), at - at[0], rng.normal(size=n_knots)).astype(np.float32)


def amplitudes(db: Floats) -> Floats:
    """The factors that decibels stand for.

    >>> (1000 * amplitudes(np.array([-20, 0], np.float32))).round().tolist()
    [100.0, 1000.0]
    """
    gain: Floats = np.exp(db * np.float32(np.log(10) / 20))
    return gain
