"""Sound files of recordings: their headers, hashes, and the level of their channels."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.errors import SourceError
from datagen.faults import cannot
from datagen.intervals import Intervals, bridge, intervals
from datagen.sources.folders import open_file

SUFFIXES = (".wav", ".flac", ".sph", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".au", ".caf", ".w64")
"""Endings of sound files in a folder; libsndfile reads them by their content."""
WINDOW_MS = 10
_HASH_BYTES = 1 << 20
_BLOCK_S = 30
_QUIET_DB = -30
"""A window is quiet if it is this far below the loud ones of its channel (our choice)."""
_LOUD_PERCENTILE = 95


class BadSoundError(Exception):
    """A sound file that cannot be used; the message is the detail of a reject."""


@dataclass(frozen=True, slots=True)
class SoundFile:
    """A sound file as its header and its bytes say."""

    name: str
    """Path below the folder of the recordings."""
    sha256: str
    n_bytes: int
    sample_rate_hz: int
    n_samples: int
    """Samples per channel."""
    n_channels: int

    @property
    def n_ms(self) -> int:
        """Length in whole milliseconds."""
        return self.n_samples * 1000 // self.sample_rate_hz


def hash_of(path: Path) -> tuple[str, int]:
    """SHA-256 and size of a file.

    Raises:
        SourceError: If it cannot be read.
    """
    digest, n_bytes = hashlib.sha256(), 0
    try:
        with open_file(path) as file:
            while block := file.read(_HASH_BYTES):
                digest.update(block)
                n_bytes += len(block)
    except OSError as error:
        raise SourceError(cannot("read", path, error)) from error
    return digest.hexdigest(), n_bytes


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """An open sound file (`soundfile.SoundFile`).

    Raises:
        BadSoundError: If it is no sound that libsndfile reads.
        OSError: If it cannot be opened.
    """
    import soundfile

    with open_file(path) as file:
        try:
            sound = soundfile.SoundFile(file)
        except (soundfile.SoundFileError, TypeError, ValueError) as error:
            raise BadSoundError(f"{path.name} is no sound that can be read: {error}") from error
        with sound:
            yield sound


def header(root: Path, name: str, sha256: str, n_bytes: int) -> SoundFile:
    """A sound file by its header.

    Raises:
        BadSoundError: If it cannot be used.
        OSError: If it cannot be opened.
    """
    with opened(root / name) as sound:
        if sound.frames <= 0 or sound.frames >= 1 << 40:
            raise BadSoundError(f"{name} has {sound.frames} samples; its length is unknown: convert it to WAV or FLAC")
        return SoundFile(name, sha256, n_bytes, sound.samplerate, sound.frames, sound.channels)


def window_powers(root: Path, name: str, channel: int) -> NDArray[np.float32]:
    """Mean square of each 10 ms of a channel, float32 [n_windows]; a block is in memory at a time.

    Raises:
        BadSoundError: If the sound is damaged.
    """
    found = [np.zeros(0, np.float32)]
    with opened(root / name) as sound:
        edges = [k * sound.samplerate * WINDOW_MS // 1000 for k in range(1000 * _BLOCK_S // WINDOW_MS + 1)]
        while len(block := _read(sound, name, edges[-1])):
            own, n = block[:, channel], len(block)
            starts = np.array([edge for edge in edges[:-1] if edge < n])
            sizes = np.diff(np.append(starts, n))
            found.append((np.add.reduceat(own * own, starts) / sizes).astype(np.float32))
            if n < edges[-1]:
                break
    return np.concatenate(found)


def _read(sound: Any, name: str, n_samples: int) -> NDArray[np.float32]:
    import soundfile

    try:
        block: NDArray[np.float32] = sound.read(n_samples, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise BadSoundError(f"{name} is damaged: {error}") from error
    return block


def sounding(powers: NDArray[np.float32]) -> Intervals:
    """Milliseconds in which a channel sounds: int64 [n, 2], in order; short quiet stretches included.

    >>> sounding(np.array([1e-9] * 30 + [1e-2] * 20 + [1e-9] * 30, np.float32)).tolist()
    [[300, 500]]
    """
    loud = float(np.percentile(powers, _LOUD_PERCENTILE)) if len(powers) else 0.0
    mask = powers > loud * 10 ** (_QUIET_DB / 10)
    edges = np.flatnonzero(np.diff(np.r_[False, mask, False].astype(np.int8))).reshape(-1, 2)
    return bridge(intervals((int(a) * WINDOW_MS, int(b) * WINDOW_MS) for a, b in edges), 50)
