"""The network of the embedded decoder: codes to hibari's hidden frames, F0 and level, as they come.

    codes, 25 per second → embedding → convolution blocks → between codes: 80 frames per second → blocks → frames

Weights are stored as int8 and used as float32. A stream keeps the rows that its convolutions still need, so codes may
come in pieces of any length: frames differ by rounding alone. A frame depends on codes up to `AHEAD_CODES` after its
own. `tools/train_decoder.py` trains the network and writes its file.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datagen.engines.base import Codes

FORMAT = 1
N_HIDDEN = 256
"""Width of the layer before hibari's head."""
CODES_PER_CYCLE, FRAMES_PER_CYCLE = 5, 16
"""Sixteen frames of 12.5 ms are as long as five codes of 40 ms."""
SLOW_AHEAD, FAST_AHEAD = 1, 2
"""Rows that a block looks ahead, before and after the rate changes."""
MEAN_LOG_F0 = 5.2
EPSILON = 1e-5
_F0_LIMITS_HZ = (50.0, 500.0)
_LOG_GAIN_LIMITS = (-4.0, 2.0)

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class DecodedFrames:
    """Frames of 12.5 ms."""

    hidden: Floats
    """float32 [n_frames, N_HIDDEN], as hibari's head takes it."""
    f0: Floats
    """Hertz, float32 [n_frames]; 0 where unvoiced."""
    log_gain: Floats
    """Natural logarithm of the level relative to hibari's own, float32 [n_frames]."""


def frames_of(out: Floats) -> DecodedFrames:
    """The frames that the network's last layer states, float32 [n_frames, N_HIDDEN + 3]: hidden, F0, voicing, gain."""
    f0 = np.exp(np.clip(out[:, N_HIDDEN] + MEAN_LOG_F0, *np.log(_F0_LIMITS_HZ)))
    voiced = out[:, N_HIDDEN + 1] > 0
    return DecodedFrames(
        np.ascontiguousarray(out[:, :N_HIDDEN]),
        np.where(voiced, f0, 0).astype(np.float32),
        np.clip(out[:, N_HIDDEN + 2], *_LOG_GAIN_LIMITS).astype(np.float32),
    )


def places(first: int, n: int) -> tuple[NDArray[np.int64], Floats]:
    """For frames `first` to `first + n`: index of the code whose middle is before the frame's, share of the next code.

    >>> [part.tolist() for part in places(0, 3)]
    [[-1, -1, 0], [0.65625, 0.96875, 0.28125]]
    """
    at = (np.arange(first, first + n) + 0.5) * CODES_PER_CYCLE / FRAMES_PER_CYCLE - 0.5
    before = np.floor(at).astype(np.int64)
    return before, (at - before).astype(np.float32)


def n_frames_of(n_codes: int) -> int:
    """Frames that cover `n_codes` codes.

    >>> n_frames_of(5), n_frames_of(1)
    (16, 4)
    """
    return -(-n_codes * FRAMES_PER_CYCLE // CODES_PER_CYCLE)


class DecoderNetwork:
    """The weights. `stream` runs them."""

    def __init__(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """A network from the arrays of a file.

        Raises:
            KeyError, ValueError: If they are no network of this format.
        """
        if int(arrays["format"]) != FORMAT:
            raise ValueError(f"format {arrays['format']}, not {FORMAT}")

        def floats(name: str) -> Floats:
            values = arrays[name].astype(np.float32)
            return values * arrays[f"{name}.scale"].astype(np.float32) if f"{name}.scale" in arrays else values

        self.table, self.phase = floats("table.weight"), floats("phase")
        self.enter, self.leave = ((floats(f"{name}.weight"), floats(f"{name}.bias")) for name in ("enter", "leave"))
        self.slow, self.fast = (
            [_Block.of(floats, f"{kind}.{k}", ahead) for k in range(_count(arrays, kind))]
            for kind, ahead in (("slow", SLOW_AHEAD), ("fast", FAST_AHEAD))
        )

    def stream(self) -> "NetworkStream":
        """A stream that has received nothing."""
        return NetworkStream(self)


def _count(arrays: Mapping[str, NDArray[np.generic]], kind: str) -> int:
    return len({name.split(".")[1] for name in arrays if name.startswith(f"{kind}.")})


@dataclass(frozen=True)
class _Block:
    """A depthwise convolution and two layers, added to what goes in."""

    depthwise: Floats
    """[kernel, width]"""
    ahead: int
    weights: tuple[Floats, Floats, Floats, Floats, Floats]
    """Bias of the convolution; weight and bias of each layer."""

    @classmethod
    def of(cls, floats: Callable[[str], Floats], name: str, ahead: int) -> "_Block":
        depthwise = floats(f"{name}.depthwise.weight")
        parts = ("depthwise.bias", "first.weight", "first.bias", "second.weight", "second.bias")
        bias, first, first_bias, second, second_bias = (floats(f"{name}.{part}") for part in parts)
        return cls(depthwise, ahead, (bias, first, first_bias, second, second_bias))

    def first_rows(self) -> Floats:
        """Rows kept at the beginning: silence before the first."""
        return np.zeros((len(self.depthwise) - 1 - self.ahead, self.depthwise.shape[1]), np.float32)

    def run(self, kept: Floats, new: Floats, last: bool) -> tuple[Floats, Floats]:
        """Rows that can be computed now, and rows to keep."""
        end = [np.zeros((self.ahead, new.shape[1]), np.float32)] if last else []
        rows = np.concatenate([kept, new, *end])
        n_kernel = len(self.depthwise)
        n = len(rows) - n_kernel + 1
        if n <= 0:
            return rows[:0], rows
        bias, first, first_bias, second, second_bias = self.weights
        mixed = rows[:n] * self.depthwise[0] + bias
        for k in range(1, n_kernel):
            mixed += rows[k : k + n] * self.depthwise[k]
        inner = normalized(mixed) @ first
        inner += first_bias
        np.maximum(inner, 0, out=inner)
        out: Floats = (inner @ second).astype(np.float32, copy=False)
        out += second_bias
        before = n_kernel - 1 - self.ahead
        out += rows[before : before + n]
        return out, rows[n:]


def normalized(rows: Floats) -> Floats:
    """Rows of root mean square 1."""
    power: Floats = np.einsum("nc,nc->n", rows, rows) / np.float32(rows.shape[1])
    scaled: Floats = rows / np.sqrt(power + np.float32(EPSILON))[:, None]
    return scaled


class NetworkStream:
    """Codes in, frames out, in pieces."""

    def __init__(self, network: DecoderNetwork) -> None:
        """Begin a stream."""
        self._network = network
        self._slow_kept, self._fast_kept = ([b.first_rows() for b in blocks] for blocks in (network.slow, network.fast))
        self._codes = np.zeros((0, network.phase.shape[1]), np.float32)
        self._n_dropped = self._n_codes = self._n_frames = 0

    def push(self, codes: Codes, last: bool = False) -> DecodedFrames:
        """Frames that are certain after `codes`; with `last` all that are left.

        Args:
            codes: uint16 [n], each a row of the embedding.
            last: True if no more will come.
        """
        net = self._network
        rows = net.table[codes] @ net.enter[0] + net.enter[1]
        rows = _through(net.slow, self._slow_kept, rows, last)
        rows = _through(net.fast, self._fast_kept, self._between(rows, last), last)
        out = normalized(rows) @ net.leave[0] + net.leave[1]
        return frames_of(out)

    def _between(self, rows: Floats, last: bool) -> Floats:
        """Rows at 80 per second between those of codes, which come at 25, as far as the next code is known."""
        self._codes = np.concatenate([self._codes, rows])
        self._n_codes += len(rows)
        end = n_frames_of(self._n_codes) if last else _n_certain(self._n_codes)
        before, share = places(self._n_frames, max(end - self._n_frames, 0))
        cycle = np.arange(self._n_frames, self._n_frames + len(before)) % FRAMES_PER_CYCLE
        left, right = (np.clip(before + k, 0, self._n_codes - 1) - self._n_dropped for k in (0, 1))
        found: Floats = self._codes[left]
        found += share[:, None] * (self._codes[right] - found)
        found += self._network.phase[cycle]
        self._n_frames += len(before)
        n_old = max(self._n_codes - self._n_dropped - 2, 0)
        self._codes, self._n_dropped = self._codes[n_old:], self._n_dropped + n_old
        return found


def _through(blocks: list[_Block], kept: list[Floats], rows: Floats, last: bool) -> Floats:
    for k, block in enumerate(blocks):
        rows, kept[k] = block.run(kept[k], rows, last)
    return rows


def _n_certain(n_codes: int) -> int:
    """Frames that need no code after the first `n_codes`.

    >>> _n_certain(0), _n_certain(1), places(1, 2)[0].tolist()
    (0, 2, [-1, 0])
    """
    return max(-(-(32 * n_codes - 21) // 10), 0)
