"""Chinese and English text → phonemes as Kokoro was trained on them, each with the unit it is a sound of.

Chinese is cut into words by jieba, read by pypinyin, and written in IPA with tone arrows by misaki's table, as in
misaki 0.9.4 (`zh.py`, legacy). English between Chinese goes to hibari, which writes the same English phonemes.
"""

import re
import warnings
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import groupby
from typing import Any

from datagen.engines.tts.hibari import Hibari
from datagen.engines.tts.word_times import NO_WORD, Phrase
from datagen.errors import EngineError, EngineMissingError
from datagen.installed import pip_install
from datagen.text.phrases import HAN

MISSING = f"the packages of Chinese speech are not installed: {pip_install('zh')}"
_HAN = re.compile(f"[{HAN}]")
_STRETCH = re.compile(f"[{HAN}]+|[^{HAN}]")
_MARKS = str.maketrans("，。！？：；、", ",.!?:;,")
_PAUSES = frozenset(';:,.!?—…"()“” ')
"""Phonemes that are silence, not a sound of a word."""
_RETONED = (
    ("˧˩˧", "↓"),
    ("˧˥", "↗"),
    ("˥˩", "↘"),
    ("˥", "→"),
    ("\u027b\u0329", "ɨ"),
    ("\u0279\u0329", "ɨ"),
    ("\u032f", ""),
)
"""misaki's tone letters, syllabic consonants and glides, and what Kokoro's vocabulary has for them."""
_SENTENCE_END, _CLAUSE_END = frozenset(".!?…"), frozenset(",;:—")


class PhonemeReader:
    """Reads text aloud in phonemes. Dictionaries load at the first text."""

    def __init__(self, vocabulary: frozenset[str]) -> None:
        """A reader for the phonemes that the network knows.

        Raises:
            EngineMissingError: If hibari, which reads English, is not installed.
        """
        self._vocabulary, self._english = vocabulary, Hibari()

    def read(self, units: Sequence[str]) -> Phrase:
        """Phonemes of units, as `datagen.text.phrases.units` cuts them: a Chinese character or another word each.

        Raises:
            EngineError: If a character has no known reading.
        """
        sounds: Phrase = []
        for chinese, group in groupby(range(len(units)), key=lambda i: bool(_HAN.match(units[i]))):
            run = list(group)
            texts = [units[i] for i in run]
            read = self._read_chinese if chinese else self._read_english
            sounds += [(NO_WORD, " "), *read(texts, run[0])]
        return _tidy([(word, sound) for word, sound in sounds if sound in self._vocabulary])

    def _read_english(self, words: list[str], first: int) -> Iterator[tuple[int, str]]:
        words = [word.translate(_MARKS) for word in words]
        sentences = self._english.phonemes(words)
        for i, sounds in enumerate(sound for sentence in sentences for sound in sentence):
            yield from ((NO_WORD if sound in _PAUSES else first + i, sound) for sound in sounds)
            yield NO_WORD, " "

    def _read_chinese(self, characters: list[str], first: int) -> Iterator[tuple[int, str]]:
        at = first
        for stretch in _STRETCH.findall("".join(characters)):
            if not _HAN.match(stretch):
                yield NO_WORD, stretch.translate(_MARKS)
                yield NO_WORD, " "
                continue
            for word in self._cutter.cut(stretch):
                for syllable in self._syllables(word):
                    yield from ((at, sound) for sound in syllable)
                    at += 1
                yield NO_WORD, " "

    def _syllables(self, word: str) -> list[str]:
        """Phonemes of each character of a Chinese word.

        Raises:
            EngineError: If a character has no known reading.
        """
        from pypinyin import Style, lazy_pinyin

        read = lazy_pinyin(word, Style.TONE3, neutral_tone_with_five=True)
        if unread := [pinyin for pinyin in read if _HAN.match(pinyin)]:
            raise EngineError(f"kokoro knows no reading of {unread[0][0]!r}")
        return [self._ipa(pinyin) for pinyin in read]

    def _ipa(self, pinyin: str) -> str:
        from misaki.transcription import pinyin_to_ipa

        ipa = "".join(pinyin_to_ipa(pinyin)[0])
        for old, new in _RETONED:
            ipa = ipa.replace(old, new)
        return ipa

    @cached_property
    def _cutter(self) -> Any:
        """Jieba's dictionary, read here: jieba itself would keep and trust a copy in the folder of temporary files."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of old escapes and of pkg_resources, both jieba's
                import jieba
            import misaki.transcription  # noqa: F401
            import pypinyin  # noqa: F401
        except ImportError as error:
            raise EngineMissingError(MISSING) from error
        cutter = jieba.Tokenizer()
        cutter.FREQ, cutter.total = cutter.gen_pfdict(cutter.get_dict_file())
        cutter.initialized = True
        return cutter


def _tidy(sounds: Phrase) -> Phrase:
    """No space at the ends, before a mark, or after another; one between words sounds like the word before it.

    >>> "".join(sound for _, sound in _tidy([(NO_WORD, s) for s in " a  b ,  c "]))
    'a b, c'
    """
    tidy: Phrase = []
    for word, sound in sounds:
        if tidy and tidy[-1][1] == " " and sound in _PAUSES:
            tidy.pop()
        if tidy or sound != " ":
            tidy.append((tidy[-1][0] if sound == " " else word, sound))
    return tidy[:-1] if tidy and tidy[-1][1] == " " else tidy


def phrases(sounds: Phrase, most: int) -> Iterator[Phrase]:
    """Cut sounds into phrases of at most `most`: after a sentence, else a clause, else a word, else anywhere.

    >>> sounds = [(0, sound) for sound in "ab, cd. ef gh"]
    >>> ["".join(sound for _, sound in phrase) for phrase in phrases(sounds, 9)]
    ['ab, cd.', 'ef gh']
    """
    while len(sounds) > most:
        end = _last_end(sounds[: most + 1])
        yield sounds[:end]
        sounds = sounds[end + (sounds[end][1] == " ") :]
    if sounds:
        yield sounds


def _last_end(sounds: Phrase) -> int:
    """Index at which to cut, before the last sound."""
    for ends in (_SENTENCE_END, _CLAUSE_END, None):
        for i in range(len(sounds) - 1, 0, -1):
            if sounds[i][1] == " " and (ends is None or sounds[i - 1][1] in ends):
                return i
    return len(sounds) - 1
