"""The settings, ids and parts of a row that all tasks share."""

from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from datagen.recipe import FlattenConfig
from datagen.records import Row
from datagen.shards.chunks import ChunkClock, ChunkedCall, ChunkedConversation, TextStream
from datagen.shards.given import head_of, text_block
from datagen.shards.layout import ChunkLayout
from datagen.shards.matrix import ColumnClock
from datagen.shards.vocab import Ids, Vocabulary

NO_IDS: Ids = np.zeros(0, np.int32)


class Labels(TypedDict):
    """Columns of a row with positions of ends of turns and of events."""

    user_turn_ends: NDArray[np.int32]
    barge_ins: NDArray[np.int32]
    event_kinds: tuple[str, ...]
    event_roles: tuple[str, ...]
    event_starts: NDArray[np.int32]
    event_ends: NDArray[np.int32]


_NO_LABELS = Labels(
    user_turn_ends=NO_IDS,
    barge_ins=NO_IDS,
    event_kinds=(),
    event_roles=(),
    event_starts=NO_IDS,
    event_ends=NO_IDS,
)


@dataclass(frozen=True)
class RowFormat:
    """The settings of all rows of a build."""

    recipe: FlattenConfig
    vocabulary: Vocabulary
    silence_codes: tuple[int, ...]
    """The code of silence of each codebook that rows contain, the first ones."""

    def layout(self, task: str) -> ChunkLayout:
        """Sizes of a chunk of `three_stream` or `two_stream`."""
        n_text = self.recipe.text_chunk_tokens if task == "three_stream" else 0
        return ChunkLayout(self.recipe.speech_chunk_tokens, n_text, len(self.silence_codes))

    def text(self, talk: ChunkedConversation, n_speech: int, n_text: int, n_chunks: int) -> TextStream:
        """The assistant's text in chunks of `n_speech` frames and `n_text` slots."""
        word_mark = self.vocabulary["<|sot|>"] if self.recipe.text_alignment == "words" else None
        return TextStream(talk, n_speech, n_text, n_chunks, self.recipe.interrupted_text == "causal", word_mark)

    def head(self, talk: ChunkedConversation) -> Ids:
        """The prompts at the head of each row of a conversation."""
        n_codebooks = len(self.silence_codes) if self.recipe.voice_prompt else 0
        return head_of(talk.streams, self.vocabulary, self.recipe.system_prompt, n_codebooks)

    def result(self, call: ChunkedCall) -> Ids:
        """The given tokens of a tool's result; empty if it is not wanted or there is none."""
        return text_block(call.result, self.vocabulary) if self.recipe.tool_results else NO_IDS

    def room(self, talk: ChunkedConversation, task: str) -> int | None:
        """Tokens of a row besides the given ones, if it had all of them; None if they are too many."""
        results = sum(len(self.result(call)) for call in talk.calls if task != "two_stream")
        n_given = len(self.head(talk)) + results
        return self.recipe.max_tokens - n_given if n_given <= self.recipe.max_given_tokens else None


def row_of(
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
    labels: Labels | None = None,
) -> Row:
    """A row without given tokens that covers frames [first, last) of a conversation."""
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


def labels_of(talk: ChunkedConversation, clock: ChunkClock | ColumnClock) -> Labels:
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
