"""Which conversations a report lets one hear: few, the same each time, and as different as the build has them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from datagen.records import Streams
from datagen.seeds import digest
from datagen.shards.unit import File

_LONG_S = 60
"""Conversations that are shorter are preferred."""
_FIRST = ("barge_in", "backchannel")
"""What a listener asks for first, so it counts twice."""


@dataclass(frozen=True)
class Candidate:
    """A conversation, where it lies, and what it has to show."""

    dialogue_id: str
    file: File
    index: int
    """Its row of that file."""
    traits: frozenset[str]
    too_long: bool

    @classmethod
    def of(cls, streams: Streams, file: File, index: int, rate_hz: int) -> "Candidate":
        """What a conversation has to show: its events by kind and role, and its language."""
        events = {f"{event.kind} {event.role}" for event in streams.events if event.placed}
        traits = frozenset((*events, f"language {streams.language}"))
        return cls(streams.dialogue_id, file, index, traits, streams.n_samples > _LONG_S * rate_hz)

    @property
    def rank(self) -> tuple[bool, int]:
        """Order among those that show the same: short ones first, then as a hash of the id has it."""
        return self.too_long, digest("report", self.dialogue_id)


@dataclass
class Sample:
    """Chooses among any number of conversations, and holds only a few for each set of traits."""

    n_most: int
    _by_traits: dict[frozenset[str], list[Candidate]] = field(default_factory=dict)

    def offer(self, candidate: Candidate) -> None:
        """Take a conversation into account."""
        alike = self._by_traits.setdefault(candidate.traits, [])
        alike.append(candidate)
        alike.sort(key=lambda c: c.rank)
        del alike[self.n_most :]

    def chosen(self) -> list[Candidate]:
        """At most `n_most`, each the one that adds most to those before: a trait shown k times counts 1 / (k + 1)."""
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
    return sum((2 if trait.split()[0] in _FIRST else 1) / (shown[trait] + 1) for trait in sorted(traits))


def stretch(streams: Streams, n_most: int, rate_hz: int, hop_samples: int) -> tuple[int, int]:
    """Which frames of a conversation to show: all, or of a long one the stretch in which most kinds of things happen.

    Args:
        streams: The conversation.
        n_most: Frames to show at most.
        rate_hz: Samples a second.
        hop_samples: Samples a frame.

    Returns:
        First frame and frame after the last.
    """
    n_frames = streams.n_samples // hop_samples
    if n_frames <= n_most:
        return 0, n_frames
    lead = 5 * rate_hz // hop_samples
    events = [(event.start_samples // hop_samples, event.kind, event.role) for event in streams.events if event.placed]
    starts = sorted({0, *(min(max(at - lead, 0), n_frames - n_most) for at, _, _ in events)})

    def n_kinds(start: int) -> int:
        return len({(kind, role) for at, kind, role in events if start <= at < start + n_most})

    first = max(starts, key=lambda start: (n_kinds(start), -start))
    return first, first + n_most
