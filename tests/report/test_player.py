"""What the player is given: sound that is in time, times of words, lines of rows."""

from base64 import b64decode
from io import BytesIO

import numpy as np
import pytest
import soundfile

from datagen.inspect import Sound
from datagen.inspect.conversation import decoded
from datagen.report.lines import lines_of
from datagen.report.player import RATE_HZ, Shown, mp3, players, sounds


def lag_samples(heard: np.ndarray, sound: np.ndarray) -> int:
    """How much later what is heard comes, by correlation."""
    n = 2 * len(sound)
    product = np.fft.irfft(np.fft.rfft(heard, n) * np.conj(np.fft.rfft(sound, n)), n)
    lag = int(np.argmax(product))
    return lag if lag < n // 2 else lag - n


def test_mp3_is_as_long_as_the_sound_and_not_late(output):
    audio = next(output.conversations()).audio
    for sound in (audio, Sound(audio.samples[::2], audio.rate_hz // 2)):
        heard, rate_hz = soundfile.read(BytesIO(mp3(sound)))
        assert rate_hz == RATE_HZ
        assert abs(len(heard) - len(audio.samples)) <= 1
        for channel in (0, 1):
            assert abs(lag_samples(heard[:, channel], audio.samples[:, channel])) <= 2


def test_the_stretch_is_cut_the_same_from_both_sounds_and_the_timeline(output, monkeypatch):
    monkeypatch.setattr("datagen.report.player._RECORDED_S", 20)
    talk = next(talk for talk in output.conversations() if talk.seconds > 25)
    (given,) = players([talk])
    assert given["n_ms"] == 20_000
    assert given["total_ms"] == round(talk.seconds * 1000)
    rate = 24_000
    first = given["first_ms"] * rate // 1000
    found = sounds(Shown.of(talk, 20), 3)
    assert found["recorded"][0] == 0
    assert np.array_equal(found["recorded"][1].samples, talk.audio.samples[first : first + 20 * rate])
    for name, (_, sound) in sounds(Shown.of(talk, 20), 1).items():
        heard, _ = soundfile.read(BytesIO(b64decode(given["sounds"][name]["mp3"])))
        assert len(heard) == len(sound.samples)
        assert given["sounds"][name]["n_ms"] == len(sound.samples) * 1000 // rate
        assert len(b64decode(given["sounds"][name]["waves"][0])) == given["sounds"][name]["n_ms"] // 20
    for utterance in given["utterances"]:
        assert utterance["end_ms"] > 0
        assert utterance["start_ms"] < 20_000
    inside = [u for u in talk.streams.utterances if u.start_samples < first + 20 * rate and u.end_samples > first]
    assert [u["said"] for u in given["utterances"]] == [u.said for u in inside if u.end_samples > u.start_samples]
    assert given["utterances"][-1]["words"][0][1] == round((inside[-1].words[0].start_samples - first) / 24)


def test_tokens_are_decoded_only_about_the_event_at_which_a_conversation_opens(output):
    """60 seconds of sound are shared among all conversations."""
    talk = next(talk for talk in output.conversations() if talk.seconds > 25)
    shown = Shown.of(talk, 25)
    first_ms, sound = sounds(shown, 12)["decoded"]
    hop = 960
    assert len(sound.samples) == 5 * 24_000
    at = shown.first * hop + first_ms * 24
    start, last = at // hop, at // hop + 125
    whole = decoded(talk, "assistant", slice(start, last))
    assert np.abs(sound.samples[:, 1] / 32767 - whole).max() < 1e-4
    assert start <= shown.opens_at < last


def test_conversations_with_a_barge_in_come_first_and_open_before_it(output):
    given = players(list(output.conversations()))
    has = [any(e["kind"] == "barge_in" for e in talk["events"]) for talk in given]
    assert True in has
    assert has == sorted(has, reverse=True)
    starts = [e["start_ms"] for e in given[0]["events"] if (e["kind"], e["role"]) == ("barge_in", "user")]
    assert given[0]["opens_ms"] == pytest.approx(max(min(starts) - 2000, 0), abs=40)


def test_decoded_is_silent_where_a_model_reads_silence(output):
    talk = next(output.conversations())
    n_frames = len(talk.streams.user_codes)
    audio = decoded(talk, "assistant", slice(n_frames)).reshape(n_frames, -1)
    (row,) = talk.rows("two_stream")
    grid = row.input_ids.reshape(-1, 20)[:, 10:].reshape(-1)[:n_frames]
    silent = grid == output.vocabulary["<|speech_silence|>"]
    assert 0 < silent.sum() < n_frames
    assert not audio[silent].any()
    assert np.abs(audio[~silent]).max() > 0.01


def test_lines_of_chunks_hold_all_codes_text_and_marks(output):
    talk = next(output.conversations())
    (row,) = talk.rows("three_stream")
    lines = list(lines_of(row, talk.streams))
    codes = [code for line in lines for code in line["user"]]
    assert codes[: len(talk.streams.user_codes)] == talk.streams.user_codes.tolist()
    said = "".join(line["text"] for line in lines)
    assert said == "".join(
        output.text_tokenizer.decode(u.text_ids.tolist()) for u in talk.streams.utterances if u.role == "assistant"
    )
    assert [line["start_samples"] for line in lines] == list(range(0, len(lines) * 9600, 9600))
    assert any("user ends" in line["marks"] for line in lines)


def test_lines_of_runs_are_timed_by_the_conversation(output):
    for talk in output.conversations():
        for task in ("asr", "tts", "four_stream"):
            for row in talk.rows(task):
                speech = [line for line in lines_of(row, talk.streams) if "codes" in line]
                rests = [u.rest_codes.tolist() for u in talk.streams.utterances if len(u.rest_codes)]
                unheard = [code for line in speech if line["kind"].endswith("unheard") for code in line["codes"]]
                assert not unheard or any(unheard[: len(rest)] == rest for rest in rests)
                for line in speech:
                    if line["kind"].endswith("unheard"):
                        continue
                    role = line["kind"].split()[0]
                    stream = {"user": talk.streams.user_codes, "assistant": talk.streams.assistant_codes}[role]
                    codes = stream[line["start_samples"] // 960 : line["end_samples"] // 960].tolist()
                    assert len(codes) == len(line["codes"])
                    assert all(code in (None, stored) for code, stored in zip(line["codes"], codes, strict=True))
                n_speech = sum(code is not None for line in speech for code in line["codes"])
                assert n_speech == np.count_nonzero(output.vocabulary.codes(row.input_ids) >= 0)
