"""Layers add up to what they are, at their gains, whatever the blocks."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.pipeline.levels import joined
from datagen.pipeline.mix.mix import Layer, headroom, render

SOUNDS = st.lists(st.tuples(st.integers(0, 300), st.integers(1, 120)), max_size=8)


def segments_of(places, seed=0):
    rng = np.random.default_rng(seed)
    return [(start, rng.uniform(-1, 1, n).astype(np.float32)) for start, n in places]


def laid(segments, n_samples):
    channel = np.zeros(n_samples)
    for start, audio in segments:
        channel[start : start + len(audio)] += audio
    return channel


@given(SOUNDS)
def test_joined_segments_sound_the_same_and_do_not_overlap(places):
    segments = segments_of(places)
    found = joined(segments)
    assert np.allclose(laid(found, 500), laid(segments, 500), atol=1e-5)
    ends = [start + len(audio) for start, audio in found]
    assert all(end <= start for end, (start, _) in zip(ends, found[1:], strict=False))


@given(SOUNDS, SOUNDS, st.integers(0, 2), st.floats(0.01, 0.2))
@settings(deadline=None)
def test_a_channel_is_the_sum_of_its_layers(first, second, n_beds, gain):
    rng = np.random.default_rng(5)
    beds = [rng.uniform(-1, 1, 500).astype(np.float32) for _ in range(n_beds)]
    sounds = [joined(segments_of(places, k)) for k, places in enumerate((first, second))]
    channel = np.zeros(500, np.int16)
    peak = sum(Layer(sound, 1.0).peak for sound in (*sounds, *beds))
    gain = min(gain, 1 / peak) if peak else gain  # callers must not exceed full scale
    layers = [Layer(sound, gain) for sound in (*sounds, *beds)]
    render(channel, layers)
    expected = 32767 * gain * (sum(laid(sound, 500) for sound in sounds) + sum(bed.astype(float) for bed in beds))
    rounding = 0.5 + np.abs(expected).max() * 1e-5  # to whole numbers, and of float32 before
    assert np.abs(channel - expected).max() < rounding
    assert np.abs(channel).max() <= 32767 * sum(layer.peak for layer in layers) + 1


def test_many_blocks_are_as_one():
    rng = np.random.default_rng(0)
    bed, sound = rng.uniform(-1, 1, 200_000).astype(np.float32), rng.uniform(-1, 1, 90_000).astype(np.float32)
    channel = np.zeros(200_000, np.int16)
    render(channel, [Layer([(60_000, sound)], 0.3), Layer(bed, 0.2), Layer(bed, 0.1)])
    expected = 0.3 * laid([(60_000, sound)], 200_000) + 0.3 * bed
    assert np.abs(channel - 32767 * expected).max() < 1


def test_headroom_only_turns_down():
    assert headroom(0.0, -1) == headroom(0.1, -1) == 1
    assert headroom(2.0, -6) * 2.0 == 10 ** (-6 / 20)
