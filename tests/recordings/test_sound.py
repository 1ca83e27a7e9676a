"""Sound of a stretch: at its place to the sample, at any rate; and what is rejected."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile

from datagen.pipeline.recorded.checks import faults, measure
from datagen.pipeline.recorded.piece import Piece
from datagen.pipeline.recorded.sound import RecordingReader
from datagen.recipe import RecordingLimitsConfig
from datagen.records import Recorded, RecordedChannel
from datagen.sources.recordings.sound_files import hash_of

RATE = 24_000


def recorded(folder, audio, rate_hz, start, n_samples, subtype="PCM_16"):
    path = folder / f"r{rate_hz}.wav"
    soundfile.write(path, audio, rate_hz, subtype)
    side = RecordedChannel("ann", path.name, 0, rate_hz, hash_of(path)[0])
    return Recorded("r", "test", "CC0", side, replace(side, channel=1), start, n_samples)


@pytest.mark.parametrize("rate_hz", [8000, 16_000, 22_050, 24_000, 44_100, 48_000])
def test_a_click_is_at_its_place_in_every_stretch(tmp_path, rate_hz):
    """At 3.2 s of the recording; the stretch starts at 2.4 s, a whole sample at all rates."""
    audio = np.zeros((5 * rate_hz, 2), np.float32)
    audio[round(3.2 * rate_hz), 1] = 0.9
    sound = recorded(tmp_path, audio, rate_hz, round(2.4 * RATE), 2 * RATE)
    channels, _ = RecordingReader(tmp_path, RATE).read(sound)
    assert channels.shape == (2, 2 * RATE)
    assert abs(int(np.abs(channels[1]).argmax()) - round(0.8 * RATE)) <= 1
    assert np.abs(channels[0]).max() < 1e-3


def test_stretches_join_without_a_seam(tmp_path):
    rng = np.random.default_rng(1)
    audio = np.repeat(rng.normal(0, 0.1, (4 * 8000, 1)), 2, axis=1).astype(np.float32)
    whole, first, second = (
        recorded(tmp_path, audio, 8000, start, n * RATE) for start, n in ((0, 4), (0, 2), (2 * RATE, 2))
    )
    reader = RecordingReader(tmp_path, RATE)
    parts = np.concatenate([reader.read(part)[0] for part in (first, second)], axis=1)
    assert np.abs(parts - reader.read(whole)[0]).max() < 1e-3


def test_the_end_of_the_file_is_padded_and_clipped_samples_are_counted(tmp_path):
    audio = np.zeros((8000, 2), np.float32)
    audio[:80, 0] = 1.0
    channels, clipped = RecordingReader(tmp_path, RATE).read(recorded(tmp_path, audio, 8000, 0, 2 * RATE))
    assert not channels[:, RATE + 100 :].any()
    assert clipped == {"user": pytest.approx(0.01), "assistant": 0.0}


def talk(leak=0.0, levels=(0.1, 0.1), swapped=False):
    """Ten seconds: the user speaks from 1 to 4, the assistant from 5 to 9; float32 [2, n]."""
    rng = np.random.default_rng(2)
    voices = rng.normal(0, 1, (2, 10 * RATE)).astype(np.float32)
    spans, clean = ((1, 4), (5, 9)), np.zeros((2, 10 * RATE), np.float32)
    for k, (first, last) in enumerate(spans):
        clean[k, first * RATE : last * RATE] = levels[k] * voices[k, first * RATE : last * RATE]
    late = np.roll(clean, RATE // 20, axis=1)
    channels = clean + leak * late[::-1] + rng.normal(0, 1e-4, clean.shape).astype(np.float32)
    pieces = {
        role: [Piece(role, first * RATE, last * RATE, ())]
        for role, (first, last) in zip(("user", "assistant"), spans, strict=True)
    }
    return (channels[::-1].copy() if swapped else channels), pieces


def reasons(channels, pieces, clipped=0.0, **limits):
    found = faults(measure(channels, pieces, RATE), dict.fromkeys(pieces, clipped), RecordingLimitsConfig(**limits))
    return [reason for reason, _ in found]


def test_clean_sound_has_no_fault():
    assert reasons(*talk()) == []


@pytest.mark.parametrize("leak_db", [-12, -30])
def test_cross_talk_is_measured_in_decibels_of_its_source(leak_db):
    found = measure(*talk(leak=10 ** (leak_db / 20)), RATE)
    assert found.cross_talk_db["user"] == pytest.approx(leak_db, abs=1)
    assert found.cross_talk_db["assistant"] == pytest.approx(leak_db, abs=1)
    assert ("cross_talk" in reasons(*talk(leak=10 ** (leak_db / 20)))) == (leak_db == -12)


def test_noise_is_no_cross_talk():
    found = measure(*talk(), RATE)
    assert max(found.cross_talk_db.values()) < -35


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ({"levels": (0.1, 1e-4)}, "silent"),
        ({"swapped": True}, "wrong_channels"),
    ],
)
def test_levels_in_the_wrong_place_are_rejected(case, reason):
    assert reasons(*talk(**case))[0] == reason


def test_limits_reject_by_name():
    channels, pieces = talk()
    assert reasons(channels, pieces, clipped=0.5) == ["clipped", "clipped"]
    assert reasons(channels, pieces, min_speech_seconds=3.5) == ["one_sided"]
    assert reasons(channels, pieces, max_silence_seconds=0.5) == ["long_silence"]
    both = {"user": pieces["user"], "assistant": [Piece("assistant", RATE, 4 * RATE, ())]}
    assert reasons(channels, both)[-1] == "too_much_overlap"
