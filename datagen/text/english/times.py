"""Dates, years, decades, times of day and durations of a clock."""

import re

from datagen.text.english.context import before, ends_sentence, following, label, plural_follows, previous
from datagen.text.english.numbers import cardinal, decade, one_by_one, ordinal, year
from datagen.text.reading import any_case, rule, word_set

MONTHS = "January February March April May June July August September October November December".split()  # noqa: SIM905
DAYS = {
    "mon": "Monday", "tue": "Tuesday", "tues": "Tuesday", "wed": "Wednesday", "weds": "Wednesday",
    "thu": "Thursday", "thur": "Thursday", "thurs": "Thursday", "fri": "Friday", "sat": "Saturday", "sun": "Sunday",
}  # fmt: skip
_SHORT_MONTHS = {name[:3].lower(): name for name in MONTHS} | {"sept": "September"}
_MONTH_WORDS = any_case((*_SHORT_MONTHS, *MONTHS))
_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|"
    r"Nov(?:ember)?|Dec(?:ember)?|jan(?:uary)?|feb(?:ruary)?|apr(?:il)?|june?|july?|aug(?:ust)?|sept?(?:ember)?|"
    r"oct(?:ober)?|nov(?:ember)?|dec(?:ember)?|"
    r"JAN(?:UARY)?|FEB(?:RUARY)?|MARCH|APR(?:IL)?|JUNE?|JULY?|AUG(?:UST)?|SEPT?(?:EMBER)?|OCT(?:OBER)?|"
    r"NOV(?:EMBER)?|DEC(?:EMBER)?)\b"
)
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_TH = r"(?:st|nd|rd|th|ST|ND|RD|TH)"
_YEAR = r"(?:1\d{3}|20\d\d|21\d\d)"
_ZONES = {
    "EST": "Eastern Standard Time", "EDT": "Eastern Daylight Time", "CST": "Central Standard Time",
    "CDT": "Central Daylight Time", "MST": "Mountain Standard Time", "PST": "Pacific Standard Time",
    "PDT": "Pacific Daylight Time", "ET": "Eastern time",
}  # fmt: skip
_BOOKS = word_set(
    "genesis exodus leviticus numbers deuteronomy joshua judges ruth samuel kings chronicles ezra nehemiah esther "
    "job psalm psalms proverbs ecclesiastes isaiah jeremiah lamentations ezekiel daniel hosea joel amos obadiah "
    "jonah micah nahum habakkuk zephaniah haggai zechariah malachi matthew mark luke john acts romans corinthians "
    "galatians ephesians philippians colossians thessalonians timothy titus philemon hebrews james peter jude "
    "revelation quran surah sura verse rev gen matt ps prov cor rom isa ex exod deut phil eph heb tim pet jer "
    "eccl"
)
_NUMBERED_BOOKS = "Samuel|Kings|Chronicles|Corinthians|Thessalonians|Timothy|Peter|John|Maccabees"
_RATIO_WORDS = word_set(
    "score scores scored won win wins lost lose beat beats defeated tie tied draw drew lead leads led game match "
    "odds ratio ratios aspect mix proportion scale victory final"
)
_CLOCK_WORDS = word_set(
    "at by until till from before after between around about past is it's open opens close closes since to"
)


def _full(month: str) -> str:
    return _SHORT_MONTHS[month[:3].lower()]


def _date(month: str, day: str, year_: str | None) -> str:
    said = f"{month} {ordinal(str(int(day)))}"
    return f"{said}, {year(year_)}," if year_ else said


def _century(two: str) -> str:
    return two if len(two) == 4 else ("19" if int(two) >= 50 else "20") + two


def _closed(said: str, match: re.Match[str]) -> str:
    """The comma after the year of a date stays only inside a sentence."""
    return said.rstrip(",") if not re.match(r" [a-z]", match.string[match.end() : match.end() + 2]) else said


def _month_day(match: re.Match[str]) -> str:
    month, day, last, year_ = _full(match["month"]), match["day"], match["last"], match["year"]
    if last:
        said = f"{month} {ordinal(str(int(day)))} to {ordinal(str(int(last)))}"
        return f"{said}, {year(year_)}" if year_ else said
    return _closed(_date(month, day, year_), match)


def _month_year(match: re.Match[str]) -> str:
    return f"{_full(match['month'])} {year(match['year'])}"


def _day_month(match: re.Match[str]) -> str | None:
    month, day, last, year_ = _full(match["month"]), match["day"], match["last"], match["year"]
    if match["month"] in ("May", "March") and not (match["th"] or match["of"] or year_ or _date_before(match)):
        return None
    if last:
        said = f"{month} {ordinal(str(int(day)))} to {ordinal(str(int(last)))}"
        return f"{said}, {year(year_)}" if year_ else said
    if match["of"] or before(match)[-1:] == ["the"]:
        said = f"{ordinal(str(int(day)))} of {month}"
        return f"{said}, {year(year_)}" if year_ else said
    return _closed(_date(month, day, year_), match)


def _date_before(match: re.Match[str]) -> bool:
    return before(match)[-1:] in (
        [word] for word in ("on", "by", "until", "till", "from", "since", "to", "the", "of", "and")
    )


def _iso_date(match: re.Match[str]) -> str | None:
    month, day = int(match["month"]), int(match["day"])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    said = _date(MONTHS[month - 1], str(day), match["year"]).rstrip(",")
    return said + " at " if match["t"] else _closed(said + ",", match)


def _numeric_date(match: re.Match[str]) -> str | None:
    month, day = int(match[1]), int(match[3])
    if month > 12:  # written the European way
        month, day = day, month
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    return _closed(_date(MONTHS[month - 1], str(day), _century(match[4])), match)


_DATE_WORDS = word_set(
    "on by ends end due starts start begins until till before after since dated deadline ships date arrives "
    "through from between expires today tomorrow monday tuesday wednesday thursday friday saturday sunday mon tue "
    "wed thu fri sat sun delivery departing returning leaving arriving scheduled"
)


_DATE_FOLLOWS = re.compile(r" ?(?:and|to|through|-|—) ?\d{1,2}/\d{1,2}(?![\d/])")
_DATE_PRECEDES = re.compile(r"(?:between|from) \d{1,2}/\d{1,2} ?(?:and|to|through|-|—) ?$")


def _day_of_year(match: re.Match[str]) -> str | None:
    """6/14: a date after "on" and its like, or where no fraction is written so."""
    first, second = match[1], match[2]
    month, day = int(first), int(second)
    if month > 12 and day <= 12:
        month, day = day, month
    if not (1 <= month <= 12 and 1 <= day <= 31) or following(match) in ("of", "cup", "cups", "inch", "majority"):
        return None
    word = (before(match) or [""])[-1]
    word = (before(match) or ["", ""])[-2] if word in ("is", "was", ":", "the") and len(before(match)) > 1 else word
    padded = first[0] == "0" or (second[0] == "0" and len(second) == 2)
    common = month == 1 or (month, day) in ((2, 3), (3, 4), (2, 5), (3, 5), (3, 8), (5, 8), (7, 8))
    if word in ("on", "dated", "date", "due", "deadline") or padded:
        return _date(MONTHS[month - 1], str(day), None)
    if word in _DATE_WORDS and not common:
        return _date(MONTHS[month - 1], str(day), None)
    if word in ("between", "from") and _DATE_FOLLOWS.match(match.string, match.end()):
        return _date(MONTHS[month - 1], str(day), None)
    if _DATE_PRECEDES.search(match.string[max(0, match.start() - 24) : match.start()]):
        return _date(MONTHS[month - 1], str(day), None)
    if word in ("to", "and", "or", "through") and re.search(
        r"\d/\d{1,2} $|\d/\d{1,2} (?:to|and|or|through) $", match.string[max(0, match.start() - 14) : match.start()]
    ):
        return None if common else _date(MONTHS[month - 1], str(day), None)
    return None


def _expiry(match: re.Match[str]) -> str | None:
    words = before(match)
    if not any(word.startswith(("exp", "valid")) for word in words[-4:]):
        return None
    first = one_by_one(match[1]) if match[1][0] == "0" else cardinal(match[1])
    rest = match[2]
    return f"{first} {year(rest) if len(rest) == 4 else cardinal(rest)}"


def _meridiem(match: re.Match[str]) -> str:
    """AM or PM, with the dot that ends the sentence."""
    letter = match["ampm"]
    if not letter:
        return ""
    dotted = match[0].rstrip().endswith(".")
    return f" {letter[0].upper()}M" + ("." if dotted and ends_sentence(match) else "")


def _zone(match: re.Match[str]) -> str:
    return f" {_ZONES.get(match['zone'], match['zone'])}" if match["zone"] else ""


def _time(match: re.Match[str]) -> str | None:
    hour, minute = int(match["hour"]), int(match["minute"])
    if hour > 24 or minute > 59:
        return None
    half = match["ampm"] or re.match(
        r" ?[-—] ?\d{1,2}(?::\d\d)? ?[AaPp]\.?[Mm]\b", match.string[match.end() : match.end() + 12]
    )
    said = _clock(hour, match["minute"], bool(half))
    if match["second"]:
        said += f" and {cardinal(str(int(match['second'])))} seconds"
    return said + _meridiem(match) + _zone(match)


def _clock(hour: int, minute: str, half: bool) -> str:
    """The words of an hour and a minute.

    >>> _clock(7, "05", False), _clock(18, "00", False), _clock(12, "00", False)
    ('seven oh five', 'eighteen hundred', "twelve o'clock")
    """
    if minute == "00":
        if half:
            return cardinal(str(hour))
        if hour > 12:
            return f"{cardinal(str(hour))} hundred"
        return f"{cardinal(str(hour))} o'clock" if hour else "midnight"
    said = f"oh {cardinal(minute[1])}" if minute[0] == "0" else cardinal(minute)
    return f"{cardinal(str(hour))} {said}" if hour else f"twelve {said}{'' if half else ' AM'}"


def _hour(match: re.Match[str]) -> str | None:
    hour = int(match["hour"])
    if hour > 24 or (match["ampm"] == "am" and before(match)[-1:] == ["i"]):
        return None
    return cardinal(str(hour)) + _meridiem(match) + _zone(match)


def _long_clock(match: re.Match[str]) -> str:
    """2:35:10 is a duration, or a time of day after "at"."""
    hours, minutes, seconds = (str(int(part)) for part in match.groups())
    names = ((hours, "hour"), (minutes, "minute"), (seconds, "second"))
    return " ".join(f"{cardinal(n)} {name}{'' if n == '1' else 's'}" for n, name in names)


def _ratio(match: re.Match[str]) -> str | None:
    """Scores, odds and ratios: 3:1 is no time; 21:19 is none where a score is reported."""
    first, second = match[1], match[2]
    words = before(match)
    if len(second) == 2 and int(first) < 25 and int(second) < 60 and not _RATIO_WORDS.intersection(words[-6:]):
        rest = match.string[match.end() : match.end() + 14].lower()
        if not rest.startswith((" ratio", " odds", " win", " victory", " score", " aspect", " lead", " draw")):
            return None
    return f"{cardinal(first)} to {cardinal(second)}"


def _verse(match: re.Match[str]) -> str | None:
    if (before(match) or [""])[-1].rstrip(".") not in _BOOKS:
        return None
    said = f"{cardinal(match[1])} {cardinal(match[2])}"
    return f"{said} to {cardinal(match[3])}" if match[3] else said


def _book(match: re.Match[str]) -> str:
    return {"1": "First", "2": "Second", "3": "Third"}[match[1]]


_DECADE_WORDS = word_set(
    "the in early late mid my his her their our of since to and from by through 'til love like loved classic"
)


def _decade(match: re.Match[str]) -> str | None:
    century, ten = match["century"] or "", match["ten"]
    if not century and not match["mark"]:
        words = before(match)
        if ten in "01" or (
            words and words[-1] in ("for", "within", "every", "wait", "takes", "took", "a", "lasts", "after")
        ):
            return None
    return decade(century, ten)


def _season_years(match: re.Match[str]) -> str | None:
    """2019-20, 2021/22: two years that follow each other."""
    first, second = match[1], match[2]
    follows = (int(first) + 1) % 100 == int(second)
    if not follows and not (match[0][4] in "-—" and int(second) > int(first[2:]) and int(first) > 1700):
        return None
    to = " to " if match[0][4] in "-—" else " "
    return f"{year(first)}{to}{cardinal(second) if second[0] != '0' else 'oh ' + cardinal(second[1])}"


def _short_year(match: re.Match[str]) -> str:
    return cardinal(match[1]) if match[1][0] != "0" else f"oh {cardinal(match[1][1])}"


def _era(match: re.Match[str]) -> str:
    return f"{year(match['n'])} {match['era'].replace('.', '').upper()}" + (
        "." if match[0].endswith(".") and ends_sentence(match) else ""
    )


_YEAR_BEFORE = word_set(
    "in since c. ca. by from until till before after during year circa around about of early late mid spring "
    "summer autumn fall winter season back through between class copyright established est est. founded born"
)
_QUANTITY_BEFORE = word_set(
    "= total costs cost equals have has had own owns need needs bought sold about over under than nearly almost "
    "only exactly roughly approximately least most up"
)


def _year(match: re.Match[str]) -> str | None:
    """A year, or a count: what is counted follows it, and what has a date comes before it."""
    digits, word = match[0], label(match)
    words = before(match)
    last = words[-1] if words else ""
    number, counts = int(digits), plural_follows(match)
    dated = last in _YEAR_BEFORE or word in _YEAR_BEFORE or last.capitalize() in MONTHS
    if counts and (
        digits.endswith("00")
        or (last != "the" and not (dated and 1900 <= number < 2100 and last not in ("of", "about", "around")))
    ):
        return None
    if not counts and last in _QUANTITY_BEFORE and last not in _YEAR_BEFORE:
        return None
    if digits.endswith("000") and not dated and number < 2000:
        return None
    if dated:
        return year(digits) if last not in ("about", "around", "of", "from", "by") or number > 1099 else None
    if number == 1000 or (digits.endswith("00") and number != 1900):
        return None
    if last in ("is", "was", "equals") and not (1900 <= number < 2100):
        return None
    return year(digits) if 1100 <= number < 2100 else None


_BEFORE_DAY = word_set("on every this next last by until and to or")


def _day_name(match: re.Match[str]) -> str | None:
    """Weekdays in short: with a dot inside a sentence, in a range or a list, or before a date."""
    short, dot = match["day"], match["dot"]
    rest = match.string[match.end() : match.end() + 6]
    if not short[0].isupper():
        return None
    name = DAYS[short.lower()]
    if re.match(r" ?[-—/&] ?[A-Z]|,? \d|,? (?:and|or|to|thru) [A-Z]|, [A-Z][a-z]{2}", rest) and (
        dot or short.lower() not in ("sat", "sun") or rest[0] in "-—/&, "
    ):
        return name
    if re.search(r"[-—/&] ?$|\d,? $", match.string[max(0, match.start() - 3) : match.start()]):
        return name + ("." if dot and ends_sentence(match) else "")
    if dot:
        if not ends_sentence(match):
            return name
        words = before(match)
        listed = (words or [""])[-1] in _BEFORE_DAY or any(word.rstrip(".") in DAYS for word in words)
        return f"{name}." if listed else None
    is_name = short.lower() in ("sat", "sun", "wed", "fri", "mon") and not previous(match)
    return (
        None
        if is_name or short.lower() in ("sat", "sun")
        else name
        if (before(match) or [""])[-1] in _BEFORE_DAY
        else None
    )


def _month_name(match: re.Match[str]) -> str | None:
    """Months in short: with a dot inside a sentence, or in a range."""
    short, rest = match["month"], match.string[match.end() : match.end() + 4]
    if not short[0].isupper() or short.lower() in ("may",):
        return None
    ranged = re.match(r" ?[-—] ?[A-Z]", rest) or re.search(
        r"[A-Za-z.][-—] ?$", match.string[max(0, match.start() - 3) : match.start()]
    )
    if ranged or (match["dot"] and not ends_sentence(match)):
        return _SHORT_MONTHS[short.lower()]
    if match["dot"] and (before(match) or [""])[-1] in ("in", "since", "until", "by", "of", "last", "next"):
        return f"{_SHORT_MONTHS[short.lower()]}."
    return None


_AMPM = r"(?: ?(?P<ampm>[AaPp])(?:\.[Mm]\.|\.?[Mm](?![A-Za-z])))"
_AMPM_HOUR = r"(?: ?(?P<ampm>[AP]\.? ?M\b\.?|[ap]\. ?m\.|[ap]m(?![A-Za-z])|[AP]m(?![A-Za-z])))"
_TZ = r"(?: (?P<zone>EST|EDT|CST|CDT|MST|PST|PDT|ET|UTC|GMT|PT|CET|BST|IST|JST)\b)?"

_MEASURED = (
    r" ?(?:[kmµ]?g|[kcmnµ]?m|m?[lL]|lbs?|oz|ft|mi|[kM]?W|k?V|[kMG]?Hz|[MGT]B|k?cal|k?J|rpm|mph|psi|[kh]?Pa|K|nm|°)"
    r"(?![\w'])"
)
"""A unit after two numbers that are no years."""

DATES = (
    rule(
        "date",
        r"(?P<year>[12]\d{3})(?P<sep>[-/.])(?P<month>\d{1,2})(?P=sep)(?P<day>\d{1,2})(?:(?P<t>T)(?=\d)|(?![\w/-]|\.\d))",
        _iso_date,
        sign="-/.",
        digits="4",
    ),
    rule("date", r"(\d{1,2})([/.-])(\d{1,2})\2([12]\d{3})(?![\w/-]|\.\d)", _numeric_date, sign="-/.", digits="12"),
    rule(
        "date",
        r"(\d{1,2})(/)(\d{1,2})/(\d{2})(?![\w/-]|\.\d| (?:hours|days|months))",
        _numeric_date,
        sign="/",
        digits="12",
    ),
    rule(
        "year and month",
        rf"(?P<n>{_YEAR})-(?P<m>0[1-9]|1[0-2])(?![\w-])(?!x)",
        lambda m: (
            f"{MONTHS[int(m['m']) - 1]} {year(m['n'])}"
            if m["m"] < "10" and label(m) in ("on", "month", "date", "since", "dated")
            else None
        ),
        sign="-",
        digits="4",
    ),
    rule(
        "date",
        rf"(?P<day>{_DAY})(?P<th>{_TH})?(?:(?: ?[-—] ?| to | and )(?P<last>{_DAY}){_TH}?)?"
        rf" (?P<of>of )?(?P<month>{_MONTH})"
        rf"(?:\.(?= ?[a-z0-9,]))?(?:,? (?P<year>{_YEAR})(?![\d:,%]|\.\d))?(?!')",
        _day_month,
        sign=" -—a",
        spaced="-—taoJFMASONDjfmasond",
        digits="12",
    ),
    rule("expiry", r"(0[1-9]|1[0-2]) ?/ ?(\d{2}|20\d\d)(?![\w/])", _expiry, sign=" /", spaced="/", digits="2"),
    rule("date", r"(\d{1,2})/(\d{1,2})(?![\w/%]|\.\d|-\w)", _day_of_year, sign="/", digits="12"),
)
"""Dates that begin with a digit."""
MONTH_DATES = (
    rule(
        "date",
        rf"(?P<month>{_MONTH})\.? (?:the )?(?P<day>{_DAY})(?![\d,:%/$]\d|\d)(?P<th>{_TH})?"
        rf"(?: ?[-—] ?(?P<last>{_DAY}){_TH}?(?!\d))?"
        rf"(?:,? (?P<year>{_YEAR})(?![\d:,%]\d|\d|\.\d))?(?![\w:%/]\d|\w)",
        _month_day,
        "a",
        _MONTH_WORDS,
    ),
    rule(
        "date",
        rf"(?P<month>{_MONTH})-(?P<day>{_DAY})-(?P<last>)(?P<year>{_YEAR})(?![\w/%-]|[.:]\d)",
        _month_day,
        "a",
        _MONTH_WORDS,
    ),
    rule("date", rf"(?P<month>{_MONTH})\.?,? (?:of )?(?P<year>{_YEAR})(?![\w:%])", _month_year, "a", _MONTH_WORDS),
    rule(
        "weekday",
        rf"(?P<day>{'|'.join(sorted(map(str.capitalize, DAYS), key=len, reverse=True))})\b(?P<dot>\.?)",
        _day_name,
        "a",
        frozenset(map(str.capitalize, DAYS)),
    ),
    rule(
        "month",
        r"(?P<month>Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\b(?P<dot>\.?)",
        _month_name,
        "a",
        frozenset(map(str.capitalize, _SHORT_MONTHS)),
    ),
)
"""Dates, months and weekdays that begin with a letter."""
TIMES = (
    rule("verse", r"(\d{1,3}):(\d{1,3})(?:[-—](\d{1,3}))?(?![\d:])", _verse, sign=":", digits="123"),
    rule("book", rf"([123]) (?=(?:{_NUMBERED_BOOKS}) \d)", _book, sign=" ", spaced="SKCTPJM", digits="1"),
    rule(
        "ratio",
        r"(\d{1,3}) ?: ?(\d{1,3})(?![\w:]|\.\d)",
        lambda m: None if " " in m[0] and label(m) not in _RATIO_WORDS else _ratio(m),
        sign=" :",
        spaced=":",
        digits="123",
    ),
    rule(
        "clock", rf"(?P<hour>\d{{1,2}})[:.](?P<minute>[0-5]\d){_AMPM}{_TZ}(?P<second>)", _time, sign=":.", digits="12"
    ),
    rule(
        "clock",
        rf"(?P<hour>\d{{1,2}}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?= ?[AaPp]\.?[Mm]))?{_AMPM}?{_TZ}(?![\w:])",
        _time,
        sign=":",
        digits="12",
    ),
    rule("clock", rf"(?P<hour>\d{{1,2}}){_AMPM_HOUR}{_TZ}", _hour, sign=" AaPp", spaced="AaPp", digits="12"),
    rule("duration", r"(\d{1,3}):(\d\d):(\d\d)(?![\d:])", _long_clock, sign=":", digits="123"),
    rule("decade", r"(?P<mark>)(?P<century>1\d|20)(?P<ten>\d)0'?s(?!\w)", _decade, sign="'s", digits="4"),
    rule("decade", r"(?P<mark>)(?P<century>)(?P<ten>[2-9])0'?s(?!\w)", _decade, sign="'s", digits="2"),
    rule("season", r"((?:1[6-9]|20)\d\d)[-—/](\d\d)(?![\w/%:-]|[,.]\d)", _season_years, sign="-—/", digits="4"),
    rule(
        "year",
        r"(?P<n>\d{1,4}) ?(?P<era>BCE|BC|CE|AD|B\.C\.E\.|B\.C\.|A\.D\.|C\.E\.)(?!\w)",
        _era,
        sign=" BCA",
        spaced="BCA",
        digits="1234",
    ),
    rule(
        "years",
        rf"({_YEAR})(?=[-—](?:{_YEAR})(?!\d| ?[a-z]{{3,12}}s\b|{_MEASURED}))",
        lambda m: year(m[1]),
        sign="-—",
        digits="4",
    ),
    rule(
        "years",
        rf"(?<=\d[-—])({_YEAR})(?!\d|,\d|{_MEASURED})",
        lambda m: (
            year(m[1])
            if re.search(r"[12]\d{3}[-—]$", m.string[max(0, m.start() - 5) : m.start()]) and not plural_follows(m)
            else None
        ),
        digits="4",
    ),
    rule("year", rf"{_YEAR}(?![\w%]|[,.:/]\d|-\d)", _year, digits="4"),
)
APOSTROPHE_YEARS = (
    rule("decade", r"(?P<mark>')(?P<century>)(?P<ten>\d)0'?s(?!\w)", _decade, ".", sign="'"),
    rule("short year", r"'(\d\d)(?![\w'\"]|[.,]\d)", _short_year, ".", sign="'"),
)
