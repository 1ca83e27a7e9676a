"""English sentences inside Chinese: their numbers are said in English."""

import re

from datagen.text.english import read_english

_RUN = re.compile(r"[\x20-\x7eÀ-ɏ°×÷—²³€£]{16,}")
"""Text without Chinese characters or marks."""
_LATIN = re.compile("[A-Za-z]{2}")
_HAN = re.compile("[\u3400-\u9fff]")
_WORD = re.compile(r"(?<![\w@.-])[A-Za-z][a-z']{0,24}(?![\w@-])")
_FUNCTION = re.compile(
    r"(?i:\b(?:the|an|of|in|is|was|are|were|to|and|for|on|at|with|my|you|he|she|it|they|we|that|this|from|by|has|have|"
    r"had|will|be|as|or|not|there)\b)"
)
_LEAST_WORDS = 4
_ADDRESS = re.compile(
    r"(?<![A-Za-z0-9.])[0-9]{1,5} (?:(?:[NSEW]|[NS][EW])\.? )?(?:[A-Z][a-z]{2,14} |[0-9]{1,3}(?:st|nd|rd|th) ){1,3}"
    r"(?:St|Ave|Rd|Blvd|Ln|Dr|Pl|Ct|Street|Avenue|Road|Boulevard|Lane|Drive|Place|Court)(?![A-Za-z])\.?"
)
"""A house and its street, as in 228 W 10th St."""
_NUMBER_FIRST = re.compile(r"[^A-Za-z]*")
_NUMBER_LAST = re.compile(r"[\d.,:%$€£+*/()\[\]° -]{1,40}$")


def with_english_read(text: str) -> tuple[str, list[str]]:
    """A text in which sentences of English with numbers are read, and what no rule of English reads.

    Args:
        text: Prose without markup.

    >>> with_english_read("他说：I was born in 1984 in Rome.对吧")[0]
    '他说：I was born in nineteen eighty four in Rome.对吧'
    >>> with_english_read("我有iPhone 15 Pro Max 256GB")[0]
    '我有iPhone 15 Pro Max 256GB'
    """
    unread = list[str]()

    def read(match: re.Match[str]) -> str:
        written, after = match[0], text[match.end() : match.end() + 1]
        begin = _NUMBER_FIRST.match(written).end()  # type: ignore[union-attr]  # it matches always
        before = text[match.start() - 1 : match.start()] if match.start() else ""
        begin = begin if _HAN.match(before) or not written[:begin].strip(" ,.?!;:'\"") else 0
        last = _NUMBER_LAST.search(written) if _HAN.match(after) and written[-1:] not in ".?!, " else None
        end = last.start() if last else len(written)
        sentence = written[begin:end]
        if not _is_english(sentence):
            return written
        reading = read_english(sentence)
        unread.extend(reading.unread)
        closed = reading.text if sentence.rstrip()[-1:] in tuple(".?!,;:") else reading.text.rstrip(".")
        space = " " if sentence.endswith(" ") or last else ""
        return f"{written[:begin]}{closed}{space}{written[end:]}"

    if not _LATIN.search(text):
        return text, unread
    text = _RUN.sub(read, text)
    return _ADDRESS.sub(lambda match: read_english(match[0]).text.rstrip("."), text), unread


def _is_english(sentence: str) -> bool:
    """True for a run of words that are English, with a number among them."""
    if not any(map(str.isdecimal, sentence)) or not _FUNCTION.search(sentence):
        return False
    return len(_WORD.findall(sentence)) >= _LEAST_WORDS
