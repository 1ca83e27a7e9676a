"""Background noise for the user's channel: generated, and recordings from a directory."""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datagen import seeds
from datagen.engines.audio import AUDIO_SUFFIXES, decode, read_audio
from datagen.engines.base import Audio, EngineInfo
from datagen.engines.noise.ambience import KINDS
from datagen.errors import EngineError, OutageError, RecipeError

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
    continued from another place. Hidden files are ignored. Files that cannot be used are `skipped`, by their content
    alone, so every machine with the same files draws the same ones.
    """

    def __init__(
        self,
        path: str = "",
        sample_rate_hz: int = 24_000,
        from_start: bool = False,
        files: Mapping[str, str] | None = None,
    ) -> None:
        """Find the recordings that can be used.

        Args:
            path: The directory.
            sample_rate_hz: Sample rate of what is taken.
            from_start: True to take each from its beginning and only once, as noise bursts need it.
            files: SHA-256 of each recording that can be used, by its path, as another process found
                them; by default all are read.

        Raises:
            RecipeError: If the directory is missing or holds no recording that can be used.
        """
        self._root = Path(path)
        if not path or not self._root.is_dir():
            raise RecipeError(f"noise: directory {path!r} does not exist; set options.path to a folder of audio files")
        self.files, self.skipped = survey(self._root) if files is None else (dict(files), ())
        """Hash of each usable recording, in order; and a line for each of the others."""
        self._kinds = tuple(self.files)
        if not self._kinds:
            looked_for = f"no audio files below {path!r} (looked for {', '.join(sorted(AUDIO_SUFFIXES))})"
            unusable = (
                f"none of {len(self.skipped)} audio files below {path!r} can be used: {'; '.join(self.skipped[:3])}"
            )
            raise RecipeError(f"noise: {unusable if self.skipped else looked_for}; name another folder")
        listing = "\n".join(f"{kind}:{sha256}" for kind, sha256 in self.files.items())
        self.info = EngineInfo("directory", f"{seeds.digest(listing):032x}"[:12], "as the recordings", "machine")
        self._rate, self._from_start = sample_rate_hz, from_start

    def kinds(self) -> tuple[str, ...]:
        """Paths of all usable recordings below the directory, sorted."""
        return self._kinds

    def take(self, kind: str, rng: np.random.Generator, n_samples: int) -> Audio:
        """A recording from a drawn place, continued from others; where that is a long pause, from its loudest sample.

        Raises:
            OutageError: If the recording cannot be read any more, or is another one by now.
        """
        recording = _recording(self._root / kind, self._rate, self.files[kind])
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
def _recording(file: Path, sample_rate_hz: int, sha256: str) -> Audio:
    try:
        if hashlib.sha256(file.read_bytes()).hexdigest() != sha256:
            raise OutageError(f"noise: {file} has changed since the build was planned; restore it, then resume")
        return read_audio(file, sample_rate_hz)
    except (OSError, EngineError) as error:
        raise OutageError(f"noise: {file} cannot be read ({error}); restore it, then resume") from error


def survey(directory: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    """SHA-256 of each usable recording below a directory by its path, sorted; and a line for each of the others.

    Each file is read once per process, unless it changes.
    """
    files = sorted(file for file in directory.rglob("*") if file.suffix.lower() in AUDIO_SUFFIXES and file.is_file())
    names = (file.relative_to(directory) for file in files)
    shown = [name for name in names if not any(part.startswith(".") for part in name.parts)]
    usable, skipped = dict[str, str](), list[str]()
    for name in shown:
        stat = (directory / name).stat()
        sha256, fault = _judged(directory / name, stat.st_size, stat.st_mtime_ns)
        if fault:
            skipped.append(f"{directory / name}: {fault}")
        else:
            usable[name.as_posix()] = sha256
    return dict(sorted(usable.items())), tuple(skipped)


@lru_cache(maxsize=1 << 20)
def _judged(file: Path, _size: int, _changed_ns: int) -> tuple[str, str]:
    """SHA-256 of a recording, and why it cannot be used; empty if it can."""
    try:
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        audio, _ = decode(file)
    except (OSError, EngineError) as error:
        return "", str(error)
    if not np.isfinite(audio).all():
        return sha256, "it holds numbers that are no sound"
    return sha256, "" if _audible(audio.mean(axis=1, dtype=np.float32)) else "it is empty or silent"


def _audible(audio: NDArray[np.float32]) -> bool:
    return len(audio) > 0 and float(np.dot(audio, audio)) / len(audio) > 1e-10
