"""What is heard beside the user: babble, other talkers, noise bursts, the assistant's echo."""

from collections.abc import Sequence

import numpy as np

from datagen.acoustics.levels import Segments, fade_out, unit_power
from datagen.engines.base import Audio, Loop
from datagen.records import Clip


def babble_of(clips: Sequence[Clip], n_samples: int, starts: Sequence[float]) -> Clip:
    """A seamless loop of talkers who all talk all the time, each as loud as the others.

    Args:
        clips: One a talker; each is repeated whole, as often as it fits, evenly spaced around the loop.
        n_samples: Length of the loop; that of the longest clip if that is longer.
        starts: Where each talker begins, as a share of the loop, in [0, 1).

    >>> two = [Clip(("a",), np.ones(2, np.float32)), Clip(("b",), -2 * np.ones(3, np.float32))]
    >>> babble_of(two, 5, (0.0, 0.8)).audio.tolist()
    [0.0, 0.0, 1.0, 1.0, -1.0]
    """
    n_samples = max(n_samples, max(len(clip.audio) for clip in clips))
    loop = np.zeros(n_samples, np.float32)
    for clip, share in zip(clips, starts, strict=True):
        audio = unit_power(clip.audio)
        n_times = n_samples // len(audio)
        for k in range(n_times):
            _add_around(loop, audio, int(share * n_samples) + k * n_samples // n_times)
    return Clip(tuple(voice for clip in clips for voice in clip.voices), loop)


def _add_around(loop: Audio, audio: Audio, start: int) -> None:
    start %= len(loop)
    n = min(len(audio), len(loop) - start)
    loop[start : start + n] += audio[:n]
    loop[: len(audio) - n] += audio[n:]


def once(loop: Loop, n_longest: int, n_fade: int) -> Audio:
    """A sound heard once from its start, at root mean square 1; faded out where it would be too long.

    >>> once(Loop(np.array([9, 2, -2, 2], np.float32), 1), n_longest=2, n_fade=0).tolist()
    [1.0, -1.0]
    """
    audio = loop.audio[loop.start_samples :]
    return unit_power(fade_out(audio[:n_longest], n_fade) if len(audio) > n_longest else audio)


def echo(assistant: Segments, delay_samples: int, n_samples: int) -> Segments:
    """The assistant's speech, later, cut at the end of the conversation.

    >>> [(start, len(audio)) for start, audio in echo([(10, np.ones(5, np.float32))], 3, n_samples=16)]
    [(13, 3)]
    """
    late = ((start + delay_samples, audio) for start, audio in assistant)
    return [(start, audio[: n_samples - start]) for start, audio in late if start < n_samples]
