"""Does the audio say what the timeline says? Starts and ends of IPUs against those a voice activity detector hears.

A start or end agrees if the detector has one of its kind within 60 ms. So a silence of 200 ms on one side can be one of
80 ms on the other; therefore the side that is looked up joins speech only over silences shorter than 80 ms.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from io import BytesIO
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.clock import ms_to_samples
from datagen.engines.base import Audio
from datagen.measure.battery import IPU_SILENCE_MS
from datagen.measure.detectors import Detector
from datagen.measure.intervals import Intervals, bridge
from datagen.measure.timelines import ipus
from datagen.records import CHANNEL, Role, Streams

TOLERANCE_MS = 60
_LOOSE_MS = IPU_SILENCE_MS - 2 * TOLERANCE_MS
EDGES = ("onsets", "offsets")
_LEVELS = ("user_gain_db", "assistant_gain_db")
ROLES: tuple[Role, ...] = ("user", "assistant")


@dataclass
class Agreement:
    """How many starts and ends agree on one channel of several conversations."""

    role: Role
    clean: bool
    margin_ms: float = 0
    """Near silence that takes keep at both ends: the timeline says no speech is there."""
    n_conversations: int = 0
    n_timeline: dict[str, int] = field(default_factory=lambda: dict.fromkeys(EDGES, 0))
    """Starts and ends of the timeline's IPUs."""
    n_heard: dict[str, int] = field(default_factory=lambda: dict.fromkeys(EDGES, 0))
    """Of these, those heard."""
    n_detected: int = 0
    """Starts and ends of what the detector takes for IPUs."""
    n_explained: int = 0
    """Of these, those the timeline has."""
    late_ms: dict[str, list[float]] = field(default_factory=lambda: {edge: [] for edge in EDGES})
    """Heard minus timeline, of those that agree."""

    def add(self, streams: Streams, speech: Intervals, rate_hz: int) -> None:
        """Count a conversation in which a detector found `speech` on the channel."""
        tolerance = ms_to_samples(TOLERANCE_MS, rate_hz)
        strict, loose = (ms_to_samples(ms, rate_hz) for ms in (IPU_SILENCE_MS, _LOOSE_MS))
        told, told_loosely = (
            ipus(streams, self.role, rate_hz, ms, self.margin_ms) for ms in (IPU_SILENCE_MS, _LOOSE_MS)
        )
        self.n_conversations += 1
        for column, edge in enumerate(EDGES):
            late = nearest(told[:, column], bridge(speech, loose)[:, column])
            near = np.abs(late) <= tolerance
            self.n_timeline[edge] += len(near)
            self.n_heard[edge] += int(near.sum())
            self.late_ms[edge].extend((late[near] * 1000 / rate_hz).tolist())
            explained = nearest(bridge(speech, strict)[:, column], told_loosely[:, column])
            self.n_detected += len(explained)
            self.n_explained += int((np.abs(explained) <= tolerance).sum())

    def table(self) -> dict[str, Any]:
        """The figures as a report prints them."""
        n_timeline, n_heard = sum(self.n_timeline.values()), sum(self.n_heard.values())
        return {
            "channel": self.role,
            "clean": self.clean,
            "n_conversations": self.n_conversations,
            "n_onsets": self.n_timeline["onsets"],
            "n_offsets": self.n_timeline["offsets"],
            "onsets_share": _share(self.n_heard["onsets"], self.n_timeline["onsets"]),
            "offsets_share": _share(self.n_heard["offsets"], self.n_timeline["offsets"]),
            "share": _share(n_heard, n_timeline),
            "explained_share": _share(self.n_explained, self.n_detected),
            **{f"{edge}_late_median_ms": float(np.median(ms)) if ms else None for edge, ms in self.late_ms.items()},
        }


def cross_check(
    conversations: Iterable[Streams], detectors: dict[str, Detector], n_most: int, margin_ms: float
) -> list[dict[str, Any]]:
    """Hear the stored audio of conversations.

    Args:
        conversations: Those without audio are passed over.
        detectors: By name; `energy` is asked about clean channels only.
        n_most: Conversations to hear.
        margin_ms: Near silence that takes keep at both ends (`speak.trim_margin_ms`).

    Returns:
        A table for each detector and channel, clean and noisy ones apart.
    """
    found: dict[tuple[str, Role, bool], Agreement] = {}
    for streams, audio, rate_hz in islice(_with_audio(conversations), n_most):
        for name, detector in detectors.items():
            for role in ROLES:
                clean = is_clean(streams, role)
                if clean or name != "energy":
                    agreement = found.setdefault((name, role, clean), Agreement(role, clean, margin_ms))
                    agreement.add(streams, detector(audio[CHANNEL[role]], rate_hz), rate_hz)
    return [{"detector": name, **found[name, role, clean].table()} for name, role, clean in sorted(found)]


def is_clean(streams: Streams, role: Role) -> bool:
    """Whether a channel holds nothing but its speaker's voice, as loud as it was set; the assistant's always does."""
    done = {name: value for name, value in asdict(streams.mixing).items() if name not in _LEVELS}
    return role == "assistant" or not any(done.values())


def nearest(edges: NDArray[np.int64], among: NDArray[np.int64]) -> NDArray[np.float64]:
    """How far from each edge the nearest of `among` lies, positive if later, infinite if there is none.

    >>> nearest(np.array([10, 100]), np.array([12, 40])).tolist()
    [2.0, -60.0]
    """
    if not len(among):
        return np.full(len(edges), np.inf)
    following = np.minimum(np.searchsorted(among, edges), len(among) - 1)
    before = np.maximum(following - 1, 0)
    ahead, behind = among[following] - edges, among[before] - edges
    return np.where(np.abs(behind) < np.abs(ahead), behind, ahead).astype(np.float64)


def _with_audio(conversations: Iterable[Streams]) -> Iterator[tuple[Streams, Audio, int]]:
    """Conversations with their audio, float32 [2, n_samples], and its rate."""
    import soundfile

    for streams in conversations:
        if streams.audio_flac is not None:
            audio, rate_hz = soundfile.read(BytesIO(streams.audio_flac), dtype="float32", always_2d=True)
            yield streams, np.ascontiguousarray(audio.T), int(rate_hz)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
