"""The battery of timing figures, as in dGSLM (Nguyen et al. 2023) and Moshi, from integer intervals.

Each sample of a conversation belongs to one part: speech of one speaker, overlap, pause, gap, or
the silence before the first and after the last word (`edge`). The parts add up to the signal.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datagen.clock import ms_to_samples
from datagen.intervals import (
    ASSISTANT,
    BOTH,
    SILENT,
    USER,
    Intervals,
    Stretch,
    bridge,
    intervals,
    stretches,
    turns,
)

IPU_SILENCE_MS = 200
"""Shorter silences of a speaker belong to the IPU."""
PARTS = ("user", "assistant", "overlap", "pause", "gap", "edge")
KINDS = ("ipu", "pause", "gap", "overlap_within", "overlap_between", "fto_user", "fto_assistant")


@dataclass
class Durations:
    """A distribution of whole milliseconds; its size is the range of the values, not their number."""

    counts: Counter[int] = field(default_factory=Counter)

    @classmethod
    def of(cls, values_ms: ArrayLike) -> "Durations":
        """The distribution of values in milliseconds, rounded.

        >>> Durations.of([10.4, 10, 30]).counts == {10: 2, 30: 1}
        True
        """
        return cls(Counter(np.rint(np.asarray(values_ms, np.float64)).astype(np.int64).tolist()))

    def add(self, samples: Iterable[int], rate_hz: int) -> None:
        """Count durations in samples of a clock of `rate_hz`."""
        self.counts.update(round(n * 1000 / rate_hz) for n in samples)

    def __add__(self, other: "Durations") -> "Durations":
        """The union of two distributions."""
        return Durations(Counter({ms: self.counts[ms] + other.counts[ms] for ms in self.counts | other.counts}))

    @property
    def n(self) -> int:
        """Number of durations."""
        return self.counts.total()

    def sorted(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Values in ascending order and their counts, both int64 [n_values]."""
        pairs = np.array(sorted(self.counts.items()), np.int64).reshape(-1, 2)
        return pairs[:, 0], pairs[:, 1]

    def mean(self) -> float | None:
        """The mean in milliseconds; None if there are none."""
        values, counts = self.sorted()
        return float(np.average(values, weights=counts)) if self.n else None

    def quantiles(self, shares: Iterable[float]) -> list[float]:
        """The quantiles at these shares, interpolated as numpy does.

        Raises:
            ValueError: If there are no values.

        >>> Durations.of([0, 10, 20]).quantiles([0.5, 0.75])
        [10.0, 15.0]
        """
        if not self.n:
            raise ValueError("there are no durations")
        values, counts = self.sorted()
        reached = np.cumsum(counts)
        found = []
        for share in shares:
            place = share * (self.n - 1)
            around = (int(place), min(int(place) + 1, self.n - 1))
            low, high = (values[np.searchsorted(reached, k, "right")] for k in around)
            found.append(float(low + (high - low) * (place - int(place))))
        return found

    def median(self) -> float | None:
        """The median in milliseconds; None if there are none."""
        return self.quantiles([0.5])[0] if self.n else None

    def share_below(self, ms: float) -> float | None:
        """The share of values below `ms`; None if there are none.

        >>> Durations.of([-100, 50, 200, 300]).share_below(200)
        0.5
        """
        return sum(count for value, count in self.counts.items() if value < ms) / self.n if self.n else None

    def mode(self, width_ms: int) -> float | None:
        """Middle of the fullest bin of `width_ms`, the lowest of several; None without values.

        >>> Durations.of([10, 120, 180, 190]).mode(100)
        150.0
        """
        bins: Counter[int] = Counter()
        for value, count in self.counts.items():
            bins[value // width_ms] += count
        return (max(sorted(bins), key=bins.__getitem__) + 0.5) * width_ms if bins else None

    def chance_w1(self, n: int) -> float:
        """Expected W1 distance of `n` draws to this distribution, in milliseconds.

        The mean of |F_n - F| is that of a normal variable of variance F (1 - F) / n (central limit theorem).

        >>> round(Durations.of(range(1000)).chance_w1(100))
        31
        """
        values, counts = self.sorted()
        below = np.cumsum(counts)[:-1] / self.n
        return float(np.sum(np.sqrt(below * (1 - below)) * np.diff(values)) * np.sqrt(2 / (np.pi * n)))

    def w1(self, other: "Durations") -> float | None:
        """The Wasserstein-1 distance in milliseconds; None if either is empty.

        >>> Durations.of([0, 100]).w1(Durations.of([10, 110]))
        10.0
        """
        from scipy.stats import wasserstein_distance

        if not self.n or not other.n:
            return None
        (ours, our_counts), (theirs, their_counts) = self.sorted(), other.sorted()
        return float(wasserstein_distance(ours, theirs, our_counts, their_counts))


@dataclass(frozen=True)
class SpeakerTimes:
    """Speech of one speaker in a conversation, in samples; intervals lie within it."""

    turns: Intervals
    """Speech that holds or takes the floor."""
    backchannels: Intervals
    attempts: Intervals = field(default_factory=lambda: intervals(()))
    """Speech that does not take the floor: attempts, and words to somebody else."""

    def ipus(self, n_least: int) -> Intervals:
        """IPUs of all speech."""
        return bridge(np.concatenate([self.turns, self.backchannels, self.attempts]), n_least)


@dataclass
class Battery:
    """Sums over conversations of one clock; their size does not grow with the build."""

    rate_hz: int
    n_conversations: int = 0
    n_samples: int = 0
    parts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PARTS, 0))
    """Samples by part; they add up to `n_samples`."""
    durations: dict[str, Durations] = field(default_factory=lambda: {kind: Durations() for kind in KINDS})
    n_backchannels: dict[str, int] = field(default_factory=lambda: {"user": 0, "assistant": 0})
    n_barge_ins: int = 0

    def add(self, user: SpeakerTimes, assistant: SpeakerTimes, n_samples: int, n_barge_ins: int = 0) -> None:
        """Count a conversation of `n_samples`, with its number of barge-ins if known."""
        n_least = ms_to_samples(IPU_SILENCE_MS, self.rate_hz)
        ipus = user.ipus(n_least), assistant.ipus(n_least)
        self.n_conversations += 1
        self.n_samples += n_samples
        self.n_barge_ins += n_barge_ins
        for name, speaker in (("user", user), ("assistant", assistant)):
            self.n_backchannels[name] += len(speaker.backchannels)
        for speech in ipus:
            self._count("ipu", (speech[:, 1] - speech[:, 0]).tolist())
        for stretch in stretches(*ipus, n_samples):
            part, kind = _kinds(stretch)
            self.parts[part] += stretch.end - stretch.start
            if kind:
                self._count(kind, [stretch.end - stretch.start])
        for turn in turns(bridge(user.turns, n_least), bridge(assistant.turns, n_least)):
            if turn.fto is not None:
                self._count("fto_assistant" if turn.who else "fto_user", [turn.fto])

    def _count(self, kind: str, samples: Iterable[int]) -> None:
        self.durations[kind].add(samples, self.rate_hz)

    @property
    def fto(self) -> Durations:
        """Offsets of all floor transfers."""
        return self.durations["fto_user"] + self.durations["fto_assistant"]

    @property
    def overlap(self) -> Durations:
        """Lengths of all overlaps."""
        return self.durations["overlap_within"] + self.durations["overlap_between"]

    @property
    def minutes(self) -> float:
        """Length of all conversations."""
        return self.n_samples / self.rate_hz / 60

    def figures(self) -> dict[str, float | None]:
        """Every figure of the battery by name; None if there is nothing to measure."""
        return dict(_figures(self))


def _kinds(stretch: Stretch) -> tuple[str, str]:
    """The part of the signal that a stretch belongs to, and the kind of its duration."""
    holds = bool(stretch.before & stretch.after)
    if stretch.speaks == BOTH:
        return "overlap", "overlap_within" if holds else "overlap_between"
    if stretch.speaks == SILENT:
        part = ("pause" if holds else "gap") if stretch.inside else "edge"
        return part, part if part != "edge" else ""
    return {USER: "user", ASSISTANT: "assistant"}[stretch.speaks], ""


def _figures(b: Battery) -> Iterator[tuple[str, float | None]]:
    fto, overlap = b.fto, b.overlap
    n_speech = b.parts["user"] + b.parts["assistant"] + b.parts["overlap"]
    yield "fto_median_ms", fto.median()
    yield "fto_mean_ms", fto.mean()
    yield "fto_mode_ms", fto.mode(100)
    yield "fto_below_200_share", fto.share_below(200)
    yield "fto_below_500_share", fto.share_below(500)
    yield "gap_median_ms", b.durations["gap"].median()
    yield "pause_median_ms", b.durations["pause"].median()
    yield "overlap_mode_ms", overlap.mode(50)
    yield "overlap_below_1000_share", overlap.share_below(1000)
    yield "overlap_of_signal_share", _ratio(b.parts["overlap"], b.n_samples)
    yield "overlap_of_speech_share", _ratio(b.parts["overlap"], n_speech)
    yield "overlap_of_transfers_share", fto.share_below(0)
    for role in ("user", "assistant"):
        yield from _offsets(role, b.durations[f"fto_{role}"])
    for kind in ("ipu", "pause", "gap", "overlap"):
        found = overlap if kind == "overlap" else b.durations[kind]
        yield f"{kind}s_a_minute", _ratio(found.n, b.minutes)
        yield f"{kind}_seconds_a_minute", _ratio(_seconds(b, kind), b.minutes)
    yield "transfers_a_minute", _ratio(fto.n, b.minutes)
    for role, n in b.n_backchannels.items():
        yield f"{role}_backchannels_a_minute", _ratio(n, b.minutes)
    yield "backchannels_a_minute", _ratio(sum(b.n_backchannels.values()), b.minutes)
    yield "barge_ins_a_minute", _ratio(b.n_barge_ins, b.minutes)


def _offsets(role: str, fto: Durations) -> Iterator[tuple[str, float | None]]:
    """Offsets at which one speaker takes the floor.

    `assistant_earliest_ms` is not of answers alone: it counts a turn that the assistant continues
    while the user barges in (event `competition`).
    """
    yield f"{role}_fto_median_ms", fto.median()
    yield f"{role}_fto_below_200_share", fto.share_below(200)
    yield f"{role}_fto_below_500_share", fto.share_below(500)
    yield f"{role}_overlap_of_transfers_share", fto.share_below(0)
    yield f"{role}_earliest_ms", min(fto.counts, default=None)


def _seconds(b: Battery, kind: str) -> float:
    """Time of all IPUs, pauses, gaps or overlaps; an overlap counts twice among IPUs."""
    if kind == "ipu":
        return (b.parts["user"] + b.parts["assistant"] + 2 * b.parts["overlap"]) / b.rate_hz
    return b.parts[kind] / b.rate_hz


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
