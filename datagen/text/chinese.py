"""Plain prose to spoken Chinese."""

import re

from datagen.text.english import LETTERS
from datagen.text.markup import prose
from datagen.text.normalizer import normalize

_LATIN = "A-Za-zÀ-ÖØ-öø-ɏ"
_CHARACTERS = re.compile(rf"[{LETTERS}' ，。？！；：]*")
_UNTIDY = re.compile(
    rf"[，。？！；：]{{2}}|^[ ，。？！；：]|[ ，；：]$"
    rf"| (?![{_LATIN}])|(?<![{_LATIN}]) |'(?![{_LATIN}])|(?<![{_LATIN}])'"
)
_NOT_SPOKEN = re.compile(rf"[^{LETTERS}' ，。？！；：]")
_NOT_NORMALIZED = re.compile(rf"[^{LETTERS}0-9' ,.?!;:%°/+=，。？！；：-]")
_LETTER = re.compile(rf"[{LETTERS}]")
_DIGITS = "零一二三四五六七八九"
_CURRENCIES = {"$": "美元", "€": "欧元", "£": "英镑", "¥": "元", "₩": "韩元", "₹": "卢比"}
_SYMBOL = "[" + "".join(_CURRENCIES) + "]"
_AMOUNT = r"(\d+(?:\.\d+)?)"


def _one_by_one(digits: str) -> str:
    return "".join(_DIGITS[int(digit)] for digit in digits)


def _telephone(match: re.Match[str]) -> str:
    """Phone numbers say 幺 for 1, with a pause between groups."""
    return "，".join(_one_by_one(group).replace("一", "幺") for group in re.findall(r"\d+", match[0]))


def _version(match: re.Match[str]) -> str:
    return "点".join(part if len(part) > 1 else _DIGITS[int(part)] for part in match[0].split("."))


_RULES = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"(?<=\d),(?=\d{3}(?!\d))", ""),
        (r"(?:US|CA|AU)(?=\$)", ""),
        (rf"({_SYMBOL}) ?{_AMOUNT} ?[-~—至到] ?{_SYMBOL}?{_AMOUNT}", lambda m: f"{m[2]}到{m[3]}{_CURRENCIES[m[1]]}"),
        (rf"({_SYMBOL}) ?{_AMOUNT}([万亿]|百万|千万)?(?:美?元)?", lambda m: f"{m[2]}{m[3] or ''}{_CURRENCIES[m[1]]}"),
        (r"(?<![A-Za-z0-9-])(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}(?![A-Za-z0-9])", _telephone),
        (r"(?<![A-Za-z0-9-])(?:0\d{2,3}-\d{7,8}|(?:\d{3}-)?\d{3}-\d{4})(?![\d-])", _telephone),
        (r"(?<![\d.])\d+(?:\.\d+){2,}", _version),
        (r"(?<=\d)([%°]C?)? ?[-~—] ?(?=\d+(?:\.\d+)?(?![\d-]))(?<!\d{4}-\d\d-)(?!\d\d?-\d)", r"\1到"),
        (r"(?<=[\d次个]) ?[x×*] ?(?=\d)", "乘"),
        (r"(?<=[A-Za-z])-(?=\d)", " "),
        (r"(?<=\d)m\^2", "平方米"),
        (r"(?<=\d)km\^2", "平方公里"),
        (r"(?<=\d)m\^3", "立方米"),
        (r"\^2", "的平方"),
        (r"\^3", "的立方"),
        (r"\^ ?(\d+)", r"的\1次方"),
        (r"(\d{1,2})(:\d\d)? ?[aA][mM]\b", r"上午\1\2"),
        (r"(?<=上午)(\d{1,2})(?![\d:点时])", r"\1点"),
        (r"(\d{1,2})(:\d\d)? ?[pP][mM]\b", r"下午\1\2"),
        (r"(?<=下午)(\d{1,2})(?![\d:点时])", r"\1点"),
        (r"(?<=\d) ?g\b", "克"),
        (r"(?<=\d) ?[hH]\b", "小时"),
        (r"(?<=\d) ?min\b", "分钟"),
        (r"(?<![A-Za-z])No\.? ?(?=\d)", "第"),
        (r"(?<=\d)\.(?!\d)", "。"),
    )
)  # fmt: skip
_SYMBOLS = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"C\+\+", "C 加加"),
        (r" ?& ?", "和"),
        (r"(?<=\w) ?\+ ?(?=\w)", "加"),
        (r"(?<=\w) ?=+ ?(?=\w)", "等于"),
        (r" ?[→⇒➡] ?|(?<=\w)->(?=\w)", "到"),
        (r"~ ?(?=\d)", "约"),
        (r"×", "乘"),
        (r"÷", "除以"),
        (r"±", "正负"),
        (r"≈", "约等于"),
        (r"≤", "小于等于"),
        (r"≥", "大于等于"),
        (r"(?<=\w) ?< ?(?=\w)", "小于"),
        (r"(?<=\w) ?> ?(?=\w)", "大于"),
        (r"和/或", "和或"),
        (r"(?<=[人元次个])/(?=平方|[人年月周天日次个]|小时|分钟)", "每"),
        (r"(?<=[\u4e00-\u9fff])/(?=[\u4e00-\u9fff])", "或"),
        (r"\.{2,}", "。"),
        (r"—+|--+| - |[()\[\]{}、]", "，"),
        (r"·", ""),
    )
)  # fmt: skip
_FULL_WIDTH = str.maketrans(",.?!;:", "，。？！；：")
_PAUSE = re.compile(r"[\s，。？！；：]+")
"""A run of spaces and marks, so that each is read once."""
_STRONGEST = "？！。；：，"


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
    if _CHARACTERS.fullmatch(text) and not _UNTIDY.search(text):
        return text
    text = prose(text, lambda n: f"第{n}，", "点", "at")
    has_digits = bool(re.search(r"\d", text))
    for pattern, words in (_RULES if has_digits else ()) + _SYMBOLS:
        text = pattern.sub(words, text)
    if has_digits:
        text = normalize(_NOT_NORMALIZED.sub(" ", text), "zh")
        text = re.sub(r"(?<=\d)\.(?=\d)", "点", text)
        text = re.sub(r"\d+", lambda match: _one_by_one(match[0]), text)
    text = text.replace("%", "百分号").replace("°", "度")
    return _tidy(_NOT_SPOKEN.sub(" ", text.translate(_FULL_WIDTH)))


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
