"""Noise bursts: short generated sounds that are no speech, and must not stop an assistant that speaks."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from datagen import seeds
from datagen.engines.base import Audio, EngineInfo, Loop
from datagen.errors import RecipeError

_N_VARIANTS = 8
Wave = NDArray[np.float64]


class GeneratedBursts:
    """Seeded sounds of 0.1 to 0.7 s, eight variants of each kind, root mean square 1.

    `door` (a slam: a thump and a rattle), `cough` (two puffs of throaty noise), `clatter` (dishes: a few ringing hits),
    `knock` (two to four knocks on wood), `keys` (a run of key strokes).
    """

    def __init__(self, sample_rate_hz: int = 24_000, kinds: tuple[str, ...] | list[str] = ()) -> None:
        """Choose kinds; all by default.

        Raises:
            RecipeError: If a kind is unknown.
        """
        unknown = set(kinds) - set(_KINDS)
        if unknown:
            raise RecipeError(f"bursts have no kind {sorted(unknown)}; they have {', '.join(_KINDS)}")
        self.info = EngineInfo("bursts", "1", "Apache-2.0", "machine")
        self._kinds = tuple(sorted(kinds or _KINDS))
        self._rate = sample_rate_hz

    def kinds(self) -> tuple[str, ...]:
        """The chosen kinds, sorted."""
        return self._kinds

    def take(self, kind: str, rng: np.random.Generator) -> Loop:
        """A drawn variant of a kind, to be heard once."""
        return Loop(_burst(kind, int(rng.integers(_N_VARIANTS)), self._rate))


@lru_cache(maxsize=64)
def _burst(kind: str, variant: int, sample_rate_hz: int) -> Audio:
    wave = _KINDS[kind](seeds.rng(0, "burst", kind, variant, sample_rate_hz), sample_rate_hz)
    n_edge = sample_rate_hz // 500  # 2 ms, so that nothing clicks
    wave[:n_edge] *= np.linspace(0, 1, n_edge)
    wave[-n_edge:] *= np.linspace(1, 0, n_edge)
    burst: Audio = (wave / np.sqrt(np.mean(wave**2))).astype(np.float32)
    return burst


def _ringing(n: int, rate: int, frequency_hz: float, decay_s: float) -> Wave:
    """A tone that dies away, float64 [n]."""
    time_s = np.arange(n) / rate
    return np.asarray(np.sin(2 * np.pi * frequency_hz * time_s) * np.exp(-time_s / decay_s))


def _coloured(rng: np.random.Generator, n: int, rate: int, peaks_hz: tuple[tuple[float, float], ...]) -> Wave:
    """Noise with resonances given as (frequency, width), float64 [n], root mean square about 1."""
    frequency_hz = np.fft.rfftfreq(n, 1 / rate)
    gain = sum(np.exp(-0.5 * ((frequency_hz - centre) / width) ** 2) for centre, width in peaks_hz)
    wave = np.fft.irfft(np.fft.rfft(rng.normal(size=n)) * gain, n)
    return np.asarray(wave / wave.std())


def _door(rng: np.random.Generator, rate: int) -> Wave:
    n = int(rate * rng.uniform(0.3, 0.5))
    thump = _ringing(n, rate, rng.uniform(60, 110), 0.08) + 0.6 * _ringing(n, rate, rng.uniform(150, 260), 0.05)
    rattle = _coloured(rng, n, rate, ((rng.uniform(900, 1800), 700.0),)) * np.exp(-np.arange(n) / rate / 0.05)
    return thump + 0.4 * rattle


def _cough(rng: np.random.Generator, rate: int) -> Wave:
    n = int(rate * rng.uniform(0.45, 0.7))
    throat = _coloured(
        rng, n, rate, ((rng.uniform(450, 650), 180.0), (rng.uniform(1300, 1800), 350.0), (2800.0, 700.0))
    )
    time_s = np.arange(n) / rate
    second = rng.uniform(0.5, 0.6) * n / rate
    puffs = np.exp(-time_s / 0.06) + np.where(time_s >= second, 0.7 * np.exp(-(time_s - second) / 0.05), 0)
    return np.asarray(throat * puffs)


def _hits(rng: np.random.Generator, rate: int, n_hits: int, length_s: float, hit: Callable[[], Wave]) -> Wave:
    """Hits at drawn times, the first at once."""
    wave = np.zeros(int(rate * length_s))
    starts = np.concatenate([[0.0], np.sort(rng.uniform(0.05, 0.7, n_hits - 1))])
    for start in (starts * len(wave)).astype(int):
        sound = hit()[: len(wave) - start]
        wave[start : start + len(sound)] += sound * rng.uniform(0.5, 1)
    return wave


def _clatter(rng: np.random.Generator, rate: int) -> Wave:
    n, high_hz = int(0.25 * rate), min(6000, 0.4 * rate)

    def hit() -> Wave:
        tones = [_ringing(n, rate, rng.uniform(1500, high_hz), rng.uniform(0.01, 0.05)) for _ in range(4)]
        return np.asarray(np.sum(tones, axis=0))

    return _hits(rng, rate, int(rng.integers(3, 7)), rng.uniform(0.35, 0.6), hit)


def _knock(rng: np.random.Generator, rate: int) -> Wave:
    n, pitch_hz = int(0.09 * rate), rng.uniform(180, 420)
    n_hits, apart_s = int(rng.integers(2, 5)), rng.uniform(0.12, 0.18)
    wave = np.zeros(int(rate * apart_s) * (n_hits - 1) + n)
    for k in range(n_hits):
        start = k * int(rate * apart_s)
        sound = _ringing(n, rate, pitch_hz * rng.uniform(0.97, 1.03), 0.02)
        wave[start : start + n] += sound + 0.2 * rng.normal(size=n) * np.exp(-np.arange(n) / rate / 0.004)
    return wave


def _keys(rng: np.random.Generator, rate: int) -> Wave:
    n = int(0.03 * rate)

    def hit() -> Wave:
        return _coloured(rng, n, rate, ((rng.uniform(2000, 3500), 900.0),)) * np.exp(-np.arange(n) / rate / 0.006)

    return _hits(rng, rate, int(rng.integers(4, 9)), rng.uniform(0.4, 0.7), hit)


_KINDS: dict[str, Callable[[np.random.Generator, int], Wave]] = {
    "clatter": _clatter,
    "cough": _cough,
    "door": _door,
    "keys": _keys,
    "knock": _knock,
}
