"""A piece of one speaker's speech between two silences."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce

from datagen.records import Role, Word
from datagen.text.phrases import joined


@dataclass(frozen=True, slots=True)
class Piece:
    """Speech of one speaker without a silence of `derive.ipu_silence_ms`."""

    role: Role
    start: int
    """Sample of the conversation."""
    end: int
    words: tuple[Word, ...]
    """As said, within the piece."""
    written: str = ""
    """As in the transcript."""
    is_text_known: bool = True
    """False if nobody knows what is said."""
    is_by_words: bool = False
    """True if it begins and ends where a transcript of words has its outer words."""

    @property
    def text(self) -> str:
        """The words as said, with spaces as the language has them."""
        return said([word.text for word in self.words])


def said(words: Iterable[str]) -> str:
    """Words as one text, without spaces between Chinese.

    >>> said(["well,", "then"]), said(["好，", "吧"])
    ('well, then', '好，吧')
    """
    return reduce(joined, words, "")


def join(before: Piece, after: Piece) -> Piece:
    """Two pieces of one speaker as one."""
    return replace(
        before,
        end=after.end,
        words=(*before.words, *after.words),
        written=" ".join(filter(None, (before.written, after.written))),
        is_text_known=before.is_text_known and after.is_text_known,
        is_by_words=before.is_by_words and after.is_by_words,
    )
