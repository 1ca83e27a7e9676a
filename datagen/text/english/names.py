"""Titles, abbreviations, initials, streets, Roman numerals, and addresses of the Internet."""

import re

from datagen.text.english.context import ends_sentence, following, previous
from datagen.text.english.numbers import cardinal, in_pairs, ordinal, roman
from datagen.text.reading import Dropped, Rule, any_case, rule, says, word_set

_TITLES = {
    "Mr": "Mister", "Mrs": "Missus", "Ms": "Miss", "Prof": "Professor", "Gen": "General", "Sen": "Senator",
    "Rep": "Representative", "Gov": "Governor", "Rev": "Reverend", "Capt": "Captain", "Cpt": "Captain",
    "Lt": "Lieutenant", "Col": "Colonel", "Sgt": "Sergeant", "Hon": "Honorable", "Mt": "Mount", "Ft": "Fort",
    "Dr": "Doctor", "St": "Saint", "Ste": "Sainte", "Pres": "President", "Fr": "Father", "Cmdr": "Commander",
    "Maj": "Major", "Adm": "Admiral", "Messrs": "Messieurs", "Drs": "Doctors", "Pvt": "Private", "Det": "Detective",
    "Insp": "Inspector", "Supt": "Superintendent",
}  # fmt: skip
STREETS = {
    "St": "Street", "Ave": "Avenue", "Av": "Avenue", "Blvd": "Boulevard", "Rd": "Road", "Ln": "Lane", "Dr": "Drive",
    "Pl": "Place", "Ct": "Court", "Hwy": "Highway", "Pkwy": "Parkway", "Sq": "Square", "Ter": "Terrace",
    "Cir": "Circle", "Expy": "Expressway", "Tpke": "Turnpike",
}  # fmt: skip
_SHORT = {
    "etc": "et cetera", "vs": "versus", "approx": "approximately", "al": "al", "cf": "compare", "viz": "namely",
    "dept": "department", "est": "established", "incl": "including", "excl": "excluding", "esp": "especially",
    "misc": "miscellaneous", "jr": "Junior", "sr": "Senior", "inc": "Incorporated", "ltd": "Limited",
    "corp": "Corporation", "bros": "Brothers", "govt": "government", "tel": "telephone", "temp": "temperature",
    "appt": "appointment", "apt": "apartment", "assn": "association", "assoc": "associate", "asst": "assistant",
    "attn": "attention", "avg": "average", "bldg": "building", "cont": "continued", "ed": "edition",
    "eds": "editors", "gal": "gallon", "hr": "hour", "hrs": "hours", "intl": "international", "mgmt": "management",
    "mgr": "manager", "min": "minimum", "mins": "minutes", "max": "maximum", "mo": "month", "no": "number",
    "nos": "numbers", "orig": "originally", "pkg": "package", "pls": "please", "ppl": "people", "qty": "quantity",
    "recd": "received", "ref": "reference", "sec": "second", "secs": "seconds", "tbsp": "tablespoon",
    "tsp": "teaspoon", "univ": "university", "vol": "volume", "wk": "week", "yr": "year", "yrs": "years",
    "lb": "pound", "lbs": "pounds", "oz": "ounce", "ext": "extension", "ca": "circa",
    "cir": "circle", "thru": "through",
}  # fmt: skip
_WITHOUT_DOT = word_set("vs dept approx yrs hrs lbs tbsp tsp etc bldg")
_ALWAYS = word_set(
    "vs etc approx incl excl esp misc jr sr inc ltd corp bros govt dept viz cf assn appt apt avg bldg intl mgmt "
    "mgr qty attn asst assoc yrs hrs lbs tbsp tsp lb oz"
)
"""Short forms that are no words of their own: they are written out wherever they have a dot."""
_BEFORE_NUMBER = {
    "no": "number", "nos": "numbers", "p": "page", "pp": "pages", "pg": "page", "pgs": "pages", "ch": "chapter",
    "chap": "chapter", "vol": "volume", "vols": "volumes", "fig": "figure", "figs": "figures", "ep": "episode",
    "eps": "episodes", "ver": "version", "v": "version", "ext": "extension", "c": "circa", "ca": "circa",
    "est": "established", "min": "minimum", "max": "maximum", "sec": "section", "art": "article", "b": "born",
    "d": "died", "apt": "apartment", "ste": "suite", "rm": "room", "hwy": "highway", "rte": "route",
    "bldg": "building", "fl": "floor", "eq": "equation", "op": "opus", "tel": "telephone", "ph": "phone",
    "exp": "expiration", "num": "number", "temp": "temperature", "approx": "approximately", "par": "paragraph",
    "para": "paragraph", "pt": "part",
}  # fmt: skip
_NEEDS_DOT = word_set("no c ca b d p v ch fig op art min max sec est exp pt par fl ph nos ste")
_STARTERS = word_set(
    "he she it we they i you the this that these those there then but and so or if when what who where why how is "
    "are was do does did can could will would in on at my your his her our their a an no yes please let after "
    "before for not now once all some many most each every one both as while because although however also since "
    "maybe thanks thank meet turn go take call see get come"
)
_WINDS = {
    "N": "North", "S": "South", "E": "East", "W": "West", "NE": "Northeast", "NW": "Northwest", "SE": "Southeast",
    "SW": "Southwest",
}  # fmt: skip
_STATES = {
    "AL": "Alabama", "AK": "Alaska", "AZ": "Arizona", "AR": "Arkansas", "CA": "California", "CO": "Colorado",
    "CT": "Connecticut", "DE": "Delaware", "FL": "Florida", "GA": "Georgia", "HI": "Hawaii", "ID": "Idaho",
    "IL": "Illinois", "IN": "Indiana", "IA": "Iowa", "KS": "Kansas", "KY": "Kentucky", "LA": "Louisiana",
    "ME": "Maine", "MD": "Maryland", "MA": "Massachusetts", "MI": "Michigan", "MN": "Minnesota",
    "MS": "Mississippi", "MO": "Missouri", "MT": "Montana", "NE": "Nebraska", "NV": "Nevada", "NH": "New Hampshire",
    "NJ": "New Jersey", "NM": "New Mexico", "NY": "New York", "NC": "North Carolina", "ND": "North Dakota",
    "OH": "Ohio", "OK": "Oklahoma", "OR": "Oregon", "PA": "Pennsylvania", "RI": "Rhode Island",
    "SC": "South Carolina", "SD": "South Dakota", "TN": "Tennessee", "TX": "Texas", "UT": "Utah", "VT": "Vermont",
    "VA": "Virginia", "WA": "Washington", "WV": "West Virginia", "WI": "Wisconsin", "WY": "Wyoming",
}  # fmt: skip
_NUMBERED = word_set(
    "chapter part book volume act scene section article phase type level war class stage appendix title figure "
    "table bowl mark grade category unit lesson episode round vol"
)
_MONARCHS = word_set(
    "henry louis elizabeth george edward william charles james richard philip napoleon frederick alexander "
    "nicholas catherine peter paul john benedict pius leo ramses ptolemy mary otto ivan francis ferdinand gregory "
    "innocent clement urban darius xerxes cyrus margaret christian gustav haakon harald albert leopold wilhelm "
    "franz joseph pedro juan carlos felipe umberto victor emmanuel constantine justinian tutankhamun thutmose "
    "amenhotep seti david rama mehmed suleiman murad selim abdul baldwin conrad rudolf maximilian sigismund "
    "stephen"
)
_VERBS_AFTER_ONE = word_set(
    "is was of has had and in to begins starts started covers ended ends broke will contains deals as the at"
)
_BOOKS = {
    "Rev": "Revelation", "Gen": "Genesis", "Matt": "Matthew", "Ps": "Psalm", "Prov": "Proverbs",
    "Cor": "Corinthians", "Rom": "Romans", "Isa": "Isaiah", "Ex": "Exodus", "Exod": "Exodus", "Deut": "Deuteronomy",
    "Phil": "Philippians", "Eph": "Ephesians", "Heb": "Hebrews", "Tim": "Timothy", "Pet": "Peter",
    "Jer": "Jeremiah", "Eccl": "Ecclesiastes",
}  # fmt: skip
WITHOUT_DOT = frozenset(
    form + mark
    for mark in ("", *",.?!;:")
    for word in (*_WITHOUT_DOT, *STREETS, "Mr", "Mrs", "Ms", "Dr", "Prof", *_WINDS, "WWI", "WWII")
    for form in (word, word.capitalize(), word.upper())
)
"""Short forms that are written out even without a dot, with the marks that may follow."""
_ROMAN = re.compile(r"(?=[IVXL])(?:XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
_NUMERALS = frozenset(
    numeral
    for tens in ("", "X", "XX", "XXX", "XL", "L", "LX", "LXX", "LXXX")
    for ones in ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")
    if (numeral := tens + ones)
)
_NO_NUMERALS = frozenset(("XL", "XX", "XXX", "L", "LX", "MIX", "LI", "LV"))


def _title(match: re.Match[str]) -> str | None:
    """A title before a name; Saint or Street, Doctor or Drive, by what stands around them."""
    short, after = match[1], following_capital(match)
    street = STREETS.get(short)
    if street and _is_street(match, after):
        return f"{street}." if match["dot"] and ends_sentence(match) else street
    if not after or not (match["dot"] or short in ("Mr", "Mrs", "Ms", "Dr", "Prof")):
        return None
    return _TITLES[short]


def following_capital(match: re.Match[str]) -> str:
    """The capitalized word after a match, or a sign for "and"; may be empty."""
    found = re.match(r" ?(&|and (?=Mrs|Ms|Dr)|[A-Z][^\W\d_]*)", match.string[match.end() : match.end() + 24])
    return found[1].strip() if found else ""


def _is_street(match: re.Match[str], after: str) -> bool:
    name = previous(match)
    ordinal_name = bool(re.fullmatch(r"\d{1,3}(?:st|nd|rd|th)", name))
    if not name or not (name[0].isupper() or ordinal_name) or name.endswith((".", ",", "?", "!", ":")):
        return False
    return not after or after.lower() in _STARTERS or after in _WINDS


def _street(match: re.Match[str]) -> str | None:
    if not _is_street(match, "") and not re.match(r" ?(?:\d|#)", match.string[match.end() : match.end() + 2]):
        return None
    return STREETS[match[1]] + ("." if match["dot"] and ends_sentence(match) else "")


def _wind(match: re.Match[str]) -> str | None:
    """The direction of a street: 25 W. 4th St., Pennsylvania Ave NW."""
    short, name = match[1].replace(".", ""), previous(match)
    if name.rstrip(".") in STREETS or name.rstrip(".") in STREETS.values():
        return _WINDS[short]
    houses = name.isdecimal() and re.match(
        r" (?:[A-Z][a-z]|\d{1,3}(?:st|nd|rd|th))", match.string[match.end() : match.end() + 6]
    )
    return _WINDS[short] if houses else None


_NO_STATES = frozenset("OK OR IN ME HI OH MD PA MA MS ID AL CO DE LA AR".split())  # noqa: SIM905
"""Short forms of states that are words, degrees or parts of names: they need a place before them."""
_CITY = r"[A-Z][a-z]{2,15}(?: [A-Z][a-z]{2,15}){0,2}, "
_PLACED = re.compile(rf"(?:\b(?:in|from|to|at|near|around|of|visit|visiting|leaving|through|outside) ){_CITY}$")
_IN_STATE = re.compile(rf"{_CITY}([A-Z]{{2}})(?![\w'])")


def _state(match: re.Match[str]) -> str | None:
    """Austin, TX."""
    text, begin, end = match.string, match.start(), match.end()
    head = text[max(0, begin - 64) : begin]
    if re.match(r" \d{5}\b", text[end : end + 7]) or _PLACED.search(head):
        return _STATES[match[1]]
    return _STATES[match[1]] if match[1] not in _NO_STATES and re.search(rf"{_CITY}$", head) else None


def has_state(text: str) -> bool:
    """True if the short form of a state may stand in a text.

    >>> has_state("Austin, TX"), has_state("Well, OK")
    (True, False)
    """
    return any(
        (found[1] in _STATES and found[1] not in _NO_STATES)
        or _PLACED.search(text[max(0, found.start(1) - 64) : found.start(1)])
        for found in _IN_STATE.finditer(text)
    )


_CODE_NEXT = re.compile(r" ?[A-Z]{1,4}-?\d")


def _short(match: re.Match[str]) -> str | None:
    """Write out an abbreviation; its dot stays where it also ends the sentence."""
    written, dot = match[1], match["dot"]
    word = written.lower()
    rest = match.string[match.end() : match.end() + 3]
    if written.isupper() and (len(written) > 2 or word in "bcd"):  # an acronym, or the letter of an answer
        return None
    if (
        (re.match(r" ?#? ?\d", rest) or (word == "no" and _CODE_NEXT.match(match.string, match.end())))
        and word in _BEFORE_NUMBER
        and (dot or word not in _NEEDS_DOT)
    ):
        return _cased(_BEFORE_NUMBER[word], written)
    if word not in _SHORT or not (dot or word in _WITHOUT_DOT) or (not dot and word == "no"):
        return None
    if word not in _ALWAYS and (
        not dot
        or ends_sentence(match)
        or (word in ("no", "sec", "min", "max", "al", "mo", "ed", "gal") and not _inside(match))
    ):
        return None
    if word in ("inc", "co", "sr", "jr", "ltd", "corp", "bros") and not written[0].isupper():
        return None
    words = _cased(_SHORT[word], written)
    return words + (
        "."
        if dot
        and ends_sentence(match)
        and word not in ("vs",)
        and not (word in ("apt", "dept") and rest[1:2].isalnum())
        else ""
    )


def _inside(match: re.Match[str]) -> bool:
    """True if the sentence continues after an abbreviation."""
    return bool(re.match(r",|\)| (?:of|for|is|and|or)\b", match.string[match.end() : match.end() + 5])) and bool(
        previous(match)
    )


def _cased(words: str, written: str) -> str:
    return words[0].upper() + words[1:] if written[0].isupper() else words


def _phrase(match: re.Match[str]) -> str:
    short = match[0].lower().replace(" ", "")
    return {
        "e.g.": "for example",
        "i.e.": "that is",
        "a.k.a.": "also known as",
        "etal.": "and others",
        "eg.": "for example",
        "ie.": "that is",
        "e.g": "for example",
        "i.e": "that is",
    }[short]


def _degree(match: re.Match[str]) -> str:
    return match[0].replace(".", "").replace(" ", "") + ("." if ends_sentence(match) and _new_sentence(match) else "")


def _initials(match: re.Match[str]) -> str:
    """U.S. → U S; the dot stays where it also ends the sentence."""
    letters = match[0].replace(".", "").replace(" ", "")
    time = letters.lower() in ("am", "pm")
    said = letters.upper() if time else " ".join(letters)
    return said + ("." if _new_sentence(match) else "")


def _new_sentence(match: re.Match[str]) -> bool:
    rest = match.string[match.end() : match.end() + 24].lstrip("\"')")
    word = re.match(r" ([A-Z][a-z']*)", rest)
    return not rest.strip() or bool(word and word[1].lower() in _STARTERS)


def _numeral(match: re.Match[str]) -> str | None:
    """A Roman numeral after the name of a ruler, of a part or of a series."""
    numeral, name = match[0], previous(match)
    noun = name.lower()
    if not name or not name.isalpha() or not _ROMAN.fullmatch(numeral):
        return None
    digits = roman(numeral)
    if noun in _NUMBERED:
        if numeral == "I" and not _is_first(match):
            return None
        return cardinal(digits)
    if following(match) in ("century", "centuries", "dynasty"):
        return ordinal(digits)
    if not name[0].isupper() or (len(numeral) < 2 and noun not in _MONARCHS):
        return None
    if noun in _MONARCHS:
        return None if numeral == "I" and not _is_alone(match) else f"the {ordinal(digits).title()}"
    return None if numeral in _NO_NUMERALS or (name.isupper() and numeral in ("IV", "VI")) else cardinal(digits)


def _is_first(match: re.Match[str]) -> bool:
    return _is_alone(match) or following(match) in _VERBS_AFTER_ONE


def _is_alone(match: re.Match[str]) -> bool:
    """True if nothing that a pronoun could be the subject of follows."""
    return match.string[match.end() : match.end() + 1] in ("", ",", ".", ":", ";", ")", "?", "!") or following(
        match
    ) in ("of", "was", "is", "and", "ruled", "died", "had")


def _century(match: re.Match[str]) -> str | None:
    return ordinal(roman(match[1])) if _ROMAN.fullmatch(match[1]) else None


def _world_war(match: re.Match[str]) -> str:
    return f"World War {cardinal(str(len(match[1]))).capitalize()}"


_WEB_MARKS = {
    ".": "dot",
    "-": "dash",
    "_": "underscore",
    "/": "slash",
    "@": "at",
    "+": "plus",
    "~": "tilde",
    "&": "and",
    "=": "equals",
    ":": "colon",
    "#": "hash",
    "\\": "backslash",
    "%": "percent",
}


def web(address: str) -> str:
    """Read an address of the Internet.

    >>> web("jane_doe99@shop-24.com")
    'jane underscore doe ninety nine at shop dash twenty four dot com'
    """
    words = list[str]()
    for piece in re.findall(r"\d+|[^\W\d_]+|[^\w]|_", address):
        words.append(
            in_pairs(piece) if piece[0].isdecimal() else _WEB_MARKS.get(piece, piece if piece.isalpha() else "")
        )
    return " ".join(word for word in words if word)


_LONGEST_PATH = 40
_SHORT_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]{1,40}){1,2}/?")


def _url(match: re.Match[str]) -> str:
    """The host and a short path; a longer path is not said."""
    host, path = match["host"], match["path"] or ""
    return web(host + (path.rstrip("/") if _is_said(path) else ""))


def unsaid(rule: str, written: str) -> list[Dropped]:
    """Parts left out of an address of the Internet, or a part that is not said at all.

    >>> unsaid("url", "https://a.com/?b=c")
    [Dropped(name='address', text='https://'), Dropped(name='address', text='/?b=c')]
    """
    if rule != "url":
        return [Dropped(rule, written)] if any(map(str.isalnum, written)) else []
    scheme, _, path = _ADDRESS.fullmatch(written).groups()  # type: ignore[union-attr]  # it matches always
    left = (scheme, "" if _is_said(path) else path)
    return [Dropped("address", piece) for piece in left if any(map(str.isalnum, piece))]


_ADDRESS = re.compile(r"((?:\w{3,5}://)?(?:(?<=/)www\.)?)([^/?#]*)(.*)", re.DOTALL)


def _is_said(path: str) -> bool:
    return len(path) <= _LONGEST_PATH and bool(_SHORT_PATH.fullmatch(path))


def _file(match: re.Match[str]) -> str:
    return web(match[0])


def _handle(match: re.Match[str]) -> str:
    return f"at {web(match[1])}"


def _hashtag(match: re.Match[str]) -> str:
    pieces = re.findall(r"\d+|[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\d_]+", match[1])
    return "hashtag " + " ".join(in_pairs(piece) if piece[0].isdecimal() else piece for piece in pieces)


_KEYS = {"ctrl": "Control", "cmd": "Command", "alt": "Alt", "shift": "Shift", "opt": "Option"}


def _key(match: re.Match[str]) -> str:
    return f"{_KEYS[match[1].lower()]} "


def _any(names: object) -> str:
    return "|".join(sorted(map(re.escape, map(str, names)), key=len, reverse=True))  # type: ignore[call-overload]


_TLD = (
    "com|org|net|edu|gov|io|ai|co|uk|cn|de|app|dev|info|me|tv|us|ca|fr|eu|biz|ly|gg|jp|au|in|mil|shop|store|online|xyz"
)
FILES = (
    "js|py|net|NET|csv|txt|pdf|exe|html?|json|docx?|xlsx?|pptx?|zip|mp[34]"
    "|png|jpe?g|gif|xml|yaml|yml|md|cpp|java|sh|log|wav|avi|mov|css|sql|ini|apk|dmg|tex"
)
_PATH = r"(?P<path>[/?#][^\s<>\"')]{0,500}(?<![.,;:!?]))?"
WEB = (
    rule(
        "email",
        r"[A-Za-z0-9_.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,5}",
        lambda m: web(m[0]),
        "g0",
        sign="@._+-0a",
    ),
    rule(
        "url",
        rf"(?i:https?|ftp)://(?:www\.)?(?P<host>[A-Za-z0-9.-]{{1,200}}(?<![.-]))(?::\d{{1,5}})?{_PATH}",
        _url,
        "g",
        sign=":",
    ),
    rule(
        "url",
        rf"(?P<host>(?:[A-Za-z0-9][A-Za-z0-9-]{{0,62}}\.){{1,5}}(?:{_TLD}))(?![A-Za-z0-9-]|\.[A-Za-z0-9]|@){_PATH}",
        _url,
        "g0",
        sign=".-0a",
    ),
    rule("port", r"localhost:(\d{2,5})(?!\d)", lambda m: f"localhost colon {in_pairs(m[1])}", "g", sign=":"),
    rule("file", rf"[\w-]{{1,64}}(?:\.[\w-]{{1,64}}){{0,3}}\.(?:{FILES})(?!\w)", _file, "g0", sign=".-_0a"),
    rule("handle", r"@([A-Za-z0-9_]{1,30}(?:\.[A-Za-z0-9_]{1,30}){0,3})", _handle, ".", sign="@"),
    rule("hashtag", r"#(?=[A-Z]{1,4}-?\d)", says("number"), ".", sign="#"),
    rule("hashtag", r"#([^\W\d_]\w{0,60})", _hashtag, ".", sign="#"),
    rule("subreddit", r"r/(\w{2,30})", lambda m: f"r slash {web(m[1])}", "g", sign="/"),
    rule("domain", rf"\.(?:{_TLD}|{FILES})(?!\w)", lambda m: f"dot {m[0][1:]}", ".", sign="."),
)
NAMES = (
    Rule("book", re.compile(rf"({_any(_BOOKS)})\.?(?= \d{{1,3}}:\d)"), lambda m: _BOOKS[m[1]], "a", frozenset(_BOOKS)),
    rule("phrase", r"(?i:e\.g\.?|i\.e\.?|a\.k\.a\.)(?!\w)", _phrase, "g", sign="."),
    rule("phrase", r"(?i:et al\.)", _phrase, "a", any_case(["et"])),
    rule("degree", r"Ph\. ?D\.?|M\.?Sc\.|B\.?Sc\.|Ed\.D\.", _degree, "g", sign="."),
    rule("initials", r"(?:[^\W\d_]\.){2,8}(?![^\W\d_]{2})", _initials, "g", sign="."),
    rule(
        "initials", r"(?:[^\W\d_]\.){1,8}[^\W\d_](?!\w|\.\w)", lambda m: " ".join(m[0].replace(".", "")), "g", sign="."
    ),
    rule("title", rf"({_any(_TITLES)})\b(?!')(?P<dot>\.?)", _title, "a", frozenset(_TITLES)),
    rule("street", rf"({_any(STREETS)})\b(?!')(?P<dot>\.?)", _street, "a", frozenset(STREETS)),
    rule("direction", r"([NS]\.?[EW]|[NSEW])\b\.?", _wind, "a", frozenset(_WINDS)),
    rule("state", rf"(?<=, )({_any(_STATES)})(?![\w'])", _state, "a", frozenset(_STATES)),
    rule(
        "abbreviation",
        rf"((?i:{_any({*_SHORT, *_BEFORE_NUMBER})}))(?![^\W\d_]|')(?P<dot>\.?)",
        _short,
        "a",
        any_case((*_SHORT, *_BEFORE_NUMBER)),
    ),
    rule("years old", r"y/o(?!\w)", says("years old"), "g", sign="/"),
    rule("with", r"w/o(?!\w)", says("without"), "g", sign="/"),
    rule("with", r"w/(?!\w{1,2}\b)", says("with "), "g", sign="/"),
    rule("because", r"b/c(?!\w)", says("because"), "g", sign="/"),
    rule("world war", r"WW(I{1,2})(?!\w)", _world_war, "a", frozenset(("WWI", "WWII"))),
    rule("numeral", r"[IVXL]{1,8}(?![\w'-])", _numeral, "a", _NUMERALS),
    rule("century", r"([IVXL]{1,8})(?= (?:century|centuries)\b)", _century, "a", _NUMERALS),
    rule("key", r"((?i:ctrl|cmd|alt|shift|opt)) ?\+ ?(?=\w)", _key, "a", any_case(_KEYS)),
)
