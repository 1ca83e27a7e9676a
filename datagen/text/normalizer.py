"""The wetext normalizer, applied only to the words around digits: a call costs 1 ms or more."""

import re
from functools import cache, lru_cache
from typing import Any

_CONTEXT = {
    # words with digits and the two after them, such as a unit
    "en": re.compile(r"(?<!\S)\S*\d\S*(?: \S*\d\S*){0,7}(?: [^\s\d]+(?!\S)){0,2}"),
    # a clause
    "zh": re.compile(r"[^，。；！？,;!?]{1,120}"),
}
_DIGIT = re.compile(r"\d")
_MAX_CHARACTERS = 120


@cache
def _normalizer(language: str) -> Any:
    """Load the rules of a language once per process: the import alone takes a third of a second."""
    from wetext import Normalizer

    return Normalizer(lang=language, operator="tn")


@lru_cache(maxsize=4096)
def _normalize(words: str, language: str) -> str:
    try:
        return str(_normalizer(language).normalize(words))
    except AssertionError:
        # raised if no rule of wetext applies (a single "+5" in English); the caller reads the
        # digits one by one
        return words


def normalize(text: str, language: str) -> str:
    """Write out numbers, times, fractions and units.

    Args:
        text: One line without markup or rare symbols.
        language: "en" or "zh".

    Returns:
        The text; digits are left where no rule of wetext applies.

    >>> normalize("No digits here. At 7:30 pm, I ran 5 km.", "en")
    'No digits here. At seven thirty PM, I ran five kilometers.'
    """
    return _CONTEXT[language].sub(lambda match: _words(match[0], language), text)


def _words(words: str, language: str) -> str:
    """The words written out; unchanged without digits, or if they are too long for the rules."""
    return _normalize(words, language) if len(words) <= _MAX_CHARACTERS and _DIGIT.search(words) else words
