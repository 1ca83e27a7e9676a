"""Background noise for the user's channel: generated, and recordings from a directory."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datagen import seeds
from datagen.engines.audio import AUDIO_SUFFIXES, read_audio
from datagen.engines.base import Audio, EngineInfo
from datagen.engines.noise.ambience import KINDS
from datagen.errors import EngineError, RecipeError

_FADE_MS = 20


class GeneratedNoise:
    """Noise that is made anew whenever it is taken, however long, and never repeats (`texture`, `ambience`).

    `white`, `pink` (-3 dB per octave: rain), `brown` (-6 dB per octave: wind), `hum` (the mains with harmonics over
    a faint hiss), `room` (rumble as of an office, with slow swells), `speech_shaped` (noise with the spectrum of
    speech), `street` (distant traffic and passing cars), `cafe` (murmur without words, dishes), `keyboard` (typing in
    a quiet room), `fan` (blades and air, drifting).
    """

    def __init__(self, sample_rate_hz: int = 24_000, kinds: tuple[str, ...] | list[str] = tuple(KINDS)) -> None:
        """Choose kinds.

        Raises:
            RecipeError: If a kind is unknown.
        """
        unknown = set(kinds) - set(KINDS)
        if unknown or not kinds:
            raise RecipeError(f"unknown kinds of generated noise {sorted(unknown)}; known: {', '.join(KINDS)}")
        self.info = EngineInfo("generated", "2", "Apache-2.0", "machine")
        self._kinds = tuple(sorted(kinds))
        self._rate = sample_rate_hz

    def kinds(self) -> tuple[str, ...]:
        """The chosen kinds, sorted."""
        return self._kinds

    def take(self, kind: str, rng: np.random.Generator, n_samples: int) -> Audio:
        """`n_samples` of a kind, at a root mean square of about 1."""
        return KINDS[kind](n_samples, rng, self._rate)


class DirectoryNoise:
    """Recordings below a directory, in any audio format, such as MUSAN. A kind is a path below it.

    Recordings repeat: two conversations may have the same one, and where one is shorter than a conversation, it is
    continued from another place.
    """

    def __init__(self, path: str = "", sample_rate_hz: int = 24_000, from_start: bool = False) -> None:
        """List the recordings; `from_start` takes each from its beginning and only once, as noise bursts need it.

        Raises:
            RecipeError: If the directory is missing or holds no audio.
        """
        self._root = Path(path)
        if not path or not self._root.is_dir():
            raise RecipeError(
                f"mix.noise: directory {path!r} does not exist; set options.path to a folder of audio files"
            )
        files = (file for file in self._root.rglob("*") if file.suffix.lower() in AUDIO_SUFFIXES)
        self._kinds = tuple(sorted(file.relative_to(self._root).as_posix() for file in files))
        if not self._kinds:
            raise RecipeError(
                f"mix.noise: no audio files below {path!r} (looked for {', '.join(sorted(AUDIO_SUFFIXES))})"
            )
        listing = "\n".join(f"{kind}:{(self._root / kind).stat().st_size}" for kind in self._kinds)
        self.info = EngineInfo("directory", f"{seeds.digest(listing):032x}"[:12], "as the recordings", "machine")
        self._rate, self._from_start = sample_rate_hz, from_start

    def kinds(self) -> tuple[str, ...]:
        """Paths of all recordings below the directory, sorted."""
        return self._kinds

    def take(self, kind: str, rng: np.random.Generator, n_samples: int) -> Audio:
        """A recording from a drawn place, continued from others; where that is a long pause, from its loudest sample.

        Raises:
            EngineError: If the recording is empty, silent or cannot be read.
        """
        recording = _recording(self._root / kind, self._rate)
        if self._from_start:
            return recording[:n_samples]
        n_fade = min(self._rate * _FADE_MS // 1000, len(recording) // 4)
        start = int(rng.integers(len(recording)))
        if not _audible(recording[start : start + self._rate]):
            start = int(np.argmax(np.abs(recording)))
        return _continued(recording, min(start, len(recording) - n_fade), rng, n_samples, n_fade)


def _continued(recording: Audio, start: int, rng: np.random.Generator, n_samples: int, n_fade: int) -> Audio:
    """A recording from `start` to its end, then from drawn places in its first half, with crossfades between."""
    made, n_done = np.empty(n_samples, np.float32), 0
    rise = np.sin(np.pi / 2 * (np.arange(n_fade) + 0.5) / max(n_fade, 1)).astype(np.float32)
    while n_done < n_samples:
        part = recording[start : start + n_samples - n_done]
        if n_done:
            made[n_done - n_fade : n_done] *= rise[::-1]
            made[n_done - n_fade : n_done] += recording[start - n_fade : start] * rise
        made[n_done : n_done + len(part)] = part
        n_done += len(part)
        start = n_fade + int(rng.integers(max(1, len(recording) // 2)))
    return made


@lru_cache(maxsize=32)
def _recording(file: Path, sample_rate_hz: int) -> Audio:
    audio = read_audio(file, sample_rate_hz)
    if not _audible(audio):
        raise EngineError(f"noise file {file.name} is empty or silent")
    return audio


def _audible(audio: NDArray[np.float32]) -> bool:
    return len(audio) > 0 and float(np.dot(audio, audio)) / len(audio) > 1e-10
