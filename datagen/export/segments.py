"""The utterances of a conversation as an export lists them: each with its words, some merged or dropped."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from datagen.export.convention import Convention
from datagen.records import CHANNEL, Role, Spoken, Streams, Word


@dataclass(frozen=True)
class Segment:
    """Speech of one speaker; times in samples of the conversation."""

    role: Role
    kind: str
    turn: int
    voice: str
    text: str
    unsaid: str
    words: tuple[Word, ...]
    start_samples: int
    end_samples: int
    index: int
    """Index of its first utterance in `utterances`."""


def segments(streams: Streams, convention: Convention) -> list[Segment]:
    """Audible utterances with text in the order of their start, as the convention lists them."""
    heard = [
        Segment(u.role, u.kind, u.turn, u.voice, u.said, u.unsaid, u.words, u.start_samples, u.end_samples, index)
        for index, u in enumerate(streams.utterances)
        if _is_listed(u, convention)
    ]
    listed = [s for role in CHANNEL for s in _merged([s for s in heard if s.role == role], convention)]
    return sorted(listed, key=lambda s: (s.start_samples, s.index))


def _is_listed(u: Spoken, convention: Convention) -> bool:
    return bool(u.said) and u.end_samples > u.start_samples and convention.kinds.get(u.kind) != "drop"


def _merged(own: list[Segment], convention: Convention) -> list[Segment]:
    """One speaker's segments; what is merged becomes part of the next one, or of the one before."""
    own = sorted(own, key=lambda s: (s.start_samples, s.index))
    waiting: list[Segment] = []
    found: list[Segment] = []
    for segment in own:
        if convention.kinds.get(segment.kind) == "merge":
            waiting.append(segment)
        else:
            found.append(joined([*waiting, segment], segment))
            waiting = []
    if waiting and found:
        found[-1] = joined([found[-1], *waiting], found[-1])
    elif waiting:  # nothing to merge with
        found = waiting
    return found


def joined(parts: list[Segment], of: Segment) -> Segment:
    """Several segments of one speaker as one, with all other values of one of them."""
    return replace(
        of,
        text=" ".join(part.text for part in parts),
        words=tuple(word for part in parts for word in part.words),
        start_samples=min(part.start_samples for part in parts),
        end_samples=max(part.end_samples for part in parts),
        index=parts[0].index,
    )


def marked(segment: Segment, frame_samples: int) -> str:
    """The words of a segment between their frames, counted from its start, as newer NeMo reads them.

    Args:
        segment: The segment; without words, its text is returned unchanged.
        frame_samples: Length of a frame.

    >>> word = Word("Hey", 2_400, 9_600)
    >>> marked(Segment("user", "turn", 0, "", "Hey", "", (word,), 0, 9_600, 0), 1_920)
    '<|1|> Hey <|5|>'
    """
    if not segment.words:
        return segment.text
    return " ".join(_marked(words, segment.start_samples, frame_samples) for words in segment.words)


def _marked(word: Word, start: int, frame_samples: int) -> str:
    first = (word.start_samples - start) // frame_samples
    last = -(-(word.end_samples - start) // frame_samples)
    return " ".join(f"<|{first}|> {part} <|{last}|>" for part in word.text.split())


def words_of(found: Iterable[Segment], role: Role) -> list[Word]:
    """A speaker's words in the order of time."""
    words = [word for segment in found if segment.role == role for word in segment.words]
    return sorted(words, key=lambda word: (word.start_samples, word.end_samples))
