"""Meaning that a rewording or a translation must keep: lexical checks that bite.

They compare words, not thoughts. Each finds a fault that a small model was seen to make, and names the turn.
"""

import re
from collections.abc import Sequence

from datagen.authoring.answers import UnfitAnswerError
from datagen.records import Turn
from datagen.text import to_spoken
from datagen.text.language import detect_language
from datagen.text.phrases import HAN, count_words

_NUMBER = re.compile(r"\d+")
_GROUPED = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_NAME = re.compile(
    r"(?<=[a-z,;] )[A-Z][a-z]+(?:-[A-Z][a-z]+)*|\b[A-Z][A-Za-z]*[A-Z][A-Za-z]*\b|\b[a-z]+[A-Z][A-Za-z]*\b"
)
_LATIN_WORD = re.compile(r"[A-Za-z][A-Za-z-]+")
_CAPITALISED = frozenset(
    (
        *("I", "I'm", "I'd", "I've", "I'll", "OK", "TV"),
        *("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    )
)
_NEGATIONS = {
    "en": re.compile(r"\b(?:no|not|never|none|nobody|nothing|neither|nor|cannot|without)\b|n['’]t\b", re.IGNORECASE),
    "zh": re.compile("[不没别无未非]"),
}
_NO_NEGATIONS = {
    "en": re.compile(
        r"\b(?:no problem|no worries|why not|not only|not just|no doubt)\b|\w+n['’]t (?:it|you|they|he|she|we|i)\?",
        re.IGNORECASE,
    ),
    "zh": re.compile(
        r"(.)[不没]\1|不过|不错|不好意思|差不多|不客气|没问题|没事|没关系|不一会|别的|非常|无论|不管|不仅|不但|对不起"
    ),
}
_SHORT_WORDS = 25
"""Longer turns may be condensed, so that a negation or a figure is left out on purpose."""
_CONDENSED = 0.7
_MOST_FOREIGN = 0.1
_LEAST_HAN = 0.5
_FEWEST_LETTERS = 4
_LETTERS_PER_HAN = 3
_WORDS_TO_TELL = 8
_SCRIPTS = {"zh": f"[{HAN}]", "ja": f"[\u3041-\u30ff{HAN}]", "ko": "[\uac00-\ud7a3]", "ru": "[\u0400-\u052f]"}
_LATIN = re.compile("[A-Za-z\u00c0-\u024f]")
_LETTER = re.compile(r"[^\W\d_]")
_SPELLED = {"2": ("two", "both", "couple", "pair", "两", "俩", "双"), "30": ("half", "半"), "15": ("quarter", "刻")}
_SPELLED |= {
    "45": ("quarter", "刻"),
    "12": ("noon", "midnight", "dozen", "中午"),
    "0": ("zero", "sharp", "o'clock", "整"),
}


def check_translated(turns: Sequence[Turn], before: Sequence[Turn], language: str, source: str) -> None:
    """Check a translation turn by turn: nothing is left in the source language, numbers and names survive.

    Raises:
        UnfitAnswerError: `untranslated`, `changed_number` or `lost_name`, with the turn.
    """
    for k, (turn, old) in enumerate(zip(turns, before, strict=True)):
        if is_foreign(turn.text, old.text, language, source):
            raise UnfitAnswerError(
                "untranslated", f"turn {k} is not, or only in part, in {language}: {turn.text[:60]!r}"
            )
        _check_numbers(k, turn.text, old.text, language, 0.0)
        _check_names(k, turn.text, old.text, _latin_names(old.text, source), 0.5)


def check_reworded(turns: Sequence[Turn], before: Sequence[Turn], language: str) -> None:
    """Check a rewording turn by turn: numbers, names, yes and no survive, unless a long turn is condensed.

    Raises:
        UnfitAnswerError: `changed_number`, `lost_name` or `changed_negation`, with the turn.
    """
    for k, (turn, old) in enumerate(zip(turns, before, strict=True)):
        n_words, n_before = count_words(turn.text), count_words(old.text)
        is_condensed = n_before > _SHORT_WORDS and n_words < _CONDENSED * n_before
        _check_numbers(k, turn.text, old.text, language, 0.5 if is_condensed else 0.0)
        if not is_condensed:
            _check_names(k, turn.text, old.text, names(old.text), 0.5)
        if n_before <= _SHORT_WORDS and (gained := denies(turn.text, language)) != denies(old.text, language):
            what = "says no where the text did not" if gained else "leaves a no or not out"
            raise UnfitAnswerError("changed_negation", f"turn {k} {what}: {old.text[:80]!r}, then {turn.text[:80]!r}")


def is_foreign(text: str, before: str, language: str, source: str) -> bool:
    """True if a translated turn is, by its script or its words, not in the requested language.

    >>> is_foreign("那 turn left at the church", "turn left at the church", "zh", "en")
    True
    >>> is_foreign("用iPhone拍的", "shot on an iPhone", "zh", "en"), is_foreign("OK", "OK", "zh", "en")
    (False, False)
    >>> is_foreign("Ja, gerne.", "Yes, please.", "de", "en"), is_foreign("Turn left here.", "向左转", "en", "zh")
    (False, False)
    """
    letters = _LETTER.findall(text)
    if len(letters) < _FEWEST_LETTERS:
        return False
    if pattern := _SCRIPTS.get(language):
        own = len(re.findall(pattern, text))
        weight = _LETTERS_PER_HAN if language in ("zh", "ja") else 1
        return own * weight < _LEAST_HAN * (own * weight + len(letters) - own)
    if len(letters) - len(_LATIN.findall(text)) > _MOST_FOREIGN * len(letters):
        return True
    if source in _SCRIPTS or source == language:
        return False
    n_words = count_words(text)
    is_same = text.casefold().strip() == before.casefold().strip() and n_words >= _FEWEST_LETTERS
    return is_same or (n_words >= _WORDS_TO_TELL and detect_language(text) == source != language)


def numbers(text: str) -> list[str]:
    """The numbers of a text that are written in digits, without leading zeros and separators of thousands.

    >>> numbers("At 7:05, 12,000 of 3")
    ['7', '5', '12000', '3']
    """
    return [found.lstrip("0") or "0" for found in _NUMBER.findall(_GROUPED.sub("", text))]


def survives(number: str, text: str, language: str) -> bool:
    """True if a text has a number, in digits, in words, or as people say it.

    >>> [survives("7", text, "en") for text in ("at 7 pm", "at seven", "at eight")], survives("15", "下午三点", "zh")
    ([True, True, False], True)
    """
    if number in numbers(text) or any(word in text.casefold() for word in _SPELLED.get(number, ())):
        return True
    forms = [number]
    if len(number) == 4:  # a year
        forms.append(f"{number[:2]} {number[2:]}")
    if number in _AFTERNOON:
        forms.append(_AFTERNOON[number])
    spoken = f" {to_spoken(text, language).replace('-', ' ').casefold()} "
    said = (to_spoken(form, language).replace("-", " ").strip(" .。").casefold() for form in forms)
    return any(words and (words in spoken if language == "zh" else f" {words}" in spoken) for words in said)


_AFTERNOON = {str(hour): str(hour - 12) for hour in range(13, 24)}


def _check_numbers(k: int, text: str, before: str, language: str, most_lost: float) -> None:
    old = [number for number in dict.fromkeys(numbers(before)) if number != "1"]
    lost = [number for number in old if not survives(number, text, language)]
    if len(lost) > most_lost * len(old):
        raise UnfitAnswerError("changed_number", f"turn {k} has lost the number {lost[0]}: {text[:80]!r}")
    new = (number for number in numbers(text) if number not in old and number != "1")
    invented = [number for number in new if not _comes_from(number, before, language)]
    if invented:
        raise UnfitAnswerError("changed_number", f"turn {k} has a number that is new, {invented[0]}: {text[:80]!r}")


def _comes_from(number: str, before: str, language: str) -> bool:
    """True if a number may be that of an earlier text, in words or in another notation of time."""
    source = "zh" if re.search(f"[{HAN}]", before) else "en" if language == "zh" else language
    evening = str(int(number) + 12) if len(number) <= 2 else ""
    return survives(number, before, source) or evening in numbers(before)


def names(text: str) -> list[str]:
    """Names in a text in Latin letters: capitals inside a sentence, and mixed case.

    >>> names("Does Anna know my friend Paul? He bought an iPhone on Friday.")
    ['Anna', 'Paul', 'iPhone']
    """
    found = (name for name in _NAME.findall(text))
    return [name for name in dict.fromkeys(found) if name not in _CAPITALISED]


def _latin_names(text: str, source: str) -> list[str]:
    """Names that a translation between alphabets or out of Chinese keeps in its letters."""
    if source == "zh":
        return [word for word in dict.fromkeys(_LATIN_WORD.findall(text)) if any(c.isupper() for c in word)]
    return names(text) if source not in _SCRIPTS else []


def _check_names(k: int, text: str, before: str, old: Sequence[str], least: float) -> None:
    if re.search(f"[{HAN}]", text) and not re.search(f"[{HAN}]", before):
        return  # names are written as they sound
    said = text.casefold()
    lost = [name for name in old if name.casefold() not in said]
    if len(lost) > (1 - least) * len(old):
        raise UnfitAnswerError("lost_name", f"turn {k} has lost the name {lost[0]!r}: {text[:80]!r}")


def denies(text: str, language: str) -> bool:
    """True if a text says no or not; questions such as "isn't it?" and fixed phrases do not count.

    >>> [denies(text, "en") for text in ("I don't know.", "Nice, isn't it?", "No problem.")], denies("好不好？", "zh")
    ([True, False, False], False)
    """
    pattern = _NEGATIONS.get(language)
    return bool(pattern and pattern.search(_NO_NEGATIONS[language].sub(" ", text)))
