"""A voice that sleeps where others compute, for clusters larger than the machine: `sleeping:Sleeping` in a recipe."""

import time

from datagen.engines.base import Speech
from datagen.engines.fakes import ToneVoice


class Sleeping(ToneVoice):
    """Tones, each after a nap."""

    def __init__(self, seconds: float, per_letter: float = 0.0) -> None:
        """Create an engine that sleeps for `seconds`, and `per_letter` more for each letter."""
        super().__init__()
        self._seconds, self._per_letter = seconds, per_letter

    def speak(self, text: str, voice: str, seed: int) -> Speech:
        """Sleep, then speak."""
        time.sleep(self._seconds + self._per_letter * len(text))
        return super().speak(text, voice, seed)
