"""Written to spoken English: every number and sign is classified once, and said by the rule of its class.

numbers.py     digits → words
context.py     what stands around a number
quantities.py  money, measures, temperatures, percentages, fractions, dimensions
times.py       dates, years, decades, times of day, durations
codes.py       phones, cards, codes, versions, models, rooms, houses, plain numbers
names.py       titles, abbreviations, initials, streets, Roman numerals, addresses of the Internet
chemistry.py   reactions, symbols of elements
paths.py       files and folders
formulas.py    differences, letters of mathematics
symbols.py     arithmetic, dashes, slashes, brackets, and what is not said
"""

import re

from datagen.text.english import chemistry, codes, formulas, names, paths, quantities, symbols, times
from datagen.text.english.numbers import cardinal
from datagen.text.markup import prose
from datagen.text.reading import WORD, Dropped, Part, Reader, Reading, read_until_stable
from datagen.text.tidying import tidy

LETTERS = "A-Za-zÀ-ÖØ-öø-ɏḀ-ỿͰ-ͽΆ-ώЀ-ӿ\u3041-\u3096\u30a1-\u30fa\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"
"""Characters that count as letters: the scripts that a speech synthesizer may have to read."""

_CHARACTERS = re.compile(rf"[{LETTERS}' ,.?!;:]*")
_UNTIDY = re.compile(  # begins with a set of characters, which is found quickly
    rf"[,.?!;:'](?:(?<=[,.?!;:])(?! |$)|(?<= [,.?!;:])|(?<=')(?![{LETTERS}])|(?<=')(?<![{LETTERS}]'))"
)
_NO_BEGIN, _NO_END = tuple(" ,.?!;:"), tuple(" ,;:")
_FOREIGN = re.compile(rf"[^\W\d_{LETTERS}]+")
_NOT_SPOKEN = re.compile(rf"[^{LETTERS}' ,.?!;:]")
_NUMERAL = re.compile(r"[IVXL](?<= .)(?:[IVXL]{1,6}|(?<=[VX])|(?<=I)(?=[.,:;]|$))\b")
_GREEK = re.compile(formulas.LETTER)
_FIRST = re.compile(r"[A-Z][a-z]{2,12} I (?:is|was|of|has|had|and|in|to|will|at|the|as|ruled|died|b|st|c|e|d)")

_MARKS = re.compile(
    r"(?:[ ,;]+|\?(?!=|\" [a-z])|!(?![=\"])|:(?![\d/]|\\)|\.(?= |$)|'(?!\d)|"
    r"(?<=[a-z])-(?=[a-z]{1,24}(?:[ ,?!;:'\"-]|\. |\.?$))"
    r"|(?<=[^\W\d_,.?!])\"(?= |$|,|\.)|(?<= )\"(?=[^\W\d_])"
    r"|(?<=[^\W\d_][^\W\d_])\)(?=[ ,.?!;:]|$)|(?<=[a-z,.] )\((?=[^\W\d_]{2}))+"
)
"""Spaces and marks that no rule has to look at."""

READER = Reader(
    (
        *codes.PHONES,
        *codes.MARKERS,
        *codes.SPECIAL,
        *paths.PATHS,
        *names.WEB,
        *times.APOSTROPHE_YEARS,
        *times.DATES,
        *times.MONTH_DATES,
        *times.TIMES[:-1],
        *quantities.MONEY,
        *quantities.QUANTITIES,
        *codes.CODES,
        *codes.TOKENS,
        *chemistry.CHEMISTRY,
        *names.NAMES,
        *codes.MODELS,
        times.TIMES[-1],
        *codes.DIGIT_TOKENS,
        *codes.NUMBERS,
        *symbols.SYMBOLS,
    ),
    _MARKS,
)
"""The rules, in order: of those that match at a place, the first takes the part."""

_SHORT_FORMS = frozenset(word.lower() for each in (*names.NAMES, *times.MONTH_DATES) for word in each.words)


def read_english(text: str) -> Reading:
    """Read a text aloud in English.

    Args:
        text: Any text.

    Returns:
        One line of letters, apostrophes, single spaces and `, . ? ! ; :`, and what no rule reads.

    >>> read_english("Dr. Smith (b. 1984) paid $1,250.50 for 3/4 of it, e.g. at 7:30 pm...").text
    'Doctor Smith, born nineteen eighty four, paid one thousand two hundred fifty dollars and fifty cents for three quarters of it, for example at seven thirty PM.'
    >>> read_english("Henry VIII, Chapter IV: ∮ 5").text
    'Henry the Eighth, Chapter four: five'
    >>> read_english("∮ 5").unread
    ('∮',)
    """  # noqa: E501
    return read_until_stable(text, _read, is_spoken)


def is_spoken(text: str) -> bool:
    """True if a text needs no normalization; the only cost for plain text.

    >>> is_spoken("Hello, how's life?"), is_spoken("Dr. No")
    (True, False)
    """
    if not _CHARACTERS.fullmatch(text) or _UNTIDY.search(text) or _NUMERAL.search(text):
        return False
    if "  " in text or text.startswith(_NO_BEGIN) or text.endswith(_NO_END):
        return False
    if (" I " in text and _FIRST.search(text)) or ("symbol" in text and _names_symbol(text)):
        return False
    if ", " in text and names.has_state(text):
        return False
    if not text.isascii() and _GREEK.search(text):
        return False
    if not names.WITHOUT_DOT.isdisjoint(text.split()):
        return False
    before_dots = (piece.rpartition(" ")[2].lower() for piece in text.split(".")[:-1])
    return not any(len(word) == 1 or word in _SHORT_FORMS for word in before_dots)


def _names_symbol(text: str) -> bool:
    """True if a symbol of an element has to be spelled."""
    return any(part.rule == "element" for part in READER.parts(text)) if chemistry.NAMED.search(text) else False


def parts_of(text: str) -> list[Part]:
    """The parts of a text without markup, for those who ask which rule took what.

    >>> [(part.said.strip(), part.rule) for part in parts_of("It is 5 kg")]
    [('It is', 'word'), ('five kilograms', 'measure')]
    """
    return list(READER.parts(text))


def _read(text: str) -> Reading:
    dropped = list[Dropped]()
    text = prose(text.replace("©", " copyright "), _item, "dot", "at", addresses=False, dropped=dropped)
    said, unread = list[str](), list[str]()
    is_ascii = text.isascii()
    for begin, end, words, rule in READER.parts(text):
        if not rule:
            unread.append(text[begin:end])
            continue
        if not is_ascii and not text[begin:end].isascii():
            unread += _FOREIGN.findall(words)
        if rule != WORD:
            if rule == "url" or not words.strip():
                dropped += names.unsaid(rule, text[begin:end])
            if words.strip(" .,'") and not text.startswith("'s", end):
                words = f" {words} "
        said.append(words)
    spoken = "".join(said).replace("(", ", ").replace(")", ", ")
    return Reading(tidy(_NOT_SPOKEN.sub(" ", spoken), LETTERS), tuple(unread), tuple(dropped))


def _item(number: int) -> str:
    return f"{cardinal(str(number)).capitalize()}. "
