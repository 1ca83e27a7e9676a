"""From hibari's network outputs to a waveform.

The network predicts five numbers per frequency bin and 12.5 ms frame, plus F0. The waveform is the inverse STFT
(1,200 points, hop 300, Hann, 24 kHz) of

    S = exp(lh) exp(i pi tanh(theta)) STFT(pulses(f0))  +  exp(ln) noise  +  exp(lr) exp(i phi)

Source: `hibari/dsp.py` of hibari-tts 0.2.1 (Apache-2.0). Written anew for speed, with the same sound: frames are rows
and go through in blocks that stay in the processor's cache, the harmonic part is made for voiced frames only,
and noise is made of random bytes.
"""

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SAMPLE_RATE_HZ = 24_000
HOP_SAMPLES = 300
N_FFT = 4 * HOP_SAMPLES
N_BINS = N_FFT // 2 + 1
LH, THETA, LN, LR, PHI = (slice(i * N_BINS, (i + 1) * N_BINS) for i in range(5))
"""Columns of the network's head."""

_BLOCK_FRAMES = 128
"""Frames worked on at a time: few enough for the cache, enough to make calls rare. Measured; 64 to 256 are alike."""
VOICED_HZ = np.float32(40)
"""F0 at or below this means unvoiced."""
_TOP_HARMONIC_HZ = np.float32(11_000)
_MAX_LOG_MAGNITUDE = np.float32(7)

_HANN = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)).astype(np.float32)
_PULSE_WINDOW = _HANN / np.float32(N_FFT / 4)
"""Scales a unit cosine to a peak of 1 in the STFT: exp(lh) is then the magnitude of a harmonic."""
_SYNTHESIS_WINDOW = _HANN / np.float32(1.5)
"""Squared and added four times at a distance of a hop, Hann gives 1.5."""
_SQUARES = (_HANN * _HANN).reshape(4, HOP_SAMPLES)
_EDGES = 1.5 / np.stack([1.5 - _SQUARES[3], 1.5 - _SQUARES[0], 1.5 - _SQUARES[0] - _SQUARES[1]])
"""Compensation of the windows that the first and the last two hops lack."""
LOG_NOISE = float(np.log(np.arange(256).std() / np.sqrt(2)))
"""Log magnitude of the noise drawn, to be taken from ln: bytes on the real axis stand in for complex normals.

The noise is some 44 dB below the speech, so finer noise would sound the same.
"""


def _interpolation() -> tuple[Floats, Floats]:
    """Weights that take F0 of the frame before, this and the next to F0 at and cycles up to each sample of this.

    F0 is linear between the middles of frames, so the cycles since the frame began are a sum of it too.

    Returns:
        Two float32 [3, HOP_SAMPLES]: to Hz, and to cycles.
    """
    middle = (np.arange(HOP_SAMPLES) + 0.5) / HOP_SAMPLES - 0.5
    hz = np.stack([np.maximum(-middle, 0), 1 - np.abs(middle), np.maximum(middle, 0)])
    return hz.astype(np.float32), (np.cumsum(hz, axis=1) / SAMPLE_RATE_HZ).astype(np.float32)


_TO_HZ, _TO_CYCLES = _interpolation()


def _pulses(f0: Floats) -> Floats:
    """Band-limited pulse train: all harmonics of F0 up to 11 kHz, each a cosine of amplitude 1.

    sum_{1 <= h <= H} cos(h t) = sin((H + 1/2) t) / (2 sin(t / 2)) - 1/2. The quotient is even in t, so t is
    brought to [0, pi], where float32 is finest at the pulse itself.

    Args:
        f0: Hz, float32 [n_frames].

    Returns:
        float32 [n_frames, HOP_SAMPLES]; 0 where unvoiced.
    """
    padded = np.concatenate([f0[:1], f0, f0[-1:]])
    around = np.stack([padded[:-2], padded[1:-1], padded[2:]], axis=1)
    hz = around @ _TO_HZ
    cycles = around @ _TO_CYCLES
    cycles[1:] += (np.cumsum(cycles[:-1, -1], dtype=np.float64) % 1.0)[:, None].astype(np.float32)
    cycles -= np.rint(cycles)
    half_t = np.maximum(np.abs(cycles), np.float32(1e-6)) * np.float32(np.pi)
    voiced = hz > VOICED_HZ
    n_harmonics = np.floor(_TOP_HARMONIC_HZ / np.maximum(hz, VOICED_HZ))
    train: Floats = np.sin((2 * n_harmonics + 1) * half_t) / (2 * np.sin(half_t)) - np.float32(0.5)
    train *= voiced
    return train


def _polar(log_magnitude: Floats, angle: Floats) -> tuple[Floats, Floats]:
    """Real and imaginary part of exp(log_magnitude + i angle)."""
    magnitude = np.exp(np.minimum(log_magnitude, _MAX_LOG_MAGNITUDE))
    return magnitude * np.cos(angle), magnitude * np.sin(angle)


def synthesize(head: Floats, f0: Floats, rng: np.random.Generator) -> Floats:
    """Make a phrase audible.

    Args:
        head: Output of the network's last layer, float32 [n_frames, 5 * N_BINS], at least 4 frames; ln is lowered
            by LOG_NOISE.
        f0: Hz, float32 [n_frames].
        rng: For the noise.

    Returns:
        Audio, float32 [n_frames * HOP_SAMPLES], 24 kHz.
    """
    n_frames = len(head)
    train = np.zeros((n_frames + 3, HOP_SAMPLES), np.float32)
    train[2:-1] = _pulses(f0)
    windows = sliding_window_view(train.reshape(-1), N_FFT)[::HOP_SAMPLES]
    voiced: NDArray[np.bool_] = np.any(sliding_window_view(np.any(train, axis=1), 4), axis=1)
    overlapped = np.zeros((n_frames + 3, HOP_SAMPLES), np.float32)
    for start in range(0, n_frames, _BLOCK_FRAMES):
        stop = min(start + _BLOCK_FRAMES, n_frames)
        rows = np.flatnonzero(voiced[start:stop])
        frames = _frames(head[start:stop], rows, windows[start + rows], rng)
        for k in range(4):
            overlapped[start + k : stop + k] += frames[:, k]
    audio = overlapped[2:-1]
    audio[[0, -2, -1]] *= _EDGES
    return audio.reshape(-1)


def _frames(head: Floats, rows: NDArray[np.intp], pulses: Floats, rng: np.random.Generator) -> Floats:
    """Windowed frames of a block, float32 [n, 4, HOP_SAMPLES].

    Args:
        head: As of `synthesize`, float32 [n, 5 * N_BINS].
        rows: The voiced frames of the block.
        pulses: Their stretches of the pulse train, float32 [len(rows), N_FFT].
        rng: For the noise.
    """
    real, imag = _polar(head[:, LR], head[:, PHI])
    noise = np.frombuffer(rng.bytes(real.size), np.int8).astype(np.float32).reshape(real.shape)
    noise += np.float32(0.5)
    noise *= np.exp(np.minimum(head[:, LN], _MAX_LOG_MAGNITUDE))
    real += noise
    spectrum = np.empty(real.shape, np.complex64)
    spectrum.real = real
    spectrum.imag = imag
    if len(rows):
        harmonic = np.empty((len(rows), N_BINS), np.complex64)
        angle = np.tanh(head[rows, THETA])
        angle *= np.float32(np.pi)
        harmonic.real, harmonic.imag = _polar(head[rows, LH], angle)
        harmonic *= scipy.fft.rfft(pulses * _PULSE_WINDOW, axis=1)
        spectrum[rows] += harmonic
    frames: Floats = scipy.fft.irfft(spectrum, N_FFT, axis=1)
    frames *= _SYNTHESIS_WINDOW
    return frames.reshape(-1, 4, HOP_SAMPLES)
