"""Rows of `interleaved`: turn by turn, the assistant's text and speech in small blocks, text first.

    user        <|sos|> speech <|eos|>
    assistant   <|sot|> | text x N | speech x M | text x N | speech x M | ...

as GLM-4-Voice (13 : 26) and LLaMA-Omni 2 (3 : 10) generate an answer while it is heard. The text
ends with <|eot|> and the speech with <|eos|>, wherever that is in their blocks; the rest of the
longer one follows.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from datagen.pipeline.flatten.row_format import RowFormat
from datagen.pipeline.flatten.turns import Spelling, given_speech, is_stopped, rows_of_turns
from datagen.records import Row
from datagen.shards.chunks import ChunkedConversation, ChunkedUtterance, joined


def rows(f: RowFormat, talk: ChunkedConversation, task: str) -> Iterator[Row]:
    """Rows of whole turns."""
    return rows_of_turns(f, talk, task, spelled)


def spelled(f: RowFormat, u: ChunkedUtterance) -> Spelling:
    """The speech of a user's turn, or an assistant's turn in blocks of text and speech.

    A turn that was cut ends with its last frame: its text is what a model that does not know of the
    interruption has written by then.
    """
    if u.role == "user":
        return given_speech(f, u)
    v, n, stopped = f.vocabulary, f.recipe.interleave, is_stopped(f, u)
    written = u.spoken if stopped else u.ids
    text = joined(written, [v["<|eot|>"]])
    speech = joined(u.speech) if stopped else joined(u.speech, [v["<|eos|>"]])
    frames = np.arange(len(speech)) // len(f.silence_codes)
    order, round_of = interleaving(len(text), frames, n.text, n.speech)
    if stopped:  # a block of text that no speech follows was not begun
        order = order[: np.flatnonzero(order >= len(text))[-1] + 1]
    last_frame = round_of[len(text) + u.speech.size - 1]
    is_text = order < len(written)
    n_text = int(is_text.sum())
    ids = joined([v["<|sot|>"]], np.concatenate([text, speech])[order])
    return Spelling(
        ids,
        np.ones(len(ids), np.bool_),
        n_text,
        int((round_of[order[is_text]] > last_frame).sum()),
        len(written) - n_text,
    )


def interleaving(
    n_text: int, frames: NDArray[np.int64], n_most_text: int, n_most_speech: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The order in which tokens of text and speech take turns.

    Args:
        n_text: Tokens of the text.
        frames: Frame of each token of the speech, in order.
        n_most_text: Tokens per block of text.
        n_most_speech: Frames per block of speech.

    Returns:
        Order of all tokens, those of the text numbered before those of the speech; and the round of each token.

    >>> order, round_of = interleaving(3, np.array([0, 0, 1, 1, 2, 2]), 1, 2)
    >>> order.tolist(), round_of.tolist()
    ([0, 3, 4, 5, 6, 1, 7, 8, 2], [0, 1, 2, 0, 0, 0, 0, 1, 1])
    """
    round_of = np.concatenate([np.arange(n_text) // n_most_text, frames // n_most_speech])
    is_speech = np.arange(len(round_of)) >= n_text
    return np.argsort(2 * round_of + is_speech, kind="stable"), round_of
