"""Streams → Rows of all tasks. A pure function of the conversations table.

Flattening interleaves chunk k of every stream, then chunk k+1:

    three_stream   | user speech x S | assistant text x T | assistant speech x S |  next chunk ...
    two_stream     | user speech x S | assistant speech x S |  next chunk ...

Speech is frames of K codes, first codebook first. `parallel` has a stream per line instead:

    parallel       text / assistant's codebooks 1 ... K / user's codebooks 1 ... K, a column per frame

The assistant's text begins in the chunk in which its turn begins and takes T slots per chunk until
it ends (relaxed alignment). It may continue after the speech, and precedes the text of a later turn.
It is the text of the whole turn: an interruption ends it in the chunk in which the assistant stops,
and no chunk earlier.

Tokens that the model is given and never learns stand at the head of a row and between chunks or
turns (`datagen.shards.given`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from datagen import seeds
from datagen.clock import ceil_div
from datagen.errors import RecipeError
from datagen.recipe import FlattenConfig
from datagen.records import KINDS, Reject, Row, Streams
from datagen.shards.chunks import (
    ChunkClock,
    ChunkedCall,
    ChunkedConversation,
    ChunkedUtterance,
    TextStream,
    grid_of,
    joined,
    windows,
)
from datagen.shards.given import Block, head_of, text_block, with_given
from datagen.shards.layout import ChunkLayout
from datagen.shards.matrix import ABSENT, ColumnClock, delayed, matrix_of
from datagen.shards.vocab import Ids, Vocabulary

_NO_POSITIONS = np.zeros(0, np.int32)
_NO_IDS = np.zeros(0, np.int32)
_CANNED = frozenset(KINDS) - {"turn", "resumption"}
"""Kinds of utterances whose words come from a list, not from the dialogue."""


class Flatten:
    """Make the rows of all tasks of the recipe."""

    def __init__(
        self, recipe: FlattenConfig, vocabulary: Vocabulary, hop_samples: int, silence_codes: Sequence[int]
    ) -> None:
        """Set the formats, the ids, the samples per frame, and the code of silence of each codebook.

        Raises:
            RecipeError: If rows are to have more codebooks than there are, or chunks that do not fit into them.
        """
        self._recipe, self._vocabulary, self._hop = recipe, vocabulary, hop_samples
        n_codebooks = recipe.codebooks or vocabulary.n_codebooks
        if n_codebooks > vocabulary.n_codebooks:
            raise RecipeError(f"flatten.codebooks is {n_codebooks}; the speech tokenizer has {vocabulary.n_codebooks}")
        self._silence_codes = tuple(silence_codes[:n_codebooks])
        self._word_mark = vocabulary["<|sot|>"] if recipe.text_alignment == "words" else None
        width = self._layout("three_stream").width
        if width > recipe.max_tokens:
            raise RecipeError(
                f"flatten.max_tokens is {recipe.max_tokens}; one chunk of three streams has {width} tokens"
            )

    def _layout(self, task: str) -> ChunkLayout:
        n_text = self._recipe.text_chunk_tokens if task == "three_stream" else 0
        return ChunkLayout(self._recipe.speech_chunk_tokens, n_text, len(self._silence_codes))

    def __call__(self, streams: Streams | Reject) -> list[Row]:
        """All rows of a conversation, by task in the recipe's order; none for a reject."""
        if isinstance(streams, Reject):
            return []
        talk = ChunkedConversation.of(
            streams, self._vocabulary, self._hop, self._recipe.assistant_silence, self._silence_codes
        )
        rows: list[Row] = []
        for task in self._recipe.tasks:
            match task:
                case "asr" | "tts":
                    rows.extend(self._alignment(talk, task))
                case "four_stream":
                    rows.extend(self._four_stream(talk))
                case "three_stream" | "two_stream":
                    rows.extend(self._full_duplex(talk, task))
                case "parallel":
                    rows.extend(self._parallel(talk))
        return rows

    # -- asr, tts ---------------------------------------------------------------------------------------

    def _alignment(self, talk: ChunkedConversation, task: str) -> Iterator[Row]:
        """Rows `[ASR][SOS] speech [EOS][SOT] text [EOT]` and the reverse for TTS, one per utterance.

        An utterance too long for a row has none: a cut one would pair speech with text of other
        words.
        """
        v, r = self._vocabulary, self._recipe
        roles = r.asr_roles if task == "asr" else r.tts_roles
        found = [u.whole() if r.alignment_takes == "whole" else u for u in talk.utterances]
        fitting = {
            index: u
            for index, u in enumerate(found)
            if u.role in roles and len(u.ids) and len(u.ids) + u.speech.size + 5 <= r.max_alignment_tokens
        }
        n_canned = sum(u.kind in _CANNED for u in fitting.values())
        share = kept_share(n_canned, len(fitting) - n_canned, r.max_canned_share)
        for index, u in fitting.items():
            if u.kind in _CANNED and seeds.fraction("canned", talk.streams.dialogue_id, index) >= share:
                continue
            speech = [v["<|sos|>"]], u.speech, [v["<|eos|>"]]
            text = [v["<|sot|>"]], u.ids, [v["<|eot|>"]]
            prompt, target = (speech, text) if task == "asr" else (text, speech)
            ids = joined([v[f"<|{task}|>"]], *prompt, *target)
            mask = np.arange(len(ids)) >= len(ids) - target[1].size - 1  # the target and its end marker
            yield self._row(talk, task, index, ids=ids, mask=mask, frames=(u.first, u.last), n_text=len(u.ids))

    # -- four_stream ------------------------------------------------------------------------------------

    def _four_stream(self, talk: ChunkedConversation) -> Iterator[Row]:
        """Turn by turn: user speech, user text, assistant text, assistant speech; rows hold whole turns only."""
        turns = talk.turns(whole=self._recipe.half_duplex == "whole")
        calls = [talk.call_after(turn) for turn in turns]
        turns = tuple(replace(u, ids=joined(u.ids, c.text.ids)) if c else u for u, c in zip(turns, calls, strict=True))
        tokens = [self._turn(turn) for turn in turns]
        results = [self._result(c) if c else _NO_IDS for c in calls]  # each after its turn
        if (room := self._room(talk, "four_stream")) is None:
            return
        opens = ["user" if c else u.role for u, c in zip(turns, calls, strict=True)]
        spans = spans_of([len(ids) for ids, _ in tokens], opens, room)
        for part, (first, last) in enumerate(spans):
            ids, mask = (np.concatenate(parts) for parts in zip(*tokens[first:last], strict=True))
            before = spans[part - 1][1] if part else 0
            after = len(turns) if part == len(spans) - 1 else last  # what comes after the last row is counted with it
            n_dropped = sum(len(u.ids) for u in (*turns[before:first], *turns[last:after]))
            frames = turns[first].first, max(u.last for u in turns[first:last])
            n_text = sum(len(u.ids) for u in turns[first:last])
            row = self._row(
                talk, "four_stream", part, ids=ids, mask=mask, frames=frames, n_text=n_text, n_dropped=n_dropped
            )
            ends = np.cumsum([len(ids) for ids, _ in tokens[first:last]]).tolist()
            here = (Block(end, result) for end, result in zip(ends, results[first:last], strict=True))
            yield with_given(row, [Block(0, self._head(talk)), *here])

    def _turn(self, utterance: ChunkedUtterance) -> tuple[Ids, NDArray[np.bool_]]:
        v = self._vocabulary
        speech = joined([v["<|sos|>"]], utterance.speech, [v["<|eos|>"]])
        text = joined([v["<|sot|>"]], utterance.ids, [v["<|eot|>"]])
        if utterance.role == "user":
            ids = np.concatenate([speech, text])
            return ids, (np.arange(len(ids)) >= len(speech)) & self._recipe.loss_on_user_text
        return np.concatenate([text, speech]), np.ones(len(text) + len(speech), np.bool_)

    # -- three_stream, two_stream -----------------------------------------------------------------------

    def _full_duplex(self, talk: ChunkedConversation, task: str) -> Iterator[Row]:
        layout = self._layout(task)
        n_speech, n_text, width = layout.n_speech, layout.n_text, layout.width
        text = self._text(talk, n_speech, n_text, ceil_div(talk.n_frames, n_speech))
        n_chunks = text.n_chunks
        grid = grid_of(talk, text, layout, self._vocabulary["<|text_silence|>"])
        n_most = (self._room(talk, task) or 0) // width
        if n_most < 1:
            return
        results = [(call.result_frame // n_speech, self._result(call)) for call in talk.calls if n_text]
        for part, (first, last) in enumerate(windows(n_chunks, n_most, talk.busy(n_speech, n_chunks) + text.busy)):
            clock = ChunkClock(first, last, layout, talk.n_frames)
            row = self._row(
                talk,
                task,
                part,
                ids=grid[first:last].reshape(-1),
                mask=np.tile(np.arange(width) >= layout.user.stop, last - first),
                frames=(first * n_speech, max(min(last * n_speech, talk.n_frames), first * n_speech)),
                n_text=text.count(first, last),
                n_late=text.count_late(first, last),
                n_dropped=text.count_dropped(first, last),
                n_pad=2 * layout.n_codebooks * max(last * n_speech - max(talk.n_frames, first * n_speech), 0),
                labels=_labels(talk, clock),
            )
            here = (Block((chunk - first) * width, ids) for chunk, ids in results if first <= chunk < last)
            yield with_given(row, [Block(0, self._head(talk)), *here])

    # -- given tokens -----------------------------------------------------------------------------------

    def _head(self, talk: ChunkedConversation) -> Ids:
        n_codebooks = len(self._silence_codes) if self._recipe.voice_prompt else 0
        return head_of(talk.streams, self._vocabulary, self._recipe.system_prompt, n_codebooks)

    def _result(self, call: ChunkedCall) -> Ids:
        return text_block(call.result, self._vocabulary) if self._recipe.tool_results else _NO_IDS

    def _room(self, talk: ChunkedConversation, task: str) -> int | None:
        """Tokens of a row besides the given ones, if it had all of them; None if they are too many."""
        results = sum(len(self._result(call)) for call in talk.calls if task != "two_stream")
        n_given = len(self._head(talk)) + results
        return self._recipe.max_tokens - n_given if n_given <= self._recipe.max_given_tokens else None

    def _text(self, talk: ChunkedConversation, n_speech: int, n_text: int, n_chunks: int) -> TextStream:
        causal = self._recipe.interrupted_text == "causal"
        return TextStream(talk, n_speech, n_text, n_chunks, causal, self._word_mark)

    # -- parallel ---------------------------------------------------------------------------------------

    def _parallel(self, talk: ChunkedConversation) -> Iterator[Row]:
        """Matrices of a stream per line and a frame per column, each row delayed by itself."""
        v, delay = self._vocabulary, self._recipe.acoustic_delay
        text = self._text(talk, 1, 1, talk.n_frames)
        matrix = matrix_of(talk.streams, v, text.ids, self._silence_codes)
        busy = talk.busy(1, text.n_chunks) + text.busy
        for part, (first, last) in enumerate(windows(text.n_chunks, self._recipe.max_tokens - delay, busy)):
            ids = delayed(matrix[:, first:last], delay)
            learned = np.arange(len(ids)) <= len(self._silence_codes)
            yield self._row(
                talk,
                "parallel",
                part,
                ids=ids,
                mask=(ids != ABSENT) & learned[:, None],
                frames=(first, max(min(last, talk.n_frames), first)),
                n_text=text.count(first, last),
                n_late=text.count_late(first, last),
                n_dropped=text.count_dropped(first, last),
                n_pad=max(last - max(talk.n_frames, first), 0),
                labels=_labels(talk, ColumnClock(first, last, talk.n_frames, ids.shape[1])),
            )

    def _row(
        self,
        talk: ChunkedConversation,
        task: str,
        part: int,
        *,
        ids: Ids,
        mask: NDArray[np.bool_],
        frames: tuple[int, int],
        n_text: int,
        n_late: int = 0,
        n_dropped: int = 0,
        n_pad: int = 0,
        labels: "_Labels | None" = None,
    ) -> Row:
        streams = talk.streams
        return Row(
            task=task,
            row_id=f"{streams.dialogue_id}#{task}#{part}",
            dialogue_id=streams.dialogue_id,
            language=streams.language,
            split=streams.split,
            input_ids=ids,
            loss_mask=mask,
            start_frames=frames[0],
            n_frames=frames[1] - frames[0],
            n_text_tokens=n_text,
            n_late_text_tokens=n_late,
            n_dropped_text_tokens=n_dropped,
            n_pad_tokens=n_pad,
            **(labels or _NO_LABELS),
        )


def kept_share(n_canned: int, n_others: int, most: float) -> float:
    """Probability of keeping a canned utterance, so that canned ones stay below a share of all kept.

    A function of one conversation: the share holds in expectation, not in each conversation.

    Args:
        n_canned: Number of canned utterances.
        n_others: Number of other utterances, all of which are kept.
        most: Largest share of canned ones among the kept utterances, from 0 to 1.

    >>> kept_share(38, 19, 0.05), kept_share(1, 19, 0.05), kept_share(3, 0, 0.05), kept_share(3, 0, 1)
    (0.026315789473684213, 1.0, 0.0, 1.0)
    """
    if n_canned * (1 - most) <= n_others * most:
        return 1.0
    return n_others * most / (n_canned * (1 - most))


def spans_of(lengths: Sequence[int], roles: Sequence[str], n_most: int) -> list[tuple[int, int]]:
    """The turns of each row of `four_stream`; a user turn and its answer stay together if they fit.

    A turn longer than a row is in none, and no row continues across it.

    Args:
        lengths: Number of tokens of each turn.
        roles: Speaker of each turn; `user` also for an assistant's turn that a result and an answer follow.
        n_most: Maximum number of tokens of a row.

    Returns:
        Turns [first, last) of each row, in order.

    >>> spans_of([3, 4, 3, 4], ["user", "assistant"] * 2, 11), spans_of([3, 9, 3, 4], ["user", "assistant"] * 2, 8)
    ([(0, 2), (2, 4)], [(0, 1), (2, 4)])
    """
    spans: list[tuple[int, int]] = []
    open_since, n_tokens = 0, 0
    for index, (length, role) in enumerate(zip(lengths, roles, strict=True)):
        answered = role == "user" and index + 1 < len(lengths) and lengths[index + 1] <= n_most
        together = length + (lengths[index + 1] if answered else 0)
        if n_tokens and n_tokens + together > n_most:
            spans.append((open_since, index))
            n_tokens = 0
        if length > n_most:
            continue
        if not n_tokens:
            open_since = index
        n_tokens += length
    return [*spans, (open_since, len(lengths))] if n_tokens else spans


class _Labels(TypedDict):
    user_turn_ends: NDArray[np.int32]
    barge_ins: NDArray[np.int32]
    event_kinds: tuple[str, ...]
    event_roles: tuple[str, ...]
    event_starts: NDArray[np.int32]
    event_ends: NDArray[np.int32]


_NO_LABELS = _Labels(
    user_turn_ends=_NO_POSITIONS,
    barge_ins=_NO_POSITIONS,
    event_kinds=(),
    event_roles=(),
    event_starts=_NO_POSITIONS,
    event_ends=_NO_POSITIONS,
)


def _labels(talk: ChunkedConversation, clock: ChunkClock | ColumnClock) -> _Labels:
    """Events that begin in a row and ends of user turns, with their positions."""
    inside = clock.holds(talk.event_starts)
    events = [event for event, here in zip(talk.events, inside, strict=True) if here]
    starts = clock.positions(talk.event_starts[inside])
    return {
        "user_turn_ends": clock.positions(talk.user_turn_ends[clock.holds(talk.user_turn_ends)]),
        "barge_ins": clock.positions(talk.barge_ins[clock.holds(talk.barge_ins)]),
        "event_kinds": tuple(event.kind for event in events),
        "event_roles": tuple(event.role for event in events),
        "event_starts": starts,
        "event_ends": clock.positions(talk.event_ends[inside]),
    }
