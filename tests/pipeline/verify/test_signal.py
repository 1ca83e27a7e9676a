"""What is measured on a take without understanding it, on the embedded voice, whole and broken as engines do."""

import numpy as np
import pytest

from datagen.engines.tts.hibari import Hibari
from datagen.pipeline.verify.signal import measure
from datagen.pipeline.verify.verify import Gate
from datagen.recipe import VerifyConfig
from tests.pipeline.verify import breaks

RATE = 24_000
TEXTS = (
    "The first coffee of the week is still ahead of you.",
    "okay, so turn left at the bakery, and then it is the second house.",
)


@pytest.fixture(scope="module")
def takes():
    voice = Hibari()
    return [voice.speak(text, "heart-m2", 1).audio for text in TEXTS]


def fault(audio, text=TEXTS[1], **limits) -> str:
    found = Gate(VerifyConfig(**limits))(audio, RATE, text, "en")[0]
    return found.detail if found else ""


def test_good_takes_pass_whatever_they_are_scaled_to(takes):
    for audio, text in zip(takes, TEXTS, strict=True):
        for gain in (0.1, 1.0):
            assert fault(gain * audio, text) == ""


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (breaks.silence, "silent"),
        (breaks.clipping, "clipped"),
        (breaks.tail_noise, "after the last word"),
        (breaks.tail_silence, "after the last word"),
        (breaks.too_slow, "long for"),
        (breaks.noise, "noise between words"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_broken_takes_are_found_by_their_sound_alone(takes, broken, says):
    found = fault(broken(takes[1], takes[0], RATE, np.random.default_rng(0)))
    assert says in found


def test_half_a_take_one_that_goes_on_and_a_hole_are_found(takes):
    assert "short for" in fault(takes[1][: len(takes[1]) // 4])
    assert "long for" in fault(breaks.runaway(takes[0], takes[1], RATE, np.random.default_rng(0)), TEXTS[0])
    with_hole = np.concatenate([takes[0], np.zeros(3 * RATE, np.float32), takes[1]])
    assert "a pause of" in fault(with_hole, " ".join(TEXTS))


def test_measures_are_those_of_the_sound():
    tone = 0.5 * np.sin(2 * np.pi * 200 / RATE * np.arange(RATE)).astype(np.float32)
    quiet = np.zeros(RATE // 2, np.float32)
    found = measure(np.concatenate([quiet, tone, quiet, tone, quiet]), RATE)
    assert found.speech_ms == 2000
    assert found.longest_pause_ms == 500
    assert found.tail_ms == 500
    assert found.clipped_share == 0
    assert found.floor_db < -60
    assert measure(np.zeros(0, np.float32), RATE).level_dbfs == float("-inf")


def test_limits_are_those_of_the_recipe(takes):
    signal = measure(takes[1], RATE)
    assert fault(takes[1], max_tail_ms=signal.tail_ms) == ""
    assert "after the last word" in fault(takes[1], max_tail_ms=signal.tail_ms - 1)
    assert "too short" in fault(takes[1], min_ms_per_syllable=250)
    assert "too long" in fault(takes[1], max_ms_per_syllable=100, long_slack_ms=0)
    assert fault(takes[1], min_ms_per_syllable=250, short_slack_ms=5000) == ""
    assert "a pause" in fault(takes[1], max_pause_ms=10)
    assert "silent" in fault(takes[1], min_level_dbfs=0)
    assert "noise" in fault(takes[1], max_floor_db=-120)


@pytest.mark.parametrize(
    ("audio", "says"),
    [
        (np.array([0.1, np.nan] * 9000, np.float32), "NaN"),
        (np.array([0.1, np.inf] * 9000, np.float32), "infinite"),
        (np.zeros(0, np.float32), "empty"),
        (np.zeros(9000), "float64"),
        (np.zeros((2, 9000), np.float32), "(2, 9000)"),
    ],
)
def test_what_is_no_audio_is_a_bad_take_and_no_crash(audio, says):
    found, _ = Gate(VerifyConfig())(audio, RATE, TEXTS[0], "en")
    assert found.kind == "unusable"
    assert says in found.detail


def test_faults_have_a_kind_to_be_counted(takes):
    kinds = {Gate(VerifyConfig(**limits))(takes[1], RATE, TEXTS[1], "en")[0].kind for limits in (
        {"max_tail_ms": 1}, {"max_pause_ms": 1}, {"max_floor_db": -120}, {"min_level_dbfs": 0},
        {"min_ms_per_syllable": 250}, {"max_ms_per_syllable": 10},
    )}  # fmt: skip
    assert kinds == {"tail", "pause", "noise", "silent", "short", "long"}
