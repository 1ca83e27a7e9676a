"""Places in a turn: a model quotes the last words said before a place, for models quote better than they count."""

from datagen.authoring.answers import UnfitAnswerError
from datagen.sources.fields import quote as quoted
from datagen.text.phrases import units

_MARKS = ",.?!;:，。？！；：…、'\"「」()（）-"
_FOLDED = str.maketrans(
    {**dict.fromkeys("‘’ʼ＇´`", "'"), **dict.fromkeys("“”„＂", '"'), **dict.fromkeys("‐‑‒–—―−－", "-")}
)
"""A model writes other quotes and dashes than the text it quotes."""


def spoken_units(text: str) -> list[str]:
    """The units of a text without case and punctuation, which a quote need not repeat.

    >>> spoken_units("Well, it's on."), spoken_units("好，来吧")
    (['well', "it's", 'on'], ['好', '来', '吧'])
    >>> spoken_units("It’s — on")
    ["it's", '', 'on']
    """
    return [text[unit.start : unit.end].translate(_FOLDED).strip(_MARKS).casefold() for unit in units(text)]


def word_after(text: str, after: str, occurrence: int | None) -> int:
    """How many units of a text are said when a quote from it has been said.

    Args:
        text: The turn, in spoken form.
        after: Its last words before the place; whole words, or Chinese characters. Empty: its beginning.
        occurrence: Which one, from 1, if the quote is there several times; None: it must be there once.

    Returns:
        0 to the number of units.

    Raises:
        UnfitAnswerError: `bad_place`, if the quote is not there, or there several times.

    >>> word_after("Turn left, then turn right.", "turn right", None), word_after("Go left, left.", "left", 2)
    (5, 3)
    >>> word_after("先往左转，再往右转。", "左转", None), word_after("I'm here.", "", None)
    (4, 0)
    """
    wanted = [unit for unit in spoken_units(after) if unit]
    if not wanted:
        return 0
    numbered = [(unit, k + 1) for k, unit in enumerate(spoken_units(text)) if unit]  # a dash alone is not said
    said, ends_at = [unit for unit, _ in numbered], [end for _, end in numbered]
    n = len(wanted)
    ends = [ends_at[k + n - 1] for k in range(len(said) - n + 1) if said[k : k + n] == wanted]
    if not ends:
        raise UnfitAnswerError("bad_place", f"{quoted(after)} is not in the turn as whole words")
    if occurrence is None:
        if len(ends) > 1:
            raise UnfitAnswerError(
                "bad_place", f"{quoted(after)} is in the turn {len(ends)} times: quote more, or say which"
            )
        return ends[0]
    if not 1 <= occurrence <= len(ends):
        raise UnfitAnswerError(
            "bad_place", f"{quoted(after)} is in the turn {len(ends)} times, there is no occurrence {occurrence}"
        )
    return ends[occurrence - 1]
