"""Predictors from the codes of the silent user: periods of looped noise, and repeated noise."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from datagen.audit.audited import AuditedConversation
from datagen.audit.finding import Example, Finding, first, judged, standard_error

_N_LAGS = 2000 + 12
_N_FRAMES_MOST = 1_000_000
_N_NEAR = 12
"""Neighbours on each side with which a lag is compared."""
_N_PAIRS_LEAST = 2000
_PERIOD_LIMIT = 0.02
_Z = 4.5
"""Standard errors by which the best of some 2,000 lags must stand out; by chance one in a thousand builds does."""
N_RUN = 25
"""Codes of a run; few runs of that length recur by chance."""
_N_RUNS_MOST = 4_000_000
_NOISE_MARGIN = 0.0002


@dataclass
class VoiceFromPeriodicity:
    """Compares each silent frame of the user with the one L frames earlier, for all lags L."""

    _codes: list[NDArray[np.uint16]] = field(default_factory=list)
    _silent: list[NDArray[np.bool_]] = field(default_factory=list)
    _n_frames: int = 0

    def add(self, talk: AuditedConversation) -> None:
        """Keep codes of the user until there are enough of them."""
        if self._n_frames < _N_FRAMES_MOST and len(talk.user_codes):
            self._codes.append(talk.user_codes.astype(np.uint16))
            self._silent.append(talk.user_silent)
            self._n_frames += len(talk.user_codes)

    def finding(self) -> Finding:
        """The lag whose share of equal codes stands out most from its neighbours."""
        name = "voice_from_periodicity"
        meaning = "Codes of the silent user equal those some lag earlier more often than at lags nearby."
        found = equal_shares(self._codes, self._silent)
        excess, near = stands_out(found.shares)
        enough = (found.n_pairs >= _N_PAIRS_LEAST) & np.isfinite(excess)
        if not enough.any():
            verdict = judged(False, self._n_frames, self._n_frames + 1)
            return Finding(name, meaning, None, self._n_frames, None, None, verdict)
        scaled = np.where(enough, excess * np.sqrt(found.n_pairs), 0.0)
        spread = 1.4826 * float(np.median(np.abs(scaled[enough])))
        counts = enough & (scaled > _Z * spread)
        best = int(np.argmax(np.where(counts if counts.any() else enough, excess, -1.0)))
        score, chance = float(found.shares[best]), float(near[best])
        recall, alarms = detector(self._codes, self._silent, best)
        fails = bool(counts.any()) and score > chance + _PERIOD_LIMIT
        return Finding(
            name,
            meaning,
            score,
            int(found.n_pairs[best]),
            chance,
            chance + _PERIOD_LIMIT,
            "fail" if fails else "pass",
            (Example("", f"lag of {best} frames"),) if fails else (),
            {"lag_frames": best, "detector_recall": recall, "detector_false_alarms": alarms},
        )


@dataclass(frozen=True, slots=True)
class _Shares:
    shares: NDArray[np.float64]
    n_pairs: NDArray[np.int64]


def equal_shares(codes: list[NDArray[np.uint16]], silent: list[NDArray[np.bool_]], n_lags: int = _N_LAGS) -> _Shares:
    """Share of pairs of silent frames with equal codes at each lag, within single conversations.

    Args:
        codes: By conversation, each [n_frames].
        silent: Frames that count, of the same shapes.
        n_lags: Largest lag.

    Returns:
        Shares [n_lags + 1], NaN where there are no pairs, and numbers of pairs.

    >>> codes = [np.tile(np.array([1, 2, 3], np.uint16), 4)]
    >>> found = equal_shares(codes, [np.ones(12, bool)], 3)
    >>> found.shares[1:].tolist(), found.n_pairs[1:].tolist()
    ([0.0, 0.0, 1.0], [11, 10, 9])
    """
    pad = np.zeros(n_lags, np.uint16)
    row = np.concatenate([pad, *(part for each in codes for part in (each, pad))])
    counts = np.concatenate([pad > 0, *(part for each in silent for part in (each, pad > 0))])
    now, then = np.where(counts, row, np.uint16(65535)), np.where(counts, row, np.uint16(65534))
    equal, pairs = np.zeros(n_lags + 1, np.int64), np.zeros(n_lags + 1, np.int64)
    for lag in range(1, min(n_lags, len(row) - 1) + 1):
        equal[lag] = np.count_nonzero(now[lag:] == then[:-lag])
        pairs[lag] = np.count_nonzero(counts[lag:] & counts[:-lag])
    return _Shares(np.where(pairs > 0, equal / np.maximum(pairs, 1), np.nan), pairs)


def stands_out(shares: NDArray[np.float64], n_near: int = _N_NEAR) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Excess of each lag's share over the mean of its neighbours on both sides, and that mean.

    Lags with fewer neighbours are NaN: sounds last, so the shortest lags are unlike all others. A
    shorter period shows at its multiples.

    >>> excess, near = stands_out(np.array([np.nan, 0.1, 0.1, 0.7, 0.1, 0.1]), 2)
    >>> round(float(excess[3]), 9), round(float(near[3]), 9)
    (0.6, 0.1)
    """
    near = np.full(len(shares), np.nan)
    for lag in range(n_near + 1, len(shares) - n_near):
        near[lag] = np.mean(np.r_[shares[lag - n_near : lag], shares[lag + 1 : lag + n_near + 1]])
    return shares - near, near


def detector(codes: list[NDArray[np.uint16]], silent: list[NDArray[np.bool_]], lag: int) -> tuple[float, float]:
    """Recall and false alarms of "differs from the code a lag earlier" as a detector of the user's voice."""
    n_speech = n_found = n_silent = n_false = 0
    for row, quiet in zip(codes, silent, strict=True):
        differs, voiced, before = row[lag:] != row[:-lag], ~quiet[lag:], quiet[:-lag]
        n_speech += int(np.count_nonzero(voiced & before))
        n_found += int(np.count_nonzero(voiced & before & differs))
        n_silent += int(np.count_nonzero(~voiced & before))
        n_false += int(np.count_nonzero(~voiced & before & differs))
    return n_found / max(n_speech, 1), n_false / max(n_silent, 1)


@dataclass
class SharedNoise:
    """Finds runs of codes of the silent user that occur in two conversations.

    Chance is the share of runs that occur elsewhere read backwards. Runs of one code are left out,
    because digital silence is the same everywhere.
    """

    _forwards: list[NDArray[np.uint64]] = field(default_factory=list)
    _backwards: list[NDArray[np.uint64]] = field(default_factory=list)
    _ids: list[str] = field(default_factory=list)
    _n: int = 0

    def add(self, talk: AuditedConversation) -> None:
        """Keep hashes of all runs of a conversation."""
        codes, silent = talk.user_codes, talk.user_silent
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
        """Share of runs that also occur in another conversation; fails above twice the chance."""
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
        limit = min(2 * chance + _NOISE_MARGIN, 1.0)
        beyond = score > limit + standard_error(limit, self._n // N_RUN)  # neighbouring runs share most codes
        shared = np.bincount(owners[found], minlength=len(self._ids))
        examples = [
            Example(self._ids[k], f"{shared[k]} runs that other conversations have too")
            for k in np.argsort(-shared, kind="stable")
            if shared[k]
        ]
        verdict = judged(beyond, self._n)
        return Finding(name, meaning, score, self._n, chance, limit, verdict, first(examples) if beyond else ())


def _hashes(windows: NDArray[np.uint16]) -> NDArray[np.uint64]:
    """A 64-bit hash of each row."""
    total = np.zeros(len(windows), np.uint64)
    for column in windows.T:
        total = (total ^ column) * np.uint64(0x9E3779B97F4A7C15)
        total ^= total >> np.uint64(29)
    return total


def _owners(hashes: NDArray[np.uint64], owners: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Each hash once, sorted, and its only conversation; -1 if it has several."""
    order = np.argsort(hashes, kind="stable")
    known, starts = np.unique(hashes[order], return_index=True)
    lowest = np.minimum.reduceat(owners[order], starts)
    highest = np.maximum.reduceat(owners[order], starts)
    return known, np.where(lowest == highest, lowest, -1)


def _elsewhere(
    hashes: NDArray[np.uint64], owners: NDArray[np.int64], known: NDArray[np.uint64], of_one: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """True for hashes that another conversation has."""
    at = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    found: NDArray[np.bool_] = (known[at] == hashes) & (of_one[at] != owners)
    return found
