"""A conversation as the predictors read it: stored values only, and what several of them derive from these."""

import re
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from datagen.records import FLOOR, Event, Spoken, Streams
from datagen.shards.chunks import speaks
from datagen.shards.vocab import Vocabulary

_FINAL = re.compile(r"[.?!。？！…][\"'’”」』)）】\s]*$")
_SOUNDS = frozenset(("noise_burst", "other_talker", "laughter", "cough"))
GENERIC = frozenset(("repeat_request", "wait_request", "stop_request", "got_it"))
"""Families of interruptions that refer to nothing."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """The times and ids of a build."""

    rate_hz: int
    hop_samples: int
    n_speech: int
    """Speech tokens per chunk."""
    n_text: int
    """Text tokens per chunk of three_stream."""
    vocabulary: Vocabulary


@dataclass(frozen=True, slots=True)
class RowTokens:
    """A training row, as far as predictors need it."""

    row_id: str
    input_ids: NDArray[np.int32]
    start_frames: int
    n_frames: int
    n_text_tokens: int
    user_turn_ends: NDArray[np.int32]


@dataclass(frozen=True)
class AuditedConversation:
    """A stored conversation with its rows."""

    streams: Streams
    clocks: Clocks
    mixing: dict[str, object] = field(default_factory=dict)
    """As stored, whatever the data version."""
    rows: dict[str, list[RowTokens]] = field(default_factory=dict)
    """By task, in order."""

    @property
    def id(self) -> str:
        """Of the dialogue."""
        return self.streams.dialogue_id

    @property
    def language(self) -> str:
        """Of the dialogue."""
        return self.streams.language

    @cached_property
    def floor(self) -> tuple[Spoken, ...]:
        """Utterances that hold the floor, in order."""
        return tuple(u for u in self.streams.utterances if u.kind in FLOOR and u.end_samples > u.start_samples)

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """Events that happened, in order of time."""
        return tuple(sorted((e for e in self.streams.events if e.placed), key=lambda e: (e.start_samples, e.kind)))

    @cached_property
    def user_silent(self) -> NDArray[np.bool_]:
        """Frames in which no utterance of the user is heard, nor a sound that is an event: bool [n_frames]."""
        silent = ~speaks(self.streams, "user", self.clocks.hop_samples)
        hop = self.clocks.hop_samples
        for event in self.events:
            if event.kind in _SOUNDS and event.role == "user":
                silent[event.start_samples // hop : -(-event.end_samples // hop)] = False
        return silent

    def ms(self, samples: int) -> float:
        """Samples in milliseconds."""
        return 1000 * samples / self.clocks.rate_hz

    def cut_by(self, event: Event) -> tuple[int, Spoken] | None:
        """Index and utterance that a barge-in cut: the other's, with words or sound left, that stops where it ends."""
        for index, u in enumerate(self.streams.utterances):
            stops = u.role != event.role and u.end_samples == event.end_samples
            if stops and u.kind in FLOOR and (u.n_cut_samples or u.unsaid):
                return index, u
        return None

    def interrupting(self, event: Event) -> list[tuple[int, Spoken]]:
        """The utterances of the turn that a barge-in begins, with their indices; pieces of it included."""
        if not 0 <= event.utterance < len(self.streams.utterances):
            return []
        first = self.streams.utterances[event.utterance]
        found = [(event.utterance, first)]
        for index in range(event.utterance + 1, len(self.streams.utterances)):
            u = self.streams.utterances[index]
            if u.kind in FLOOR:
                if (u.role, u.turn) != (first.role, first.turn):
                    break
                found.append((index, u))
        return found

    def families(self, event: Event) -> set[str]:
        """Kinds of the events that say more about a barge-in: those of its utterance and start."""
        return {
            e.kind for e in self.events if e.utterance == event.utterance and e.start_samples == event.start_samples
        }


def turns(talk: AuditedConversation) -> list[list[Spoken]]:
    """The floor as runs of utterances of one speaker, in order."""
    found: list[list[Spoken]] = []
    for u in talk.floor:
        if found and found[-1][0].role == u.role:
            found[-1].append(u)
        else:
            found.append([u])
    return found


def ends_sentence(text: str) -> bool:
    """Whether a text ends with the end of a sentence, closing quotes and brackets left aside.

    >>> ends_sentence("It is on."), ends_sentence('He said "no!"'), ends_sentence("and then"), ends_sentence("好的。")
    (True, True, False, True)
    """
    return bool(_FINAL.search(text))


def text_slots(talk: AuditedConversation, task: str = "three_stream") -> dict[int, NDArray[np.int32]]:
    """The assistant's text stream by chunk of the conversation: the ids of its slots, -1 where there is none."""
    clocks, found = talk.clocks, dict[int, NDArray[np.int32]]()
    width = 2 * clocks.n_speech + clocks.n_text
    for row in talk.rows.get(task, ()):
        grid = row.input_ids[: len(row.input_ids) // width * width].reshape(-1, width)
        slots = grid[:, clocks.n_speech : clocks.n_speech + clocks.n_text]
        slots = np.where(slots < clocks.vocabulary.n_text, slots, -1).astype(np.int32)
        first = row.start_frames // clocks.n_speech
        found.update(zip(range(first, first + len(slots)), slots, strict=True))
    return found
