"""Words of a transcript as they are said: marks of annotators dropped, the rest normalized word by word.

| in the transcript | becomes |
|---|---|
| `[laughter]`, `<noise>`, `{breath}`, also over several words | dropped, and counted as transcript_mark |
| `((`, `))` around unclear words; `%um`, `&Name`, `^word`, `@word`, `*word`; `th-` | the word without the mark |
| figures and symbols, as in `25` or `$5` | normalized like any text (`datagen.text`) |
| a word with nothing to say, such as `--` | dropped, and counted as not_spoken |
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from datagen.records import Word
from datagen.text import to_spoken
from datagen.text.phrases import count_letters

_OPEN, _CLOSE = "[<{", "]>}"
_UNCLEAR = re.compile(r"\(\(|\)\)")
_EDGES = re.compile(r"^[-%&^@*~/#+=_(]+|[-*~/#+=_)]+$")
_PLAIN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]*)*[,.?!;:，。？！；：]*")
"""A word that needs no normalization."""


class SpokenWords:
    """Says the words of one conversation's transcript, and counts the dropped ones."""

    def __init__(self, language: str) -> None:
        """Set the language, ISO 639-1."""
        self._language = language
        self.dropped: Counter[str] = Counter()
        """Dropped words by reason."""

    def texts(self, text: str) -> list[str]:
        """The words that are said of a text without times.

        >>> SpokenWords("en").texts("((well)) [laughter] %um I paid 25 th- --")
        ['well', 'um', 'I', 'paid', 'twenty', 'five', 'th']
        """
        return [said for _, said in self._said(text.split())]

    def timed(self, words: Sequence[Word]) -> list[Word]:
        """The words that are said of words with times; several said words share the time of one.

        >>> words = Word("[cough]", 0, 10), Word("25", 10, 30)
        >>> [(w.text, w.start_samples, w.end_samples) for w in SpokenWords("en").timed(words)]
        [('twenty', 10, 22), ('five', 22, 30)]
        """
        found, said = list[Word](), dict[int, list[str]]()
        for place, text in self._said([word.text for word in words]):
            said.setdefault(place, []).append(text)
        for place, texts in said.items():
            found.extend(_shared(words[place], texts))
        return found

    @property
    def notices(self) -> tuple[str, ...]:
        """A notice per reason."""
        return tuple(f"{reason}: {n} words of the transcript" for reason, n in sorted(self.dropped.items()))

    def _said(self, words: Iterable[str]) -> Iterator[tuple[int, str]]:
        """Place of a word, and each word that is said of it."""
        depth = 0
        for place, raw in enumerate(words):
            kept, depth = _outside(raw, depth)
            word = _EDGES.sub("", _UNCLEAR.sub("", kept))
            said = [word] if _PLAIN.fullmatch(word) else to_spoken(word, self._language).split() if word else []
            if not said and (stripped := raw.strip()):
                self.dropped["transcript_mark" if kept != raw or _UNCLEAR.search(stripped) else "not_spoken"] += 1
            yield from ((place, each) for each in said)


def _outside(word: str, depth: int) -> tuple[str, int]:
    """The part of a word outside brackets, and how many are open after it.

    >>> _outside("a[b]c", 0), _outside("[back", 0), _outside("ground]", 1)
    (('ac', 0), ('', 1), ('', 0))
    """
    kept = []
    for char in word:
        if char in _OPEN:
            depth += 1
        elif char in _CLOSE:
            depth = max(depth - 1, 0)
        elif not depth:
            kept.append(char)
    return "".join(kept), depth


def _shared(word: Word, texts: Sequence[str]) -> Iterator[Word]:
    """Several words in the time of one, by their letters."""
    n_letters = [max(count_letters(text), 1) for text in texts]
    at, length = 0, word.end_samples - word.start_samples
    for text, n in zip(texts, n_letters, strict=True):
        first, last = (word.start_samples + length * k // sum(n_letters) for k in (at, at + n))
        yield Word(text, first, last)
        at += n
