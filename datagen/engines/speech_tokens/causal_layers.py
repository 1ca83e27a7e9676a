"""Causal layers of Mimi and EnCodec run piece by piece, exactly as over the whole.

transformers runs these networks over whole channels. Every layer is causal, so a layer that remembers the end of
what it has read gives the same for the next piece as for the whole:

    convolution               the last (kernel - 1) x dilation + 1 - stride inputs
    transposed convolution    the last ceil((kernel - stride) / stride) inputs
    LSTM                      its state
    transformer               keys and values within its window, by the library's own cache

Only the start of a channel is padded as the library does it: with zeros, with the first value, or by reflection.
"""

from collections.abc import Sequence
from typing import Any

from datagen.clock import ceil_div


class Piecewise:
    """Causal layers in order, for one batch of channels from their start on. Not for reuse by other channels.

    It knows layers by their parts, which are named alike in Mimi and EnCodec: `block` (residual), `lstm`, `conv`.
    """

    def __init__(self, layers: Sequence[Any]) -> None:
        """Set the layers."""
        self._layers = layers
        self._memory: dict[int, Any] = {}
        """Memory of each layer, by its identity."""

    def __call__(self, x: Any) -> Any:
        """The output for the next piece.

        Args:
            x: float32 [batch, n_features, n_steps]; the number of steps is divisible by the product of all strides.

        Returns:
            float32 [batch, n_features, n_steps / strides], or x strides for transposed convolutions.
        """
        for layer in self._layers:
            x = self._run(layer, x)
        return x

    def _run(self, layer: Any, x: Any) -> Any:
        if hasattr(layer, "block"):
            within = x
            for each in layer.block:
                within = self._run(each, within)
            return self._run(layer.shortcut, x) + within
        if hasattr(layer, "lstm"):
            return self._lstm(layer, x)
        if not hasattr(layer, "conv"):
            return layer(x)  # an activation, or the identity
        import torch

        transposed = isinstance(layer.conv, torch.nn.ConvTranspose1d)
        return self._transposed(layer, x) if transposed else self._conv(layer, x)

    def _lstm(self, layer: Any, x: Any) -> Any:
        steps = x.permute(2, 0, 1)
        out, self._memory[id(layer)] = layer.lstm(steps, self._memory.get(id(layer)))
        return (out + steps).permute(1, 2, 0)

    def _conv(self, layer: Any, x: Any) -> Any:
        import torch

        n_before = int(layer.padding_total)
        if id(layer) in self._memory:
            x = torch.cat([self._memory[id(layer)], x], dim=2)
        else:
            x = layer._pad1d(x, (n_before, 0), layer.pad_mode)
        self._memory[id(layer)] = x[..., x.shape[-1] - n_before :]
        return layer.conv(x)

    def _transposed(self, layer: Any, x: Any) -> Any:
        import torch

        kernel, stride = layer.conv.kernel_size[0], layer.conv.stride[0]
        n_before, n_new = ceil_div(kernel - stride, stride), x.shape[-1]
        before = self._memory.get(id(layer), x[..., :0])
        read = torch.cat([before, x], dim=2)
        self._memory[id(layer)] = read[..., max(read.shape[-1] - n_before, 0) :]
        begin = before.shape[-1] * stride
        return layer.conv(read)[..., begin : begin + n_new * stride]


class CausalTransformer:
    """Mimi's transformer over the next piece, with the keys and values of the pieces before."""

    def __init__(self, transformer: Any) -> None:
        """Begin a channel."""
        from transformers import DynamicCache

        self._transformer, self._cache = transformer, DynamicCache(config=transformer.config)

    def __call__(self, x: Any) -> Any:
        """float32 [batch, n_features, n_steps] of the same shape."""
        # by place, because the cache had another name before transformers 5.24
        found = self._transformer(x.transpose(1, 2), None, None, self._cache, True)
        return found.last_hidden_state.transpose(1, 2)
