"""Causal codecs: a channel is read in blocks from its start on, and every block continues the one before.

Blocks have one length, and the last is padded with silence, which causal layers cannot hear. So a code depends on
the audio up to the end of its frame and on nothing else: bit by bit, whatever comes after it and however long the
channel is. Memory does not grow with the length, save for the audio itself.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from datagen.clock import ceil_div
from datagen.engines.speech_tokens.codec import Codec

Piece = Callable[[Any], Any]
"""Reads the next piece of a batch of channels."""


class CausalCodec(Codec):
    """A codec whose encoder and decoder hear nothing that comes later."""

    block_s: float = 2
    """Length of a block. Any other gives the same codes but for rounding."""
    pads_short: ClassVar[bool] = True
    """True if a channel shorter than a block is padded to one; False if its end is heard at its start."""

    @abstractmethod
    def _encoder(self) -> Piece:
        """Begin channels: float32 [batch, 1, n * hop] → codes, int64 [batch, n_codebooks, n]."""

    @abstractmethod
    def _decoder(self) -> Piece:
        """Begin a channel: codes, int64 [1, k, n] → float32 [1, 1, n * hop]."""

    @property
    def _block_frames(self) -> int:
        return max(round(self.block_s * self.frame_rate_hz), 1)

    def _batch(self, channels: Sequence[NDArray[np.float32]]) -> list[NDArray[np.int64]]:
        long = [k for k, x in enumerate(channels) if self.pads_short or len(x) >= self._block_frames * self._hop]
        found = dict(zip(long, self._together([channels[k] for k in long], self._block_frames), strict=True))
        for k in set(range(len(channels))) - set(long):
            (found[k],) = self._together([channels[k]], len(channels[k]) // self._hop)
        return [found[k] for k in range(len(channels))]

    def _together(self, channels: Sequence[NDArray[np.float32]], block_frames: int) -> list[NDArray[np.int64]]:
        """Codes of channels, padded with silence to the longest and to whole blocks."""
        import torch

        n_samples = block_frames * self._hop
        encode, pieces = self._encoder(), list[Any]()
        for begin in range(0, max(map(len, channels), default=0), n_samples):
            block = np.zeros((len(channels), 1, n_samples), np.float32)
            for row, channel in zip(block, channels, strict=True):
                heard = channel[begin : begin + n_samples]
                row[0, : len(heard)] = heard
            pieces.append(encode(self._tensor(block)).cpu())
        if not pieces:
            return []
        codes = torch.cat(pieces, dim=2).numpy()
        return [row[:, : len(x) // self._hop].T for row, x in zip(codes, channels, strict=True)]

    def _heard(self, codes: NDArray[np.int64]) -> NDArray[np.float32]:
        n_frames, step = len(codes), self._block_frames
        padded = np.zeros((ceil_div(n_frames, step) * step, codes.shape[1]), np.int64) if self.pads_short else codes
        padded[:n_frames] = codes
        decode = self._decoder()
        pieces = [
            decode(self._tensor(np.ascontiguousarray(padded[at : at + step].T)[None]))[0, 0].cpu().numpy()
            for at in range(0, len(padded), step)
        ]
        return np.concatenate(pieces)[: n_frames * self._hop]
