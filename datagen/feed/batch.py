"""Sequences → one batch of arrays."""

from collections.abc import Sequence as Many
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from datagen.feed.shard_files import IGNORED
from datagen.feed.stream import Sequence
from datagen.shards.matrix import ABSENT


@dataclass(frozen=True)
class Arrays:
    """A batch in numpy."""

    ids: NDArray[np.int64]
    """Tokens; [n_sequences, max_tokens], of matrices [n_sequences, n_lines, max_tokens]."""
    labels: NDArray[np.int64]
    """The same where a token is learned, else `IGNORED`, as at the first token of every row; not shifted: models of
    transformers do that themselves."""
    positions: NDArray[np.int64]
    """Of each token in its row, from 0 in every row and in the fill at the end; [n_sequences, max_tokens]."""
    boundaries: NDArray[np.int32]
    """Begins of rows (and padding) in the batch laid out flat, and its end: `cu_seqlens`; [n_rows + n_fills + 1]."""
    tasks: tuple[str, ...]
    """Of each sequence."""
    rows: NDArray[np.int64]
    """Sequence in the batch, file (of its task and split, in the manifest's order) and row of the file; [n_rows, 3]."""


def arrays(sequences: Many[Sequence], max_tokens: int, fill_id: int) -> Arrays:
    """Lay sequences out side by side.

    Args:
        sequences: At least one, each of `max_tokens` with its fill.
        max_tokens: Length of all.
        fill_id: Token behind the last row, of matrices in every line; never learned.
    """
    n_sequences = len(sequences)
    pieces = np.concatenate([sequence.pieces for sequence in sequences])
    of = np.repeat(np.arange(n_sequences), [len(sequence.pieces) for sequence in sequences])
    is_there = pieces[:, 4] > 0  # a full sequence has no fill
    pieces, of = pieces[is_there], of[is_there]
    which, starts, lengths = pieces[:, 0], pieces[:, 3], pieces[:, 4]
    begins = np.cumsum(lengths) - lengths
    shape = next(shard.ids.shape[1:] for sequence in sequences for shard in sequence.shards)
    fill_ids, fill_mask, ramp = _constants(n_sequences, max_tokens, ABSENT if shape else fill_id, shape)
    ids_of, mask_of = [], []
    spans = zip(of.tolist(), which.tolist(), starts.tolist(), (starts + lengths).tolist(), strict=True)
    for sequence, place, start, stop in spans:
        shard = sequences[sequence].shards[place] if place >= 0 else None
        ids_of.append((shard.ids if shard else fill_ids)[start:stop])
        mask_of.append((shard.mask if shard else fill_mask)[start:stop])
    ids = np.concatenate(ids_of, dtype=np.int64)
    positions = ramp - np.repeat(begins, lengths)
    labels = np.where(np.concatenate(mask_of), ids, IGNORED)
    labels[begins] = IGNORED  # nothing of its own row stands before it
    return Arrays(
        _side_by_side(ids, n_sequences),
        _side_by_side(labels, n_sequences),
        positions.reshape(n_sequences, max_tokens),
        np.append(begins, len(ids)).astype(np.int32),
        tuple(sequence.task for sequence in sequences),
        np.column_stack([of, pieces[:, 1:3]])[which >= 0],
    )


def _side_by_side(tokens: NDArray[np.int64], n_sequences: int) -> NDArray[np.int64]:
    """Tokens of all sequences, [n] or [n, n_lines], as [n_sequences, max_tokens] or [n_sequences, n_lines, max_tokens].

    >>> _side_by_side(np.arange(8).reshape(4, 2), 2).tolist()
    [[[0, 2], [1, 3]], [[4, 6], [5, 7]]]
    """
    found = tokens.reshape(n_sequences, -1, *tokens.shape[1:])
    return np.ascontiguousarray(np.moveaxis(found, 1, -1))


@lru_cache(4)
def _constants(
    n_sequences: int, max_tokens: int, fill_id: int, shape: tuple[int, ...]
) -> tuple[NDArray[np.int32], NDArray[np.bool_], NDArray[np.int64]]:
    """Ids and mask of a fill, and the places of a flat batch."""
    ids, mask = np.full((max_tokens, *shape), fill_id, np.int32), np.zeros((max_tokens, *shape), np.bool_)
    return ids, mask, np.arange(n_sequences * max_tokens)
