"""The battery of timing figures, as in dGSLM (Nguyen et al. 2023) and Moshi: from intervals of speech, in integers.

Of the time of a conversation each sample is one thing: speech of one speaker, overlap, pause, gap, or the silence
before the first and after the last word (`edge`). So the parts add up to the signal, exactly.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from datagen.clock import ms_to_samples
from datagen.measure.durations import Durations
from datagen.measure.intervals import (
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
"""A speaker's shorter silences belong to the IPU."""
PARTS = ("user", "assistant", "overlap", "pause", "gap", "edge")
KINDS = ("ipu", "pause", "gap", "overlap_within", "overlap_between", "fto_user", "fto_assistant")


@dataclass(frozen=True)
class SpeakerTimes:
    """What one speaker says in a conversation, in samples; intervals lie within it."""

    turns: Intervals
    """Speech that holds the floor, or takes it."""
    backchannels: Intervals
    attempts: Intervals = field(default_factory=lambda: intervals(()))
    """Speech known not to take the floor: attempts, and words to somebody else."""

    def ipus(self, n_least: int) -> Intervals:
        """IPUs of all that is said."""
        return bridge(np.concatenate([self.turns, self.backchannels, self.attempts]), n_least)


@dataclass
class Battery:
    """Sums over conversations of one clock; its size does not grow with them."""

    rate_hz: int
    n_conversations: int = 0
    n_samples: int = 0
    parts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PARTS, 0))
    """Samples by what they are; they add up to `n_samples`."""
    durations: dict[str, Durations] = field(default_factory=lambda: {kind: Durations() for kind in KINDS})
    n_backchannels: dict[str, int] = field(default_factory=lambda: {"user": 0, "assistant": 0})
    n_barge_ins: int = 0

    def add(self, user: SpeakerTimes, assistant: SpeakerTimes, n_samples: int, n_barge_ins: int = 0) -> None:
        """Count a conversation.

        Args:
            user: What the user says.
            assistant: What the assistant says.
            n_samples: Length of the conversation.
            n_barge_ins: How many barge-ins it holds, as far as that is known.
        """
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
        """Every figure of the battery by its name; None where there is nothing to measure."""
        return dict(_figures(self))


def _kinds(stretch: Stretch) -> tuple[str, str]:
    """Which part of the signal a stretch is, and as what its length counts."""
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
    """The offsets at which one speaker takes the floor."""
    yield f"{role}_fto_median_ms", fto.median()
    yield f"{role}_fto_below_200_share", fto.share_below(200)
    yield f"{role}_fto_below_500_share", fto.share_below(500)
    yield f"{role}_overlap_of_transfers_share", fto.share_below(0)
    yield f"{role}_earliest_ms", min(fto.counts, default=None)


def _seconds(b: Battery, kind: str) -> float:
    """Time of all IPUs, pauses, gaps or overlaps; an IPU in an overlap counts for each speaker."""
    if kind == "ipu":
        return (b.parts["user"] + b.parts["assistant"] + 2 * b.parts["overlap"]) / b.rate_hz
    return b.parts[kind] / b.rate_hz


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
