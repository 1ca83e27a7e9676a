"""The laws of a normalizer, tried on texts of no language, and on those of its own that are given."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from time import process_time

from datagen.engines.base import Normalizer, Reading

Answer = tuple[str, object, object]

_WORDS = ("Zanubo", "miketa", "rolu")
"""Made-up words, which no rule knows: all are said, or unread."""
_NUMBERS = (
    *("7", "12", "385", "2047", "3,5", "1.250", "12 €", "€ 12", "$45", "8 %", "14:30", "3/4", "5 kg", "-6 °C"),
    *("+49 30 123456", "2024-05-17", "9-13", "0815", "B27", "A3-7", "987654321012345678", "12.04.2031"),
)
_UNKNOWN = ("∮", "{", "∀", "\\")
_HOSTILE = (
    *("", " ", "\x00", "\ud800", "a\u0301" * 500, "\u202eabc\u202c 5", "%s %(a)s {0} {a.b} $1 \\1", "<b>" * 500),
    *("[" * 3000, "9" * 5000, "1/" * 3000, "-" * 3000, "é" * 3000, "<|im_end|>", "5" + "\u0301" * 300, "😀 👨‍👩‍👧 🇩🇪"),
    *("٣ ۴ ½ Ⅻ ㍿ ﷺ", "\ufeff5\u200b€", "0/0 31.02.2024 99:99 1e999 -0 1,,2 ..5 5.."),
)
_REPEATED = ("a", "5", "1, ", "5 € ", "12.5.", "a-5 ", "(", "' ", " \u2003", "1/2 ", "A1")
_FEW, _MANY = 5_000, 20_000
_FREE_SECONDS = 1.0
_MOST_TIMES_LONGER = 10
"""Four times the text may take this many times as long; a quadratic normalizer takes 16 times."""


def normalizer_laws(normalizer: Normalizer, texts: Sequence[str] | None) -> Iterator[Answer]:
    """Try a normalizer.

    Args:
        normalizer: A loaded engine.
        texts: Texts of its language with numbers and signs; texts without words of a language are always tried.

    Yields:
        Each law, its truth, and what was seen.
    """
    tried = [*(f"{_WORDS[0]} {_WORDS[1]} {number} {_WORDS[2]}." for number in _NUMBERS), *(texts or ())]
    readings = {text: normalizer.spoken(text) for text in (*tried, *_HOSTILE)}
    other = next((type(r).__name__ for r in readings.values() if not isinstance(r, Reading)), "")
    yield "answers any text with a Reading", not other, f"got {other}" if other else f"{len(readings)} texts"
    if other:
        return
    yield _fails(
        "says one line of letters, marks and spaces", (t for t, r in readings.items() if not _is_clean(r.text))
    )
    yield _fails("leaves no digit in what is said", (t for t, r in readings.items() if re.search(r"\d", r.text)))
    again = {text: normalizer.spoken(text) for text in reversed(readings)}
    yield _fails("says the same again, whatever came before", (t for t, r in readings.items() if r != again[t]))
    yield _fails("what is said stays unchanged", (t for t, r in readings.items() if not _is_stable(normalizer, r)))
    yield _fails("says each word, or reports it", (t for t in tried[: len(_NUMBERS)] if not _has_words(readings[t])))
    yield _fails("each digit matters", (t for t in tried if _lost_digit(normalizer, t, readings[t])))
    lost = (sign for sign in _UNKNOWN if _is_lost(normalizer, sign))
    yield _fails("says a symbol, or reports it", lost)
    for piece in _REPEATED:
        yield _linear(normalizer, piece)


def _fails(law: str, texts: Iterator[str]) -> Answer:
    """A law, and the first text that breaks it."""
    first = next(texts, None)
    return law, first is None, "" if first is None else repr(first)[:100]


def _is_clean(said: str) -> bool:
    """True if a text holds letters with their marks, punctuation and single spaces only."""
    allowed = all(
        unicodedata.category(char) in ("Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Po") or char == " " for char in said
    )
    return allowed and said == said.strip() and "  " not in said and (not said or any(map(str.isalpha, said)))


def _is_stable(normalizer: Normalizer, reading: Reading) -> bool:
    return normalizer.spoken(reading.text) == Reading(reading.text)


def _has_words(reading: Reading) -> bool:
    shown = f"{reading.text} {' '.join(reading.unread)}".lower()
    return all(word.lower() in shown for word in _WORDS)


def _lost_digit(normalizer: Normalizer, text: str, reading: Reading) -> bool:
    """True if another digit in place of one, or none, makes no difference: it was left out in silence."""
    for place in (match.start() for match in re.finditer(r"\d", text)):
        without = [] if text[place] == "0" else [""]  # 07:05 is 7:05
        for digit in (str((int(text[place]) + 1) % 10), *without):
            if normalizer.spoken(f"{text[:place]}{digit}{text[place + 1 :]}") == reading:
                return True
    return False


def _is_lost(normalizer: Normalizer, sign: str) -> bool:
    with_it, without = (normalizer.spoken(f"{_WORDS[0]} {_WORDS[1]}{each} {_WORDS[2]}.") for each in (f" {sign}", ""))
    return with_it == without


def _linear(normalizer: Normalizer, piece: str) -> Answer:
    """Time in proportion to the length of a text, in seconds of the processor; short times are not compared."""
    seconds = []
    for n in (_FEW, _MANY):
        begin = process_time()
        normalizer.spoken(piece * (n // len(piece)))
        seconds.append(process_time() - begin)
        if seconds[0] > _FREE_SECONDS:
            break
    linear = seconds[-1] < _FREE_SECONDS or (len(seconds) > 1 and seconds[1] < _MOST_TIMES_LONGER * seconds[0])
    return f"{piece!r} repeated: takes time in proportion to its length", linear, f"{seconds[-1]:.2f} s"
