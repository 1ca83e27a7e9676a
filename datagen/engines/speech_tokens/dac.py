"""The Descript audio codec (DAC) by transformers: 75 frames per second at 24 kHz, 50 at 16 kHz.

Its convolutions hear on both sides, a few frames far: `reach` counts them. A channel is read in windows with that
much context, whose codes are dropped, so every kept code is that of the whole channel.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import ceil, prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datagen.clock import ceil_div
from datagen.engines import lineage
from datagen.engines.speech_tokens.codec import Codec
from datagen.engines.speech_tokens.codec_model import Family


class Window(NamedTuple):
    """Frames [start, end) that are read, of which [first, last) are kept."""

    start: int
    end: int
    first: int
    last: int


def windows(n_frames: int, n_kept: int, context: int) -> list[Window]:
    """Cut `n_frames` into windows that keep about `n_kept` each, with context on both sides as far as there is any.

    >>> windows(5, 3, 1)
    [Window(start=0, end=3, first=0, last=2), Window(start=1, end=5, first=2, last=5)]
    """
    n_windows = ceil_div(n_frames, n_kept)
    edges = [n_frames * k // n_windows for k in range(n_windows + 1)] if n_windows else []
    return [
        Window(max(first - context, 0), min(last + context, n_frames), first, last) for first, last in pairwise(edges)
    ]


def reach(layers: Iterable[Any]) -> float:
    """Input steps on both sides together that an output step depends on, so the most on one side.

    The sum over all convolutions, in the order they run: a convolution reads (kernel - 1) x dilation more of its own
    steps, a transposed one kernel / stride of its input's.
    """
    import torch

    total, step = 0.0, 1.0
    for layer in layers:
        if isinstance(layer, torch.nn.ConvTranspose1d):
            total += step * layer.kernel_size[0] / layer.stride[0]
            step /= layer.stride[0]
        elif isinstance(layer, torch.nn.Conv1d):
            total += step * (layer.kernel_size[0] - 1) * layer.dilation[0]
            step *= layer.stride[0]
    return total


class Dac(Codec):
    """The speech tokenizer engine `dac`. Its codes depend on a few frames that come later."""

    family = Family("dac", "dac", "DacModel")
    published = "descript/dac_24khz"
    weights, lineage = "MIT", lineage.DAC
    window_s: float = 4
    """Kept length of a window. Any other gives the same codes but for rounding."""

    def _prepared(self) -> tuple[int, int]:
        config = self._net.config
        hop = prod(config.downsampling_ratios)
        self._context = ceil(reach(self._net.encoder.modules()) / hop)
        self._decoder_context = ceil(reach(self._net.decoder.modules()))
        return hop, int(config.n_codebooks)

    def _windows(self, n_frames: int, context: int) -> list[Window]:
        return windows(n_frames, max(round(self.window_s * self.frame_rate_hz), 1), context)

    def _batch(self, channels: Sequence[NDArray[np.float32]]) -> list[NDArray[np.int64]]:
        frames = [len(channel) // self._hop for channel in channels]
        found = [np.zeros((n, self._n_codebooks), np.int64) for n in frames]
        for pieces in self._alike(frames):
            audio = np.stack([channels[k][w.start * self._hop : w.end * self._hop] for k, w in pieces])[:, None]
            quantized = self._net.encode(self._tensor(audio), self._n_codebooks, return_dict=False)[2]
            for (k, w), codes in zip(pieces, quantized.cpu().numpy(), strict=True):
                found[k][w.first : w.last] = codes.T[w.first - w.start : w.last - w.start]
        return found

    def _alike(self, frames: Sequence[int]) -> Iterable[list[tuple[int, Window]]]:
        """Windows of all channels in batches of one length: padding would be heard."""
        by_length = defaultdict[int, list[tuple[int, Window]]](list)
        for k, n in enumerate(frames):
            for w in self._windows(n, self._context):
                by_length[w.end - w.start].append((k, w))
        for pieces in by_length.values():
            for at in range(0, len(pieces), self._batch_size):
                yield pieces[at : at + self._batch_size]

    def _heard(self, codes: NDArray[np.int64]) -> NDArray[np.float32]:
        audio = np.zeros(len(codes) * self._hop, np.float32)
        for w in self._windows(len(codes), self._decoder_context):
            given = self._tensor(np.ascontiguousarray(codes[w.start : w.end].T)[None])
            heard = self._net.decode(audio_codes=given, return_dict=False)[0][0].cpu().numpy()
            begin = (w.first - w.start) * self._hop
            kept = heard[begin : begin + (w.last - w.first) * self._hop]
            audio[w.first * self._hop : w.first * self._hop + len(kept)] = kept
        return audio
