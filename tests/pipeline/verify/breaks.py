"""Ways of breaking a take, as voice engines do it: each makes bad audio of good, for tests and benchmarks."""

from collections.abc import Callable

import numpy as np

from datagen.engines.audio import resample
from datagen.engines.base import Audio

Break = Callable[[Audio, Audio, int, np.random.Generator], Audio]
"""(good take, take of another text by the same voice, rate, chance) -> bad take."""


def silence(audio: Audio, other: Audio, rate: int, rng: np.random.Generator) -> Audio:
    return 1e-5 * rng.standard_normal(len(audio)).astype(np.float32)


def truncated(audio: Audio, other: Audio, rate: int, rng: np.random.Generator) -> Audio:
    return audio[: int(0.6 * len(audio))]


def late_start(audio: Audio, other: Audio, rate: int, rng: np.random.Generator) -> Audio:
    return audio[int(0.4 * len(audio)) :]


def hole(audio: Audio, other: Audio, rate: int, rng: np.random.Generator) -> Audio:
    """The middle drops out: a stretch of 40% is silent."""
    broken = audio.copy()
    broken[int(0.3 * len(audio)) : int(0.7 * len(audio))] = 0
    return broken


def loop(audio: Audio, other: Audio, rate: int, rng: np.random.Generator) -> Audio:
    """A stretch of 1.2 s is said four times."""
    n = min(int(1.2 * rate), len(audio) // 2)
    begin = (len(audio) - n) // 2
    return np.concatenate([audio[: begin + n], *[audio[begin : begin + n]] * 3, audio[begin + n :]])


def runaway(audio: Audio, other: Audio, rate: int, rng: np.random.Generator) -> Audio:
    """It goes on with another text."""
    return np.concatenate([audio, np.zeros(rate // 5, np.float32), other])


def wrong_words(audio: Audio, other: Audio, rate: int, rng: np.random.Generator) -> Audio:
    return other


def clipping(audio: Audio, other: Audio, rate: int, rng: np.random.Generator) -> Audio:
    return np.clip(6 / np.abs(audio).max() * audio, -1, 1).astype(np.float32)


def tail_noise(audio: Audio, other: Audio, rate: int, rng: np.random.Generator) -> Audio:
    """Two seconds of noise 20 dB under the speech come after it."""
    level = 0.1 * float(np.sqrt(np.mean(audio**2)))
    return np.concatenate([audio, level * rng.standard_normal(2 * rate).astype(np.float32)])


def tail_silence(audio: Audio, other: Audio, rate: int, rng: np.random.Generator) -> Audio:
    return np.concatenate([audio, np.zeros(5 * rate, np.float32)])


def too_fast(audio: Audio, other: Audio, rate: int, rng: np.random.Generator) -> Audio:
    """Samples of 16 kHz played at 24 kHz, and a half faster again than that would be at 44.1 kHz."""
    return resample(audio, rate * 2, rate)


def too_slow(audio: Audio, other: Audio, rate: int, rng: np.random.Generator) -> Audio:
    return resample(audio, rate, rate * 2)


def noise(audio: Audio, other: Audio, rate: int, rng: np.random.Generator) -> Audio:
    """Noise as loud as the speech."""
    level = float(np.sqrt(np.mean(audio**2)))
    return (0.5 * (audio + level * rng.standard_normal(len(audio)))).astype(np.float32)


def backwards(audio: Audio, other: Audio, rate: int, rng: np.random.Generator) -> Audio:
    return np.ascontiguousarray(audio[::-1])


BREAKS: tuple[Break, ...] = (
    silence, truncated, late_start, hole, loop, runaway, wrong_words, clipping, tail_noise, tail_silence,
    too_fast, too_slow, noise, backwards,
)  # fmt: skip
