"""Sharded formats, read back by their own packages: every conversation once, both channels sample by sample."""

import json
from io import BytesIO

import numpy as np
import pytest
import soundfile

from datagen.records import SPLITS
from tests.export.conftest import send


def same(sample: dict, about: dict, output, split: str) -> str:
    """Compare both sound files and the description with the conversation; returns its id."""
    talk = output.conversation(about["dialogue_id"])
    assert talk.split == about["split"] == split
    for channel, name in enumerate(("user", "agent")):
        samples, rate = soundfile.read(BytesIO(sample[name]), dtype="int16")
        assert rate == 24_000
        assert np.array_equal(samples, talk.audio.samples[:, channel])
    assert sorted(u["text"] for u in about["utterances"]) == sorted(u.said for u in talk.streams.utterances if u.said)
    words = [word for u in about["utterances"] for word in u["words"]]
    assert sorted(round(start * 24_000) for _, start, _ in words) == sorted(talk.words["start_samples"])
    assert [e["kind"] for e in about["events"]] == [e.kind for e in talk.streams.events]
    assert [round(e["start"] * 24_000) for e in about["events"]] == [e.start_samples for e in talk.streams.events]
    return talk.dialogue_id


def all_of(output, split: str) -> list[str]:
    return sorted(talk.dialogue_id for talk in output.conversations(split))


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_webdataset(out, output, tmp_path):
    webdataset = pytest.importorskip("webdataset")
    send(out, tmp_path / "to", "webdataset")
    for split in SPLITS:
        index = json.loads((tmp_path / "to" / split / "index.json").read_bytes())
        names = [str(tmp_path / "to" / split / shard["url"]) for shard in index["shardlist"]]
        found = []
        for sample in webdataset.WebDataset(names, shardshuffle=False):
            sounds = {name: sample[f"{name}.flac"] for name in ("user", "agent")}
            found.append(same(sounds, json.loads(sample["json"]), output, split))
        assert sorted(found) == all_of(output, split)
        assert sum(shard["nsamples"] for shard in index["shardlist"]) == len(found)


@pytest.mark.filterwarnings("ignore")  # of the package
def test_mds(out, output, tmp_path):
    streaming = pytest.importorskip("streaming", reason="needs mosaicml-streaming")
    send(out, tmp_path / "to", "mds")
    for split in SPLITS:
        rows = streaming.LocalDataset(str(tmp_path / "to" / split))
        assert sorted(same(row, row["about"], output, split) for row in rows) == all_of(output, split)


@pytest.mark.filterwarnings("ignore")  # of the package
def test_litdata(out, output, tmp_path):
    litdata = pytest.importorskip("litdata")
    send(out, tmp_path / "to", "litdata")
    for split in SPLITS:
        rows = litdata.StreamingDataset(str(tmp_path / "to" / split))
        assert sorted(same(row, json.loads(row["about"]), output, split) for row in rows) == all_of(output, split)
