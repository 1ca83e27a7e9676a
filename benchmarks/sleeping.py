"""A voice that sleeps where others compute, for clusters larger than the machine: `sleeping:Sleeping` in a recipe."""

import time

from datagen.engines.base import Speech
from datagen.engines.fakes import ToneVoice


class Sleeping(ToneVoice):
    """Tones, each after a nap."""

    def __init__(self, seconds: float) -> None:
        """Create an engine that sleeps."""
        super().__init__()
        self._seconds = seconds

    def speak(self, text: str, voice: str, seed: int) -> Speech:
        """Sleep, then speak."""
        time.sleep(self._seconds)
        return super().speak(text, voice, seed)
