"""English numbers wetext reads wrongly or not at all, as rules from pattern to words.

Order matters: a rule sees what the rules before it left. What none of them takes (ordinals, times,
years, measures, fractions, plain numbers) is left to wetext. Words follow American usage: "one
thousand two hundred fifty".
"""

import re
from collections.abc import Callable
from functools import lru_cache

from num2words import num2words

Rule = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]

_CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "€": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "¥": ("yen", "yen", "", ""),
    "₹": ("rupee", "rupees", "paisa", "paise"),
    "₩": ("won", "won", "", ""),
    "₽": ("ruble", "rubles", "kopeck", "kopecks"),
}
_SCALES = {"k": "thousand", "m": "million", "mn": "million", "b": "billion", "bn": "billion", "t": "trillion"}
_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_MONTHS = "January February March April May June July August September October November December".split()  # noqa: SIM905
_MONTH = r"(Jan(?:uary|\.)?|Feb(?:ruary|\.)?|Mar(?:ch|\.)?|Apr(?:il|\.)?|May|June?\.?|July?\.?|Aug(?:ust|\.)?|Sept?(?:ember|\.)?|Oct(?:ober|\.)?|Nov(?:ember|\.)?|Dec(?:ember|\.)?)"  # noqa: E501
_AMOUNT = r"(\d{1,3}(?:,\d{3}){1,4}|\d{1,15})(?!\d)(\.\d+)?"
_SCALE = r"(?:(k|K|m|M|mn|b|B|bn|T)\b| (thousand|million|billion|trillion)\b)?"
_ROMAN = r"((?=[IVXL])(?:XL|L?X{0,3})(?:IX|IV|V?I{0,3}))"
_UNITS = {
    "m": ("meter", "meters"), "W": ("watt", "watts"), "kW": ("kilowatt", "kilowatts"), "V": ("volt", "volts"),
    "kWh": ("kilowatt hour", "kilowatt hours"), "mAh": ("milliamp hour", "milliamp hours"), "L": ("liter", "liters"),
    "l": ("liter", "liters"), "sec": ("second", "seconds"), "secs": ("second", "seconds"), "min": ("minute", "minutes"),
    "mins": ("minute", "minutes"), "hr": ("hour", "hours"), "hrs": ("hour", "hours"), "yr": ("year", "years"),
    "yrs": ("year", "years"), "TB": ("terabyte", "terabytes"), "tbsp": ("tablespoon", "tablespoons"),
    "tsp": ("teaspoon", "teaspoons"), "sq ft": ("square foot", "square feet"), "m^2": ("square meter", "square meters"),
    "km^2": ("square kilometer", "square kilometers"), "m^3": ("cubic meter", "cubic meters"),
    "cm^2": ("square centimeter", "square centimeters"), "cm^3": ("cubic centimeter", "cubic centimeters"),
    "lbs": ("pound", "pounds"), "in.": ("inch", "inches"), "m/s": ("meter per second", "meters per second"),
    "km/h": ("kilometer per hour", "kilometers per hour"), "fps": ("frame per second", "frames per second"),
}  # fmt: skip


def cardinal(digits: str) -> str:
    """Read a whole number; long ones and those with leading zeros digit by digit.

    >>> cardinal("1250"), cardinal("007")
    ('one thousand two hundred fifty', 'zero zero seven')
    """
    if len(digits) > 15 or (len(digits) > 1 and digits[0] == "0"):
        return one_by_one(digits)
    return _cardinal(digits)


@lru_cache(maxsize=4096)
def _cardinal(digits: str) -> str:
    return _plain(num2words(int(digits)))


def one_by_one(digits: str) -> str:
    """Read digits one by one.

    >>> one_by_one("5550")
    'five five five zero'
    """
    return " ".join(_DIGITS[int(digit)] for digit in digits)


def decimal(whole: str, fraction: str | None) -> str:
    """Read a number with an optional fraction that begins with a point.

    >>> decimal("1,250", ".50")
    'one thousand two hundred fifty point five zero'
    """
    words = cardinal(whole.replace(",", "")) if whole else "zero"
    return f"{words} point {one_by_one(fraction[1:])}" if fraction else words


def ordinal(number: int) -> str:
    """Read an ordinal number.

    >>> ordinal(21)
    'twenty first'
    """
    return _plain(num2words(number, to="ordinal"))


def year(number: int) -> str:
    """Read a year.

    >>> year(1905), year(2024)
    ('nineteen oh five', 'twenty twenty four')
    """
    if number % 1000 < 10:
        return cardinal(str(number))
    return _plain(num2words(number, to="year"))


def roman(numeral: str) -> int:
    """Value of a Roman numeral made of I, V, X and L.

    >>> roman("XIV")
    14
    """
    values = [{"I": 1, "V": 5, "X": 10, "L": 50}[letter] for letter in numeral]
    return sum(-a if a < b else a for a, b in zip(values, [*values[1:], 0], strict=True))


def _plain(words: str) -> str:
    return words.replace(",", "").replace("-", " ").replace(" and ", " ")


def _money(match: re.Match[str]) -> str:
    symbol, whole, fraction, short, long = match.groups()
    one, many, one_part, many_parts = _CURRENCIES[symbol]
    scale = long or (_SCALES[short.lower()] if short else "")
    if scale:
        return f"{decimal(whole, fraction)} {scale} {many}"
    value = int(whole.replace(",", ""))
    if not fraction or len(fraction) != 3 or not many_parts:
        return f"{decimal(whole, fraction)} {one if value == 1 and not fraction else many}"
    units, parts = f"{decimal(whole, None)} {one if value == 1 else many}", int(fraction[1:])
    small = f"{cardinal(str(parts))} {one_part if parts == 1 else many_parts}"
    if not parts:
        return units
    return f"{units} and {small}" if value else small


def _money_range(match: re.Match[str]) -> str:
    """Move the currency of "$10-20" to the last amount: "ten to $20"."""
    scale = f" {_SCALES[match[4].lower()]}" if match[4] else ""
    return f"{decimal(match[2], match[3])}{scale} to {match[1]}"


def _phone(match: re.Match[str]) -> str:
    groups = re.findall(r"\d+", match[0])
    return ", ".join(one_by_one(group) for group in groups)


def _date(month: int, day: int, year_: str | None) -> str:
    spoken = f"{_MONTHS[month - 1]} {ordinal(day)}"
    return f"{spoken}, {year(int(year_))}" if year_ else spoken


def _iso_date(match: re.Match[str]) -> str:
    month, day = int(match[2]), int(match[3])
    return _date(month, day, match[1]) if 1 <= month <= 12 and 1 <= day <= 31 else match[0]


def _us_date(match: re.Match[str]) -> str:
    month, day = int(match[1]), int(match[3])
    if month > 12:  # written the European way
        month, day = day, month
    year_ = match[4] if len(match[4]) == 4 else f"20{match[4]}"
    return _date(month, day, year_) if 1 <= month <= 12 and 1 <= day <= 31 else match[0]


def _month_number(name: str) -> int:
    return next(i for i, month in enumerate(_MONTHS, 1) if month.startswith(name[:3]))


def _month_day(match: re.Match[str]) -> str:
    return _date(_month_number(match[1]), int(match[2]), match[3]) if 1 <= int(match[2]) <= 31 else match[0]


def _day_month(match: re.Match[str]) -> str:
    return _date(_month_number(match[2]), int(match[1]), match[3]) if 1 <= int(match[1]) <= 31 else match[0]


def _decade(match: re.Match[str]) -> str:
    century, ten = match[1] or "", match[2]
    if ten == "0":
        return {"20": "two thousands", "10": "one thousands"}.get(century, f"{cardinal(century or '0')} hundreds")
    plural = "tens" if ten == "1" else cardinal(ten + "0")[:-1] + "ies"
    return f"{cardinal(century)} {plural}" if century else plural


def _unit(match: re.Match[str]) -> str:
    one, many = _UNITS[match[3]]
    return f"{decimal(match[1], match[2])} {one if match[1] == '1' and not match[2] else many}"


def _feet(match: re.Match[str]) -> str:
    return f"{cardinal(match[1])} foot {cardinal(match[2])}"


def _power(match: re.Match[str]) -> str:
    return {"2": " squared ", "3": " cubed "}.get(match[1], f" to the power of {match[1]} ")


def _number(match: re.Match[str]) -> str:
    return decimal(match[1], match[2])


def _year_or_number(match: re.Match[str]) -> str:
    """1984 and 1500 are read alike as years and as counts; from 2100 on only as counts."""
    return year(int(match[1])) if 1000 <= int(match[1]) < 2100 else cardinal(match[1])


_UNIT = "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True))
_SYMBOL = "[" + "".join(_CURRENCIES) + "]"
_PLAIN_END = (
    r" [a-zA-Z]{4}| (?:is|so|of|and|or|to|the|for|but|are|was|on|at|by|as|if|not|out|who)\b"
    r"|[,.;:?!]+(?: |$)| (?![a-z%°]|\d+/)|$"
)
_BEFORE, _AFTER = r"(?<![\w.,/-])", r"(?![\w/-]|[.,]\d)"

RULES: tuple[Rule, ...] = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (rf"(?:US|CA|AU|NZ)(?={_SYMBOL}\d)", ""),
        (rf"({_SYMBOL}) ?{_AMOUNT}(k|K|m|M|bn)? ?[-—] ?\1?(?=\d)", _money_range),
        (rf"({_SYMBOL}) ?{_AMOUNT}{_SCALE}", _money),
        (rf"{_BEFORE}(?:\+?\d{{1,3}}[ .-]?)?(?:\(\d{{3}}\) ?|\d{{3}}[ .-])\d{{3}}[ .-]\d{{4}}{_AFTER}", _phone),
        (rf"(?<![\w.,/-])\d{{3}}-\d{{4}}{_AFTER}", _phone),
        (r"(?<!\w)\+\d[\d -]{7,20}\d\b", _phone),
        (r"\b((?:[Cc]all|[Dd]ial|[Tt]ext)(?:ing)?) (\d{3})\b", lambda m: f"{m[1]} {one_by_one(m[2])}"),
        (rf"{_BEFORE}([12]\d{{3}})[-/.](\d{{1,2}})[-/.](\d{{1,2}})(?=T\d|{_AFTER})", _iso_date),
        (rf"{_BEFORE}(\d{{1,2}})([/.])(\d{{1,2}})\2([12]\d{{3}}|\d{{2}}){_AFTER}", _us_date),
        (rf"\b{_MONTH} (\d{{1,2}})(?:st|nd|rd|th)?(?:,? ([12]\d{{3}}))?\b(?![:%/-]|,\d)", _month_day),
        (rf"{_BEFORE}(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? {_MONTH}(?:,? ([12]\d{{3}}))?\b", _day_month),
        (r"(?<![\w'])'?(1\d|20)?([1-9])0'?s\b", _decade),
        (r"\b(1\d|20)(0)0'?s\b", _decade),
        (r"\b(1000?)s\b", lambda m: "thousands" if m[1] == "1000" else "hundreds"),
        (r"\b(\d{1,15})(?:st|nd|rd|th)\b", lambda m: ordinal(int(m[1]))),
        (r"\b24/7\b", "twenty four seven"),
        (r"\b9/11\b", "nine eleven"),
        (r"(?<![\w.])(\d+)' ?(\d{1,2})(?:\"|'')?(?!\w)", _feet),
        (r"(?<=\d)\"(?=[\s,.;]|$)(?=[^\"]*$)", " inches"),
        (r"(?<!\w)[vV]\.? ?(?=\d+\.\d)", "version "),
        (r"(?<![\w.])\d+(?:\.\d+){2,}(?![\w])", lambda m: " point ".join(cardinal(part) for part in m[0].split("."))),
        (r"(?:\bNo\.|\bno\.|\bNos\.|#) ?(?=\d)", "number "),
        (r"\bpp?\. ?(?=\d)", "page "),
        (r"~ ?(?=\d)", "about "),
        (r"(?<![\w.])(\d+(?:\.\d+)?)/(10|100)\b(?!/)", r"\1 out of \2"),
        (r"(?<=[\d%]) ?[×*] ?(?=\d)|(?<=\d) ?x ?(?=\d)", " times "),
        (r"(?<=\d) ?/ ?(?=2[1-9]|[3-9]\d|\d{3})", " over "),
        (r"(?<=[\d%)]) [-—] (?=\d[^=]{0,20}=|\()|(?<=\)) [-—] (?=\d)", " minus "),
        (r"(?<=\d)(%|°[CF]?|st|nd|rd|th| ?[APap]m| ?[AP]M| ?[ap]\.m\.)?(?:[-—]| [-—] )(?=[$€£]?\d)", r"\1 to "),
        (r"(?<![\w)])[-—](?=\.?\d)", "minus "),
        (rf"(?<![\w.,]){_AMOUNT}[ -]?({_UNIT})(?![\w^/])", _unit),
        (r"\^ ?(\d+)", _power),
        (r"(?<![\w.])(\d{1,3}(?:,\d{3}){0,8}(?:\.\d+)?)[kK]\b(?! run)", r"\1 thousand"),
        (r"(?<=\d)M\b", " million"),
        (r"(?<=\d)x\b", " times"),
        (r"(?<=\d)\+", " plus"),
        (r"(?<![\w.,])(\d{1,3}(?:,\d{3})+)(\.\d+)?(?= ?[a-zA-Z°%])", lambda m: m[0].replace(",", "")),
        (r"(?<![\w.,])(\d{1,3}(?:,\d{3})+)(\.\d+)?(?![\d,])", _number),
        (r"(?<![\w.])()(\.\d+)(?!\w)", _number),
        # plain numbers; a word of four letters is no unit
        (rf"(?<![\w.,:/'-])(\d{{1,15}})(?={_PLAIN_END})", _year_or_number),
        (r"(?<=[a-zA-Z])-(?=\d)", " "),
    )
)  # fmt: skip
