"""Places in spoken text: words, ends of phrases, and the times of places.

Words are separated by whitespace. Chinese has no spaces, so there every character is a unit that
counts half a word. Places are in characters from the beginning of the text, in any language.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from datagen.records import Word

HAN = "\u3400-\u4dbf\u4e00-\u9fff"
"""Chinese characters, for a class of a regular expression."""
_WIDE = "，。？！；："
_MARKS = f",.?!;:{_WIDE}"
_UNIT = re.compile(rf"[{HAN}][{_MARKS}]*|[^\s{HAN}{_WIDE}]+[{_WIDE}]*|[{_WIDE}]+")
_WORD = re.compile(r"\S+")
_LETTERS_PER_HAN = 3
"""A Chinese character takes about as long to say as three Latin letters (250 against 75 ms)."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A word, or a Chinese character, with the punctuation after it."""

    start: int
    end: int
    n_words: float


def units(spoken: str) -> list[Unit]:
    """The units of a text, in order.

    >>> [spoken[u.start : u.end] for spoken in ("Well, it's on.", "好，来app。OK") for u in units(spoken)]
    ['Well,', "it's", 'on.', '好，', '来', 'app。', 'OK']
    """
    return [
        Unit(found.start(), found.end(), 0.5 if re.match(f"[{HAN}]", found[0]) else 1.0)
        for found in _UNIT.finditer(spoken)
    ]


def count_words(spoken: str) -> float:
    """Number of words of a text; two Chinese characters count as one.

    >>> count_words("Well, it's on."), count_words("好，来吧")
    (3.0, 1.5)
    """
    return sum(unit.n_words for unit in units(spoken))


def count_letters(text: str) -> int:
    """Number of letters and digits, which take time to say; a Chinese character counts as three.

    >>> count_letters("Hello, you."), count_letters("你好")
    (8, 6)
    """
    return sum(_LETTERS_PER_HAN if "\u4e00" <= char <= "\u9fff" else char.isalnum() for char in text)


def phrase_ends(spoken: str, most_words: int) -> list[tuple[int, float]]:
    """Ends of phrases inside a text: at punctuation, and after `most_words` words without any.

    Returns:
        Place in characters and number of words up to it, in order.

    >>> phrase_ends("Turn left, then go straight on and over the bridge. Then stop.", 4)
    [(10, 2.0), (30, 6.0), (51, 10.0)]
    """
    found, n_words, n_here = [], 0.0, 0.0
    for unit in units(spoken)[:-1]:
        n_words += unit.n_words
        n_here += unit.n_words
        if spoken[unit.end - 1] in _MARKS or n_here >= most_words:
            found.append((unit.end, n_words))
            n_here = 0.0
    return found


def joined(first: str, second: str) -> str:
    """Two texts in a row, with a space between them unless one is Chinese where they meet.

    >>> joined("I want to", "go"), joined("我想", "去")
    ('I want to go', '我想去')
    """
    chinese = first and second and re.match(f"[{HAN}{_WIDE}]", first[-1]) and re.match(f"[{HAN}]", second)
    return f"{first}{'' if chinese or not first or not second else ' '}{second}"


def places(words: Sequence[Word], spoken: str) -> list[tuple[int, int]]:
    """Places of words in a text: words between spaces, or pieces such as Chinese characters.

    Args:
        words: Times of the words of `spoken`, in order.
        spoken: The text.

    Returns:
        Start and end in characters of each word.

    Raises:
        ValueError: If the words are not those of the text.

    >>> places((Word("It", 0, 1), Word("is.", 1, 2)), "It is.")
    [(0, 2), (3, 6)]
    >>> places((Word("好，", 0, 1), Word("吧", 1, 2)), "好，吧")
    [(0, 2), (2, 3)]
    """
    whole = [found.span() for found in _WORD.finditer(spoken)]
    if len(words) == len(whole):
        return whole
    found, at = [], 0
    for word in words:
        at = _after_spaces(spoken, at)
        if not word.text or not spoken.startswith(word.text, at):
            raise ValueError(f"word {word.text!r} is not at character {at} of {spoken[:80]!r}")
        found.append((at, at := at + len(word.text)))
    if spoken[at:].strip():
        raise ValueError(f"no word has a time after character {at} of {spoken[:80]!r}")
    return found


def _after_spaces(spoken: str, at: int) -> int:
    """The first place from `at` on that is no space."""
    while at < len(spoken) and spoken[at].isspace():
        at += 1
    return at


def time_at(words: Sequence[Word], spoken: str, at_characters: int) -> int:
    """Time at which the text after a place begins; within a word, in proportion to its letters.

    Args:
        words: Times of the words of `spoken`, or of pieces of them.
        spoken: The text.
        at_characters: The place.

    Returns:
        Samples, in the time of `words`; 0 if there are none.

    >>> time_at((Word("It", 0, 40), Word("is.", 50, 80)), "It is.", 2)
    40
    >>> time_at((Word("好来吧", 0, 60),), "好来吧", 2)
    40
    """
    time = said_by(words, spoken, at_characters)
    starts = (
        w.start_samples for w, (first, _) in zip(words, places(words, spoken), strict=True) if first == at_characters
    )
    return max(time, next(starts, 0))


def said_by(words: Sequence[Word], spoken: str, at_characters: int) -> int:
    """Time at which the text up to a place has been said, before any silence that follows.

    Args:
        words: Times of the words of `spoken`, or of pieces of them.
        spoken: The text.
        at_characters: The place.

    Returns:
        Samples, in the time of `words`; 0 if there are none.

    >>> words = Word("好", 0, 40), Word("吧", 50, 80)
    >>> said_by(words, "好吧", 1), time_at(words, "好吧", 1)
    (40, 50)
    """
    time = 0
    for word, (first, last) in zip(words, places(words, spoken), strict=True):
        if at_characters <= first:
            break
        n_into = min(at_characters, last) - first
        time = word.start_samples + (word.end_samples - word.start_samples) * n_into // (last - first)
    return time


def heard(word: Word, stop_samples: int) -> int:
    """Number of characters said of a word that stops at a time: units heard by more than half.

    >>> heard(Word("morning", 50, 100), 76), heard(Word("morning", 50, 100), 75), heard(Word("好来吧", 0, 60), 35)
    (7, 0, 2)
    """
    start, length, n = word.start_samples, word.end_samples - word.start_samples, len(word.text)
    said = 0
    for unit in units(word.text) or [Unit(0, n, 1.0)]:
        if 2 * n * (stop_samples - start) > length * (unit.start + unit.end):
            said = unit.end
    return said


def end_of_unit(word: Word, at_samples: int) -> int:
    """End of the unit that is spoken at a time inside a word.

    >>> end_of_unit(Word("morning", 50, 100), 60), end_of_unit(Word("好来吧", 0, 60), 35)
    (100, 40)
    """
    start, length, n = word.start_samples, word.end_samples - word.start_samples, len(word.text)
    ends = (start + length * unit.end // n for unit in units(word.text))
    return next((end for end in ends if end >= at_samples), word.end_samples)
