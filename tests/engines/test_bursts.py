"""Noise bursts: short, of many kinds, each made anew, and the same from the same chance."""

import numpy as np
import pytest

from datagen.engines.noise.bursts import GeneratedBursts
from datagen.errors import RecipeError
from tests.conftest import RATE

KINDS = GeneratedBursts().kinds()


@pytest.mark.parametrize("kind", KINDS)
def test_a_burst_is_short_has_power_1_and_is_new_each_time(kind):
    engine = GeneratedBursts(RATE)
    heard = [engine.take(kind, np.random.default_rng(k), 2 * RATE) for k in range(40)]
    assert len({audio.tobytes() for audio in heard}) == 40
    assert np.array_equal(heard[7], GeneratedBursts(RATE).take(kind, np.random.default_rng(7), 2 * RATE))
    for audio in heard:
        assert audio.dtype == np.float32
        assert 0.08 * RATE < len(audio) < 0.85 * RATE
        assert np.sqrt(np.mean(audio.astype(float) ** 2)) == pytest.approx(1, abs=1e-3)
        assert abs(audio[0]) < 0.01
        assert abs(audio[-1]) < 0.01


def test_kinds_differ_in_colour():
    """A door is dull, keys are bright."""

    def centre_hz(kind: str) -> float:
        audio = GeneratedBursts(RATE).take(kind, np.random.default_rng(0), RATE)
        power = np.abs(np.fft.rfft(audio)) ** 2
        return float(np.sum(np.fft.rfftfreq(len(audio), 1 / RATE) * power) / np.sum(power))

    assert centre_hz("door") < 700 < 1400 < centre_hz("keys")


def test_a_cough_is_the_users_own_and_no_burst():
    assert "cough" not in KINDS


def test_none_is_longer_than_requested():
    for kind in KINDS:
        assert len(GeneratedBursts(RATE).take(kind, np.random.default_rng(0), 1000)) == 1000


def test_any_rate_will_do_and_an_unknown_kind_will_not():
    for rate in (8000, 48_000):
        for kind in KINDS:
            assert np.isfinite(GeneratedBursts(rate, [kind]).take(kind, np.random.default_rng(0), rate)).all()
    with pytest.raises(RecipeError, match="thunder"):
        GeneratedBursts(kinds=["thunder"])
