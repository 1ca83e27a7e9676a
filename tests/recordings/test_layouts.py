"""Channels of recordings: stereo files, pairs, Lhotse manifests of the documented form, and what is refused."""

import json

import numpy as np
import pytest
import soundfile

from datagen.errors import SourceError
from datagen.recipe.recordings_config import RecordingsConfig
from datagen.records import Dialogue, Reject
from datagen.sources.recordings.catalogue import Catalogue
from datagen.sources.recordings.talks import conversations
from tests.recordings.corpus import TALK, sound, supervisions


def config(folder, **values) -> RecordingsConfig:
    defaults = {"corpus": "test", "licence": "CC0-1.0", "min_segment_seconds": 5, "transcripts": ["sup.jsonl"]}
    return RecordingsConfig.model_validate({"path": str(folder), **defaults, **values})


def planned(folder, **values) -> list[Dialogue | Reject]:
    return list(conversations(Catalogue(config(folder, **values)), 24_000))


def write_lines(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def lhotse_recording(name, source="sound/call1.wav", rate=8000, kind="file", channels=(0, 1), **more):
    """As `lhotse.Recording.to_dict` gives them."""
    sources = [{"type": kind, "channels": list(channels), "source": source}]
    return {
        "id": name,
        "sources": sources,
        "sampling_rate": rate,
        "num_samples": 11 * rate,
        "duration": 11.0,
        "channel_ids": list(channels),
        **more,
    }


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sound").mkdir()
    soundfile.write(tmp_path / "sound" / "call1.wav", sound(TALK, 11.0), 8000)
    write_lines(tmp_path / "sup.jsonl", supervisions("call1", TALK, ("ann", "bob")))
    return tmp_path


def summary(talk):
    r = talk.recorded
    return [(side.file, side.channel, side.speaker, side.sample_rate_hz) for side in (r.user, r.assistant)]


def test_pairs_are_of_one_name_and_two_speakers(folder):
    for k, name in enumerate(("ann", "bob")):
        soundfile.write(folder / "sound" / f"x_call1_{name}.wav", sound(TALK, 11.0, 16_000)[:, k], 16_000)
    (folder / "sound" / "call1.wav").unlink()
    names = r"sound/x_(?P<recording>[^_]+)_(?P<speaker>[^_]+)"
    one, other = planned(folder, layout="pairs", names=names)
    assert summary(one) == [("sound/x_call1_bob.wav", 0, "bob", 16_000), ("sound/x_call1_ann.wav", 0, "ann", 16_000)]
    assert (one.id, other.id) == ("call1.0000.A", "call1.0000.B")


def test_a_lhotse_manifest_of_the_form_of_fisher(folder):
    """One file with two channels at 8 kHz; the channel of each supervision and its speaker's number."""
    write_lines(folder / "rec.jsonl", [lhotse_recording("call1")])
    write_lines(folder / "sup.jsonl", supervisions("call1", TALK, ("1234", "5678")))
    one, other = planned(folder, layout="lhotse", manifest="rec.jsonl")
    assert summary(one) == [("sound/call1.wav", 1, "5678", 8000), ("sound/call1.wav", 0, "1234", 8000)]
    assert {t.role for t in one.transcript if t.text == "mm hm"} == {"assistant"}
    assert {t.role for t in other.transcript if t.text == "mm hm"} == {"user"}


def test_a_lhotse_manifest_of_the_form_of_oto_speech(folder):
    """All supervisions name channel 0, and a lazy resampling: the sound tells whose channel it is."""
    transform = {"name": "Resample", "kwargs": {"source_sampling_rate": 44100, "target_sampling_rate": 8000}}
    write_lines(folder / "rec.jsonl", [lhotse_recording("call1", transforms=[transform])])
    lines = [line | {"channel": 0} for line in supervisions("call1", TALK, ("zed", "abe"), words=True)]
    write_lines(folder / "sup.jsonl", lines)
    one, _ = planned(folder, layout="lhotse", manifest="rec.jsonl")
    assert [t.role for t in one.transcript[:2]] == ["assistant", "user"]
    assert one.transcript[0].words[0].text == "can"
    assert {v.speaker for v in Catalogue(config(folder, layout="lhotse", manifest="rec.jsonl")).voices().values()} == {
        "test/call1-A",
        "test/call1-B",
    }


def test_two_mono_files_of_one_lhotse_recording(folder):
    for k in (0, 1):
        soundfile.write(folder / "sound" / f"c{k}.wav", sound(TALK, 11.0)[:, k], 8000)
    sources = [{"type": "file", "channels": [k], "source": f"sound/c{k}.wav"} for k in (1, 0)]
    write_lines(folder / "rec.jsonl", [lhotse_recording("call1") | {"sources": sources}])
    one, _ = planned(folder, layout="lhotse", manifest="rec.jsonl")
    assert [(side.file, side.channel) for side in (one.recorded.assistant, one.recorded.user)] == [
        ("sound/c0.wav", 0),
        ("sound/c1.wav", 0),
    ]


@pytest.mark.parametrize(
    ("recording", "reason"),
    [
        (lhotse_recording("call1", kind="command", source="touch here"), "not_a_file"),
        (lhotse_recording("call1", transforms=[{"name": "Speed"}]), "transform"),
        (lhotse_recording("call1", channels=(0,)), "not_two_channels"),
    ],
)
def test_sources_that_cannot_be_used_are_rejected_by_name(folder, recording, reason):
    write_lines(folder / "rec.jsonl", [recording])
    (found,) = planned(folder, layout="lhotse", manifest="rec.jsonl")
    assert (found.reason, found.stage) == (reason, "source")
    assert not (folder / "here").exists()


def test_a_manifest_names_no_file_outside_the_folder(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other") / "secret.wav"
    soundfile.write(other, sound(TALK, 11.0), 8000)
    for source in (str(other), f"../{other.parent.name}/secret.wav"):
        write_lines(folder / "rec.jsonl", [lhotse_recording("call1", source=source)])
        with pytest.raises(SourceError, match=r"rec\.jsonl, line 1: .* is outside input\.recordings\.path"):
            planned(folder, layout="lhotse", manifest="rec.jsonl")


def test_a_mono_file_and_a_broken_one_are_rejected_and_cost_nothing_else(folder):
    soundfile.write(folder / "sound" / "mono.wav", np.zeros(8000, np.float32), 8000)
    (folder / "sound" / "broken.wav").write_bytes(b"RIFF no sound")
    found = planned(folder)
    assert {r.dialogue_id: r.reason for r in found if isinstance(r, Reject)} == {
        "mono": "not_two_channels",
        "broken": "broken_sound",
    }
    assert sum(isinstance(r, Dialogue) for r in found) == 2
    assert [r.record for r in found] == [0, 1, 2, 3]


def test_three_speakers_are_not_two(folder):
    lines = supervisions("call1", TALK, ("ann", "bob"))
    write_lines(folder / "sup.jsonl", [*lines, lines[0] | {"speaker": "cy"}])
    (found,) = planned(folder)
    assert (found.reason, found.detail) == ("not_two_speakers", "speakers ann, bob, cy")


def test_speakers_without_a_channel_need_a_table_if_the_sound_does_not_tell(folder):
    soundfile.write(folder / "sound" / "call1.wav", np.tile(sound(TALK, 11.0)[:, :1], 2), 8000)
    lines = [line | {"channel": 0} for line in supervisions("call1", TALK, ("ann", "bob"))]
    write_lines(folder / "sup.jsonl", lines)
    (found,) = planned(folder)
    assert found.reason == "unknown_channels"
    (folder / "who.csv").write_text("recording,channel,speaker\ncall1,1,ann\ncall1,0,bob\n")
    one, _ = planned(folder, speakers="who.csv")
    assert one.recorded.assistant.speaker == "bob"


def test_names_that_agree_with_no_transcript_are_explained(folder):
    write_lines(folder / "sup.jsonl", supervisions("other", TALK, ("ann", "bob")))
    with pytest.raises(SourceError, match="transcripts name other, sound files call1; set `names`"):
        planned(folder)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"layout": "lhotse"}, "set both or neither"),
        ({"names": "(?P<x>.*)"}, "names lacks the groups recording"),
        ({"names": "("}, "names is no regular expression"),
        ({"transcripts": ["../x.ctm"]}, "'../x.ctm' is not a path below `path`"),
        ({"min_segment_seconds": 500}, "min_segment_seconds is above"),
    ],
)
def test_values_that_contradict_each_other_are_refused(tmp_path, values, message):
    with pytest.raises(ValueError, match=message):
        config(tmp_path, **values)
