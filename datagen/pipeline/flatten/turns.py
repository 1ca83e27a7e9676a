"""The turns of a conversation as tokens, and rows of whole turns: the part that several tasks share."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datagen.pipeline.flatten.row_format import NO_IDS, RowFormat, row_of
from datagen.records import Row
from datagen.shards.chunks import ChunkedConversation, ChunkedUtterance, joined
from datagen.shards.given import Block, with_given
from datagen.shards.vocab import Ids, Vocabulary


class Spelling(NamedTuple):
    """The tokens of a turn."""

    ids: Ids
    learned: NDArray[np.bool_]
    """True where a model learns to predict the token, if it learns the turn at all."""
    n_text: int
    """Text ids among them."""
    n_late: int = 0
    """Those after the last frame of the turn's speech."""
    n_dropped: int = 0
    """Text ids of the turn that are not among them."""


@dataclass(frozen=True)
class Turn:
    """A turn as tokens."""

    role: str
    first: int
    last: int
    """Frame after the last audible one."""
    spelling: Spelling
    result: Ids
    """Given tokens after the turn: the result of a tool; empty if there is none."""
    ends_with_call: bool

    @property
    def opens(self) -> bool:
        """True if the next turn should be in the same row: the answer to it."""
        return self.role == "user" or self.ends_with_call

    @property
    def n_ids(self) -> int:
        """Number of tokens without the result."""
        return len(self.spelling.ids)


Spell = Callable[[RowFormat, ChunkedUtterance], Spelling]
"""Spells a turn whose text includes its call of a tool."""


def turns_of(f: RowFormat, talk: ChunkedConversation, spell: Spell) -> list[Turn]:
    """The turns of a conversation in order."""
    found = []
    for u in talk.turns(whole=f.recipe.half_duplex == "whole"):
        call = talk.call_after(u)
        said = replace(u, ids=joined(u.ids, call.text.ids), spoken=joined(u.spoken, call.text.ids)) if call else u
        result = f.result(call) if call else NO_IDS
        found.append(Turn(u.role, u.first, u.last, spell(f, said), result, call is not None))
    return found


def row_of_turns(
    f: RowFormat, talk: ChunkedConversation, task: str, part: int, turns: Sequence[Turn], n_dropped: int = 0
) -> Row:
    """A row of neighbouring turns, with the prompts before them and each result after its turn.

    Args:
        f: The format.
        talk: The conversation.
        task: The task.
        part: Number of the row.
        turns: At least one.
        n_dropped: Text ids dropped besides those of these turns.
    """
    spelled = [turn.spelling for turn in turns]
    row = row_of(
        talk,
        task,
        part,
        ids=np.concatenate([each.ids for each in spelled]),
        mask=np.concatenate([each.learned for each in spelled]),
        frames=(turns[0].first, max(turn.last for turn in turns)),
        n_text=sum(each.n_text for each in spelled),
        n_late=sum(each.n_late for each in spelled),
        n_dropped=n_dropped + sum(each.n_dropped for each in spelled),
    )
    ends = np.cumsum([turn.n_ids for turn in turns]).tolist()
    results = (Block(end, turn.result) for end, turn in zip(ends, turns, strict=True))
    return with_given(row, [Block(0, f.head(talk)), *results])


def rows_of_turns(f: RowFormat, talk: ChunkedConversation, task: str, spell: Spell) -> Iterator[Row]:
    """Rows of whole turns, as few as possible; what comes after the last row is counted with it."""
    if (room := f.room(talk, task)) is None:
        return
    turns = turns_of(f, talk, spell)
    spans = spans_of([turn.n_ids for turn in turns], [turn.opens for turn in turns], room)
    for part, (first, last) in enumerate(spans):
        before = spans[part - 1][1] if part else 0
        after = len(turns) if part == len(spans) - 1 else last
        left_out = [turn.spelling for turn in (*turns[before:first], *turns[last:after])]
        n_dropped = sum(each.n_text + each.n_dropped for each in left_out)
        yield row_of_turns(f, talk, task, part, turns[first:last], n_dropped)


def speech_block(speech: Ids, v: Vocabulary) -> Ids:
    """`<|sos|> speech <|eos|>`."""
    return joined([v["<|sos|>"]], speech, [v["<|eos|>"]])


def given_speech(f: RowFormat, u: ChunkedUtterance) -> Spelling:
    """A user's turn as a model receives it: `<|sos|> speech <|eos|>`, not learned, without text."""
    ids = speech_block(u.speech, f.vocabulary)
    return Spelling(ids, np.zeros(len(ids), np.bool_), 0)


def is_stopped(f: RowFormat, u: ChunkedUtterance) -> bool:
    """True if a turn is to stop where it was cut, with the text that it has by then and no end marker."""
    return u.is_cut and f.recipe.half_duplex == "heard" and f.recipe.interrupted_text == "causal"


def spans_of(lengths: Sequence[int], opens: Sequence[bool], n_most: int) -> list[tuple[int, int]]:
    """The turns of each row; a user turn and its answer stay together if they fit.

    A turn longer than a row is in none, and no row continues across it.

    Args:
        lengths: Number of tokens of each turn.
        opens: True for each turn of the user, and for an assistant's turn that a result and an answer follow.
        n_most: Maximum number of tokens of a row.

    Returns:
        Turns [first, last) of each row, in order.

    >>> spans_of([3, 4, 3, 4], [True, False] * 2, 11), spans_of([3, 9, 3, 4], [True, False] * 2, 8)
    ([(0, 2), (2, 4)], [(0, 1), (2, 4)])
    """
    spans: list[tuple[int, int]] = []
    open_since, n_tokens = 0, 0
    for index, (length, opening) in enumerate(zip(lengths, opens, strict=True)):
        answered = opening and index + 1 < len(lengths) and lengths[index + 1] <= n_most
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
