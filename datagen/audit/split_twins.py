"""Does an evaluation dialogue have a near-duplicate in train?"""

import re
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from datagen.audit.finding import Example, Finding, first, share, verdict
from datagen.audit.reading import Text
from datagen.seeds import digest, fraction, rng

_JACCARD = 0.5
_LIMIT = 0.01
_SHINGLE = 5
_N_LEAST = 3
_N_LOOKED_UP = 1000
_N_HASHES_MOST = 20_000_000
_CHARACTERS_USUAL = 2000
"""Of a dialogue, to choose a share of shingles that fits into memory."""
_BLOCK = 4096


@dataclass
class TwinsAcrossSplits:
    """Looks for dialogues of validation and test that share half of their character 5-grams with one of train.

    Exact up to some 10,000 dialogues; beyond that on a keyed share of all 5-grams, an unbiased estimate. By chance,
    as many dialogues would have a twin if splits were drawn at random: the share of train dialogues that have one in
    train is measured.
    """

    n_dialogues: int
    _hashes: dict[str, list[NDArray[np.uint64]]] = field(default_factory=lambda: {"train": [], "held_out": []})
    _ids: dict[str, list[str]] = field(default_factory=lambda: {"train": [], "held_out": []})
    _groups: dict[str, set[bool]] = field(default_factory=dict)

    def add(self, text: Text) -> None:
        """Keep hashes of a dialogue's 5-grams; of held-out ones, of at most about 1,000."""
        where = "train" if text.split == "train" else "held_out"
        if text.group:
            self._groups.setdefault(text.group, set()).add(where == "train")
        if where == "train" or fraction("audit", "twins", text.dialogue_id) < 10 * _N_LOOKED_UP / max(
            self.n_dialogues, 1
        ):
            least = min(1.0, _N_HASHES_MOST / (max(self.n_dialogues, 1) * _CHARACTERS_USUAL))
            self._hashes[where].append(shingles(text.text, least))
            self._ids[where].append(text.dialogue_id)

    def finding(self) -> Finding:
        """Share of held-out dialogues with a twin."""
        name = "twins_across_splits"
        meaning = "A dialogue of validation or test shares half of its character 5-grams with one of train."
        if not self._hashes["train"] or not self._hashes["held_out"]:
            return Finding(name, meaning, None, 0, None, _LIMIT, "not applicable")
        looked_up = _chosen(self._ids["held_out"])
        alike, which = self._nearest(self._hashes["held_out"], looked_up, {})
        control = _chosen(self._ids["train"])[: max(len(looked_up), 50)]
        by_chance, _ = self._nearest(self._hashes["train"], control, {k: k for k in control})
        found = [(alike[k], self._ids["held_out"][at], self._ids["train"][which[k]]) for k, at in enumerate(looked_up)]
        twins = sorted((each for each in found if each[0] >= _JACCARD), reverse=True)
        score = share(len(twins), len(looked_up))
        torn = sum(len(sides) > 1 for sides in self._groups.values())
        return Finding(
            name,
            meaning,
            score,
            len(looked_up),
            float((by_chance >= _JACCARD).mean()),
            _LIMIT,
            verdict(score, len(looked_up), _LIMIT, _N_LEAST),
            first([Example(here, f"{likeness:.2f} like {there}") for likeness, here, there in twins]),
            {"groups_in_two_splits": float(torn)} if self._groups else {},
        )

    def _nearest(
        self, rows: list[NDArray[np.uint64]], chosen: list[int], own: dict[int, int]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The largest Jaccard index of each chosen dialogue with one of train that is not itself, and which one."""
        queries = [rows[k] for k in chosen]
        known = np.unique(np.concatenate(queries))
        left = _matrix(queries, known)
        best, at = np.zeros(len(chosen)), np.zeros(len(chosen), np.int64)
        sizes = np.array([len(q) for q in queries])
        for begin in range(0, len(self._hashes["train"]), _BLOCK):
            block = self._hashes["train"][begin : begin + _BLOCK]
            common = np.asarray((left @ _matrix(block, known).T).todense(), np.float64)
            union = sizes[:, None] + np.array([len(b) for b in block])[None, :] - common
            likeness = common / np.maximum(union, 1)
            for k, index in enumerate(chosen):
                if index in own and begin <= own[index] < begin + len(block):
                    likeness[k, own[index] - begin] = 0
            top = likeness.argmax(axis=1)
            value = likeness[np.arange(len(chosen)), top]
            at = np.where(value > best, top + begin, at)
            best = np.maximum(best, value)
        return best, at


def shingles(text: str, kept: float = 1.0) -> NDArray[np.uint64]:
    """Hashes of the different character 5-grams of a text, sorted; only letters and digits count, case does not.

    Args:
        text: Any text.
        kept: Share of all 5-grams to keep, the same ones of every text.

    >>> len(shingles("Green tea!")), np.array_equal(shingles("Ab c d e"), shingles("abcde"))
    (4, True)
    """
    letters = re.sub(r"[\W_]+", "", text.lower()).ljust(_SHINGLE, "\0")
    characters = np.frombuffer(letters.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    windows = np.lib.stride_tricks.sliding_window_view(characters, _SHINGLE)
    hashes = (windows * _powers()).sum(axis=1, dtype=np.uint64)
    hashes ^= hashes >> np.uint64(31)
    hashes *= np.uint64(0x9E3779B97F4A7C15)
    return np.unique(hashes[hashes <= np.uint64(kept * (2**64 - 2048))])


@cache
def _powers() -> NDArray[np.uint64]:
    return rng(0, "audit", "shingles").integers(1, 2**63, _SHINGLE, dtype=np.uint64) | np.uint64(1)


def _chosen(ids: list[str]) -> list[int]:
    """Places of at most so many dialogues, chosen by their ids."""
    return sorted(range(len(ids)), key=lambda k: digest("audit", "twins", ids[k]))[:_N_LOOKED_UP]


def _matrix(rows: list[NDArray[np.uint64]], known: NDArray[np.uint64]) -> sparse.csr_matrix:
    """Which of the known hashes each row has: [n_rows, n_known]."""
    columns, ends = [], [0]
    for row in rows:
        at = np.minimum(np.searchsorted(known, row), max(len(known) - 1, 0))
        columns.append(at[known[at] == row] if len(known) else at[:0])
        ends.append(ends[-1] + len(columns[-1]))
    indices = np.concatenate(columns)
    return sparse.csr_matrix((np.ones(len(indices), np.int32), indices, ends), (len(rows), len(known)))
