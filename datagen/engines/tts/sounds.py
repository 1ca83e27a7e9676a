"""Phonemes and the words they are sounds of: from lengths of phonemes to times of words."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from datagen.engines.base import Audio
from datagen.records import Word

NO_WORD = -1
Phrase = list[tuple[int, str]]
"""Phonemes, each with the index of the word it is a sound of, or `NO_WORD` for a pause."""

_FRAME_SAMPLES = 300
_QUIET = 3e-5
"""Power of a frame, relative to the loudest of its phrase, below which nothing is heard: -45 dB."""


def spans(phrase: Phrase, ends: Sequence[int], audio: Audio, lead_samples: int) -> dict[int, tuple[int, int]]:
    """Where the words of a phrase sound, in samples.

    Networks give the silence before a pause to the last phoneme of the word, so quiet frames are cut off.

    Args:
        phrase: The phonemes between the two pads.
        ends: Where the first pad and each phoneme end by their lengths, in samples.
        audio: The phrase, float32, a whole number of frames of 300 samples.
        lead_samples: How far a sound leads the place its length gives it.

    Returns:
        Start and end by index of the word; nothing for words without a sound.
    """
    found: dict[int, tuple[int, int]] = {}
    for (word, _), start, end in zip(phrase, ends, ends[1:], strict=False):
        if word != NO_WORD:
            found[word] = (found.get(word, (max(0, start - lead_samples),))[0], max(0, end - lead_samples))
    power = np.square(audio).reshape(-1, _FRAME_SAMPLES).mean(axis=1)
    loud = power > _QUIET * power.max()
    for word, (start, end) in found.items():
        first = start // _FRAME_SAMPLES
        if len(heard := np.flatnonzero(loud[first : end // _FRAME_SAMPLES])):
            found[word] = ((first + int(heard[0])) * _FRAME_SAMPLES, (first + int(heard[-1]) + 1) * _FRAME_SAMPLES)
    return found


def timed(words: Sequence[str], found: Mapping[int, tuple[int, int]]) -> Iterator[Word]:
    """Words with their times; one without a sound is a point at the end of the one before.

    >>> [(w.start_samples, w.end_samples) for w in timed(["so", "...", "on"], {0: (3, 9), 2: (12, 20)})]
    [(3, 9), (9, 9), (12, 20)]
    """
    at = 0
    for i, word in enumerate(words):
        start, at = found.get(i, (at, at))
        yield Word(word, start, at)
