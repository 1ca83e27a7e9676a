"""The timing of a finished build: the battery of its timelines, and the precision of placement."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from datagen.clock import ms_to_samples
from datagen.intervals import Intervals, bridge, intervals
from datagen.measure.battery import IPU_SILENCE_MS, Battery, Durations, SpeakerTimes
from datagen.records import FLOOR, Role, Spoken, Streams
from datagen.shards.manifest import Manifest
from datagen.shards.schema import streams_of
from datagen.shards.store import Store
from datagen.shards.tables import from_parquet

if TYPE_CHECKING:
    from datagen.recipe import TimingConfig

COLUMNS = [
    *("dialogue_id", "language", "split", "n_samples", "user_codes", "assistant_codes", "events", "mixing"),
    *(f"utterances.list.element.{name}" for name in ("role", "kind", "start_samples", "end_samples", "n_cut_samples")),
    *(f"utterances.list.element.{name}" for name in ("offset_samples", "text_ids", "words")),
]
"""Columns of `conversations` that `Measured.add` needs."""
_OWN_TIME = frozenset(("barge_in", "user_silent", "prompt", "waiting", "call_held", "call_cancelled"))
"""Events that move the start of their utterance away from its scripted offset."""
_LISTENS = {"backchannel": "backchannels", "attempt": "attempts", "aside": "attempts"}
"""Fields of `SpeakerTimes` by the kinds of utterances that claim no floor."""
OFFSETS = ("assistant_fto", "user_fto", "pause")


def conversations(store: Store, manifest: Manifest, with_audio: bool = False) -> Iterator[Streams]:
    """Conversations of a build, one file at a time; audio is read only if requested."""
    columns = [*COLUMNS, *(["audio_flac"] if with_audio else [])]
    for file in manifest.files("conversations"):
        yield from streams_of(from_parquet(store.read(file.key), file.key, columns))


@dataclass
class Placement:
    """Offsets of utterances as placed and as drawn by the script, by OFFSETS."""

    placed: dict[str, Durations] = field(default_factory=lambda: {name: Durations() for name in OFFSETS})
    drawn: dict[str, Durations] = field(default_factory=lambda: {name: Durations() for name in OFFSETS})

    def add(self, streams: Streams, rate_hz: int) -> None:
        """Count the offsets of a conversation, except those that an event such as a barge-in moves."""
        moved = {event.utterance for event in streams.events if event.placed and event.kind in _OWN_TIME}
        results = [event.end_samples for event in streams.events if event.kind == "tool_call"]
        floor = [(k, u) for k, u in enumerate(streams.utterances) if u.kind in FLOOR]
        for (_, before), (k, now) in pairwise(floor):
            waits = any(before.end_samples < result <= now.start_samples for result in results)
            if k not in moved and not before.n_cut_samples and not waits:
                name = "pause" if before.role == now.role else f"{now.role}_fto"
                self.placed[name].add([now.start_samples - before.end_samples], rate_hz)
                self.drawn[name].add([now.offset_samples], rate_hz)

    def figures(self, timing: "TimingConfig") -> dict[str, dict[str, float | int | None]]:
        """W1 from the placed to the drawn offsets and to the recipe's distribution, in milliseconds.

        `w1_by_chance_ms` is the distance to expect of that many draws.
        """
        requested = {"assistant_fto": timing.assistant_fto, "user_fto": timing.user_fto}
        found: dict[str, dict[str, float | int | None]] = {}
        for name, placed in self.placed.items():
            found[name] = {"n": placed.n, "w1_to_drawn_ms": placed.w1(self.drawn[name])}
            if name in requested and placed.n:
                recipes = Durations.of(requested[name].spread())
                found[name] |= {"w1_to_recipe_ms": placed.w1(recipes), "w1_by_chance_ms": recipes.chance_w1(placed.n)}
        return found


@dataclass
class Measured:
    """Sums over a build's timelines."""

    battery: Battery
    placement: Placement = field(default_factory=Placement)
    events: Counter[tuple[str, str, bool]] = field(default_factory=Counter)
    """Events by kind, role, and true if they were placed."""

    def add(self, streams: Streams) -> None:
        """Count a conversation."""
        user, assistant = (speaker(streams, role) for role in ("user", "assistant"))
        n_barge_ins = sum(event.placed and event.kind == "barge_in" for event in streams.events)
        self.battery.add(user, assistant, streams.n_samples, n_barge_ins)
        self.placement.add(streams, self.battery.rate_hz)
        self.events.update((event.kind, event.role, event.placed) for event in streams.events)


def speaker(streams: Streams, role: Role) -> SpeakerTimes:
    """Speech of one speaker by its function."""
    kinds: dict[str, list[tuple[int, int]]] = {"turns": [], "backchannels": [], "attempts": []}
    for u in streams.utterances:
        if u.role == role and u.end_samples > u.start_samples:
            name = _LISTENS.get(u.kind, "turns")
            kinds[name].extend(spoken_intervals(u) if name == "turns" else [(u.start_samples, u.end_samples)])
    return SpeakerTimes(**{name: intervals(pairs) for name, pairs in kinds.items()})


def spoken_intervals(u: Spoken, margin: int = 0) -> list[tuple[int, int]]:
    """Intervals of an utterance's words, from its own start to its own end.

    Args:
        u: The utterance.
        margin: Samples of near silence at both ends of its take, left out; a cut end has none.

    >>> from datagen.records import Word
    >>> import numpy as np
    >>> words = (Word("oh", 12, 20), Word("no", 50, 66))
    >>> spoken_intervals(Spoken("user", "", "", "", "", "", np.zeros(0, np.int32), 10, 70, 0, 0, words))
    [(10, 20), (50, 70)]
    """
    begin, stop = u.start_samples + margin, u.end_samples - (0 if u.n_cut_samples else margin)
    edges = [(max(w.start_samples, begin), min(w.end_samples, stop)) for w in u.words] or [(begin, stop)]
    edges[0] = (begin, edges[0][1])
    edges[-1] = (edges[-1][0], stop)
    return edges


def ipus(
    streams: Streams, role: Role, rate_hz: int, silence_ms: int = IPU_SILENCE_MS, margin_ms: float = 0
) -> Intervals:
    """IPUs of all of a speaker's words; see `spoken_intervals` for the margin."""
    margin = ms_to_samples(margin_ms, rate_hz)
    pairs = [pair for u in streams.utterances if u.role == role for pair in spoken_intervals(u, margin)]
    return bridge(intervals(pairs), ms_to_samples(silence_ms, rate_hz))
