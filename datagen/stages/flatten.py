"""Streams → Rows: asr, tts, four_stream, three_stream, two_stream. A pure function of the conversations table.

Flattening interleaves chunk k of every stream, then chunk k+1:

    three_stream   | user speech x S | assistant text x T | assistant speech x S |  next chunk ...
    two_stream     | user speech x S | assistant speech x S |  next chunk ...

The assistant's text begins in the chunk in which its turn begins and fills T slots a chunk until it is used
up (relaxed alignment); text that is not used up goes on in the next chunks, before a later turn's text.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datagen.recipe import Flatten as FlattenRecipe
from datagen.records import Row, Spoken, Streams
from datagen.units import ceil_div
from datagen.vocab import Ids, Vocabulary

Frames = NDArray[np.int64]
_NO_POSITIONS = np.zeros(0, np.int32)


class Flatten:
    """Make the rows of all tasks of the recipe."""

    def __init__(self, recipe: FlattenRecipe, vocabulary: Vocabulary, hop_samples: int, silence_code: int) -> None:
        """Take the formats, the ids, samples per frame, and the code that fills the user's last chunk."""
        self._recipe, self._vocabulary = recipe, vocabulary
        self._hop, self._silence_code = hop_samples, silence_code

    def __call__(self, batch: Sequence[Streams]) -> list[list[Row]]:
        """All rows of each conversation, by task in the recipe's order."""
        return [self._rows(streams) for streams in batch]

    def _rows(self, streams: Streams) -> list[Row]:
        talk = _Talk.of(streams, self._vocabulary, self._hop, self._recipe.assistant_silence, self._silence_code)
        rows: list[Row] = []
        for task in self._recipe.tasks:
            match task:
                case "asr" | "tts":
                    rows.extend(self._alignment(talk, task))
                case "four_stream":
                    rows.extend(self._four_stream(talk))
                case "three_stream" | "two_stream":
                    rows.extend(self._full_duplex(talk, task))
        return rows

    # -- asr, tts ---------------------------------------------------------------------------------------

    def _alignment(self, talk: "_Talk", task: str) -> Iterator[Row]:
        """`[ASR][SOS] speech [EOS][SOT] text [EOT]` and `[TTS][SOT] text [EOT][SOS] speech [EOS]`, one an utterance.

        An utterance too long for a row gives none: a cut one would pair speech with text it does not hold.
        """
        v = self._vocabulary
        roles = self._recipe.asr_roles if task == "asr" else self._recipe.tts_roles
        for index, utterance in enumerate(talk.utterances):
            n_tokens = len(utterance.ids) + len(utterance.speech) + 5
            if utterance.role not in roles or not len(utterance.ids) or n_tokens > self._recipe.max_alignment_tokens:
                continue
            speech = [v["<|sos|>"]], utterance.speech, [v["<|eos|>"]]
            text = [v["<|sot|>"]], utterance.ids, [v["<|eot|>"]]
            prompt, target = (speech, text) if task == "asr" else (text, speech)
            ids = _ids([v[f"<|{task}|>"]], *prompt, *target)
            mask = np.arange(len(ids)) >= len(ids) - len(target[1]) - 1  # the target and its end marker
            yield self._row(talk, task, index, ids, mask, utterance.first, utterance.last, len(utterance.ids))

    # -- four_stream ------------------------------------------------------------------------------------

    def _four_stream(self, talk: "_Talk") -> Iterator[Row]:
        """Turn by turn: user speech, user text, assistant text, assistant speech; rows are whole turns if they fit."""
        turns = [self._turn(utterance) for utterance in talk.utterances]
        spans, first = [], 0
        for index, (ids, _) in enumerate(turns):
            pending = sum(len(turns[k][0]) for k in range(first, index))
            starts_pair = talk.utterances[index].role == "user"
            pair = len(ids) + (len(turns[index + 1][0]) if starts_pair and index + 1 < len(turns) else 0)
            if (
                index > first
                and pending + pair > self._recipe.max_tokens
                and (starts_pair or pending + len(ids) > self._recipe.max_tokens)
            ):
                spans.append((first, index))
                first = index
        if turns:
            spans.append((first, len(turns)))
        part = 0
        for first, last in spans:
            ids = np.concatenate([turns[k][0] for k in range(first, last)])
            mask = np.concatenate([turns[k][1] for k in range(first, last)])
            n_text = sum(len(talk.utterances[k].ids) for k in range(first, last))
            frames = talk.utterances[first].first, max(u.last for u in talk.utterances[first:last])
            for begin in range(0, len(ids), self._recipe.max_tokens):  # one pair longer than a row is cut
                piece = slice(begin, begin + self._recipe.max_tokens)
                yield self._row(
                    talk, "four_stream", part, ids[piece], mask[piece], *frames, n_text if begin == 0 else 0
                )
                part += 1

    def _turn(self, utterance: "_Utterance") -> tuple[Ids, NDArray[np.bool_]]:
        v = self._vocabulary
        speech = _ids([v["<|sos|>"]], utterance.speech, [v["<|eos|>"]])
        text = _ids([v["<|sot|>"]], utterance.ids, [v["<|eot|>"]])
        if utterance.role == "user":
            ids = np.concatenate([speech, text])
            return ids, (np.arange(len(ids)) >= len(speech)) & self._recipe.loss_on_user_text
        return np.concatenate([text, speech]), np.ones(len(text) + len(speech), np.bool_)

    # -- three_stream, two_stream -----------------------------------------------------------------------

    def _full_duplex(self, talk: "_Talk", task: str) -> Iterator[Row]:
        n_speech = self._recipe.speech_chunk_tokens
        n_text = self._recipe.text_chunk_tokens if task == "three_stream" else 0
        width = 2 * n_speech + n_text
        n_heard_chunks = ceil_div(talk.n_frames, n_speech)
        text = _TextStream(talk, n_speech, n_text, n_heard_chunks)
        n_chunks = text.n_chunks
        grid = np.empty((n_chunks, width), np.int32)
        _fill(grid[:, :n_speech], talk.user, self._vocabulary.speech_offset + self._silence_code)
        _fill(grid[:, n_speech + n_text :], talk.assistant, talk.assistant_fill)
        if n_text:
            _fill(grid[:, n_speech : n_speech + n_text], text.ids, self._vocabulary["<|text_silence|>"])
        n_most = self._recipe.max_tokens // width
        for part, (first, last) in enumerate(windows(n_chunks, n_most, talk.busy(n_speech, n_chunks) + text.busy)):
            clock = _Clock(first, last, n_speech, width, talk.n_frames)
            n_pad = 2 * max(last * n_speech - max(talk.n_frames, first * n_speech), 0)
            yield Row(
                task=task,
                row_id=f"{talk.streams.dialogue_id}#{task}#{part}",
                dialogue_id=talk.streams.dialogue_id,
                language=talk.streams.language,
                split=talk.streams.split,
                input_ids=grid[first:last].reshape(-1),
                loss_mask=np.tile(np.arange(width) >= n_speech, last - first),
                start_frames=first * n_speech,
                n_frames=min(last * n_speech, talk.n_frames) - min(first * n_speech, talk.n_frames),
                n_text_tokens=text.count(first, last),
                n_late_text_tokens=text.count_late(first, last),
                n_pad_tokens=n_pad,
                user_turn_ends=clock.positions(talk.user_turn_ends),
                barge_ins=clock.positions(talk.barge_ins),
            )

    def _row(
        self,
        talk: "_Talk",
        task: str,
        index: int,
        ids: Ids,
        mask: NDArray[np.bool_],
        first: int,
        last: int,
        n_text: int,
    ) -> Row:
        streams = talk.streams
        return Row(
            task=task,
            row_id=f"{streams.dialogue_id}#{task}#{index}",
            dialogue_id=streams.dialogue_id,
            language=streams.language,
            split=streams.split,
            input_ids=ids,
            loss_mask=mask,
            start_frames=first,
            n_frames=last - first,
            n_text_tokens=n_text,
            n_late_text_tokens=0,
            n_pad_tokens=0,
            user_turn_ends=_NO_POSITIONS,
            barge_ins=_NO_POSITIONS,
        )


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


@dataclass(frozen=True)
class _Utterance:
    """An utterance in frames, with its ids."""

    role: str
    first: int
    last: int
    ids: Ids
    speech: Ids


@dataclass(frozen=True)
class _Talk:
    """A conversation as full-length token streams and frame positions, shared by all tasks."""

    streams: Streams
    n_frames: int
    user: Ids
    assistant: Ids
    assistant_fill: int
    utterances: tuple[_Utterance, ...]
    user_turn_ends: Frames
    barge_ins: Frames

    @classmethod
    def of(cls, streams: Streams, vocabulary: Vocabulary, hop: int, silence: str, silence_code: int) -> "_Talk":
        user, assistant = vocabulary.speech(streams.user_codes), vocabulary.speech(streams.assistant_codes)
        channels = {"user": user, "assistant": assistant}
        utterances = tuple(_utterance(u, channels[u.role], hop) for u in streams.utterances)
        fill = vocabulary["<|speech_silence|>"]
        if silence == "special":
            speaks = np.zeros(len(assistant), np.bool_)
            for utterance in utterances:
                if utterance.role == "assistant":
                    speaks[utterance.first : utterance.last] = True
            assistant = np.where(speaks, assistant, np.int32(fill))
        else:
            fill = vocabulary.speech_offset + silence_code
        turn_ends = [ceil_div(u.end_samples, hop) for u in streams.utterances if u.role == "user"]
        barge_ins = [
            ceil_div(e.start_samples, hop) for e in streams.events if e.kind == "barge_in" and e.role == "user"
        ]
        return cls(
            streams,
            len(user),
            user,
            assistant,
            fill,
            utterances,
            np.array(turn_ends, np.int64),
            np.array(barge_ins, np.int64),
        )

    def busy(self, n_speech: int, n_chunks: int) -> NDArray[np.int64]:
        """How bad it is to cut before each chunk: 2 within the assistant's utterance, 1 within the user's."""
        busy = np.zeros(n_chunks + 1, np.int64)
        for u in self.utterances:
            busy[u.first // n_speech + 1 : ceil_div(u.last, n_speech)] += 2 if u.role == "assistant" else 1
        return busy


def _utterance(spoken: Spoken, channel: Ids, hop: int) -> _Utterance:
    first, last = spoken.start_samples // hop, ceil_div(spoken.end_samples, hop)
    return _Utterance(spoken.role, first, last, spoken.text_ids, channel[first:last])


class _TextStream:
    """The assistant's text in slots of T a chunk; slot s lies in chunk s // T."""

    def __init__(self, talk: _Talk, n_speech: int, n_text: int, n_chunks: int) -> None:
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
class _Clock:
    """From frames of the conversation to positions in a row of chunks [first, last)."""

    first: int
    last: int
    n_speech: int
    width: int
    n_frames: int

    def positions(self, frames: Frames) -> NDArray[np.int32]:
        """Position of the assistant's speech token of each frame that lies in the row, int32."""
        inside = (frames >= self.first * self.n_speech) & (frames < min(self.last * self.n_speech, self.n_frames))
        chunk, slot = np.divmod(frames[inside], self.n_speech)
        return ((chunk - self.first) * self.width + (self.width - self.n_speech) + slot).astype(np.int32)


def _overlap(begin: int, end: int, first: int, last: int) -> int:
    return max(min(end, last) - max(begin, first), 0)


def _ids(*parts: Sequence[int] | Ids) -> Ids:
    return np.concatenate([np.asarray(part, np.int32) for part in parts])


def _fill(columns: NDArray[np.int32], stream: Ids, filler: int) -> None:
    """Lay a stream into [n_chunks, width] columns of the grid; what it does not reach, or -1, is `filler`."""
    padded = np.full(columns.size, filler, np.int32)
    np.copyto(padded[: len(stream)], stream, where=stream >= 0)
    columns[:] = padded.reshape(columns.shape)
