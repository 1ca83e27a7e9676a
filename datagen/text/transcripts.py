"""Comparison of a transcript with its text: words, Chinese characters, repeats, syllables."""

import re
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any

from datagen.errors import EngineMissingError
from datagen.installed import pip_install
from datagen.text import Read, spoken
from datagen.text.phrases import HAN

_HAN = re.compile(f"[{HAN}]")
CHARACTERS = ("zh", "ja", "yue")
"""Languages written without spaces, whose units are characters."""
_VOWELS = re.compile(r"[aeiouy]+")
_SILENT_E = re.compile(r"(?<=[aeiouy][^aeiouy])e(?:s|d)?$|(?<=[aeiouy][^aeiouy][^aeiouyl])e(?:s|d)?$")
_HUM = re.compile(r"h*m+|m+h+m+|s+h+")
_MOST_REPEATED = 8
"""Longest group of units whose immediate repetition is looked for."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A transcript compared with its text."""

    n_units: int
    """Words of the normalized text (Chinese: characters); 0 if it contains only hesitations."""
    error_rate: float
    """Errors per unit (WER, or CER for Chinese); may exceed 1."""
    letter_error_rate: float
    """Errors per letter, ignoring spaces, so that spelling variants count little."""
    n_repeated: int
    """Immediately repeated units that the text does not repeat: a voice that loops."""


def compare(said: str, heard: str, language: str, read: Read = spoken) -> Compared:
    """Compare a transcript with its text, both normalized in the same way.

    Raises:
        EngineMissingError: If the extra `asr` is not installed.
    """
    n_units = len(_units(said, language))
    heard = read(heard, language).text or heard  # a recognizer writes "7 and a half" for what is said in words
    said, heard = normalized(said, language), normalized(heard, language)
    said_units, heard_units = _units(said, language), _units(heard, language)
    said_letters, heard_letters = said.replace(" ", ""), heard.replace(" ", "")
    if not said_units:  # hesitations alone, which recognizers leave out as they like
        return Compared(0, 0.0, 0.0, 0)
    return Compared(
        n_units,
        count_errors(said_units, heard_units) / len(said_units),
        float(_need("jiwer").cer(said_letters, heard_letters)),
        max(repeated(heard_units) - repeated(said_units), 0),
    )


def errors(said: str, heard: str, language: str, read: Read = spoken) -> tuple[int, int]:
    """Wrong units of a transcript and all units of its text, both normalized as by `compare`.

    Units are words (Chinese: characters), so that sums over many texts give a WER (CER).

    Raises:
        EngineMissingError: If the extra `asr` is not installed.
    """
    heard = read(heard, language).text or heard
    said_units, heard_units = (_units(normalized(text, language), language) for text in (said, heard))
    return (count_errors(said_units, heard_units), len(said_units)) if said_units else (0, 0)


def count_errors(said: list[str], heard: list[str]) -> int:
    """Substituted, deleted and inserted units of a transcript; `said` is not empty.

    Raises:
        EngineMissingError: If the extra `asr` is not installed.
    """
    found = _need("jiwer").process_words(" ".join(said), " ".join(heard))
    return int(found.substitutions + found.deletions + found.insertions)


def normalized(text: str, language: str) -> str:
    """A text normalized for error rates: no case or punctuation, uniform numbers and spellings.

    English uses the normalizer of Whisper (numbers in digits, contractions spelled out, hesitations
    dropped), Chinese uses wetext (numbers in characters, simplified). Other languages only lose case
    and punctuation.
    """
    if language == "en":
        return str(_english()(text)).strip()
    if language in CHARACTERS:
        text = str(_chinese().normalize(text))
    return " ".join(re.sub(r"[^\w\s]|_", " ", text.lower()).split())


def repeated(units: list[str]) -> int:
    """Number of units in the longest immediate repetition; a single word said twice is not a loop.

    >>> repeated("i want to i want to i want to go".split()), repeated("very very good".split())
    (6, 0)
    >>> repeated("no no no no no no wait".split())
    5
    """
    longest = 0
    for n in range(1, min(_MOST_REPEATED, len(units) // 2) + 1):
        again = (units[k] == units[k - n] for k in range(n, len(units)))
        runs = (sum(1 for _ in run) for same, run in groupby(again) if same)
        longest = max([longest, *(run for run in runs if run >= max(n, 2))])
    return longest


def count_syllables(text: str) -> int:
    """Syllables of a text, at least 1: vowel groups without silent e's; Chinese characters; hums.

    >>> count_syllables("Hello, here is the fire department."), count_syllables("你好 OK"), count_syllables("nineteen")
    (9, 3, 3)
    >>> count_syllables("mm hm"), count_syllables("hmm"), count_syllables("mhm"), count_syllables("tv")
    (2, 1, 2, 2)
    """
    n = 0
    for word in re.findall(r"[^\W\d_]+|\d", _HAN.sub(lambda m: f" {m[0]} ", text.lower())):
        if _HAN.match(word) or word.isdigit():
            n += 1
        elif _HUM.fullmatch(word):
            n += 2 if word.startswith("mh") else 1
        elif word.isascii() and not _VOWELS.search(word):
            n += len(word)  # spelled out
        else:
            n += max(len(_VOWELS.findall(_SILENT_E.sub("", word))), 1)
    return max(n, 1)


def _units(text: str, language: str) -> list[str]:
    if language not in CHARACTERS:
        return text.split()
    return re.findall("[\u3400-\u4dbf\u4e00-\u9fff\u3040-\u30ff]|[^\\W\u3400-\u9fff\u3040-\u30ff]+", text)


@cache
def _english() -> Any:
    return _need("whisper_normalizer.english").EnglishTextNormalizer()


@cache
def _chinese() -> Any:
    from wetext import Normalizer

    return Normalizer(lang="zh", operator="tn", traditional_to_simple=True, remove_erhua=True)


def need_comparison() -> None:
    """Check for the packages that comparison needs, before any speech is synthesized.

    Raises:
        EngineMissingError: If the extra `asr` is not installed.
    """
    _need("jiwer")
    _need("whisper_normalizer.english")


def _need(module: str) -> Any:
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError as error:
        raise EngineMissingError(f"comparing transcripts needs the extra `asr`: {pip_install('asr')}") from error
