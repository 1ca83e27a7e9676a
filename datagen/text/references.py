"""Content words: references of a turn, found by its words alone.

A content word is a number, a name, or another word that is not one of a language's function words;
in Chinese, which has no spaces, every pair of neighbouring characters neither of which is a
function character. Inflected English forms are reduced to a common stem, so that `steeps` refers to
`steeping`. This is a lexical bound, not an understanding of text.
"""

import re
from collections.abc import Iterable
from functools import cache

from datagen import resources
from datagen.text.phrases import HAN

_TOKEN = re.compile(rf"[{HAN}]|[^\W\d_]+(?:['’][^\W\d_]+)*|\d+", re.UNICODE)
_SUFFIXES = ("ingly", "edly", "ings", "ing", "ied", "ies", "ed", "es", "ly", "s", "ie", "e", "y")
_LEAST_STEM = 3


@cache
def function_words(language: str) -> frozenset[str]:
    """Words, or Chinese characters, that refer to nothing; empty for languages without a list."""
    lists = resources.values_of(resources.directory("data") / "function_words.yaml")
    return frozenset(str(lists.get(language, "")).split())


def stem(word: str) -> str:
    """A word without its inflection, lowercase; words of one stem count as the same.

    >>> stem("Steeping"), stem("steeps"), stem("cookies"), stem("cookie"), stem("running"), stem("run"), stem("Anna's")
    ('steep', 'steep', 'cook', 'cook', 'run', 'run', 'anna')
    """
    word = re.sub(r"['’]s$", "", word.lower())
    end, n_suffix = len(word), 1
    while n_suffix:
        fits = (len(s) for s in _SUFFIXES if end - len(s) >= _LEAST_STEM and word.endswith(s, 0, end))
        n_suffix = next(fits, 0)
        end -= n_suffix
    word = word[:end]
    if len(word) > _LEAST_STEM and word[-1] == word[-2] and word[-1] not in "aeiou":
        word = word[:-1]
    return word


def content(text: str, language: str) -> list[tuple[str, int, int]]:
    """The content words of a text with their places, in order.

    Args:
        text: Verbalized text.
        language: ISO 639-1 code; without a list of function words every word counts as content.

    Returns:
        Stem, start and end in characters of each.

    >>> content("The tea steeps for two minutes.", "en")
    [('tea', 4, 7), ('steep', 8, 14), ('two', 19, 22), ('minut', 23, 30)]
    >>> [word for word, _, _ in content("我想喝绿茶。", "zh")]
    ['喝绿', '绿茶']
    """
    empty = function_words(language)
    found, before = list[tuple[str, int, int]](), ("", -1, False)
    for token in _TOKEN.finditer(text):
        word, (start, end) = token[0], token.span()
        if re.match(f"[{HAN}]", word):
            is_content = word not in function_words("zh")
            if is_content and before[2] and before[1] == start:
                found.append((before[0] + word, start - 1, end))
            before = word, end, is_content
            continue
        lowered = word.lower().replace("’", "'")
        if lowered not in empty and re.sub(r"'\w+$", "", lowered) not in empty:
            found.append((stem(word), start, end))
    return found


def words_of(texts: Iterable[str], language: str) -> set[str]:
    """The content words of several texts.

    >>> sorted(words_of(["Green tea.", "Black tea!"], "en"))
    ['black', 'green', 'tea']
    """
    return {word for text in texts for word, _, _ in content(text, language)}


def last_reference(
    earlier: Iterable[str], turn: str, later: Iterable[str], language: str, every: bool = False
) -> int | None:
    """The end of the last word in `turn` that `later` texts refer to, or None.

    A later text refers to the first occurrence of each of its content words in the turn, unless an
    earlier text has the word too.

    Args:
        earlier: Texts before the turn.
        turn: The turn that is referred to.
        later: Texts that refer to it.
        language: Language of all texts.
        every: True if every occurrence must be heard, not only the first: words of one stem may
            mean different things.

    Returns:
        A place in characters of `turn`.

    >>> last_reference(["Which tea?"], "Green tea, or a dark oolong.", ["Is the oolong strong?"], "en")
    27
    >>> last_reference([], "Book a van, then pack the books.", ["Books first?"], "en", every=True)
    31
    """
    known = words_of(earlier, language)
    wanted = words_of(later, language) - known
    ends: dict[str, int] = {}
    for word, _, end in content(turn, language):
        ends[word] = end if every else ends.get(word, end)
    return max((end for word, end in ends.items() if word in wanted), default=None)


@cache
def _reactions(language: str) -> tuple[frozenset[str], frozenset[str]]:
    lists = resources.values_of(resources.directory("data") / "reactions.yaml").get(language, {})
    return frozenset(lists.get("openers", "").split()), frozenset(lists.get("pointers", "").split())


def reacts_to_all(text: str, language: str) -> bool:
    """True if a turn refers to everything before it: an answer, thanks, a judgement, a choice.

    >>> reacts_to_all("Perfect. And the second one?", "en"), reacts_to_all("How long does it steep?", "en")
    (True, False)
    >>> reacts_to_all("好的，谢谢。", "zh"), reacts_to_all("要泡多久？", "zh")
    (True, False)
    """
    openers, pointers = _reactions(language)
    if language == "zh":
        return text.startswith(tuple(openers)) or any(pointer in text for pointer in pointers)
    words = [word.lower().replace("’", "'") for word in re.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)*", text)]
    return not words or words[0] in openers or not pointers.isdisjoint(words)


def is_content(word: str, language: str) -> bool:
    """True if a word, or any part of it between spaces or Chinese characters, refers to something.

    >>> is_content("tea,", "en"), is_content("the", "en"), is_content("茶。", "zh"), is_content("的", "zh")
    (True, False, True, False)
    """
    if content(word, language):
        return True
    return any(char not in function_words("zh") for char in re.findall(f"[{HAN}]", word))
