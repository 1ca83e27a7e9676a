"""Is the same noise heard in two conversations?"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from datagen.audit.finding import Example, Finding, first, standard_error
from datagen.audit.talk import AuditedConversation

N_RUN = 25
"""Codes of a run: so many hardly ever come in the same order by chance."""
_N_RUNS_MOST = 4_000_000
_MARGIN = 0.0002


@dataclass
class SharedNoise:
    """Finds runs of codes of the silent user that occur in two conversations.

    By chance, a run occurs elsewhere as often as the same run read backwards: that share is measured. Runs of one
    code are left out: digital silence is the same everywhere.
    """

    _forwards: list[NDArray[np.uint64]] = field(default_factory=list)
    _backwards: list[NDArray[np.uint64]] = field(default_factory=list)
    _ids: list[str] = field(default_factory=list)
    _n: int = 0

    def add(self, talk: AuditedConversation) -> None:
        """Keep hashes of all runs of a conversation."""
        codes, silent = talk.streams.user_codes, talk.user_silent
        if self._n > _N_RUNS_MOST or len(codes) < N_RUN:
            return
        windows = np.lib.stride_tricks.sliding_window_view(codes, N_RUN)
        quiet = np.lib.stride_tricks.sliding_window_view(silent, N_RUN).all(axis=1)
        windows = windows[quiet & (windows != windows[:, :1]).any(axis=1)]
        self._forwards.append(_hashes(windows))
        self._backwards.append(_hashes(windows[:, ::-1]))
        self._ids.append(talk.id)
        self._n += len(windows)

    def finding(self) -> Finding:
        """Share of runs that occur in another conversation too; fails beyond twice what chance gives."""
        name = "shared_noise"
        meaning = f"A run of {N_RUN} codes of the silent user occurs in two conversations."
        if len(self._ids) < 2 or not self._n:
            return Finding(name, meaning, None, self._n, None, None, "not applicable")
        owners = np.repeat(np.arange(len(self._ids)), [len(each) for each in self._forwards])
        forwards = np.concatenate(self._forwards)
        known, of_one = _owners(forwards, owners)
        found = _elsewhere(forwards, owners, known, of_one)
        score = float(found.mean())
        chance = float(_elsewhere(np.concatenate(self._backwards), owners, known, of_one).mean())
        limit = min(2 * chance + _MARGIN, 1.0)
        beyond = score > limit + standard_error(limit, self._n // N_RUN)  # neighbouring runs share most codes
        shared = np.bincount(owners[found], minlength=len(self._ids))
        examples = [
            Example(self._ids[k], f"{shared[k]} runs that other conversations have too")
            for k in np.argsort(-shared, kind="stable")
            if shared[k]
        ]
        return Finding(
            name,
            meaning,
            score,
            self._n,
            chance,
            limit,
            "fail" if beyond else "pass",
            first(examples) if beyond else (),
        )


def _hashes(windows: NDArray[np.uint16]) -> NDArray[np.uint64]:
    """A 64-bit hash of each row."""
    total = np.zeros(len(windows), np.uint64)
    for column in windows.T:
        total = (total ^ column) * np.uint64(0x9E3779B97F4A7C15)
        total ^= total >> np.uint64(29)
    return total


def _owners(hashes: NDArray[np.uint64], owners: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Each hash once, sorted, and the one conversation that has it; -1 if there are several."""
    order = np.argsort(hashes, kind="stable")
    known, starts = np.unique(hashes[order], return_index=True)
    lowest = np.minimum.reduceat(owners[order], starts)
    highest = np.maximum.reduceat(owners[order], starts)
    return known, np.where(lowest == highest, lowest, -1)


def _elsewhere(
    hashes: NDArray[np.uint64], owners: NDArray[np.int64], known: NDArray[np.uint64], of_one: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which hashes another conversation has."""
    at = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    found: NDArray[np.bool_] = (known[at] == hashes) & (of_one[at] != owners)
    return found
