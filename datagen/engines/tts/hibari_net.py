"""hibari's network, opened: phoneme lengths as an output, frames in rows, and a head per voice.

The network is cut in two. The body leads from phonemes to hidden frames, F0 and phoneme lengths. The head is its last
layer, a matrix product that gives five numbers per frequency bin; being linear, it can have another voice's formants
and tilt in its weights, so that other voices cost nothing per frame.

All names are internals of one release: the package is pinned exactly, and what is missing is an error that says so.
Source: the graph of `assets/hibari.onnx`, hibari-tts 0.2.1 (Apache-2.0).
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.engines.model_files import one_thread
from datagen.engines.tts import hibari_dsp as dsp
from datagen.engines.tts.renderings import Variant
from datagen.errors import EngineError

_IDS, _SPEED, _F0 = "ids", "speed", "f0"
_UNITS = "/Clip_output_0"
_HIDDEN = "/dec_norm/LayerNormalization_output_0"
_HEAD = "/head/Add_output_0"
_HEAD_WEIGHT = "/head/Transpose_output_0_quantized"
_HEAD_BIAS = "m.head.bias"
_QUANTIZED = ("scale", "zero_point")
_STACKS = (("dec", 8, "/dec_in/Conv", "/Transpose_57"), ("pro", 6, "/pro_in/Conv", "/pro_out/Conv"))
"""Stacks of convolution blocks: name, number of blocks, the node before and the node after."""
_UNIT_SAMPLES = 600
"""Length of one unit of the duration tensor: 25 ms, two frames."""
_TILT_FROM_HZ = 500.0
_F0_LIMITS_HZ = (50.0, 500.0)
_SPEEDS = 25
_SHORT_IDS = 24
"""Most phonemes, pads included, of a phrase that is remembered: a token of two or three words."""
_MOST_BODIES = 600


@dataclass(frozen=True)
class Frames:
    """Outputs of the network for a phrase."""

    ends: NDArray[np.int64]
    """Ends of phonemes in the audio, in samples, int64 [n_ids]."""
    f0: dsp.Floats
    """Hz, float32 [n_frames]; about 0 where unvoiced."""
    head: dsp.Floats
    """float32 [n_frames, 5 * N_BINS], as `dsp.synthesize` wants it."""


class HibariNetwork:
    """The network with one head per voice used so far. Loads at the first phrase."""

    def __init__(self) -> None:
        """Load nothing yet."""
        self._heads: dict[Variant, Any] = {}
        self._bodies: OrderedDict[tuple[tuple[int, ...], float], tuple[Any, Any, Any]] = OrderedDict()

    def run(self, ids: Sequence[int], voice: Variant, pace: float = 1.0) -> Frames:
        """Predict the frames of a phrase.

        Args:
            ids: Phonemes, with a pad at both ends.
            voice: Who speaks.
            pace: 1 as the voice is, 1.1 a tenth faster.

        Raises:
            EngineError: If the network is not the one known.
        """
        hidden, f0, units = self._through_body(tuple(ids), float(np.float32(voice.pace * pace)))
        if voice not in self._heads:
            self._heads[voice] = _session(_voiced_head(self._model, voice))
        (head,) = self._heads[voice].run([_HEAD], {_HIDDEN: hidden})
        ends = np.cumsum(np.rint(units).reshape(-1).astype(np.int64)) * _UNIT_SAMPLES
        if len(ends) != len(ids) or ends[-1] != len(head[0]) * dsp.HOP_SAMPLES:
            raise EngineError("hibari: phoneme lengths do not sum to the audio's; only release 0.2.1 is known")
        return Frames(ends, intoned(f0[0], voice.f0, voice.f0_range), head[0])

    def _through_body(self, ids: tuple[int, ...], speed: float) -> tuple[Any, Any, Any]:
        """Hidden frames, F0 and lengths of phonemes; those of short phrases at a common speed are remembered.

        The body knows neither voice nor noise, so what it makes of a token serves all voices.
        """
        key = ids, speed
        if key in self._bodies:
            self._bodies.move_to_end(key)
            return self._bodies[key]
        inputs = {_IDS: np.array([ids], np.int64), _SPEED: np.array([speed], np.float32)}
        hidden, f0, units = self._body.run([_HIDDEN, _F0, _UNITS], inputs)
        if len(ids) <= _SHORT_IDS and speed == float(np.float32(common_speed(speed))):
            self._bodies[key] = hidden, f0, units
            if len(self._bodies) > _MOST_BODIES:
                self._bodies.popitem(last=False)
        return hidden, f0, units

    @cached_property
    def _model(self) -> Any:
        import onnx

        model = onnx.load_from_string(resources.files("hibari").joinpath("assets", "hibari.onnx").read_bytes())
        try:
            _lay_frames_in_rows(model)
        except KeyError as error:
            raise EngineError(f"hibari's network has no {error}; only release 0.2.1 is known") from error
        return model

    @cached_property
    def _body(self) -> Any:
        return _session(_cut(self._model, [_IDS, _SPEED], [_HIDDEN, _F0, _UNITS]))


def common_speed(speed: float) -> float:
    """The nearest of the speeds that tokens are spoken at, a twenty-fifth apart.

    >>> common_speed(1.03), common_speed(0.913)
    (1.04, 0.92)
    """
    return round(speed * _SPEEDS) / _SPEEDS


def intoned(f0: dsp.Floats, factor: float, exponent: float) -> dsp.Floats:
    """F0 with another level and range: voiced frames scaled about their geometric mean. Hz, float32 [n_frames].

    >>> intoned(np.array([0, 100, 400], np.float32), 0.5, 1.0).tolist()
    [0.0, 50.0, 200.0]
    """
    voiced = f0 > dsp.VOICED_HZ
    if factor == exponent == 1 or not voiced.any():
        return f0
    mean = np.exp(np.log(f0[voiced]).mean())
    changed = f0.copy()
    changed[voiced] = np.clip(mean * factor * (f0[voiced] / mean) ** exponent, *_F0_LIMITS_HZ)
    return changed


def _voiced_head(model: Any, voice: Variant) -> Any:
    """The head with the formants, tilt and level of `voice` in its weights, as an ONNX model.

    The frequency axis is stretched by linear interpolation between columns; angles that wrap (phi) are taken from
    the nearest. Interpolating int8 weights keeps their scale and costs no more precision than they had.
    Fewer harmonics carry less energy, more of them more: half of log(f0) makes up for it.
    """
    from onnx import numpy_helper

    head = _cut(model, [_HIDDEN], [_HEAD])
    tensors = {tensor.name: tensor for tensor in head.graph.initializer}
    weight = numpy_helper.to_array(tensors[_HEAD_WEIGHT]).astype(np.float64)
    bias = numpy_helper.to_array(tensors[_HEAD_BIAS]).astype(np.float64)
    at = np.minimum(np.arange(dsp.N_BINS) / voice.vtl, dsp.N_BINS - 1)
    below = np.minimum(at.astype(np.int64), dsp.N_BINS - 2)
    share = at - below
    for part in (dsp.LH, dsp.THETA, dsp.LN, dsp.LR, dsp.PHI):
        between = np.rint(share) if part == dsp.PHI else share
        for table in (weight, bias):
            table[..., part] = table[..., part][..., below] * (1 - between) + table[..., part][..., below + 1] * between
    hz = np.maximum(np.arange(dsp.N_BINS) * dsp.SAMPLE_RATE_HZ / dsp.N_FFT, _TILT_FROM_HZ)
    tilt = np.log(10) / 20 * voice.tilt_db * np.log2(hz / _TILT_FROM_HZ)
    bias[dsp.LH] += tilt + 0.5 * np.log(voice.f0)
    bias[dsp.LN] += tilt - dsp.LOG_NOISE
    bias[dsp.LR] += tilt
    tensors[_HEAD_WEIGHT].CopyFrom(numpy_helper.from_array(np.rint(weight).astype(np.int8), _HEAD_WEIGHT))
    tensors[_HEAD_BIAS].CopyFrom(numpy_helper.from_array(bias.astype(np.float32), _HEAD_BIAS))
    return head


def _lay_frames_in_rows(model: Any) -> None:
    """Rewrite the stacks of convolution blocks for speed, in place; what they compute changes by rounding alone.

    As exported, a block has channels in rows, turns them twice, and convolves at a rank that onnxruntime has no fast
    kernel for. Here frames stay in rows through a stack, as [1, 1, n_frames, n_channels].

    Raises:
        KeyError: If the network is not the one known; names the node.
    """
    from onnx import TensorProto, helper

    def add(op: str, inputs: list[str], output: str, **attributes: Any) -> None:
        model.graph.node.append(helper.make_node(op, inputs, [output], **attributes))

    nodes = {node.name: node for node in model.graph.node}
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    model.graph.initializer.append(helper.make_tensor("row", TensorProto.INT64, [1], [1]))
    for stack, n_blocks, before, after in _STACKS:
        first, last = nodes[before].output, nodes[after].input
        rows_in, rows_out = first[0], last[0]
        first[0], last[0] = f"{stack}.before", f"{stack}.after"
        add("Transpose", [first[0]], f"{stack}.turned", perm=[0, 2, 1])
        add("Unsqueeze", [f"{stack}.turned", "row"], rows_in)
        for i in range(n_blocks):
            block = f"/{stack}.{i}"
            _lay_block_in_rows(block, nodes, weights)
            convolution = nodes[f"{block}/dw/Conv"]
            add("Transpose", [convolution.input[0]], f"{block}.columns", perm=[0, 3, 1, 2])
            convolution.input[0] = f"{block}.columns"
        add("Squeeze", [rows_out, "row"], f"{stack}.squeezed")
        add("Transpose", [f"{stack}.squeezed"], last[0], perm=[0, 2, 1])


def _lay_block_in_rows(block: str, nodes: dict[str, Any], weights: dict[str, Any]) -> None:
    """Raise the rank of a block's convolution and turn only what goes in and out of it.

    The factor per channel at the end of the block goes into the weights of its last layer.
    """
    from onnx import helper, numpy_helper

    def change(name: str, values: NDArray[Any]) -> None:
        weights[name].CopyFrom(numpy_helper.from_array(values, name))

    convolution = nodes[f"{block}/dw/Conv"]
    change(convolution.input[1], numpy_helper.to_array(weights[convolution.input[1]])[:, :, None])
    old = {attribute.name: helper.get_attribute_value(attribute) for attribute in convolution.attribute}
    del convolution.attribute[:]
    convolution.attribute.extend(
        helper.make_attribute(name, value)
        for name, value in {
            "group": old["group"],
            "kernel_shape": [1, *old["kernel_shape"]],
            "dilations": [1, *old["dilations"]],
            "pads": [0, old["pads"][0], 0, old["pads"][1]],
        }.items()
    )
    nodes[f"{block}/Transpose"].attribute[0].ints[:] = [0, 2, 3, 1]
    nodes[f"{block}/Transpose_1"].op_type = "Identity"
    del nodes[f"{block}/Transpose_1"].attribute[:]
    scaling = nodes[f"{block}/Mul_2"]
    factors = numpy_helper.to_array(weights[scaling.input[0]]).reshape(-1)
    bias, scale, zero = nodes[f"{block}/pw2/Add"].input[0], *(f"{block}/pw2/Transpose_output_0_{x}" for x in _QUANTIZED)
    change(bias, numpy_helper.to_array(weights[bias]) * factors)
    change(scale, numpy_helper.to_array(weights[scale]) * factors)
    change(zero, np.zeros(len(factors), np.int8))
    scaling.op_type = "Identity"
    del scaling.input[0]


def _session(model: Any) -> Any:
    return one_thread(model.SerializeToString())


def _cut(model: Any, inputs: Sequence[str], outputs: Sequence[str]) -> Any:
    """The part of an ONNX model that leads from tensors `inputs` to tensors `outputs`.

    Raises:
        EngineError: If it has no such tensors.
    """
    from onnx import TensorProto, helper

    makers = {name: node for node in model.graph.node for name in node.output}
    given = {value.name: value for value in (*model.graph.input, *model.graph.output)}
    if missing := [name for name in (*inputs, *outputs) if name not in makers and name not in given]:
        raise EngineError(f"hibari's network has no {', '.join(missing)}; only release 0.2.1 is known")
    needed: set[str] = set()
    todo = list(outputs)
    while todo:
        name = todo.pop()
        if name not in needed and name not in inputs:
            needed.add(name)
            todo += makers[name].input if name in makers else []

    def values(names: Sequence[str]) -> list[Any]:
        return [given.get(name) or helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names]

    nodes = [node for node in model.graph.node if needed.intersection(node.output)]
    kept = [weight for weight in model.graph.initializer if weight.name in needed]
    graph = helper.make_graph(nodes, "part", values(inputs), values(outputs), kept)
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
