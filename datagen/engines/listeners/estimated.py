"""Word times without a model: letters spread over the audible part of the audio."""

from collections.abc import Sequence

import numpy as np

from datagen.engines.audio import window_power
from datagen.engines.base import Aligner, Audio, EngineInfo
from datagen.engines.tts.word_times import spread
from datagen.records import Word

_RATE_HZ = 16_000
_WINDOW = 160
_NOISY = 1e-4
"""A floor of more than this share of the power of loud windows is noise: `spread` counts it as audible."""
_ABOVE = 4
"""Speech has this many times the power of the floor."""


class Estimated(Aligner):
    """Good to about a syllable while the speaker keeps the pace; for short segments."""

    sample_rate_hz = _RATE_HZ
    languages = ()
    longest_seconds = 600.0

    def __init__(self) -> None:
        """Nothing to load."""
        self.info = EngineInfo("estimated", "1", "Apache-2.0", "machine")

    def align(self, audio: Audio, words: Sequence[str], language: str) -> tuple[Word, ...]:  # noqa: ARG002
        """Spread the letters of all words over the windows that are audible.

        >>> hum = np.sin(np.arange(1600, dtype=np.float32))
        >>> [(w.text, w.start_samples, w.end_samples) for w in Estimated().align(hum, ["ab", "cd"], "en")]
        [('ab', 0, 800), ('cd', 800, 1600)]
        """
        found, pieces = list[Word](), iter(spread(" ".join(words), without_noise(audio), _RATE_HZ))
        for word in words:  # Chinese is timed by the character
            own = [next(pieces)]
            while sum(len(piece.text) for piece in own) < len("".join(word.split())):
                own.append(next(pieces))
            found.append(Word(word, own[0].start_samples, own[-1].end_samples))
        return tuple(found)


def without_noise(audio: Audio) -> Audio:
    """Silence windows of 10 ms near the noise floor, so that pauses in noise count as pauses.

    The floor is the power that a tenth of the windows stays below. Clean audio is unchanged.

    >>> rng = np.random.default_rng(1)
    >>> noisy = rng.normal(0, 0.01, 16_000) + np.repeat([0, 1, 0, 0], 4000) * np.sin(np.arange(16_000))
    >>> gated = without_noise(noisy.astype(np.float32))
    >>> bool(gated[:3900].any()), bool(gated[4000:8000].all())
    (False, True)
    """
    power = window_power(audio, _WINDOW)
    floor = float(np.percentile(power, 10))
    if floor < _NOISY * float(np.percentile(power, 95)):
        return audio
    mask = np.repeat(power > _ABOVE * floor, _WINDOW)[: len(audio)]
    gated: Audio = audio * mask
    return gated
