"""Laughter and coughs: of the length, pitch and rhythm that they should have."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.engines.noise import people
from tests.conftest import RATE


@given(st.integers(0, 10_000), st.floats(75, 350), st.sampled_from(sorted(people.KINDS)))
@settings(max_examples=40, deadline=None)
def test_a_sound_is_short_whole_and_of_power_1(seed, pitch_hz, kind):
    audio = people.KINDS[kind](np.random.default_rng(seed), RATE, pitch_hz)
    assert audio.dtype == np.float32
    assert 0.3 * RATE <= len(audio) <= 1.5 * RATE
    assert np.mean(audio.astype(float) ** 2) == pytest.approx(1, abs=1e-3)
    assert abs(audio[0]) < 0.05 * np.abs(audio).max()
    assert abs(audio[-1]) < 0.05 * np.abs(audio).max()


@pytest.mark.parametrize("pitch_hz", [110, 210])
def test_laughter_falls_in_level_has_three_to_six_calls_and_lies_above_speech(pitch_hz):
    for seed in range(5):
        audio = people.laughter(np.random.default_rng(seed), RATE, pitch_hz)
        level = np.convolve(audio**2, np.ones(2400) / 2400, "same")
        loud = level > 0.3 * level.max()
        n_calls = np.sum(np.diff(loud.astype(int)) == 1)
        assert 2 <= n_calls <= 6
        third = len(audio) // 3
        assert np.sum(audio[:third] ** 2) > np.sum(audio[-third:] ** 2)
        if pitch_hz == 110:  # what is above 350 Hz is not looked for in speech
            assert 1.2 * pitch_hz < people.pitch_of([audio[:third]], RATE) < 2.4 * pitch_hz


def test_laughter_has_three_to_six_calls_about_a_fifth_of_a_second_apart():
    seconds = [len(people.laughter(np.random.default_rng(seed), RATE, 150)) / RATE for seed in range(60)]
    assert 3 * 0.169 < min(seconds) < 3 * 0.22
    assert 6 * 0.18 < max(seconds) <= 6 * 0.22


def test_a_cough_has_one_to_three_puffs_each_a_quarter_of_a_second_or_more():
    seconds = np.array([len(people.cough(np.random.default_rng(seed), RATE, 150)) / RATE for seed in range(60)]) - 0.15
    n_puffs = np.round(seconds / 0.285)
    assert set(n_puffs) == {1, 2, 3}
    assert np.all((seconds > 0.249 * n_puffs) & (seconds <= 0.32 * n_puffs))


def test_a_cough_fades_in_its_last_10_ms():
    coughs = [people.cough(np.random.default_rng(seed), RATE, 150).astype(float) for seed in range(30)]
    edge = RATE // 100
    before, fading = (
        sum(np.sum(c[-first : len(c) - last] ** 2) for c in coughs)
        for first, last in ((edge + edge // 2, edge), (edge, edge // 2))
    )
    assert 0.2 < fading / before < 0.9


class Extreme(np.random.Generator):
    """A generator whose draws from a range are one end of it."""

    def __init__(self, seed: int, highest: bool) -> None:
        super().__init__(np.random.PCG64(seed))
        self.highest = highest

    def random(self) -> float:
        return 0.0

    def uniform(self, low: float, high: float) -> float:
        return high if self.highest else low


@pytest.mark.parametrize(("highest", "buzz_hz"), [(False, 28), (True, 45)])
def test_a_cleared_throat_buzzes_at_28_to_45_hz(highest, buzz_hz):
    """Found in the mean power of many, with the decay of 0.15 or 0.24 s taken out."""
    power = sum(people.cough(Extreme(seed, highest), RATE, 150).astype(float) ** 2 for seed in range(50))
    time = np.arange(RATE // 50, 7 * RATE // 20) / RATE
    level = power[RATE // 50 : 7 * RATE // 20] * np.exp(2 * time / (0.24 if highest else 0.15))
    level = (level - level.mean()) * np.hanning(len(level))
    tried_hz = np.arange(20, 60, 0.1)
    found = np.abs(np.exp(-2j * np.pi * np.outer(tried_hz, time)) @ level)
    assert tried_hz[found.argmax()] == pytest.approx(buzz_hz, abs=0.25)


def test_the_laugh_of_a_seed_stays_the_same():
    """Audio that is built must not change unless DATA_VERSION is raised; rounding may differ by machine."""
    audio = people.laughter(np.random.default_rng(56), RATE, 150)
    assert len(audio) == 16_400
    assert audio[1000::1500].tolist() == pytest.approx(
        [2.31877, 0.22862, -0.03719, -1.66374, 0.58237, -0.02971, -0.31056, 0.11467, -0.6591, -1.69617, 0.03261],
        abs=1e-4,
    )


def test_a_higher_voice_laughs_higher():
    def centre(pitch_hz: float) -> float:
        power = np.abs(np.fft.rfft(people.laughter(np.random.default_rng(3), RATE, pitch_hz))) ** 2
        return float(np.sum(np.linspace(0, RATE / 2, len(power)) * power) / power.sum())

    assert centre(220) > centre(100) * 1.1


def test_pitch_of_silence_noise_and_nothing_is_the_usual_one():
    noise = np.random.default_rng(0).normal(size=RATE).astype(np.float32)
    for speech in ([], [np.zeros(RATE, np.float32)], [noise]):
        assert people.pitch_of(speech, RATE) == 160
