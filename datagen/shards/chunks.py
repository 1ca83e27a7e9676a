"""Division of a conversation into chunks: full-length token streams, text slots, windows, positions.

The basis of `datagen.pipeline.flatten`. All units are frames, chunks and slots, not samples or
seconds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from datagen.clock import ceil_div
from datagen.records import FLOOR, WRITTEN, Event, Spoken, StoredCall, Streams
from datagen.shards.layout import ChunkLayout
from datagen.shards.vocab import Ids, Vocabulary

Frames = NDArray[np.int64]


def windows(n_chunks: int, n_most: int, busy: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Cut [0, n_chunks) into windows of at most `n_most` chunks, at the places of least cost.

    Args:
        n_chunks: Number of chunks of the conversation.
        n_most: Maximum number of chunks per window, at least 1.
        busy: int64 [n_chunks + 1]; cost of a cut before chunk k, 0 where everyone is silent.

    Returns:
        Windows [first, last) that cover all chunks; each ends at the latest cut of least cost.

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
    """Frames that an utterance of this role touches: bool [n_frames]. The others may be special silence."""
    heard = np.zeros(streams.n_samples // hop_samples, np.bool_)
    for u in streams.utterances:
        if u.role == role and u.end_samples > u.start_samples:
            heard[u.start_samples // hop_samples : ceil_div(u.end_samples, hop_samples)] = True
    return heard


@dataclass(frozen=True)
class ChunkedUtterance:
    """An utterance in frames, with the ids of its audible part and of its unheard rest."""

    role: str
    kind: str
    turn: int
    first: int
    last: int
    """Frame after the last audible one."""
    ids: Ids
    """Text ids of the audible part."""
    speech: Ids
    """Speech ids of the audible frames, [n_frames, n_codebooks]."""
    is_cut: bool
    spoken: Ids
    """Text ids of the whole text; equal to `ids` if nothing is unsaid."""
    rest: Ids
    """Speech ids of the take from frame `rest_first` to its end, [n_frames, n_codebooks]; empty if it was not cut."""
    rest_first: int
    id_frames: Frames | None = None
    """Frame in which the word of each id of `spoken` begins, of words that begin at all; None: nothing is known."""
    index: int = -1
    """Place among the utterances of the conversation."""

    @classmethod
    def of(cls, spoken: Spoken, channel: Ids, vocabulary: Vocabulary, hop: int) -> "ChunkedUtterance":
        """An utterance with its speech ids on a channel, [n_frames, n_codebooks]."""
        first, last = spoken.start_samples // hop, ceil_div(spoken.end_samples, hop)
        rest = vocabulary.frames(spoken.rest_codes)[:, : channel.shape[1]]
        return cls(
            spoken.role,
            spoken.kind,
            spoken.turn,
            first,
            last,
            spoken.text_ids,
            channel[first:last],
            spoken.n_cut_samples > 0,
            spoken.spoken_ids if len(spoken.spoken_ids) else spoken.text_ids,
            vocabulary.speech(rest),
            last if spoken.rest_start_frames is None else spoken.rest_start_frames,
            (spoken.start_samples + spoken.id_starts_samples.astype(np.int64)) // hop,
        )

    def whole(self) -> "ChunkedUtterance":
        """The utterance with its whole text and take, as if uninterrupted."""
        if not len(self.rest):
            return self
        heard = self.speech[: self.rest_first - self.first]
        return replace(self, ids=self.spoken, speech=np.concatenate([heard, self.rest]))


@dataclass(frozen=True)
class ChunkedCall:
    """A call of a tool in frames."""

    after: int
    """Index of the utterance after which it is made."""
    text: ChunkedUtterance
    """Its text as if the assistant said it without a sound, from the call to the result or to its end."""
    result: Ids
    """Text ids of the result; empty if there is none."""
    result_frame: int
    """The frame in which the result comes."""

    @classmethod
    def of(cls, call: StoredCall, hop: int) -> "ChunkedCall":
        """A call in frames of `hop` samples."""
        first, last = call.start_samples // hop, ceil_div(call.end_samples, hop)
        ids, none = call.call_ids, np.zeros((0, 1), np.int32)
        text = ChunkedUtterance("assistant", "tool_call", -1, first, last, ids, none, call.cancelled, ids, none, last)
        return cls(call.utterance, text, call.result_ids, call.end_samples // hop)


@dataclass(frozen=True)
class ChunkedConversation:
    """A conversation as full-length token streams and frame positions, shared by all tasks."""

    streams: Streams
    n_frames: int
    user: Ids
    """[n_frames, n_codebooks]."""
    assistant: Ids
    """[n_frames, n_codebooks]."""
    user_fill: Ids
    """Ids of a frame that pads the user's stream, [n_codebooks]."""
    assistant_fill: Ids
    """The same of the assistant's stream."""
    utterances: tuple[ChunkedUtterance, ...]
    user_turn_ends: Frames
    barge_ins: Frames
    events: tuple[Event, ...]
    """Events that happened, in chronological order."""
    event_starts: Frames
    event_ends: Frames
    calls: tuple[ChunkedCall, ...] = ()

    @classmethod
    def of(
        cls, streams: Streams, vocabulary: Vocabulary, hop: int, silence: str, silence_codes: Sequence[int]
    ) -> "ChunkedConversation":
        """Lay out a conversation.

        Args:
            streams: The conversation.
            vocabulary: Of all codebooks.
            hop: Samples per frame.
            silence: The recipe's `assistant_silence`.
            silence_codes: The code of silence of each codebook that rows contain, the first ones.
        """
        codes = np.array(silence_codes, np.uint16)
        user, assistant = (
            vocabulary.speech(vocabulary.frames(channel)[:, : len(codes)])
            for channel in (streams.user_codes, streams.assistant_codes)
        )
        channels = {"user": user, "assistant": assistant}
        heard = ((k, u) for k, u in enumerate(streams.utterances) if u.end_samples > u.start_samples)
        utterances = tuple(
            replace(ChunkedUtterance.of(u, channels[u.role], vocabulary, hop), index=k) for k, u in heard
        )
        fill = vocabulary.speech(codes)
        user_fill = fill
        if silence == "special":
            fill = np.full(len(codes), vocabulary["<|speech_silence|>"], np.int32)
            assistant = np.where(speaks(streams, "assistant", hop)[:, None], assistant, fill)
        events = sorted((e for e in streams.events if e.placed), key=lambda e: (e.start_samples, e.end_samples))
        return cls(
            streams,
            len(user),
            user,
            assistant,
            user_fill,
            fill,
            utterances,
            np.array([ceil_div(end, hop) for end in user_turn_ends(streams)], np.int64),
            np.array([ceil_div(start, hop) for start in barge_ins(streams)], np.int64),
            tuple(events),
            np.array([ceil_div(e.start_samples, hop) for e in events], np.int64),
            np.array([ceil_div(e.end_samples, hop) for e in events], np.int64),
            tuple(ChunkedCall.of(call, hop) for call in streams.tool_calls),
        )

    def texts(self) -> list[ChunkedUtterance]:
        """Heard utterances and calls of tools, in the order of their texts."""
        calls = ((call.after, call.text) for call in self.calls)
        return [u for _, u in sorted([*((u.index, u) for u in self.utterances), *calls], key=lambda each: each[0])]

    def turns(self, whole: bool) -> tuple[ChunkedUtterance, ...]:
        """Turns with their pieces joined: the audible floor, or only the dialogue's turns, each whole.

        Whole turns omit inserts and resumptions, because an interrupted turn then contains the
        words of its resumption.
        """
        found: list[ChunkedUtterance] = []
        for u in self.utterances:
            if u.kind not in (WRITTEN if whole else FLOOR):
                continue
            u = u.whole() if whole else u
            if found and (found[-1].role, found[-1].turn) == (u.role, u.turn) and self.call_after(found[-1]) is None:
                u = self._continued(found.pop(), u, whole)
            found.append(u)
        return tuple(found)

    def call_after(self, u: ChunkedUtterance) -> ChunkedCall | None:
        """The call of a tool that the assistant makes at the end of an utterance, if any."""
        return next((call for call in self.calls if call.after == u.index), None)

    def _continued(self, before: ChunkedUtterance, u: ChunkedUtterance, whole: bool) -> ChunkedUtterance:
        """A piece of a turn joined to those before it, with the pause between, if not after a whole take."""
        pause = (self.user if u.role == "user" else self.assistant)[before.last : u.first]
        own = u.speech[max(before.last - u.first, 0) :]  # they may share a frame
        speech = np.concatenate([before.speech, pause, own])
        if whole and len(before.rest):
            speech = np.concatenate([before.speech, u.speech])
        ids, written = joined(before.ids, u.ids), joined(before.ids, u.spoken)
        return replace(u, first=before.first, ids=ids, spoken=written, speech=speech)

    def busy(self, n_speech: int, n_chunks: int) -> NDArray[np.int64]:
        """Cost of a cut before each chunk: 2 within the assistant's utterance or wait, 1 within the user's."""
        busy = np.zeros(n_chunks + 1, np.int64)
        for u in self.utterances:
            busy[u.first // n_speech + 1 : ceil_div(u.last, n_speech)] += 2 if u.role == "assistant" else 1
        for call in self.calls:
            until = call.result_frame // n_speech + 2  # the answer needs the result
            busy[call.text.first // n_speech + 1 : until] += 2
        return busy


def user_turn_ends(streams: Streams) -> list[int]:
    """Samples at which a user turn ends and the assistant answers, not having answered before.

    Excludes pauses after which the user continues, turns without an answer, turns that the
    assistant cuts short, and words during a wait for a tool, after which it still has to wait.
    """
    waits = [(call.start_samples, call.end_samples) for call in streams.tool_calls]
    floor = [u for u in streams.utterances if u.kind in FLOOR and u.end_samples > u.start_samples]
    return [
        u.end_samples
        for u, following in pairwise(floor)
        if (u.role, following.role) == ("user", "assistant")
        and not u.n_cut_samples
        and following.start_samples >= u.end_samples
        and not any(start < u.end_samples < end for start, end in waits)
    ]


def barge_ins(streams: Streams) -> list[int]:
    """Samples at which user barge-ins start that cut the assistant short, in chronological order.

    A derived one counts too: in a recording nobody knows what was left unsaid.
    """
    stops = {u.end_samples for u in streams.utterances if u.role == "assistant" and u.kind in FLOOR and u.n_cut_samples}
    return sorted(
        event.start_samples
        for event in streams.events
        if (event.kind, event.role) == ("barge_in", "user")
        and event.placed
        and (event.derived or event.end_samples in stops)
    )


@dataclass
class _Run:
    """The text of an utterance, or of a word, while it is laid into the stream."""

    first: int
    """Its first slot."""
    ids: Ids
    due: int
    """The slot after the chunk in which its speech ends, of a word: begins. Tokens from there on are late."""

    @property
    def end(self) -> int:
        return self.first + len(self.ids)


class TextStream:
    """The assistant's text in T slots per chunk; slot s lies in chunk s // T.

    It is causal: the text up to a chunk does not depend on a later interruption. An utterance
    contributes its whole text, or by words, all words that begin. When the assistant is interrupted,
    the text pending after the chunk of its stop is dropped.
    """

    def __init__(
        self,
        talk: ChunkedConversation,
        n_speech: int,
        n_text: int,
        n_chunks: int,
        causal: bool = True,
        word_mark: int | None = None,
    ) -> None:
        """Lay the text of a conversation of `n_chunks` chunks; none if `n_text` is 0.

        Args:
            talk: The conversation.
            n_speech: Frames per chunk.
            n_text: Slots per chunk.
            n_chunks: Chunks of the conversation.
            causal: If not, an interrupted utterance contributes only its audible text, and nothing is dropped.
            word_mark: If given, the text follows the words: each begins in the chunk in which it is said, or later if
                the slots are taken. This id fills an empty slot before a word.
        """
        self._n_text = n_text
        self._runs: list[_Run] = []
        self._drops: list[tuple[int, int]] = []  # chunk in which the assistant stops, tokens dropped after it
        next_slot = 0
        for u in talk.texts() if n_text else ():
            if u.role == "assistant":
                stop = ceil_div(u.last, n_speech) * n_text
                for frame, ids in _pieces(u, causal, word_mark is not None):
                    chunk = frame // n_speech
                    due = stop if word_mark is None or u.id_frames is None else (chunk + 1) * n_text
                    run = _Run(max(next_slot, chunk * n_text), ids, due)
                    self._runs.append(run)
                    next_slot = run.end
                if causal and u.is_cut:
                    self._drop_from(stop)
                next_slot = self._runs[-1].end if self._runs else 0
        self.n_chunks = max(n_chunks, ceil_div(next_slot, n_text) if n_text else 0)
        self.ids = np.full(self.n_chunks * n_text, -1, np.int32)
        self.busy = np.zeros(self.n_chunks + 1, np.int64)
        for run in self._runs:
            self.ids[run.first : run.end] = run.ids
            self.busy[run.first // n_text + 1 : ceil_div(run.end, n_text)] += 1
        if word_mark is not None:
            before = np.array([run.first - 1 for run in self._runs if run.first], np.int64)
            self.ids[before[self.ids[before] < 0]] = word_mark

    def _drop_from(self, slot: int) -> None:
        """Drop all text that is pending at a slot."""
        n_before = sum(len(run.ids) for run in self._runs)
        for run in self._runs:
            run.ids = run.ids[: max(slot - run.first, 0)]
        self._runs = [run for run in self._runs if len(run.ids)]
        self._drops.append((slot // self._n_text - 1, n_before - sum(len(run.ids) for run in self._runs)))

    def count(self, first: int, last: int) -> int:
        """Text tokens in chunks [first, last)."""
        return sum(_overlap(run.first, run.end, first * self._n_text, last * self._n_text) for run in self._runs)

    def count_late(self, first: int, last: int) -> int:
        """Text tokens in chunks [first, last) that come after their utterance's speech, or their word's beginning."""
        return sum(
            _overlap(max(run.first, run.due), run.end, first * self._n_text, last * self._n_text) for run in self._runs
        )

    def count_dropped(self, first: int, last: int) -> int:
        """Text tokens dropped where the assistant stops in chunks [first, last)."""
        return sum(n for chunk, n in self._drops if first <= chunk < last)


def _pieces(u: ChunkedUtterance, causal: bool, by_words: bool) -> Iterator[tuple[int, Ids]]:
    """The texts of an utterance with the frames from which they are due: all of it, or each word."""
    ids = u.spoken if causal else u.ids
    if not by_words or u.id_frames is None:
        yield u.first, ids
        return
    frames = u.id_frames[: len(ids)]
    starts = np.flatnonzero(np.diff(frames, prepend=-1))
    for start, end in pairwise([*starts.tolist(), len(frames)]):
        yield int(frames[start]), ids[start:end]


@dataclass(frozen=True)
class ChunkClock:
    """Converts frames of the conversation to positions in a row of chunks [first, last)."""

    first: int
    last: int
    layout: ChunkLayout
    n_frames: int

    @property
    def _begin(self) -> int:
        return self.first * self.layout.n_speech

    @property
    def _end(self) -> int:
        return self.last * self.layout.n_speech

    def holds(self, frames: Frames) -> NDArray[np.bool_]:
        """True for frames that lie in the row."""
        return (frames >= self._begin) & (frames < min(self._end, self.n_frames))

    def positions(self, frames: Frames) -> NDArray[np.int32]:
        """Position of each frame's first assistant code, int32; the length of the chunks if it lies after them."""
        found = np.where(
            frames < self._end,
            self.layout.positions(frames - self._begin),
            (self.last - self.first) * self.layout.width,
        )
        return found.astype(np.int32)


def _overlap(begin: int, end: int, first: int, last: int) -> int:
    return max(min(end, last) - max(begin, first), 0)


def joined(*parts: Sequence[int] | Ids) -> Ids:
    """Ids of several parts in a row, those of frames frame by frame: int32."""
    return np.concatenate([np.asarray(part, np.int32).reshape(-1) for part in parts])


def grid_of(talk: ChunkedConversation, text: TextStream, layout: ChunkLayout, text_fill: int) -> Ids:
    """The chunks of `three_stream` or `two_stream`: int32 [n_chunks, width].

    Args:
        talk: The conversation.
        text: Its text in that layout.
        layout: Places of the streams in a chunk.
        text_fill: Id of an empty text slot.
    """
    grid = np.empty((text.n_chunks, layout.width), np.int32)
    fill(grid[:, layout.user], talk.user, talk.user_fill)
    fill(grid[:, layout.assistant], talk.assistant, talk.assistant_fill)
    if layout.n_text:
        fill(grid[:, layout.text], text.ids, text_fill)
    return grid


def fill(columns: NDArray[np.int32], stream: Ids, filler: int | Ids) -> None:
    """Lay a stream, [n] or [n, k], into [n_chunks, width] columns; empty places and -1 become `filler`, [k]."""
    frames = stream if stream.ndim == 2 else stream[:, None]
    padded = np.empty((columns.size // frames.shape[1], frames.shape[1]), np.int32)
    padded[:] = filler
    np.copyto(padded[: len(frames)], frames, where=frames >= 0)
    columns[:] = padded.reshape(columns.shape)
