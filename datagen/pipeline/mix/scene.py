"""What happens to the sound of one conversation, and the record of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from datagen.engines.base import Audio, Noise, RoomResponse, Rooms
from datagen.pipeline.levels import Segments, amplitude, decibels
from datagen.records import Event, Mixing


@dataclass(frozen=True)
class Supplies:
    """Engines that a mix draws from."""

    noises: Sequence[Noise] = ()
    """One a source of `mix.noise`."""
    bursts: Sequence[Noise] = ()
    """One a source of `mix.bursts`."""
    rooms: Rooms | None = None


@dataclass(frozen=True)
class Noisy:
    """Sounds beside the user at a level against the user's speech."""

    sounds: Segments | Audio
    """Single sounds of power 1 in order of time, which may overlap; or one sound that fills the channel."""
    level_db: float
    names: tuple[str, ...]
    """Kinds or voices: of each single sound, or of all that sounds throughout."""


@dataclass(frozen=True)
class SpeechPath:
    """What happens to the user's speech on its way; None: nothing."""

    room: int | None = None
    response: RoomResponse | None = None
    distance_db: float | None = None
    cutoff_hz: float | None = None
    drift_db: float | None = None
    drift_period_samples: int | None = None
    drift_phase: float = 0.0


@dataclass(frozen=True)
class Scene:
    """All that happens to the sound of one conversation; None or empty: it does not."""

    way: SpeechPath
    noise: Noisy | None
    babble: Noisy | None
    other_talkers: Noisy | None
    bursts: Noisy | None
    vocal: Noisy | None
    """The user's own laughter and coughs."""
    echo_delay_samples: int | None
    echo_db: float | None
    codec: str
    compression: float | None

    @property
    def beside(self) -> list[Noisy]:
        """What sounds beside the user."""
        return [noisy for noisy in (self.noise, self.babble, self.other_talkers, self.bursts) if noisy]

    def events(self) -> tuple[Event, ...]:
        """Single sounds, in order of time."""
        named = (("noise_burst", self.bursts), ("other_talker", self.other_talkers), ("", self.vocal))
        found = [event for kind, noisy in named for event in _events(noisy, kind)]
        return tuple(sorted(found, key=lambda event: event.start_samples))

    def mixing(self, user_gain: float, assistant_gain: float, down: float) -> Mixing:
        """The record of the scene; `down` is by how much the user's channel was turned down as a whole."""
        return Mixing(
            noise=self.noise.names[0] if self.noise else "",
            snr_db=-self.noise.level_db if self.noise else None,
            user_gain_db=decibels(user_gain * down),
            assistant_gain_db=decibels(assistant_gain),
            babble=self.babble.names if self.babble else (),
            babble_snr_db=-self.babble.level_db if self.babble else None,
            other_talkers=self.other_talkers.names if self.other_talkers else (),
            other_talkers_db=self.other_talkers.level_db if self.other_talkers else None,
            bursts=self.bursts.names if self.bursts else (),
            bursts_db=self.bursts.level_db if self.bursts else None,
            vocal_sounds=self.vocal.names if self.vocal else (),
            vocal_sounds_db=self.vocal.level_db if self.vocal else None,
            room=self.way.room,
            rt60_ms=self.way.response.rt60_ms if self.way.response else None,
            distance_db=self.way.distance_db,
            cutoff_hz=self.way.cutoff_hz,
            drift_db=self.way.drift_db,
            drift_period_samples=self.way.drift_period_samples,
            echo_delay_samples=self.echo_delay_samples,
            echo_gain_db=None if self.echo_db is None else decibels(amplitude(self.echo_db) * down),
            line=self.codec,
            compression=self.compression,
        )


def _events(noisy: Noisy | None, kind: str) -> Iterable[Event]:
    """An event per single sound, of a kind or, if that is empty, of its own name."""
    if noisy and not isinstance(noisy.sounds, np.ndarray):
        for (start, audio), name in zip(noisy.sounds, noisy.names, strict=True):
            yield Event(kind or name, "user", start, start + len(audio))
