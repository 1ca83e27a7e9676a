"""Plain prose to spoken English."""

import re

from datagen.text.markup import prose
from datagen.text.normalizer import normalize
from datagen.text.english.numbers import RULES, cardinal, ordinal, roman

LETTERS = "A-Za-zÀ-ÖØ-öø-ɏḀ-ỿͰ-ͽΆ-ώЀ-ӿ\u3041-\u3096\u30a1-\u30fa\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"
"""Characters that count as letters: the scripts that a speech synthesizer may have to read."""

_CHARACTERS = re.compile(rf"[{LETTERS}' ,.?!;:]*")
_UNTIDY = re.compile(rf"  | [,.?!;:]|[,.?!;:](?! |$)|^[ ,.?!;:]|[ ,;:]$|'(?![{LETTERS}])|(?<![{LETTERS}])'")
_NOT_SPOKEN = re.compile(rf"[^{LETTERS}' ,.?!;:]")
_NOT_NORMALIZED = re.compile(rf"[^{LETTERS}0-9' ,.?!;:%°/&+=@#\"()\[\]—-]")
_LETTER = re.compile(rf"[{LETTERS}]")

_TITLES = {
    "Mr": "Mister", "Mrs": "Missus", "Ms": "Miss", "Prof": "Professor", "Gen": "General", "Sen": "Senator",
    "Rep": "Representative", "Gov": "Governor", "Rev": "Reverend", "Capt": "Captain", "Lt": "Lieutenant",
    "Col": "Colonel", "Sgt": "Sergeant", "Hon": "Honorable", "Mt": "Mount", "Ft": "Fort", "Dr": "Doctor", "St": "Saint",
}  # fmt: skip
_SHORT = {
    "e.g": "for example", "i.e": "that is", "etc": "et cetera", "vs": "versus", "approx": "approximately",
    "a.k.a": "also known as", "et al": "and others", "cf": "compare", "viz": "namely", "dept": "department",
    "est": "established", "incl": "including", "excl": "excluding", "esp": "especially", "misc": "miscellaneous",
    "Jr": "Junior", "Sr": "Senior", "Inc": "Incorporated", "Ltd": "Limited", "Corp": "Corporation", "Co": "Company",
    "Bros": "Brothers", "Ave": "Avenue", "Blvd": "Boulevard", "Rd": "Road", "Dr": "Drive", "St": "Street",
    "Fig": "Figure", "Vol": "Volume", "vol": "volume", "Ph.D": "PhD", "Tel": "telephone", "govt": "government",
}  # fmt: skip
_TITLE = re.compile(rf"\b({'|'.join(_TITLES)})\.(?= ?[A-Z]| &) ?")
_ABBREVIATION = re.compile(rf"(?<![\w.])(?i:({'|'.join(map(re.escape, _SHORT))}))\.(?![a-z0-9])(,?)( [A-Z])?")
_EXPANSION = {short.lower(): words for short, words in _SHORT.items()}
_KEEPS_CASE = frozenset(("dr", "st", "co", "est", "fig", "rd"))
_INITIALS = re.compile(r"(?<![\w.])((?:[A-Za-z]\.){2,})(?![a-z])( [A-Z][a-z])?")
_VERSUS = re.compile(r"\bvs\b(?!\.)")
_SECTION = re.compile(
    r"\b(Chapter|Part|Book|Volume|Act|Scene|Section|Article|Phase|Type|Level|War|Class|Stage|Appendix|Title|Figure|Table|"
    r"Bowl|Mark|Grade|Category|Unit|Lesson) ([IVXL]+)\b"
)
_MONARCH = re.compile(
    r"\b(Henry|Louis|Elizabeth|George|Edward|William|Charles|James|Richard|Philip|Napoleon|Frederick|Alexander|Nicholas|"
    r"Catherine|Peter|Paul|John|Benedict|Pius|Leo|Ramses|Ptolemy|Mary|Otto|Ivan|Francis|Ferdinand) ([IVXL]+)\b"
)
_ROMAN = re.compile(r"(?:XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
_LAST_WORDS = frozenset(short.lower().split(".")[-1].split()[-1] for short in (*_TITLES, *_SHORT))
_MAYBE_NUMERAL = re.compile(r" (?:[IVXL]{2,7}|[VX]|I(?=[.,:;]|$))\b")

_SYMBOLS = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"(?<=\w)\((e?s)\)", r"\1"),
        (r"\bw/o\b", "without"),
        (r"\bw/(?= ?[a-z])", "with "),
        (r"\band/or\b", "and or"),
        (r" ?& ?", " and "),
        (r"(?<=\)) ?/ ?(?=[\w(])", " over "),
        (r"\bC\+\+", "C plus plus"),
        (r"\bC#", "C sharp"),
        (r"#(?=[A-Za-z])", "hashtag "),
        (r"(?<=\w)\+(?= |$)", " plus"),
        (r"\+(?=[\w .])", " plus "),
        (r"(?<=[\w)]) ?=+>? ?(?=[\w(-])", " equals "),
        (r" ?[→⇒➡⟶] ?|(?<=\w) ?-> ?(?=\w)", " to "),
        (r" ?× ?", " times "),
        (r" ?÷ ?", " divided by "),
        (r"±", " plus or minus "),
        (r"≈", " about "),
        (r"≠", " is not equal to "),
        (r"≤", " at most "),
        (r"≥", " at least "),
        (r"(?<=[\w)]) ?< ?(?=\w)", " less than "),
        (r"(?<=[\w)]) ?> ?(?=\w)", " greater than "),
        (r"<(?=\d)", "less than "),
        (r">(?=\d)", "more than "),
        (r"(?<=\w) ?@ ?(?=\w)|@(?=\w)", " at "),
        (r"(?<=\w)\.(?=(?:js|py|net|NET|csv|txt|pdf|exe|html|json|docx?|xlsx?|zip|mp\d)\b)", " dot "),
        (r"€", " euros "),
        (r"£", " pounds "),
        (r"§", " section "),
        (r" ?— ?| --+ ?|(?<=\w)--+(?=\w)| - |^- ?", ", "),
        (r"[(\[{]|[)\]}]", ", "),
    )
)  # fmt: skip
_AFTER = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"%", " percent "),
        (r"°", " degrees "),
        (r"(?<=[a-z])/(?=(?:second|minute|hour|day|night|week|month|year|person|item|unit)\b)", " per "),
        (r"(?<=[a-z])/(?=[a-z])", " or "),
    )
)
_PAUSE = re.compile(r"[\s,.?!;:]+")
"""A run of spaces and marks, so that each is read once."""
_STRONGEST = "?!.;:,"


def speak_english(text: str) -> str:
    """Normalize written text to spoken English.

    Args:
        text: Any text.

    Returns:
        One line of letters, apostrophes, single spaces and `, . ? ! ; :`; may be empty.

    >>> speak_english("Dr. Smith (b. 1984) paid $1,250.50 for 3/4 of it, e.g. at 7:30 pm...")
    'Doctor Smith, b. nineteen eighty four, paid one thousand two hundred fifty dollars and fifty cents for three quarters of it, for example at seven thirty PM.'
    >>> speak_english("Henry VIII, Chapter IV: the 1990s")
    'Henry the eighth, Chapter four: the nineteen nineties'
    """  # noqa: E501
    return text if is_spoken(text) else _speak(text)


def is_spoken(text: str) -> bool:
    """True if a text needs no normalization; the only cost for plain text.

    >>> is_spoken("Hello, how's life?"), is_spoken("Dr. No")
    (True, False)
    """
    if not _CHARACTERS.fullmatch(text) or _UNTIDY.search(text) or " vs" in text or _MAYBE_NUMERAL.search(text):
        return False
    before_dots = (piece.rpartition(" ")[2].lower() for piece in text.split(".")[:-1])
    return not any(len(word) == 1 or word in _LAST_WORDS for word in before_dots)


def _speak(text: str) -> str:
    text = prose(text, lambda n: f"{cardinal(str(n)).capitalize()}. ", "dot", "at")
    text = _expand(text)
    text = re.sub(r"\.{2,}", ". ", text)
    if has_digits := bool(re.search(r"\d", text)):
        for pattern, words in RULES:
            text = pattern.sub(words, text)
    for pattern, words in _SYMBOLS:
        text = pattern.sub(words, text)
    if has_digits:
        text = normalize(_NOT_NORMALIZED.sub(" ", text), "en")
        text = re.sub(r"(?<=\d)\.(?=\d)", " point ", text)
        text = re.sub(r"\d+", lambda match: f" {cardinal(match[0])} ", text)
    for pattern, words in _AFTER:
        text = pattern.sub(words, text)
    return _tidy(_NOT_SPOKEN.sub(" ", text))


def _expand(text: str) -> str:
    """Write out titles, abbreviations, initials and Roman numerals."""
    if "." in text:
        text = _TITLE.sub(lambda match: _TITLES[match[1]] + " ", text)
        text = _ABBREVIATION.sub(_write_out, text)
        text = _INITIALS.sub(_join_initials, text)
    text = _VERSUS.sub("versus", text)
    text = _SECTION.sub(lambda match: _numeral(match, cardinal(str(roman(match[2])))), text)
    return _MONARCH.sub(lambda match: _numeral(match, f"the {ordinal(roman(match[2]))}"), text)


def _write_out(match: re.Match[str]) -> str:
    """Expand an abbreviation; its dot stays where it also ends the sentence."""
    short, comma, next_word = match[1], match[2], match[3] or ""
    if short.lower() in _KEEPS_CASE and not short[0].isupper():
        return match[0]
    words = _EXPANSION[short.lower()]
    words = words[0].upper() + words[1:] if short[0].isupper() else words
    ends = not comma and (next_word or match.end() == len(match.string)) and short.lower() not in ("e.g", "i.e", "vs")
    return words + ("." if ends else comma) + next_word


def _join_initials(match: re.Match[str]) -> str:
    """U.S. → US, a.m. → AM; the dot stays where it also ends the sentence."""
    letters = match[1].replace(".", "")
    time = letters.lower() in ("am", "pm")
    ends = match.end() == len(match.string) or (time and match[2])
    return (letters.upper() if time else letters) + ("." if ends else "") + (match[2] or "")


def _numeral(match: re.Match[str], words: str) -> str:
    """Replace a Roman numeral; a single I after a name is more often the pronoun."""
    alone = match[2] == "I" and match.string[match.end() : match.end() + 1] not in ("", ",", ".", ":", ";", ")")
    return match[0] if alone or not _ROMAN.fullmatch(match[2]) else f"{match[1]} {words}"


def _tidy(text: str) -> str:
    """Reduce to single spaces and marks, with apostrophes only inside words.

    >>> _tidy(" , 'tis the cats' , . end ,")
    'tis the cats. end.'
    """
    text = re.sub(rf"'(?![{LETTERS}])|(?<![{LETTERS}])'", "", text)
    text = _PAUSE.sub(lambda match: next((f"{mark} " for mark in _STRONGEST if mark in match[0]), " "), text)
    text = text.lstrip(" ,.?!;:").rstrip()
    if not _LETTER.search(text):
        return ""
    return text[:-1] + "." if text[-1] in ",;:" else text
