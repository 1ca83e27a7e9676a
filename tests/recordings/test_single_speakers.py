"""Corpora of single speakers go through to rows: what is read, its splits, and everything that is refused."""

import json
import tracemalloc

import numpy as np
import pytest
import soundfile

from datagen.errors import DatagenError, SourceError
from datagen.inspect.output import open_output
from datagen.pipeline.pipeline import Pipeline
from datagen.recipe.recordings_config import RecordingsConfig
from datagen.records import Dialogue, Reject
from datagen.run.build import build
from datagen.run.merge import merge
from datagen.run.preflight import dry_run
from datagen.shards.manifest import Manifest
from datagen.shards.store import open_store
from datagen.sources.recordings.catalogue import Catalogue
from datagen.sources.recordings.layout_of import resolved
from datagen.sources.recordings.open_corpus import open_corpus
from tests.recordings.corpus import TALK, build_faults, write_calls
from tests.recordings.single_corpora import (
    HEARD,
    RATE_HZ,
    READ,
    audio,
    hum,
    librispeech,
    segment,
    single_recipe,
    wenetspeech,
    write_json,
)
from tests.recordings.test_build import streams
from tests.run.builds import SPLITS, fake
from tests.shared import shared


def config(folder, **values) -> RecordingsConfig:
    return RecordingsConfig.model_validate({"path": str(folder), "corpus": "test", "licence": "CC0-1.0", **values})


def records(folder, **values) -> list[Dialogue | Reject]:
    corpus = open_corpus(config(folder, **values))
    assert corpus.inputs
    return list(corpus.conversations(24_000))


def rejects(folder, **values) -> dict[str, tuple[str, str]]:
    return {r.dialogue_id: (r.reason, r.detail) for r in records(folder, **values) if isinstance(r, Reject)}


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """A build of four speakers who read, of three parts."""

    def make(folder):
        librispeech(folder / "corpus")
        build(single_recipe(folder / "corpus", "mix.keep_audio=true"), str(folder / "out"))

    return shared(tmp_path_factory, "read", make)


@pytest.fixture(scope="module")
def heard(tmp_path_factory):
    """A build of four recordings with five segments."""

    def make(folder):
        wenetspeech(folder / "corpus", HEARD)
        build(single_recipe(folder / "corpus", "mix.keep_audio=true", language="zh"), str(folder / "out"))

    return shared(tmp_path_factory, "heard", make)


# -- what is made ------------------------------------------------------------------------------------------------------


def test_an_utterance_is_a_conversation_in_which_the_user_alone_speaks(read):
    found = {s.dialogue_id: s for s in streams(read / "out")}
    assert len(found) == sum(map(len, READ.values()))
    talk = found["19-198-0001"]
    (u,) = talk.utterances
    assert (u.role, u.voice, u.text, u.said) == ("user", "test/19", "I think I'm late", "I think I'm late")
    assert [w.text for w in u.words] == ["I", "think", "I'm", "late"]
    assert talk.events == ()
    assert not talk.recorded.has_assistant
    assert (talk.recorded.user.file, talk.recorded.licence) == ("train-clean-5/19/198/19-198-0001.flac", "CC0-1.0")


def test_the_last_fraction_of_a_frame_is_kept(read):
    """1.34 s are 33.5 frames."""
    talk = next(s for s in streams(read / "out") if s.dialogue_id == "19-198-0001")
    assert (talk.n_samples, talk.utterances[0].end_samples) == (34 * 960, 32_160)
    assert len(talk.user_codes) == len(talk.assistant_codes) == 34


def test_the_sound_is_that_of_the_file_and_the_assistant_is_silent(read):
    samples = open_output(str(read / "out")).conversation("19-198-0001").audio.samples
    original, rate = soundfile.read(read / "corpus" / "train-clean-5/19/198/19-198-0001.flac")
    assert rate == RATE_HZ
    assert not samples[:, 1].any()
    assert next(iter(streams(read / "out"))).mixing.assistant_gain_db == 0
    one, other = samples[: 3 * (len(original) // 3) * 3 // 2 : 3, 0], original[::2][: len(samples) // 3]
    n = min(len(one), len(other))
    assert np.corrcoef(one[:n], other[:n])[0, 1] > 0.999


def test_a_short_word_is_kept_and_a_silent_file_is_not(tmp_path):
    """People who say less than a second in a conversation are rejected; utterances are as long as they are."""
    sounds = {"YES": hum(0.3), "NO": hum(2.0) * 1e-4}
    librispeech(tmp_path / "corpus", {("train-clean-5", "19", "198"): ("YES", "NO")}, sounds)
    assert build(single_recipe(tmp_path / "corpus"), str(tmp_path / "out")).rejects == {"read/silent": 1}
    assert [s.utterances[0].said for s in streams(tmp_path / "out")] == ["yes"]


def test_nothing_looks_for_speech_where_there_are_transcripts(read):
    assert Pipeline(single_recipe(read / "corpus")).vad is None


def test_there_are_rows_of_utterances_only(read):
    tables = Manifest.load(open_store(str(read / "out"))).tables
    assert {task: {split: sums.n_rows for split, sums in tables[task].items()} for task in ("asr", "tts")} == {
        task: {"train": 5, "validation": 2, "test": 2} for task in ("asr", "tts")
    }


def test_tasks_of_dialogues_have_no_rows_and_a_remark_says_so(read, tmp_path):
    recipe = single_recipe(read / "corpus", "flatten.tasks=[asr, four_stream, chat, three_stream, parallel]")
    assert "nobody answers in the input, so there will be no rows of chat, four_stream, parallel, three_stream" in (
        dry_run(recipe, str(tmp_path / "dry")).notices
    )
    assert set(build(recipe, str(tmp_path / "out")).tables) == {"asr", "conversations"}


def test_a_check_finds_no_fault_and_workers_change_no_byte(read, tmp_path):
    assert build_faults(read / "out") == []
    again = build(single_recipe(read / "corpus", "mix.keep_audio=true"), str(tmp_path / "out"), 2)
    assert again.digest == Manifest.load(open_store(str(read / "out"))).digest


def test_official_parts_are_the_splits(read, heard):
    assert {(s.dialogue_id.partition("-")[0], s.split) for s in streams(read / "out")} == {
        ("19", "train"),
        ("26", "train"),
        ("84", "validation"),
        ("61", "test"),
    }
    assert {(s.dialogue_id.rpartition("_")[0], s.split) for s in streams(heard / "out")} == {
        ("Y01", "train"),
        ("Y02", "train"),
        ("DEV_T01", "validation"),
        ("TEST_NET_Y01", "test"),
    }


def test_speakers_are_dealt_whole_where_the_corpus_has_no_part_for_a_split(tmp_path):
    chapters = {("train-clean-5", f"{k}", f"{j}"): ("ONE", "TWO") for k in range(10, 30) for j in (7, 8)}
    librispeech(tmp_path / "corpus", chapters | {("test-clean", "61", "1"): ("SIX",)})
    build(single_recipe(tmp_path / "corpus"), str(tmp_path / "out"))
    splits: dict[str, set[str]] = {}
    for s in streams(tmp_path / "out"):
        splits.setdefault(s.recorded.user.speaker, set()).add(s.split)
    assert all(len(own) == 1 for own in splits.values())
    assert [speaker for speaker, own in splits.items() if own == {"test"}] == ["61"]
    assert {split for own in splits.values() for split in own} == {"train", "validation", "test"}
    assert build_faults(tmp_path / "out") == []


def test_without_official_splits_all_speakers_are_dealt(read, tmp_path):
    recipe = single_recipe(read / "corpus", "splits={validation: 0, test: 0}", official_splits=False)
    build(recipe, str(tmp_path / "out"))
    assert {s.split for s in streams(tmp_path / "out")} == {"train"}


def test_a_speaker_in_parts_of_two_splits_is_refused(tmp_path):
    librispeech(tmp_path / "corpus", READ | {("test-clean", "19", "7"): ("ONE",)})
    with pytest.raises(SourceError, match="1 speakers are in parts of several splits: 19 in test-clean and train-cle"):
        build(single_recipe(tmp_path / "corpus"), str(tmp_path / "out"))
    assert build(single_recipe(tmp_path / "corpus", parts=["train-clean-5"]), str(tmp_path / "out2")).n_records == 5


def test_a_build_of_utterances_merges_with_one_of_dialogues(read, tmp_path):
    same = ("flatten.tasks=[asr, three_stream]", "flatten.tts_roles=[assistant]", SPLITS)
    build(single_recipe(read / "corpus", *same), str(tmp_path / "read"))
    build(fake(tmp_path, *same), str(tmp_path / "talks"))
    merged = merge([str(tmp_path / "read"), str(tmp_path / "talks")], str(tmp_path / "both"))
    assert build_faults(tmp_path / "both") == []
    talks = Manifest.load(open_store(str(tmp_path / "talks"))).tables["three_stream"]
    n_rows = {split: sums.n_rows for split, sums in merged.tables["three_stream"].items()}
    assert n_rows == {split: sums.n_rows for split, sums in talks.items()}


# -- LibriSpeech -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("below", ["", "train-clean-5"])
def test_the_corpus_a_part_or_a_folder_above_is_found(tmp_path, below):
    librispeech(tmp_path / "data" / "LibriSpeech")
    for folder in (tmp_path / "data", tmp_path / "data" / "LibriSpeech" / below):
        corpus = open_corpus(config(folder))
        assert corpus.config.layout == "librispeech"
        found = list(corpus.conversations(24_000))
        assert len(found) == (5 if folder.name == "train-clean-5" else 9)
        assert corpus.n_of_parts["train-clean-5"] == 5
        assert corpus.splits["19"] == {"train": "train-clean-5"}


def test_inputs_are_transcripts_and_a_hash_per_chapter(tmp_path):
    librispeech(tmp_path)
    corpus = open_corpus(config(tmp_path, parts=["dev-clean-2"]))
    before = {i.name: i for i in corpus.inputs}
    chapter = "dev-clean-2/84/121123"
    assert set(before) == {f"{chapter}/84-121123.trans.txt", f"{chapter}/*", "SPEAKERS.TXT"}
    sounds = [tmp_path / chapter / f"84-121123-000{k}.flac" for k in (0, 1)]
    assert before[f"{chapter}/*"].n_bytes == sum(path.stat().st_size for path in sounds)
    one, other = (path.read_bytes() for path in sounds)
    sounds[0].write_bytes(other)
    sounds[1].write_bytes(one)
    after = {i.name: i for i in open_corpus(config(tmp_path, parts=["dev-clean-2"])).inputs}
    assert after[f"{chapter}/*"].sha256 != before[f"{chapter}/*"].sha256


def test_speakers_have_their_sex_of_the_table_if_there_is_one(tmp_path):
    librispeech(tmp_path)
    assert {v.name: v.sex for v in open_corpus(config(tmp_path)).voices().values()} == {
        "test/19": "male",
        "test/26": "female",
        "test/61": "male",
        "test/84": "female",
    }
    (tmp_path / "SPEAKERS.TXT").unlink()
    assert {v.sex for v in open_corpus(config(tmp_path)).voices().values()} == {""}


def test_a_part_that_is_not_there_is_refused_with_those_that_are(tmp_path):
    librispeech(tmp_path)
    with pytest.raises(SourceError, match="LibriSpeech has no test-other here; it has dev-clean-2, test-clean, train"):
        open_corpus(config(tmp_path, parts=["test-clean", "test-other"]))


def test_every_faulty_utterance_is_a_reject_with_its_place(tmp_path):
    place = librispeech(tmp_path) / "train-clean-5" / "19" / "198"
    soundfile.write(place / "19-198-0000.flac", np.zeros((RATE_HZ, 2)), RATE_HZ)
    (place / "19-198-0002.flac").write_bytes(b"fLaC and nothing else")
    soundfile.write(place / "19-198-0009.flac", np.zeros(RATE_HZ), RATE_HZ)
    name = "train-clean-5/19/198/19-198.trans.txt"
    with (place / "19-198.trans.txt").open("a") as file:
        file.write("\n19-198-0003\nno id here\n19-198-0004 NO SOUND\n19-198-0001 AGAIN\n")
    found = rejects(tmp_path)
    assert found.pop("19-198-0002")[0] == "broken_sound"
    assert found == {
        "19-198-0000": ("not_one_channel", f"{name}, line 1: train-clean-5/19/198/19-198-0000.flac has 2 channels"),
        "19-198-0003": (
            "bad_segment",
            f"{name}, line 5: '19-198-0003' is no id and text, as in 84-121123-0000 GO ON",
        ),
        "no": ("bad_segment", f"{name}, line 6: 'no id here' is no id and text, as in 84-121123-0000 GO ON"),
        "19-198-0004": ("no_sound", f"{name}, line 7: there is no train-clean-5/19/198/19-198-0004.flac"),
        "19-198-0001": ("duplicate_id", f"{name}, line 8: 19-198-0001 is in {name}, line 2, too"),
        "19-198-0009": (
            "no_transcript",
            "train-clean-5/19/198/19-198-0009.flac: no line of train-clean-5/19/198/*.trans.txt has its id",
        ),
    }


def test_all_files_that_cannot_be_understood_are_named_at_once(tmp_path):
    librispeech(tmp_path)
    for name in ("train-clean-5/19/198/19-198", "train-clean-5/26/495/26-495"):
        (tmp_path / f"{name}.trans.txt").write_bytes(b"19-198-0000 \xff\n")
    (tmp_path / "SPEAKERS.TXT").write_text("; a comment\n19 | M | train-clean-5\n26 | ? | train-clean-5\n84\n")
    with pytest.raises(SourceError) as error:
        open_corpus(config(tmp_path))
    message = str(error.value)
    assert message.startswith("3 faults: ")
    assert all(f"{name} is not UTF-8 text" in message for name in ("19-198.trans.txt", "26-495.trans.txt"))
    assert "SPEAKERS.TXT, line 3: the second field is '?'; it must be F or M" in message
    assert "SPEAKERS.TXT, line 4: the second field is ''" in message


def test_a_folder_without_transcripts_of_the_layout_is_refused(tmp_path):
    with pytest.raises(SourceError, match=r"holds no transcript named as LibriSpeech's, such as 84-121123\.trans\.txt"):
        open_corpus(config(tmp_path, layout="librispeech"))


# -- WenetSpeech -------------------------------------------------------------------------------------------------------


def test_a_segment_is_its_stretch_of_the_recording(heard):
    """The segment from 2.5 to 5.51 s of six."""
    talk = next(s for s in streams(heard / "out") if s.dialogue_id == "Y01_S00001")
    assert (talk.recorded.recording, talk.recorded.start_samples, talk.recorded.n_samples) == ("Y01", 60_000, 72_240)
    assert (talk.utterances[0].said, talk.utterances[0].voice, talk.language) == ("还习惯吧", "test/Y01", "zh")
    whole, _ = soundfile.read(heard / "corpus" / talk.recorded.user.file)
    samples = open_output(str(heard / "out")).conversation("Y01_S00001").audio.samples[:, 0]
    one, other = samples[: 3 * 24_000 : 3], whole[40_000 : 40_000 + 3 * RATE_HZ : 2]
    assert np.corrcoef(one, other)[0, 1] > 0.99
    assert build_faults(heard / "out") == []


def test_text_below_the_confidence_is_a_reject_and_parts_are_a_choice(heard):
    assert Manifest.load(open_store(str(heard / "out"))).rejects == {"source/low_confidence": 1}
    corpus = heard / "corpus"
    assert rejects(corpus)["Y02_S00001"][1].endswith("segment 1: confidence 0.7 is less than 0.95")
    assert rejects(corpus, min_confidence=0.7) == {}
    assert [r.id for r in records(corpus, parts=["S", "DEV"])] == ["Y01_S00001", "DEV_T01_S00000"]
    only = open_corpus(config(corpus, parts=["S"]))
    assert [i.name for i in only.inputs] == ["WenetSpeech.json", "audio/train/youtube/B00000/Y01.opus"]
    with pytest.raises(SourceError, match="WenetSpeech has no XL here; it has DEV, L, S, TEST_NET, W"):
        open_corpus(config(corpus, parts=["XL"]))


def test_every_faulty_segment_is_a_reject_with_all_its_fields(tmp_path):
    good = segment("Y01", 0, 0.5, 2.0, "好", "L")
    faulty = [
        {"sid": "Y01_S1", "begin_time": "soon", "end_time": -1, "text": "", "confidence": None, "subsets": "L"},
        segment("Y01", 2, 2.0, 2.0, "好", "L"),
        segment("Y01", 3, 3.0, 7.0, "好", "L"),
        good,
        "no object",
    ]
    wenetspeech(tmp_path, [audio("Y01", 6.0, [good, *faulty])])
    outside, gone = audio("Y02", 1.0, [good]), audio("Y03", 1.0, [good, good])
    (tmp_path.parent / "secret.wav").write_bytes(b"")
    outside["path"] = "../secret.wav"
    write_json(tmp_path, [audio("Y01", 6.0, [good, *faulty]), outside, gone, audio("Y01", 6.0, []), {"aid": 5}])
    place = "WenetSpeech.json, audio 0 (Y01), segment"
    assert list(rejects(tmp_path).values()) == [
        (
            "bad_segment",
            f"{place} 1: begin_time is 'soon', must be a number of seconds; end_time is '-1', must be a number of "
            "seconds; text must hold words; confidence must be a number; subsets must be a list of texts",
        ),
        ("bad_segment", f"{place} 2: end_time 2.0 is not after begin_time 2.0"),
        (
            "bad_segment",
            f"{place} 3: it lasts from 3.0 to 7.0 s, and audio/train/youtube/B00000/Y01.opus has 6.0 s",
        ),
        ("duplicate_id", f"{place} 4: another segment has its sid"),
        ("bad_segment", f"{place} 5: it must be an object, not str"),
        (
            "no_sound",
            "WenetSpeech.json, audio 1 (Y02): path '../secret.wav' is no file here; it has 1 segments",
        ),
        (
            "no_sound",
            "WenetSpeech.json, audio 2 (Y03): path 'audio/train/youtube/B00000/Y03.opus' is no file here; it has 2 "
            "segments",
        ),
        ("duplicate_id", "WenetSpeech.json, audio 3: another recording has the aid Y01"),
        ("bad_segment", "WenetSpeech.json, audio 4: aid must be a text, and segments a list"),
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"dataset": "x"}', 'there is no list "audios" in its first MiB'),
        ('{"audios": [{"aid": "a", "segments": []}, {"aid": ]}', "audio 1 at byte 41"),
        ('{"audios": [{"aid": "a"', "the file ends before the"),
        ('{"audios": [7]}', "audio 0: it must be an object, not int"),
    ],
)
def test_broken_json_is_refused_with_its_place(tmp_path, text, fault):
    (tmp_path / "WenetSpeech.json").write_text(text)
    with pytest.raises(SourceError, match=fault):
        open_corpus(config(tmp_path))


def test_json_that_changes_between_two_readings_is_refused(tmp_path):
    wenetspeech(tmp_path, HEARD)
    corpus = open_corpus(config(tmp_path))
    with (tmp_path / "WenetSpeech.json").open("a") as file:
        file.write("\n")
    with pytest.raises(SourceError, match="changed while the build was planned"):
        list(corpus.conversations(24_000))


def test_one_recording_of_the_json_is_in_memory_at_a_time(tmp_path):
    names = [f"Y{k:04d}" for k in range(1400)]
    many = [audio(aid, 9.0, [segment(aid, j, j, j + 0.9, "好" * 40, "L") for j in range(20)]) for aid in names]
    write_json(tmp_path, many)
    n_bytes = (tmp_path / "WenetSpeech.json").stat().st_size
    del many
    tracemalloc.start()
    open_corpus(config(tmp_path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n_bytes > 3 * peak


# -- layouts -----------------------------------------------------------------------------------------------------------


def test_the_layout_is_found_where_nothing_else_is_said(tmp_path):
    librispeech(tmp_path / "libri")
    wenetspeech(tmp_path / "wenet", HEARD[:1])
    write_calls(tmp_path / "calls", {"call1": (TALK, 11.0, ("ann", "bob"))})
    found = {name: resolved(config(tmp_path / name)).layout for name in ("libri", "wenet", "calls", "none")}
    assert found == {"libri": "librispeech", "wenet": "wenetspeech", "calls": "stereo", "none": "stereo"}
    assert resolved(config(tmp_path / "libri", layout="stereo")).layout == "stereo"
    assert resolved(config(tmp_path / "libri", manifest="rec.jsonl")).layout == "lhotse"
    assert resolved(config(tmp_path / "libri", transcripts=["libri"])).layout == "stereo"
    assert isinstance(open_corpus(config(tmp_path / "calls", transcripts=["all.jsonl"])), Catalogue)


@pytest.mark.parametrize("layout", ["librispeech", "wenetspeech"])
def test_what_only_two_people_need_is_refused_at_once(tmp_path, layout):
    with pytest.raises(ValueError, match=r"transcripts, speakers: layout .* has its own; leave out"):
        config(tmp_path, layout=layout, transcripts=["a"], speakers="b.csv")


def test_a_corpus_named_as_dialogues_is_refused_with_its_recipe(tmp_path):
    librispeech(tmp_path / "libri")
    wenetspeech(tmp_path / "wenet", HEARD[:1])
    for name, recipe in (("libri", "librispeech"), ("wenet", "wenetspeech")):
        with pytest.raises(DatagenError, match=f"build it with the recipe {recipe} and --set input.recordings.path="):
            build(fake(tmp_path, f"input.paths=[{tmp_path / name}]"), str(tmp_path / "out"))


def test_the_command_sources_shows_a_corpus_and_the_build(tmp_path):
    from typer.testing import CliRunner

    from datagen.cli import app

    librispeech(tmp_path / "libri")
    (tmp_path / "libri/train-clean-5/19/198/19-198-0001.flac").unlink()
    shown = CliRunner().invoke(app, ["sources", str(tmp_path / "libri")])
    assert shown.exit_code == 0, shown.output
    lines = shown.output.splitlines()
    assert lines[:4] == [
        f"{tmp_path}/libri: recordings, librispeech, 9 records, 8 kept",
        "  parts: dev-clean-2 2, test-clean 2, train-clean-5 4",
        "  84-121123-0000 (speaker 84, en)",
        "    user       go on",
    ]
    assert "  rejected: 1 source/no_sound" in shown.output
    assert "    to fix: add the sound file" in shown.output
    assert lines[-1].startswith("Next: datagen build librispeech --set input.recordings.path=")
    some = CliRunner().invoke(app, ["sources", str(tmp_path / "libri"), "--limit", "3", "--json"])
    (found,) = json.loads(some.output)
    assert (found["n_records"], found["is_whole"], found["parts"]) == (3, False, {"dev-clean-2": 2, "test-clean": 1})
