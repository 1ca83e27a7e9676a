"""Lhotse, read back by the package itself, as NeMo's duplex data set reads it."""

import numpy as np
import pytest

from datagen.export import export
from tests.export.conftest import IDS

lhotse = pytest.importorskip("lhotse", reason="lhotse needs torch")


@pytest.fixture
def exported(output, tmp_path):
    export(output, str(tmp_path / "to"), "lhotse")
    return tmp_path / "to"


def cuts_of(folder, split):
    return lhotse.CutSet.from_file(str(folder / f"cuts-{split}.jsonl.gz"))


def integers(audio) -> np.ndarray:
    return np.rint(audio * 32768).astype(int)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_cuts_hold_the_user_and_the_agent_as_nemo_takes_them(output, exported, split):
    cuts = cuts_of(exported, split)
    lhotse.validate(cuts, read_data=True)
    talks = {talk.dialogue_id: talk for talk in output.conversations(split)}
    assert sorted(cut.dialogue_id for cut in cuts) == sorted(talks)
    for cut in cuts:
        talk = talks[cut.dialogue_id]
        assert cut.duration == talk.seconds
        assert np.array_equal(integers(cut.load_audio())[0], talk.audio.samples[:, 0])
        assert np.array_equal(integers(cut.load_target_audio())[0], talk.audio.samples[:, 1])
        heard = talk.utterances[(talk.utterances["said"] != "")].sort_values("start_samples", kind="stable")
        assert [s.text for s in cut.supervisions] == heard["said"].tolist()
        assert [s.speaker for s in cut.supervisions] == [
            {"user": "user", "assistant": "agent"}[role] for role in heard["role"]
        ]
        assert [round(s.start * 24_000) for s in cut.supervisions] == heard["start_samples"].tolist()
        assert [round(s.end * 24_000) for s in cut.supervisions] == heard["end_samples"].tolist()
        assert [s.custom["kind"] for s in cut.supervisions] == heard["kind"].tolist()
        assert {s.language for s in cut.supervisions} == {"en"}


def test_both_channels_collate_to_batches(output, exported):
    from lhotse.dataset.collation import collate_audio

    cuts = cuts_of(exported, "train")
    source, source_lens = collate_audio(cuts)
    target, target_lens = collate_audio(cuts, recording_field="target_audio")
    longest = max(talk.streams.n_samples for talk in output.conversations("train"))
    assert source.shape == target.shape == (len(cuts), longest)
    assert source_lens.tolist() == target_lens.tolist()


def test_words_are_aligned(output, exported):
    for cut in cuts_of(exported, "train"):
        words = output.conversation(cut.dialogue_id).words
        items = [item for s in cut.supervisions for item in s.alignment["word"]]
        wanted = sorted(zip(words["text"], words["start_samples"], words["end_samples"], strict=True))
        assert sorted((i.symbol, round(i.start * 24_000), round(i.end * 24_000)) for i in items) == wanted
        for s in cut.supervisions:
            assert all(s.start - 1e-6 <= item.start and item.end <= s.end + 1e-6 for item in s.alignment["word"])


def test_recordings_and_supervisions_are_of_two_channels(output, exported):
    recordings = lhotse.RecordingSet.from_file(str(exported / "recordings-train.jsonl.gz"))
    supervisions = lhotse.SupervisionSet.from_file(str(exported / "supervisions-train.jsonl.gz"))
    lhotse.validate_recordings_and_supervisions(recordings, supervisions, read_data=True)
    whole = lhotse.CutSet.from_manifests(recordings=recordings, supervisions=supervisions)
    by_id = {cut.id: cut.dialogue_id for cut in cuts_of(exported, "train")}
    for recording in recordings:
        talk = output.conversation(by_id[recording.id])
        assert np.array_equal(integers(recording.load_audio()).T, talk.audio.samples)
        for s in supervisions.find(recording.id):
            assert s.channel == ["user", "agent"].index(s.speaker)
    assert len(whole) >= len(recordings)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # lhotse leaves archives open
def test_cuts_of_hostile_ids_can_be_packed_into_archives(hostile_out, tmp_path):
    import datagen.inspect

    export(datagen.inspect.open(str(hostile_out)), str(tmp_path / "to"), "lhotse")
    found = set()
    for split in ("train", "validation", "test"):
        shar = tmp_path / f"shar-{split}"
        shar.mkdir()
        fields = {"recording": "flac", "target_audio": "flac"}
        cuts_of(tmp_path / "to", split).to_shar(str(shar), fields=fields, shard_size=4)
        again = lhotse.CutSet.from_shar(in_dir=str(shar))
        found |= {cut.dialogue_id for cut in again}
    assert found == set(IDS)


def test_decoded_lengths_are_those_of_the_files(output, tmp_path):
    export(output, str(tmp_path / "to"), "lhotse", decoded=True)
    cuts = cuts_of(tmp_path / "to", "train")
    lhotse.validate(cuts, read_data=True)
    cut = cuts[0]
    talk = output.conversation(cut.dialogue_id)
    assert np.array_equal(integers(cut.load_target_audio())[0], talk.decoded.samples[:, 1])


def test_an_export_that_was_moved_is_mended_by_running_it_again(output, exported, tmp_path):
    exported.rename(tmp_path / "moved")
    export(output, str(tmp_path / "moved"), "lhotse")
    lhotse.validate(cuts_of(tmp_path / "moved", "train"), read_data=True)
