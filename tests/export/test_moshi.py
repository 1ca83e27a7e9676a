"""moshi-finetune, read back by sphn, the package it reads its data with."""

import json
from dataclasses import replace

import numpy as np
import pytest
import sphn

import datagen.inspect
from datagen.errors import DatagenError
from datagen.export.clip import ExportClip
from datagen.export.convention import Convention
from datagen.export.counts import moshi_words_cut, words_cut
from datagen.export.formats.moshi import alignments
from datagen.records import SPLITS
from tests.export.conftest import send
from tests.run.builds import made


@pytest.mark.parametrize("codec", ["flac", "wav"])
def test_the_loader_finds_each_conversation_once_with_the_assistant_on_the_left(out, output, tmp_path, codec):
    send(out, tmp_path / "to", preset="moshi-finetune", codec=codec)
    for split in SPLITS:
        talks = list(output.conversations(split))
        longest = max(talk.seconds for talk in talks) + 1
        options = {"duration_sec": longest, "num_threads": 1, "sample_rate": 24_000, "pad_last_segment": True}
        lists = list((tmp_path / "to" / split).rglob("*jsonl"))  # as its loader looks for them
        assert lists == [tmp_path / "to" / split / "data.jsonl"]
        found = list(sphn.dataset_jsonl(str(lists[0]), **options).seq())
        assert len(found) == len(talks)
        for sample, talk in zip(found, talks, strict=True):
            user, assistant = talk.audio.samples.T
            assert sample["unpadded_len"] == talk.streams.n_samples
            left, right = np.rint(sample["data"][:, : sample["unpadded_len"]] * 32768)
            assert np.array_equal(left, assistant)
            assert np.array_equal(right, user)


def test_durations_are_those_of_the_files(out, tmp_path):
    send(out, tmp_path / "to", "moshi", user_rate_hz=16_000, assistant_rate_hz=16_000)
    for split in SPLITS:
        folder = tmp_path / "to" / split
        lines = [json.loads(line) for line in (folder / "data.jsonl").read_text("utf-8").splitlines()]
        found = sphn.durations([str(folder / line["path"]) for line in lines])
        assert found == pytest.approx([line["duration"] for line in lines])


def test_words_are_the_assistants_in_order_of_time(out, output, tmp_path):
    send(out, tmp_path / "to", "moshi")
    n_words = 0
    for talk in output.conversations():
        (path,) = (tmp_path / "to").glob(f"*/*/{talk.dialogue_id}-*.json")
        alignments = json.loads(path.read_text("utf-8"))["alignments"]
        words = talk.words[talk.words["role"] == "assistant"].sort_values(["start_samples", "end_samples"])
        assert [word for word, _, _ in alignments] == words["text"].tolist()
        begins, ends = words["start_samples"] / 24_000, words["end_samples"] / 24_000
        assert [times for _, times, _ in alignments] == [list(pair) for pair in zip(begins, ends, strict=True)]
        assert {speaker for _, _, speaker in alignments} == {"SPEAKER_MAIN"}
        assert path.with_suffix(".flac").exists()
        n_words += len(alignments)
    assert n_words > 20


def test_words_are_sorted_whatever_the_order_of_utterances(output):
    """Its loader searches them by halves."""
    talk = output.conversation("d1")
    turned = replace(talk, streams=replace(talk.streams, utterances=talk.streams.utterances[::-1]))
    assert alignments(ExportClip.of(turned, Convention())) == alignments(ExportClip.of(talk, Convention()))


def test_words_that_its_frames_cut_are_counted(out, output, tmp_path):
    exported = send(out, tmp_path / "to", "moshi")
    clips = [ExportClip.of(talk, Convention()) for talk in output.conversations()]
    n = sum(moshi_words_cut(clip, output) for clip in clips)
    assert exported.counts == {"words cut by moshi-finetune's frames": n}
    assert n > 0


def test_a_word_keeps_a_token_per_frame_until_the_next_word():
    assert words_cut([0.0, 0.08, 0.24], [1, 2, 9]) == 0  # nothing follows the last
    assert words_cut([0.0, 0.08, 0.24], [2, 2, 1]) == 1
    assert words_cut([0.0, 0.01, 0.02], [1, 1, 1]) == 2
    assert words_cut([], []) == 0


@pytest.mark.parametrize("n_codebooks", [4, 2])
def test_ready_codes_are_the_lines_of_parallel(tmp_path, n_codebooks):
    changes = ("flatten.tasks=[parallel]", f"flatten.codebooks={n_codebooks}", "timing.profile=hard")
    made(tmp_path, "engines.speech_tokenizer={name: tone_codebooks}", *changes)
    send(tmp_path / "out", tmp_path / "to", "moshi", codec="codes")
    output, n_seen = datagen.inspect.open(str(tmp_path / "out")), 0
    for split in SPLITS:
        lines = [json.loads(line) for line in (tmp_path / "to" / split / "data.jsonl").read_text().splitlines()]
        for line, talk in zip(lines, output.conversations(split), strict=True):
            codes = np.load(tmp_path / "to" / split / line["path"], allow_pickle=False)
            (row,) = talk.rows("parallel")
            assert np.array_equal(codes, row.input_ids[1:, : codes.shape[1]])
            assert line["duration"] == talk.seconds == codes.shape[1] / output.manifest.clock.frame_rate_hz
            assert (tmp_path / "to" / split / line["path"]).with_suffix(".json").exists()
            n_seen += 1
    assert n_seen > 2
    about = json.loads((tmp_path / "to" / "codes.json").read_bytes())
    assert about["tokenizer"] == "tone_codebooks"
    assert about["codebook_sizes"] == list(output.vocabulary.sizes[:n_codebooks])
    assert about["lines"][0] == "assistant 1" and about["lines"][-1] == f"user {n_codebooks}"


def test_codes_are_of_the_build_so_nothing_is_decoded_or_augmented(out, tmp_path):
    with pytest.raises(DatagenError, match="--augment changes sound"):
        send(out, tmp_path / "to", "moshi", codec="codes", speed=0.9)
    with pytest.raises(DatagenError, match="holds no codes; use --codec flac or wav or opus"):
        send(out, tmp_path / "to", "lhotse", codec="codes")
    made(tmp_path, n=4)  # keeps no sound
    assert not send(tmp_path / "out", tmp_path / "codes", "moshi", codec="codes").identity.convention.decoded
    assert send(tmp_path / "out", tmp_path / "sound", "moshi").identity.convention.decoded


def test_unequal_rates_and_opus_are_refused_before_anything_is_written(out, tmp_path):
    with pytest.raises(DatagenError, match="must be equal"):
        send(out, tmp_path / "to", "moshi", user_rate_hz=16_000)
    with pytest.raises(DatagenError, match="holds no opus; use --codec flac or wav or codes"):
        send(out, tmp_path / "to", "moshi", codec="opus")
    assert not (tmp_path / "to").exists()
