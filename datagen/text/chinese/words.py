"""Chinese number words: cardinals with 万 and 亿, digits one by one, and 二 or 两."""

import re

_DIGITS = "零一二三四五六七八九"
_ONE_BY_ONE = str.maketrans("0123456789", _DIGITS)
_MOST_DIGITS = 20
"""More digits than this are no quantity."""
SCALE = "[十百千万亿]"
"""Characters that multiply a number: 3万, 2千万."""


def one_by_one(digits: str) -> str:
    """Digits as they are dictated; other characters stay.

    >>> one_by_one("007"), one_by_one("00X")
    ('零零七', '零零X')
    """
    return digits.translate(_ONE_BY_ONE)


def cardinal(digits: str) -> str:
    """A whole number; digits one by one if it begins with a zero or is too long for a quantity.

    Args:
        digits: ASCII digits, with or without commas between thousands.

    >>> [cardinal(digits) for digits in ("10", "110", "1005", "20,300", "2000", "1000000000000", "007")]
    ['十', '一百一十', '一千零五', '两万零三百', '两千', '一万亿', '零零七']
    """
    digits = digits.replace(",", "")
    if len(digits) > _MOST_DIGITS or (len(digits) > 1 and digits[0] == "0"):
        return one_by_one(digits)
    words = _cardinal(int(digits)) or "零"
    words = re.sub("^二(?=[千万亿])", "两", words)
    return words[1:] if words.startswith("一十") else words


def _cardinal(n: int) -> str:
    for power, word in ((8, "亿"), (4, "万")):
        high, low = divmod(n, 10**power)
        if high:
            joint = "零" if 0 < low < 10 ** (power - 1) else ""
            return re.sub("^二(?=[千万亿]|$)", "两", _cardinal(high)) + word + joint + _cardinal(low)
    words = ""
    for power, word in ((3, "千"), (2, "百"), (1, "十"), (0, "")):
        digit, rest = divmod(n, 10**power)
        if digit:
            words += _DIGITS[digit] + word
            words += "零" if 0 < rest < 10 ** (power - 1) else ""
        n = rest
    return words


def number(written: str) -> str:
    """A number with or without decimals, which are read one by one.

    >>> number("1,250.50"), number("0.001"), number("2.5")
    ('一千二百五十点五零', '零点零零一', '二点五')
    """
    whole, point, decimals = written.partition(".")
    return cardinal(whole) + ("点" + one_by_one(decimals) if point else "")


def counted(written: str) -> str:
    """A number before a measure word or a unit: 2 is 两.

    >>> counted("2"), counted("12"), counted("2.5"), counted("200")
    ('两', '十二', '二点五', '二百')
    """
    return "两" if written == "2" else number(written)


def scaled(written: str, scale: str, is_counted: bool = True) -> str:
    """A number with 万 or 亿 after it.

    >>> scaled("2", "万"), scaled("1.5", "亿"), scaled("2", "百"), scaled("2", "", is_counted=False)
    ('两万', '一点五亿', '二百', '二')
    """
    if written == "2" and scale[:1] not in ("百", "十") and (scale or is_counted):
        return "两" + scale
    return number(written) + scale


def percent(written: str, sign: str = "%") -> str:
    """A share of a hundred, a thousand or ten thousand.

    >>> percent("3.5"), percent("100"), percent("3", "‰")
    ('百分之三点五', '百分之百', '千分之三')
    """
    share = {"%": "百分之", "‰": "千分之", "‱": "万分之"}[sign]
    return share + ("百" if written == "100" and sign == "%" else number(written))


def year(digits: str) -> str:
    """A year, digit by digit.

    >>> year("2008"), year("95")
    ('二零零八', '九五')
    """
    return one_by_one(digits)


def date(year_: str, month: str, day: str) -> str | None:
    """A date of numbers, None if there is no such day; without a year if that is empty.

    >>> date("2025", "09", "28"), date("", "2", "3"), date("2025", "13", "1")
    ('二零二五年九月二十八日', '二月三日', None)
    """
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return None
    return (one_by_one(year_) + "年" if year_ else "") + f"{_plain(month)}月{_plain(day)}日"


def clock(hour: str, minute: str, second: str = "") -> str | None:
    """A time of day, None if there is no such time.

    >>> clock("14", "05"), clock("2", "00"), clock("12", "30", "45"), clock("25", "00")
    ('十四点零五分', '两点', '十二点三十分四十五秒', None)
    """
    if int(hour) > 24 or int(minute) > 59 or (second and int(second) > 59):
        return None
    words = counted(_unpadded(hour)) + "点"
    if int(minute) or second:
        words += f"{'零' if int(minute) < 10 and int(minute) else ''}{_plain(minute)}分"
    return words + (f"{_plain(second)}秒" if second else "")


def _plain(digits: str) -> str:
    return cardinal(_unpadded(digits))


def _unpadded(digits: str) -> str:
    return digits.lstrip("0") or "0"
