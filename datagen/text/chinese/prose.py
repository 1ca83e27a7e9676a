"""Written Chinese to prose: what has to be decided before markup is dropped and characters are folded."""

import re

from datagen.text import markup
from datagen.text.chinese.units import SIGN_OF_CODE
from datagen.text.chinese.words import cardinal

_CIRCLED = {
    chr(first + n): f"({n + 1})"
    for first, count in ((0x2460, 20), (0x2474, 20), (0x2488, 20), (0x24F5, 10), (0x2776, 10), (0x2780, 10), (0x278A, 10))
    for n in range(count)
}  # fmt: skip
_ROMAN_SIGNS = {chr(first + n): cardinal(str(n + 1)) for first in (0x2160, 0x2170) for n in range(12)}
_BEFORE_FOLD = str.maketrans({**_CIRCLED, **_ROMAN_SIGNS, "№": "#"})
_STAR_KEY = re.compile(r"\*(?=[号键])")
_TIMES = re.compile(r"(?:(?<=[0-9][A-Za-z])|(?<=[0-9][A-Za-z]{2})|(?<=[0-9][个袋箱瓶盒包片张元]))\*(?=[0-9])")
_NUMBER_SIGN = re.compile(r"(?<![A-Za-z])(?:No|NO|no)\. ?(?=[0-9])")
_CURRENCY_CODE = re.compile("(?<![A-Za-z])(" + "|".join(map(re.escape, SIGN_OF_CODE)) + r") ?(?=[0-9])")
_URL = re.compile(r"(?:https?|ftp)://([A-Za-z0-9.-]{1,200})(?::[0-9]{1,5})?(/?[A-Za-z0-9/?#&=%._~+@:;!$-]{0,2000}(?<![.,;:!?]))?")
_SHORT_PATH = re.compile("(?:/[A-Za-z0-9_-]{1,16}){1,2}/?")
_ROMAN = re.compile(
    "(?<=第)[IVX]{1,7}(?![A-Za-z0-9])"
    "|(?<![A-Za-z0-9.&-])(?:[IX]?V?I{2,3}|IV|IX|X[IV]{1,4}|X?VI(?=[型期级类世章节卷]))(?![A-Za-z0-9&-])"
    "|(?<![A-Za-z0-9.&-])I(?=[型期类]|级(?:甲|乙|医|护))"
)
"""Numerals, not words such as VI or X of their own."""
_VALUES = {"I": 1, "V": 5, "X": 10}
_CHAPTER = re.compile(r"(?:(?<=\s)|^)([一二三四五六七八九十]{1,3})\. ?(?=\S)")
_IN_BRACKETS = re.compile(r"(?:(?<=[\s,.;:!?。；：、)\u3400-\u9fff])|^)\(([0-9]{1,2})\) ?(班)?")


def plain(text: str) -> str:
    """Written text to prose: markup dropped, circled and Roman numerals as numbers.

    Args:
        text: Any text.

    >>> plain("①开机②联网"), plain("**第XII届**"), plain("见https://a.cn/b?c=d"), plain("HK$100")[1:]
    ('第1，开机，第2，联网', '第十二届', '见a.cn', '100')
    """
    text = _TIMES.sub("×", _STAR_KEY.sub("星", text.translate(_BEFORE_FOLD)))
    text = markup.prose(text, lambda n: f"第{n}，", "", "", addresses=False)
    text = _NUMBER_SIGN.sub("#", _URL.sub(_short_address, text))
    text = _CHAPTER.sub(r"\1、", _ROMAN.sub(_roman, text))
    text = _CURRENCY_CODE.sub(lambda match: SIGN_OF_CODE[match[1]], text)
    return _IN_BRACKETS.sub(_in_brackets, text)


def _short_address(match: re.Match[str]) -> str:
    """The host of an address, and its path if that can be said."""
    path = match[2] or ""
    return match[1].strip(".") + (path.rstrip("/") if _SHORT_PATH.fullmatch(path) else "")


def _in_brackets(match: re.Match[str]) -> str:
    """A number in brackets: an item of a list, or the number of a figure or a step."""
    left = match.string[max(0, match.start() - 1) : match.start()]
    if match[2] or re.match("[图表式骤题例注]", left):
        return match[1] + (match[2] or "")
    return ("，" if re.match("[)\u3400-\u9fff]", left) else "") + f"第{match[1]}，"


def _roman(match: re.Match[str]) -> str:
    values = [_VALUES[letter] for letter in match[0]]
    return cardinal(str(sum(-v if v < after else v for v, after in zip(values, [*values[1:], 0], strict=True))))
