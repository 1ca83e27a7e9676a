"""Money, measures, temperatures, percentages, fractions, dimensions and decades of degrees."""

import re
from collections.abc import Iterable

from datagen.text.english.context import before, following, is_attribute, label, plural_follows
from datagen.text.english.numbers import cardinal, decimal, fraction, in_pairs, mixed, plural
from datagen.text.reading import Rule, rule, word_set

AMOUNT = r"(?:\d{1,3}(?:,\d{3}){1,4}(?![\d])(?:\.\d{1,12})?|\d{1,15}(?!\d)(?:\.\d{1,12})?|(?<!\d)\.\d{1,12})"
"""A number with commas or a decimal point."""
_SCALES = {
    "k": "thousand", "m": "million", "mn": "million", "mil": "million", "mm": "million", "b": "billion",
    "bn": "billion", "t": "trillion", "tn": "trillion",
}  # fmt: skip
_LONG_SCALE = r" ?(?:hundred|thousand|million|billion|trillion)\b"
_SCALE = rf"(?:(?P<long>{_LONG_SCALE})|(?P<short> ?(?:bn|mn|mil|tn)|[kKmMbBtT]|MM)(?![\w]))?"

_CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"), "€": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"), "¥": ("yen", "yen", "", ""),
    "₹": ("rupee", "rupees", "paisa", "paise"), "₩": ("won", "won", "", ""),
    "₽": ("ruble", "rubles", "kopeck", "kopecks"), "₺": ("lira", "liras", "kurus", "kurus"),
    "₫": ("dong", "dong", "", ""), "₱": ("peso", "pesos", "centavo", "centavos"), "฿": ("baht", "baht", "", ""),
    "₪": ("shekel", "shekels", "agora", "agorot"), "₦": ("naira", "naira", "kobo", "kobo"),
    "₿": ("bitcoin", "bitcoins", "", ""), "₴": ("hryvnia", "hryvnias", "kopiyka", "kopiykas"),
    "R$": ("real", "reais", "centavo", "centavos"), "Rs": ("rupee", "rupees", "paisa", "paise"),
    "CHF": ("Swiss franc", "Swiss francs", "centime", "centimes"), "kr": ("krona", "kronor", "öre", "öre"),
    "RMB": ("yuan", "yuan", "", ""), "zł": ("zloty", "zlotys", "grosz", "groszy"),
}  # fmt: skip
_NATIONS = {
    "US": "US", "U.S.": "US", "A": "Australian", "AU": "Australian", "C": "Canadian", "CA": "Canadian",
    "NZ": "New Zealand", "HK": "Hong Kong", "S": "Singapore", "SG": "Singapore", "NT": "New Taiwan",
    "MX": "Mexican",
}  # fmt: skip
_CODES = {
    "USD": ("US ", "$"), "EUR": ("", "€"), "GBP": ("British ", "£"), "JPY": ("", "¥"), "CNY": ("", "RMB"),
    "RMB": ("", "RMB"), "AUD": ("Australian ", "$"), "CAD": ("Canadian ", "$"), "INR": ("Indian ", "₹"),
    "CHF": ("", "CHF"), "NZD": ("New Zealand ", "$"), "HKD": ("Hong Kong ", "$"), "SGD": ("Singapore ", "$"),
    "KRW": ("", "₩"), "MXN": ("Mexican ", "₱"), "BRL": ("", "R$"), "SEK": ("", "kr"), "BTC": ("", "₿"),
}  # fmt: skip
_SIGN = "[$€£¥₹₩₽₺₫₱฿₪₦₿₴]"
_CODE = "|".join(_CODES)
_NATION = "|".join(sorted(map(re.escape, _NATIONS), key=len, reverse=True))

UNITS = {
    "mm": "millimeter", "cm": "centimeter", "m": "meter", "km": "kilometer", "µm": "micrometer", "μm": "micrometer",
    "nm": "nanometer", "in": ("inch", "inches"), "ft": ("foot", "feet"), "yd": "yard", "yds": "yard", "mi": "mile",
    "mg": "milligram", "g": "gram", "kg": "kilogram", "kgs": "kilogram", "Km": "kilometer", "KM": "kilometer",
    "Kg": "kilogram", "KG": "kilogram", "µg": "microgram", "μg": "microgram", "mcg": "microgram", "gm": "gram",
    "gr": "gram", "oz": "ounce", "lb": "pound", "lbs": "pound", "t": "ton", "ml": "milliliter", "mL": "milliliter",
    "cl": "centiliter", "dl": "deciliter", "dL": "deciliter", "l": "liter", "L": "liter", "gal": "gallon",
    "qt": "quart", "pt": "pint", "tbsp": "tablespoon", "Tbsp": "tablespoon", "tsp": "teaspoon",
    "fl oz": "fluid ounce", "fl. oz": "fluid ounce", "cc": ("cc", "cc"), "ms": "millisecond", "s": "second",
    "sec": "second", "secs": "second", "min": "minute", "mins": "minute", "h": "hour", "hr": "hour", "hrs": "hour",
    "wk": "week", "wks": "week", "mo": "month", "mos": "month", "yr": "year", "yrs": "year", "ns": "nanosecond",
    "µs": "microsecond", "μs": "microsecond", "mph": ("mile per hour", "miles per hour"),
    "kph": ("kilometer per hour", "kilometers per hour"), "kmh": ("kilometer per hour", "kilometers per hour"),
    "mpg": ("mile per gallon", "miles per gallon"), "fps": ("frame per second", "frames per second"),
    "rpm": ("RPM", "RPM"), "bpm": ("beat per minute", "beats per minute"), "psi": ("PSI", "PSI"),
    "dpi": ("DPI", "DPI"), "ppm": ("part per million", "parts per million"), "V": "volt", "kV": "kilovolt",
    "mV": "millivolt", "W": "watt", "kW": "kilowatt", "MW": "megawatt", "GW": "gigawatt", "kWh": "kilowatt hour",
    "MWh": "megawatt hour", "Wh": "watt hour", "mAh": "milliamp hour", "Ah": "amp hour", "mA": "milliamp",
    "amp": "amp", "amps": "amp", "Ω": "ohm", "kΩ": "kilohm", "J": "joule", "kJ": "kilojoule", "cal": "calorie",
    "kcal": "kilocalorie", "N": "newton", "Pa": "pascal", "kPa": "kilopascal", "hPa": "hectopascal",
    "MPa": "megapascal", "bar": ("bar", "bar"), "hp": ("horsepower", "horsepower"), "dB": "decibel",
    "db": "decibel", "Hz": ("hertz", "hertz"), "kHz": ("kilohertz", "kilohertz"), "MHz": ("megahertz", "megahertz"),
    "GHz": ("gigahertz", "gigahertz"), "KB": "kilobyte", "kB": "kilobyte", "kb": "kilobit", "MB": "megabyte",
    "Mb": "megabit", "GB": "gigabyte", "Gb": "gigabit", "TB": "terabyte", "PB": "petabyte", "gb": "gigabyte",
    "mb": "megabyte", "kbps": ("kilobit per second", "kilobits per second"),
    "Kbps": ("kilobit per second", "kilobits per second"), "Mbps": ("megabit per second", "megabits per second"),
    "mbps": ("megabit per second", "megabits per second"), "Gbps": ("gigabit per second", "gigabits per second"),
    "MP": "megapixel", "px": "pixel", "ha": "hectare", "ac": "acre", "mol": "mole", "mmol": "millimole",
    "IU": ("IU", "IU"), "sq ft": ("square foot", "square feet"), "sq. ft": ("square foot", "square feet"),
    "sqft": ("square foot", "square feet"), "sq m": "square meter", "sq. m": "square meter", "sqm": "square meter",
    "sq mi": "square mile", "sq. mi": "square mile", "sq km": "square kilometer",
    "cu ft": ("cubic foot", "cubic feet"), "lumens": "lumen", "lm": "lumen", "pcs": "piece", "pc": "piece",
    "pkg": "package", "pkgs": "package", "doz": ("dozen", "dozen"), "ct": "count",
}  # fmt: skip
_PER = {
    "msg": "message", "hour": "hour", "user": "user", "pp": "person", "ppl": "person", "ea": "each", "d": "day",
    "pers": "person", "appt": "appointment", "qtr": "quarter", "sec": "second",
}  # fmt: skip
_DOTTED = word_set(
    "in ft yd yds mi oz lb lbs gal qt pt tbsp tsp sec secs min mins hr hrs wk wks mo mos yr yrs kg g cm mm km ml "
    "l cal approx sq"
)
_POWERS = {"2": "square", "3": "cubic"}
_NAMES = sorted({*UNITS}, key=len, reverse=True)
_UNIT = "|".join(map(re.escape, _NAMES))
_UNIT_POWER = rf"(?:(?:{_UNIT})(?:\^[23])?|(?:[kcm]?m|ft|yd|mi)[23])"
_RATE = rf"(?P<rate>(?: ?/ ?(?:{_UNIT_POWER}|[a-zA-Z]{{1,16}})(?![\w^])){{0,2}})"
_SPOKEN_UNITS = frozenset(word if isinstance(word, str) else word[0] for word in UNITS.values())


def _firsts(words: Iterable[str]) -> str:
    """The first characters of words."""
    return "".join(sorted({word[0] for word in words}))


def split(name: str) -> tuple[str, str]:
    """A unit and its power, which may be empty.

    >>> split("km^2"), split("m2"), split("lb")
    (('km', '2'), ('m', '2'), ('lb', ''))
    """
    power = name[-1] if name[-1] in _POWERS else ""
    return name.rstrip("^23"), power


def unit(name: str, many: bool) -> str:
    """The words of a unit.

    >>> unit("km^2", many=True), unit("lb", many=False)
    ('square kilometers', 'pound')
    """
    name, power = split(name)
    words = UNITS[name]
    one, several = (words, words + "s") if isinstance(words, str) else words
    said = several if many else one
    return f"{_POWERS[power]} {said}" if power else said


def rate(written: str) -> str:
    """The words of "/hr" and its like.

    >>> rate("/user/mo"), rate(" / sq ft"), rate("/dL")
    (' per user per month', ' per square foot', ' per deciliter')
    """
    return "".join(f" per {_per(name.strip())}" for name in written.split("/")[1:])


def _per(name: str) -> str:
    base = split(name)[0]
    if base in UNITS and name not in _PER:
        return unit(name, many=False)
    return _PER.get(name.lower(), name)


def _money(match: re.Match[str]) -> str | None:
    nation, sign = match["nation"], match["sign"]
    if nation == "R" and sign == "$":
        nation, sign = "", "R$"
    return _sum(match, f"{_NATIONS[nation]} " if nation else "", _CURRENCIES[sign])


def _sum(match: re.Match[str], nation: str, names: tuple[str, str, str, str]) -> str:
    one, many, _, _ = names
    minus = "minus " if match["minus"] or match["neg"] else ""
    amount, to = match["amount"], match["to"]
    if amount.endswith((",", ".")):
        return f"{minus}{cardinal(amount[:-1])} {many}"
    scale = (match["long"] or "").strip() or _SCALES.get((match["short"] or "").strip().lower(), "")
    per = rate(match["rate"])
    if to:
        said = decimal(to) if to.count(".") + amount.count(".") == 0 else ""
        if said:
            first = decimal(amount) if not match["first"] else f"{decimal(amount)} {_SCALES[match['first'].lower()]}"
            return f"{minus}{first} to {said} {scale} {nation}{many}{per}".replace("  ", " ")
        return f"{minus}{_coins(amount, nation, names, False)} to {_coins(to, nation, names, False)}{per}"
    single = not per and is_attribute(match)
    if scale:
        return f"{minus}{decimal(amount)} {scale} {nation}{one if single else many}{per}"
    return f"{minus}{_coins(amount, nation, names, single)}{per}"


_THOUSANDS_WITH_DOTS = re.compile(r"[1-9]\d{0,2}(?:\.\d00|(?:\.\d{3}){2,4})")
"""$20.500 and $1.250.300, as other countries write; $3.459 is a price with a fraction of a cent."""


def _coins(amount: str, nation: str, names: tuple[str, str, str, str], single: bool) -> str:
    one, many, part, parts = names
    if _THOUSANDS_WITH_DOTS.fullmatch(amount):
        amount = amount.replace(".", "")
    amount = amount.replace(",", "") if not re.fullmatch(r"\d{1,9},\d\d", amount) else amount.replace(",", ".")
    whole, _, rest = amount.partition(".")
    if len(rest) > 2 or (rest and not part):
        return f"{decimal(amount)} {nation}{many}"
    rest = rest.ljust(2, "0") if rest else "00"
    money = f"{cardinal(whole or '0')} {nation}{one if single or whole == '1' else many}"
    if rest == "00":
        return money
    cents = f"{cardinal(str(int(rest)))} {part if rest == '01' else parts}"
    return cents if not int(whole or "0") else f"{money} and {cents}"


def _after_amount(match: re.Match[str]) -> str:
    """Money whose sign or code follows: 50$, 25 USD."""
    nation, sign = _CODES[match["code"]] if match["code"] in _CODES else ("", match["code"])
    names = _CURRENCIES[sign]
    scale = (match["long"] or "").strip() or _SCALES.get((match["short"] or "").strip().lower(), "")
    if scale:
        return f"{decimal(match['amount'])} {scale} {nation}{names[1]}{rate(match['rate'])}"
    return _coins(match["amount"], nation, names, is_attribute(match)) + rate(match["rate"])


def _before_amount(match: re.Match[str]) -> str:
    """Money whose code comes first: USD 25, Rs 500."""
    nation, sign = _CODES[match["code"]] if match["code"] in _CODES else ("", match["code"].rstrip("."))
    return _sum(match, nation, _CURRENCIES[sign])


def _cents(match: re.Match[str]) -> str:
    return f"{decimal(match[1])} {'cent' if match[1] == '1' or is_attribute(match) else 'cents'}"


def _lone_sign(match: re.Match[str]) -> str:
    return _CURRENCIES[match[0]][1]


def _percent(match: re.Match[str]) -> str:
    if match["above"]:
        return f"{fraction(match['above'], match['below'])} percent"
    return f"{decimal(match['amount'])} percent{rate(match['rate'])}"


def _is_one(amount: str) -> bool:
    return amount == "1"


def _measure(match: re.Match[str]) -> str | None:
    name, amount = match["unit"], match["amount"]
    if not _is_measure(match, split(name)[0]):
        return None
    single = match["hyphen"] == "-" or _is_one(amount) or is_attribute(match)
    single = single or (name in _LENGTHS and plural_follows(match))
    return f"{decimal(amount)} {_scale_words(match)}{unit(name, not single)}{rate(match['rate'])}{_end(match)}"


_LENGTHS = word_set("mm cm m km ft yd mi")
"""Units that measure no substance: 5 cm pieces, but 5 kilograms apples."""


def _end(match: re.Match[str]) -> str:
    """The dot of a unit ends the sentence at the end of a text."""
    return "." if match["dot"] and match.end() == len(match.string) else ""


def _scale_words(match: re.Match[str]) -> str:
    return f"{match['scale'].strip()} " if match["scale"] else ""


_SEATS = word_set(
    "seat seats row gate room rooms apt apt. apartment unit zone block bus bay terminal platform size and"
)


def _is_measure(match: re.Match[str], name: str) -> bool:
    """True if letters after a number are a unit: not the word "in", nor the letter of a seat."""
    dotted, hyphen = match["dot"], match["hyphen"]
    after = match.string[match.end() : match.end() + 1]
    if name == "in" and (before(match) or [""])[-1] in ("ft", "feet", "foot"):
        return True
    if name == "in":
        return bool(dotted) or (hyphen == "-" and after != "-") or after == ";" or not hyphen
    if name in ("pt", "ct", "ac", "mi", "gr", "mo", "t", "bar") and hyphen == " " and not dotted:
        return name in ("mi", "bar", "t", "mo") or not following(match)
    if name in ("N", "W") and (
        (dotted and after) or following(match)[:1].isupper() or _ORDINAL_NEXT.match(match.string, match.end())
    ):
        return False
    if name in ("L", "N", "V", "W", "J") and not hyphen and "." not in match["amount"] and label(match) in _SEATS:
        return False
    if name in ("pt", "ac") and not hyphen:
        return False
    if name == "s" and not hyphen:
        return _is_seconds(match)
    return not (name in ("N", "J") and hyphen != " ")


_ORDINAL_NEXT = re.compile(r" \d{1,3}(?:st|nd|rd|th)")
_DURING = word_set(
    "for within after every wait of takes took lasts a an first last only another hold in under about to"
)


def _is_seconds(match: re.Match[str]) -> bool:
    """90s are seconds after "for" and its like, and for other numbers than tens."""
    amount = match["amount"]
    if "." in amount or not amount.endswith("0") or len(amount) not in (2, 4):
        return True
    words = before(match)
    return bool(words) and words[-1] in _DURING - ({"in", "of"} if len(amount) == 4 else set())


def _fraction_of_unit(match: re.Match[str]) -> str:
    whole, above, below, name = match["whole"], match["above"], match["below"], match["unit"]
    if whole:
        single = match["hyphen"] == "-" or is_attribute(match)
        return f"{mixed(whole, above, below)} {unit(name, not single)}{rate(match['rate'])}{_end(match)}"
    single = int(above) <= int(below) or is_attribute(match)
    return f"{fraction(above, below)} {unit(name, not single)}{rate(match['rate'])}{_end(match)}"


def _fraction_of_inch(match: re.Match[str]) -> str:
    whole, above, below = match.groups()
    return f"{mixed(whole, above, below)} inches" if whole else f"{fraction(above, below)} inch"


def _mixed(match: re.Match[str]) -> str | None:
    whole, above, below = match.groups()
    return mixed(whole, above, below) if 0 < int(above) < int(below) else None


_SCALE_OF_DEGREES = {"C": " Celsius", "F": " Fahrenheit", "K": " kelvin"}
_WINDS = {"N": "north", "S": "south", "E": "east", "W": "west"}


def _degrees(match: re.Match[str]) -> str:
    amount, scale, wind = match["amount"], match["scale"], match["wind"]
    single = _is_one(amount) or is_attribute(match)
    said = f"{decimal(amount)} {'degree' if single else 'degrees'}"
    if match["minutes"]:
        said += f" {decimal(match['minutes'])} minutes"
    if match["seconds"]:
        said += f" {decimal(match['seconds'])} seconds"
    return said + (f" {_WINDS[wind]}" if wind else _SCALE_OF_DEGREES[scale.upper()] if scale else "")


_WARM = word_set(
    "temperature temperatures oven heat bake preheat fever weather degrees at to of is was below above reaches "
    "around hit cool warm about roast cook minus and or between"
)


_WARMTH = word_set("temperature temperatures temp oven heat fever weather")


def _letter_degrees(match: re.Match[str]) -> str | None:
    """98.6F and 20C: degrees where the words before a number speak of warmth."""
    amount, scale = match["amount"], match["scale"]
    words = before(match)
    if match["space"] and label(match) not in _WARMTH:
        return None
    if scale == "C" and (label(match) in _SEATS or not (words and words[-1] in _WARM)):
        return None
    if scale == "F" and (label(match) in _SEATS or len(amount) < 2):
        return None
    return f"{decimal(amount)} degrees{_SCALE_OF_DEGREES[scale]}"


def _kelvin(match: re.Match[str]) -> str | None:
    return f"{decimal(match['amount'])} kelvin" if label(match) in _WARM else None


def _feet(match: re.Match[str]) -> str:
    inches = "".join(f" {part}" for part in [decimal(match[2])])
    return f"{cardinal(match[1])} foot{inches}"


def _prime(match: re.Match[str]) -> str | None:
    """Feet or inches; a quote that closes is none."""
    amount, mark = match["amount"], match["mark"]
    if match.string[max(0, match.start() - 1) : match.start()] == mark:
        return None
    if mark == '"' and match.string.count('"', max(0, match.start() - 400), match.start()) % 2:
        return None
    one, many = ("inch", "inches") if mark == '"' else ("foot", "feet")
    return f"{decimal(amount)} {one if _is_one(amount) or is_attribute(match) else many}"


_SIDE = rf"(?:{AMOUNT})"
_LONE_UNIT = re.compile(rf"(?P<hyphen>[ -]?)(?P<unit>{_UNIT_POWER})(?![\w^/])")


def _by(match: re.Match[str]) -> str | None:
    """Sides: 8x10, 30x40x20 cm, 5' x 7'. A product otherwise."""
    sides = re.split(r" ?[x×X] ?", match["sides"])
    said = [_side(side) for side in sides]
    name = match["unit"]
    rest = match.string[match.end() : match.end() + 12]
    spaced, is_product = " " in match["sides"], bool(re.match(r" ?=|\)? ?[+*/?÷×-] ?\d|%", rest))
    asked = before(match)[-2:]
    asks = asked == ["what", "is"] or bool({"what's", "calculate", "multiply", "solve", "="}.intersection(asked))
    words = " times "
    if name or not (is_product or asks):
        words = (
            " by "
            if name or not (spaced or "×" in match["sides"]) or rest[:2].strip().isalpha() or "'" in rest
            else " times "
        )
    result = words.join(said)
    if match["plural"]:
        return plural(result)
    if name:
        single = match["hyphen"] == "-" or is_attribute(match) or plural_follows(match)
        result += f" {unit(name, not single)}"
    return result


def _side(side: str) -> str:
    if side.isdecimal() and len(side) == 4 and not side.endswith("00"):
        return in_pairs(side)
    return decimal(side)


def _marked_sides(match: re.Match[str]) -> str:
    sides = re.findall(rf"({AMOUNT}) ?(\"|'|{_UNIT})", match[0])
    return " by ".join(
        f"{decimal(amount)} {({chr(34): 'inches', chr(39): 'feet'}).get(mark) or unit(mark, amount != '1')}"
        for amount, mark in sides
    )


def _times(match: re.Match[str]) -> str:
    amount, rest = match[1], match.string[match.end() : match.end() + 4]
    in_formula = re.match(r" ?[=+^)-]| ?\* ?", rest) or re.search(
        r"[=+(*-] ?$", match.string[max(0, match.start() - 3) : match.start()]
    )
    return f"{decimal(amount)} {'x' if in_formula else 'times'}"


def _thousands(match: re.Match[str]) -> str | None:
    """10k, 3.4M and 1.2bn; but 4K is what is written on a screen."""
    amount, short = match["amount"], match["short"].strip()
    race = match.string[match.end() : match.end() + 5] in (" run", " race", " run.")
    if short in ("K", "B", "T") and len(amount) == 1 and (short != "K" or following(match) not in _COUNTED):
        return f"{decimal(amount)} {short}"
    if short in ("k", "K") and race:
        return f"{decimal(amount)} K"
    if short in ("t", "m", "b") or (short in ("B", "T") and "." not in amount and not plural_follows(match)):
        return None
    return f"{decimal(amount)} {_SCALES[short.lower()]}"


_COUNTED = word_set("followers users people views likes subscribers downloads customers members words times dollars")


def _duration(match: re.Match[str]) -> str:
    hours, minutes, seconds = match["h"], match["m"], match["s"]
    parts = [(hours, "hour"), (minutes, "minute"), (seconds, "second")]
    return " ".join(f"{cardinal(str(int(n)))} {name}{'' if int(n) == 1 else 's'}" for n, name in parts if n)


_DOT = r"(?P<dot>\.(?= ?[a-z0-9(,;:)x×]| ?$)|)"
_MINUS = r"(?P<minus>(?<![\w)])[-—] ?|)"
_MONEY_AMOUNT = rf"(?P<amount>\d{{1,9}},\d\d(?![\d])|\d{{1,3}}(?:\.\d{{3}}){{2,4}}(?!\d)|{AMOUNT})"

MONEY = (
    rule(
        "money",
        rf"(?P<minus>(?<![\w)])[-—](?={_SIGN}))?(?P<nation>)(?P<sign>{_SIGN}) ?(?P<neg>-)?{_MONEY_AMOUNT}"
        rf"(?:(?P<first>[kKmMbB])?(?: ?[-—] ?)(?:{_SIGN})?(?P<to>{AMOUNT})(?![\d/-]))?{_SCALE}{_RATE}",
        _money,
        ".",
        sign="$€£¥₹₩₽₺₫₱฿₪₦₿₴-—",
    ),
    rule(
        "money",
        rf"(?P<minus>)(?P<nation>{_NATION}|R)(?P<sign>\$) ?(?P<neg>-)?{_MONEY_AMOUNT}"
        rf"(?:(?P<first>[kKmMbB])?(?: ?[-—] ?)(?:{_SIGN})?(?P<to>{AMOUNT})(?![\d/-]))?{_SCALE}{_RATE}",
        _money,
        "g",
        sign="$.",
    ),
    Rule(
        "money",
        re.compile(
            rf"(?P<minus>)(?P<code>{_CODE}|Rs\.?) ?(?P<neg>-)?(?P<first>)(?P<to>){_MONEY_AMOUNT}{_SCALE}{_RATE}"
        ),
        _before_amount,
        "a",
        frozenset((*_CODES, "Rs")),
    ),
    rule(
        "money",
        rf"{_MONEY_AMOUNT}{_SCALE} ?(?P<code>{_CODE}|zł|(?<! ){_SIGN}|[€£](?!\d))(?![\w]){_RATE}",
        _after_amount,
        sign=" a$€£¥₹₩₽₺₫₱฿₪₦₿₴",
        spaced="htmbz€£" + _firsts(_CODES),
        is_amount=True,
    ),
    rule("cents", rf"({AMOUNT}) ?¢", _cents, sign=" ¢", spaced="¢", is_amount=True),
    rule("currency", rf"(?<![^ (\"]){_SIGN}(?=[ ,.?!;:)\"]|$)", _lone_sign, ".", sign="$€£¥₹₩₽₺₫₱฿₪₦₿₴"),
)
QUANTITIES = (
    rule(
        "percent",
        rf"(?:(?P<above>\d{{1,2}})/(?P<below>\d{{1,2}})|(?P<amount>{AMOUNT})) ?%{_RATE}",
        _percent,
        sign="/% ",
        spaced="%",
        is_amount=True,
    ),
    rule(
        "degrees",
        rf"(?P<amount>{AMOUNT}) ?°(?: ?(?P<minutes>\d{{1,2}}(?:\.\d{{1,6}})?)')?"
        rf"(?: ?(?P<seconds>\d{{1,2}}(?:\.\d{{1,6}})?)(?:\"|''))?"
        r"(?: ?(?:(?P<scale>[CcFfK])(?!\w)|(?P<wind>[NSEW])(?!\w)))?",
        _degrees,
        sign="° ",
        spaced="°",
        is_amount=True,
    ),
    rule(
        "degrees",
        rf"(?P<amount>{AMOUNT})(?P<space> ?)(?P<scale>[CF])(?!\w)",
        _letter_degrees,
        sign=" CF",
        spaced="CF",
        is_amount=True,
    ),
    rule(
        "degrees",
        r"(?P<amount>\d{2,4}(?:\.\d{1,4})?) K(?!\w)(?!-)",
        _kelvin,
        sign=" ",
        spaced="K",
        digits="234",
        is_amount=True,
    ),
    rule(
        "duration",
        r"(?P<h>\d{1,3}) ?h(?:rs?)?\.? ?(?P<m>\d{1,2}) ?m(?:ins?)?(?![\w])(?: ?(?P<s>\d{1,2}) ?s(?:ecs?)?(?!\w))?",
        _duration,
        sign=" h",
        spaced="h",
        digits="123",
    ),
    rule(
        "duration",
        r"(?P<h>)(?P<m>\d{1,3}) ?m(?:in)? ?(?P<s>\d{1,2}) ?s(?:ecs?)?(?!\w)",
        _duration,
        sign=" m",
        spaced="m",
        digits="123",
    ),
    rule("height", r"(\d{1,2})' ?(\d{1,2}(?:\.\d{1,2})?)(?:\"|''|(?=[ ,.;)-]|$))", _feet, sign="'", digits="12"),
    rule(
        "dimensions",
        rf"{AMOUNT} ?(?:[\"']|(?:{_UNIT})(?!\w))(?: ?[x×] ?{AMOUNT} ?(?:[\"']|(?:{_UNIT})(?!\w))){{1,2}}",
        _marked_sides,
        sign=" \"'" + _firsts(UNITS),
        spaced="\"'" + _firsts(UNITS),
        is_amount=True,
    ),
    rule(
        "length",
        r"(?:(\d{1,3})[ -])?(\d{1,2})/(\d{1,2})\"(?![\w\"])",
        _fraction_of_inch,
        sign=" -/",
        spaced="0",
        digits="123",
    ),
    rule(
        "length",
        rf"(?P<amount>{AMOUNT}) ?(?P<mark>[\"']|(?<=\d)'')(?![\w\"'])(?=[ ,.;:)-]|$)",
        _prime,
        sign=" \"'",
        spaced="\"'",
        is_amount=True,
    ),
    rule(
        "dimensions",
        rf"(?P<sides>{AMOUNT}(?: ?[xX×] ?{AMOUNT}){{1,3}})"
        rf"(?:(?P<plural>s)(?!\w)|(?P<hyphen>[ -]?)(?P<unit>{_UNIT_POWER})(?![\w^/])\.?|(?!\w))",
        _by,
        sign=" xX×",
        spaced="xX×",
        is_amount=True,
    ),
    rule(
        "measure",
        rf"(?:(?P<whole>\d{{1,4}})(?:[ -]|\+))?(?P<above>\d{{1,2}})/(?P<below>\d{{1,2}})(?P<hyphen>[ -]?)"
        rf"(?!in (?![a-z]{{3,12}}\b))(?P<unit>{_UNIT_POWER})(?![\w^]){_DOT}{_RATE}",
        _fraction_of_unit,
        sign=" -/+",
        spaced="0",
        digits="1234",
    ),
    rule(
        "mixed number",
        r"(\d{1,4})(?: |-| and )(\d{1,2})/(\d{1,2})(?![\d/])",
        _mixed,
        sign=" -",
        spaced="0a",
        digits="1234",
    ),
    rule(
        "measure",
        rf"(?P<amount>{AMOUNT})(?P<scale> (?:million|billion|thousand|hundred))?(?P<hyphen>[ -]?)"
        rf"(?P<unit>{_UNIT_POWER})(?![\w^])"
        rf"(?!'[a-z])(?!/\d)(?! ?\.\w){_DOT}{_RATE}",
        _measure,
        sign=" -" + _firsts(UNITS),
        spaced="mbth" + _firsts(UNITS),
        is_amount=True,
    ),
    rule(
        "thousands",
        rf"(?P<amount>{AMOUNT})(?P<short>[kKMBTm]|bn|mn| bn| mn)(?![\w])",
        _thousands,
        sign=" kKMBTmb",
        spaced="bm",
        is_amount=True,
    ),
    rule("times", rf"({AMOUNT}) ?x(?!\w)(?! ?\d)", _times, sign=" x", spaced="x", is_amount=True),
)
