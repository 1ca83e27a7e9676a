"""The form of spoken text in languages whose words stand between spaces."""

import re
from functools import lru_cache

_PAUSE = re.compile(  # begins with a set of characters, which is found quickly
    r"[\s,.?!;:](?:(?<=[,.?!;:])(?=[^\s,.?!;:])|(?:(?<![,.?!;:])|(?! [^\s,.?!;:]))[\s,.?!;:]+)"
)
"""A run of spaces and marks, so that each is read once; a mark and a space are tidy."""
_STRONGEST = "?!.;:,"


def tidy(text: str, letters: str) -> str:
    """Reduce to single spaces and marks, with apostrophes only inside words.

    Args:
        text: Words and marks, with spaces and marks in any number between them.
        letters: What counts as a letter, in the syntax of a character class.

    Returns:
        One line; empty if it holds no letter.

    >>> tidy(" , 'tis the cats' , . l'été ,", "a-zé")
    "tis the cats. l'été."
    """
    letter, outside = _patterns(letters)
    text = outside.sub("", text) if "'" in text else text
    text = _PAUSE.sub(lambda match: next((f"{mark} " for mark in _STRONGEST if mark in match[0]), " "), text)
    text = text.lstrip(" ,.?!;:").rstrip()
    if not letter.search(text):
        return ""
    return text[:-1] + "." if text[-1] in ",;:" else text


@lru_cache
def _patterns(letters: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """A letter, and an apostrophe that is not between two."""
    return re.compile(f"[{letters}]"), re.compile(f"'(?:(?![{letters}])|(?<![{letters}]'))")
