"""The acoustic scene of one conversation: each behaviour is drawn under its own key, and recorded."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from datagen.clock import ms_to_samples
from datagen.engines.audio import resample, unit_power
from datagen.engines.base import Audio, Noise, People, RoomResponse, Rooms
from datagen.errors import EngineError
from datagen.pipeline.draws import Draws
from datagen.pipeline.levels import Segments, amplitude, decibels, fade_out
from datagen.pipeline.mix.sound_path import CODECS, dull
from datagen.recipe.distributions import Distribution
from datagen.recipe.mix_config import MixConfig
from datagen.records import Clip, Event, Mixing, Takes

_FADE_MS = 5
_APART_MS = 300
"""Shortest time between a laugh or a cough and the user's speech."""
_CUTOFF_HZ = (2000.0, 6000.0)
"""Low-pass cutoff of other talkers, who are farther away."""


@dataclass(frozen=True)
class Supplies:
    """Engines that supply sounds to the mix."""

    people: People
    noises: Sequence[Noise] = ()
    """One per source of `mix.noise`."""
    bursts: Sequence[Noise] = ()
    """One per source of `mix.bursts`."""
    rooms: Rooms | None = None


@dataclass(frozen=True)
class Noisy:
    """Sounds in the user's channel at a level relative to the user's speech."""

    sounds: Segments | Audio
    """Single sounds of power 1 in chronological order, which may overlap; or one continuous sound."""
    level_db: float
    names: tuple[str, ...]
    """Kind or voice of each single sound, or all kinds or voices of the continuous sound."""


@dataclass(frozen=True)
class SpeechPath:
    """Effects on the user's speech; None: no effect."""

    room: int | None = None
    response: RoomResponse | None = None
    distance_db: float | None = None
    cutoff_hz: float | None = None
    drift_db: float | None = None
    drift_period_samples: int | None = None
    drift_phase: float = 0.0


@dataclass(frozen=True)
class Scene:
    """The acoustic scene of one conversation; None or empty: absent."""

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
    aside: tuple[float, float] | None = None
    """Level in decibels and cutoff in hertz of asides, if any are audible."""

    @property
    def beside(self) -> list[Noisy]:
        """All background sounds."""
        return [noisy for noisy in (self.noise, self.babble, self.other_talkers, self.bursts) if noisy]

    def events(self) -> tuple[Event, ...]:
        """Events of the single sounds, in chronological order."""
        named = (("noise_burst", self.bursts), ("other_talker", self.other_talkers), ("", self.vocal))
        found = [event for kind, noisy in named for event in _events(noisy, kind)]
        return tuple(sorted(found, key=lambda event: event.start_samples))

    def silent(self) -> "Scene":
        """The scene without its sounds and their events, for its record."""
        kinds = ("noise", "babble", "other_talkers", "bursts", "vocal")
        noisy = {kind: replace(own, sounds=[]) for kind in kinds if (own := getattr(self, kind))}
        return replace(self, **noisy)

    def mixing(self, user_gain: float, assistant_gain: float, down: float) -> Mixing:
        """The record of the scene; `down` is the attenuation of the whole user's channel."""
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
            aside_db=self.aside[0] if self.aside else None,
            aside_cutoff_hz=self.aside[1] if self.aside else None,
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
    """An event per single sound, of the given kind, or of the sound's name if that is empty."""
    if noisy and not isinstance(noisy.sounds, np.ndarray):
        for (start, audio), name in zip(noisy.sounds, noisy.names, strict=True):
            yield Event(kind or name, "user", start, start + len(audio))


@dataclass(frozen=True)
class SceneDraws:
    """The draws of one conversation."""

    recipe: MixConfig
    supplies: Supplies
    draws: Draws
    n_samples: int
    """Number of samples of the conversation."""

    def scene(self, takes: Takes, user: Segments, aside: tuple[float, float] | None = None) -> Scene:
        """Draw the scene of a conversation; `user` is the user's audible speech."""
        echo, draws = self.recipe.echo, self.draws
        echoes = draws.happens(echo.probability, "echo")
        codec, compression = self.line()
        return Scene(
            way=self.speaker(),
            noise=self.noise(),
            babble=self.babble(takes.babble),
            other_talkers=self.other_talkers(takes.other_talkers),
            bursts=self.bursts(),
            vocal=self.vocal_sounds(user),
            echo_delay_samples=draws.length(echo.delay_ms, "echo", "delay") if echoes else None,
            echo_db=draws.value(echo.gain_db, "echo", "gain") if echoes else None,
            codec=codec,
            compression=compression,
            aside=aside,
        )

    def noise(self) -> Noisy | None:
        """The background noise.

        Raises:
            EngineError: If its source has single sounds only.
        """
        if not self.supplies.noises or self.draws.uniform("noise") >= self.recipe.noise_probability:
            return None
        engine = self.supplies.noises[_index([s.weight for s in self.recipe.noise], self.draws.uniform("source"))]
        kinds = engine.kinds()
        kind = kinds[int(self.draws.rng("kind").integers(len(kinds)))]
        audio = engine.take(kind, self.draws.rng("sound"), self.n_samples)
        if len(audio) < self.n_samples:
            raise EngineError(f"mix.noise: {engine.info.name} has single sounds, as mix.bursts needs them: {kind}")
        return Noisy(audio, -self.draws.value(self.recipe.snr_db, "snr"), (kind,))

    def babble(self, clips: Sequence[Clip]) -> Noisy | None:
        """The babble, made of its talkers' synthesized lines."""
        if not clips:
            return None
        rng = self.draws.rng("babble", "sound")
        audio = self.supplies.people.babble([clip.audio for clip in clips], self.n_samples, rng)
        level_db = -self.draws.value(self.recipe.babble.snr_db, "babble", "snr")
        return Noisy(audio, level_db, tuple(clip.line.voice for clip in clips))

    def other_talkers(self, clips: Sequence[Clip]) -> Noisy | None:
        """Sentences of other talkers at root mean square 1, each with its own draw of pace and dullness."""
        recipe, rate = self.recipe.other_talkers, self.draws.sample_rate_hz
        sounds = []
        for k, start in enumerate(self._starts("talkers", recipe.per_minute) if clips else ()):
            clip, key = clips[k % len(clips)], ("talkers", "sound", k)
            pace = self.draws.value(self.recipe.talker_pace, *key, "pace")
            cutoff_hz = self.draws.rng(*key, "cutoff").uniform(*_CUTOFF_HZ)
            audio = unit_power(dull(resample(clip.audio, round(pace * rate), rate), cutoff_hz, rate))
            sounds.append((start, audio, clip.line.voice))
        return self._single(sounds, recipe.level_db, "talkers")

    def bursts(self) -> Noisy | None:
        """Noise bursts at root mean square 1; those of the maximum length are faded out."""
        recipe, rate = self.recipe.bursts, self.draws.sample_rate_hz
        if not self.draws.happens(recipe.probability, "bursts"):
            return None
        longest, n_fade = ms_to_samples(recipe.longest_ms, rate), ms_to_samples(_FADE_MS, rate)
        sounds = []
        for k, start in enumerate(self._starts("bursts", recipe.per_minute)):
            rng = self.draws.rng("bursts", "sound", k)
            engine = self.supplies.bursts[_index([source.weight for source in recipe.sources], rng.random())]
            kinds = engine.kinds()
            kind = kinds[int(rng.integers(len(kinds)))]
            audio = engine.take(kind, rng, longest)
            audio = unit_power(fade_out(audio, n_fade) if len(audio) >= longest else audio)
            sounds.append((start, audio, kind))
        return self._single(sounds, recipe.level_db, "bursts")

    def vocal_sounds(self, user: Segments) -> Noisy | None:
        """Laughter and coughs of the user, each whole and at some distance from the user's speech.

        Args:
            user: The user's speech, for its times and the pitch of the voice.
        """
        recipe = self.recipe.vocal_sounds
        if not self.draws.happens(recipe.probability, "vocal"):
            return None
        names, apart = sorted(recipe.kinds), ms_to_samples(_APART_MS, self.draws.sample_rate_hz)
        taken = [(start - apart, start + len(audio) + apart) for start, audio in user]
        speech = [audio for _, audio in user]
        sounds = list[tuple[int, Audio, str]]()
        for k, start in enumerate(self._starts("vocal", recipe.per_minute)):
            rng = self.draws.rng("vocal", "sound", k)
            name = names[_index([recipe.kinds[name] for name in names], rng.random())]
            audio = self.supplies.people.vocal_sound(name, speech, rng)
            end = start + len(audio)
            if end <= self.n_samples and all(end <= first or last <= start for first, last in taken):
                taken.append((start - apart, end + apart))
                sounds.append((start, audio, name))
        return self._single(sounds, recipe.level_db, "vocal")

    def _single(self, sounds: list[tuple[int, Audio, str]], level_db: Distribution, name: str) -> Noisy | None:
        """Sounds (start, audio, name), sorted and cut at the end of the conversation; None if empty."""
        if not sounds:
            return None
        segments = [(start, audio[: self.n_samples - start]) for start, audio, _ in sounds]
        return Noisy(segments, self.draws.value(level_db, name, "level"), tuple(name for _, _, name in sounds))

    def _starts(self, name: str, per_minute: Distribution) -> list[int]:
        """Starts of a Poisson process over the conversation.

        Another length of the conversation only adds or drops some at the end.
        """
        mean = max(self.draws.value(per_minute, name, "rate"), 0.0)
        rng, starts, at = self.draws.rng(name, "starts"), list[int](), 0.0
        while mean > 0:
            at += rng.exponential(60 / mean) * self.draws.sample_rate_hz
            if at >= self.n_samples:
                break
            starts.append(int(at))
        return starts

    def speaker(self) -> SpeechPath:
        """Distance, room and drift."""
        distance, room, drift, draws = self.recipe.distance, self.recipe.room, self.recipe.drift, self.draws
        found: dict[str, Any] = {}
        if draws.happens(distance.probability, "distance"):
            found["distance_db"] = draws.value(distance.gain_db, "distance", "gain")
            found["cutoff_hz"] = draws.value(distance.cutoff_hz, "distance", "cutoff")
        if self.supplies.rooms is not None and draws.happens(room.probability, "room"):
            found["room"] = int(draws.rng("room", "number").integers(room.n_rooms))
            found["response"] = self.supplies.rooms.response(found["room"])
        if draws.happens(drift.probability, "drift"):
            found["drift_db"] = draws.value(drift.range_db, "drift", "range")
            found["drift_period_samples"] = max(1, draws.samples(drift.period_ms, "drift", "period"))
            found["drift_phase"] = draws.uniform("drift", "phase")
        return SpeechPath(**found)

    def line(self) -> tuple[str, float | None]:
        """Codec of the line and its compression, or nothing."""
        recipe = self.recipe.line
        if not self.draws.happens(recipe.probability, "line"):
            return "", None
        names = sorted(recipe.codecs)
        name = names[_index([recipe.codecs[name] for name in names], self.draws.uniform("line", "codec"))]
        compression = self.draws.value(recipe.compression, "line", "compression")
        return name, min(max(compression, 0.0), 1.0) if CODECS[name].takes_compression else None


def _index(weights: Sequence[float], u: float) -> int:
    """The index, drawn by weight, for a number in [0, 1)."""
    shares = np.cumsum(weights)
    return int(np.searchsorted(shares / shares[-1], u, "right"))
