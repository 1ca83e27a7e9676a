"""Adding up: layers of sounds into an int16 channel, a block at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datagen.engines.base import Audio
from datagen.pipeline.levels import FULL_SCALE, Segments, peak_of

_BLOCK_SAMPLES = 1 << 16
"""Samples mixed at a time: 256 KiB of float32 stay in the cache however long the conversation is."""


@dataclass(frozen=True)
class Layer:
    """Sounds of one kind in a channel, or one that fills it, and their gain."""

    sounds: Segments | Audio
    """Segments must not overlap: their peak is that of the layer. Audio is as long as the channel."""
    gain: float
    loudest: float | None = None
    """The largest magnitude in the sounds, if it is known already."""

    @property
    def peak(self) -> float:
        """No sample of the layer is larger."""
        if self.loudest is not None:
            return self.loudest * self.gain
        if isinstance(self.sounds, np.ndarray):
            return peak_of(self.sounds) * self.gain
        return max((peak_of(audio) for _, audio in self.sounds), default=0.0) * self.gain


def headroom(peak: float, peak_dbfs: float) -> float:
    """Gain that brings a peak under a limit; 1 if it is already.

    >>> headroom(2.0, 0.0), headroom(0.5, 0.0)
    (0.5, 1.0)
    """
    limit = 10 ** (peak_dbfs / 20)
    return min(1.0, limit / peak) if peak else 1.0


def render_clean(channel: NDArray[np.int16], segments: Segments, gain: float) -> None:
    """Write gain x sound into `channel`, int16 [n_samples], which holds zeros; segments do not overlap."""
    for start, audio in segments:
        scaled = audio * np.float32(gain * FULL_SCALE)
        channel[start : start + len(audio)] = np.rint(scaled, out=scaled)


def render(channel: NDArray[np.int16], layers: Sequence[Layer]) -> None:
    """Write the sum of layers into `channel`, int16 [n_samples]. The sum must not exceed full scale."""
    buffer = np.empty(_BLOCK_SAMPLES, np.float32)
    gained = [(layer.sounds, np.float32(layer.gain * FULL_SCALE)) for layer in layers]
    beds = [(sounds, gain) for sounds, gain in gained if isinstance(sounds, np.ndarray)]
    singles = [(sounds, gain) for sounds, gain in gained if not isinstance(sounds, np.ndarray)]
    for begin in range(0, len(channel), _BLOCK_SAMPLES):
        end = min(begin + _BLOCK_SAMPLES, len(channel))
        block = buffer[: end - begin]
        if not beds:
            block.fill(0)
        for index, (bed, gain) in enumerate(beds):
            if index:
                block += bed[begin:end] * gain
            else:
                np.multiply(bed[begin:end], gain, out=block)
        for segments, gain in singles:
            _add(block, segments, begin, gain)
        channel[begin:end] = np.rint(block, out=block)


def _add(block: NDArray[np.float32], segments: Segments, begin: int, gain: np.float32) -> None:
    """Add what sounds in [begin, begin + len(block))."""
    end = begin + len(block)
    for start, audio in segments:
        first, last = max(start, begin), min(start + len(audio), end)
        if first < last:
            block[first - begin : last - begin] += audio[first - start : last - start] * gain
