"""Audio as arrays: reading files of any format, changing sample rates, 16 bits, power."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from datagen.engines.base import Audio
from datagen.errors import EngineError

_SOUNDFILE_SUFFIXES = {".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".au", ".caf", ".w64"}
_FFMPEG_SUFFIXES = {".m4a", ".aac", ".wma", ".webm", ".mp4", ".amr", ".3gp", ".ac3"}
AUDIO_SUFFIXES = _SOUNDFILE_SUFFIXES | _FFMPEG_SUFFIXES
"""File name endings taken for audio, lower case."""


def read_audio(file: Path, sample_rate_hz: int) -> Audio:
    """Read a file as mono float32 [n_samples] at `sample_rate_hz`.

    libsndfile reads the common formats; pydub, which calls ffmpeg, the odd ones.

    Raises:
        EngineError: If the file cannot be read; names it.
    """
    audio, rate = decode(file)
    return resample(np.ascontiguousarray(audio.mean(axis=1, dtype=np.float32)), rate, sample_rate_hz)


def decode(file: Path) -> tuple[NDArray[np.float32], int]:
    """Read a file unchanged: float32 [n_samples, n_channels], and its sample rate in Hz.

    Raises:
        EngineError: If the file cannot be read; names it.
    """
    try:
        if file.suffix.lower() in _FFMPEG_SUFFIXES:
            return _by_ffmpeg(file)
        import soundfile

        audio, rate = soundfile.read(file, dtype="float32", always_2d=True)
        return audio, int(rate)
    except Exception as error:
        raise EngineError(f"cannot read audio file {file.name}: {error}") from error


def _by_ffmpeg(file: Path) -> tuple[NDArray[np.float32], int]:
    from pydub import AudioSegment

    segment = AudioSegment.from_file(file)
    samples = np.array(segment.get_array_of_samples(), np.float32).reshape(-1, segment.channels)
    return samples / float(1 << (8 * segment.sample_width - 1)), int(segment.frame_rate)


def resample(audio: NDArray[np.float32], from_hz: int, to_hz: int) -> Audio:
    """Change the sample rate of float32 [n_samples] with soxr's high quality.

    >>> len(resample(np.zeros(16_000, np.float32), 16_000, 24_000))
    24000
    """
    if from_hz == to_hz:
        return audio
    import soxr

    return np.asarray(soxr.resample(audio, from_hz, to_hz), np.float32)


def quantize(audio: NDArray[np.float32]) -> tuple[NDArray[np.int16], int]:
    """Round float32 [n_samples] to 16 bits with an exponent of its own, so that quiet audio keeps its detail.

    Returns:
        int16 [n_samples] and the exponent: audio is about int16 x 2 ** -exponent. Quantizing what `dequantize`
        makes of them gives them again.

    >>> quantized, exponent = quantize(np.array([0.25, -0.5, 1e-4], np.float32))
    >>> quantized.tolist(), exponent
    ([8192, -16384, 3], 15)
    """
    peak = max(float(np.abs(audio).max(initial=0)), 2.0**-40)
    exponent = int(np.floor(np.log2(32767.49 / peak)))
    return np.rint(np.ldexp(audio, exponent)).astype(np.int16), exponent


def dequantize(quantized: NDArray[np.int16], exponent: int) -> Audio:
    """The audio of `quantize`, exactly: float32 [n_samples].

    >>> dequantize(np.array([8192], np.int16), 15).tolist()
    [0.25]
    """
    audio: Audio = np.ldexp(quantized.astype(np.float32), -exponent)
    return audio


def window_power(audio: Audio, window: int) -> NDArray[np.float32]:
    """Mean square of each window, the last one padded with zeros: float32 [n_windows], at least one.

    >>> window_power(np.array([1, -1, 2], np.float32), 2).tolist()
    [1.0, 2.0]
    """
    n_windows = max(-(-len(audio) // window), 1)
    padded = np.zeros(n_windows * window, np.float32)
    padded[: len(audio)] = audio
    power: NDArray[np.float32] = np.einsum("ij,ij->i", *(padded.reshape(n_windows, window),) * 2) / window
    return power


def energy_of(audio: Audio) -> float:
    """Sum of squares of float32 [n_samples].

    >>> energy_of(np.array([1, -2], np.float32))
    5.0
    """
    return float(np.dot(audio, audio))


def unit_power(audio: Audio) -> Audio:
    """The same sound at root mean square 1; silence stays silence.

    >>> unit_power(np.array([3, -3], np.float32)).tolist()
    [1.0, -1.0]
    """
    power = energy_of(audio) / max(len(audio), 1)
    return audio / np.float32(np.sqrt(power)) if power > 0 else audio


@lru_cache(maxsize=1)
def _matrices() -> ThreadpoolController:
    """The libraries that multiply matrices, looked up once."""
    return ThreadpoolController().select(user_api="blas")


def product(left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """Matrix product on one thread: libraries share the work out by threads, and then round otherwise.

    >>> product(np.eye(2), np.array([[1.0], [2.0]])).ravel().tolist()
    [1.0, 2.0]
    """
    with _matrices().limit(limits=1):
        found: NDArray[Any] = left @ right
    return found


def whole_frames(audio: NDArray[np.int16], hop: int, name: str) -> int:
    """The number of frames of audio that a tokenizer is to encode.

    Args:
        audio: int16 [n_samples].
        hop: Samples per frame.
        name: Of the tokenizer, for messages.

    Raises:
        ValueError: If it is not int16 [n_samples] or has a part of a frame.

    >>> whole_frames(np.zeros(1920, np.int16), 960, "kmeans")
    2
    """
    if audio.dtype != np.int16 or audio.ndim != 1:
        raise ValueError(f"{name} encodes int16 [n_samples], not {audio.dtype} {list(audio.shape)}")
    if len(audio) % hop:
        raise ValueError(f"{name} encodes whole frames of {hop} samples, not {len(audio)} samples")
    return len(audio) // hop
