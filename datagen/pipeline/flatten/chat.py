"""Rows of `chat`: one per turn of the assistant, after the turns before it, which are not learned.

    user        <|sos|> speech <|eos|>
    assistant   <|sot|> text <|eot|> <|sos|> speech <|eos|>

The form of training by answers: a prompt, and a response that alone is learned.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from datagen.pipeline.flatten.row_format import NO_IDS, RowFormat
from datagen.pipeline.flatten.turns import (
    Spelling,
    Turn,
    given_speech,
    is_stopped,
    row_of_turns,
    speech_block,
    turns_of,
)
from datagen.records import Row
from datagen.shards.chunks import ChunkedConversation, ChunkedUtterance, joined


def rows(f: RowFormat, talk: ChunkedConversation, task: str) -> Iterator[Row]:
    """A row per answer that fits behind the turn it answers."""
    if (room := f.room(talk, task)) is None:
        return
    turns = turns_of(f, talk, spelled)
    for index, turn in enumerate(turns):
        if turn.role == "assistant":
            first = history_of(turns, index, room, f.recipe.chat_turns)
            if first is not None:
                history = [_unlearned(before) for before in turns[first:index]]
                answer = replace(turn, result=NO_IDS)  # it comes after the row
                yield row_of_turns(f, talk, task, index, [*history, answer])


def spelled(f: RowFormat, u: ChunkedUtterance) -> Spelling:
    """The speech of a user's turn, or the assistant's text and its speech, which may have been cut."""
    if u.role == "user":
        return given_speech(f, u)
    v, stopped = f.vocabulary, is_stopped(f, u)
    written = u.spoken if stopped else u.ids
    speech = speech_block(u.speech, v)[: -1 if stopped else None]
    ids = joined([v["<|sot|>"]], written, [v["<|eot|>"]], speech)
    return Spelling(ids, np.ones(len(ids), np.bool_), len(written))


def history_of(turns: Sequence[Turn], index: int, n_most: int, n_turns: int | None) -> int | None:
    """The first turn of the row of an answer.

    Args:
        turns: All turns of the conversation.
        index: The answer.
        n_most: Maximum number of tokens of the row.
        n_turns: Maximum number of turns before the answer; None: all that fit.

    Returns:
        The earliest turn that is the user's, or the first of the conversation, and from which on all fit; None if there
        is none.
    """
    earliest = 0 if n_turns is None else max(index - n_turns, 0)
    n_ids, found = 0, None
    for first in range(index, earliest - 1, -1):
        n_ids += turns[first].n_ids
        if n_ids > n_most:
            break
        if first == 0 or turns[first].role == "user":
            found = first
    return found


def _unlearned(turn: Turn) -> Turn:
    spelling = turn.spelling
    return replace(turn, spelling=spelling._replace(learned=np.zeros(len(spelling.ids), np.bool_)))
