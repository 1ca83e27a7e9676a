"""Word times for engines that tell none: letters spread evenly over what is heard."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np

from datagen.engines.audio import window_power
from datagen.engines.base import Audio
from datagen.records import Word
from datagen.text.phrases import count_letters, units

_WINDOW_MS = 10
_QUIET_DB = -40
"""A window quieter than the loudest ones by more than this is a pause, in which no letter is spoken."""


def spread(text: str, audio: Audio, rate_hz: int) -> tuple[Word, ...]:
    """Estimate when each word of a text is spoken: every letter takes the same share of the time that is heard.

    Good to about a syllable where the voice keeps its pace. A Chinese character counts as three letters.

    Args:
        text: What is said, at least one word.
        audio: float32 [n_samples].
        rate_hz: Of the audio.

    Returns:
        One entry a whitespace-separated word, in Chinese a character, in order; pauses lie between words, as far as
        they fit.

    >>> hum = np.sin(np.arange(800, dtype=np.float32))
    >>> [(w.start_samples, w.end_samples) for w in spread("ab ab", np.concatenate([hum, 0 * hum, hum]), 8000)]
    [(0, 800), (1600, 2400)]
    """
    names = [piece for word in text.split() for piece in pieces(word)]
    window = rate_hz * _WINDOW_MS // 1000
    heard = _heard(audio, window)
    letters = np.cumsum([0, *(max(count_letters(name), 1) for name in names)])
    marks = letters / letters[-1] * len(heard)
    words = []
    for name, first, last in zip(names, marks, marks[1:], strict=False):
        begin, end = _sample(heard, first, window), _sample(heard, last, window, ends=True)
        words.append(Word(name, min(begin, len(audio)), min(max(begin, end), len(audio))))
    return tuple(words)


def pieces(word: str) -> list[str]:
    """A word in its units, which together spell it: Chinese by the character, all else whole.

    >>> pieces("well,"), pieces("好！来"), pieces("--")
    (['well,'], ['好！', '来'], ['--'])
    """
    bounds = [0, *(unit.start for unit in units(word)[1:]), len(word)]
    return [word[start:end] for start, end in pairwise(bounds)]


def _heard(audio: Audio, window: int) -> "np.ndarray[tuple[int], np.dtype[np.intp]]":
    """Indices of the windows that are heard; all of them if none is."""
    power = window_power(audio, window)
    heard = np.flatnonzero(power > np.percentile(power, 95) * 10 ** (_QUIET_DB / 10))
    return heard if len(heard) else np.arange(len(power))


def _sample(heard: "np.ndarray[tuple[int], np.dtype[np.intp]]", mark: float, window: int, ends: bool = False) -> int:
    """The sample at a place in the heard windows laid end to end; `ends`: the end of the time before, not the next."""
    whole = int(mark)
    if ends and whole == mark:
        return (int(heard[whole - 1]) + 1) * window
    if whole >= len(heard):
        return (int(heard[-1]) + 1) * window
    return int((heard[whole] + mark - whole) * window)


NO_WORD = -1
Phrase = list[tuple[int, str]]
"""Phonemes, each with the index of the word it is a sound of, or `NO_WORD` for a pause."""

_FRAME_SAMPLES = 300
_QUIET = 3e-5
"""Power of a frame, relative to the loudest of its phrase, below which it is silent: -45 dB."""


def spans(phrase: Phrase, ends: Sequence[int], audio: Audio, lead_samples: int) -> dict[int, tuple[int, int]]:
    """Times of the words of a phrase, in samples.

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
