"""hibari's waveform as a stream: frames of its head and F0 in, samples out, in pieces of any length.

`hibari_net.synthesize` makes a phrase at once, of the same parts. A sample is certain four frames after its own.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from datagen.engines.tts import hibari_net as net
from datagen.engines.tts.hibari_net import Floats

_OVERLAP = 4
"""Frames that a sample is part of."""
_GROUP = 4
"""Frames are made by fours, so that the noise drawn for them does not depend on the pieces."""


class SoundStream:
    """Frames of one voice to samples."""

    def __init__(self, rng: np.random.Generator) -> None:
        """Begin a stream.

        Args:
            rng: For the noise in the voice.
        """
        self._rng = rng
        self._f0, self._first = np.zeros(0, np.float32), True
        self._cycles = 0.0
        self._train = np.zeros((2, net.HOP_SAMPLES), np.float32)
        self._head = np.zeros((0, 5 * net.N_BINS), np.float32)
        self._sums = np.zeros((_OVERLAP - 1, net.HOP_SAMPLES), np.float32)
        self._n_rows = -2
        """Rows given out; the first two lie before the beginning."""

    def push(self, head: Floats, f0: Floats, last: bool = False) -> Floats:
        """Samples that are certain after these frames; with `last` all that are left.

        Args:
            head: float32 [n_frames, 5 * N_BINS], as of `hibari_net.synthesize`.
            f0: Hertz, float32 [n_frames], 0 where unvoiced.
            last: True if no more will come.
        """
        self._head = np.concatenate([self._head, head])
        self._train = np.concatenate([self._train, self._pulses(f0, last)])
        n_ready = len(self._train) - (_OVERLAP - 1)
        n_ready = max(n_ready if last else n_ready // _GROUP * _GROUP, 0)
        starts = range(0, n_ready, net.BLOCK_FRAMES)
        rows = [self._made(start, min(start + net.BLOCK_FRAMES, n_ready)) for start in starts]
        self._head, self._train = self._head[n_ready:], self._train[n_ready:]
        done = np.concatenate([self._sums[:0], *rows, *([self._sums[:2]] if last else [])])
        begin, self._n_rows = self._n_rows, self._n_rows + len(done)
        if begin < 0:
            done = done[-begin:]
        if begin <= 0 < self._n_rows:
            done[0] *= net.EDGES[0]
        if last:
            done[-2:] *= net.EDGES[1:][-len(done[-2:]) :]
        return done.reshape(-1)

    def _pulses(self, f0: Floats, last: bool) -> Floats:
        """Rows of the pulse train of all frames whose next frame is known; a row of silence at the end."""
        known = np.concatenate([self._f0, f0])
        if self._first and len(known):
            known, self._first = np.concatenate([known[:1], known]), False
        if last:
            known = np.concatenate([known, known[-1:]])
        if len(known) < 3:
            self._f0, train = known, self._train[:0]
        else:
            self._f0 = known[-2:]
            train, self._cycles = net.pulse_train(sliding_window_view(known, 3), self._cycles)
        return np.concatenate([train, np.zeros((1, net.HOP_SAMPLES), np.float32)]) if last else train

    def _made(self, start: int, stop: int) -> Floats:
        """Rows that are complete with frames `start` to `stop`, one per frame."""
        n = stop - start
        train = self._train[start : stop + _OVERLAP - 1].reshape(-1)
        windows = sliding_window_view(train, net.N_FFT)[:: net.HOP_SAMPLES]
        voiced = np.flatnonzero(windows.any(axis=1))
        frames = net.frames_of(self._head[start:stop], voiced, windows[voiced], self._rng)
        sums = np.zeros((n + _OVERLAP - 1, net.HOP_SAMPLES), np.float32)
        sums[: _OVERLAP - 1] = self._sums
        for k in range(_OVERLAP):
            sums[k : k + n] += frames[:, k]
        self._sums = sums[n:]
        return sums[:n]
