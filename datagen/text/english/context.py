"""The surroundings of a number decide its class: the words before it, and the word after it."""

import re
from functools import lru_cache

from datagen.text.reading import word_set

_WINDOW = 64
"""Characters before a part that are looked at; a bound, so that reading takes linear time."""
_WORDS = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?(?:\.(?=[ ,;:]))?|\d+|#|[:=]")
_NEXT = re.compile(r"(?:\"| )? ?([^\W\d_]+)")
_FILLERS = word_set("is was are # number numbers no no. num num. : = would be your my the it's")
_NOT_PLURAL = word_set(
    "was is has this always plus its as does yes us less thus across perhaps else sometimes besides news series "
    "crisis means minus says gives makes needs costs runs starts begins ends expires works comes goes gets takes "
    "leaves ships opens closes departs arrives lands boards wins helps followed saw seems remains changes shows "
    "hits falls rises grows drops looks sounds feels lies sits stands protects reads lists keeps airs stays "
    "contains fits happens matters belongs brings covers describes explains applies wants ours theirs yours his hers"
)
_PLURAL = word_set("people men women children feet mice fish police sheep teeth guys lbs")
_ARTICLES = word_set("a an any this that each every another one single our my your her his their")
_NO_NOUN = word_set(
    "of and or to in at for per is are was were will would could should away ago after before from with by on as "
    "than then but not if when while so because left more less each total extra only now today tomorrow tonight "
    "yesterday again please too also every later earlier off down up over under plus minus times have has had do "
    "does until till since about into until who that which where how i you he she it we they this the a an"
)


def before(match: re.Match[str]) -> list[str]:
    """The words before a match in lower case, the nearest last; `#`, `:` and `=` count as words.

    >>> before(re.search("42", "My order no. is: 42"))
    ['my', 'order', 'no.', 'is', ':']
    """
    begin = match.start()
    return list(_words(match.string[max(0, begin - _WINDOW) : begin]))


@lru_cache(maxsize=64)
def _words(head: str) -> tuple[str, ...]:
    """The words of what stands before a part; remembered, for several rules need them."""
    return tuple(_WORDS.findall(head.lower()))


def label(match: re.Match[str]) -> str:
    """The noun that a number belongs to, such as `code` in "your code is: 42"; may be empty.

    >>> label(re.search("42", "My order no. is: 42")), label(re.search("42", "a card ending in 42"))
    ('order', 'ending')
    """
    words = before(match)
    if len(words) > 1 and words[-1] in ("in", "with") and words[-2] in ("ending", "ends", "end", "starting"):
        return "ending"
    while words and words[-1] in _FILLERS:
        words.pop()
    return words[-1] if words else ""


def previous(match: re.Match[str]) -> str:
    """The word right before a match as written, if a space is between; may be empty."""
    begin = match.start()
    head = match.string[max(0, begin - 24) : begin]
    return head.split(" ")[-2].strip("\"'(") if head.endswith(" ") and len(head) > 1 else ""


def following(match: re.Match[str]) -> str:
    """The word right after a match, as written; may be empty."""
    found = _NEXT.match(match.string, match.end())
    return found[1] if found else ""


def plural_follows(match: re.Match[str]) -> bool:
    """True if a match counts the noun after it.

    >>> [plural_follows(re.search("1500", text)) for text in ("1500 words", "in 1500 it was", "a 1500 crisis")]
    [True, False, False]
    """
    word = following(match)
    if not word.islower():
        return False
    return word in _PLURAL or (
        len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) and word not in _NOT_PLURAL
    )


def is_attribute(match: re.Match[str]) -> bool:
    """True if a quantity stands before a noun as an adjective does: "a 9 V battery".

    >>> [is_attribute(re.search("9 V", text)) for text in ("a 9 V battery", "it has 9 V left", "a 9 V.")]
    [True, False, False]
    """
    noun = following(match)
    if not noun or noun.lower() in _NO_NOUN or match.string[match.end() : match.end() + 1] not in (" ", "-"):
        return False
    words = before(match)
    if words and words[-1].isdecimal():  # of a range: "a 10-15 min. walk"
        words.pop()
    return bool(words) and words[-1] in (_ARTICLES if noun.islower() else ("a", "an"))


def ends_sentence(match: re.Match[str]) -> bool:
    """True if a sentence may end with a match that ends with a dot.

    >>> [ends_sentence(re.search("p.m.", text)) for text in ("6 p.m.", "6 p.m. We left", "6 p.m. on")]
    [True, True, False]
    """
    rest = match.string[match.end() : match.end() + 3].lstrip(" \"')")
    return not rest or rest[0].isupper()
