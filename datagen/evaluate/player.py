"""A model in the place of the assistant: it reads the user's channel and predicts or draws its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from datagen.evaluate.models import Model, drawn
from datagen.evaluate.scored_rows import Given, Layout, Mask, interleaved
from datagen.shards.vocab import Vocabulary

_PIECE_TOKENS = 512
"""Tokens read at once; scores of all choices are held for each."""
_CONTEXT_TOKENS = 4096
"""Longest context of a model that runs free."""


@dataclass(frozen=True)
class Played:
    """Tokens that a model has drawn, chunk by chunk."""

    speech: NDArray[np.int64]
    """Ids, [n_frames, n_codebooks]."""
    text: NDArray[np.int64]
    """Ids of the text slots, [n_chunks, n_text]."""
    silent: Mask
    """True for frames of silence."""


@dataclass(frozen=True)
class Player:
    """A model that predicts the assistant's stream of rows."""

    model: Model
    layout: Layout
    vocabulary: Vocabulary

    @cached_property
    def _codes(self) -> tuple[NDArray[np.int64], ...]:
        """Of each codebook: silence first, then all its other codes."""
        v = self.vocabulary
        every = (np.arange(begin, begin + size) for begin, size in zip(v.offsets, v.sizes, strict=True))
        return tuple(
            np.concatenate([[silence], codes[codes != silence]])
            for silence, codes in zip(self.layout.silence_ids, every, strict=False)
        )

    @cached_property
    def _texts(self) -> NDArray[np.int64]:
        return np.append(np.arange(self.vocabulary.n_text), self.vocabulary["<|text_silence|>"])

    def forced(self, ids: NDArray[np.int32], given: Sequence[Given] = ()) -> NDArray[np.float64]:
        """Probability that the first code of each frame is silence, given all true tokens before; [n_frames]."""
        self.model.restart()
        read, is_given = interleaved(ids, given)
        pieces = np.split(read, range(_PIECE_TOKENS, len(read), _PIECE_TOKENS))
        codes, chunk = self._codes[0], self.layout.chunk
        silence = np.concatenate([_silence(self.model.hear(piece, codes, len(piece))) for piece in pieces])
        silence = silence[~is_given]
        after = np.append(0.0, silence[:-1])  # the prediction after a token is about the next
        return after.reshape(-1, chunk.width)[:, chunk.assistant][:, :: chunk.n_codebooks].reshape(-1)

    def free(
        self,
        ids: NDArray[np.int32],
        first: int,
        n_chunks: int,
        chance: np.random.Generator,
        given: Sequence[Given] = (),
    ) -> Played:
        """Tokens of a stream that it draws by itself from a chunk on.

        Args:
            ids: Chunks of a row.
            first: First chunk of its own; it reads those before.
            n_chunks: Number of chunks to draw.
            chance: Draws all tokens.
            given: Given tokens of the row.
        """
        width, n_speech, chunk_layout = self.layout.width, self.layout.n_speech, self.layout.chunk
        chunks = ids.reshape(-1, width)
        earliest = max(first - _CONTEXT_TOKENS // width, 0)
        self.model.restart()
        begin = earliest * width
        here = [(max(at - begin, 0), block) for at, block in given if at <= first * width and (not at or at >= begin)]
        heard = interleaved(chunks[earliest:first].reshape(-1), here)[0].astype(np.int64)
        results = {at // width: block for at, block in given if at > first * width}
        codes, texts = self._codes, self._texts
        speech = np.zeros((n_chunks * n_speech, len(codes)), np.int64)
        said = np.zeros((n_chunks, chunk_layout.n_text), np.int64)
        for chunk in range(n_chunks):
            user = chunks[first + chunk, chunk_layout.user]
            heard = np.concatenate([heard, results.get(first + chunk, heard[:0]), user])
            for slot in range(chunk_layout.n_text):
                heard = texts[[drawn(self.model.hear(heard, texts, 1), chance)]]
                said[chunk, slot] = heard[0]
            for slot, codebook in np.ndindex(n_speech, len(codes)):
                heard = codes[codebook][[drawn(self.model.hear(heard, codes[codebook], 1), chance)]]
                speech[chunk * n_speech + slot, codebook] = heard[0]
        return Played(speech, said, speech[:, 0] == codes[0][0])


def _silence(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Probability of the first choice, which is silence, among all choices.

    >>> _silence(np.log(np.array([[2, 1, 1]], np.float32))).round(6).tolist()
    [0.5]
    """
    likely = np.exp(scores - scores.max(axis=1, keepdims=True), dtype=np.float64)
    return np.asarray(likely[:, 0] / likely.sum(axis=1), np.float64)
