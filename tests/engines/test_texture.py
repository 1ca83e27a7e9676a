"""Endless sound: no lag is special, no seam is heard, and the generator alone decides."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from datagen.engines.noise import texture
from datagen.engines.noise.ambience import KINDS
from datagen.engines.noise.noise import GeneratedNoise
from tests.conftest import RATE

N = 20 * RATE


def made(kind: str, seed: int = 1, n: int = N, rate: int = RATE) -> np.ndarray:
    return GeneratedNoise(rate, [kind]).take(kind, np.random.default_rng(seed), n)


def third_octaves(audio: np.ndarray) -> dict[int, float]:
    power = np.abs(np.fft.rfft(audio.astype(float))) ** 2
    hz = np.fft.rfftfreq(len(audio), 1 / RATE)
    return {
        centre: 10 * np.log10(power[(hz > centre / 1.12) & (hz < centre * 1.12)].mean())
        for centre in (125, 250, 500, 1000, 2000, 4000, 8000)
    }


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_makes_the_same_bytes_whatever_the_threads(kind):
    first = made(kind)
    with threadpool_limits(2):
        assert np.array_equal(first, made(kind))
    with threadpool_limits(1):
        assert np.array_equal(first, made(kind))
    assert not np.array_equal(first, made(kind, seed=2))
    assert first.dtype == np.float32
    assert 0.2 < np.sqrt(np.mean(first.astype(float) ** 2)) < 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "rate"), [(1, RATE), (32_767, 16_000), (32_769, 48_000), (100_001, 8000)])
def test_any_length_and_rate_will_do(kind, n, rate):
    audio = made(kind, n=n, rate=rate)
    assert audio.shape == (n,)
    assert np.isfinite(audio).all()


def repetition(audio: np.ndarray) -> float:
    """The largest autocorrelation beyond half a second, of what is whitened so that only a repetition shows."""
    spectrum = np.fft.rfft(audio.astype(float))
    power = np.convolve(np.abs(spectrum) ** 2, np.ones(501) / 501, "same")
    whitened = np.fft.irfft(np.abs(spectrum) ** 2 / power)
    return float(np.abs(whitened[RATE // 2 : len(whitened) // 2]).max() / whitened[0])


@pytest.mark.parametrize("kind", KINDS)
def test_no_lag_is_special(kind):
    """A stretch of the pool comes again, with another stretch and at another distance each time: no lag adds up."""
    assert repetition(made(kind, n=60 * RATE)) < 0.15
    assert repetition(np.resize(made(kind, n=16 * RATE), 60 * RATE)) > 0.4  # as a loop of 16 s would


def test_spectra_are_as_named():
    white, pink, brown = (third_octaves(made(kind)) for kind in ("white", "pink", "brown"))
    for low, high in ((125, 250), (500, 1000), (2000, 4000)):
        assert white[low] - white[high] == pytest.approx(0, abs=1)
        assert pink[low] - pink[high] == pytest.approx(3, abs=1)
        assert brown[low] - brown[high] == pytest.approx(6, abs=1)
    speech = third_octaves(made("speech_shaped"))
    assert speech[250] == pytest.approx(speech[500], abs=4)
    assert 6 < speech[1000] - speech[2000] < 11
    rumble = third_octaves(made("room"))
    assert rumble[125] > rumble[1000] + 12


def loudness(audio: np.ndarray, window: int) -> np.ndarray:
    return 10 * np.log10(np.mean(audio[: len(audio) // window * window].reshape(-1, window).astype(float) ** 2, axis=1))


def test_places_change_as_they_do():
    """Cars pass, keys are struck, talkers have syllables; a fan drifts slowly, and white noise not at all."""
    spread = {kind: np.std(loudness(made(kind, n=60 * RATE), RATE // 10)) for kind in KINDS}
    assert spread["white"] < 0.3
    assert spread["street"] > 2
    assert spread["cafe"] > 1
    assert 0.5 < spread["fan"] < 3
    assert np.abs(np.diff(loudness(made("fan"), RATE))).max() < 5
    clicks = made("keyboard")
    assert np.abs(clicks).max() > 8 * np.sqrt(np.mean(clicks**2))


def test_the_mains_drift_and_differ():
    """No period is exact, and their frequency is near 50 Hz, whose periods fill whole frames."""
    found = set()
    for seed in range(6):
        audio = made("hum", seed, 40 * RATE).astype(float)
        hz = np.fft.rfftfreq(len(audio), 1 / RATE)
        around = (hz > 45) & (hz < 65)
        found.add(round(hz[around][np.argmax(np.abs(np.fft.rfft(audio))[around])], 3))
    assert len(found) >= 4
    assert all(abs(f - 50) < 0.2 for f in found)


def test_a_walk_has_no_seam():
    """Where one stretch fades into the next, level and steps are as anywhere else."""
    audio = made("brown", n=60 * RATE).astype(float)
    steps = np.abs(np.diff(audio))
    n = texture._STRIDE.n_samples
    seams = np.concatenate([steps[k * n - 2 : k * n + texture._STRIDE.n_fade] for k in range(1, 60 * RATE // n)])
    assert seams.max() <= steps.max()
    assert np.mean(seams**2) == pytest.approx(np.mean(steps**2), rel=0.1)


def test_a_gain_is_applied_step_by_step():
    pool = np.random.default_rng(0).normal(size=(2, 1 << 17)).astype(np.float32)
    gain = np.linspace(1, 3, -(-N // texture.STEP_SAMPLES)).astype(np.float32)
    plain = texture.walk(pool, N, np.random.default_rng(4))
    louder = texture.walk(pool, N, np.random.default_rng(4), gain=gain)
    assert np.allclose(louder, plain * np.repeat(gain, texture.STEP_SAMPLES)[:N], rtol=1e-5)


def test_random_phases_keep_the_spectrum_and_nothing_else():
    time = np.arange(4 * RATE) / RATE
    voice = (np.sin(2 * np.pi * 200 * time) * (np.sin(2 * np.pi * 1.5 * time) > 0)).astype(np.float32)[None]
    one, two = (texture.random_phases(voice, np.random.default_rng(k))[0] for k in (1, 2))
    assert one.shape == voice[0].shape
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.2
    assert abs(np.corrcoef(one, voice[0])[0, 1]) < 0.2
    assert np.corrcoef(loudness(one + 1e-3, RATE // 5), loudness(voice[0] + 1e-3, RATE // 5))[0, 1] > 0.7
    power = np.abs(np.fft.rfft(one)) ** 2
    assert power[np.abs(np.fft.rfftfreq(len(one), 1 / RATE) - 200) < 30].sum() > 0.9 * power.sum()
    assert np.sqrt(np.mean(one**2)) == pytest.approx(np.sqrt(np.mean(voice**2)), rel=0.2)
