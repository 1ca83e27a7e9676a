"""Noise bursts: short generated sounds that are no speech, and must not stop an assistant that speaks."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from datagen.engines.audio import product
from datagen.engines.base import Audio, EngineInfo
from datagen.errors import RecipeError

Wave = NDArray[np.float32]
_ROW_SAMPLES = 64


def ringing(n_samples: int, rate: int, tones: Sequence[tuple[float, float, float]]) -> Wave:
    """Sum of tones that die away: float32 [n_samples].

    Args:
        n_samples: Length.
        rate: Samples per second.
        tones: Frequency in hertz, time constant of the decay in seconds, and amplitude of each.

    >>> [round(float(x), 3) for x in ringing(3, 4, [(1.0, 1e9, 2.0)])]
    [0.0, 2.0, 0.0]
    """
    frequency_hz, decay_s, gain = np.array(tones).T
    per_sample = (2j * np.pi * frequency_hz - 1 / decay_s) / rate
    n_rows = -(-n_samples // _ROW_SAMPLES)
    of_row = gain * np.exp(np.outer(np.arange(n_rows) * _ROW_SAMPLES, per_sample))
    in_row = np.exp(np.outer(per_sample, np.arange(_ROW_SAMPLES)))  # exp(a + b) = exp(a) exp(b): few calls of exp
    wave: Wave = product(of_row, in_row).imag.ravel()[:n_samples].astype(np.float32)
    return wave


def coloured(rng: np.random.Generator, n_samples: int, rate: int, peaks_hz: Sequence[tuple[float, float]]) -> Wave:
    """Noise with resonances given as (frequency, width) in hertz: float32 [n_samples], root mean square 1."""
    import scipy.fft

    n_fft = scipy.fft.next_fast_len(n_samples, real=True)
    frequency_hz = np.fft.rfftfreq(n_fft, 1 / rate).astype(np.float32)
    gain = sum(np.exp(-0.5 * ((frequency_hz - centre) / width) ** 2) for centre, width in peaks_hz)
    bins = gain * rng.standard_normal((2, len(frequency_hz)), dtype=np.float32).T.copy().view(np.complex64).ravel()
    wave: Wave = scipy.fft.irfft(bins, n_fft, workers=1)[:n_samples]
    wave /= np.sqrt(np.mean(wave**2))
    return wave


def decay(n_samples: int, rate: int, time_s: float) -> Wave:
    """An exponential decay from 1: float32 [n_samples].

    >>> [round(float(x), 2) for x in decay(3, 2, 0.5)]
    [1.0, 0.37, 0.14]
    """
    wave: Wave = np.exp(np.arange(n_samples, dtype=np.float32) / np.float32(-rate * time_s))
    return wave


def run_of(rng: np.random.Generator, n_samples: int, n_hits: int, hit: Callable[[], Wave]) -> Wave:
    """Hits of drawn loudness at drawn times, the first at once: float32 [n_samples]."""
    wave = np.zeros(n_samples, np.float32)
    starts = np.concatenate([[0.0], np.sort(rng.uniform(0.05, 0.7, n_hits - 1))])
    for start in (starts * n_samples).astype(int):
        sound = hit()[: n_samples - start]
        wave[start : start + len(sound)] += sound * np.float32(rng.uniform(0.5, 1))
    return wave


def clatter(rng: np.random.Generator, rate: int) -> Wave:
    """Dishes: three to six ringing hits in 0.35 to 0.6 s."""
    n_hit, high_hz = int(0.15 * rate), min(6000, 0.4 * rate)

    def hit() -> Wave:
        tones = zip(rng.uniform(1500, high_hz, 4), rng.uniform(0.01, 0.03, 4), rng.uniform(0.5, 1, 4), strict=True)
        return ringing(n_hit, rate, list(tones))

    return run_of(rng, int(rate * rng.uniform(0.35, 0.6)), int(rng.integers(3, 7)), hit)


def clicks(rng: np.random.Generator, rate: int, n_clicks: int) -> Wave:
    """Clicks as of keys: float32 [n_clicks, 30 ms], each of a colour of its own, root mean square 1."""
    import scipy.fft

    n = int(0.03 * rate)
    hz = np.fft.rfftfreq(n, 1 / rate).astype(np.float32)
    high, low = (rng.uniform(*span, (n_clicks, 1)).astype(np.float32) for span in ((1800, 3500), (250, 450)))
    gain = np.exp(-0.5 * ((hz - high) / 900) ** 2) + np.exp(-0.5 * ((hz - low) / 120) ** 2)
    bins = rng.standard_normal((n_clicks, len(hz), 2), dtype=np.float32).view(np.complex64)[..., 0]
    waves: Wave = scipy.fft.irfft(gain * bins, n, axis=1, workers=1)
    waves *= np.exp(np.arange(n) / (-rate * rng.uniform(0.003, 0.007, (n_clicks, 1)))).astype(np.float32)
    waves /= np.sqrt(np.mean(waves**2, axis=1, keepdims=True))
    return waves


def key_strokes(rng: np.random.Generator, rate: int, n_strokes: int) -> Wave:
    """Keys pressed and released: float32 [n_strokes, 0.13 s], a click and a quieter one."""
    made = clicks(rng, rate, 2 * n_strokes)
    n_click = made.shape[1]
    strokes = np.zeros((n_strokes, int(0.1 * rate) + n_click), np.float32)
    strokes[:, :n_click] = made[:n_strokes]
    for stroke, click, at in zip(strokes, made[n_strokes:], rng.uniform(0.05, 0.1, n_strokes), strict=True):
        stroke[int(at * rate) : int(at * rate) + n_click] += click / 3
    return strokes


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
            raise RecipeError(f"unknown kinds of bursts {sorted(unknown)}; known: {', '.join(_KINDS)}")
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
