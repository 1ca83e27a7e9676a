"""Dialogues that are equal except for case, spaces and punctuation."""

import hashlib
import re
import unicodedata

from datagen.records import Dialogue
from datagen.text.markup import fewer_marks

_IGNORED = re.compile(r"[\s!\"#%&'()*,\-./:;?@\[\\\]_{}¡§«¶·»¿\u2010-\u2027\u2030-\u205e\u3001-\u3011\u3014-\u301f]+")
_IGNORED_ASCII = bytes(code for code in range(128) if _IGNORED.fullmatch(chr(code)))
_USER, _ASSISTANT = "user\1", "assistant\1"


def essence_of(dialogue: Dialogue) -> str:
    r"""Roles and texts of a dialogue without inaudible characters: the basis of every comparison.

    >>> from datagen.records import Turn
    >>> essence_of(Dialogue("a", (Turn("user", "Hello, World!"), Turn("assistant", "Hi."))))
    'user\x01helloworld\x00assistant\x01hi'
    """
    return _essence("\0".join([f"{turn.role}\1{turn.text}" for turn in dialogue.turns]))


def exact_key(essence: str) -> bytes:
    """Hash an essence; equal for exact duplicates. Ids, sources and languages do not count.

    Args:
        essence: As of `essence_of`.

    Returns:
        16 bytes.

    >>> from datagen.records import Turn
    >>> a, b = (Dialogue(id, (Turn("user", text),)) for id, text in (("a", "Hello, World!"), ("b", "hello  world")))
    >>> exact_key(essence_of(a)) == exact_key(essence_of(b))
    True
    """
    return hashlib.blake2b(essence.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def texts_of(essence: str) -> tuple[str, list[str]]:
    r"""The text of a dialogue without roles, and its user's turns.

    Args:
        essence: As of `essence_of`.

    Returns:
        All turns joined by NUL, and the user's turns one by one.

    >>> texts_of("user\1hello\0assistant\1hi\0user\1bye")
    ('hello\x00hi\x00bye', ['hello', 'bye'])
    """
    turns = essence.split("\0")
    said = essence.replace(_USER, "").replace(_ASSISTANT, "")
    return said, [turn[len(_USER) :] for turn in turns if turn.startswith(_USER)]


def _essence(text: str) -> str:
    """Drop inaudible characters; symbols and marks stay: 2+2 is not 2-2, vowels may be marks."""
    if text.isascii():
        return text.encode().lower().translate(None, _IGNORED_ASCII).decode()
    text = fewer_marks(text)
    return _IGNORED.sub("", unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()))
