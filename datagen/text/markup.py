"""Markdown, HTML, lists, URLs, emoji and unusual characters to plain prose in any language.

Each pattern here is linear: a match can begin only once per run of characters, or the rest is
bounded, so the time is proportional to the length of the text, whatever its content.
"""

import html
import re
import unicodedata
from collections.abc import Callable, Iterable
from itertools import islice

from datagen.text.reading import Dropped

_FOLD = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201b\u02bc\u2032\uff07\u00b4", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb\uff02\u300c\u300d\u300e\u300f", '"'),
        **dict.fromkeys("\u2010\u2011\u2212\ufe63\uff0d", "-"),
        **dict.fromkeys("\u2012\u2013\u2014\u2015\u2500", "\u2014"),
        # never spoken, or invisible: dropped before NFKC turns them into letters or digits
        **dict.fromkeys("\u2122\u00a9\u00ae\u200b\u200c\u200d\u2060\ufeff\u00ad\ufe0e\ufe0f\u20e3", ""),
        # NFKC would glue these to the number before them: 1½ → 11/2, m² → m2
        **{vulgar: " " + unicodedata.normalize("NFKC", vulgar).replace("\u2044", "/") for vulgar in "¼½¾⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"},
        "²": "^2",
        "³": "^3",
        "㎡": "m^2",
        "㎥": "m^3",
        # unlike the comma between thousands
        "，": ", ",
        "\u2026": "...",
        "\u2044": "/",
    }
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_MARK_RUN = re.compile(r"(?:[^\w\x00-\u02ff]|[\uff9e\uff9f]){31,}")
"""A run that may hold more combining marks than a letter has: no mark is a letter, except the last two."""
_MOST_MARKS = 30
"""Combining marks kept in a row, as in the Stream-Safe Text Format of UAX #15; sorting more is quadratic."""
_HUGE_ENTITY = re.compile(r"&#[0-9]{100,};?")
_FOREIGN_DIGIT = re.compile(r"[^\D0-9]")
_MARKED = re.compile(r"[^\w ,.?!;:'，。？！；：、]|_|www\.|\w[.]\w|[:;][DPpOo3](?!\w)")
_BLOCK_TAG = re.compile(r"<(?:br|/?(?:p|div|li|ul|ol|tr|h[1-6]|table|blockquote))\b[^<>]{0,300}>", re.IGNORECASE)
_TAG = re.compile(
    r"<(?:!|/?(?:a|abbr|address|article|aside|audio|b|base|big|blink|body|button|canvas|caption|center|cite|code|col|"
    r"colgroup|data|dd|del|details|dfn|dialog|dl|dt|em|embed|fieldset|figcaption|figure|font|footer|form|frame|"
    r"frameset|h[1-6]|head|header|hr|html|i|iframe|img|input|ins|kbd|label|legend|link|main|map|mark|marquee|meta|"
    r"meter|nav|nobr|noscript|object|optgroup|option|output|param|picture|pre|progress|q|rp|rt|ruby|s|samp|script|"
    r"section|select|small|source|span|strike|strong|style|sub|summary|sup|svg|tbody|td|template|textarea|tfoot|th|"
    r"thead|time|title|track|tt|u|var|video|wbr)\b)[^<>]{0,300}>",
    re.IGNORECASE,
)
"""Tags of HTML; a name of the writer's own, such as <your name>, is text."""
_IMAGE_OR_LINK = re.compile(r"!?\[([^\[\]\n]{0,300})\]\([^()\n]{0,500}\)")
_FOOTNOTE = re.compile(r"\[\^?\d{1,3}\]")
_CHECKBOX = re.compile(r"^\[[ xX]\]\s+")
_EMOTICON = re.compile(
    r"[:;=<^](?<!\S.)(?:(?<=[:;=])['^-]?[)(DPpOo3|]|(?<=<)3|(?<=\^)_?\^)(?![^\s.,!?])",
    re.DOTALL,
)
"""Begins with a set of characters, which is found quickly."""
_EMAIL = re.compile(r"(?<![A-Za-z0-9_.+-])[A-Za-z0-9_.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,5}")
_URL = re.compile(
    r"(?:https?://|ftp://|(?<![\w.])www\.)(?:www\.)?([A-Za-z0-9.-]{1,200})(?::\d+)?(?:[/?#][^\s<>\"'，。！？；：、）)]*(?<![.,;:!?]))?"
)
_DOMAIN = re.compile(
    r"(?<![A-Za-z0-9_.@-])((?:[a-zA-Z][A-Za-z0-9-]{0,62}\.){1,4}(?:com|org|net|edu|gov|io|ai|co|uk|cn|de|app|dev|info))"
    r"(?![A-Za-z0-9-]|\.[A-Za-z0-9])(?:/[^\s<>\"'，。！？；：、）)]*(?<![.,;:!?]))?"
)
_TIMES = re.compile(r"(?<=[\d)]) ?\* ?(?=[\d(])")
_RULE = re.compile(r"^(?:[-*_=~] ?){3,}$")
_TABLE_ROW = re.compile(r"^\|.*\|$")
_HEADING = re.compile(r"^#{1,6}\s+")
_QUOTE = re.compile(r"^(?:>\s?)+")
_BULLET = re.compile(r"^[-*+•‣◦▪●○■□✓✔–—·►➤]\s+(?=\S)")
_CHECKBOX_ITEM = re.compile(_BULLET.pattern + _CHECKBOX.pattern.removeprefix("^"))
NUMBERED = re.compile(r"^\(?(\d{1,3})[.)、](?!\d)\s*(?=\S)")
_LETTERED = re.compile(r"\(?[a-zA-Z]\) ?(?=\S)")
_BEGINS = re.compile(r"https?://|www\.")
_CONTINUES = re.compile(r"(?:={1,2}|[×÷≈≤≥])(?= ?[^\s=])")
"""An operator at the begin of a line: a formula continues."""
_UNFINISHED = (" =", " +", "×", "÷", "≈")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w{0,40}(?:\[[^\[\]]{0,20}\])? ?[-+*/]?=(?!=)")
_WRAPPED = 60
"""Characters that the shortest line of a text wrapped by hand has."""
_ENDED = tuple(".?!;:,。？！；：，、…")
_EMPTY_LINES = re.compile(r"\n\s*\n\s*")
_MOST_DROPPED = 1000
_MOST_LINES = 10_000
"""Lines that are judged by themselves. No turn of a dialogue comes near it; the rest is read as one line."""
_EMPHASIS = re.compile(r"[`*](?:(?<=`)|(?<!\s.)\**|\**(?!\s))", re.DOTALL)


def prose(
    text: str,
    item: Callable[[int], str],
    dot: str,
    at: str,
    *,
    addresses: bool = True,
    dropped: list[Dropped] | None = None,
) -> str:
    r"""Reduce text to one line of prose.

    Args:
        text: Any text.
        item: Text before item n of a numbered list, such as "One. ".
        dot: The word for a dot inside an address.
        at: The word for @ inside an address.
        addresses: False leaves addresses as they are written.
        dropped: Gets the parts with letters or digits that are left out, each under its class.

    Returns:
        One line with numbers and symbols still as written; lines that end no sentence get a full
        stop.

    >>> prose("# Plan\n1. **Wake up**\n2. Read [this](http://a.b/c)", lambda n: f"Number {n}: ", "dot", "at")
    'Plan. Number 1: Wake up. Number 2: Read this.'
    >>> prose("Write to bob@example.com or see https://www.example.com/x?y=1.", str, "dot", "at")
    'Write to bob at example dot com or see example dot com.'
    """
    text = fold(text)
    if not _MARKED.search(text) and "\n" not in text:
        return text.strip()
    dropped = [] if dropped is None else dropped
    # every second part lies inside fences; an unclosed fence opens nothing
    parts = text.split("```")
    _drop("code block", parts[1 : len(parts) - 1 : 2], dropped)
    text = "\n".join(parts[::2] if len(parts) % 2 else parts[:-1:2] + parts[-1:])
    text = _unescape(text, dropped)
    if addresses:
        text = _addresses(text, f" {dot} ", f" {at} ")
    text = _without("emoticon", _EMOTICON, text, dropped, " ")
    text = _TIMES.sub("×", text) if "*" in text else text
    lines = _EMPTY_LINES.sub("\n\n", text).split("\n") if "\n" in text else [text]
    return _EMPHASIS.sub("", _join_lines(lines, item, dropped))


def _drop(name: str, parts: Iterable[str], dropped: list[Dropped]) -> None:
    """Record the first parts that hold a letter or a digit."""
    said = (Dropped(name, part) for part in parts if any(map(str.isalnum, part)))
    dropped.extend(islice(said, _MOST_DROPPED))


def _without(name: str, pattern: re.Pattern[str], text: str, dropped: list[Dropped], instead: str = "") -> str:
    """A text without the matches of a pattern, which are recorded."""
    without = pattern.sub(instead, text)
    if without != text:
        _drop(name, (match[0] for match in pattern.finditer(text)), dropped)
    return without


def fold(text: str) -> str:
    """Fold compatibility characters, quotes, dashes and digits of all scripts to their plain forms.

    >>> fold("“Ｆｕｌｌ” 1½ ٣ m²")
    '"Full" 1 1/2 3 m^2'
    """
    if not text.isascii():
        text = fewer_marks(text.translate(_FOLD))
        if (composed := unicodedata.normalize("NFKC", text)) != text:
            text = composed.translate(_FOLD)
        text = _FOREIGN_DIGIT.sub(lambda match: str(unicodedata.digit(match[0])), text)
    return _CONTROL.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " "))


def fewer_marks(text: str) -> str:
    r"""Drop the combining marks after the first thirty in a row; then NFKC is linear.

    >>> len(fewer_marks("e" + "\u0301" * 99 + "t"))
    32
    """
    return _MARK_RUN.sub(_fewer_marks, text)


def _fewer_marks(match: re.Match[str]) -> str:
    kept, n_marks = list[str](), 0
    for char in match[0]:
        is_mark = unicodedata.combining(unicodedata.normalize("NFKD", char)[0])
        n_marks = n_marks + 1 if is_mark else 0
        if n_marks <= _MOST_MARKS:
            kept.append(char)
    return "".join(kept)


def _unescape(text: str, dropped: list[Dropped]) -> str:
    """Resolve HTML entities, links, images and footnotes and drop tags."""
    if "&" in text:
        text = fold(html.unescape(_HUGE_ENTITY.sub("\ufffd", text)))  # Python refuses to read such numbers
    if "<" in text:
        text = _without("tag", _TAG, _without("tag", _BLOCK_TAG, text, dropped, "\n"), dropped)
    if "[" in text:
        _drop(
            "link target",
            (match[0][match.end(1) - match.start() :] for match in _IMAGE_OR_LINK.finditer(text)),
            dropped,
        )
        text = _without("footnote", _FOOTNOTE, _IMAGE_OR_LINK.sub(r"\1", text), dropped)
    return text


def _addresses(text: str, dot: str, at: str) -> str:
    """Verbalize e-mail addresses, and only the host of a URL."""
    if "@" in text:
        text = _EMAIL.sub(lambda match: match[0].replace(".", dot).replace("@", at), text)
    if "://" in text or "www." in text:
        text = _URL.sub(lambda match: match[1].strip(".").replace(".", dot), text)
    return _DOMAIN.sub(lambda match: match[1].replace(".", dot), text) if "." in text else text


def _join_lines(lines: list[str], item: Callable[[int], str], dropped: list[Dropped]) -> str:
    """Join lines into one, with sentence ends where a list item, a heading or a paragraph ends."""
    lines = [_QUOTE.sub("", line) if line.startswith(">") else line for line in map(str.strip, lines)]
    if len(lines) > _MOST_LINES:
        lines[_MOST_LINES:] = [" ".join(lines[_MOST_LINES:])]
    numbered = len(list(islice((line for line in lines if NUMBERED.match(line)), 2))) > 1
    said: list[str] = []
    _drop("table row", filter(_TABLE_ROW.match, lines), dropped)
    _drop("checkbox", (box[0] for line in lines if (box := _CHECKBOX_ITEM.match(line))), dropped)
    for line in lines:
        line, listed = _strip_marker(line, item if numbered else None)
        if said and not said[-1].endswith(_ENDED):
            said[-1] += "." if listed else _end_before(line, said[-1])
        if line:
            said.append(line + "." if listed and not line.endswith(_ENDED) else line)
    return " ".join(said)


def _end_before(line: str, ends: str) -> str:
    """The mark at the end of a line that has none, by the line after it.

    Args:
        line: The line after it.
        ends: The line that ends.

    >>> [_end_before(line, "How it began") for line in ("And so", "and so", "b) so", "b = 2", "= 5.4")]
    ['.', ',', '.', '.', '']
    >>> wrapped = "a line that is wrapped by hand, because it ends at some margin"
    >>> _end_before("and so", wrapped), _end_before("5", "so x =")
    ('', '')
    """
    if _CONTINUES.match(line) or ends.endswith(_UNFINISHED):
        return ""
    # text wrapped by hand continues in lower case; anything else begins a new sentence
    if not line[:1].islower() or _LETTERED.match(line) or _BEGINS.match(line) or _ASSIGNMENT.match(line):
        return "."
    return "," if len(ends) < _WRAPPED else ""


def _strip_marker(line: str, item: Callable[[int], str] | None) -> tuple[str, bool]:
    """Strip the marker of a heading or list item; returns the line and whether it had one."""
    if line[:1].isalpha():  # no marker begins with a letter
        return line, False
    if line[:1].isdecimal():
        number = NUMBERED.match(line) if item else None
        return (item(int(number[1])) + line[number.end() :], True) if item and number else (line, False)
    if _RULE.match(line) or _TABLE_ROW.match(line):
        return "", False
    if heading := _HEADING.match(line):
        return line[heading.end() :].rstrip("# "), True
    if bullet := _BULLET.match(line):
        return _CHECKBOX.sub("", line[bullet.end() :]), True
    if item and (number := NUMBERED.match(line)):
        return item(int(number[1])) + line[number.end() :], True
    return line, False
