"""Adding up: layers of sounds and loops into an int16 channel, a block at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datagen.acoustics.levels import FULL_SCALE, Segments, energy_of, peak_of
from datagen.engines.base import Audio, Loop

_BLOCK_SAMPLES = 1 << 16
"""Samples mixed at a time: 256 KiB of float32 stay in the cache however long the conversation is."""


@dataclass(frozen=True)
class Layer:
    """Sounds of one kind in a channel, or a loop that is heard all through it, and their gain."""

    sounds: Segments | Loop
    """Segments must not overlap: their peak is that of the layer."""
    gain: float

    @property
    def peak(self) -> float:
        """No sample of the layer is larger."""
        if isinstance(self.sounds, Loop):
            return peak_of(self.sounds.audio) * self.gain
        return max((peak_of(audio) for _, audio in self.sounds), default=0.0) * self.gain


def headroom(peak: float, peak_dbfs: float) -> float:
    """Gain that brings a peak under a limit; 1 if it is already.

    >>> headroom(2.0, 0.0), headroom(0.5, 0.0)
    (0.5, 1.0)
    """
    limit = 10 ** (peak_dbfs / 20)
    return min(1.0, limit / peak) if peak else 1.0


def power_of(loop: Loop, n_samples: int) -> float:
    """Mean square of the first `n_samples` heard of a loop; positive even for silence.

    >>> power_of(Loop(np.array([1, 3], np.float32), start_samples=1), 3)
    6.333333333333333
    """
    n_rounds, rest = divmod(n_samples, len(loop.audio))
    energy = n_rounds * energy_of(loop.audio) if n_rounds else 0.0
    energy += sum(energy_of(piece) for piece in _pieces(loop, 0, rest))
    return max(energy / max(n_samples, 1), 1e-20)


def _pieces(loop: Loop, begin: int, end: int) -> Iterator[Audio]:
    """What is heard of a loop in [begin, end), at most one round, without copying."""
    start = (loop.start_samples + begin) % len(loop.audio)
    n = end - begin
    yield loop.audio[start : start + n]
    if start + n > len(loop.audio):
        yield loop.audio[: start + n - len(loop.audio)]


def render_clean(channel: NDArray[np.int16], segments: Segments, gain: float) -> None:
    """Write gain x sound into `channel`, int16 [n_samples], which holds zeros; segments do not overlap."""
    for start, audio in segments:
        channel[start : start + len(audio)] = np.rint(audio * np.float32(gain * FULL_SCALE))


def render(channel: NDArray[np.int16], layers: Sequence[Layer]) -> None:
    """Write the sum of layers into `channel`, int16 [n_samples]; loops first. The sum must not exceed full scale."""
    buffer = np.empty(_BLOCK_SAMPLES, np.float32)
    loops = [(layer.sounds, layer.gain) for layer in layers if isinstance(layer.sounds, Loop)]
    sounds = [(layer.sounds, layer.gain) for layer in layers if not isinstance(layer.sounds, Loop)]
    for begin in range(0, len(channel), _BLOCK_SAMPLES):
        end = min(begin + _BLOCK_SAMPLES, len(channel))
        block = buffer[: end - begin]
        if not loops:
            block.fill(0)
        for index, (loop, gain) in enumerate(loops):
            _lay(block, loop, begin, np.float32(gain * FULL_SCALE), onto=index > 0)
        for segments, gain in sounds:
            _add(block, segments, begin, np.float32(gain * FULL_SCALE))
        channel[begin:end] = np.rint(block, out=block)


def _add(block: NDArray[np.float32], segments: Segments, begin: int, gain: np.float32) -> None:
    """Add what sounds in [begin, begin + len(block))."""
    end = begin + len(block)
    for start, audio in segments:
        first, last = max(start, begin), min(start + len(audio), end)
        if first < last:
            block[first - begin : last - begin] += audio[first - start : last - start] * gain


def _lay(block: NDArray[np.float32], loop: Loop, begin: int, gain: np.float32, onto: bool) -> None:
    """Fill a block with the loop heard from `begin` on, a round at a time, or add it onto what is there."""
    at = 0
    while at < len(block):
        for piece in _pieces(loop, begin + at, begin + min(len(block), at + len(loop.audio))):
            part = block[at : at + len(piece)]
            if onto:
                part += piece * gain
            else:
                np.multiply(piece, gain, out=part)
            at += len(piece)
