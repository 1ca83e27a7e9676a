"""A recorded voice that engines imitate: an utterance of a speaker, and what is said in it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datagen.engines.audio import resample
from datagen.engines.base import Audio, Voice


@dataclass(frozen=True)
class Reference:
    """One recording of one speaker. `datagen.engines.bank` reads whole directories of them."""

    voice: Voice
    path: Path
    transcript: str
    """What is said in it, as written; empty if nobody knows."""

    def audio(self, rate_hz: int) -> Audio:
        """The recording, mixed to mono: float32 [n_samples] at `rate_hz`.

        Raises:
            OSError: If it is gone since the bank was read.
        """
        import soundfile

        audio, rate = soundfile.read(self.path, dtype="float32", always_2d=True)
        return resample(np.ascontiguousarray(audio.mean(axis=1)), rate, rate_hz)
