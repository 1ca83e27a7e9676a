"""Written to spoken Chinese: every number and sign is classified once, and said by the rule of its class.

prose.py       written text → prose without markup
foreign.py     English sentences inside Chinese
words.py       number words: cardinals, digits one by one, dates, times
units.py       measure words, units, currencies; traditional characters
cues.py        words beside a number that decide its class
patterns.py    parts of the patterns of numbers
times.py       dates, times, years
codes.py       phones, cards, codes, rooms, models, versions
quantities.py  money, percentages, temperatures, measures, dimensions
numbers.py     scores, fractions, ranges, ordinals, arithmetic, plain numbers
symbols.py     marks and symbols
"""

import re

from datagen.text.chinese import codes, numbers, quantities, symbols, times
from datagen.text.chinese.foreign import with_english_read
from datagen.text.chinese.prose import plain
from datagen.text.chinese.units import TO_SIMPLIFIED, TO_TRADITIONAL, TRADITIONAL
from datagen.text.reading import WORD, Dropped, Part, Reader, Reading, read_until_stable

LETTERS = (
    "A-Za-zÀ-ÖØ-öø-ɏḀ-ỿͰ-ͽΆ-ώЀ-ӿ\u3005\u3041-\u3096\u30a1-\u30fa\u30fc\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"
    "\U00020000-\U000323af"
)
"""Letters that can be said in Chinese, rare characters such as 𠮷 included."""
_LATIN = "A-Za-zÀ-ÖØ-öø-ɏ"
_CHARACTERS = re.compile(rf"[{LETTERS}' ，。？！；：]*")
_UNTIDY = re.compile(
    rf"[，。？！；：]{{2}}|^[ ，。？！；：]|[ ，；：]$"
    rf"| (?![{_LATIN}])|(?<![{_LATIN}]) |'(?![{_LATIN}])|(?<![{_LATIN}])'"
)
_FOREIGN = re.compile(rf"[^\W\d_{LETTERS}]+")
_LETTER = re.compile(f"[{LETTERS}]")
_PAUSE = re.compile(r"[\s，。？！；：](?:[\s，。？！；：]+|(?<=[^\S ]))")
"""A run of spaces and marks, so that each is read once; a single one is tidy."""
_LONE_APOSTROPHE, _LONE_SPACE = (re.compile(f"{mark}(?:(?![{_LATIN}])|(?<![{_LATIN}]{mark}))") for mark in "' ")
"""Not between two Latin letters."""
_STRONGEST = "？！。；：，"

_NUMERAL = re.compile("[IVX]{2}|第[IVX]|(?<![A-Za-z])I[型期类级]|[\u3400-\u9fff]I(?![A-Za-z])")
_MARKS = re.compile(
    r"(?:[ ，。？！；：、?;\"“”《》「」]|,(?![0-9])|(?<![A-Za-z0-9])!(?! ?[/=×*+(])|:(?![0-9/=])|"
    r"(?<!\.[A-Z])\.(?![0-9A-Za-z.])){1,64}"
)
"""Spaces and marks that no rule has to look at."""
_UNSAID_MARKS = str.maketrans(dict.fromkeys('"“”《》「」') | dict(zip("、,.?!;:", "，，。？！；：", strict=True)))

READER = Reader(
    (
        *numbers.COUNTS,
        *codes.ADDRESSES,
        *times.DATES,
        *codes.NAMES,
        *times.TIMES,
        *numbers.PAIRS,
        *times.YEARS,
        *codes.PHONES,
        *numbers.SUBTRACTION,
        *quantities.RULES,
        *numbers.PARTS,
        *codes.CODES,
        *numbers.ORDINALS,
        *times.BARE_YEARS,
        *codes.MODELS,
        *numbers.NUMBERS,
        *symbols.RULES,
    ),
    _MARKS,
)
"""Reads prose in simplified characters: of the rules that match at a place, the first takes the part."""


def read_chinese(text: str) -> Reading:
    r"""Read a text aloud in Chinese.

    Args:
        text: Any text.

    Returns:
        One line of letters and `，。？！；：`, with spaces and apostrophes only in Latin words, and what
        no rule reads.

    >>> read_chinese("会议在2024年3月4日（周一）14:05开始，需要5-10分钟。").text
    '会议在二零二四年三月四日，周一，十四点零五分开始，需要五到十分钟。'
    >>> read_chinese("1. 阅读《红楼梦》\n2. 写作").text
    '第一，阅读红楼梦。第二，写作。'
    >>> read_chinese("302室有2个人∮")
    Reading(text='三零二室有两个人', unread=('∮',))
    """
    return read_until_stable(text, _read, is_spoken)


def is_spoken(text: str) -> bool:
    """True if a text needs no normalization; the only cost for plain text.

    >>> is_spoken("你好，世界！"), is_spoken("第III章")
    (True, False)
    """
    return (
        bool(_CHARACTERS.fullmatch(text))
        and not _UNTIDY.search(text)
        and not _NUMERAL.search(text)
        and not symbols.GREEK_LETTER.search(text)
    )


def parts_of(text: str) -> list[Part]:
    """The parts of prose, for those who ask which rule took what.

    >>> [(part.said, part.rule) for part in parts_of("共5元")]
    [('共', 'word'), ('五元', 'money')]
    """
    return list(READER.parts(text.translate(TO_SIMPLIFIED) if TRADITIONAL.search(text) else text))


def _read(text: str) -> Reading:
    dropped = list[Dropped]()
    text, unread_english = with_english_read(plain(text, dropped))
    said, unread = list[str](), list[tuple[int, int]]()
    is_traditional = bool(TRADITIONAL.search(text))
    has_foreign = bool(_FOREIGN.search(text))
    for begin, end, words, rule in READER.parts(text.translate(TO_SIMPLIFIED) if is_traditional else text):
        if rule == WORD:
            words = text[begin:end].translate(_UNSAID_MARKS)
            if has_foreign:
                unread += ((begin + found.start(), begin + found.end()) for found in _FOREIGN.finditer(text[begin:end]))
                words = _FOREIGN.sub(" ", words)
        elif rule:
            if not words.strip() and any(map(str.isalnum, text[begin:end])):
                dropped.append(Dropped(rule, text[begin:end]))
            words = words.translate(TO_TRADITIONAL) if is_traditional else words
        else:
            unread.append((begin, end))
            words = " "
        said.append(words)
    pieces = (text[begin:end] for begin, end in _joined(unread))
    return Reading(_tidy("".join(said)), (*unread_english, *pieces), tuple(dropped))


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans that touch as one.

    >>> _joined([(0, 1), (1, 3), (5, 6)])
    [(0, 3), (5, 6)]
    """
    joined = list[tuple[int, int]]()
    for begin, end in spans:
        if joined and joined[-1][1] == begin:
            begin = joined.pop()[0]
        joined.append((begin, end))
    return joined


def _tidy(text: str) -> str:
    """One mark at a pause, spaces only between Latin words, nothing before the first letter.

    >>> _tidy(" ，我 用 Python three 。，写 ，")
    '我用Python three。写。'
    """
    text = _LONE_APOSTROPHE.sub("", text) if "'" in text else text
    text = _PAUSE.sub(lambda match: next((mark for mark in _STRONGEST if mark in match[0]), " "), text)
    text = (_LONE_SPACE.sub("", text) if " " in text else text).lstrip("，。？！；：")
    if not _LETTER.search(text):
        return ""
    return text[:-1] + "。" if text[-1] in "，；：" else text
