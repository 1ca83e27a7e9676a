"""Noise bursts: short generated sounds that are no speech, and must not stop an assistant that speaks."""

from collections.abc import Callable

import numpy as np

from datagen.engines.base import Audio, EngineInfo
from datagen.engines.noise.hits import Wave, clatter, clicks, coloured, decay, ringing, run_of
from datagen.errors import RecipeError


class GeneratedBursts:
    """Sounds of 0.1 to 0.8 s, each made anew, root mean square 1.

    `door` (a slam: a thump and a rattle), `clatter` (dishes: a few ringing hits), `knock` (two to four knocks on
    wood), `keys` (a run of key strokes).
    """

    def __init__(self, sample_rate_hz: int = 24_000, kinds: tuple[str, ...] | list[str] = ()) -> None:
        """Choose kinds; all by default.

        Raises:
            RecipeError: If a kind is unknown.
        """
        unknown = set(kinds) - set(_KINDS)
        if unknown:
            raise RecipeError(f"bursts have no kind {sorted(unknown)}; they have {', '.join(_KINDS)}")
        self.info = EngineInfo("bursts", "2", "Apache-2.0", "machine")
        self._kinds = tuple(sorted(kinds or _KINDS))
        self._rate = sample_rate_hz

    def kinds(self) -> tuple[str, ...]:
        """The chosen kinds, sorted."""
        return self._kinds

    def take(self, kind: str, rng: np.random.Generator, n_samples: int) -> Audio:
        """A new sound of a kind, no longer than `n_samples`."""
        wave = _KINDS[kind](rng, self._rate)[:n_samples]
        n_edge = min(self._rate // 500, len(wave))  # 2 ms, so that nothing clicks
        wave[:n_edge] *= np.linspace(0, 1, n_edge, dtype=np.float32)
        wave[-n_edge:] *= np.linspace(1, 0, n_edge, dtype=np.float32)
        return wave / np.float32(np.sqrt(np.mean(wave**2)))


def _door(rng: np.random.Generator, rate: int) -> Wave:
    n = int(rate * rng.uniform(0.3, 0.5))
    thump = ringing(n, rate, [(rng.uniform(60, 110), 0.08, 1), (rng.uniform(150, 260), 0.05, 0.6)])
    rattle = coloured(rng, n, rate, [(rng.uniform(900, 1800), 700.0)]) * decay(n, rate, 0.05)
    return thump + np.float32(0.4) * rattle


def _knock(rng: np.random.Generator, rate: int) -> Wave:
    n, pitch_hz = int(0.09 * rate), rng.uniform(180, 420)
    n_hits, n_apart = int(rng.integers(2, 5)), int(rate * rng.uniform(0.12, 0.18))
    wave = np.zeros(n_apart * (n_hits - 1) + n, np.float32)
    for k in range(n_hits):
        sound = ringing(n, rate, [(pitch_hz * rng.uniform(0.97, 1.03), 0.02, 1)])
        scrape = rng.standard_normal(n, dtype=np.float32) * decay(n, rate, 0.004)
        wave[k * n_apart : k * n_apart + n] += sound + np.float32(0.2) * scrape
    return wave


def _keys(rng: np.random.Generator, rate: int) -> Wave:
    n_samples, n_clicks = int(rate * rng.uniform(0.4, 0.8)), int(rng.integers(4, 10))
    made = iter(clicks(rng, rate, n_clicks))
    return run_of(rng, n_samples, n_clicks, lambda: next(made))


_KINDS: dict[str, Callable[[np.random.Generator, int], Wave]] = {
    "clatter": clatter,
    "door": _door,
    "keys": _keys,
    "knock": _knock,
}
