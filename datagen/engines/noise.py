"""Background noise for the user's channel: generated colours, and recordings from a directory."""

from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from datagen import seeds
from datagen.engines.audio import AUDIO_SUFFIXES, read_audio
from datagen.engines.base import Audio, EngineInfo, Loop
from datagen.errors import EngineError, RecipeError

_LOOP_SECONDS = 16


class GeneratedNoise:
    """Seeded noises, each a loop of 16 s that repeats without a seam, root mean square 1.

    `white`, `pink` (-3 dB an octave: rain, a fan), `brown` (-6 dB an octave: traffic, wind), `hum` (mains at
    50 Hz with harmonics over a faint hiss), `room` (low-passed rumble as of an office, with slow swells).
    """

    _SLOPES: ClassVar[dict[str, float]] = {"white": 0.0, "pink": 0.5, "brown": 1.0, "hum": 0.25, "room": 0.8}

    def __init__(self, sample_rate_hz: int = 24_000, kinds: tuple[str, ...] | list[str] = tuple(_SLOPES)) -> None:
        """Choose kinds.

        Raises:
            RecipeError: If a kind is unknown.
        """
        unknown = set(kinds) - set(self._SLOPES)
        if unknown or not kinds:
            raise RecipeError(f"generated noise has no kind {sorted(unknown)}; it has {', '.join(self._SLOPES)}")
        self.info = EngineInfo("generated", "1", "Apache-2.0", "machine")
        self._kinds = tuple(sorted(kinds))
        self._rate = sample_rate_hz

    def kinds(self) -> tuple[str, ...]:
        """The chosen kinds, sorted."""
        return self._kinds

    def take(self, kind: str, rng: np.random.Generator) -> Loop:
        """The loop of a kind from a drawn offset."""
        loop = _generated_loop(kind, self._SLOPES[kind], self._rate)
        return Loop(loop, int(rng.integers(len(loop))))


@lru_cache(maxsize=8)
def _generated_loop(kind: str, slope: float, sample_rate_hz: int) -> Audio:
    """A spectrum of random phases falling by `slope`, turned into a periodic signal of RMS 1."""
    n = _LOOP_SECONDS * sample_rate_hz
    rng = seeds.rng(0, "noise", kind, sample_rate_hz)
    frequency_hz = np.fft.rfftfreq(n, 1 / sample_rate_hz)
    amplitude = np.maximum(frequency_hz, 20.0) ** -slope
    amplitude[0] = 0
    noise = np.fft.irfft(amplitude * np.exp(2j * np.pi * rng.random(len(amplitude))), n)
    noise /= noise.std()
    time_s = np.arange(n) / sample_rate_hz
    if kind == "hum":
        noise = 0.3 * noise + sum(np.sin(2 * np.pi * 50 * h * time_s + h) / h for h in (1, 2, 3, 5, 7, 9))
    if kind == "room":
        turns = 2 * np.pi * time_s / _LOOP_SECONDS  # whole turns a loop, so that it stays seamless
        noise *= 1 + 0.5 * np.sin(2 * turns) + 0.3 * np.sin(5 * turns)
    loop: Audio = (noise / np.sqrt(np.mean(noise**2))).astype(np.float32)
    return loop


class DirectoryNoise:
    """Recordings below a directory, in any audio format, such as MUSAN. A kind is a path below it."""

    def __init__(self, path: str = "", sample_rate_hz: int = 24_000, from_start: bool = False) -> None:
        """List the recordings; `from_start` hears each from its beginning, as noise bursts want it.

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

    def take(self, kind: str, rng: np.random.Generator) -> Loop:
        """A recording from a drawn offset; where that falls into a long pause, from its loudest sample.

        Raises:
            EngineError: If the recording is empty, silent or cannot be read.
        """
        recording = _recording(self._root / kind, self._rate)
        if self._from_start:
            return Loop(recording)
        start = int(rng.integers(len(recording)))
        ahead = recording[start : start + self._rate]
        return Loop(recording, start if _audible(ahead) else int(np.argmax(np.abs(recording))))


@lru_cache(maxsize=32)
def _recording(file: Path, sample_rate_hz: int) -> Audio:
    audio = read_audio(file, sample_rate_hz)
    if not _audible(audio):
        raise EngineError(f"noise file {file.name} is empty or silent")
    return audio


def _audible(audio: NDArray[np.float32]) -> bool:
    return len(audio) > 0 and float(np.dot(audio, audio)) / len(audio) > 1e-10
