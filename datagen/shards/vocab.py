"""Token ids: text first, then special tokens, then speech. The only place that offsets ids.

    0 ........ n_text-1                text, as the text tokenizer numbers it
    special_offset + k                 SPECIALS[k]
    speech_offset + code               speech code `code` of the first codebook
    speech_offset + size + code        of the second, and so on: after all codes of the codebooks before it

With the embedded Qwen2 tokenizer, the special tokens lie in unused padding rows of Qwen2's
embedding (151,665 to 151,935), so a Qwen2 checkpoint grows only by the speech codes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

SPECIALS = (
    "<|asr|>",  # task: transcribe
    "<|tts|>",  # task: speak
    "<|sos|>",  # speech begins
    "<|eos|>",  # speech ends
    "<|sot|>",  # text begins
    "<|eot|>",  # text ends
    "<|text_silence|>",  # pads the assistant's text stream
    "<|speech_silence|>",  # pads the assistant's speech stream while it is silent
)

Ids = NDArray[np.int32]


@dataclass(frozen=True)
class Vocabulary:
    """The ranges of text, special and speech ids, which do not overlap.

    >>> v = Vocabulary(n_text=151_646, special_offset=151_665, speech_offset=151_936, codebook_size=4096)
    >>> v["<|sos|>"], v.speech(np.array([[7]], np.uint16)).tolist(), v.size
    (151667, [[151943]], 156032)
    """

    n_text: int
    special_offset: int
    speech_offset: int
    codebook_size: int
    """Number of speech ids: the codes of the only codebook, or of all codebooks together."""
    codebook_sizes: tuple[int, ...] | None = None
    """Codes of each codebook, in order; None if there is one."""
    specials: dict[str, int] = field(init=False, repr=False, compare=False)
    """Id of each special token, for readers of a manifest that have no datagen."""

    def __post_init__(self) -> None:
        """Derive the ids of the special tokens.

        Raises:
            ValueError: If text, special and speech ids overlap or are out of order, or the codebooks are not as large
                as stated.
        """
        object.__setattr__(self, "specials", {name: self.special_offset + k for k, name in enumerate(SPECIALS)})
        if not 0 < self.n_text <= self.special_offset <= self.speech_offset - len(SPECIALS):
            raise ValueError(f"{self}: ranges overlap; there are {len(SPECIALS)} special tokens")
        if self.codebook_sizes is not None and (
            len(self.codebook_sizes) < 2
            or min(self.codebook_sizes) < 1
            or sum(self.codebook_sizes) != self.codebook_size
        ):
            raise ValueError(f"{self}: codebook_size must be the sum of the sizes of two or more codebooks")

    @classmethod
    def of(cls, n_text: int, special_offset: int, speech_offset: int, sizes: Sequence[int]) -> "Vocabulary":
        """The ids of text, special tokens, and codebooks of these sizes.

        >>> Vocabulary.of(10, 20, 40, (4, 3)).kind(46), Vocabulary.of(10, 20, 40, (4,)) == Vocabulary(10, 20, 40, 4)
        ('speech', True)
        """
        return cls(n_text, special_offset, speech_offset, sum(sizes), tuple(sizes) if len(sizes) > 1 else None)

    def __getitem__(self, special: str) -> int:
        """Id of a special token."""
        return self.specials[special]

    @property
    def size(self) -> int:
        """Number of ids a model needs."""
        return self.speech_offset + self.codebook_size

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Number of codes of each codebook."""
        return self.codebook_sizes or (self.codebook_size,)

    @property
    def n_codebooks(self) -> int:
        """Number of codes per frame."""
        return len(self.sizes)

    @cached_property
    def offsets(self) -> NDArray[np.int32]:
        """Id of code 0 of each codebook, int32 [n_codebooks]."""
        return np.array([*accumulate(self.sizes[:-1], initial=self.speech_offset)], np.int32)

    def frames(self, codes: NDArray[np.uint16]) -> NDArray[np.uint16]:
        """Stored codes, frame by frame, as a matrix: uint16 [n_frames, n_codebooks]."""
        return codes.reshape(-1, self.n_codebooks)

    def first_codes(self, codes: NDArray[np.uint16]) -> NDArray[np.uint16]:
        """The code of the first codebook of each frame of stored codes: uint16 [n_frames]."""
        return codes[:: self.n_codebooks]

    def for_decoder(self, codes: NDArray[np.uint16]) -> NDArray[np.uint16]:
        """Stored codes as a speech tokenizer has them: uint16 [n_frames], of several codebooks [n_frames, n_codebooks].

        >>> Vocabulary.of(10, 20, 40, (4, 3)).for_decoder(np.zeros(6, np.uint16)).shape
        (3, 2)
        """
        return codes if self.n_codebooks == 1 else self.frames(codes)

    def speech(self, frames: NDArray[np.uint16]) -> Ids:
        """Ids of speech codes, of all codebooks or the first k.

        Args:
            frames: uint16 [n_frames, k].

        Returns:
            int32 of the same shape.

        >>> Vocabulary.of(10, 20, 40, (4, 3)).speech(np.array([[3, 0], [1, 2]], np.uint16)).tolist()
        [[43, 44], [41, 46]]
        """
        return frames.astype(np.int32) + self.offsets[: frames.shape[-1]]

    def codes(self, ids: Ids) -> NDArray[np.int32]:
        """Codes of ids, each in its codebook; -1 where the id is not speech.

        >>> Vocabulary.of(10, 20, 40, (4, 3)).codes(np.array([43, 44, 46, 47, 7], np.int32)).tolist()
        [3, 0, 2, -1, -1]
        """
        ids = np.asarray(ids, np.int32)
        codes = ids - self.offsets[np.maximum(np.searchsorted(self.offsets, ids, "right") - 1, 0)]
        return np.where((ids >= self.speech_offset) & (ids < self.size), codes, np.int32(-1))

    def kind(self, token_id: int) -> str:
        """The range of an id: `text`, `special`, `speech` or `unused`.

        >>> Vocabulary(10, 20, 40, 4).kind(41), Vocabulary(10, 20, 40, 4).kind(12)
        ('speech', 'unused')
        """
        if 0 <= token_id < self.n_text:
            return "text"
        if self.special_offset <= token_id < self.special_offset + len(SPECIALS):
            return "special"
        return "speech" if self.speech_offset <= token_id < self.size else "unused"
