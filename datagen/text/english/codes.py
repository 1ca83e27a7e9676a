"""Numbers that name: phones, cards, codes, versions, models, rooms, houses; and plain numbers."""

import re
from string import ascii_uppercase

from datagen.text.english.context import before, following, label, plural_follows, previous
from datagen.text.english.numbers import cardinal, decimal, fraction, in_pairs, one_by_one, ordinal, plural, roman, year
from datagen.text.english.quantities import AMOUNT
from datagen.text.reading import rule, says, word_set

_SECRETS = word_set(
    "code codes pin pins passcode password id otp cvv cvc zip zipcode postcode isbn heading digits ending "
    "extension ext ext. serial passport license licence plate combination"
)
"""Nouns whose numbers are always said digit by digit."""
_NAMED = word_set(
    "order account acct acct. reservation confirmation reference ref ref. booking case tracking routing "
    "membership member invoice policy ticket claim card visa mastercard amex phone cell mobile fax tel tel. "
    "telephone call calling dial dialing text texting hotline line number customer employee student security "
    "social loan check transaction po prescription patient record badge sku part"
)
"""Nouns whose numbers of three digits and more are said digit by digit, if they count nothing."""
_PLACES = word_set(
    "room rooms flight flights suite route highway hwy hwy. interstate exit bus train gate apartment apt apt. box "
    "boeing airbus porsche bmw audi peugeot ferrari section hall bldg building unit locker error cessna embraer "
    "rtx gtx road autoroute door cabin lot house channel area"
)
"""Nouns whose numbers are said in pairs: Room 305, Flight 1549, Boeing 747."""
_STREETS = (
    r"(?:St|Ave|Rd|Blvd|Ln|Dr|Pl|Ct|Hwy|Pkwy|Sq|Ter|Cir|Street|Avenue|Road|Boulevard|Lane|Drive|Place|"
    r"Court|Way|Highway|Parkway|Square|Terrace|Circle|Row|Crescent|Close|Trail|Alley|Broadway)\b"
)
_CALLING = word_set("call dial calling dialing called phone ring")
_COUNTING = word_set("more percent new million thousand hundred people")
_SERVICE = frozenset(("911", "411", "311", "211", "511", "611", "711", "811", "999", "112", "988", "000"))


def _digits(match: re.Match[str]) -> str:
    return one_by_one(match[0])


def _phone(match: re.Match[str]) -> str:
    plus = "plus " if match[0].startswith("+") else ""
    groups = re.findall(r"\d+", match[0])
    said = ", ".join(map(one_by_one, groups))
    return f"{plus}{said}"


def _vanity(match: re.Match[str]) -> str:
    """1-800-FLOWERS: letters for digits, perhaps with digits among them."""
    words = (one_by_one(word) if word.isdecimal() else word for word in match[2].split("-"))
    return f"one, {in_pairs(match[1])}, {' '.join(words)}"


def _short_groups(match: re.Match[str]) -> str | None:
    """3-9-5 and 9-1-1; groups of digits after a code."""
    groups = re.findall(r"\d+", match[0])
    if (
        label(match) in _SECRETS
        or label(match) in _NAMED
        or (len(groups) > 2 and all(len(group) == 1 for group in groups))
    ):
        separator = ", " if "-" in match[0] and any(len(group) > 2 for group in groups) else " "
        return separator.join(map(one_by_one, groups))
    return None


def _long_number(match: re.Match[str]) -> str | None:
    """Digits without commas: a code if there are many, unless they count or are round."""
    digits = match[0]
    if len(digits) < 10 and not (digits[0] == "0" and len(digits) > 1):
        return None
    if len(digits) <= 15 and (digits.endswith("000000") or plural_follows(match)) and digits[0] != "0":
        return None
    return one_by_one(digits)


def _labelled(match: re.Match[str]) -> str | None:
    """The number of what stands before it."""
    digits, noun = match[0], label(match)
    words = before(match)
    if noun in _SECRETS:
        return None if plural_follows(match) and len(digits) < 4 else one_by_one(digits)
    if len(digits) > 2 and _is_introduced(match, words):
        return one_by_one(digits)
    signed = bool(words) and words[-1] in ("#", "number", "no.", "no", ":")
    if noun in _NAMED and len(digits) > 2 and ((signed and noun != "number") or not _counts(match)):
        vague = noun in ("number", "part", "check", "record", "line", "case") and len(digits) < 4
        return one_by_one(digits) if not vague or (noun == "line" and digits in _SERVICE) else None
    if _is_dialled(digits, words):
        return one_by_one(digits)
    if noun in _PLACES and not _counts(match):
        return in_pairs(digits)
    return None


_INTRODUCING = word_set(
    "which that is was are on the back front bottom top of for your my its it's it i've i have has got here there "
    "reads says shows card screen app email text message and to enter type use be should now just still new "
    "current this account"
)
_AFTER_CODE = word_set("here there right correct on is and but or for please thanks not if in as to from with which")


def _is_introduced(match: re.Match[str], words: list[str]) -> bool:
    """True for "your code, which is 8417": a noun of a secret a few small words before the number."""
    if following(match) and following(match).lower() not in _AFTER_CODE:
        return False
    for word in reversed(words[-9:]):
        if word in _SECRETS - {"heading", "digits", "license", "plate"}:
            return True
        like = word.isdecimal() and len(word) == len(match[0])  # of a list of codes
        if not like and word not in _INTRODUCING and word not in (":", "="):
            return False
    return False


_MAKERS = re.compile(
    r"(?i:\b(?:boeing|airbus)(?:'s|s)?) (?:[A-Z][a-z]{1,11} )?(?:A?\d{3}(?:,? and |,? or |, | vs | to )){0,8}$"
)


def _is_aircraft(match: re.Match[str]) -> bool:
    """True after the maker of an aircraft, or after other models of it: the 737 and 747 of Boeing."""
    return len(match[1]) == 3 and bool(_MAKERS.search(match.string[max(0, match.start() - 48) : match.start()]))


def _aircraft(match: re.Match[str]) -> str | None:
    if not _is_aircraft(match) or (following(match) in _COUNTING and not match[2]):
        return None
    return plural(in_pairs(match[1])) if match[2] else in_pairs(match[1])


def _is_dialled(digits: str, words: list[str]) -> bool:
    """True for "text YES to 55512", "call 911" and "the digits on the back: 662"."""
    last = words[-1] if words else ""
    if len(digits) in (5, 6) and last == "to" and {"text", "texting"}.intersection(words[-4:]):
        return True
    if digits in _SERVICE and last in _CALLING:
        return True
    return last in (":", "is", "are") and "digits" in words[-8:]


def _counts(match: re.Match[str]) -> bool:
    return plural_follows(match) or following(match) in _COUNTING


def _error(match: re.Match[str]) -> str:
    return in_pairs(match[0])


def _always_open(match: re.Match[str]) -> str:
    return "twenty four seven" + (" three sixty five" if "365" in match[0] else "")


def _two_groups(match: re.Match[str]) -> str | None:
    """12345-678 and 778-3321; two years or counts are a range."""
    first, second, *_ = match[0].split("-")
    return _phone(match) if len(first) != 4 and len(first) + len(second) > 7 else None


def _international(match: re.Match[str]) -> str | None:
    return _phone(match) if sum(map(str.isdecimal, match[0])) > 6 else None


def _after_name(match: re.Match[str]) -> str | None:
    return _after_letters(match) if match.string[match.start() - 1] == "-" else _flight(match)


def _many(match: re.Match[str]) -> str:
    digits = match[1]
    return plural(year(digits) if len(digits) == 4 and not digits.endswith("00") else cardinal(digits))


def _european(match: re.Match[str]) -> str:
    """1.299,50: the marks of other countries."""
    return decimal(f"{match[1].replace('.', '')}.{match[2]}")


def _zip(match: re.Match[str]) -> str | None:
    head = match.string[max(0, match.start() - 4) : match.start()]
    return one_by_one(match[0]) if re.search(r"\b[A-Z]{2} $", head) else None


def _house(match: re.Match[str]) -> str:
    return in_pairs(match[1]) + (f" {match[2]}" if match[2] else "")


def _after_letters(match: re.Match[str]) -> str | None:
    """The digits of COVID-19, F-150 and I-95."""
    digits = match[0]
    return in_pairs(digits) if len(digits) > 2 or digits[0] == "0" else cardinal(digits)


def _flight(match: re.Match[str]) -> str | None:
    """UA 452, RTX 4090: a number after capital letters."""
    name = previous(match)
    if (
        not (2 <= len(name) <= 4 and name.isupper() and name.isalpha())
        or _counts(match)
        or name in ("AM", "PM", "AD", "BC", "I", "OK")
    ):
        return None
    return in_pairs(match[0])


def _token(match: re.Match[str]) -> str:
    """Letters and digits in one word: B12, A380, iPhone15; digit by digit in a code."""
    written = match[0]
    digitwise = _is_code(match)
    said = [_piece(piece, digitwise) for piece in re.findall(r"\d+|[^\W\d_]+|[^\w]", written)]
    return " ".join(word for word in said if word)


def _is_code(match: re.Match[str]) -> bool:
    noun = label(match)
    return noun in _SECRETS or noun in (_NAMED - {"part", "call", "text", "line", "number", "cell"})


def _piece(piece: str, digitwise: bool) -> str:
    if not piece[0].isdecimal():
        return piece if piece[0].isalpha() else ""
    if digitwise:
        return one_by_one(piece)
    return in_pairs(piece)


def _letter_suffix(match: re.Match[str]) -> str | None:
    """14C, 221B, 3D, 5G: a number and a letter."""
    if _is_code(match):
        return f"{one_by_one(match[1])} {match[2]}"
    return f"{in_pairs(match[1])} {match[2]}"


_NO_FACTOR = word_set("for of and variable find solve let is are where the if when a an by than axis xbox mac os")


def _repetition(match: re.Match[str]) -> str | None:
    """Chorus x 2: how often; "solve for x 2" is none."""
    return None if previous(match).lower() in _NO_FACTOR else "times"


def _episode(match: re.Match[str]) -> str:
    said = f"season {cardinal(str(int(match[1])))}"
    return f"{said} episode {cardinal(str(int(match[2])))}" if match[2] else said


def _season(match: re.Match[str]) -> str | None:
    rest = match.string[match.end() : match.end() + 9].lower()
    if re.match(r" (?:ep|e\d|of the|finale|,? e)", rest) or (before(match) or [""])[-1] in (
        "watched",
        "watch",
        "finished",
    ):
        return f"season {cardinal(match[1])}"
    return None


def _version(match: re.Match[str]) -> str:
    return f"version {_dotted(match[1])}"


def _dotted(digits: str) -> str:
    return " point ".join(cardinal(part) for part in digits.split("."))


def _dotted_version(match: re.Match[str]) -> str:
    parts = match[0].split(".")
    if len(parts) == 4 and label(match) not in ("version", "v", "release"):
        return " dot ".join(one_by_one(part) if len(part) > 2 else cardinal(part) for part in parts)
    return _dotted(match[0])


def _ordinal(match: re.Match[str]) -> str:
    said = ordinal(match[1].replace(",", ""))
    return said.title() if re.match(rf" {_STREETS}", match.string[match.end() : match.end() + 12]) else said


_OUT_OF = word_set(
    "give gave gives giving rate rated rates rating ratings score scored scores scoring got get quiz test exam "
    "grade graded review reviews stars solid mark marks pain scale"
)


_FULL_MARKS = frozenset((3, 4, 5, 10, 20, 25, 30, 40, 50, 100))
_RATED_NEXT = re.compile(r"[,!.]? (?:would|stars|on |points|correct|right)")


def _over(match: re.Match[str]) -> str | None:
    """a/b: a score, a fraction, or one over the other."""
    above, below = match["above"], match["below"]
    rest = match.string[match.end() : match.end() + 12]
    if (above, below) == ("50", "50"):
        return "fifty fifty"
    if above.isdecimal() and below.isdecimal() and int(above) + int(below) == 100 and int(above) > int(below):
        return f"{cardinal(above)} {cardinal(below)}"
    if "." in above or "." in below:
        return f"{decimal(above)} {'out of' if below in ('5', '10', '100', '20', '4') else 'over'} {decimal(below)}"
    n, of = int(above), int(below)
    if n > 999 or of > 999 or of == 0:
        return f"{cardinal(above)} over {cardinal(below)}"
    if n <= of and of in _FULL_MARKS and _is_rating(match, n, of, rest):
        return f"{cardinal(above)} out of {cardinal(below)}"
    in_product = of > 10 and re.match(r"\) ?[*×]", rest)
    if not in_product and (n < of <= 100 or (1 < of <= 10 and n < 100)):
        return fraction(above, below)
    return f"{cardinal(above)} over {cardinal(below)}"


def _is_rating(match: re.Match[str], n: int, of: int, rest: str) -> bool:
    """True if somebody gives marks: 4/5 after "rated", 7/10 on its own, but not 3/10 of it."""
    if rest.startswith((" of ", " the ", "-")) and n < of:
        return False
    rated = _OUT_OF.intersection(before(match)[-5:]) or _RATED_NEXT.match(rest)
    return bool(rated) or n == of or (of == 10 and n > 1)


def _ordinal_fraction(match: re.Match[str]) -> str | None:
    """1/4th: a fraction."""
    return fraction(match[1], match[2]) if 0 < int(match[1]) < int(match[2]) else None


def _divided(match: re.Match[str]) -> str | None:
    """A quotient, with spaces or before its result; a smaller number over a larger is a fraction."""
    above, below = match[1] or match[3], match[2] or match[4]
    if not match[1] and float(above.replace(",", "")) < int(below):
        return None
    return f"{decimal(above)} divided by {cardinal(below)}"


def _score(match: re.Match[str]) -> str | None:
    """A score has two numbers, of which the first may be larger; minus where a result follows."""
    first, second = match[1], match[2]
    if (
        (first, second) == ("10", "4")
        and re.match(r",? over|[.!]|$", match.string[match.end() : match.end() + 7])
        and not before(match)
    ):
        return "ten four"
    if first == second:
        return f"{cardinal(first)} {cardinal(second)}"
    if (before(match) or [""])[-1] in ("boeing", "airbus") and len(first) == 3:
        return f"{in_pairs(first)} {in_pairs(second)}"
    return None


def _number(match: re.Match[str]) -> str:
    digits = match[0]
    return decimal(digits)


def _list_number(match: re.Match[str]) -> str | None:
    """The marker of a list item at the start of a text."""
    return None if match.start() else f"{cardinal(match[1]).capitalize()}."


def _list_letter(match: re.Match[str]) -> str | None:
    if match.start():
        return None
    marker = match[1]
    return f"{cardinal(roman(marker)).capitalize() if len(marker) > 1 else marker.upper()}."


_END = r"(?![\w]|[.,:/]\d|-\d)"
MARKERS = (
    rule("list marker", r"\(?(\d{1,2})[.)] (?=\S)", _list_number, "0.", sign=".)("),
    rule(
        "list marker",
        r"\(?((?:ii|iii|iv|vi|vii|viii|ix|II|III|IV|VI|VII|VIII|IX)(?=[.)])|[a-zA-Z](?=\)))[.)] (?=\S)",
        _list_letter,
        "g.",
        sign=".)(",
    ),
    rule(
        "list marker",
        r"((?:ii|iii|iv|vi|vii|viii|ix|II|III|IV|VI|VII|VIII|IX))\. (?=\S)",
        _list_letter,
        "a",
        word_set("ii iii iv vi vii viii ix II III IV VI VII VIII IX"),
    ),
)
PHONES = (
    rule(
        "phone",
        r"1-(\d{3})-([A-Z]{4,10}|(?=[\d-]{0,8}[A-Z]{2})[A-Z\d]{1,8}(?:-[A-Z\d]{1,8}){1,4})(?![\w-])",
        _vanity,
        sign="-",
        digits="1",
    ),
    rule("phone", r"\+\d{1,3}(?:[ .-]?\(?\d{1,5}\)?){1,6}(?!\d)", _international, ".", sign="+"),
    rule("phone", r"\(\d{3}\)[ -]?\d{3}[ .-]\d{4}(?!\d)", _phone, ".", sign="("),
    rule("phone", r"(?:1[ .-]?)?\(\d{3}\) ?\d{3}[ .-]\d{4}(?![\d-])", _phone, sign=" .-(", spaced="(", digits="1"),
    rule("phone", r"(?:1[ .-])?\d{3}[ .-]\d{3}[ .-]\d{4}(?![\d-])", _phone, sign=" .-", spaced="0", digits="13"),
    rule("phone", r"\d{3}-\d{4}(?:-\d{4})?(?![\w-]|[.,]\d)", _phone, sign="-", digits="3"),
    rule(
        "card",
        r"\d{4}([ -])\d{4}\1\d{4}\1\d{1,4}(?![\d-])|\d{4}[ -]\d{6}[ -]\d{5}(?![\d-])",
        _phone,
        sign=" -",
        spaced="0",
        digits="4",
    ),
    rule("phone", r"0\d{2,4}[ -]\d{3,8}(?:[ -]\d{3,4})?(?![\d-])", _phone, sign=" -", spaced="0", digits="345"),
    rule(
        "code",
        r"\d{5}-\d{3,4}(?![\w-])|\d{3,9}-\d{4,9}(?:-\d{1,9})?(?![\w-]|[.,]\d)",
        _two_groups,
        sign="-",
        digits="3456",
    ),
    rule("code", r"\d{1,9}(?:-\d{1,9}){3,6}(?![\w-])", _phone, sign="-"),
    rule("code", r"\d{1,9}(?:[ -]\d{1,9}){1,6}(?![\w-]|[.,:/]\d)", _short_groups, sign=" -", spaced="0"),
)
CODES = (
    rule("code", r"\d{1,9}(?:-\d{1,9}){2,6}(?![\w-])", lambda m: _short_groups(m) or _phone(m), sign="-"),
    rule("code", r"\d{2,40}(?![\w]|[.,:/]\d|-\d)", _long_number),
    rule("code", r"\d{1,9}(?![\w]|[.,:/]\d|-\d| ?%)", _labelled),
    rule("zip", r"\d{5}(?!\d)", _zip, digits="5"),
    rule("error", r"[1-5]\d\d(?= (?:error|page|status|response)\b)", _error, sign=" ", spaced="epsr", digits="3"),
    rule(
        "address",
        rf"(\d{{3,5}})([A-Z])?(?= (?:[NSEW]\.? |[NS][EW]\.? )?"
        rf"(?:(?:[A-Z][a-z]{{1,14}}\.?'?s?|\d{{1,3}}(?:st|nd|rd|th)) ){{1,3}}{_STREETS})",
        _house,
        sign=" a",
        spaced=f"0{ascii_uppercase}",
        digits="345",
    ),
    rule("address", r"(\d{3})([A-Z])(?= [A-Z][a-z])", _house, sign="a", digits="3"),
)
MODELS = (
    rule("score", r"(\d{1,3})-(\d{1,3})(?![\w-]|[.,:/]\d)", _score, sign="-", digits="123"),
    rule("model", rf"(?<=[A-Za-z][- ])\d{{3,4}}{_END}", _after_name, digits="34"),
    rule("model", rf"(?<=[A-Za-z]-)\d{{1,2}}{_END}", _after_letters, digits="12"),
    rule("dotted", r"\d{1,5}(?:\.\d{1,5}){2,6}(?!\d)", _dotted_version, sign=".", digits="12345"),
)
TOKENS = (
    rule("extension", r"(?<=\d{4} )x ?(?=\d)", says("extension"), "ag", ["x"]),
    rule("by", r"(?<=[\d\"'] )x(?= \d)", says("by"), "a", ["x"]),
    rule("repetition", r"(?<=[a-z)] )x ?(?=\d{1,3}(?![\w.,]\w|\w))", _repetition, "ag", ["x"]),
    rule("episode", r"[sS](\d{1,2}) ?[eE](\d{1,3})(?!\w)", _episode, "g", sign="0"),
    rule("season", r"S(\d{1,2})(?!\w)", _season, "g", sign="0"),
    rule("version", r"[vV]\.?(\d{1,6}(?:\.\d{1,6}){0,5})(?![\w]|\.\d)", _version, "g", sign="0."),
    rule("token", r"[A-Za-z]{1,6}\d{1,8}[A-Za-z]{0,4}(?:-[A-Za-z\d]{1,12}){1,4}(?!\w)", _token, "g", sign="0"),
    rule("token", r"[^\W\d_]{1,20}\d{1,12}(?:[^\W\d_]{1,20}(?:\d{1,12})?){0,6}(?!\w)", _token, "g", sign="0"),
)
"""Words that begin with a letter and hold digits."""
DIGIT_TOKENS = (
    rule("extension", r"(?<=\d{4} )x ?(?=\d)", says("extension"), "ag", ["x"]),
    rule("by", r"(?<=[\d\"'] )x(?= \d)", says("by"), "a", ["x"]),
    rule("ordinal", r"(\d{1,3}(?:,\d{3}){1,4}|\d{1,15})(?:st|nd|rd|th|ST|ND|RD|TH)(?!\w)", _ordinal, sign="a,"),
    rule("plural", r"(\d{1,4})'?s(?!\w)", _many, sign="s'", digits="1234"),
    rule("letter", r"(\d{1,4})([A-Za-z])(?![\w])", _letter_suffix, sign="a", digits="1234"),
    rule("token", r"\d{1,12}[^\W\d_]{1,20}(?:\d{1,12}[^\W\d_]{0,20}){0,6}(?!\w)", _token, sign="a"),
)
NUMBERS = (
    rule("number", r"(\d{1,3}(?:\.\d{3}){1,4}),(\d{1,2})(?![\d,])", _european, sign=".", digits="123"),
    rule(
        "divided",
        rf"({AMOUNT}) / (\d{{1,9}})(?![\d.])|({AMOUNT})/(\d{{1,9}})(?= ?=)",
        _divided,
        sign=" /",
        spaced="/",
        is_amount=True,
    ),
    rule(
        "fraction",
        r"(?P<above>\d{1,6}(?:\.\d{1,3})?)/(?P<below>\d{1,6}(?:\.\d)?)(?![\w/]|\.\d)",
        _over,
        sign="/",
        is_amount=True,
    ),
    rule(
        "fraction", r"(\d{1,3})/(\d{1,3})(?:st|nd|rd|th|ST|ND|RD|TH)(?!\w)", _ordinal_fraction, sign="/", digits="123"
    ),
    rule(
        "number",
        r"\d{1,3}(?:,\d{3}){5,12}(?![\d,])",
        lambda m: one_by_one(m[0].replace(",", "")),
        sign=",",
        digits="123",
    ),
    rule("number", rf"{AMOUNT}", _number, "0."),
    rule("digits", r"\d{1,40}", _digits),
)
SPECIAL = (
    rule("aircraft", r"(\d{3})('?s)?(?![\w]|[.,:/]\d|-\d)", _aircraft, digits="3"),
    rule("24/7", r"24/7(?:/365)?(?![\w/])", _always_open, sign="/", digits="2"),
    rule("9/11", r"9/11(?![\w/])", says("nine eleven"), sign="/", digits="1"),
    rule("plan", r"(40[13]|457)\(([kb])\)(?!\w)", lambda m: f"{in_pairs(m[1])} {m[2]}", sign="(", digits="3"),
)
