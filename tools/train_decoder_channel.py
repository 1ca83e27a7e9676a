"""Channels of a user: noise, rooms and telephone lines at random, as the decoder is trained and measured on."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from datagen.engines.base import Audio
from datagen.engines.noise.noise import GeneratedNoise
from datagen.engines.noise.rooms import ShoeBoxes
from datagen.pipeline.mix.sound_path import CODECS, in_room, through
from datagen.recipe.mix_config import RoomConfig
from tools.train_kmeans import active_rms, to_int16

RATE_HZ = 24_000
_N_ROOMS = 16


@dataclass(frozen=True)
class UserChannel:
    """Ranges of a channel."""

    snr_db: tuple[float, float]
    room_share: float = 0.0
    line_share: float = 0.0

    def heard(
        self, channel: Audio, rms: float, rng: np.random.Generator, noise_dbfs: tuple[float, float] | None = None
    ) -> Audio:
        """A channel with a room, noise and a line.

        Args:
            channel: float32 [n_samples] at 24 kHz, full scale 1.
            rms: Level of the speech in it.
            rng: Draws all of it.
            noise_dbfs: Range of the level of the noise if there is no speech.
        """
        if noise_dbfs is None and rng.random() < self.room_share:
            room = rooms().response(int(rng.integers(_N_ROOMS)))
            wet = in_room(channel, room)[room.onset_samples :][: len(channel)]
            wet = np.pad(wet, (0, len(channel) - len(wet)))
            channel = wet * np.float32(active_rms(channel) / active_rms(wet))
        noises = GeneratedNoise()
        noise = noises.take(noises.kinds()[rng.integers(len(noises.kinds()))], rng, len(channel))
        level = rms * 10 ** (-rng.uniform(*self.snr_db) / 20)
        if noise_dbfs is not None:
            level = 10 ** (rng.uniform(*noise_dbfs) / 20)
        channel = channel + noise * np.float32(level / np.sqrt(np.mean(noise**2)))
        if rng.random() < self.line_share:
            codec = CODECS[("band", "pcmu", "pcma")[rng.integers(3)]]
            channel = through(to_int16(channel), codec, 0, RATE_HZ)
        return channel


@cache
def rooms() -> ShoeBoxes:
    """Rooms of homes and offices."""
    return ShoeBoxes(RoomConfig(), RATE_HZ, 0)
