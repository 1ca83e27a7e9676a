"""Cuts one take into pieces between words, so that pieces of a turn keep one intonation."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from datagen.clock import ms_to_samples
from datagen.engines.audio import window_power
from datagen.engines.base import Audio, WordTimes
from datagen.pipeline.levels import fade_out
from datagen.records import LineTake, PartOf, Word
from datagen.text.phrases import places, said_by, time_at

_FADE_MS = 8
"""Fade on both sides of a cut, so that a cut in a sounding voice does not click."""
_WINDOW_MS = 10
_REACH_MS = 120
"""Search range for the quietest place around an estimated word boundary: about a syllable."""


def sliced(take: LineTake, parts: Sequence[PartOf], rate_hz: int, word_times: WordTimes) -> list[LineTake]:
    """Cut a take into pieces that hold every sample of it, in order; nothing is dropped.

    A cut lies in the middle of the silence between two words, or at the end of the preceding word
    if there is no silence. If word times are estimated, it lies at the quietest point near that
    place. Samples next to a cut are faded.

    Args:
        take: Take of the text in all parts.
        parts: All pieces, in order of the text, without overlap.
        rate_hz: Sample rate of the take.
        word_times: Kind of word times of the engine.

    Returns:
        A take per part, with times from its beginning; scores and attempt are those of the whole
        take.
    """
    cuts = [0]
    for before, after in pairwise(parts):
        cut = _between(take, before, after, rate_hz, word_times)
        cuts.append(min(max(cut, cuts[-1]), len(take.audio)))
    n_fade = ms_to_samples(_FADE_MS, rate_hz)
    pieces = []
    for k, (part, start, stop) in enumerate(zip(parts, cuts, [*cuts[1:], len(take.audio)], strict=True)):
        audio = take.audio[start:stop]
        audio = fade_out(audio[::-1], n_fade)[::-1] if k else audio
        audio = fade_out(audio, n_fade) if k + 1 < len(parts) else np.ascontiguousarray(audio)
        words = tuple(_words(take, part, start, stop))
        pieces.append(LineTake(audio, words, take.attempt, 0 if k else take.trimmed_samples, take.scores))
    return pieces


def _between(take: LineTake, before: PartOf, after: PartOf, rate_hz: int, word_times: WordTimes) -> int:
    """Place to cut between two pieces, in samples of the take."""
    end = said_by(take.words, before.text, before.last)
    start = max(time_at(take.words, before.text, after.first), end)
    middle = (end + start) // 2
    if word_times == "model":
        return middle
    reach = ms_to_samples(_REACH_MS, rate_hz)
    spots = list(zip(take.words, places(take.words, before.text), strict=True))
    earliest = max((_middle(word) for word, (first, _) in spots if first < before.last), default=middle)
    latest = min((_middle(word) for word, (first, _) in spots if first >= after.first), default=middle)
    low, high = max(middle - reach, min(earliest, middle)), min(middle + reach, max(latest, middle))
    return quietest(take.audio, low, high, ms_to_samples(_WINDOW_MS, rate_hz))


def _middle(word: Word) -> int:
    return (word.start_samples + word.end_samples) // 2


def quietest(audio: Audio, low: int, high: int, window: int) -> int:
    """The middle of the first quietest window of float32 [n_samples] between two places, in samples.

    >>> quietest(np.array([1, 1, 1, 1, 0, 0, 1, 1], np.float32), 0, 8, window=2)
    5
    """
    if high - low <= window:
        return (low + high) // 2
    return low + int(window_power(audio[low:high], window)[: (high - low) // window].argmin()) * window + window // 2


def _words(take: LineTake, part: PartOf, start: int, stop: int) -> Iterator[Word]:
    """The words of a piece at [start, stop) of the take; Chinese may be cut within a word's text."""
    for word, (first, last) in zip(take.words, places(take.words, part.text), strict=True):
        begin, end = max(first, part.first), min(last, part.last)
        if begin >= end:
            continue
        length, n = word.end_samples - word.start_samples, last - first
        times = (word.start_samples + length * (place - first) // n for place in (begin, end))
        begins, ends = (min(max(time, start), stop) - start for time in times)
        yield Word(word.text if end - begin == n else part.text[begin:end], begins, ends)
