"""Sets in the layout of Full-Duplex-Bench, and the scores of three models that are easy to foresee."""

import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from datagen.engines.listeners.vad import Energy
from datagen.errors import DatagenError
from datagen.evaluate.full_duplex import gaps, overlaps, score, takes_turn
from datagen.export.clip import ExportClip
from datagen.export.convention import Convention
from datagen.export.files import UnitFiles
from datagen.export.formats.full_duplex_bench import FullDuplexBench, samples, without
from datagen.inspect import Sound
from datagen.records import Event, Spoken, Streams, Word
from datagen.shards.store import LocalStore

RATE = 24_000


def spoken(role, start_s, end_s, kind="turn", turn=0, said="so it is"):
    start, end = round(start_s * RATE), round(end_s * RATE)
    words = (Word(said, start, end),)
    return Spoken(role, said=said, start_samples=start, end_samples=end, kind=kind, turn=turn, words=words)


def event(kind, role, start_s, end_s, utterance=-1, placed=True):
    return Event(kind, role, round(start_s * RATE), round(end_s * RATE), utterance, placed)


TALK = Streams(
    "d",
    n_samples=30 * RATE,
    split="test",
    utterances=(
        spoken("user", 1, 2, turn=0),
        spoken("user", 3, 4, turn=0, said="and then"),
        spoken("assistant", 1.5, 1.8, "backchannel", said="mm-hm"),
        spoken("assistant", 4.5, 9, turn=1),
        spoken("user", 8, 10, turn=2, said="wait please"),
        spoken("assistant", 11, 20, turn=3),
        spoken("user", 13, 13.3, "backchannel", turn=3, said="right"),
        spoken("user", 16, 17, "aside", turn=3, said="not you"),
    ),
    events=(
        event("hesitation", "user", 2, 3, 1),
        event("backchannel", "assistant", 1.5, 1.8, 2),
        event("gap", "assistant", 4, 4.5, 3),
        event("barge_in", "user", 8, 9, 4),
        event("backchannel", "user", 13, 13.3, 6),
        event("aside", "user", 16, 17, 7),
        event("other_talker", "user", 21, 22),
        event("other_talker", "user", 16.5, 18),
        event("barge_in", "user", 25, 26, -1, placed=False),
    ),
)


def test_samples_are_named_and_timed_as_the_benchmark_names_and_times_them():
    found = {sample.folder: sample for sample in samples(TALK, RATE)}
    seconds = {name: (s.first / RATE, s.last / RATE, s.tail / RATE) for name, s in found.items()}
    assert seconds == {
        "v1_0/synthetic_pause_handling": (0.5, 4, 0),
        "v1_0/synthetic_backchannel": (0.5, 4, 0),
        "v1_0/synthetic_turn_taking": (0.5, 8, 1),
        "v1_0/synthetic_user_interruption": (0.5, 13, 2),
        "v1_5/user_interruption": (0.5, 13, 2),
        "v1_5/user_backchannel": (7.5, 16, pytest.approx(2.3)),
        "v1_5/talking_to_other": (7.5, 22, 0),
        "v1_5/background_speech": (7.5, 27, 0),
    }
    assert len(list(samples(TALK, RATE))) == len(found)  # an overlap with the user's own words is none


class Talk:
    """A stored conversation of which the tests know every sample."""

    def __init__(self, streams, samples):
        self.streams, self.dialogue_id, self.split = streams, streams.dialogue_id, streams.split
        self.sample_rate_hz, self.audio = RATE, Sound(samples, RATE)


@pytest.fixture
def sound():
    """The user's channel: a tone while the user speaks, and quiet noise elsewhere."""
    noise = np.random.default_rng(3).integers(-20, 20, 30 * RATE).astype(np.int16)
    for u in TALK.utterances:
        if u.role == "user":
            n = u.end_samples - u.start_samples
            noise[u.start_samples : u.end_samples] = 8_000 * np.sin(np.arange(n) * 0.1)
    return np.stack([noise, np.zeros_like(noise)], axis=1)


@pytest.fixture
def made(tmp_path, sound):
    store = LocalStore(tmp_path / "set")
    clip = ExportClip(Talk(TALK, sound), Convention(codec="wav"))
    files = UnitFiles(store, 0)
    FullDuplexBench(Convention(codec="wav"), None).write([clip], files)
    return tmp_path / "set"


def folder(made, name):
    (found,) = (made / "test" / name).iterdir()
    assert found.name.isdigit()
    return found


def about(made, name, file):
    return json.loads((folder(made, name) / file).read_text())


def test_files_have_the_official_fields_and_times_in_the_sound(made, sound):
    assert about(made, "v1_0/synthetic_pause_handling", "pause.json") == [{"text": "[PAUSE]", "timestamp": [1.5, 2.5]}]
    words = about(made, "v1_0/synthetic_pause_handling", "transcription.json")
    assert words == [{"text": "so it is", "timestamp": [0.5, 1.5]}, {"text": "and then", "timestamp": [2.5, 3.5]}]
    turn = about(made, "v1_0/synthetic_turn_taking", "turn_taking.json")
    assert turn == [{"text": "[TURN-TAKING]", "timestamp": [3.5, 4.0]}]
    interrupt = about(made, "v1_0/synthetic_user_interruption", "interrupt.json")
    assert interrupt == [{"context": "so it is and then", "interrupt": "wait please", "timestamp": [7.5, 9.5]}]
    meta = about(made, "v1_5/user_backchannel", "metadata.json")
    assert meta == {"context_text": "wait please", "current_turn_text": "right", "timestamps": [5.5, 5.8]}
    samples, rate = soundfile.read(folder(made, "v1_0/synthetic_turn_taking") / "input.wav", dtype="int16")
    assert rate == RATE
    assert len(samples) == round(8.5 * RATE)
    assert np.array_equal(samples[: round(7.5 * RATE)], sound[RATE // 2 : 8 * RATE, 0])
    assert not samples[round(7.5 * RATE) :].any()


def test_the_clean_twin_differs_in_the_overlap_alone_and_is_quiet_there(made):
    place = folder(made, "v1_5/user_backchannel")
    both = [soundfile.read(place / name, dtype="int16")[0] for name in ("input.wav", "clean_input.wav")]
    differs = np.flatnonzero(both[0] != both[1])
    assert round(5.5 * RATE) <= differs[0] <= differs[-1] < round(5.8 * RATE)
    inside = both[1][round(5.52 * RATE) : round(5.78 * RATE)]
    assert 0 < np.abs(inside).max() <= 20


def test_a_stretch_longer_than_any_quiet_one_is_filled_from_the_longest(sound):
    talk = replace(TALK, utterances=(spoken("user", 0, 29.9),), events=())
    filled = without(Sound(sound[:, :1], RATE), 0, 10 * RATE, talk, 1.0)
    assert np.abs(filled[RATE : 9 * RATE]).max() <= 20


def speech(*spans, seconds=20):
    samples = np.zeros(seconds * RATE, np.int16)
    for start, end in spans:
        samples[round(start * RATE) : round(end * RATE)] = 8_000 * np.sin(
            np.arange(round(end * RATE) - round(start * RATE)) * 0.1
        )
    return samples


def answer(made, to, spans_of):
    """The outputs of a model, which speaks when `spans_of` a sample's folder says."""
    for place in made.rglob("input.wav"):
        target = to / place.parent.relative_to(made)
        target.mkdir(parents=True)
        soundfile.write(target / "output.wav", speech(*spans_of(place.parent)), RATE)


def oracle(place):
    for name, which in (("turn_taking.json", 0), ("interrupt.json", 1)):
        if (place / name).exists():
            end = json.loads((place / name).read_text())[0]["timestamp"][which]
            return [(end + 0.3, end + 2)]
    return []


@pytest.mark.parametrize(
    ("model", "pause", "turn", "interruption", "latency"),
    [
        (lambda place: [], 0.0, 0.0, 0.0, None),
        (lambda place: [(0.0, 20.0)], 1.0, 1.0, 1.0, 0.0),
        (oracle, 0.0, 1.0, 1.0, pytest.approx(0.3, abs=0.02)),
    ],
    ids=["silent", "talking", "oracle"],
)
def test_models_that_are_easy_to_foresee(made, tmp_path, model, pause, turn, interruption, latency):
    answer(made, tmp_path / "out", model)
    found = score(LocalStore(made), LocalStore(tmp_path / "out"), Energy())
    assert found["test/v1_0/synthetic_pause_handling"]["takeover_rate"] == pause
    assert found["test/v1_0/synthetic_turn_taking"]["takeover_rate"] == turn
    assert found["test/v1_0/synthetic_user_interruption"]["takeover_rate"] == interruption
    assert found["test/v1_0/synthetic_turn_taking"]["latency_s"] == latency
    assert all(row["n_missing"] == 0 for row in found.values())


def test_words_of_a_transcript_count_before_the_sound(made, tmp_path):
    answer(made, tmp_path / "out", lambda place: [(0.0, 20.0)])
    for place in (tmp_path / "out").rglob("output.wav"):
        chunks = [{"text": "hm", "timestamp": [1.0, 1.2]}, {"text": "m", "timestamp": [1.3, None]}]
        (place.parent / "output.json").write_text(json.dumps({"text": "hm m", "chunks": chunks}))
    found = score(LocalStore(made), LocalStore(tmp_path / "out"), Energy())
    assert {row["takeover_rate"] for row in found.values()} == {0.0}
    place.with_name("output.json").write_text('{"chunks": [{}]}')
    with pytest.raises(DatagenError, match=r"expected \{'chunks'"):
        score(LocalStore(made), LocalStore(tmp_path / "out"), Energy())


def test_outputs_that_are_not_there_are_counted(made, tmp_path):
    answer(made, tmp_path / "out", lambda place: [])
    for place in (tmp_path / "out" / "test" / "v1_5").rglob("output.wav"):
        place.unlink()
    found = score(LocalStore(made), LocalStore(tmp_path / "out"), Energy())
    for name, row in found.items():
        assert row["n_missing"] == (row["n_samples"] if "v1_5" in name else 0)
        assert (row["takeover_rate"] is None) == ("v1_5" in name)
    with pytest.raises(DatagenError, match=r"none has no output.wav for .*set; check --outputs"):
        score(LocalStore(made), LocalStore(tmp_path / "none"), Energy())
    with pytest.raises(DatagenError, match=r"none has no input.wav; use an export"):
        score(LocalStore(tmp_path / "none"), LocalStore(tmp_path / "out"), Energy())


def test_the_measures():
    assert [takes_turn([(0.0, end)]) for end in (0.99, 1.0)] == [False, True]
    assert [takes_turn([(0.1 * k, 0.1 * k + 0.05) for k in range(n)]) for n in (3, 4)] == [False, True]
    assert overlaps([(0, 4)], [(1, 2), (3, 9)]) == [1, 1]
    assert gaps([(0, 1), (2, 3)], [(5, 6), (8, 9)]) == [2.0]
