"""Engines that listen, for tests of logic only."""

from datagen.engines.base import ASR, VAD, EngineInfo
from datagen.intervals import intervals


class Parrot(ASR):
    """Hears the same words in all speech."""

    info = EngineInfo("parrot", "1", "none", "all")
    sample_rate_hz = 16_000
    languages = ("en",)

    def transcribe(self, audio, language):
        return "polly wants it."


class Loud(VAD):
    """Speech is loud."""

    info = EngineInfo("loud", "1", "none", "all")

    def speech(self, audio, rate_hz):
        from datagen.sources.recordings.sound_files import sounding

        window = rate_hz // 100
        powers = (audio[: len(audio) // window * window].reshape(-1, window) ** 2).mean(axis=1)
        return intervals((a * rate_hz // 1000, b * rate_hz // 1000) for a, b in sounding(powers).tolist())
