"""Every draw of the mix stage, each under its own key: no draw of one behaviour shifts another's."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from datagen import seeds
from datagen.clock import ms_to_samples
from datagen.engines.base import Audio, Noise, Rooms
from datagen.errors import EngineError
from datagen.pipeline.levels import Segments
from datagen.pipeline.mix import vocal
from datagen.pipeline.mix.line import CODECS
from datagen.pipeline.mix.others import babble_of, in_passing, once
from datagen.pipeline.mix.scene import Noisy, Scene, SpeechPath, Supplies
from datagen.recipe.distributions import Distribution
from datagen.recipe.mix_config import (
    AsideMixConfig,
    BehaviourConfig,
    BurstsConfig,
    LineConfig,
    MixConfig,
    VocalSoundsConfig,
)
from datagen.records import Clip, Script, Takes

_FADE_MS = 5
_APART_MS = 300
"""Least time between a laugh or a cough and the user's speech."""
_CUTOFF_HZ = (2000.0, 6000.0)
"""How dull other talkers are, who are farther away."""


class SceneDraws:
    """The draws of one conversation. A behaviour's draws are keyed by its name, so none shifts another's."""

    def __init__(self, run_seed: int, split: str, dialogue_id: str, sample_rate_hz: int = 0) -> None:
        """The parts of every key, and the clock where times are drawn."""
        self._key, self._rate = (run_seed, split, dialogue_id, "mix"), sample_rate_hz

    @classmethod
    def of(cls, run_seed: int, script: Script, sample_rate_hz: int = 0) -> "SceneDraws":
        """The draws of the conversation that a script becomes."""
        return cls(run_seed, script.split, script.dialogue.id, sample_rate_hz)

    def rng(self, *purpose: seeds.Key) -> np.random.Generator:
        """The generator of a purpose."""
        return seeds.rng(*self._key, *purpose)

    def happens(self, name: str, behaviour: BehaviourConfig) -> bool:
        """Whether a behaviour is part of this conversation."""
        return behaviour.probability > 0 and bool(self.rng(name).random() < behaviour.probability)

    def value(self, distribution: Distribution, *purpose: seeds.Key) -> float:
        """A draw from a distribution of the recipe."""
        return distribution.draw(self.rng(*purpose))

    def samples(self, distribution: Distribution, *purpose: seeds.Key) -> int:
        """A draw in milliseconds, as samples."""
        return ms_to_samples(self.value(distribution, *purpose), self._rate)

    def noise(self, recipe: MixConfig, noises: Sequence[Noise], n_samples: int) -> Noisy | None:
        """The background noise.

        Raises:
            EngineError: If its source has single sounds only.
        """
        if not noises or self.rng("noise").random() >= recipe.noise_probability:
            return None
        engine = noises[_index([source.weight for source in recipe.noise], self.rng("source").random())]
        kinds = engine.kinds()
        kind = kinds[int(self.rng("kind").integers(len(kinds)))]
        audio = engine.take(kind, self.rng("sound"), n_samples)
        if len(audio) < n_samples:
            raise EngineError(f"mix.noise: {engine.info.name} has single sounds, as mix.bursts needs them: {kind}")
        return Noisy(audio, -self.value(recipe.snr_db, "snr"), (kind,))

    def babble(self, recipe: MixConfig, clips: Sequence[Clip], n_samples: int) -> Noisy | None:
        """The babble, of talkers whose lines were spoken for it."""
        if not clips:
            return None
        audio = babble_of(clips, n_samples, self.rng("babble", "sound"))
        level_db = -self.value(recipe.babble.snr_db, "babble", "snr")
        return Noisy(audio, level_db, tuple(voice for clip in clips for voice in clip.voices))

    def other_talkers(self, recipe: MixConfig, clips: Sequence[Clip], n_samples: int) -> Noisy | None:
        """Sentences of other talkers, from clips that were spoken for them; each time at a pace of its own."""
        sounds = []
        starts = self._starts("talkers", recipe.other_talkers.per_minute, n_samples) if clips else ()
        for k, start in enumerate(starts):
            clip, key = clips[k % len(clips)], ("talkers", "sound", k)
            pace = self.value(recipe.talker_pace, *key, "pace")
            cutoff_hz = self.rng(*key, "cutoff").uniform(*_CUTOFF_HZ)
            sounds.append((start, in_passing(clip.audio, pace, cutoff_hz, self._rate), clip.voices[0]))
        return self._single(sounds, recipe.other_talkers.level_db, "talkers", n_samples)

    def bursts(self, recipe: BurstsConfig, engines: Sequence[Noise], n_samples: int) -> Noisy | None:
        """Noise bursts."""
        if not self.happens("bursts", recipe):
            return None
        longest, fade = ms_to_samples(recipe.longest_ms, self._rate), ms_to_samples(_FADE_MS, self._rate)
        sounds = []
        for k, start in enumerate(self._starts("bursts", recipe.per_minute, n_samples)):
            rng = self.rng("bursts", "sound", k)
            engine = engines[_index([source.weight for source in recipe.sources], rng.random())]
            kinds = engine.kinds()
            kind = kinds[int(rng.integers(len(kinds)))]
            sounds.append((start, once(engine.take(kind, rng, longest), longest, fade), kind))
        return self._single(sounds, recipe.level_db, "bursts", n_samples)

    def vocal_sounds(self, recipe: VocalSoundsConfig, user: Segments, n_samples: int) -> Noisy | None:
        """Laughter and coughs of the user, each whole, and some time away from all else that he utters.

        Args:
            recipe: How many and which.
            user: The user's speech; gives the times, and the pitch of the voice.
            n_samples: Samples of the conversation.
        """
        if not self.happens("vocal", recipe):
            return None
        names, apart = sorted(recipe.kinds), ms_to_samples(_APART_MS, self._rate)
        taken = [(start - apart, start + len(audio) + apart) for start, audio in user]
        pitch_hz = vocal.pitch_of([audio for _, audio in user], self._rate)
        sounds = list[tuple[int, Audio, str]]()
        for k, start in enumerate(self._starts("vocal", recipe.per_minute, n_samples)):
            rng = self.rng("vocal", "sound", k)
            name = names[_index([recipe.kinds[name] for name in names], rng.random())]
            audio = vocal.KINDS[name](rng, self._rate, pitch_hz)
            end = start + len(audio)
            if end <= n_samples and all(end <= first or last <= start for first, last in taken):
                taken.append((start - apart, end + apart))
                sounds.append((start, audio, name))
        return self._single(sounds, recipe.level_db, "vocal", n_samples)

    def _single(
        self, sounds: list[tuple[int, Audio, str]], level_db: Distribution, name: str, n_samples: int
    ) -> Noisy | None:
        """Sounds (start, audio, name) in order of time, cut at the end of the conversation; None if there are none."""
        if not sounds:
            return None
        segments = [(start, audio[: n_samples - start]) for start, audio, _ in sounds]
        return Noisy(segments, self.value(level_db, name, "level"), tuple(name for _, _, name in sounds))

    def _starts(self, name: str, per_minute: Distribution, n_samples: int) -> list[int]:
        """Starts of a Poisson process over the conversation; another length of it moves none but adds or drops some."""
        mean = max(self.value(per_minute, name, "rate"), 0.0)
        rng, starts, at = self.rng(name, "starts"), list[int](), 0.0
        while mean > 0:
            at += rng.exponential(60 / mean) * self._rate
            if at >= n_samples:
                break
            starts.append(int(at))
        return starts

    def speaker(self, recipe: MixConfig, rooms: Rooms | None) -> SpeechPath:
        """Distance, room and drift."""
        found: dict[str, Any] = {}
        if self.happens("distance", recipe.distance):
            found["distance_db"] = self.value(recipe.distance.gain_db, "distance", "gain")
            found["cutoff_hz"] = self.value(recipe.distance.cutoff_hz, "distance", "cutoff")
        if rooms is not None and self.happens("room", recipe.room):
            found["room"] = int(self.rng("room", "number").integers(recipe.room.n_rooms))
            found["response"] = rooms.response(found["room"])
        if self.happens("drift", recipe.drift):
            found["drift_db"] = self.value(recipe.drift.range_db, "drift", "range")
            found["drift_period_samples"] = max(1, self.samples(recipe.drift.period_ms, "drift", "period"))
            found["drift_phase"] = self.rng("drift", "phase").random()
        return SpeechPath(**found)

    def aside(self, recipe: AsideMixConfig) -> tuple[float, float]:
        """Level in decibels, and cut-off in hertz, of words to somebody else."""
        return self.value(recipe.gain_db, "aside", "gain"), self.value(recipe.cutoff_hz, "aside", "cutoff")

    def line(self, recipe: LineConfig) -> tuple[str, float | None]:
        """Codec of the line and its compression, or nothing."""
        if not self.happens("line", recipe):
            return "", None
        names = sorted(recipe.codecs)
        name = names[_index([recipe.codecs[name] for name in names], self.rng("line", "codec").random())]
        compression = self.value(recipe.compression, "line", "compression")
        return name, min(max(compression, 0.0), 1.0) if CODECS[name].takes_compression else None

    def scene(self, recipe: MixConfig, supplies: Supplies, takes: Takes, user: Segments, n_samples: int) -> Scene:
        """All draws of a conversation whose user is heard saying `user`."""
        echoes = self.happens("echo", recipe.echo)
        codec, compression = self.line(recipe.line)
        return Scene(
            way=self.speaker(recipe, supplies.rooms),
            noise=self.noise(recipe, supplies.noises, n_samples),
            babble=self.babble(recipe, takes.babble, n_samples),
            other_talkers=self.other_talkers(recipe, takes.other_talkers, n_samples),
            bursts=self.bursts(recipe.bursts, supplies.bursts, n_samples),
            vocal=self.vocal_sounds(recipe.vocal_sounds, user, n_samples),
            echo_delay_samples=max(0, self.samples(recipe.echo.delay_ms, "echo", "delay")) if echoes else None,
            echo_db=self.value(recipe.echo.gain_db, "echo", "gain") if echoes else None,
            codec=codec,
            compression=compression,
        )


def _index(weights: Sequence[float], u: float) -> int:
    """Which of several a number in [0, 1) falls to, by weight."""
    shares = np.cumsum(weights)
    return int(np.searchsorted(shares / shares[-1], u, "right"))
