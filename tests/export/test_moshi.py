"""moshi-finetune, read back by sphn, the package it reads its data with."""

import json
from dataclasses import replace

import numpy as np
import pytest
import sphn

from datagen.export import export
from datagen.export.exporters import alignments
from datagen.export.target import ExportClip


@pytest.fixture
def exported(output, tmp_path):
    export(output, str(tmp_path / "to"), "moshi")
    return tmp_path / "to"


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_the_loader_finds_each_conversation_once_with_the_assistant_on_the_left(output, exported, split):
    talks = list(output.conversations(split))
    assert talks
    longest = max(talk.seconds for talk in talks) + 1
    options = {"duration_sec": longest, "num_threads": 1, "sample_rate": 24_000, "pad_last_segment": True}
    found = list(sphn.dataset_jsonl(str(exported / f"{split}.jsonl"), **options).seq())
    assert len(found) == len(talks)
    for sample, talk in zip(found, talks, strict=True):
        user, assistant = talk.audio.samples.T
        assert sample["unpadded_len"] == talk.streams.n_samples
        left, right = np.rint(sample["data"][:, : sample["unpadded_len"]] * 32768)
        assert np.array_equal(left, assistant)
        assert np.array_equal(right, user)


def test_durations_are_those_of_the_files(exported):
    for split in ("train", "validation", "test"):
        lines = [json.loads(line) for line in (exported / f"{split}.jsonl").read_text("utf-8").splitlines()]
        assert all(line["path"].startswith(f"{split}/") for line in lines)
        found = sphn.durations([str(exported / line["path"]) for line in lines])
        assert found == pytest.approx([line["duration"] for line in lines])


def test_words_are_the_assistants_in_order_of_time(output, exported):
    n_words = 0
    for talk in output.conversations():
        (path,) = exported.glob(f"*/*/{talk.dialogue_id}-*.json")
        alignments = json.loads(path.read_text("utf-8"))["alignments"]
        words = talk.words[talk.words["role"] == "assistant"].sort_values(["start_samples", "end_samples"])
        assert [word for word, _, _ in alignments] == words["text"].tolist()
        begins, ends = words["start_samples"] / 24_000, words["end_samples"] / 24_000
        assert [times for _, times, _ in alignments] == [list(pair) for pair in zip(begins, ends, strict=True)]
        assert {speaker for _, _, speaker in alignments} == {"SPEAKER_MAIN"}
        assert path.with_suffix(".wav").exists()
        n_words += len(alignments)
    assert n_words > 20


def test_words_are_sorted_whatever_the_order_of_utterances(output):
    """Its loader searches them by halves."""
    talk = output.conversation("d1")
    turned = replace(talk, streams=replace(talk.streams, utterances=talk.streams.utterances[::-1]))
    assert alignments(ExportClip.of(turned, False)) == alignments(ExportClip.of(talk, False))


def test_decoded_sound_is_what_the_tokens_sound_like(output, tmp_path):
    export(output, str(tmp_path / "to"), "moshi", decoded=True)
    talk = next(output.conversations("train"))
    (path,) = (tmp_path / "to").glob(f"train/*/{talk.dialogue_id}-*.wav")
    data, _ = sphn.read(str(path))
    assert np.array_equal(np.rint(data[::-1] * 32768).T, talk.decoded.samples)
