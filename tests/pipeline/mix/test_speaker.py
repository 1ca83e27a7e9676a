"""What happens on the way to the microphone changes the sound and no time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.engines.base import RoomResponse
from datagen.pipeline.mix.sound_path import arrived, drifting, dull
from tests.conftest import RATE


@pytest.mark.parametrize("cutoff_hz", [2500, 4000, 6000])
def test_distance_takes_the_highs_and_leaves_the_lows(cutoff_hz):
    def gain_db(hz: float) -> float:
        tone = np.sin(2 * np.pi * hz * np.arange(RATE) / RATE).astype(np.float32)
        return 20 * np.log10(np.std(dull(tone, cutoff_hz, RATE)[100:]) / np.std(tone))

    assert gain_db(200) == pytest.approx(0, abs=0.1)
    assert gain_db(cutoff_hz) == pytest.approx(-3, abs=1.2)
    assert gain_db(10_000) < gain_db(cutoff_hz) < gain_db(cutoff_hz / 2)


@given(
    st.integers(1, 3000),
    st.integers(0, 10**6),
    st.floats(0, 12),
    st.integers(RATE, 30 * RATE),
    st.floats(0, 1, exclude_max=True),
)
@settings(max_examples=40, deadline=None)
def test_drift_stays_in_its_range_and_depends_on_conversation_time_alone(n, start, range_db, period, phase):
    audio = np.ones(n, np.float32)
    moved = drifting(audio, start, range_db, period, phase)
    assert len(moved) == n
    assert np.abs(20 * np.log10(moved)).max() <= range_db / 2 + 1e-3
    expected = range_db / 2 * np.sin(2 * np.pi * (start / period + phase))
    assert 20 * np.log10(moved[0]) == pytest.approx(expected, abs=1e-3)
    assert (audio == 1).all()


@given(st.lists(st.integers(0, 2000), min_size=1, max_size=5), st.integers(0, 50))
@settings(max_examples=40, deadline=None)
def test_direct_sound_lies_where_the_dry_speech_was(starts, onset):
    """With a room that only delays, speech comes out where it was, whatever is cut at the edges."""
    response = np.zeros(onset + 30, np.float32)
    response[onset] = 1
    rng = np.random.default_rng(0)
    dry = [(start, rng.normal(size=300).astype(np.float32)) for start in starts]
    n_samples = 2100
    wet, heard = arrived(dry, RoomResponse(response, onset, 100.0), n_samples)
    for (start, audio), (first, late), measured in zip(dry, wet, heard, strict=True):
        channel = np.zeros(n_samples)
        channel[first : first + len(late)] += late
        n = min(len(audio), n_samples - start)
        assert np.allclose(channel[start : start + n], audio[:n], atol=1e-5)
        assert np.allclose(measured, audio, atol=1e-5)
