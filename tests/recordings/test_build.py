"""A corpus of recordings goes through to shards, alone, merged and fed together with a synthetic build."""

import json

import numpy as np
import pytest

from datagen.errors import DatagenError
from datagen.inspect.output import open_output
from datagen.run.build import build
from datagen.run.merge import merge
from datagen.run.reflatten import reflatten
from datagen.shards.manifest import Manifest
from datagen.shards.schema import streams_of
from datagen.shards.store import LocalStore, open_store
from datagen.shards.tables import from_parquet
from tests.recordings.corpus import TALK, build_faults, recipe_of, write_calls
from tests.run.builds import fake
from tests.shared import shared

CALLS = {
    "call1": (TALK, 11.0, ("ann", "bob")),
    "call2": (TALK, 11.0, ("cy", "di")),
    "call3": (TALK, 11.0, ("eve", "bob")),
    "mono": (TALK[:1], 11.0, ("fay", "gil")),
}


def streams(out):
    store = LocalStore(str(out))
    files = Manifest.load(store).files("conversations")
    return [s for file in files for s in streams_of(from_parquet(store.read(file.key), file.key))]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A build of four recordings, one of them with one speaker only."""

    def make(folder):
        write_calls(folder / "corpus", CALLS)
        build(recipe_of(folder / "corpus", "mix.keep_audio=true"), str(folder / "out"))

    return shared(tmp_path_factory, "recorded", make)


def test_either_side_is_the_assistant_and_ids_say_which(recorded):
    found = {s.dialogue_id: s for s in streams(recorded / "out")}
    assert sorted(found) == [f"call{k}.0000.{side}" for k in (1, 2, 3) for side in "AB"]
    one, other = found["call1.0000.A"], found["call1.0000.B"]
    assert (one.recorded.assistant.speaker, other.recorded.assistant.speaker) == ("ann", "bob")
    assert [u.role for u in one.utterances] == [
        {"user": "assistant", "assistant": "user"}[u.role] for u in other.utterances
    ]
    assert (one.scripted_by, one.recorded.corpus, one.recorded.licence) == ("recorded", "test", "CC0-1.0")
    assert {u.voice for u in one.utterances} == {"test/ann", "test/bob"}


def test_events_are_derived_from_the_times(recorded):
    talk = next(s for s in streams(recorded / "out") if s.dialogue_id == "call1.0000.B")
    kinds = [(e.kind, e.role, round(e.start_samples / 24_000, 1)) for e in talk.events]
    assert kinds == [
        ("gap", "assistant", 2.0),
        ("backchannel", "user", 3.5),
        ("hesitation", "assistant", 5.0),
        ("overlapping_end", "user", 6.8),
        ("gap", "assistant", 8.5),
    ]
    assert all(e.derived for e in talk.events)
    assert [u.kind for u in talk.utterances].count("backchannel") == 1


def test_a_check_finds_no_fault_and_says_the_rejects(recorded):
    assert build_faults(recorded / "out") == []
    manifest = Manifest.load(open_store(str(recorded / "out")))
    assert manifest.rejects == {"source/one_sided": 1}
    assert manifest.voices["test/ann"].licence == "CC0-1.0"
    assert {i.name for i in manifest.inputs} == {"all.jsonl", *(f"sound/{name}.wav" for name in CALLS)}


def test_speakers_never_cross_splits(recorded):
    """Calls 1 and 3 share bob."""
    found = streams(recorded / "out")
    splits = {s.dialogue_id[:5]: s.split for s in found}
    assert splits["call1"] == splits["call3"]
    assert {s.group for s in found if s.dialogue_id[:5] in ("call1", "call3")} == {"call1.0000.A"}
    assert {s.group for s in found if s.dialogue_id[:5] == "call2"} == {"call2.0000.A"}


def test_the_sound_is_that_of_the_recording(recorded):
    """Louder where its speaker speaks, by 40 dB and more, at the same times."""
    talk = open_output(str(recorded / "out")).conversation("call1.0000.B")
    user, rate = talk.audio.samples[:, 0].astype(np.float64), talk.audio.rate_hz

    def level(start, end):
        return np.sqrt(np.mean(np.square(user[round(start * rate) : round(end * rate)])))

    assert level(0.55, 1.95) > 100 * level(2.1, 3.4)
    assert level(3.55, 3.85) > 100 * level(4.0, 6.7)


def test_workers_and_a_second_run_change_no_byte(recorded, tmp_path):
    manifest = build(recipe_of(recorded / "corpus", "mix.keep_audio=true"), str(tmp_path / "out"), 2)
    assert manifest.digest == Manifest.load(open_store(str(recorded / "out"))).digest


def test_flatten_takes_recorded_conversations(recorded, tmp_path):
    manifest = reflatten(
        str(recorded / "out"), str(tmp_path / "flat"), {"speech_chunk_tokens": 5, "text_chunk_tokens": 1}
    )
    assert manifest.tables["three_stream"]


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory):
    """A synthetic build with the same tokenizers, splits and formats."""

    def make(folder):
        build(fake(folder, "run.unit_dialogues=3"), str(folder / "out"))

    return shared(tmp_path_factory, "synthetic", make)


def test_a_merged_build_has_all_conversations_and_no_fault(recorded, synthetic, tmp_path):
    parts = [str(recorded / "out"), str(synthetic / "out")]
    manifest = merge(parts, str(tmp_path / "merged"))
    assert build_faults(tmp_path / "merged") == []
    ids = [s.dialogue_id for s in streams(tmp_path / "merged")]
    assert ids == [s.dialogue_id for part in parts for s in streams(part)]
    assert manifest.n_records == sum(Manifest.load(open_store(part)).n_records for part in parts)
    assert [each.name for each in manifest.merged] == ["recordings", "fake"]
    assert {"test/ann", "tone-0"} <= set(manifest.voices)


def test_merging_again_and_with_workers_gives_the_same(recorded, synthetic, tmp_path):
    parts = [str(synthetic / "out"), str(recorded / "out")]
    digests = {merge(parts, str(tmp_path / f"merged{n}"), n).digest for n in (0, 2)}
    digests.add(merge(parts, str(tmp_path / "merged0")).digest)
    assert len(digests) == 1


def test_an_id_of_two_builds_is_renamed_and_keeps_its_split(synthetic, tmp_path):
    merge([str(synthetic / "out")] * 2, str(tmp_path / "merged"))
    assert build_faults(tmp_path / "merged") == []
    found = {s.dialogue_id: s.split for s in streams(tmp_path / "merged")}
    assert all(found[f"2:{id}"] == split for id, split in found.items() if not id.startswith("2:"))
    assert len(found) == 2 * len(streams(synthetic / "out"))


def test_builds_that_do_not_fit_are_refused_with_all_reasons(recorded, tmp_path):
    build(
        recipe_of(recorded / "corpus", "flatten.speech_chunk_tokens=5", "splits={test: 0.2}"), str(tmp_path / "other")
    )
    with pytest.raises(DatagenError, match=r"2 faults: \(1\) .* recipe.flatten; .* \(2\) .* recipe.splits"):
        merge([str(recorded / "out"), str(tmp_path / "other")], str(tmp_path / "merged"))
    assert not (tmp_path / "merged" / "plan.json").exists()


def test_speakers_of_two_builds_that_would_cross_splits_are_refused(recorded, tmp_path):
    """The other build has a call of bob's too, in a group that is dealt to validation, not to test."""
    folder = write_calls(tmp_path / "corpus", {"other0": (TALK, 11.0, ("zoe", "bob"))})
    build(recipe_of(folder), str(tmp_path / "out"))
    with pytest.raises(DatagenError, match="1 speakers would be in several splits: test/bob"):
        merge([str(recorded / "out"), str(tmp_path / "out")], str(tmp_path / "merged"))


def test_a_feed_joins_builds(recorded, synthetic):
    pytest.importorskip("torch")
    from datagen.feed import Feed, Stage

    parts = [str(recorded / "out"), str(synthetic / "out")]
    stage = Stage("all", {"asr": 1}, 2048, 1)
    feed = Feed(parts, stage, epochs=1, split="train")
    keys = {(feed.key("asr", file), row) for batch in feed for _, file, row in batch.rows.tolist()}
    n_rows = sum(Manifest.load(open_store(part)).tables["asr"]["train"].n_rows for part in parts)
    assert len(keys) == n_rows
    assert {key.startswith(parts[0]) for key, _ in keys} == {True, False}


def test_a_changed_recording_stops_the_build(tmp_path):
    """Not a reject: the file is a resource."""
    from datagen.errors import OutageError
    from datagen.pipeline.pipeline import Pipeline
    from datagen.run.planning import plan_build
    from datagen.run.worker import Worker

    folder = write_calls(tmp_path / "corpus", {"call1": CALLS["call1"]})
    recipe, store = recipe_of(folder), LocalStore(str(tmp_path / "out"))
    plan = plan_build(Pipeline(recipe), store)
    with (folder / "sound" / "call1.wav").open("ab") as file:
        file.write(b"more")
    with pytest.raises(OutageError, match=r"call1\.wav has changed since the build was planned"):
        Worker(Pipeline(recipe), plan, store).run(0)


def test_supervisions_without_times_of_words_are_estimated(tmp_path):
    folder = write_calls(tmp_path / "corpus", {"call1": CALLS["call1"]}, words=False)
    build(recipe_of(folder, assistant="first"), str(tmp_path / "out"))
    (talk,) = streams(tmp_path / "out")
    assert talk.recorded.words_by == "estimated"
    first = talk.utterances[0]
    assert [w.text for w in first.words] == ["can", "you", "hear", "me", "now?"]
    assert first.words[0].start_samples >= first.start_samples
    assert json.loads((folder / "all.jsonl").read_text().splitlines()[0])["text"] == first.text
