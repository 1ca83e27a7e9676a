"""Plain prose to spoken text in languages without rules: what is no word is unread, never spoken as it looks."""

import re
import unicodedata

from datagen.text.markup import prose
from datagen.text.reading import Reading

_MARKS = frozenset(",.?!;:'，。？！；：、।؟،؛¿¡")
_SAID_IN_WORDS = frozenset("%&@#*\\_§‰°/^{}")
_AROUND = ".,;:!?()\"'"
_SPACE = re.compile(r"\s+")
_SPACED_MARK = re.compile(r" (?=[,.?!;:，。？！；：、।؟،؛])")
_DIGIT = re.compile(r"\d")


def read_plain(text: str) -> Reading:
    """Strip markup; words and marks are said as they are written, digits and symbols are unread.

    Args:
        text: Any text in a language whose words are its letters.

    Returns:
        One line of letters and marks, and each number and symbol.

    >>> read_plain("**Olá**, amigos (e eu) !")
    Reading(text='Olá, amigos e eu!', unread=())
    >>> read_plain("São 5 euros.")
    Reading(text='São euros.', unread=('5',))
    """
    said, unread = list[str](), list[str]()
    for word in prose(text, lambda n: f"{n} ", ".", "@", addresses=False).split():
        if _DIGIT.search(word):
            unread.append(word.strip(_AROUND))
            said.append(word[len(word.rstrip(_AROUND)) :])
        else:
            unread += filter(_is_unread, word)
            said.append("".join(char if char in _MARKS or char.isalpha() or _joins(char) else " " for char in word))
    text = _SPACED_MARK.sub("", _SPACE.sub(" ", " ".join(said))).strip()
    return Reading(text if any(map(str.isalpha, text)) else "", tuple(unread))


def _is_unread(char: str) -> bool:
    """True for a symbol that is neither a mark nor a picture.

    >>> "".join(filter(_is_unread, "a-b, €%&😀"))
    '€%&'
    """
    kind = unicodedata.category(char)
    return char in _SAID_IN_WORDS or kind in ("Sm", "Sc", "No", "Nl")


def _joins(char: str) -> bool:
    """True for a mark on a letter, such as a vowel of Hindi."""
    return unicodedata.category(char)[0] == "M"
