"""Places of the streams in a chunk of a full-duplex row.

user speech, S frames of K codes | assistant text, T slots | assistant speech, S frames of K codes
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ChunkLayout:
    """Sizes of a chunk.

    >>> layout = ChunkLayout(n_speech=5, n_text=2, n_codebooks=4)
    >>> layout.width, layout.user, layout.text, layout.assistant
    (42, slice(0, 20, None), slice(20, 22, None), slice(22, 42, None))
    """

    n_speech: int
    """Frames per chunk and speaker (S)."""
    n_text: int
    """Text slots per chunk (T); 0 in `two_stream`."""
    n_codebooks: int = 1
    """Codes per frame (K)."""

    @classmethod
    def of(cls, flatten: Mapping[str, Any], n_codebooks: int, task: str) -> "ChunkLayout":
        """The layout of a task.

        Args:
            flatten: The recipe's `flatten` section, also one of an older version.
            n_codebooks: Codebooks of the speech tokenizer.
            task: `three_stream` or `two_stream`.
        """
        n_text = int(flatten.get("text_chunk_tokens", 2)) if task == "three_stream" else 0
        return cls(int(flatten.get("speech_chunk_tokens", 10)), n_text, flatten.get("codebooks") or n_codebooks)

    @property
    def width(self) -> int:
        """Tokens per chunk."""
        return 2 * self.n_speech * self.n_codebooks + self.n_text

    @property
    def user(self) -> slice:
        """Places of the user's speech in a chunk."""
        return slice(0, self.n_speech * self.n_codebooks)

    @property
    def text(self) -> slice:
        """Places of the assistant's text."""
        return slice(self.user.stop, self.user.stop + self.n_text)

    @property
    def assistant(self) -> slice:
        """Places of the assistant's speech."""
        return slice(self.text.stop, self.width)

    def positions(self, frames: NDArray[np.int64]) -> NDArray[np.int64]:
        """Positions of the first assistant code of frames, counted from the first chunk.

        >>> ChunkLayout(10, 2).positions(np.array([0, 11])).tolist()
        [12, 35]
        """
        chunk, slot = np.divmod(frames, self.n_speech)
        return np.asarray(chunk * self.width + self.assistant.start + slot * self.n_codebooks, np.int64)

    def frames(self, positions: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """Frames of positions of the assistant's speech, or of the end of a row, counted from the first chunk.

        >>> ChunkLayout(10, 2).frames(np.array([12, 21, 34, 44])).tolist()
        [0, 9, 10, 20]
        """
        chunk, place = np.divmod(np.asarray(positions, np.int64), self.width)
        slot = np.maximum(place - self.assistant.start, 0) // self.n_codebooks
        return np.asarray(chunk * self.n_speech + slot, np.int64)
