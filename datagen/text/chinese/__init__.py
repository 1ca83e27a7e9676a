"""Written to spoken Chinese: a text is read from left to right, each part by the rule of its class.

    words.py    number words: cardinals, digits one by one, dates, times
    units.py    measure words, units, currencies; traditional characters
    cues.py     what stands beside a number and decides its class
    numbers.py  the rules of numbers
    symbols.py  the rules of marks and symbols
"""

import re
from dataclasses import dataclass

from datagen.text import markup
from datagen.text.chinese import numbers, symbols
from datagen.text.chinese.units import SIGN_OF_CODE, TO_SIMPLIFIED, TO_TRADITIONAL
from datagen.text.chinese.words import cardinal
from datagen.text.reading import WORD, Reader

LETTERS = (
    "A-Za-zÀ-ÖØ-öø-ɏḀ-ỿͰ-ͽΆ-ώЀ-ӿ\u3005\u3041-\u3096\u30a1-\u30fa\u30fc\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"
    "\U00020000-\U000323af"
)
"""Letters that can be said in Chinese, rare characters such as 𠮷 included."""
_LATIN = "A-Za-zÀ-ÖØ-öø-ɏ"
_CHARACTERS = re.compile(rf"[{LETTERS}' ，。？！；：]*")
_UNTIDY = re.compile(
    rf"[，。？！；：]{{2}}|^[ ，。？！；：]|[ ，；：]$"
    rf"| (?![{_LATIN}])|(?<![{_LATIN}]) |'(?![{_LATIN}])|(?<![{_LATIN}])'"
)
_NO_LETTER = re.compile(f"[^{LETTERS}]")
_LETTER = re.compile(f"[{LETTERS}]")
_PAUSE = re.compile(r"[\s，。？！；：]+")
"""A run of spaces and marks, so that each is read once."""
_STRONGEST = "？！。；：，"

READER = Reader((*numbers.RULES, *symbols.RULES))
"""Reads text in simplified characters."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How a text is said, and what of it no rule reads."""

    text: str
    unread: tuple[str, ...]


def speak_chinese(text: str) -> str:
    r"""Normalize written text to spoken Chinese.

    Args:
        text: Any text.

    Returns:
        One line of letters and `，。？！；：`; spaces only between Latin words; may be empty.

    >>> speak_chinese("会议在2024年3月4日（周一）14:05开始，需要5-10分钟。")
    '会议在二零二四年三月四日，周一，十四点零五分开始，需要五到十分钟。'
    >>> speak_chinese("1. 阅读《红楼梦》\n2. 写作")
    '第一，阅读红楼梦。第二，写作。'
    """
    return read_chinese(plain(text)).text


def read_chinese(prose: str) -> Reading:
    """Read prose, and report what remains unread.

    Args:
        prose: Text without markup, as `plain` makes it.

    >>> read_chinese("房间302，2个人♪\\\\")
    Reading(text='房间三零二，两个人', unread=('\\\\',))
    """
    if _CHARACTERS.fullmatch(prose) and not _UNTIDY.search(prose):
        return Reading(prose, ())
    simplified = prose.translate(TO_SIMPLIFIED)
    is_traditional = simplified != prose
    said, unread = list[str](), list[str]()
    for part in READER.parts(simplified):
        written = prose[part.begin : part.end]
        if part.rule == WORD:
            unread += _NO_LETTER.findall(written)
            said.append(_NO_LETTER.sub(" ", written))
        elif part.rule:
            said.append(part.said.translate(TO_TRADITIONAL) if is_traditional else part.said)
        else:
            unread.append(written)
            said.append(" ")
    return Reading(_tidy("".join(said)), tuple(unread))


_CIRCLED = {
    chr(first + n): f"({n + 1})"
    for first, count in ((0x2460, 20), (0x2474, 20), (0x2488, 20), (0x2776, 10), (0x2780, 10), (0x278A, 10), (0x24F5, 10))
    for n in range(count)
}
_ROMAN_SIGNS = {chr(first + n): cardinal(str(n + 1)) for first in (0x2160, 0x2170) for n in range(12)}
_BEFORE_FOLD = str.maketrans({**_CIRCLED, **_ROMAN_SIGNS, "№": "#"})
_STAR = re.compile(r"\*(?=[号键])")
_NUMBER_SIGN = re.compile(r"(?<![A-Za-z])No\. ?(?=[0-9])")
_ROMAN = re.compile(
    "(?<=第)[IVX]{1,7}(?![A-Za-z0-9])|(?<![A-Za-z0-9.&-])(?:[IX]?V?I{2,3}|IV|IX|X[IV]{1,4}|X?VI(?=[型期级类世章节卷]))(?![A-Za-z0-9&-])|"
    "(?<![A-Za-z0-9.&-])I(?=[型期类]|级(?:甲|乙|医|护))"
)
_CHAPTER = re.compile(r"(?:(?<=\s)|^)([一二三四五六七八九十]{1,3})\. ?(?=\S)")
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10}
_URL = re.compile(r"(?<!\]\()(?:https?://|(?<![A-Za-z0-9._@/-]))((?:[A-Za-z0-9-]{1,63}\.){1,4}[a-z]{2,6})((?:/[A-Za-z0-9_-]{1,16}){0,2})/?(?![A-Za-z0-9/?#=&%._~:@-])")
_BARE_ADDRESS = re.compile(r"(?<![/\w.])www\.(?=[A-Za-z0-9-]{1,63}\.)")
_CURRENCY_CODE = re.compile("(?<![A-Za-z])(" + "|".join(map(re.escape, SIGN_OF_CODE)) + r") ?(?=[0-9])")
_DOT, _AT = "\ue000", "\ue001"
_ADDRESS_MARK = re.compile(f" ?([{_DOT}{_AT}]) ?")


def _short_url(match: re.Match[str]) -> str:
    """A short address, which is said with its path."""
    return match[1].replace(".", _DOT) + match[2] if match[0].startswith("http") or match[2] else match[0]


def plain(text: str) -> str:
    """Written text to prose: markup dropped, circled and Roman numerals as digits.

    >>> plain("①开机②联网"), plain("**第XII届**"), plain("li@qq.com")
    ('第1，开机，第2，联网', '第十二届', 'li@qq.com')
    """
    text = _BARE_ADDRESS.sub(f"www{_DOT}", _URL.sub(_short_url, text.translate(_BEFORE_FOLD)))
    text = _NUMBER_SIGN.sub("#", _STAR.sub("星", text))
    text = markup.prose(text, lambda n: f"第{n}，", _DOT, _AT)
    text = _ADDRESS_MARK.sub(lambda match: "." if match[1] == _DOT else "@", text)
    text = _CURRENCY_CODE.sub(lambda match: SIGN_OF_CODE[match[1]], text)
    text = _CHAPTER.sub(r"\1、", text)
    return _ENUMERATED.sub(_enumerate, _ROMAN.sub(_roman, text))


_ENUMERATED = re.compile(r"(?:(?<=[\s,.;:!?。，；：、])|^|(?<=[\u3400-\u9fff]))\(([0-9]{1,2})\) ?")


def _enumerate(match: re.Match[str]) -> str:
    """A number in brackets: an item of a list, or the number of a figure or a step."""
    left = match.string[max(0, match.start() - 2) : match.start()]
    if re.search("[图表式步骤题例注级]$", left):
        return match[1]
    if re.search(r"[\u3400-\u9fff]$", left):
        return f"，第{match[1]}，"
    return f"第{match[1]}，"


def _roman(match: re.Match[str]) -> str:
    values = [_ROMAN_VALUES[letter] for letter in match[0]]
    return cardinal(str(sum(-v if v < after else v for v, after in zip(values, [*values[1:], 0], strict=True))))


def _tidy(text: str) -> str:
    """One mark at a pause, spaces only between Latin words, nothing before the first letter.

    >>> _tidy(" ，我 用 Python three 。，写 ，")
    '我用Python three。写。'
    """
    text = re.sub(rf"'(?![{_LATIN}])|(?<![{_LATIN}])'", "", text)
    text = _PAUSE.sub(lambda match: next((mark for mark in _STRONGEST if mark in match[0]), " "), text)
    text = re.sub(rf" (?![{_LATIN}])|(?<![{_LATIN}]) ", "", text).lstrip("，。？！；：")
    if not _LETTER.search(text):
        return ""
    return text[:-1] + "。" if text[-1] in "，；：" else text
