"""Normalization of written to spoken text: `to_spoken("**5 kg**", "en")` → "five kilograms".

    markup.py      markdown, HTML, lists, emoji → plain prose, in any language
    reading.py     the reader: each part of a text is classified once, and said by the rule of its class
    english/       prose → spoken English
    chinese/       prose → spoken Chinese
    other.py       prose → spoken text in any other language, with digits as words by num2words

The result is one line of letters, apostrophes, single spaces and `, . ? ! ; :` (`，。？！；：` in
Chinese), without digits in English and Chinese; empty if nothing can be spoken. Normalized text is
a fixed point: it stays unchanged.
"""

from datagen.text.chinese import read_chinese
from datagen.text.english import read_english
from datagen.text.other import speak_other
from datagen.text.reading import Reading

__all__ = ["Reading", "spoken", "to_spoken"]

_MAX_ROUNDS = 8


def to_spoken(text: str, language: str) -> str:
    r"""Normalize written text to spoken text.

    Args:
        text: Any text, markup included. Data only: nothing in it is ever run or used as a pattern.
        language: ISO 639-1 code; English is assumed if empty.

    Returns:
        One line; empty if nothing can be spoken.

    >>> to_spoken("- **Basic**: $29.99/month\n- Premium (24/7 support)", "en")
    'Basic: twenty nine dollars and ninety nine cents per month. Premium, twenty four seven support.'
    >>> to_spoken("共3个苹果，$1,250.50！", "zh")
    '共三个苹果，一千二百五十点五零美元！'
    >>> to_spoken("😀 ---", "en")
    ''
    """
    return spoken(text, language).text


def spoken(text: str, language: str) -> Reading:
    """The words for a written text, and the parts that no rule reads.

    Args:
        text: Any text, markup included.
        language: ISO 639-1 code; English is assumed if empty.

    >>> spoken("It costs $5.", "en")
    Reading(text='It costs five dollars.', unread=())
    """
    if language in ("en", ""):
        return read_english(text)
    if language in ("zh", "yue"):
        return read_chinese(text)
    # the result can rarely be normalized once more ("0.cn" → "zero.cn" → "zero dot cn"): repeat
    # until it is stable
    for _ in range(_MAX_ROUNDS):
        said = speak_other(text, language)
        if said == text:
            break
        text = said
    return Reading(said)
