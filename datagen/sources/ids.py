"""Dialogue ids: unique over all inputs, remembered in a few bytes each."""

from hashlib import blake2b

from datagen.sources.fields import UnfitError, quote


class Ids:
    """The ids taken so far.

    Ids within a file must differ. The same id in two files is no fault, so the later one is
    prefixed with its file's stem.

    >>> ids = Ids()
    >>> ids.next_file("a"), ids.take("7"), ids.next_file("b"), ids.take("7")
    (None, '7', None, 'b:7')
    """

    def __init__(self) -> None:
        # hashes, because ids may be long: about 100 bytes per id in all; with 64 bits the chance of
        # a false clash among a million is 1 in 37 million
        self._earlier: set[bytes] = set()
        self._here: set[bytes] = set()
        self._stem = ""

    def next_file(self, stem: str) -> None:
        """Begin another file: the ids that follow are its own."""
        self._earlier |= self._here
        self._here = set()
        self._stem = stem

    def take(self, given: str) -> str:
        """Make an id unique and remember it.

        Raises:
            UnfitError: `duplicate_id`.
        """
        mark, unique = _mark(given), given
        if mark in self._earlier:
            unique = f"{self._stem}:{given}"
            mark = _mark(unique)
        if mark in self._here or mark in self._earlier:
            raise UnfitError("duplicate_id", f"the id is taken by an earlier record: {quote(given)}")
        self._here.add(mark)
        return unique


def _mark(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=8).digest()
