"""The choice of what a report plays: conversations, the stretch of each, and the event at which it opens."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from datagen.records import TRANSFERS, Event, Streams
from datagen.seeds import digest
from datagen.shards.unit import File

LEAD_S = 2
"""Seconds before an event at which a listener starts."""
_LONG_S = 60
"""Shorter conversations are preferred."""
FIRST = ("barge_in", "backchannel")
"""Events that count twice, because listeners look for them first."""
_FEWEST_S, _MOST_S = 20, 120
"""Least and most seconds shown of a long conversation."""


@dataclass(frozen=True)
class Candidate:
    """A conversation with its place and its traits."""

    dialogue_id: str
    file: File
    index: int
    """Row of that file."""
    traits: frozenset[str]
    too_long: bool

    @classmethod
    def of(cls, streams: Streams, file: File, index: int, rate_hz: int) -> "Candidate":
        """A conversation whose traits are its language and its events by kind and role."""
        events = {f"{event.kind} {event.role}" for event in streams.events if event.placed}
        traits = frozenset((*events, f"language {streams.language}"))
        return cls(streams.dialogue_id, file, index, traits, streams.n_samples > _LONG_S * rate_hz)

    @property
    def rank(self) -> tuple[bool, int]:
        """Order among equal traits: short ones first, then by a hash of the id."""
        return self.too_long, digest("report", self.dialogue_id)


@dataclass
class Sample:
    """Chooses among any number of conversations; holds only a few for each set of traits."""

    n_most: int
    _by_traits: dict[frozenset[str], list[Candidate]] = field(default_factory=dict)

    def offer(self, candidate: Candidate) -> None:
        """Consider a conversation."""
        alike = self._by_traits.setdefault(candidate.traits, [])
        alike.append(candidate)
        alike.sort(key=lambda c: c.rank)
        del alike[self.n_most :]

    def chosen(self) -> list[Candidate]:
        """At most `n_most`, each adding most to those before; a trait shown k times counts 1 / (k + 1)."""
        left = [candidate for alike in self._by_traits.values() for candidate in alike]
        shown: Counter[str] = Counter()
        found: list[Candidate] = []
        while left and len(found) < self.n_most:
            best = min(left, key=lambda c: (-_worth(c.traits, shown), c.rank))
            left.remove(best)
            found.append(best)
            shown.update(best.traits)
        return found


def _worth(traits: Iterable[str], shown: Counter[str]) -> float:
    return sum((2 if trait.split()[0] in FIRST else 1) / (shown[trait] + 1) for trait in sorted(traits))


def stretch(streams: Streams, n_most: int, rate_hz: int, hop_samples: int) -> tuple[int, int]:
    """The frames of a conversation to show: all, or the stretch with the most kinds of events before its last seconds.

    Args:
        streams: The conversation.
        n_most: Most frames to show.
        rate_hz: Samples per second.
        hop_samples: Samples per frame.

    Returns:
        First frame and frame after the last.
    """
    n_frames = streams.n_samples // hop_samples
    if n_frames <= n_most:
        return 0, n_frames
    lead = 5 * rate_hz // hop_samples
    events = [(event.start_samples // hop_samples, event.kind, event.role) for event in streams.events if event.placed]
    starts = sorted({0, *(min(max(at - lead, 0), n_frames - n_most) for at, _, _ in events)})

    def worth(start: int) -> int:
        kinds = {(kind, role) for at, kind, role in events if start <= at < start + n_most - lead}
        return sum(2 if kind in FIRST else 1 for kind, _ in kinds)

    first = max(starts, key=lambda start: (worth(start), -start))
    return first, first + n_most


def longest(lengths_s: Sequence[float], sound_s: int) -> int:
    """Most seconds to show of a conversation so that all together have `sound_s`.

    >>> longest([30, 30, 500], 160), longest([500] * 10, 100), longest([30], 900)
    (100, 20, 120)
    """
    fitting = (n for n in range(_MOST_S, _FEWEST_S, -1) if sum(min(length, n) for length in lengths_s) <= sound_s)
    return next(fitting, _FEWEST_S)


def opening(events: Iterable[Event]) -> Event | None:
    """The event at which a conversation is opened: the first barge-in, else backchannel, else another; None if none.

    The user's come before the assistant's. Changes of the floor do not count.

    >>> opening([Event("hesitation", "user", 5, 9), Event("barge_in", "user", 70, 90)]).kind
    'barge_in'
    """
    found = sorted((event for event in events if event.kind not in TRANSFERS), key=lambda event: event.start_samples)
    ranks = {kind: rank for rank, kind in enumerate(FIRST)}
    return min(found, key=lambda event: (ranks.get(event.kind, len(ranks)), event.role != "user"), default=None)


def part(first: int, last: int, at: int, n_most: int) -> tuple[int, int]:
    """At most `n_most` frames of a stretch, from a place on if they fit.

    >>> part(100, 1000, 500, 150), part(100, 1000, 990, 150), part(100, 200, 150, 150)
    ((500, 650), (850, 1000), (100, 200))
    """
    start = max(min(at, last - n_most), first)
    return start, min(start + n_most, last)
