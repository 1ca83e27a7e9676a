"""Does the user's code repeat at some lag, so that "differs from then" finds the voice?"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from datagen.audit.finding import Example, Finding, Verdict
from datagen.audit.talk import AuditedConversation

_N_LAGS = 2000 + 12
_N_FRAMES_MOST = 1_000_000
_N_NEAR = 12
"""Neighbours on each side that a lag is compared with."""
_N_PAIRS_LEAST = 2000
_LIMIT = 0.02
_Z = 4.5
"""Standard errors by which the best of some 2,000 lags must stand out: one of a thousand builds does by chance."""


@dataclass
class VoiceFromPeriodicity:
    """Compares each silent frame of the user with the one L frames earlier, for all lags L."""

    _codes: list[NDArray[np.uint16]] = field(default_factory=list)
    _silent: list[NDArray[np.bool_]] = field(default_factory=list)
    _n_frames: int = 0

    def add(self, talk: AuditedConversation) -> None:
        """Keep codes of the user until there are enough of them."""
        if self._n_frames < _N_FRAMES_MOST and len(talk.streams.user_codes):
            self._codes.append(talk.streams.user_codes.astype(np.uint16))
            self._silent.append(talk.user_silent)
            self._n_frames += len(talk.streams.user_codes)

    def finding(self) -> Finding:
        """The lag whose share of equal codes stands out most from its neighbours'."""
        name = "voice_from_periodicity"
        meaning = "Codes of the silent user equal those some lag earlier more often than at lags nearby."
        found = equal_shares(self._codes, self._silent)
        excess, near = stands_out(found.shares)
        enough = (found.n_pairs >= _N_PAIRS_LEAST) & np.isfinite(excess)
        if not enough.any():
            verdict: Verdict = "not enough data" if self._n_frames else "not applicable"
            return Finding(name, meaning, None, self._n_frames, None, None, verdict)
        scaled = np.where(enough, excess * np.sqrt(found.n_pairs), 0.0)
        spread = 1.4826 * float(np.median(np.abs(scaled[enough])))
        counts = enough & (scaled > _Z * spread)
        best = int(np.argmax(np.where(counts if counts.any() else enough, excess, -1.0)))
        score, chance = float(found.shares[best]), float(near[best])
        recall, alarms = detector(self._codes, self._silent, best)
        fails = bool(counts.any()) and score > chance + _LIMIT
        return Finding(
            name,
            meaning,
            score,
            int(found.n_pairs[best]),
            chance,
            chance + _LIMIT,
            "fail" if fails else "pass",
            (Example("", f"lag of {best} frames"),) if fails else (),
            {"lag_frames": best, "detector_recall": recall, "detector_false_alarms": alarms},
        )


@dataclass(frozen=True, slots=True)
class _Shares:
    shares: NDArray[np.float64]
    n_pairs: NDArray[np.int64]


def equal_shares(codes: list[NDArray[np.uint16]], silent: list[NDArray[np.bool_]], n_lags: int = _N_LAGS) -> _Shares:
    """Share of pairs of silent frames at each lag whose codes are equal, pairs within one conversation only.

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
    """By how much each lag's share is above the mean of its neighbours on both sides, and that mean.

    Lags with fewer neighbours are left out (NaN): sounds last, so the shortest lags are unlike all others. A shorter
    period shows at its multiples.

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
