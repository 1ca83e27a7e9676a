"""Rows of `parallel`: a stream per line, a frame per column.

line 0            the assistant's text: token ids
lines 1 ... K     the assistant's codebooks, codes as the tokenizer numbers them
lines K+1 ... 2K  the user's
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datagen.records import Streams
from datagen.shards.vocab import Ids, Vocabulary

ABSENT = -1
"""Stands where a stream has nothing: before a delayed codebook begins, or after all others have ended."""


@dataclass(frozen=True)
class ColumnClock:
    """Converts frames of the conversation to columns of a row that begins at one."""

    first: int
    last: int
    """The frame after the row's last."""
    n_frames: int
    n_columns: int

    def holds(self, frames: NDArray[np.int64]) -> NDArray[np.bool_]:
        """True for frames that lie in the row."""
        return (frames >= self.first) & (frames < min(self.last, self.n_frames))

    def positions(self, frames: NDArray[np.int64]) -> NDArray[np.int32]:
        """Column of each frame, int32; the number of columns if it lies after the row."""
        return np.where(frames < self.last, frames - self.first, self.n_columns).astype(np.int32)


def n_lines(n_codebooks: int) -> int:
    """Streams of a row with that many codebooks.

    >>> n_lines(8)
    17
    """
    return 1 + 2 * n_codebooks


def matrix_of(streams: Streams, vocabulary: Vocabulary, text: Ids, silence_codes: Sequence[int]) -> Ids:
    """The streams of a conversation.

    Args:
        streams: The conversation.
        vocabulary: Of all codebooks.
        text: Text id of each column, -1 where no text is due; [n_columns], at least one per frame.
        silence_codes: The code of silence of each codebook that rows contain, the first K.

    Returns:
        int32 [1 + 2 K, n_columns]; columns after the last frame hold the codes of silence.
    """
    n_codebooks = len(silence_codes)
    matrix = np.empty((n_lines(n_codebooks), len(text)), np.int32)
    matrix[0] = np.where(text < 0, vocabulary["<|text_silence|>"], text)
    matrix[1:] = np.tile(silence_codes, 2)[:, None]
    for first, channel in ((1, streams.assistant_codes), (1 + n_codebooks, streams.user_codes)):
        frames = vocabulary.frames(channel)[:, :n_codebooks]
        matrix[first : first + n_codebooks, : len(frames)] = frames.T
    return matrix


def delayed(matrix: Ids, delay: int) -> NDArray[np.int32]:
    """The matrix with all codebooks but the first of each speaker shifted to the right.

    Args:
        matrix: int32 [1 + 2 K, n].
        delay: Columns, at least 0.

    Returns:
        int32 [1 + 2 K, n + delay], `ABSENT` where a stream has nothing.

    >>> delayed(np.array([[7, 8], [1, 2], [3, 4], [5, 6], [9, 0]], np.int32), 1).tolist()
    [[7, 8, -1], [1, 2, -1], [-1, 3, 4], [5, 6, -1], [-1, 9, 0]]
    """
    n_codebooks, n = len(matrix) // 2, matrix.shape[1]
    found = np.full((len(matrix), n + delay), ABSENT, np.int32)
    for line, stream in enumerate(matrix):
        lag = delay if line and (line - 1) % n_codebooks else 0
        found[line, lag : lag + n] = stream
    return found
