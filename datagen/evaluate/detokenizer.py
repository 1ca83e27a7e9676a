"""Speech ids of rows and models as sound."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from datagen.clock import hop_samples
from datagen.intervals import true_runs
from datagen.shards.vocab import Vocabulary

if TYPE_CHECKING:
    from datagen.engines.base import Audio, SpeechTokenizer


@dataclass(frozen=True)
class Detokenizer:
    """The decoder of a build's speech tokens."""

    tokenizer: "SpeechTokenizer"
    vocabulary: Vocabulary
    n_codebooks: int
    """Codes per frame in rows."""

    @cached_property
    def hop_samples(self) -> int:
        """Samples per frame."""
        return hop_samples(self.tokenizer.sample_rate_hz, self.tokenizer.frame_rate_hz)

    @property
    def rate_hz(self) -> int:
        """Samples per second of the sound."""
        return self.tokenizer.sample_rate_hz

    def sound(self, ids: NDArray[np.integer], voice: str = "") -> "Audio":
        """Sound of speech ids; frames whose first id is no code, such as the token of silence, are silent.

        Args:
            ids: Frame by frame, of a multiple of the codes per frame.
            voice: Name of a voice, if it is known.

        Returns:
            float32 [n_frames x hop].

        Raises:
            EngineMissingError: If the tokenizer has no decoder.
        """
        frames = self.vocabulary.codes(np.asarray(ids, np.int32)).reshape(-1, self.n_codebooks)
        audio = np.zeros(len(frames) * self.hop_samples, np.float32)
        for start, stop in true_runs(frames[:, 0] >= 0):
            codes = np.maximum(frames[start:stop], 0).astype(np.uint16)
            codes = codes[:, 0] if self.vocabulary.n_codebooks == 1 else codes
            audio[start * self.hop_samples : stop * self.hop_samples] = self.tokenizer.decode_as(codes, voice)
        return audio
