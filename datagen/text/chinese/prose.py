"""Written Chinese to prose: what has to be decided before markup is dropped and characters are folded."""

import re
from functools import lru_cache, partial

from datagen.text import markup
from datagen.text.chinese.units import SIGN_OF_CODE
from datagen.text.chinese.words import cardinal
from datagen.text.reading import Dropped

_CIRCLED = {
    chr(first + n): f"({n + 1})"
    for first, count in ((0x2460, 20), (0x2474, 20), (0x2488, 20), (0x24F5, 10), (0x2776, 10), (0x2780, 10))
    for n in range(count)
}
_CIRCLED |= {chr(0x278A + n): f"({n + 1})" for n in range(10)}
_ROMAN_SIGNS = {chr(first + n): cardinal(str(n + 1)) for first in (0x2160, 0x2170) for n in range(12)}
_BEFORE_FOLD = str.maketrans({**_CIRCLED, **_ROMAN_SIGNS, "№": "#"})
_MASKED = re.compile(r"(?<=[0-9])(?: ?\*{2,12}){1,4} ?(?=[0-9Xx])")
_STAR_KEY = re.compile(
    r"\*(?=号?键|号)|(?<=[以按拨或和、#])\*(?= ?(?:结束|结尾|开头|返回|确认|退出|挂断|重听|[和或、,，。;；]|$))|"
    r"\*(?= ?[和或、] ?#)|(?<=[\"“'‘「])\*(?=[\"”'’」])"
)
"""The key of a telephone, not markup."""
_SPACE_AT_DIGIT = re.compile(
    " (?:(?<=[0-9] )(?=[年月日号](?![0-9]))|"
    "(?<=[第于在从到至自约有共近是为] )(?=[0-9]{1,20}(?:[^0-9.、)）]|[.][0-9]|$)))"
)
_TIMES = re.compile(r"(?:(?<=[0-9][A-Za-z])|(?<=[0-9][A-Za-z]{2})|(?<=[0-9][个袋箱瓶盒包片张元]))\*(?=[0-9])")
_SPACED_TIMES = re.compile(
    r"((?:[$¥€£][0-9]{1,9}(?:[,.][0-9]{1,3}){0,3}|(?<![0-9.,])[0-9]{1,9}(?= [xX] [$¥€£])|[\u3400-\u9fff)]))"
    r" [xX] (?=[0-9$¥€£\u3400-\u9fff(])"
)
_NUMBER_SIGN = re.compile(r"(?<![A-Za-z])(?:No|NO|no)\. ?(?=[0-9])")
_CURRENCY_CODE = re.compile("(?<![A-Za-z])(" + "|".join(map(re.escape, SIGN_OF_CODE)) + r") ?(?=[0-9])")
_URL = re.compile(
    r"(?:https?|ftp)://([A-Za-z0-9.-]{1,200})(?::[0-9]{1,5})?(/?[A-Za-z0-9/?#&=%._~+@:;!$-]{0,2000}(?<![.,;:!?]))?"
)
_LATIN = re.compile("[A-Za-z]")
_SHORT_PATH = re.compile("(?:/[A-Za-z0-9_-]{1,16}){1,2}/?")
_ROMAN = re.compile(
    "(?<=第)[IVX]{1,7}(?![A-Za-z0-9])"
    "|(?<![A-Za-z0-9.&-])(?:[IX]?V?I{2,3}|IV|IX|X[IV]{1,4}|X?VI(?=[型期级类世章节卷]))(?![A-Za-z0-9&-])"
    "|(?<![A-Za-z0-9.&-])I(?=[型期类]|级(?:甲|乙|医|护))"
)
"""Numerals, not words such as VI or X of their own."""
_VALUES = {"I": 1, "V": 5, "X": 10}
_SPELLED = re.compile("(?<![A-Za-z0-9])[IVXLCDM]{1,15}(?![A-Za-z0-9'])")
_ROMAN_NUMERALS = ("罗马数字", "羅馬數字")
_FIRST_OF = re.compile("([\u3400-\u9fff]{2})I(?=$|[^A-Za-z0-9 '.&-](?<![=+])|\\.(?:\\s|$)| (?:[和与及或]|$))")
_COURSE = re.compile(
    "[学论]$|微积分|代数|几何|物理|化学|历史|[英日法德韩]语|"
    "原理|基础|导论|概论|设计|课程|教程|实验|分析|统计|程序|[篇卷册]$"
)
_INITIALS = re.compile(
    "(?<![A-Za-z.])((?:[A-Z]\\. ?){2,5})(?=[\u3400-\u9fff]|[A-Z][a-z])|"
    "(?<=[a-z] )([A-Z]\\. )(?=[A-Z][a-z]{1,15}(?! ?[a-z']))"
)
_CLOSED_END = re.compile(
    '[。.?!？！]{1,3}(?=["”’」』]{1,2} ?(?:的(?![确士])|'
    "了(?!解)|[吗呢吧嘛]|之|等|这(?:[个句种样首条]|一)|那(?:[个句种样首条]|一)|"
    "表明|说明|意味|是(?!吗|的|啊|吧)|为|作为|一[词句语书文曲诗话]|[a-z]))"
)
_CHAPTER = re.compile(r"([一二三四五六七八九十](?<!\S.)[一二三四五六七八九十]{0,2})\. ?(?=\S)")
_IN_BRACKETS = re.compile(r"(?:(?<=[\s,.;:!?。；：、)\u3400-\u9fff])|^)\(([0-9]{1,2})\) ?(班)?")


def plain(text: str, dropped: list[Dropped] | None = None) -> str:
    """Written text to prose: markup dropped, circled and Roman numerals as numbers.

    Args:
        text: Any text.
        dropped: Gets the markup that is left out; see `markup.prose`.

    >>> plain("①开机②联网"), plain("**第XII届**"), plain("见https://a.cn/b?c=d"), plain("HK$100")[1:]
    ('第1，开机，第2，联网', '第十二届', '见a.cn', '100')
    """
    text = _MASKED.sub("，星号，", text) if "*" in text else text
    text = _CLOSED_END.sub(_closed_end, text).translate(_BEFORE_FOLD)
    if "*" in text:
        text = _TIMES.sub("×", _STAR_KEY.sub(_star_key, text))
    text = markup.prose(text, lambda n: f"第{n}，", "", "", addresses=False, dropped=dropped)
    if _LATIN.search(text):
        text = _with_latin_read(text, dropped)
    text = _CHAPTER.sub(r"\1、", _SPACE_AT_DIGIT.sub("", text))
    return _IN_BRACKETS.sub(_in_brackets, text) if "(" in text else text


def _with_latin_read(text: str, dropped: list[Dropped] | None) -> str:
    """Addresses, initials, factors, numerals and codes of currencies, which hold Latin letters."""
    text = _NUMBER_SIGN.sub("#", _URL.sub(partial(_short_address, dropped=dropped), text))
    text = _INITIALS.sub(lambda match: (match[1] or match[2]).replace(".", " ").replace("  ", " "), text)
    text = _numerals(_SPACED_TIMES.sub(_spaced_times, text))
    return _CURRENCY_CODE.sub(lambda match: SIGN_OF_CODE[match[1]], text)


def _spaced_times(match: re.Match[str]) -> str:
    """A factor before a number, or between words of a formula; 当 x 增加 names a variable."""
    text, begin = match.string, match.start()
    between_words = match[1] > "\u33ff" and text[match.end()] > "\u33ff"
    if between_words and "=" not in text[max(0, begin - 24) : begin] and not _FORMULA_NEXT.match(text, match.end()):
        return match[0]
    return f"{match[1]}×"


_FORMULA_NEXT = re.compile("[\u3400-\u9fff]{1,8} ?[=×÷+]")


def _star_key(match: re.Match[str]) -> str:
    return "星" if match.string.startswith("号", match.end()) else "星号"


def _short_address(match: re.Match[str], dropped: list[Dropped] | None) -> str:
    """The host of an address, and its path if that can be said."""
    path = match[2] or ""
    is_said = _SHORT_PATH.fullmatch(path)
    if dropped is not None:
        left = (match[0][: match.start(1) - match.start()], "" if is_said else path)
        dropped += (Dropped("address", piece) for piece in left if any(map(str.isalnum, piece)))
    return match[1].strip(".") + (path.rstrip("/") if is_said else "")


def _closed_end(match: re.Match[str]) -> str:
    """The mark that ends a quotation is dropped where the sentence continues behind it."""
    text, begin, end = match.string, match.start(), match.end()
    is_opening = text[end] == '"' and text.count('"', max(0, begin - _QUOTED), begin) % 2 == 0
    return match[0] if is_opening else ""


_QUOTED = 400
"""Characters before a quote in which the one that opens it is looked for."""


def _numerals(text: str) -> str:
    """Roman numerals as numbers; spelled where a text is about them."""
    if any(word in text for word in _ROMAN_NUMERALS):
        return _SPELLED.sub(lambda match: " ".join(match[0]), text)
    return _FIRST_OF.sub(_first_of, _ROMAN.sub(_roman, text)) if "I" in text or "V" in text or "X" in text else text


def _first_of(match: re.Match[str]) -> str:
    """微积分I, the first course of some; 电流I is a letter."""
    head = match.string[max(0, match.start() - 2) : match.end() - 1]
    return match[1] + ("一" if _COURSE.search(head) else "I")


_LABELS = ("图", "表", "式", "骤", "题", "例", "注")


def _in_brackets(match: re.Match[str]) -> str:
    """A number in brackets: an item of a list, or the number of a figure or a step."""
    left = match.string[max(0, match.start() - 1) : match.start()]
    if match[2] or left in _LABELS:
        return match[1] + (match[2] or "")
    return ("，" if left == ")" or left.isalpha() else "") + f"第{match[1]}，"


def _roman(match: re.Match[str]) -> str:
    return _numeral(match[0])


@lru_cache(maxsize=256)
def _numeral(letters: str) -> str:
    values = [_VALUES[letter] for letter in letters]
    return cardinal(str(sum(-v if v < after else v for v, after in zip(values, [*values[1:], 0], strict=True))))
