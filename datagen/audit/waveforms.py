"""Is the same waveform heard in two conversations?"""

from collections import defaultdict
from dataclasses import dataclass, field
from math import gcd

import numpy as np
from numpy.typing import NDArray

from datagen.audit.finding import Example, Finding, first, share, standard_error
from datagen.audit.talk import Talk
from datagen.records import Spoken
from datagen.seeds import digest

_LIMIT = 0.01
_N_LEAST = 20
_N_RUN = 12
"""Codes of a run of noise."""
_N_GRAMS_MOST = 4_000_000


@dataclass(frozen=True, slots=True)
class _Take:
    talk: int
    length: int
    """Samples."""
    timing: int
    """Hash of the durations of its words."""


@dataclass
class EqualTakes:
    """Finds utterances of one voice and text whose words last equally long to the sample in two conversations.

    By chance, two takes have equal lengths as often as they differ by exactly one step of the engine's clock: that
    share is measured.
    """

    _takes: dict[int, list[_Take]] = field(default_factory=lambda: defaultdict(list))
    _ids: list[tuple[str, str]] = field(default_factory=list)
    _texts: dict[int, str] = field(default_factory=dict)
    _step: int = 0

    def add(self, talk: Talk) -> None:
        """Keep the fingerprints of all utterances that are heard to their end."""
        self._ids.append((talk.id, talk.streams.split))
        for u in talk.streams.utterances:
            length = u.end_samples - u.start_samples
            if length > 0 and not u.n_cut_samples and u.spoken:
                durations = tuple(w.end_samples - w.start_samples for w in u.words)
                key = digest(u.role, u.voice, u.spoken)
                self._takes[key].append(_Take(len(self._ids) - 1, length, hash((length, durations))))
                self._texts.setdefault(key, f"{u.voice}: {u.spoken[:60]!r}")
                self._step = gcd(self._step, length)

    def finding(self) -> Finding:
        """Share of utterances whose waveform is heard in another conversation too."""
        n = n_equal = n_across = n_near = 0
        examples: list[Example] = []
        for key, takes in self._takes.items():
            n += len(takes)
            places, lengths = defaultdict[int, set[int]](set), defaultdict[int, set[int]](set)
            for take in takes:
                places[take.timing].add(take.talk)
                lengths[take.length].add(take.talk)
            for take in takes:
                others = places[take.timing] - {take.talk}
                n_equal += bool(others)
                n_across += any(self._ids[k][1] != self._ids[take.talk][1] for k in others)
                n_near += sum(
                    bool(lengths.get(take.length + step, set()) - {take.talk}) for step in (-self._step, self._step)
                )
            shared = max(places.values(), key=len)
            if len(shared) > 1:
                where = ", ".join(self._ids[k][0] for k in sorted(shared)[:3])
                text = f"{self._texts[key]} in {len(shared)} conversations: {where}"
                examples.append(Example(self._ids[min(shared)][0], text))
        score, chance = share(n_equal, n), n_near / 2 / n if n else None
        return _judged(
            "equal_waveforms",
            "An utterance has the same waveform in two conversations: same voice, same text, equal lengths of all words.",
            score,
            n,
            chance,
            first(examples),
            {"across_splits": n_across / max(n, 1)},
        )


def _judged(
    name: str,
    meaning: str,
    score: float | None,
    n: int,
    chance: float | None,
    examples: tuple[Example, ...],
    figures: dict[str, float],
) -> Finding:
    """Fails above chance by more than one in a hundred and twice its standard error."""
    if score is None or chance is None:
        return Finding(name, meaning, None, n, None, None, "not applicable")
    limit = chance + _LIMIT
    beyond = score > limit + 2 * standard_error(limit, n)
    verdict = "not enough data" if n < _N_LEAST else "fail" if beyond else "pass"
    return Finding(name, meaning, score, n, chance, limit, verdict, examples if beyond else (), figures)


@dataclass
class SharedNoise:
    """Finds runs of codes of the silent user that occur in two conversations.

    By chance, a run occurs elsewhere as often as the same run read backwards: that share is measured.
    """

    _forwards: list[NDArray[np.uint64]] = field(default_factory=list)
    _backwards: list[NDArray[np.uint64]] = field(default_factory=list)
    _ids: list[str] = field(default_factory=list)
    _n: int = 0

    def add(self, talk: Talk) -> None:
        """Keep hashes of all runs of a conversation."""
        codes, silent = talk.streams.user_codes, talk.user_silent
        if self._n > _N_GRAMS_MOST or len(codes) < _N_RUN:
            return
        windows = np.lib.stride_tricks.sliding_window_view(codes, _N_RUN)
        quiet = np.lib.stride_tricks.sliding_window_view(silent, _N_RUN).all(axis=1)
        windows = windows[quiet & (windows != windows[:, :1]).any(axis=1)]
        self._forwards.append(_hashes(windows))
        self._backwards.append(_hashes(windows[:, ::-1]))
        self._ids.append(talk.id)
        self._n += len(windows)

    def finding(self) -> Finding:
        """Share of runs that occur in another conversation too."""
        name = "shared_noise"
        meaning = f"A run of {_N_RUN} codes of the silent user occurs in two conversations."
        if len(self._ids) < 2 or not self._n:
            return Finding(name, meaning, None, self._n, None, None, "not applicable")
        owners = np.repeat(np.arange(len(self._ids)), [len(each) for each in self._forwards])
        forwards = np.concatenate(self._forwards)
        known, of_one = _owners(forwards, owners)
        found = _elsewhere(forwards, owners, known, of_one)
        by_chance = _elsewhere(np.concatenate(self._backwards), owners, known, of_one)
        shared = np.bincount(owners[found], minlength=len(self._ids))
        examples = [
            Example(self._ids[k], f"{shared[k]} runs that other conversations have too")
            for k in np.argsort(-shared)
            if shared[k]
        ]
        return _judged(name, meaning, float(found.mean()), self._n, float(by_chance.mean()), first(examples), {})


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
    return (known[at] == hashes) & (of_one[at] != owners)
