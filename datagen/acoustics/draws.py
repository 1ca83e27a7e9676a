"""Every draw of the mix stage, each under its own key: no draw of one behaviour shifts another's."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from datagen import seeds
from datagen.acoustics.beside import once
from datagen.acoustics.line import CODECS
from datagen.acoustics.scene import Noisy, Scene, Speaker, Supplies
from datagen.distributions import Distribution
from datagen.engines.base import Audio, Loop, Noise, Rooms
from datagen.recipe_mix import Behaviour, Bursts, Line, Mix
from datagen.records import Clip, Takes
from datagen.units import ms_to_samples

_FADE_MS = 5


class Draws:
    """The draws of one conversation. A behaviour's draws are keyed by its name, so none shifts another's."""

    def __init__(self, run_seed: int, dialogue_id: str, sample_rate_hz: int = 0) -> None:
        """Take what every key begins with, and the clock where times are drawn."""
        self._key, self._rate = (run_seed, dialogue_id, "mix"), sample_rate_hz

    def rng(self, *purpose: seeds.Key) -> np.random.Generator:
        """The generator of a purpose."""
        return seeds.rng(*self._key, *purpose)

    def happens(self, name: str, behaviour: Behaviour) -> bool:
        """Whether a behaviour is part of this conversation."""
        return behaviour.probability > 0 and bool(self.rng(name).random() < behaviour.probability)

    def value(self, distribution: Distribution, *purpose: seeds.Key) -> float:
        """A draw from a distribution of the recipe."""
        return distribution.draw(self.rng(*purpose))

    def samples(self, distribution: Distribution, *purpose: seeds.Key) -> int:
        """A draw in milliseconds, as samples."""
        return ms_to_samples(self.value(distribution, *purpose), self._rate)

    def noise(self, recipe: Mix, noises: Sequence[Noise]) -> Noisy | None:
        """The background noise."""
        if not noises or self.rng("noise").random() >= recipe.noise_probability:
            return None
        engine = noises[_index([source.weight for source in recipe.noise], self.rng("source").random())]
        kinds = engine.kinds()
        kind = kinds[int(self.rng("kind").integers(len(kinds)))]
        return Noisy(engine.take(kind, self.rng("offset")), -self.value(recipe.snr_db, "snr"), (kind,))

    def babble(self, recipe: Mix, clip: Clip | None) -> Noisy | None:
        """The babble that was spoken for this conversation, from a drawn offset."""
        if clip is None:
            return None
        start = int(self.rng("babble", "offset").integers(len(clip.audio)))
        return Noisy(Loop(clip.audio, start), -self.value(recipe.babble.snr_db, "babble", "snr"), clip.voices)

    def other_talkers(self, recipe: Mix, clips: Sequence[Clip], n_samples: int) -> Noisy | None:
        """Sentences of other talkers, from clips that were spoken for them."""
        if not clips:
            return None
        sounds = [
            (start, once(Loop(clip.audio), n_samples, 0), clip.voices[0])
            for k, start in enumerate(self._starts("talkers", recipe.other_talkers.per_minute, n_samples))
            for clip in [clips[k % len(clips)]]
        ]
        level_db = self.value(recipe.other_talkers.level_db, "talkers", "level")
        return _single(sounds, level_db, n_samples)

    def bursts(self, recipe: Bursts, engines: Sequence[Noise], n_samples: int) -> Noisy | None:
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
            sounds.append((start, once(engine.take(kind, rng), longest, fade), kind))
        return _single(sounds, self.value(recipe.level_db, "bursts", "level"), n_samples)

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

    def speaker(self, recipe: Mix, rooms: Rooms | None) -> Speaker:
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
        return Speaker(**found)

    def line(self, recipe: Line) -> tuple[str, float | None]:
        """Codec of the line and its compression, or nothing."""
        if not self.happens("line", recipe):
            return "", None
        names = sorted(recipe.codecs)
        name = names[_index([recipe.codecs[name] for name in names], self.rng("line", "codec").random())]
        compression = self.value(recipe.compression, "line", "compression")
        return name, min(max(compression, 0.0), 1.0) if CODECS[name].takes_compression else None

    def scene(self, recipe: Mix, supplies: Supplies, takes: Takes, n_samples: int) -> Scene:
        """All draws of a conversation."""
        echoes = self.happens("echo", recipe.echo)
        codec, compression = self.line(recipe.line)
        return Scene(
            way=self.speaker(recipe, supplies.rooms),
            noise=self.noise(recipe, supplies.noises),
            babble=self.babble(recipe, takes.babble),
            other_talkers=self.other_talkers(recipe, takes.other_talkers, n_samples),
            bursts=self.bursts(recipe.bursts, supplies.bursts, n_samples),
            echo_delay_samples=max(0, self.samples(recipe.echo.delay_ms, "echo", "delay")) if echoes else None,
            echo_db=self.value(recipe.echo.gain_db, "echo", "gain") if echoes else None,
            codec=codec,
            compression=compression,
        )


def _single(sounds: list[tuple[int, Audio, str]], level_db: float, n_samples: int) -> Noisy:
    """Sounds (start, audio, name) in order of time, cut at the end of the conversation."""
    segments = [(start, audio[: n_samples - start]) for start, audio, _ in sounds]
    return Noisy(segments, level_db, tuple(name for _, _, name in sounds))


def _index(weights: Sequence[float], u: float) -> int:
    """Which of several a number in [0, 1) falls to, by weight."""
    shares = np.cumsum(weights)
    return int(np.searchsorted(shares / shares[-1], u, "right"))
