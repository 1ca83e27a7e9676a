"""Self-corrections of the user, as in `at three, no, at four`, which a rule can check.

The value is a number word, a weekday or a month; the wrong one is another of its kind. Rules exist
for English and Chinese.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from datagen.pipeline.draws import Draws

_NUMBERS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_LARGER = frozenset(
    (
        *("one", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
        *("thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety", "hundred", "thousand", "million"),
        *("billion", "point", "half", "oh", "zero", "first", "second", "third", "percent", *_NUMBERS),
    )
)
"""Next to one of these, a number word is part of a larger number."""
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("January", "February", "April", "June", "July", "August", "September", "October", "November", "December")
_BEFORE = ("at", "on", "in", "for", "to", "by", "around", "about")
"""Words that are repeated with the right value."""
_ZH_NUMBERS = "两三四五六七八九"
_ZH_DAYS = "一二三四五六"
_ZH_ANY = "零一二两三四五六七八九十百千万亿半几第点"


@dataclass(frozen=True)
class Corrected:
    """A text with a correction, and its span from the wrong value's start to the right one's end."""

    spoken: str
    span: tuple[int, int]


def corrected(
    spoken: str, earlier: Sequence[str], language: str, connectives: dict[str, float], draws: Draws, k: int
) -> Corrected | None:
    """The text with a correction of its first suitable value; None if no value is new.

    Args:
        spoken: Verbalized text of a user turn.
        earlier: Texts of earlier turns; nobody gets a value wrong that was just named.
        language: ISO 639-1 code; only `en` and `zh` have rules.
        connectives: Words between the two values, with weights.
        draws: Random draws of the dialogue.
        k: Index of the turn.

    >>> found = corrected("A table for four at noon.", [], "en", {"no,": 1}, Draws.of_script(1, "d", 24_000), 0)
    >>> found.spoken, found.spoken[slice(*found.span)]
    ('A table for six, no, for four at noon.', 'six, no, for four')
    >>> corrected("No numbers here.", [], "en", {"no,": 1}, Draws.of_script(1, "d", 24_000), 0) is None
    True
    """
    rule = {"en": _english, "zh": _chinese}.get(language)
    found = rule(spoken) if rule else None
    if found is None:
        return None
    start, end, others, lead, mark = found
    right = spoken[start:end]
    said = re.findall(r"\w+", " ".join([*earlier, spoken[:start], spoken[end:]]).lower())
    if (right.lower() in said) if language == "en" else any(right in text for text in (*earlier, spoken[:start])):
        return None
    wrong = others[int(draws.uniform(k, "correction_value") * len(others))]
    between = draws.pick(connectives, k, "correction_words")
    gap = "" if language == "zh" else " "
    replaced = f"{wrong}{mark}{gap}{between}{gap}{lead}{right}"
    return Corrected(spoken[:start] + replaced + spoken[end:], (start, start + len(replaced)))


_Found = tuple[int, int, Sequence[str], str, str]
"""Start and end of the right value, others of its kind, repeated words, mark after the wrong value."""


def _near(values: Sequence[str], place: int) -> list[str]:
    """The values at most two places away from one in their order, which people mix up.

    >>> _near(("two", "three", "four", "five"), 0)
    ['three', 'four']
    """
    return [value for k, value in enumerate(values) if 0 < abs(k - place) <= 2]


def _english(spoken: str) -> _Found | None:
    words = list(re.finditer(r"[A-Za-z']+", spoken))
    for place, word in enumerate(words):
        near = [other[0].lower() for other in (*words[max(place - 1, 0) : place], *words[place + 1 : place + 2])]
        kinds = ((_NUMBERS, word[0]), (_WEEKDAYS, word[0]), (_MONTHS, word[0]))
        values = next((values for values, said in kinds if said in values), None)
        if values is None or place == 0 or not _LARGER.isdisjoint(near):
            continue
        before = words[place - 1]
        lead = f"{before[0]} " if before[0] in _BEFORE and spoken[before.end() : word.start()] == " " else ""
        return word.start(), word.end(), _near(values, values.index(word[0])), lead, ","
    return None


def _chinese(spoken: str) -> _Found | None:
    for found in re.finditer(rf"(?<![{_ZH_ANY}])[{_ZH_NUMBERS}](?=[点个位张天次人杯块斤](?![{_ZH_ANY}]))", spoken):
        unit = spoken[found.end()]
        values = [f"{value}{unit}" for value in _near(_ZH_NUMBERS, _ZH_NUMBERS.index(found[0]))]
        return found.start(), found.end() + 1, values, "", "，"
    for found in re.finditer(rf"(?:星期|周|礼拜)([{_ZH_DAYS}])(?![{_ZH_ANY}])", spoken):
        day = found[0][:-1]
        values = [f"{day}{value}" for value in _ZH_DAYS if value != found[1]]
        return found.start(), found.end(), values, "", "，"
    return None
