"""Lhotse cuts and Shar, read back by the package itself, as NeMo's duplex data set reads them."""

import numpy as np
import pytest

import datagen.inspect
from datagen.records import SPLITS
from tests.export.conftest import IDS, integers, send

lhotse = pytest.importorskip("lhotse", reason="lhotse needs torch")
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
ROLES = {"user": "user", "assistant": "agent"}


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Reads a split of an export of either format."""

    def read(format, split):
        if format == "shar":
            return list(lhotse.CutSet.from_shar(in_dir=str(tmp_path / "to" / split)))
        monkeypatch.chdir(tmp_path / "to")  # paths are relative
        return list(lhotse.CutSet.from_file(f"{split}/cuts.jsonl.gz"))

    return read


@pytest.mark.parametrize("format", ["lhotse", "shar"])
def test_cuts_hold_the_user_and_the_agent_as_nemo_takes_them(out, output, tmp_path, read, format):
    send(out, tmp_path / "to", format)
    for split in SPLITS:
        cuts, talks = read(format, split), {talk.dialogue_id: talk for talk in output.conversations(split)}
        lhotse.validate(lhotse.CutSet.from_cuts(cuts), read_data=True)
        assert sorted(cut.custom["dialogue_id"] for cut in cuts) == sorted(talks)
        for cut in cuts:
            talk = talks[cut.custom["dialogue_id"]]
            assert cut.duration == talk.seconds
            assert np.array_equal(integers(cut.load_audio())[0], talk.audio.samples[:, 0])
            assert np.array_equal(integers(cut.load_target_audio())[0], talk.audio.samples[:, 1])
            heard = talk.utterances[(talk.utterances["said"] != "")].sort_values("start_samples", kind="stable")
            assert [s.text for s in cut.supervisions] == heard["said"].tolist()
            assert [s.speaker for s in cut.supervisions] == [ROLES[role] for role in heard["role"]]
            assert [round(s.start * 24_000) for s in cut.supervisions] == heard["start_samples"].tolist()
            assert [round(s.end * 24_000) for s in cut.supervisions] == heard["end_samples"].tolist()
            assert [s.custom["kind"] for s in cut.supervisions] == heard["kind"].tolist()
            assert {s.language for s in cut.supervisions} == {"en"}
            items = [i for s in cut.supervisions for i in s.alignment["word"]]
            words = zip(talk.words["text"], talk.words["start_samples"], talk.words["end_samples"], strict=True)
            assert sorted((i.symbol, round(i.start * 24_000), round(i.end * 24_000)) for i in items) == sorted(words)


@pytest.mark.parametrize("format", ["lhotse", "shar"])
def test_each_role_has_its_own_rate_and_both_are_as_long(out, output, tmp_path, read, format):
    send(out, tmp_path / "to", format, preset="nemo", selection=None)
    for cut in read(format, "validation"):
        talk = output.conversation(cut.custom["dialogue_id"])
        assert (cut.sampling_rate, cut.target_audio.sampling_rate) == (16_000, 22_050)
        assert cut.duration == cut.target_audio.duration == talk.seconds
        assert cut.load_audio().shape[1] == round(talk.streams.n_samples * 16_000 / 24_000)
        assert cut.load_target_audio().shape[1] == round(talk.streams.n_samples * 22_050 / 24_000)
        loud = [np.abs(sound[0]) for sound in (talk.audio.samples.T / 32768, cut.load_audio())]
        at = [np.flatnonzero(each > 0.3 * each.max())[0] for each in loud]
        assert at[0] / 24_000 == pytest.approx(at[1] / 16_000, abs=0.002)


def test_both_channels_collate_to_batches(out, output, tmp_path, read):
    from lhotse.dataset.collation import collate_audio

    send(out, tmp_path / "to", "shar")
    cuts = lhotse.CutSet.from_cuts(read("shar", "train"))
    source, source_lens = collate_audio(cuts)
    target, target_lens = collate_audio(cuts, recording_field="target_audio")
    longest = max(talk.streams.n_samples for talk in output.conversations("train"))
    assert source.shape == target.shape == (len(cuts), longest)
    assert source_lens.tolist() == target_lens.tolist()


def test_names_of_roles_and_marks_are_those_of_newer_nemo(out, output, tmp_path, read):
    send(out, tmp_path / "to", preset="nemo-speech")
    for cut in read("shar", "validation"):
        talk = output.conversation(cut.custom["dialogue_id"])
        assert {s.speaker for s in cut.supervisions} == {"User", "Assistant"}
        for s in cut.supervisions:
            u = talk.streams.utterances[int(s.id.rpartition("-")[2])]
            if s.speaker == "Assistant":
                assert s.text == u.said
                continue
            first, text, last = s.text.split()[:3]
            assert text == u.words[0].text.split()[0]
            begin = u.words[0].start_samples - u.start_samples
            end = u.words[0].end_samples - u.start_samples
            assert (first, last) == (f"<|{begin // 1920}|>", f"<|{-(-end // 1920)}|>")


def test_recordings_and_supervisions_are_of_two_channels(out, output, tmp_path, monkeypatch):
    send(out, tmp_path / "to", "lhotse")
    monkeypatch.chdir(tmp_path / "to")
    recordings = lhotse.RecordingSet.from_file("train/recordings.jsonl.gz")
    supervisions = lhotse.SupervisionSet.from_file("train/supervisions.jsonl.gz")
    lhotse.validate_recordings_and_supervisions(recordings, supervisions, read_data=True)
    by_id = {cut.id: cut.custom["dialogue_id"] for cut in lhotse.CutSet.from_file("train/cuts.jsonl.gz")}
    for recording in recordings:
        talk = output.conversation(by_id[recording.id])
        assert np.array_equal(integers(recording.load_audio()).T, talk.audio.samples)
        for s in supervisions.find(recording.id):
            assert s.channel == ["user", "agent"].index(s.speaker)


def test_hostile_ids_survive(hostile_out, tmp_path, read):
    send(hostile_out, tmp_path / "to", "shar")
    assert {cut.custom["dialogue_id"] for split in SPLITS for cut in read("shar", split)} == set(IDS)


@pytest.mark.slow
def test_opus_is_the_same_bytes_each_time_and_as_long(out, output, tmp_path, read):
    from tests.run.builds import tree

    made = send(out, tmp_path / "to", "shar", codec="opus")
    again = send(out, tmp_path / "again", "shar", codec="opus")
    assert made.digest == again.digest
    assert tree(tmp_path / "to") == tree(tmp_path / "again")
    for cut in read("shar", "test"):
        talk = output.conversation(cut.custom["dialogue_id"])
        assert cut.load_audio().shape[1] == talk.streams.n_samples


def test_decoded_lengths_are_those_of_the_files(out, tmp_path, read):
    send(out, tmp_path / "to", "shar", decoded=True)
    cut = read("shar", "train")[0]
    talk = datagen.inspect.open(str(out)).conversation(cut.custom["dialogue_id"])
    assert np.array_equal(integers(cut.load_target_audio())[0], talk.decoded.samples[:, 1])
