"""Recordings without a transcript, augmented ones, and the laws that they keep."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
import soundfile

from datagen.errors import DatagenError
from datagen.pipeline.pipeline import Pipeline
from datagen.records import Reject, Streams
from datagen.run.build import build
from datagen.shards.laws import conversation_faults
from tests.recordings.corpus import TALK, recipe_of, write_calls
from tests.recordings.test_build import streams


def read(recipe) -> Streams | Reject:
    """The first conversation of a recipe, stage by stage."""
    from datagen.sources.recordings.talks import conversations

    work = Pipeline(recipe)
    item = next(conversations(work.catalogue, recipe.sample_rate_hz))
    for step in work.steps():
        item = step.make()(item)
    return item


def audio_of(talk: Streams) -> np.ndarray:
    return soundfile.read(BytesIO(talk.audio_flac), dtype="float32")[0].T


@pytest.fixture
def calls(tmp_path):
    return write_calls(tmp_path / "corpus", {"call1": (TALK, 11.0, ("ann", "bob"))})


def test_without_a_transcript_speech_is_detected_and_recognized(calls, tmp_path):
    engines = {
        "recognizer": {"name": "tests.recordings.engines:Parrot"},
        "vad": {"name": "tests.recordings.engines:Loud"},
    }
    build(recipe_of(calls, transcripts=[], assistant="second", **engines), str(tmp_path / "out"))
    (talk,) = streams(tmp_path / "out")
    starts = [u.start_samples / 24_000 for u in talk.utterances]
    expected = [start for _, start, _, _ in TALK if start != 5.9]  # a sentence is over there: no hesitation divides it
    assert starts == pytest.approx(expected, abs=0.06)
    assert {u.said.replace("polly wants it.", "").strip() for u in talk.utterances} == {""}


def test_times_without_text_give_utterances_without_words(calls, tmp_path):
    (calls / "all.jsonl").unlink()
    rows = (f"SPEAKER call1 1 {a} {b - a} <NA> <NA> {'AB'[k]} <NA> <NA>\n" for k, a, b, _ in TALK)
    (calls / "all.rttm").write_text("".join(rows))
    talk = read(recipe_of(calls, transcripts=["all.rttm"]))
    assert {u.said for u in talk.utterances} == {""}
    assert [e.kind for e in talk.events].count("gap") == 2


def test_augmentations_are_in_the_users_channel_alone(calls):
    keep = "mix.keep_audio=true"
    clean = read(recipe_of(calls, keep, assistant="second"))
    noise = ("mix.noise=[{name: generated}]", "mix.snr_db=10", "mix.line={probability: 1, codecs: {pcmu: 1}}")
    noisy = read(recipe_of(calls, keep, *noise, assistant="second"))
    assert (noisy.mixing.snr_db, noisy.mixing.line) == (10, "pcmu")
    (user, assistant), (noisy_user, same) = audio_of(clean), audio_of(noisy)
    assert np.array_equal(assistant, same)
    quiet = slice(round(2.4 * 24_000), round(3.4 * 24_000))
    assert np.std(noisy_user[quiet]) > 20 * np.std(user[quiet])


def test_a_room_reverberates_after_the_users_speech(calls):
    pytest.importorskip("pyroomacoustics")
    room = ("mix.room={probability: 1, n_rooms: 1}", "mix.keep_audio=true")
    dry, wet = (
        audio_of(read(recipe_of(calls, *more, assistant="second")))[0] for more in (("mix.keep_audio=true",), room)
    )
    user_ends = round(2.02 * 24_000)
    after = slice(user_ends, user_ends + 2400)
    assert np.std(wet[after]) > 3 * np.std(dry[after])


def test_the_level_is_that_of_the_recipe_while_the_speaker_speaks(calls):
    talk = read(recipe_of(calls, "mix.user_level={unit: dbfs, value: -30}", "mix.keep_audio=true"))
    user = audio_of(talk)[0]
    spoken = np.concatenate([user[u.start_samples : u.end_samples] for u in talk.utterances if u.role == "user"])
    assert 10 * np.log10(np.mean(np.square(spoken))) == pytest.approx(-30, abs=0.5)


def test_derived_events_are_lawful_in_recordings_alone(calls):
    talk = read(recipe_of(calls))
    assert list(conversation_faults(talk, 960, (512,))) == []
    scripted = replace(talk, scripted_by="rules")
    assert "event gap: it is derived, and the conversation is no recording" in list(
        conversation_faults(scripted, 960, (512,))
    )


def test_a_clipped_recording_is_a_reject_with_its_reason(calls):
    audio, rate = soundfile.read(calls / "sound" / "call1.wav")
    soundfile.write(calls / "sound" / "call1.wav", np.clip(audio * 20, -1, 1), rate)
    found = read(recipe_of(calls))
    assert (found.stage, found.reason) == ("read", "clipped")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("mix.babble.probability=0.5", r"mix\.babble: recordings have no voices to speak it"),
        ("mix.other_talkers.probability=0.5", r"mix\.other_talkers: recordings have no voices"),
        ("input.paths=[x.jsonl]", "set paths or recordings, not both"),
    ],
)
def test_settings_that_recordings_cannot_follow_are_refused(calls, override, message):
    with pytest.raises(DatagenError, match=message):
        Pipeline(recipe_of(calls, override)).check()


def test_marks_of_annotators_are_counted_in_notices(calls):
    path = calls / "all.jsonl"
    path.write_text(path.read_text().replace('"text": "and it is late."', '"text": "[laughter] and it is late."'))
    for k, line in enumerate(lines := path.read_text().splitlines()):
        lines[k] = line.split(', "alignment"')[0] + ("}" if ', "alignment"' in line else "")
    path.write_text("\n".join(lines))
    talk = read(recipe_of(calls))
    assert talk.notices == ("transcript_mark: 1 words of the transcript",)
    assert "laughter" not in " ".join(u.said for u in talk.utterances)
