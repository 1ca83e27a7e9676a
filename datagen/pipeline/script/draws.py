"""Keyed draws for the script of one dialogue."""

from dataclasses import dataclass

import numpy as np

from datagen import seeds
from datagen.clock import ms_to_samples
from datagen.recipe.distributions import Distribution


@dataclass(frozen=True)
class ScriptDraws:
    """Chance for one dialogue; a purpose is the turn and a name, and names one draw for ever."""

    run_seed: int
    dialogue_id: str
    sample_rate_hz: int

    def uniform(self, *purpose: str | int) -> float:
        """A number in [0, 1)."""
        return float(self._rng(*purpose).random())

    def happens(self, probability: float, *purpose: str | int) -> bool:
        """Whether something happens that does so with a probability."""
        return probability > 0 and self.uniform(*purpose) < probability

    def value(self, distribution: Distribution, *purpose: str | int) -> float:
        """A value in the distribution's unit."""
        return distribution.draw(self._rng(*purpose))

    def samples(self, distribution_ms: Distribution, *purpose: str | int) -> int:
        """A time in samples from a distribution in milliseconds, negative if that is."""
        return ms_to_samples(self.value(distribution_ms, *purpose), self.sample_rate_hz)

    def length(self, distribution_ms: Distribution, *purpose: str | int) -> int:
        """A length in samples, never negative."""
        return max(self.samples(distribution_ms, *purpose), 0)

    def pick(self, weights: dict[str, float], *purpose: str | int) -> str:
        """One of the keys, each as often as its share of the weights."""
        left = self.uniform(*purpose) * sum(weights.values())
        for name, weight in weights.items():
            left -= weight
            if left < 0:
                return name
        return next(reversed(weights))

    def deal(self, weights: dict[str, float], place: int, purpose: str) -> str:
        """The key that is dealt to a place of the dialogue: heavier ones sooner, none again before all have come.

        The order is one for the dialogue (Efraimidis and Spirakis 2006), so no other draw shifts it.

        >>> draws = Draws(1, "d1", 24_000)
        >>> sorted(draws.deal({"a": 1, "b": 2, "c": 3}, k, "x") for k in range(3))
        ['a', 'b', 'c']
        """
        chances = self._rng(purpose).random(len(weights))
        keys = {name: u ** (1 / weight) for u, (name, weight) in zip(chances, weights.items(), strict=True)}
        return sorted(keys, key=keys.__getitem__, reverse=True)[place % len(keys)]

    def _rng(self, *purpose: str | int) -> np.random.Generator:
        return seeds.rng(self.run_seed, self.dialogue_id, "script", *purpose)
