"""Where people hesitate: inside a clause, before the word that is hard to find; and what they say again then."""

import re

from datagen.text.phrases import HAN, units
from datagen.text.references import content

_ENDS = re.compile(r"[,.?!;:，。？！；：、…—–-]+[\"'”’)\]]*$")
"""A unit that ends like this ends a clause."""
_SENTENCE_ENDS = re.compile(r"[.?!。？！…]+[\"'”’)\]]*$")
_BEFORE_CONTENT, _INSIDE_CLAUSE, _CLAUSE_END = 4.0, 1.0, 0.5
"""How much likelier one place is than another; ours."""
_HAN_WORDS = frozenset("的是我你您他她们和跟把让从在")
"""Characters that are nearly always words, or their ends: after others, a pause might fall inside a Chinese word."""
_HAN_GOES_ON = frozenset("们话否的了吗呢吧啊呀嘛过着得地爸妈")
"""Characters that make a longer word with one of those before them."""
_LEAST_BEFORE = 2
"""Fewest units before a pause."""


def pause_places(spoken: str, language: str) -> dict[int, float]:
    """Where a turn may be broken by a hesitation, with a weight per place; never where a sentence ends.

    Args:
        spoken: Verbalized text.
        language: ISO 639-1 code.

    Returns:
        By number of units before the place, in order; empty if there is none.

    >>> pause_places("Well, I want a house. Is it far?", "en")
    {2: 1.0, 3: 1.0, 4: 4.0, 6: 1.0, 7: 4.0}
    >>> pause_places("我们在公园和小李见面。", "zh")
    {2: 1.0, 3: 4.0, 6: 4.0}
    """
    spots = units(spoken)
    begins = {start for _, start, _ in content(spoken, language)}
    found = {}
    for n_before in range(_LEAST_BEFORE, len(spots)):
        said = spoken[spots[n_before - 1].start : spots[n_before - 1].end]
        place = spots[n_before].start
        if _SENTENCE_ENDS.search(said) or not any(map(str.isalnum, spoken[place : spots[n_before].end])):
            continue
        if _ENDS.search(said):
            found[n_before] = _CLAUSE_END
        elif not re.match(f"[{HAN}]", said) or (said in _HAN_WORDS and spoken[place] not in _HAN_GOES_ON):
            found[n_before] = _BEFORE_CONTENT if place in begins else _INSIDE_CLAUSE
    return found


def n_repeatable(spoken: str, n_before: int) -> int:
    """How many units before a place can be said again after it: those since the last punctuation.

    In Chinese none, because nothing tells where the word begins.

    >>> n_repeatable("Well, I want a house.", 4), n_repeatable("Well, I want a house.", 1), n_repeatable("我在家", 2)
    (3, 0, 0)
    """
    n = 0
    for spot in reversed(units(spoken)[:n_before]):
        if _ENDS.search(spoken[spot.start : spot.end]) or re.match(f"[{HAN}]", spoken[spot.start]):
            break
        n += 1
    return n
