"""A recorded voice that engines imitate: an utterance of a speaker, and what is said in it."""

from dataclasses import dataclass
from pathlib import Path

from datagen.engines.audio import read_audio
from datagen.engines.base import Audio, Voice


@dataclass(frozen=True)
class ReferenceRecording:
    """One recording of one speaker. `datagen.engines.voices` reads whole directories of them."""

    voice: Voice
    path: Path
    transcript: str
    """What is said in it, as written; empty if nobody knows."""

    def audio(self, rate_hz: int) -> Audio:
        """The recording, mixed to mono: float32 [n_samples] at `rate_hz`.

        Raises:
            EngineError: If it cannot be read any more.
        """
        return read_audio(self.path, rate_hz)
