"""Keyed random draws of one dialogue in one stage."""

from dataclasses import dataclass

import numpy as np

from datagen import seeds
from datagen.clock import ms_to_samples
from datagen.recipe.distributions import Distribution
from datagen.records import Script


@dataclass(frozen=True)
class Draws:
    """Random draws of one dialogue. Each purpose has its own key, so no draw shifts another."""

    run_seed: int
    key: tuple[seeds.Key, ...]
    """Prefix of every key: the dialogue and the stage."""
    sample_rate_hz: int = 0
    """Sample rate for times."""

    @classmethod
    def of_script(cls, run_seed: int, dialogue_id: str, sample_rate_hz: int) -> "Draws":
        """Draws of a conversation's events."""
        return cls(run_seed, (dialogue_id, "script"), sample_rate_hz)

    @classmethod
    def of_sound(cls, run_seed: int, script: Script, sample_rate_hz: int = 0) -> "Draws":
        """Draws of a conversation's acoustics and background talkers."""
        return cls(run_seed, (script.split, script.dialogue.id, "mix"), sample_rate_hz)

    def rng(self, *purpose: seeds.Key) -> np.random.Generator:
        """The generator of a purpose."""
        return seeds.rng(self.run_seed, *self.key, *purpose)

    def uniform(self, *purpose: seeds.Key) -> float:
        """A number in [0, 1)."""
        return float(self.rng(*purpose).random())

    def happens(self, probability: float, *purpose: seeds.Key) -> bool:
        """True with the given probability."""
        return probability > 0 and self.uniform(*purpose) < probability

    def value(self, distribution: Distribution, *purpose: seeds.Key) -> float:
        """A value in the distribution's unit."""
        return distribution.draw(self.rng(*purpose))

    def samples(self, distribution_ms: Distribution, *purpose: seeds.Key) -> int:
        """A time in samples from a distribution in milliseconds; may be negative."""
        return ms_to_samples(self.value(distribution_ms, *purpose), self.sample_rate_hz)

    def length(self, distribution_ms: Distribution, *purpose: seeds.Key) -> int:
        """A length in samples, never negative."""
        return max(self.samples(distribution_ms, *purpose), 0)

    def pick(self, weights: dict[str, float], *purpose: seeds.Key) -> str:
        """One of the keys, with probability proportional to its weight."""
        left = self.uniform(*purpose) * sum(weights.values())
        for name, weight in weights.items():
            left -= weight
            if left < 0:
                return name
        return next(reversed(weights))

    def deal(self, weights: dict[str, float], place: int, purpose: str) -> str:
        """The key dealt to a place of the dialogue.

        Heavier keys tend to come first, and none is repeated before all have been dealt. The order
        is drawn once per dialogue (Efraimidis and Spirakis 2006), so no other draw shifts it.

        >>> draws = Draws.of_script(1, "d1", 24_000)
        >>> sorted(draws.deal({"a": 1, "b": 2, "c": 3}, k, "x") for k in range(3))
        ['a', 'b', 'c']
        """
        chances = self.rng(purpose).random(len(weights))
        keys = {name: u ** (1 / weight) for u, (name, weight) in zip(chances, weights.items(), strict=True)}
        return sorted(keys, key=keys.__getitem__, reverse=True)[place % len(keys)]
