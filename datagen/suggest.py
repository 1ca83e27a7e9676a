"""Suggestions for misspelled names: the closest known ones, as the end of an error."""

from collections.abc import Iterable
from difflib import get_close_matches

_LEAST_ALIKE = 0.6
_LONGEST = 100
"""Characters of a name; longer ones are no misspelling and are slow to compare."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The closest of the known names as the end of a sentence; empty if none is close.

    >>> did_you_mean("quikstart", ["quickstart", "natural"])
    '; did you mean quickstart?'
    >>> did_you_mean("three_steam", ["three_stream", "two_stream"])
    '; did you mean three_stream?'
    >>> did_you_mean("xyz", ["quickstart"])
    ''
    """
    found = closest(name, known)
    return f"; did you mean {found}?" if found else ""


def closest(name: str, known: Iterable[str]) -> str:
    """The known name that is most alike, ignoring case; empty if none is close or the name is known.

    >>> closest("Kokoro", ["kokoro"]), closest("kokoro", ["kokoro"])
    ('kokoro', '')
    """
    spelled = {each.casefold(): each for each in known}
    if name in spelled.values() or len(name) > _LONGEST:
        return ""
    matches = get_close_matches(name.casefold(), spelled, 1, _LEAST_ALIKE)
    return spelled[matches[0]] if matches else ""
