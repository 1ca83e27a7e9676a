"""Rows of `four_stream`, turn by turn: user speech, user text, assistant text, assistant speech."""

from collections.abc import Iterator

import numpy as np

from datagen.pipeline.flatten.row_format import RowFormat
from datagen.pipeline.flatten.turns import Spelling, rows_of_turns, speech_block
from datagen.records import Row
from datagen.shards.chunks import ChunkedConversation, ChunkedUtterance, joined


def rows(f: RowFormat, talk: ChunkedConversation, task: str) -> Iterator[Row]:
    """Rows of whole turns."""
    return rows_of_turns(f, talk, task, spelled)


def spelled(f: RowFormat, u: ChunkedUtterance) -> Spelling:
    """The user's speech and its transcript, or the assistant's text and its speech."""
    v = f.vocabulary
    speech = speech_block(u.speech, v)
    text = joined([v["<|sot|>"]], u.ids, [v["<|eot|>"]])
    if u.role == "user":
        ids = np.concatenate([speech, text])
        return Spelling(ids, (np.arange(len(ids)) >= len(speech)) & f.recipe.loss_on_user_text, len(u.ids))
    return Spelling(np.concatenate([text, speech]), np.ones(len(text) + len(speech), np.bool_), len(u.ids))
