"""Rooms for the user's channel: shoe boxes by the image source method of pyroomacoustics (extra `rooms`)."""

from functools import lru_cache
from importlib import metadata

import numpy as np

from datagen import seeds
from datagen.clock import ms_to_samples
from datagen.engines.base import EngineInfo, RoomResponse
from datagen.errors import EngineMissingError
from datagen.installed import pip_install
from datagen.recipe.mix_config import RoomConfig

_MARGIN_M = 0.4
"""Nobody speaks or listens closer to a wall."""
_PRE_SAMPLES = 40
"""Kept before the direct sound: half the filter by which pyroomacoustics places an echo between two samples."""
_INAUDIBLE = 1e-6
"""The response ends where less than this share of its energy is left (-60 dB)."""


class ShoeBoxes:
    """Rooms numbered from 0; size, reverberation and places of room k depend on the run's seed and k alone.

    Absorption is set by Sabine's formula, so a room's measured reverberation matches the request only roughly.
    """

    def __init__(self, room: RoomConfig, sample_rate_hz: int, run_seed: int) -> None:
        """Rooms within the ranges of the recipe.

        Raises:
            EngineMissingError: If pyroomacoustics is not installed.
        """
        try:
            version = metadata.version("pyroomacoustics")
        except metadata.PackageNotFoundError as error:
            raise EngineMissingError(
                f"mix.room needs pyroomacoustics: {pip_install('rooms')}, or set mix.room.probability=0"
            ) from error
        self.info = EngineInfo("pyroomacoustics", version, "MIT", "machine")
        self._room, self._rate, self._seed = room, sample_rate_hz, run_seed
        self._cached = lru_cache(maxsize=room.n_rooms)(self._response)

    def response(self, number: int) -> RoomResponse:
        """The response of a room, kept once it is computed (0.05-1 s each)."""
        return self._cached(number)

    def _response(self, number: int) -> RoomResponse:
        import pyroomacoustics

        rng = seeds.rng(self._seed, "room", number)
        size_m = np.array([self._room.width_m.draw(rng), self._room.length_m.draw(rng), self._room.height_m.draw(rng)])
        rt60_ms = self._room.rt60_ms.draw(rng)
        microphone, talker = _places(size_m, self._room.distance_m.draw(rng), rng)
        pyroomacoustics.constants.set("num_threads", 1)  # sums of threads would depend on their number
        absorption, order = _walls(rt60_ms / 1000, size_m)
        box = pyroomacoustics.ShoeBox(
            size_m, fs=self._rate, materials=pyroomacoustics.Material(absorption), max_order=order
        )
        box.add_source(talker)
        box.add_microphone(microphone)
        box.compute_rir()
        direct = float(np.linalg.norm(talker - microphone)) / pyroomacoustics.constants.get("c") * self._rate
        begin = round(direct)  # its filter delays everything by _PRE_SAMPLES, which are kept
        response = np.asarray(box.rir[0][0])[begin:]
        left = np.cumsum(response[::-1] ** 2)[::-1]
        response = response[: max(int(np.count_nonzero(left > _INAUDIBLE * left[0])), ms_to_samples(20, self._rate))]
        response /= np.sqrt(np.sum(response**2))
        return RoomResponse(response.astype(np.float32), _PRE_SAMPLES, rt60_ms)


def _walls(rt60_s: float, size_m: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, int]:
    """Absorption of the walls and order of images for a reverberation time; the driest room where it is too short."""
    import pyroomacoustics

    volume, surface = float(np.prod(size_m)), 2 * float(np.dot(size_m, np.roll(size_m, 1)))
    shortest_s = 24 * np.log(10) * volume / (pyroomacoustics.constants.get("c") * surface)
    absorption, order = pyroomacoustics.inverse_sabine(max(rt60_s, 1.01 * shortest_s), size_m)
    return float(absorption), int(order)


def _places(
    size_m: np.ndarray[tuple[int], np.dtype[np.float64]], distance_m: float, rng: np.random.Generator
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """A microphone, and a talker in a drawn direction at the given distance, nearer if a wall is in the way."""
    low, high = np.full(3, _MARGIN_M), size_m - _MARGIN_M
    microphone = low + (high - low) * rng.random(3)
    angle, rise = 2 * np.pi * rng.random(), 0.3 * (2 * rng.random() - 1)
    direction = np.array([np.cos(angle), np.sin(angle), rise]) / np.sqrt(1 + rise**2)
    reach = np.min(np.where(direction > 0, high - microphone, microphone - low) / np.abs(direction))
    if reach < distance_m:  # the other way round there may be more space
        direction = -direction
        reach = np.min(np.where(direction > 0, high - microphone, microphone - low) / np.abs(direction))
    return microphone, microphone + min(distance_m, max(reach, 0.1)) * direction
