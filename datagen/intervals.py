"""Speech as integer intervals, and what follows from two speakers' intervals.

An interval array is int64 [n, 2]; each row is a [start, end) in samples of any clock. A recording
in milliseconds has 1,000 samples per second.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Intervals = NDArray[np.int64]

SILENT, USER, ASSISTANT, BOTH = range(4)
"""Speakers as a bit per channel."""


def intervals(pairs: Iterable[tuple[int, int]]) -> Intervals:
    """Pairs of start and end as an interval array.

    >>> intervals([]).shape, intervals([(0, 5)]).tolist()
    ((0, 2), [[0, 5]])
    """
    return np.array(list(pairs), np.int64).reshape(-1, 2)


def true_runs(mask: NDArray[np.bool_]) -> Intervals:
    """The runs in which a mask is true.

    >>> true_runs(np.array([True, False, True, True])).tolist()
    [[0, 1], [2, 4]]
    """
    return np.flatnonzero(np.diff(np.r_[False, mask, False].astype(np.int8))).reshape(-1, 2)


def bridge(speech: Intervals, n_least: int) -> Intervals:
    """One speaker's intervals in order, joined across silences shorter than `n_least` samples.

    With 200 ms the result is the speaker's IPUs. Empty intervals are dropped.

    >>> bridge(intervals([(30, 40), (0, 10), (12, 20), (50, 50)]), 5).tolist()
    [[0, 20], [30, 40]]
    """
    kept = speech[speech[:, 1] > speech[:, 0]]
    if not len(kept):
        return kept
    kept = kept[np.argsort(kept[:, 0], kind="stable")]
    ends = np.maximum.accumulate(kept[:, 1])
    first = np.flatnonzero(np.r_[True, kept[1:, 0] - ends[:-1] >= max(n_least, 1)])
    return np.stack([kept[first, 0], ends[np.r_[first[1:], len(kept)] - 1]], axis=1)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A maximal stretch in which the same channels speak, and the speakers just before and after it."""

    start: int
    end: int
    speaks: int
    before: int
    after: int
    inside: bool
    """False for the first and the last of a conversation."""


def stretches(user: Intervals, assistant: Intervals, n_samples: int) -> Iterator[Stretch]:
    """Cut [0, n_samples) wherever a speaker starts or stops; the stretches cover it completely.

    Args:
        user: IPUs of the user, from `bridge`, within [0, n_samples).
        assistant: IPUs of the assistant.
        n_samples: Length of the conversation.

    >>> for s in stretches(intervals([(0, 4)]), intervals([(3, 6)]), 8):
    ...     print(s.start, s.end, s.speaks)
    0 3 1
    3 4 3
    4 6 2
    6 8 0
    """
    edges = np.unique(np.r_[0, n_samples, user.ravel(), assistant.ravel()])
    speaks = [
        int(u + a) for u, a in zip(USER * _inside(edges, user), ASSISTANT * _inside(edges, assistant), strict=True)
    ]
    last = len(speaks) - 1
    for k, now in enumerate(speaks):
        before, after = speaks[k - 1] if k else SILENT, speaks[k + 1] if k < last else SILENT
        yield Stretch(int(edges[k]), int(edges[k + 1]), now, before, after, 0 < k < last)


def _inside(edges: Intervals, speech: Intervals) -> NDArray[np.int64]:
    """1 if the stretch from an edge to the next lies in an interval, else 0; int64 [n_edges - 1]."""
    started = np.searchsorted(speech[:, 0], edges[:-1], "right")
    ended = np.searchsorted(speech[:, 1], edges[:-1], "right")
    return started - ended


@dataclass(frozen=True)
class TimedTurn:
    """A time during which one speaker holds the floor, inferred from intervals."""

    who: int
    """Channel: 0 user, 1 assistant."""
    fto: int | None
    """Its start minus the end of the previous holder's speech; None for the first turn."""
    speech: list[tuple[int, int]]
    """The holder's IPUs."""
    inside: list[tuple[int, int]]
    """The other's IPUs that lie within them and so do not take the floor."""


def turns(user: Intervals, assistant: Intervals) -> list[TimedTurn]:
    """Turns from two speakers' IPUs without backchannels.

    A speaker takes the floor by speaking past the end of the holder's speech. If both start and end
    together, the holder keeps it.

    >>> [(t.who, t.fto) for t in turns(intervals([(0, 10), (18, 30)]), intervals([(4, 6), (12, 20)]))]
    [(0, None), (1, 2), (0, -2)]
    """
    found: list[TimedTurn] = []
    held_until, holder = 0, 0
    waiting = [[(int(start), int(end)) for start, end in reversed(ipus)] for ipus in (user, assistant)]
    while any(waiting):
        _, _, who = min((waiting[k][-1], k != holder, k) for k in (0, 1) if waiting[k])
        start, end = waiting[who].pop()
        if found and who == holder:
            found[-1].speech.append((start, end))
            held_until = max(held_until, end)
        elif not found or end > held_until:
            found.append(TimedTurn(who, start - held_until if found else None, [(start, end)], []))
            held_until, holder = end, who
        else:
            found[-1].inside.append((start, end))
    return found


def backchannels(own: Intervals, other: Intervals, rate_hz: int) -> NDArray[np.bool_]:
    """True for IPUs that look like backchannels, in recordings without such labels; bool [n].

    A backchannel is at most 1 s long, has at least 1 s of the speaker's own silence on both sides,
    and the other speaks in the second before and in the second after it. Length and isolation are
    the rule of Voice Activity Projection (Ekstedt & Skantze 2022, class `Backchannel`); 1 s is also
    the limit of "very short utterances" (Edlund et al. 2010). A short answer between two questions
    counts as one.

    Args:
        own: IPUs of the speaker.
        other: IPUs of the other speaker.
        rate_hz: Samples per second.

    >>> backchannels(intervals([(5000, 5400), (9000, 9400)]), intervals([(0, 8000)]), 1000).tolist()
    [True, False]
    """
    if not len(own):
        return np.zeros(0, np.bool_)
    starts, ends = own[:, 0], own[:, 1]
    silence_before = starts - np.r_[-rate_hz, ends[:-1]]
    silence_after = np.r_[starts[1:], ends[-1] + rate_hz] - ends
    isolated = (ends - starts <= rate_hz) & (silence_before >= rate_hz) & (silence_after >= rate_hz)
    found: NDArray[np.bool_] = isolated & _touches(starts - rate_hz, starts, other)
    return found & _touches(ends, ends + rate_hz, other)


def _touches(begin: Intervals, end: Intervals, speech: Intervals) -> NDArray[np.bool_]:
    """True if any interval of `speech` has a sample in [begin, end)."""
    started = np.searchsorted(speech[:, 0], end, "left")
    ended = np.searchsorted(speech[:, 1], begin, "right")
    return started > ended
