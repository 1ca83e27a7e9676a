"""Text as people would say it: `to_spoken("It's **5 kg**", "en")` → "It's five kilograms".

    markup.py      markdown, HTML, lists, URLs, emoji → plain prose, in any language
    english.py     prose → spoken English            numbers.py  English numbers that need a rule of ours
    chinese.py     prose → spoken Chinese
    other.py       prose → spoken text in any other language: digits as words where num2words knows the language
    normalizer.py  the wetext normalizer, fed clause by clause, and only clauses that hold digits

The result is one line of letters, apostrophes, single spaces and `, . ? ! ; :` (`，。？！；：` in Chinese), without
digits in English and Chinese; empty if nothing can be said. It is a fixed point: what is spoken stays as it is.
"""

from datagen.text.chinese import speak_chinese
from datagen.text.english import speak_english
from datagen.text.other import speak_other

__all__ = ["to_spoken"]

_MAX_ROUNDS = 8


def to_spoken(text: str, language: str) -> str:
    r"""Turn written text into what a person would say.

    Args:
        text: Any text, markup included. Data only: nothing in it is ever run or used as a pattern.
        language: ISO 639-1 code; English is assumed if empty.

    Returns:
        One line; empty if nothing can be said.

    >>> to_spoken("- **Basic**: $29.99/month\n- Premium (24/7 support)", "en")
    'Basic: twenty nine dollars and ninety nine cents per month. Premium, twenty four seven support.'
    >>> to_spoken("共3个苹果，$1,250.50！", "zh")
    '共三个苹果，一千二百五十点五零美元！'
    >>> to_spoken("😀 ---", "en")
    ''
    """
    # what has been cleaned can rarely be read once more ("0.cn" → "zero.cn" → "zero dot cn"): go on until it rests
    for _ in range(_MAX_ROUNDS):
        said = _speak(text, language)
        if said == text:
            break
        text = said
    return said


def _speak(text: str, language: str) -> str:
    if language in ("en", ""):
        return speak_english(text)
    if language in ("zh", "yue"):
        return speak_chinese(text)
    return speak_other(text, language)
