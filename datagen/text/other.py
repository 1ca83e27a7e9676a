"""Plain prose to spoken text in languages without rules of their own."""

import re
import unicodedata
from decimal import Decimal
from functools import lru_cache

from num2words import num2words

from datagen.text.markup import prose

_MARKS = frozenset(",.?!;:'，。？！；：、।؟،؛")
_SPACE = re.compile(r"\s+")
_SPACED_MARK = re.compile(r" (?=[,.?!;:，。？！；：、।؟،؛])")


def speak_other(text: str, language: str) -> str:
    """Strip markup and rare symbols; write whole numbers out if num2words knows the language.

    Args:
        text: Any text.
        language: ISO 639-1 code.

    Returns:
        One line of letters, marks and, in languages without number words, digits.

    >>> speak_other("**Bonjour**, 21 amis (et moi) !", "fr")
    'Bonjour, vingt et un amis et moi!'
    """
    text = prose(text, lambda n: f"{n}. ", "", "")
    text = re.sub(r"(?<!\d)\d{1,15}(?:[.,]\d\d?)?(?!\d)", lambda match: _words(match[0], language), text)
    kept = "".join(char if unicodedata.category(char)[0] in "LMN" or char in _MARKS else " " for char in text)
    kept = _SPACED_MARK.sub("", _SPACE.sub(" ", kept)).strip()
    return kept if any(unicodedata.category(char)[0] in "LN" for char in kept) else ""


@lru_cache(maxsize=4096)
def _words(digits: str, language: str) -> str:
    try:
        return str(num2words(Decimal(digits.replace(",", ".")), lang=language))
    except NotImplementedError:  # raised by num2words for an unknown language
        return digits
