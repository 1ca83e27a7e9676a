"""Hugging Face datasets, read back by the package itself."""

from io import BytesIO

import datasets
import numpy as np
import pytest
import soundfile

from datagen.export.selection import Selection
from tests.export.conftest import send


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def rows(out, tmp_path, cache):
    send(out, tmp_path / "to", "datasets")
    return datasets.load_dataset(str(tmp_path / "to"))


def test_sound_is_an_audio_feature_and_its_bytes_are_the_kept_sound(output, rows):
    assert set(rows) == {"train", "validation", "test"}
    for split, found in rows.items():
        assert found.features["audio"] == datasets.Audio(sampling_rate=24_000)
        talks = {talk.dialogue_id: talk for talk in output.conversations(split)}
        raw = found.cast_column("audio", datasets.Audio(decode=False))
        assert sorted(raw["dialogue_id"]) == sorted(talks)
        for row in raw:
            samples, rate = soundfile.read(BytesIO(row["audio"]["bytes"]), dtype="int16")
            assert rate == 24_000
            assert np.array_equal(samples, talks[row["dialogue_id"]].audio.samples)
            assert row["audio"]["bytes"] == talks[row["dialogue_id"]].flac  # the kept file itself
            assert row["audio"]["path"].endswith(".flac")


@pytest.mark.parametrize("values", [{"noise_db": 20.0}, {"user_rate_hz": 16_000, "assistant_rate_hz": 16_000}])
def test_a_changed_sound_is_not_the_kept_file(out, output, tmp_path, cache, values):
    send(out, tmp_path / "changed", "datasets", **values)
    found = datasets.load_dataset(str(tmp_path / "changed"))["train"].cast_column("audio", datasets.Audio(decode=False))
    kept = {talk.flac for talk in output.conversations()}
    assert len(found) and not kept & {row["audio"]["bytes"] for row in found}


def test_utterances_and_events_come_along(output, rows):
    for split, found in rows.items():
        for row in found.remove_columns("audio"):
            talk = output.conversation(row["dialogue_id"])
            assert row["split"] == split == talk.split
            assert [u["said"] for u in row["utterances"]] == talk.utterances["said"].tolist()
            assert [w["text"] for u in row["utterances"] for w in u["words"]] == talk.words["text"].tolist()
            assert [e["start_samples"] for e in row["events"]] == talk.events["start_samples"].tolist()


def test_an_empty_split_is_not_there(out, tmp_path, cache):
    """The package refuses to load a split without rows."""
    send(out, tmp_path / "to", "datasets", selection=Selection.of(where=("split=train",)))
    assert set(datasets.load_dataset(str(tmp_path / "to"))) == {"train"}


def test_sound_plays(output, rows):
    pytest.importorskip(
        "torchcodec", reason="datasets decodes sound with torchcodec", exc_type=(ImportError, RuntimeError)
    )
    row = rows["train"][0]
    samples = row["audio"].get_all_samples()
    talk = output.conversation(row["dialogue_id"])
    assert samples.sample_rate == 24_000
    assert np.allclose(samples.data.numpy().T, talk.audio.samples / 32768, atol=1e-4)
