"""Counts in advance of all that a trainer will drop: text that does not fit the frames of its speech.

Tokens are counted with the text tokenizer of the build, so for another one they are an estimate.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from datagen.errors import DatagenError
from datagen.export.clip import ExportClip
from datagen.export.segments import words_of
from datagen.inspect import Output

MOSHI_FRAMES_HZ = 12.5


def words_cut(starts_s: Sequence[float], n_tokens: Sequence[int], frames_hz: float = MOSHI_FRAMES_HZ) -> int:
    """Number of words that lose tokens when each frame holds one, and a word's tokens end at the next word.

    This is what moshi-finetune's interleaver does with `keep_and_shift` off.

    Args:
        starts_s: Start of each word in seconds, in order.
        n_tokens: Number of tokens of each.
        frames_hz: Frames per second.

    >>> words_cut([0.0, 0.05, 1.0], [1, 2, 3])
    1
    """
    frames = [int(start * frames_hz) for start in starts_s]
    room = [after - frame for frame, after in pairwise(frames)]
    return sum(n > free for n, free in zip(n_tokens, room, strict=False))


def moshi_words_cut(clip: ExportClip, output: Output) -> int:
    """Number of the assistant's words that do not fit the frames of Moshi; 0 if they cannot be tokenized here."""
    words = words_of(clip.segments, "assistant")
    return words_cut([clip.at(word.start_samples) for word in words], _lengths(output, [word.text for word in words]))


def texts_longer_than_frames(clip: ExportClip, output: Output, frame_s: float) -> int:
    """Number of utterances with more tokens, the beginning included, than frames."""
    frames = [round(clip.at(s.end_samples - s.start_samples) / frame_s) for s in clip.segments]
    lengths = _lengths(output, [s.text for s in clip.segments])
    return sum(1 + n > free for n, free in zip(lengths, frames, strict=True))


def _lengths(output: Output, texts: Sequence[str]) -> list[int]:
    return [_length(output, text) for text in texts]


@lru_cache(maxsize=1 << 16)
def _length(output: Output, text: str) -> int:
    return len(output.text_tokenizer.encode(text))


def can_count(output: Output) -> bool:
    """True if the text tokenizer of the build can be used here without further trust."""
    try:
        output.text_tokenizer  # noqa: B018
    except DatagenError:
        return False
    return True
