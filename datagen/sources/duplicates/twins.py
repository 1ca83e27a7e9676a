"""Twins: dialogues so similar that a model trained on one cannot be evaluated with the other.

Two dialogues are twins if

- they share enough of their text: the Jaccard similarity of their character 5-grams, as estimated,
  is at or above a threshold; or
- they share a user's turn, except for case, spaces and punctuation, that is no common phrase: it
  has at least 16 letters where it opens both dialogues (about four words, or six Chinese
  characters) and 48 elsewhere, and no more than a tenth of all dialogues (or ten) share it.

Answers alone make no twins: assistants refuse, greet and say goodbye in the same words whatever the
question. Twins of twins are in one cluster. Clusters do not depend on the order of the dialogues;
the compared pairs depend on the signatures alone.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from datagen.sources.duplicates.signatures import N_HASHES

_N_ROWS = 3
"""Values per band. 42 bands of 3 meet with a chance of 0.996 at similarity 0.5, 0.02 at 0.08."""
_N_SORTED = 8
"""Values by which the members of a band are sorted, so that the most similar become neighbours."""
_REST = np.uint64(8 * (_N_SORTED - _N_ROWS))
_OPENING_BYTES = 16
_LATER_BYTES = 48
_AT_ONCE = 1 << 16
"""Pairs compared at once."""

_Ints = NDArray[np.int32]


@dataclass(frozen=True)
class Clusters:
    """Dialogues that have twins, by cluster; members and clusters in the order added."""

    n_dialogues: int
    """All dialogues added, with and without twins."""
    members: tuple[_Ints, ...]
    """Places of the members of each cluster of two or more, ascending."""

    def __len__(self) -> int:
        """Dialogues that have twins."""
        return sum(map(len, self.members))

    @property
    def largest(self) -> int:
        """Members of the largest cluster; 0 if there are no twins."""
        return max(map(len, self.members), default=0)


def most_of(n_dialogues: int) -> int:
    """Limit of dialogues that share a turn or a cluster; more are a pattern of the whole input.

    >>> most_of(30), most_of(5000)
    (10, 500)
    """
    return max(10, n_dialogues // 10)


class Twins:
    """Collector of dialogues that finds the clusters among them.

    Memory is 128 bytes per dialogue, 12 per user's turn that is long enough, and while clusters are
    found 40 more per dialogue, 80 if all are twins (measured at a million).

    >>> from datagen.sources.duplicates.signatures import signatures
    >>> twins = Twins(threshold=0.4)
    >>> texts = "tellmealongstoryaboutadragon", "whataboutrain", "tellmealongstoryaboutdragons"
    >>> twins.add(signatures(texts), [[text] for text in texts])
    >>> [members.tolist() for members in twins.clusters().members]
    [[0, 2]]
    """

    def __init__(self, threshold: float) -> None:
        """Create an empty collector.

        Args:
            threshold: Jaccard similarity of 5-grams, as estimated, from which two dialogues are
                twins, in (0.1, 1].
        """
        if not 0.1 < threshold <= 1:
            raise ValueError(f"threshold {threshold} must be in (0.1, 1]")
        self._n_needed = int(np.ceil(threshold * N_HASHES))
        self._signatures = bytearray()
        self._turns, self._owners = array("Q"), array("I")

    def __len__(self) -> int:
        """Dialogues added."""
        return len(self._signatures) // N_HASHES

    def add(self, signatures: NDArray[np.uint16], users_turns: Sequence[Sequence[str]]) -> None:
        """Add dialogues.

        Args:
            signatures: [n, 128], as from `signatures`.
            users_turns: The user's turns of each, as from `texts_of`.
        """
        for owner, turns in enumerate(users_turns, len(self)):
            for place, turn in enumerate(turns):
                data = turn.encode("utf-8", "surrogatepass")
                if len(data) >= (_LATER_BYTES if place else _OPENING_BYTES):
                    opens = len(data) < _LATER_BYTES  # a turn this short is shared only if both dialogues open with it
                    self._turns.append(int.from_bytes(blake2b(data, digest_size=8, person=b"opens" * opens).digest()))
                    self._owners.append(owner)
        self._signatures += signatures.astype(np.uint8).tobytes()

    def clusters(self) -> Clusters:
        """All clusters of two or more."""
        n = len(self)
        if not n:
            return Clusters(0, ())
        signatures = np.frombuffer(self._signatures, np.uint8).reshape(n, N_HASHES)
        labels = np.arange(n, dtype=np.int32)
        if self._turns:
            labels = _joined(labels, *self._same_turns())
        by_rank = _canonical(signatures)
        for begin in range(0, N_HASHES - _N_ROWS + 1, _N_ROWS):
            one, other = _neighbours(signatures, by_rank, begin)
            apart = labels[one] != labels[other]
            one, other = one[apart], other[apart]
            alike = _n_equal(signatures, one, other) >= self._n_needed
            labels = _joined(labels, one[alike], other[alike])
        many = np.flatnonzero(np.bincount(labels)[labels] > 1).astype(np.int32)
        many = many[np.argsort(labels[many], kind="stable")]
        members = np.split(many, np.flatnonzero(np.diff(labels[many])) + 1) if len(many) else []
        return Clusters(n, tuple(sorted(members, key=lambda each: int(each[0]))))

    def _same_turns(self) -> tuple[_Ints, _Ints]:
        """Pairs that share a turn which is no common phrase."""
        turns, owners = np.frombuffer(self._turns, np.uint64), np.frombuffer(self._owners, np.uint32)
        order = np.argsort(turns, kind="stable")
        turns = turns[order]
        same = turns[1:] == turns[:-1]
        shared = np.append(same, False) | np.insert(same, 0, False)
        turns, owners = turns[shared], owners[order[shared]].astype(np.int32)
        _, which, counts = np.unique(turns, return_inverse=True, return_counts=True)
        joins = (turns[1:] == turns[:-1]) & (counts[which] <= most_of(len(self)))[1:]
        return owners[:-1][joins], owners[1:][joins]


def _canonical(signatures: NDArray[np.uint8]) -> _Ints:
    """Places in an order by the signatures alone; only equal ones keep the input order."""
    words = signatures.view(np.uint64)
    mixed = np.zeros(len(words), np.uint64)
    for column in words.T:
        mixed = (mixed ^ column) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    return np.argsort(mixed, kind="stable").astype(np.int32)


def _neighbours(signatures: NDArray[np.uint8], by_rank: _Ints, begin: int) -> tuple[_Ints, _Ints]:
    """Pairs to compare: equal in the band at `begin`, and neighbours by the next values."""
    band = np.zeros(len(by_rank), np.uint32)
    for column in range(begin, begin + _N_ROWS):
        band = band << np.uint32(8) | signatures[:, column]
    packed = band[by_rank].astype(np.uint64)  # in place from here: this is the peak of planning's memory
    packed <<= _REST
    packed |= np.arange(len(by_rank), dtype=np.uint64)
    packed.sort()
    same = (packed[1:] ^ packed[:-1]) >> _REST == 0
    meet = np.append(same, False) | np.insert(same, 0, False)
    places = by_rank[(packed[meet] & ((np.uint64(1) << _REST) - np.uint64(1))).astype(np.int64)]
    columns = np.arange(begin, begin + _N_SORTED) % N_HASHES
    keys = np.ascontiguousarray(signatures[places[:, None], columns]).view(">u8").ravel().astype(np.uint64)
    order = np.argsort(keys, kind="stable")
    places, same = places[order], np.diff(keys[order] >> _REST) == 0
    return places[:-1][same], places[1:][same]


def _n_equal(signatures: NDArray[np.uint8], one: _Ints, other: _Ints) -> _Ints:
    """Equal values of each pair."""
    found = np.zeros(len(one), np.int32)
    for begin in range(0, len(one), _AT_ONCE):
        chunk = slice(begin, begin + _AT_ONCE)
        found[chunk] = np.count_nonzero(signatures[one[chunk]] == signatures[other[chunk]], axis=1)
    return found


def _joined(labels: _Ints, one: _Ints, other: _Ints) -> _Ints:
    """Labels of clusters after those of each pair have become one."""
    if not len(one):
        return labels
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = coo_array((np.ones(len(one), np.bool_), (labels[one], labels[other])), shape=(len(labels), len(labels)))
    merged: _Ints = connected_components(edges, directed=False)[1].astype(np.int32)[labels]
    return merged
