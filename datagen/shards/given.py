"""Tokens that a model is given and never learns: prompts at the head of a row, and results of tools.

    | <|sot|> system prompt <|eot|> | <|sos|> voice prompt <|eos|> | chunks or turns ... | <|sot|> result <|eot|> | ...

They are put between the chunks or turns of a finished row, so everything else of the row is the same
with and without them, apart from positions.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datagen.records import Row, Streams
from datagen.shards.vocab import Ids, Vocabulary


class Block(NamedTuple):
    """Given tokens, and the position in the row before which they stand."""

    position: int
    ids: Ids


def text_block(ids: Ids, v: Vocabulary) -> Ids:
    """Given text, `<|sot|> text <|eot|>`; empty if there is no text."""
    return np.concatenate([[v["<|sot|>"]], ids, [v["<|eot|>"]]]).astype(np.int32) if len(ids) else ids


def head_of(streams: Streams, v: Vocabulary, system_prompt: bool, n_codebooks: int) -> Ids:
    """The head of each row of a conversation; empty if it has no wanted prompt.

    Args:
        streams: The conversation.
        v: The ids.
        system_prompt: True to include the system prompt.
        n_codebooks: Codebooks of the voice prompt, the first ones; 0: no voice prompt.
    """
    system = text_block(streams.system_ids, v) if system_prompt else np.zeros(0, np.int32)
    if not (n_codebooks and streams.voice_prompt):
        return system
    speech = v.speech(v.frames(streams.voice_prompt.codes)[:, :n_codebooks]).reshape(-1)
    return np.concatenate([system, [v["<|sos|>"]], speech, [v["<|eos|>"]]]).astype(np.int32)


def with_given(row: Row, blocks: Sequence[Block]) -> Row:
    """A row with blocks of given tokens; positions after a block move by its length.

    Args:
        row: A row without given tokens.
        blocks: In order of their positions; empty ones count as absent.
    """
    blocks = [block for block in blocks if len(block.ids)]
    if not blocks:
        return row
    at, lengths = np.array([b.position for b in blocks]), np.array([len(b.ids) for b in blocks])
    where = np.repeat(at, lengths)
    starts = at + np.concatenate([[0], np.cumsum(lengths)[:-1]])

    def moved(positions: NDArray[np.int32]) -> NDArray[np.int32]:
        n_before = np.concatenate([[0], np.cumsum(lengths)])[np.searchsorted(at, positions, "right")]
        return np.asarray(positions + n_before, np.int32)

    return replace(
        row,
        input_ids=np.insert(row.input_ids, where, np.concatenate([b.ids for b in blocks])).astype(np.int32),
        loss_mask=np.insert(row.loss_mask, where, False),
        user_turn_ends=moved(row.user_turn_ends),
        barge_ins=moved(row.barge_ins),
        event_starts=moved(row.event_starts),
        event_ends=moved(row.event_ends),
        given_starts=starts.astype(np.int32),
        given_lengths=lengths.astype(np.int32),
    )


def without_given(ids: Ids, starts: NDArray[np.int32], lengths: NDArray[np.int32]) -> Ids:
    """The ids of a row without its given tokens: its chunks or turns.

    >>> without_given(np.array([7, 7, 1, 2, 7, 3]), np.array([0, 4]), np.array([2, 1])).tolist()
    [1, 2, 3]
    """
    return np.delete(ids, given_places(starts, lengths)) if len(starts) else ids


def given_places(starts: NDArray[np.int32], lengths: NDArray[np.int32]) -> NDArray[np.int64]:
    """The positions of all given tokens of a row, int64.

    >>> given_places(np.array([0, 4]), np.array([2, 1])).tolist()
    [0, 1, 4]
    """
    spans = [np.arange(start, start + n, dtype=np.int64) for start, n in zip(starts, lengths, strict=True)]
    return np.concatenate(spans) if spans else np.zeros(0, np.int64)


def moved_back(
    positions: NDArray[np.int32], starts: NDArray[np.int32], lengths: NDArray[np.int32]
) -> NDArray[np.int64]:
    """Positions of tokens that are not given, as they are in the row without given tokens; int64.

    >>> moved_back(np.array([2, 3, 5, 6]), np.array([0, 4]), np.array([2, 1])).tolist()
    [0, 1, 2, 3]
    """
    n_before = np.concatenate([[0], np.cumsum(lengths)])[np.searchsorted(starts, positions, "right")]
    return np.asarray(positions, np.int64) - n_before.astype(np.int64)
