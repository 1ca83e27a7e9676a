"""What sounds beside the user: babble, other talkers, the assistant's echo."""

from collections.abc import Sequence

import numpy as np

from datagen.engines.audio import resample
from datagen.engines.base import Audio
from datagen.engines.noise.texture import Stride, random_phases, walk
from datagen.pipeline.levels import Segments, fade_out, unit_power
from datagen.pipeline.mix.speaker import dull
from datagen.records import Clip

_POOL_SAMPLES = 1 << 16
_STRIDE = Stride(1 << 15, 2048)


def babble_of(clips: Sequence[Clip], n_samples: int, rng: np.random.Generator) -> Audio:
    """Talkers who all talk all the time, each as loud as the others, and none of whom can be understood.

    Two groups of them talk for some seconds each; then phases are replaced by random ones, so no other conversation has
    a stretch of it, and both are walked through at drawn places for as long as needed.

    Args:
        clips: One per talker, at least one.
        n_samples: How much is needed.
        rng: Draws places and phases.

    Returns:
        float32 [n_samples], at no level in particular.
    """
    groups = np.zeros((2, _POOL_SAMPLES), np.float32)
    for k, clip in enumerate(clips if len(clips) > 1 else [*clips] * 2):
        _add_round(groups[k % 2], unit_power(clip.audio), -int(rng.integers(len(clip.audio))))
    return walk(random_phases(groups, rng), n_samples, rng, _STRIDE)


def _add_round(group: Audio, audio: Audio, at: int) -> None:
    """Add a line again and again from `at` on, which is not after the beginning."""
    while at < len(group):
        first, last = max(at, 0), min(at + len(audio), len(group))
        group[first:last] += audio[first - at : last - at]
        at += len(audio)


def in_passing(audio: Audio, pace: float, cutoff_hz: float, sample_rate_hz: int) -> Audio:
    """Somebody else's speech: faster and higher by `pace`, and duller, at root mean square 1."""
    return unit_power(dull(resample(audio, round(pace * sample_rate_hz), sample_rate_hz), cutoff_hz, sample_rate_hz))


def once(audio: Audio, n_longest: int, n_fade: int) -> Audio:
    """A single sound at root mean square 1; faded out if it is as long as allowed.

    >>> once(np.array([2, -2], np.float32), n_longest=3, n_fade=0).tolist()
    [1.0, -1.0]
    """
    return unit_power(fade_out(audio, n_fade) if len(audio) >= n_longest else audio)


def echo(assistant: Segments, delay_samples: int, n_samples: int) -> Segments:
    """The assistant's speech, later, cut at the end of the conversation.

    >>> [(start, len(audio)) for start, audio in echo([(10, np.ones(5, np.float32))], 3, n_samples=16)]
    [(13, 3)]
    """
    late = ((start + delay_samples, audio) for start, audio in assistant)
    return [(start, audio[: n_samples - start]) for start, audio in late if start < n_samples]
