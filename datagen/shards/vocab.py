"""Token ids: text first, then special tokens, then speech. The only place that offsets ids.

    0 ........ n_text-1                text, as the text tokenizer numbers it
    special_offset + k                 SPECIALS[k]
    speech_offset + code               speech code `code`

With the embedded Qwen2 tokenizer, the special tokens lie in unused padding rows of Qwen2's
embedding (151,665 to 151,935), so a Qwen2 checkpoint grows only by the speech codes.
"""

from dataclasses import dataclass, field

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
    >>> v["<|sos|>"], v.speech(np.array([7], np.uint16)).tolist(), v.size
    (151667, [151943], 156032)
    """

    n_text: int
    special_offset: int
    speech_offset: int
    codebook_size: int
    specials: dict[str, int] = field(init=False, repr=False, compare=False)
    """Id of each special token, for readers of a manifest that have no datagen."""

    def __post_init__(self) -> None:
        """Derive the ids of the special tokens.

        Raises:
            ValueError: If text, special and speech ids overlap or are out of order.
        """
        object.__setattr__(self, "specials", {name: self.special_offset + k for k, name in enumerate(SPECIALS)})
        if not 0 < self.n_text <= self.special_offset <= self.speech_offset - len(SPECIALS):
            raise ValueError(f"{self}: ranges overlap; there are {len(SPECIALS)} special tokens")

    def __getitem__(self, special: str) -> int:
        """Id of a special token."""
        return self.specials[special]

    @property
    def size(self) -> int:
        """Number of ids a model needs."""
        return self.speech_offset + self.codebook_size

    def speech(self, codes: NDArray[np.uint16]) -> Ids:
        """Ids of speech codes, int32 of the same shape."""
        return codes.astype(np.int32) + np.int32(self.speech_offset)

    def codes(self, ids: Ids) -> NDArray[np.int32]:
        """Codes of ids; -1 where the id is not speech."""
        codes = np.asarray(ids, np.int32) - np.int32(self.speech_offset)
        return np.where((codes >= 0) & (codes < self.codebook_size), codes, np.int32(-1))

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
