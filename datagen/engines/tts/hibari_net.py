"""hibari's network, opened, and its waveform: phoneme lengths as an output, frames in rows, a head per voice.

The network is cut in two. The body leads from phonemes to hidden frames, F0 and phoneme lengths. The head is its last
layer, a matrix product that gives five numbers per frequency bin; being linear, it can have another voice's formants
and tilt in its weights, so that other voices cost nothing per frame.

All names are internals of one release: the package is pinned exactly, and a missing name is an error.
Source: the graph of `assets/hibari.onnx`, hibari-tts 0.2.1 (Apache-2.0).

The head predicts five numbers per frequency bin and 12.5 ms frame. The waveform is the inverse STFT (1,200 points, hop
300, Hann, 24 kHz) of

    S = exp(lh) exp(i pi tanh(theta)) STFT(pulses(f0))  +  exp(ln) noise  +  exp(lr) exp(i phi)

Source: `hibari/dsp.py`, with the same sound but faster: frames are rows and pass in blocks that fit the cache, the
harmonic part is made for voiced frames only, and noise is made of random bytes.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from datagen.engines.model_files import kept, one_thread, sha256_of
from datagen.engines.tts.renderings import Variant
from datagen.errors import EngineError

Floats = NDArray[np.float32]

SAMPLE_RATE_HZ = 24_000
HOP_SAMPLES = 300
N_FFT = 4 * HOP_SAMPLES
N_BINS = N_FFT // 2 + 1
LH, THETA, LN, LR, PHI = (slice(i * N_BINS, (i + 1) * N_BINS) for i in range(5))
"""Columns of the network's head."""

BLOCK_FRAMES = 128
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
EDGES = 1.5 / np.stack([1.5 - _SQUARES[3], 1.5 - _SQUARES[0], 1.5 - _SQUARES[0] - _SQUARES[1]])
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
    """The pulse train of a phrase, float32 [n_frames, HOP_SAMPLES], of F0 in Hz, float32 [n_frames]."""
    padded = np.concatenate([f0[:1], f0, f0[-1:]])
    return pulse_train(np.stack([padded[:-2], padded[1:-1], padded[2:]], axis=1), 0.0)[0]


def pulse_train(around: Floats, cycles_before: float) -> tuple[Floats, float]:
    """Band-limited pulse train: all harmonics of F0 up to 11 kHz, each a cosine of amplitude 1.

    sum_{1 <= h <= H} cos(h t) = sin((H + 1/2) t) / (2 sin(t / 2)) - 1/2. The quotient is even in t, so t is
    brought to [0, pi], where float32 is finest at the pulse itself.

    Args:
        around: F0 in Hz of the frame before, this and the next, float32 [n_frames, 3].
        cycles_before: Cycles up to the first frame.

    Returns:
        float32 [n_frames, HOP_SAMPLES], 0 where unvoiced; and the cycles up to the end.
    """
    hz = around @ _TO_HZ
    cycles = around @ _TO_CYCLES
    sums = np.cumsum(np.r_[cycles_before, cycles[:, -1]], dtype=np.float64) % 1.0
    cycles += sums[:-1, None].astype(np.float32)
    cycles -= np.rint(cycles)
    half_t = np.maximum(np.abs(cycles), np.float32(1e-6)) * np.float32(np.pi)
    voiced = hz > VOICED_HZ
    n_harmonics = np.floor(_TOP_HARMONIC_HZ / np.maximum(hz, VOICED_HZ))
    train: Floats = np.sin((2 * n_harmonics + 1) * half_t) / (2 * np.sin(half_t)) - np.float32(0.5)
    train *= voiced
    return train, float(sums[-1])


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
    for start in range(0, n_frames, BLOCK_FRAMES):
        stop = min(start + BLOCK_FRAMES, n_frames)
        rows = np.flatnonzero(voiced[start:stop])
        frames = frames_of(head[start:stop], rows, windows[start + rows], rng)
        for k in range(4):
            overlapped[start + k : stop + k] += frames[:, k]
    audio = overlapped[2:-1]
    audio[[0, -2, -1]] *= EDGES
    return audio.reshape(-1)


def frames_of(head: Floats, rows: NDArray[np.intp], pulses: Floats, rng: np.random.Generator) -> Floats:
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
    f0: Floats
    """Hz, float32 [n_frames]; about 0 where unvoiced."""
    head: Floats
    """float32 [n_frames, 5 * N_BINS], as `synthesize` wants it."""


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
        hidden, f0, units = self.body(tuple(ids), float(np.float32(voice.pace * pace)))
        head = self.head(hidden, voice)
        ends = np.cumsum(np.rint(units).reshape(-1).astype(np.int64)) * _UNIT_SAMPLES
        if len(ends) != len(ids) or ends[-1] != len(head) * HOP_SAMPLES:
            raise EngineError("hibari: phoneme lengths do not sum to the audio's; only release 0.2.1 is known")
        return Frames(ends, intoned(f0[0], voice.f0, voice.f0_range), head)

    def head(self, hidden: Floats, voice: Variant) -> Floats:
        """Frames of `voice`, float32 [n_frames, 5 * N_BINS], of hidden ones, float32 [1, n_frames, 256]."""
        if voice not in self._heads:
            self._heads[voice] = _session(repr(voice), lambda: _voiced_head(_model(), voice))
        frames: Floats = self._heads[voice].run([_HEAD], {_HIDDEN: hidden})[0][0]
        return frames

    def body(self, ids: tuple[int, ...], speed: float) -> tuple[Any, Any, Any]:
        """Hidden frames, F0 and lengths of phonemes; those of short phrases at a common speed are remembered.

        The body knows neither voice nor noise, so what it makes of a token serves all voices.
        """
        key = ids, speed
        if key in self._bodies:
            self._bodies.move_to_end(key)
            return self._bodies[key]
        inputs = {_IDS: np.array([ids], np.int64), _SPEED: np.array([speed], np.float32)}
        hidden, f0, units = body_session().run([_HIDDEN, _F0, _UNITS], inputs)
        if len(ids) <= _SHORT_IDS and speed == float(np.float32(common_speed(speed))):
            self._bodies[key] = hidden, f0, units
            if len(self._bodies) > _MOST_BODIES:
                self._bodies.popitem(last=False)
        return hidden, f0, units


@cache
def _model() -> Any:
    import onnx

    model = onnx.load_from_string(_published().read_bytes())
    try:
        _lay_frames_in_rows(model)
    except KeyError as error:
        raise EngineError(f"hibari's network has no {error}; only release 0.2.1 is supported") from error
    return model


@cache
def body_session() -> Any:
    """The part of the network that all voices share, loaded once per process."""
    return _session("body", lambda: _cut(_model(), [_IDS, _SPEED], [_HIDDEN, _F0, _UNITS]))


def common_speed(speed: float) -> float:
    """The nearest of the speeds that tokens are spoken at, a twenty-fifth apart.

    >>> common_speed(1.03), common_speed(0.913)
    (1.04, 0.92)
    """
    return round(speed * _SPEEDS) / _SPEEDS


def intoned(f0: Floats, factor: float, exponent: float) -> Floats:
    """F0 with another level and range: voiced frames scaled about their geometric mean. Hz, float32 [n_frames].

    >>> intoned(np.array([0, 100, 400], np.float32), 0.5, 1.0).tolist()
    [0.0, 50.0, 200.0]
    """
    voiced = f0 > VOICED_HZ
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
    at = np.minimum(np.arange(N_BINS) / voice.vtl, N_BINS - 1)
    below = np.minimum(at.astype(np.int64), N_BINS - 2)
    share = at - below
    for part in (LH, THETA, LN, LR, PHI):
        between = np.rint(share) if part == PHI else share
        for table in (weight, bias):
            table[..., part] = table[..., part][..., below] * (1 - between) + table[..., part][..., below + 1] * between
    hz = np.maximum(np.arange(N_BINS) * SAMPLE_RATE_HZ / N_FFT, _TILT_FROM_HZ)
    tilt = np.log(10) / 20 * voice.tilt_db * np.log2(hz / _TILT_FROM_HZ)
    bias[LH] += tilt + 0.5 * np.log(voice.f0)
    bias[LN] += tilt - LOG_NOISE
    bias[LR] += tilt
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


def _session(part: str, make: Callable[[], Any]) -> Any:
    """A session of a rewritten part of the network, which is rewritten once per release, not at each start."""
    return one_thread(kept((part, *_made_of()), lambda: make().SerializeToString()))


def _published() -> Path:
    return Path(str(resources.files("hibari").joinpath("assets", "hibari.onnx")))


@cache
def _made_of() -> tuple[str, ...]:
    """All that decides a rewritten part: the network, the code that rewrites it, and the libraries that it calls."""
    libraries = (f"{name} {metadata.version(name)}" for name in ("numpy", "onnx", "protobuf"))
    return sha256_of(_published()), sha256_of(Path(__file__)), *libraries


def _cut(model: Any, inputs: Sequence[str], outputs: Sequence[str]) -> Any:
    """The part of an ONNX model that leads from tensors `inputs` to tensors `outputs`.

    Raises:
        EngineError: If it has no such tensors.
    """
    from onnx import TensorProto, helper

    makers = {name: node for node in model.graph.node for name in node.output}
    given = {value.name: value for value in (*model.graph.input, *model.graph.output)}
    if missing := [name for name in (*inputs, *outputs) if name not in makers and name not in given]:
        raise EngineError(f"hibari's network has no {', '.join(missing)}; only release 0.2.1 is supported")
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
