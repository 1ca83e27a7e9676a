"""Digits to English words, in American usage: "one thousand two hundred fifty"."""

from functools import lru_cache

_ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = "_ ten twenty thirty forty fifty sixty seventy eighty ninety".split()  # noqa: SIM905
_SCALES = ("", " thousand", " million", " billion", " trillion")
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip
_PARTS = {2: ("half", "halves"), 4: ("quarter", "quarters")}
_ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50}
_LONGEST = 15
"""Digits of the longest number that is said as one; longer ones are said digit by digit."""


@lru_cache(maxsize=4096)
def cardinal(digits: str) -> str:
    """Read a whole number; long ones and those with leading zeros digit by digit.

    >>> cardinal("1250"), cardinal("007"), cardinal("1,000")
    ('one thousand two hundred fifty', 'zero zero seven', 'one thousand')
    """
    digits = digits.replace(",", "")
    if len(digits) > _LONGEST or (len(digits) > 1 and digits[0] == "0"):
        return one_by_one(digits)
    return _counted(int(digits))


def _counted(number: int) -> str:
    if number < 100:
        return _below_hundred(number)
    words, scale = list[str](), 0
    while number:
        number, group = divmod(number, 1000)
        if group:
            words.append(_below_thousand(group) + _SCALES[scale])
        scale += 1
    return " ".join(reversed(words))


def _below_hundred(number: int) -> str:
    if number < 20:
        return _ONES[number]
    ten, one = divmod(number, 10)
    return f"{_TENS[ten]} {_ONES[one]}" if one else _TENS[ten]


def _below_thousand(number: int) -> str:
    hundred, rest = divmod(number, 100)
    if not hundred:
        return _below_hundred(rest)
    return f"{_ONES[hundred]} hundred {_below_hundred(rest)}" if rest else f"{_ONES[hundred]} hundred"


@lru_cache(maxsize=4096)
def one_by_one(digits: str) -> str:
    """Read digits one by one; anything else separates groups.

    >>> one_by_one("5550"), one_by_one("555-01")
    ('five five five zero', 'five five five, zero one')
    """
    said = "".join(f" {_ONES[int(digit)]}" if digit.isdecimal() else "," for digit in digits.strip(" -()+."))
    while ",," in said:
        said = said.replace(",,", ",")
    return said.strip(" ,")


def decimal(amount: str) -> str:
    """Read a number with commas and a decimal point, if it has them.

    >>> decimal("1,250.50"), decimal(".5")
    ('one thousand two hundred fifty point five zero', 'point five')
    """
    whole, point, fraction = amount.partition(".")
    words = cardinal(whole) if whole else ""
    return f"{words} point {one_by_one(fraction)}".strip() if point else words


@lru_cache(maxsize=1024)
def ordinal(digits: str) -> str:
    """Read an ordinal number.

    >>> ordinal("21"), ordinal("100"), ordinal("20")
    ('twenty first', 'one hundredth', 'twentieth')
    """
    start, _, last = cardinal(digits).rpartition(" ")
    last = _ORDINALS.get(last) or (last[:-1] + "ieth" if last.endswith("y") else last + "th")
    return f"{start} {last}".strip()


def year(digits: str) -> str:
    """Read a year.

    >>> year("1905"), year("2024"), year("2005"), year("1900"), year("476")
    ('nineteen oh five', 'twenty twenty four', 'two thousand five', 'nineteen hundred', 'four hundred seventy six')
    """
    return cardinal(digits) if len(digits) != 4 or int(digits) % 1000 < 10 else in_pairs(digits)


@lru_cache(maxsize=4096)
def in_pairs(digits: str) -> str:
    """Read the number of a house, a room, a flight or a model.

    >>> in_pairs("305"), in_pairs("221"), in_pairs("1549"), in_pairs("1600"), in_pairs("2000"), in_pairs("90210")
    ('three oh five', 'two twenty one', 'fifteen forty nine', 'sixteen hundred', 'two thousand', 'nine zero two one zero')
    """  # noqa: E501
    if len(digits) > 4 or digits[0] == "0":
        return one_by_one(digits) if len(digits) > 1 else cardinal(digits)
    head, tail = digits[:-2], digits[-2:]
    if not head or digits.endswith("000") or (len(head) == 1 and tail == "00"):
        return cardinal(digits)
    last = "hundred" if tail == "00" else f"oh {_ONES[int(tail)]}" if tail[0] == "0" else cardinal(tail)
    return f"{cardinal(head)} {last}"


def fraction(above: str, below: str) -> str:
    """Read a fraction.

    >>> fraction("3", "4"), fraction("1", "2"), fraction("1", "20"), fraction("3", "100")
    ('three quarters', 'one half', 'one twentieth', 'three hundredths')
    """
    single = int(above) == 1
    one, many = _PARTS.get(int(below)) or (ordinal(below).removeprefix("one "), "")
    return f"{cardinal(above)} {one if single else many or one + 's'}"


def mixed(whole: str, above: str, below: str) -> str:
    """Read a whole number and a fraction.

    >>> mixed("2", "1", "2"), mixed("1", "3", "4")
    ('two and a half', 'one and three quarters')
    """
    part = "a half" if (above, below) == ("1", "2") else fraction(above, below)
    return f"{cardinal(whole)} and {part}"


def plural(words: str) -> str:
    """The plural of a number in words.

    >>> plural("twenty"), plural("four"), plural("six")
    ('twenties', 'fours', 'sixes')
    """
    return words[:-1] + "ies" if words.endswith("y") else words + ("es" if words.endswith("x") else "s")


def decade(century: str, ten: str) -> str:
    """Read a decade.

    >>> decade("19", "9"), decade("", "8"), decade("20", "0"), decade("18", "0"), decade("20", "1")
    ('nineteen nineties', 'eighties', 'two thousands', 'eighteen hundreds', 'twenty tens')
    """
    if ten == "0":
        return "two thousands" if century == "20" else f"{cardinal(century or '0')} hundreds"
    return f"{cardinal(century)} {plural(_TENS[int(ten)])}" if century else plural(_TENS[int(ten)])


def roman(numeral: str) -> str:
    """Digits of a Roman numeral made of I, V, X and L.

    >>> roman("XIV")
    '14'
    """
    values = [_ROMAN[letter] for letter in numeral.upper()]
    return str(sum(-a if a < b else a for a, b in zip(values, [*values[1:], 0], strict=True)))
