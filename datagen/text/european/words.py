"""Words around a part, numbers in words and Roman numerals in European languages."""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from num2words import num2words

Match = re.Match[str]
LETTERS = "A-Za-zÀ-ÖØ-öø-ɏḀ-ỿ"
"""Letters that a voice of these languages reads."""
ROMANS = {
    roman: number
    for number, roman in enumerate(
        "I II III IV V VI VII VIII IX X XI XII XIII XIV XV XVI XVII XVIII XIX XX XXI".split(),  # noqa: SIM905
        1,
    )
}
_WINDOW = 48
"""Characters before a part that are looked at, so that reading takes linear time."""
_WORDS = re.compile(r"[^\W\d_]+|\d+")


def before(match: Match) -> list[str]:
    """The words before a match in lower case, the nearest last.

    >>> before(re.search("5", "El día 5"))
    ['el', 'día']
    """
    begin = match.start()
    return _WORDS.findall(match.string[max(0, begin - _WINDOW) : begin].lower())


def alternatives(words: Iterable[str]) -> str:
    """A pattern of any of some texts, the longest first."""
    return "|".join(map(re.escape, sorted(words, key=len, reverse=True)))


@lru_cache(maxsize=4096)
def in_words(number: int, code: str, kind: str = "cardinal") -> str:
    """A number in words by num2words.

    >>> in_words(21, "fr"), in_words(3, "de", "ordinal")
    ('vingt et un', 'dritte')
    """
    return str(num2words(number, lang=code, to=kind))


def any_other(match: Match) -> str | None:
    """Pictures and marks of other scripts are not said; unknown signs and figures are not read."""
    kind = unicodedata.category(match[0])
    if kind in ("So", "Sk", "Cf", "Cn", "Co", "Cs") or kind[0] in "ZC":
        return " "
    return None if match[0] in "\\{}^_#" or kind[0] != "P" else "'" if match[0] == "'" else " "
