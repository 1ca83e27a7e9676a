"""Checks of answers beyond their type: roles, turns, language, size, refusals."""

import re
from collections.abc import Sequence

from datagen.authoring.answers import UnfitAnswerError
from datagen.records import Role, Turn
from datagen.text import to_spoken
from datagen.text.language import detect_language
from datagen.text.phrases import count_words, units

_CANNOT = (
    r"i(?: can(?:no|')?t| can not| won't| will not|(?: am|'m) (?:unable|not able) to|(?: must| have to) decline to)"
)
_THIS = r"(?:this|that|such|your)(?: (?:kind|type|sort) of)?"
_ASKED = r"(?:requests?|contents?|material|prompts?|instructions?|conversations?|dialogues?|tasks?)\b"
_END = r"\W*(?:$|[.,;:!?])"
_SORRY = r"(?:i'm|i am)? ?(?:very |really |so )?(?:sorry|unfortunately|i apologi[sz]e)\W+(?:but )?"
_AS_AI = r"as an? (?:ai|artificial intelligence|large language model|language model)\b[^,.]*,? ?"
_REFUSALS = (
    rf"(?:{_SORRY})?(?:{_AS_AI})?{_CANNOT} (?:"
    rf"comply\b|assist{_END}|(?:help|assist) (?:you )?with (?:{_THIS}{_END}|(?:\w+ ){{0,8}}{_ASKED})"
    r"|(?:fulfill?|create|write|generate|provide|produce|engage in|continue) "
    rf"(?:with )?{_THIS} (?:\w+ ){{0,3}}{_ASKED})",
    rf"{_SORRY}{_CANNOT} (?:help|(?:create|write|generate|provide|produce) (?:this|that))\W*$",
    rf"(?:{_SORRY})?i (?:must|have to) decline {_THIS} (?:\w+ ){{0,3}}{_ASKED}",
)
_SORRY_ZH = r"(?:很|非常|十分|实在)?(?:抱歉|对不起|不好意思)\W*(?:但是?|不过)?\W*"
_AS_AI_ZH = r"作为(?:一个|一名|一款)?(?:ai|人工智能|大?语言模型)\w*\W*"
_CANNOT_ZH = r"我?(?:无法|不能|没有办法|没办法)"
_THIS_ZH = r"(?:这|那|该|此|你|您|任何)\w{0,8}?"
_ASKED_ZH = r"(?:请求|要求|内容|指令|对话|任务)"
_REFUSALS_ZH = (
    rf"(?:{_SORRY_ZH})?(?:{_AS_AI_ZH})?{_CANNOT_ZH}(?:为你|为您|给你|给您)?(?:"
    rf"(?:提供)?(?:协助|帮助)(?:你|您)?\W*(?:$|[。，！])"
    rf"|(?:帮助|协助|帮|满足|完成|提供|生成|执行|回应|写|创作|继续)(?:你|您)?(?:完成|满足|处理)?{_THIS_ZH}{_ASKED_ZH})",
    rf"{_SORRY_ZH}{_CANNOT_ZH}(?:写|创作|生成|提供)这个\W*$",
)
_REFUSAL = re.compile(rf"\W*(?:{'|'.join((*_REFUSALS, *_REFUSALS_ZH))})", re.IGNORECASE)
_MOST_TIMES_LONGER = 2.5
_MOST_TIMES_SHORTER = 5.0
_FREE_WORDS = 40
"""A difference of fewer words is always accepted: short dialogues grow by a few fillers."""
_FEWEST_UNITS = 6
"""The language of shorter texts cannot be detected."""


def refuses(text: str) -> bool:
    """True if a text begins like a model's refusal to help or to do what is requested.

    That somebody cannot do something is common talk, and no refusal.

    >>> [refuses(text) for text in ("I’m sorry, but I can't help with that.", "我无法满足这个要求。", "I can't stay.")]
    [True, True, False]
    """
    return bool(_REFUSAL.match(" ".join(text.replace("’", "'").split())))


def check_new_dialogue(turns: Sequence[Turn], language: str, n_turns: tuple[int, int], max_words: int) -> None:
    """Check a new dialogue: turns alternate from the user on, in the requested number and size.

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
        if turn.role == "assistant" and refuses(turn.text):
            raise UnfitAnswerError("refused", f"turn {k} is a refusal")


def check_rewritten(turns: Sequence[Turn], before: Sequence[Turn], language: str, *, translated: bool = False) -> None:
    """Check a reworded dialogue: no turn lost, no role changed, of similar size.

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
        if turn.role == "assistant" and refuses(turn.text) and not refuses(old.text):
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
