"""Both channels of a stretch of a recording, resampled to the rate of the conversation."""

from math import gcd
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datagen.clock import ceil_div
from datagen.engines.audio import resample
from datagen.engines.base import Audio
from datagen.errors import OutageError, SourceError
from datagen.records import CHANNEL, Recorded, RecordedChannel, Role
from datagen.sources.recordings.sound_files import BadSoundError, hash_of, opened

_PAD_S = 0.1
"""Sound read before and after a stretch, so that resampling has no edge there."""
FULL_SCALE = 0.98
"""From here on a sample counts as clipped: companded telephone sound ends at 0.98."""


class RecordingReader:
    """Reads stretches of recordings; each file is compared with its planned hash once per worker."""

    def __init__(self, root: Path, sample_rate_hz: int) -> None:
        """Set the folder of the recordings and the rate of the conversations."""
        self._root, self._rate = root, sample_rate_hz
        self._verified: set[tuple[str, str]] = set()

    def read(self, recorded: Recorded) -> tuple[NDArray[np.float32], dict[Role, float]]:
        """Read a stretch.

        Returns:
            Both channels, float32 [2, n_samples], row 0 the user, silent where nobody was recorded; and
            the share of clipped samples of each that was.

        Raises:
            BadSoundError: If the sound is damaged.
            OutageError: If a file cannot be read, or is not the planned one.
        """
        channels = np.zeros((2, recorded.n_samples), np.float32)
        clipped = dict[Role, float]()
        roles: dict[Role, RecordedChannel] = {"user": recorded.user}
        if recorded.has_assistant:
            roles["assistant"] = recorded.assistant
        for role, side in roles.items():
            audio, clipped[role] = self._channel(side, recorded.start_samples, recorded.n_samples)
            channels[CHANNEL[role], : len(audio)] = audio
        return channels, clipped

    def _channel(self, side: RecordedChannel, start: int, n_samples: int) -> tuple[Audio, float]:
        step, own_step = self._steps(side.sample_rate_hz)
        own_start, pad = start // step * own_step, ceil_div(int(_PAD_S * side.sample_rate_hz), own_step) * own_step
        before = min(pad, own_start)
        n_own = ceil_div(n_samples * side.sample_rate_hz, self._rate)
        audio = self._own(side, own_start - before, before + n_own + pad)
        inside = audio[before : before + n_own]
        share = float(np.mean(np.abs(inside) >= FULL_SCALE)) if len(inside) else 0.0
        first = before // own_step * step
        return resample(audio, side.sample_rate_hz, self._rate)[first : first + n_samples], share

    def _steps(self, own_hz: int) -> tuple[int, int]:
        """The shortest time that is whole samples at both rates: samples of the conversation, of the file."""
        common = gcd(self._rate, own_hz)
        return self._rate // common, own_hz // common

    def _own(self, side: RecordedChannel, first: int, n_samples: int) -> Audio:
        """Samples of one channel at the rate of its file."""
        path = self._root / side.file
        try:
            self._verify(side)
            with opened(path) as sound:
                sound.seek(min(first, sound.frames))
                found: Audio = np.ascontiguousarray(sound.read(n_samples, "float32", always_2d=True)[:, side.channel])
        except (SourceError, OSError) as error:
            raise OutageError(f"{path}: the recording cannot be read: {error}; run the same command again") from error
        except RuntimeError as error:  # libsndfile's, also of damaged data
            raise BadSoundError(f"{side.file} is damaged: {error}") from error
        if not np.isfinite(found).all():
            raise BadSoundError(f"{side.file} holds numbers that are no sound")
        return found

    def _verify(self, side: RecordedChannel) -> None:
        if (side.file, side.sha256) in self._verified:
            return
        if hash_of(self._root / side.file)[0] != side.sha256:
            raise OutageError(
                f"{self._root / side.file} has changed since the build was planned; restore it, or use another --out"
            )
        self._verified.add((side.file, side.sha256))
