"""Laying a conversation into chunks: full-length token streams, text slots, windows, positions.

What `stages/flatten.py` stands on; all in frames, chunks and slots, never in samples or seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from datagen.records import FLOOR, Event, Spoken, Streams
from datagen.units import ceil_div
from datagen.vocab import Ids, Vocabulary

Frames = NDArray[np.int64]


def windows(n_chunks: int, n_most: int, busy: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Cut [0, n_chunks) into windows of at most `n_most` chunks, where it hurts least.

    Args:
        n_chunks: Chunks of the conversation.
        n_most: Chunks a window may hold, at least 1.
        busy: int64 [n_chunks + 1]; how bad a cut before chunk k is, 0 where everyone is silent.

    Returns:
        Windows [first, last) that cover all chunks; each ends at the latest of its least busy cuts.

    >>> windows(7, 4, np.array([0, 0, 1, 1, 1, 0, 0, 0]))
    [(0, 1), (1, 5), (5, 7)]
    """
    found, first = [], 0
    while n_chunks - first > n_most:
        choice = busy[first + 1 : first + n_most + 1]
        last = first + n_most - int(np.argmin(choice[::-1]))
        found.append((first, last))
        first = last
    if n_chunks > first:
        found.append((first, n_chunks))
    return found


def speaks(streams: Streams, role: str, hop_samples: int) -> NDArray[np.bool_]:
    """Which frames an utterance of this role touches: bool [n_frames]. Elsewhere a stream may carry special silence."""
    heard = np.zeros(len(streams.user_codes), np.bool_)
    for u in streams.utterances:
        if u.role == role and u.end_samples > u.start_samples:
            heard[u.start_samples // hop_samples : ceil_div(u.end_samples, hop_samples)] = True
    return heard


@dataclass(frozen=True)
class Utterance:
    """An utterance in frames, with its ids."""

    role: str
    kind: str
    turn: int
    first: int
    last: int
    ids: Ids
    speech: Ids


@dataclass(frozen=True)
class Talk:
    """A conversation as full-length token streams and frame positions, shared by all tasks."""

    streams: Streams
    n_frames: int
    user: Ids
    assistant: Ids
    assistant_fill: int
    utterances: tuple[Utterance, ...]
    user_turn_ends: Frames
    events: tuple[Event, ...]
    """Those that happened, in order of time."""
    event_starts: Frames
    event_ends: Frames

    @classmethod
    def of(cls, streams: Streams, vocabulary: Vocabulary, hop: int, silence: str, silence_code: int) -> "Talk":
        """The streams of a conversation; `silence` is the recipe's `assistant_silence`."""
        user, assistant = vocabulary.speech(streams.user_codes), vocabulary.speech(streams.assistant_codes)
        channels = {"user": user, "assistant": assistant}
        heard = (u for u in streams.utterances if u.end_samples > u.start_samples)
        utterances = tuple(_utterance(u, channels[u.role], hop) for u in heard)
        fill = vocabulary["<|speech_silence|>"]
        if silence == "special":
            assistant = np.where(speaks(streams, "assistant", hop), assistant, np.int32(fill))
        else:
            fill = vocabulary.speech_offset + silence_code
        events = sorted((e for e in streams.events if e.placed), key=lambda e: (e.start_samples, e.end_samples))
        return cls(
            streams,
            len(user),
            user,
            assistant,
            fill,
            utterances,
            np.array([ceil_div(end, hop) for end in user_turn_ends(streams)], np.int64),
            tuple(events),
            np.array([ceil_div(e.start_samples, hop) for e in events], np.int64),
            np.array([ceil_div(e.end_samples, hop) for e in events], np.int64),
        )

    def turns(self) -> tuple[Utterance, ...]:
        """What holds the floor, the pieces of a turn joined with the pauses between them; nothing beside it."""
        found: list[Utterance] = []
        for u in self.utterances:
            if u.kind not in FLOOR:
                continue
            if found and (found[-1].role, found[-1].turn) == (u.role, u.turn):
                channel = self.user if u.role == "user" else self.assistant
                u = replace(u, first=found[-1].first, ids=joined(found.pop().ids, u.ids))
                u = replace(u, speech=channel[u.first : u.last])
            found.append(u)
        return tuple(found)

    def busy(self, n_speech: int, n_chunks: int) -> NDArray[np.int64]:
        """How bad it is to cut before each chunk: 2 within the assistant's utterance, 1 within the user's."""
        busy = np.zeros(n_chunks + 1, np.int64)
        for u in self.utterances:
            busy[u.first // n_speech + 1 : ceil_div(u.last, n_speech)] += 2 if u.role == "assistant" else 1
        return busy


def user_turn_ends(streams: Streams) -> list[int]:
    """Samples at which a user's turn ends and the assistant takes the floor, or nobody does any more.

    Not the pauses of a hesitation, where the user goes on, nor turns that the assistant cuts short.
    """
    floor = [u for u in streams.utterances if u.kind in FLOOR]
    followed = zip_longest(floor, floor[1:])
    return [
        u.end_samples
        for u, following in followed
        if u.role == "user" and not u.n_cut_samples and (following is None or following.role == "assistant")
    ]


def _utterance(spoken: Spoken, channel: Ids, hop: int) -> Utterance:
    first, last = spoken.start_samples // hop, ceil_div(spoken.end_samples, hop)
    return Utterance(spoken.role, spoken.kind, spoken.turn, first, last, spoken.text_ids, channel[first:last])


class TextStream:
    """The assistant's text in slots of T a chunk; slot s lies in chunk s // T."""

    def __init__(self, talk: Talk, n_speech: int, n_text: int, n_chunks: int) -> None:
        """Lay the text of a talk of `n_chunks` chunks; with `n_text` 0 there is none."""
        self._n_text = n_text
        self._runs: list[tuple[int, int, int]] = []  # first slot, end slot, slot after the speech
        next_slot = 0
        utterances = [u for u in talk.utterances if u.role == "assistant"] if n_text else []
        for u in utterances:
            first = max(next_slot, u.first // n_speech * n_text)
            next_slot = first + len(u.ids)
            self._runs.append((first, next_slot, ceil_div(u.last, n_speech) * n_text))
        self.n_chunks = max(n_chunks, ceil_div(next_slot, n_text) if n_text else 0)
        self.ids = np.full(self.n_chunks * n_text, -1, np.int32)
        for u, (first, end, _) in zip(utterances, self._runs, strict=True):
            self.ids[first:end] = u.ids
        self.busy = np.zeros(self.n_chunks + 1, np.int64)
        for first, end, _ in self._runs:
            self.busy[first // n_text + 1 : ceil_div(end, n_text)] += 1

    def count(self, first: int, last: int) -> int:
        """Text tokens in chunks [first, last)."""
        return sum(_overlap(begin, end, first * self._n_text, last * self._n_text) for begin, end, _ in self._runs)

    def count_late(self, first: int, last: int) -> int:
        """Text tokens in chunks [first, last) that come after their turn's speech."""
        return sum(
            _overlap(max(begin, spoken), end, first * self._n_text, last * self._n_text)
            for begin, end, spoken in self._runs
        )


@dataclass(frozen=True)
class Clock:
    """From frames of the conversation to positions in a row of chunks [first, last)."""

    first: int
    last: int
    n_speech: int
    width: int
    n_frames: int

    def holds(self, frames: Frames) -> NDArray[np.bool_]:
        """Which frames lie in the row."""
        return (frames >= self.first * self.n_speech) & (frames < min(self.last * self.n_speech, self.n_frames))

    def positions(self, frames: Frames) -> NDArray[np.int32]:
        """Position of each frame's assistant speech token, int32; the row's length if it lies after the row."""
        chunk, slot = np.divmod(frames, self.n_speech)
        position = (chunk - self.first) * self.width + (self.width - self.n_speech) + slot
        return np.where(frames < self.last * self.n_speech, position, (self.last - self.first) * self.width).astype(
            np.int32
        )


def _overlap(begin: int, end: int, first: int, last: int) -> int:
    return max(min(end, last) - max(begin, first), 0)


def joined(*parts: Sequence[int] | Ids) -> Ids:
    """Ids of several parts in a row, int32."""
    return np.concatenate([np.asarray(part, np.int32) for part in parts])


def fill(columns: NDArray[np.int32], stream: Ids, filler: int) -> None:
    """Lay a stream into [n_chunks, width] columns of the grid; what it does not reach, or -1, is `filler`."""
    padded = np.full(columns.size, filler, np.int32)
    np.copyto(padded[: len(stream)], stream, where=stream >= 0)
    columns[:] = padded.reshape(columns.shape)
