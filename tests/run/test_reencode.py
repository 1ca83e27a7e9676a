"""The kept audio of a build encoded by another codec: the same conversations, other codes, no speech."""

from dataclasses import asdict
from io import BytesIO

import numpy as np
import pytest
import soundfile

import datagen
from datagen.engines import load
from datagen.engines.fakes import ToneVoice
from datagen.errors import DatagenError, RecipeError, ResumeError, StoreError
from datagen.run.merge import merge
from datagen.run.reencode import kept_audio, reencode
from datagen.run.reflatten import reflatten
from datagen.shards.manifest import MANIFEST, FlattenedFrom, Manifest
from datagen.shards.schema import streams_of
from datagen.shards.store import LocalStore
from datagen.shards.tables import from_parquet
from tests.engines import tiny
from tests.run.builds import Forger, environment, faults, flip, made, read, tree

CODEC = "tone_codebooks"
CHANGED = {"user_codes", "assistant_codes", "n_samples", "audio_flac", "utterances"}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A finished build with audio, some of its turns interrupted, some of its records rejects."""
    out, _ = made(tmp_path_factory.mktemp("source"), "mix.keep_audio=true", "flatten.tasks=[asr, three_stream]", n=7)
    return out


@pytest.fixture(scope="module")
def encoded(source, tmp_path_factory):
    out = tmp_path_factory.mktemp("encoded") / "out"
    return out, reencode(str(source), str(out), CODEC, changes={"tasks": ["three_stream", "parallel"]})


def conversations(out):
    return {row["dialogue_id"]: row for row in read(out, "conversations")}


def test_conversations_are_the_same_but_for_their_codes(source, encoded):
    old, new = conversations(source), conversations(encoded[0])
    assert list(new) == list(old)
    assert any(u["n_cut_samples"] for row in old.values() for u in row["utterances"])
    for name, row in new.items():
        assert {k: v for k, v in row.items() if k not in CHANGED} == {
            k: v for k, v in old[name].items() if k not in CHANGED
        }
        for u, before in zip(row["utterances"], old[name]["utterances"], strict=True):
            assert (u["rest_codes"], u["rest_start_frames"]) == ([], None)
            rest = {"rest_codes", "rest_start_frames"}
            assert {k: v for k, v in u.items() if k not in rest} == {k: v for k, v in before.items() if k not in rest}
    assert read(encoded[0], "rejects") == read(source, "rejects")


def test_codes_are_those_of_the_audio_padded_to_whole_frames(source, encoded):
    tokenizer = load.speech_tokenizer(CODEC, {})
    for name, row in conversations(encoded[0]).items():
        flac = conversations(source)[name]["audio_flac"]
        audio, rate = soundfile.read(BytesIO(flac), dtype="int16", always_2d=True)
        n_frames = -(-len(audio) // 1920)
        assert (rate, row["n_samples"]) == (24_000, n_frames * 1920)
        for channel, role in enumerate(("user", "assistant")):
            padded = np.pad(audio[:, channel], (0, n_frames * 1920 - len(audio)))
            assert row[f"{role}_codes"] == tokenizer.encode(padded).reshape(-1).tolist()


def test_the_output_is_a_build_that_passes_a_check(source, encoded):
    out, manifest = encoded
    assert faults(out) == []
    old = Manifest.load(LocalStore(source))
    assert manifest.origin == FlattenedFrom(str(source), old.digest)
    assert manifest.encoded is not None
    assert manifest.encoded.digest == old.digest
    assert manifest.encoded.speech_tokenizer == old.engines["speech_tokenizer"]
    assert asdict(manifest.clock) == {"sample_rate_hz": 24_000, "frame_rate_hz": 12.5, "hop_samples": 1920}
    assert manifest.vocabulary.sizes == (512, 16, 8, 4)
    assert manifest.vocabulary.speech_offset == old.vocabulary.speech_offset
    assert manifest.recipe["engines"]["speech_tokenizer"] == {"name": CODEC, "options": {}}
    assert manifest.engines["tts"] == old.engines["tts"]
    assert (manifest.has_audio, manifest.n_conversations) == (False, old.n_conversations)
    assert manifest.tasks == ["parallel", "three_stream"]
    opened = datagen.open(str(out))
    assert {talk.streams.dialogue_id for talk in opened.conversations()} == set(conversations(source))


def test_a_forged_source_is_noticed_by_a_check(encoded, tmp_path):
    import shutil

    out = shutil.copytree(encoded[0], tmp_path / "out")
    forger = Forger(out)
    forger.values["from"]["digest"] = "0" * 32
    forger.write_manifest()
    assert any("from" in fault for fault in faults(out))


def test_speech_is_synthesized_once_for_two_codecs(source, tmp_path, monkeypatch):
    def speak(*_):
        raise AssertionError("nothing may be synthesized")

    monkeypatch.setattr(ToneVoice, "speak", speak)
    monkeypatch.setattr(ToneVoice, "__init__", speak)
    reencode(str(source), str(tmp_path / "out"), CODEC)
    assert list(conversations(tmp_path / "out")) == list(conversations(source))


@pytest.mark.parametrize("n_workers", [1, 2])
def test_bytes_do_not_depend_on_workers(source, encoded, tmp_path, n_workers):
    changes = {"tasks": ["three_stream", "parallel"]}
    again = reencode(str(source), str(tmp_path / "out"), CODEC, changes=changes, n_workers=n_workers)
    assert again.digest == encoded[1].digest
    assert tree(tmp_path / "out") == tree(encoded[0])


def test_one_cut_short_at_any_file_goes_on_to_equal_bytes(source, encoded, tmp_path, monkeypatch):
    changes = {"tasks": ["three_stream", "parallel"]}
    keys = [key for key in tree(encoded[0]) if not key.startswith(("manifest", "README", "recipe"))]

    class Died(BaseException):
        pass

    for number, fatal in enumerate(keys[::3]):
        out = tmp_path / f"out{number}"

        def create(store, key, data, fatal=fatal, real=LocalStore.create):
            if key == fatal:
                raise Died
            return real(store, key, data)

        with monkeypatch.context() as patch:
            patch.setattr(LocalStore, "create", create)
            with pytest.raises(Died):
                reencode(str(source), str(out), CODEC, changes=changes)
        assert not (out / MANIFEST).exists()
        reencode(str(source), str(out), CODEC, changes=changes)
        assert tree(out) == tree(encoded[0]), fatal


def test_audio_is_kept_if_requested_and_encoded_back_to_the_first_codes(source, tmp_path):
    """There and back again: what the first tokenizer made is found anew, as far as the conversation went."""
    there, manifest = tmp_path / "there", reencode(str(source), str(tmp_path / "there"), CODEC, keep_audio=True)
    assert manifest.has_audio
    back = reencode(str(there), str(tmp_path / "back"), "tone")
    assert faults(there) == faults(tmp_path / "back") == []
    assert back.vocabulary == Manifest.load(LocalStore(source)).vocabulary
    for name, row in conversations(tmp_path / "back").items():
        first = conversations(source)[name]["user_codes"]
        assert row["user_codes"][: len(first)] == first


def test_it_is_flattened_and_merged_like_any_build(source, encoded, tmp_path):
    manifest = reflatten(str(encoded[0]), str(tmp_path / "flat"), {"tasks": ["two_stream"]})
    assert manifest.encoded == encoded[1].encoded
    assert faults(tmp_path / "flat", encoded[0]) == []
    with pytest.raises(RecipeError, match=r"flatten\.half_duplex is 'whole', but kept audio holds only what is heard"):
        reflatten(str(encoded[0]), str(tmp_path / "whole"), {"half_duplex": "whole"})
    other, _ = made(tmp_path / "other", "mix.keep_audio=true", "flatten.tasks=[asr, three_stream]", n=3)
    second = tmp_path / "second"
    reencode(str(other), str(second), CODEC, changes={"tasks": ["three_stream", "parallel"]})
    merge([str(encoded[0]), str(second)], str(tmp_path / "both"))
    assert faults(tmp_path / "both") == []


def test_a_real_codec_gives_the_codes_of_its_own_encode(source, tmp_path):
    options = tiny.options("mimi")
    reencode(str(source), str(tmp_path / "out"), "mimi", options, {"tasks": ["parallel"]})
    assert faults(tmp_path / "out") == []
    tokenizer = load.speech_tokenizer("mimi", options)
    store = LocalStore(source)
    for file in Manifest.load(store).files("conversations"):
        for streams in streams_of(from_parquet(store.read(file.key), file.key)):
            user, _ = kept_audio(streams, 24_000, 1920)
            row = conversations(tmp_path / "out")[streams.dialogue_id]
            assert row["user_codes"] == tokenizer.encode(user).reshape(-1).tolist()


def test_what_cannot_be_encoded_is_refused(source, encoded, tmp_path):
    mute, _ = made(tmp_path / "mute", "mix.keep_audio=false")
    with pytest.raises(StoreError, match=r"keeps no audio.*mix\.keep_audio=true"):
        reencode(str(mute), str(tmp_path / "out"), CODEC)
    reflatten(str(source), str(tmp_path / "flat"), {"tasks": ["asr"]})
    with pytest.raises(DatagenError, match="encode the build that it was flattened from"):
        reencode(str(tmp_path / "flat"), str(tmp_path / "out"), CODEC)
    with pytest.raises(RecipeError, match="no speech_tokenizer engine 'tone_codebook'"):
        reencode(str(source), str(tmp_path / "out"), "tone_codebook")
    with pytest.raises(RecipeError, match="alignment_takes is 'whole'"):
        reencode(str(source), str(tmp_path / "out"), CODEC, changes={"alignment_takes": "whole"})
    with pytest.raises(RecipeError, match="no voice prompts"):
        reencode(str(source), str(tmp_path / "out"), CODEC, changes={"voice_prompt": True})
    with pytest.raises(RecipeError, match=r"flatten\.codebooks is 9"):
        reencode(str(source), str(tmp_path / "out"), CODEC, changes={"codebooks": 9})
    with pytest.raises(ResumeError, match="is the build to encode"):
        reencode(str(source), str(source), CODEC)
    with pytest.raises(ResumeError, match="holds another build"):
        reencode(str(source), str(encoded[0]), "tone")
    assert not (tmp_path / "out").exists()


def test_a_damaged_source_is_no_reject(source, tmp_path):
    import shutil

    broken = shutil.copytree(source, tmp_path / "source")
    flip(next((broken / "conversations").iterdir()))
    with pytest.raises(StoreError, match="its hash is not the one on record"):
        reencode(str(broken), str(tmp_path / "out"), CODEC)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
def test_ray_gives_the_same_digest(source, encoded, tmp_path, monkeypatch):
    ray = pytest.importorskip("ray")
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100 << 20)
    try:
        changes = {"tasks": ["three_stream", "parallel"]}
        there = reencode(str(source), str(tmp_path / "out"), CODEC, changes=changes, engine="ray")
    finally:
        ray.shutdown()
    assert there.digest == encoded[1].digest
    assert tree(tmp_path / "out") == tree(encoded[0])
