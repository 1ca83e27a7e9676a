"""Whether an answer fits what was asked, beyond its type: roles, turns, language, size, refusals."""

import re
from collections.abc import Sequence

from datagen.phrases import count_words, units
from datagen.records import Role, Turn
from datagen.spoken import to_spoken
from datagen.spoken.language import detect_language
from datagen.write.answers import UnfitAnswerError

_CANNOT = r"(?:can(?:no|')?t|am not able to|am unable to|won't|will not|must decline to)"
_DO = r"(?:help|assist|comply|fulfil|create|write|generate|provide|produce|engage|continue|do)"
_REFUSALS = (
    rf"(?:i'm|i am) (?:very |really |so )?sorry\W+(?:but )?(?:i )?{_CANNOT} {_DO}\b",
    rf"(?:sorry|unfortunately|i apologi[sz]e)\W+(?:but )?i {_CANNOT} {_DO}\b",
    rf"i {_CANNOT} {_DO} (?:you )?(?:with )?(?:this|that)\b",
    r"as an? (?:ai|artificial intelligence|large language model|language model)\b",
    r"(?:很|非常)?(?:抱歉|对不起)\W*(?:但)?我?(?:无法|不能|没有办法|没办法)",
    r"我(?:无法|不能)(?:帮助|协助|满足|完成|提供|生成)",
    r"作为(?:一个|一名|一款)?(?:ai|人工智能|大?语言模型)",
)
_REFUSAL = re.compile(rf"\W*(?:{'|'.join(_REFUSALS)})", re.IGNORECASE)
_MOST_TIMES_LONGER = 2.5
_MOST_TIMES_SHORTER = 5.0
_FREE_WORDS = 40
"""So many words more or fewer are never too many: short dialogues grow by a few fillers."""
_FEWEST_UNITS = 6
"""Of shorter texts the language cannot be told."""


def refuses(text: str) -> bool:
    """Whether a text begins as a model's refusal does.

    >>> [refuses(text) for text in ("I’m sorry, but I can't help with that.", "作为一个人工智能，我…", "Sorry, again?")]
    [True, True, False]
    """
    return bool(_REFUSAL.match(text.replace("’", "'")))


def check_new_dialogue(turns: Sequence[Turn], language: str, n_turns: tuple[int, int], max_words: int) -> None:
    """A dialogue of the model's own: alternating from the user to the assistant, of the size asked for.

    Raises:
        UnfitAnswerError: Says what is wrong with it.
    """
    for k, turn in enumerate(turns):
        expected: Role = "assistant" if k % 2 else "user"
        if turn.role != expected:
            raise UnfitAnswerError("changed_role", f"turn {k} is the {turn.role}'s, and must be the {expected}'s")
    if not n_turns[0] <= len(turns) <= n_turns[1] or len(turns) % 2:
        raise UnfitAnswerError(
            "bad_size", f"{len(turns)} turns; asked for an even number, {n_turns[0]} to {n_turns[1]}"
        )
    for k, turn in enumerate(turns):
        if (n_words := count_words(turn.text)) > max_words:
            raise UnfitAnswerError("bad_size", f"turn {k} has {n_words:.0f} words; at most {max_words} were asked for")
    check_sayable(turns, language)
    check_language(turns, language)
    for k, turn in enumerate(turns):
        if refuses(turn.text):
            raise UnfitAnswerError("refused", f"turn {k} is a refusal")


def check_rewritten(turns: Sequence[Turn], before: Sequence[Turn], language: str, *, translated: bool = False) -> None:
    """A dialogue that must say the same as the one before: no turn lost, no role changed, of a like size.

    Raises:
        UnfitAnswerError: Says what is wrong with it.
    """
    if len(turns) != len(before):
        raise UnfitAnswerError("lost_turn", f"{len(turns)} turns were given for {len(before)}")
    for k, (turn, old) in enumerate(zip(turns, before, strict=True)):
        if turn.role != old.role:
            raise UnfitAnswerError("changed_role", f"turn {k} is the {turn.role}'s, and was the {old.role}'s")
        n_words, n_before = count_words(turn.text), count_words(old.text)
        if translated:
            continue
        if n_words > _MOST_TIMES_LONGER * n_before + _FREE_WORDS or n_before > _MOST_TIMES_SHORTER * n_words + (
            _FREE_WORDS
        ):
            raise UnfitAnswerError("bad_size", f"turn {k} has {n_words:.0f} words, and had {n_before:.0f}")
    check_sayable(turns, language)
    check_language(turns, language)
    for k, (turn, old) in enumerate(zip(turns, before, strict=True)):
        if refuses(turn.text) and not refuses(old.text):
            raise UnfitAnswerError("refused", f"turn {k} is a refusal, and was none")


def check_sayable(turns: Sequence[Turn], language: str) -> None:
    """Every turn holds something that can be said.

    Raises:
        UnfitAnswerError: `not_sayable`.
    """
    for k, turn in enumerate(turns):
        if not to_spoken(turn.text, language):
            raise UnfitAnswerError("not_sayable", f"nothing of turn {k} can be said")


def check_language(turns: Sequence[Turn], language: str) -> None:
    """Enough text to tell, and it is in another language.

    Raises:
        UnfitAnswerError: `wrong_language`.

    >>> check_language([Turn("user", "今天天气怎么样？")], "zh")
    """
    text = "\n".join(turn.text for turn in turns)
    if len(units(text)) < _FEWEST_UNITS:
        return
    found = detect_language(text)
    if found != language:
        raise UnfitAnswerError("wrong_language", f"the text is in {found}, and must be in {language}")
