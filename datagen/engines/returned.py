"""Faults of what an engine returns, in words: of speech and of codes. The laws and the stages use the same."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np

from datagen.engines.base import Speech, Word
from datagen.terminal import counted

_HEARD = 0.01
"""A sample counts as heard from this share of the peak on."""
LEAST_SHARE = 0.1
"""Least share of what is heard that the words must cover, so that times in milliseconds are found."""


def speech_fault(speech: Any, text: str) -> str:
    """The first fault of what `speak` returned; empty if there is none.

    >>> from datagen.engines.fakes import ToneVoice
    >>> spoken = ToneVoice().speak("hello there", "tone-0", 0)
    >>> speech_fault(spoken, "hello there"), speech_fault(spoken.audio, "hello there")
    ('', 'speak returned ndarray; it must return Speech(audio, words)')
    >>> speech_fault(spoken, "hello there you")
    '2 words for a text of 3; return one Word per word of the text, in order, unchanged'
    """
    if not isinstance(speech, Speech):
        return f"speak returned {type(speech).__name__}; it must return Speech(audio, words)"
    return audio_fault(speech.audio) or words_fault(speech, text) or times_fault(speech)


def audio_fault(audio: Any) -> str:
    """The fault of audio that must be mono float32; empty if there is none."""
    if not isinstance(audio, np.ndarray) or audio.dtype != np.float32 or audio.ndim != 1:
        return f"the audio is {_shown(audio)}; it must be mono: float32 of shape (n_samples,)"
    if not len(audio):
        return "the audio is empty"
    n_bad = int(np.count_nonzero(~np.isfinite(audio)))
    return f"{n_bad} of {len(audio)} samples are NaN or infinite" if n_bad else ""


def words_fault(speech: Speech, text: str) -> str:
    """The fault of words that must spell the text; empty if there is none."""
    words = speech.words
    if not isinstance(words, tuple | list) or not all(isinstance(word, Word) for word in words):
        return f"words is {type(words).__name__}; it must be a tuple of Word(text, start_samples, end_samples)"
    said, wanted = [word.text for word in words], text.split()
    if "".join(said) == "".join(wanted):
        return ""
    if len(said) != len(wanted):
        n_words = counted(len(said), "word")
        return f"{n_words} for a text of {len(wanted)}; return one Word per word of the text, in order, unchanged"
    other = next((pair for pair in zip(said, wanted, strict=True) if pair[0] != pair[1]), ("", ""))
    return f"the word {other[0]!r} for {other[1]!r}; return each word of the text unchanged"


def times_fault(speech: Speech, least_share: float = LEAST_SHARE) -> str:
    """The fault of word times that must be samples of the audio; empty if there is none.

    Args:
        speech: Speech whose audio and words are otherwise faultless.
        least_share: Least share of the time that is heard, from the first word to the last.
    """
    times = [time for word in speech.words for time in (word.start_samples, word.end_samples)]
    if not times:
        return "there are no words"
    shown, n_samples = f"{times[0]:.4g} ... {times[-1]:.4g}", len(speech.audio)
    if not all(isinstance(time, Integral) for time in times):
        return f"word times look like seconds ({shown}); they must be samples, as whole numbers"
    if times != sorted(times):
        return "word times are out of order; each word begins after the one before it"
    if times[0] < 0 or times[-1] > n_samples:
        return f"word times ({shown}) lie outside the audio of {n_samples} samples"
    heard = np.flatnonzero(np.abs(speech.audio) > _HEARD * np.abs(speech.audio).max())
    n_heard = int(heard[-1] - heard[0]) if len(heard) else 0
    if times[-1] - times[0] < least_share * n_heard:
        return (
            f"word times ({shown}) cover {(times[-1] - times[0]) / n_heard:.1%} of what is heard; they must be samples"
        )
    return ""


def codes_fault(codes: Any, n_frames: int, sizes: Sequence[int]) -> str:
    """The fault of speech codes; empty if there is none.

    Args:
        codes: What `encode` returned.
        n_frames: Frames that were encoded.
        sizes: Number of codes of each codebook.

    >>> codes_fault(np.array([3, 1408]), 2, (1024,))
    'its largest code is 1408, and its codebook_size 1024; codes are from 0 to 1023'
    >>> codes_fault(np.zeros(3, np.uint16), 2, (8,))
    '3 codes for 2 frames; return one code per frame'
    >>> codes_fault(np.zeros((2, 3), np.uint16), 2, (8, 8))
    'its codes are uint16 of shape (2, 3); they must be uint16 of shape (n_frames, 2)'
    """
    several = len(sizes) > 1
    width = (len(sizes),) if several else ()
    if not isinstance(codes, np.ndarray) or codes.dtype.kind not in "iu" or not codes.ndim or codes.shape[1:] != width:
        return f"its codes are {_shown(codes)}; they must be uint16 of shape (n_frames,{f' {len(sizes)}' * several})"
    if len(codes) != n_frames:
        each = " and codebook" if several else ""
        return f"{counted(len(codes), 'code')} for {counted(n_frames, 'frame')}; return one code per frame{each}"
    for k, (column, size) in enumerate(zip(codes.reshape(n_frames, len(sizes)).T, sizes, strict=True)):
        if not n_frames or (int(column.min()) >= 0 and int(column.max()) < size):
            continue
        name, code = ("smallest", column.min()) if int(column.min()) < 0 else ("largest", column.max())
        where, which = (f" of codebook {k + 1}", f"codebook_sizes[{k}]") if several else ("", "codebook_size")
        return f"its {name} code{where} is {code}, and its {which} {size}; codes are from 0 to {size - 1}"
    return ""


def _shown(value: Any) -> str:
    return f"{value.dtype} of shape {value.shape}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"
