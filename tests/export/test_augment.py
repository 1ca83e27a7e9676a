"""Augmented exports: sound, utterances, words and events change together, and labels stay true."""

import json
from dataclasses import fields, is_dataclass, replace
from io import BytesIO
from typing import get_args, get_type_hints

import numpy as np
import pytest
import soundfile

import datagen.inspect
from datagen.errors import DatagenError
from datagen.export.augment import at_speed, augmentation, cannot_swap, swapped
from datagen.export.clip import ExportClip
from datagen.export.convention import Convention
from datagen.records import Event, Mixing, Spoken, StoredCall, Streams, VoicePrompt, Word, unit
from tests.export.conftest import needing, send
from tests.run.builds import made
from tests.shared import shared

SECOND = 24_000
CODES = np.arange(2, dtype=np.uint16)
TALK = Streams(
    "tea",
    n_samples=10 * SECOND,
    user_codes=CODES,
    assistant_codes=CODES,
    utterances=(
        Spoken(
            "user",
            start_samples=SECOND,
            end_samples=3 * SECOND,
            n_cut_samples=SECOND,
            offset_samples=-SECOND,
            words=(Word("tea", SECOND, 2 * SECOND),),
            id_starts_samples=np.array([0, SECOND], np.int32),
            rest_codes=CODES,
            rest_start_frames=3,
        ),
        Spoken("assistant", start_samples=4 * SECOND, end_samples=9 * SECOND),
    ),
    events=(Event("gap", "assistant", 3 * SECOND, 4 * SECOND, 1),),
    mixing=Mixing(user_gain_db=-3.0, assistant_gain_db=2.0, drift_period_samples=9_000, echo_delay_samples=3_000),
)


@pytest.fixture(scope="module")
def clean_out(tmp_path_factory):
    """A build whose channels have nothing but speech."""
    quiet = ("mix.keep_audio=true", "mix.noise_probability=0", "timing.profile=half_duplex")
    return shared(tmp_path_factory, "augment", lambda folder: made(folder, *quiet)) / "out"


def test_roles_are_exchanged_with_labels_and_sound(clean_out):
    for talk in datagen.inspect.open(str(clean_out)).conversations():
        right, other = ExportClip.of(talk, Convention()), ExportClip.of(talk, Convention(swap=True))
        assert [(s.role, s.text, s.start_samples) for s in other.segments] == [
            ({"user": "assistant", "assistant": "user"}[s.role], s.text, s.start_samples) for s in right.segments
        ]
        assert np.array_equal(other.sound("user").samples, right.sound("assistant").samples)
        assert np.array_equal(other.sound("assistant").samples, right.sound("user").samples)
        assert [event.role for event in other.talk.streams.events] != [event.role for event in talk.streams.events]
        assert other.name != right.name


def test_twice_swapped_is_the_same_again():
    twice = swapped(swapped(TALK))
    assert [u.role for u in twice.utterances] == ["user", "assistant"]
    assert (twice.events, twice.mixing) == (TALK.events, TALK.mixing)


@pytest.mark.parametrize(
    ("streams", "reason"),
    [
        (Streams("d", system="Be brief."), "a prompt or a tool"),
        (Streams("d", voice_prompt=VoicePrompt("v", "t", CODES)), "a prompt or a tool"),
        (Streams("d", tool_calls=(StoredCall(0),)), "a prompt or a tool"),
        (Streams("d", mixing=Mixing(noise="pink", snr_db=20.0)), "the user's channel has noise"),
        (Streams("d", events=(Event("user_silent", "user", 0, 1),)), "an event that only one role"),
        (replace(TALK, mixing=Mixing(user_gain_db=-3.0, assistant_gain_db=2.0)), ""),
    ],
)
def test_roles_are_exchanged_only_where_both_may_have_the_other(streams, reason):
    assert cannot_swap(streams).startswith(reason) and bool(cannot_swap(streams)) == bool(reason)


def test_conversations_whose_roles_cannot_be_exchanged_are_counted(out, tmp_path):
    sent = send(out, tmp_path / "to", "lhotse", swap=True)
    whole = send(out, tmp_path / "whole", "lhotse")
    left_out = sum(n for name, n in sent.counts.items() if name.startswith("conversations left out"))
    assert sum(sent.n_conversations.values()) + left_out == sum(whole.n_conversations.values())
    assert left_out > 0


def times(record, name=""):
    """Every value of a record that is a number of samples, with the path to it."""
    hints = get_type_hints(type(record), include_extras=True)
    for field in fields(record):
        value, kind = getattr(record, field.name), hints[field.name]
        metas = [meta for each in (kind, *get_args(kind)) for meta in getattr(each, "__metadata__", ())]
        path = f"{name}.{field.name}"
        if any(meta.extra and str(meta.extra.get("unit", "")).startswith("samples") for meta in metas):
            yield path, value
        for k, part in enumerate(value if isinstance(value, tuple) else (value,)):
            if is_dataclass(part):
                yield from times(part, f"{path}[{k}]")


def test_every_time_of_a_conversation_is_at_the_new_speed():
    assert unit("samples").extra["unit"] == "samples"  # what `times` looks for
    before = dict(times(TALK))
    after = dict(times(at_speed(TALK, 0.8)))
    assert set(before) == set(after) and len(before) > 12
    for name, value in before.items():
        assert np.array_equal(np.asarray(after[name]), np.round(np.asarray(value) / 0.8)), name


def test_sound_and_labels_have_one_speed(clean_out, tmp_path):
    output = datagen.inspect.open(str(clean_out))
    send(clean_out, tmp_path / "slow", "moshi", speed=0.8)
    lines = [json.loads(line) for line in (tmp_path / "slow/train/data.jsonl").read_text().splitlines()]
    talks = {ExportClip.of(t, Convention(speed=0.8)).name: t for t in output.conversations("train")}
    assert len(lines) == len(talks) > 0
    for line in lines:
        talk = talks[line["path"].split("/")[1].removesuffix(".flac")]
        samples, rate = soundfile.read(str(tmp_path / "slow/train" / line["path"]), dtype="int16")
        assert (len(samples), rate) == (round(talk.streams.n_samples / 0.8), 24_000)
        about = json.loads((tmp_path / "slow/train" / line["path"]).with_suffix(".json").read_bytes())
        own = talk.words[talk.words["role"] == "assistant"]
        assert [round(start * 24_000) for _, (start, _), _ in about["alignments"]] == [
            round(start / 0.8) for start in sorted(own["start_samples"])
        ]
        quiet, loud = talk.audio.samples[:, 1], samples[:, 0]
        first, begin = np.flatnonzero(np.abs(quiet) > 500)[0], np.flatnonzero(np.abs(loud) > 500)[0]
        assert abs(begin - first / 0.8) < 240  # speech begins where its label says


def test_noise_is_in_the_users_channel_alone_at_the_level_requested(clean_out):
    for talk in datagen.inspect.open(str(clean_out)).conversations():
        clean, noisy = (
            ExportClip.of(talk, c).stereo(("user", "assistant")) for c in (Convention(), Convention(noise_db=10))
        )
        assert np.array_equal(clean.samples[:, 1], noisy.samples[:, 1])
        noise = noisy.samples[:, 0].astype(float) - clean.samples[:, 0]
        speech = np.concatenate(
            [clean.samples[u.start_samples : u.end_samples, 0] for u in talk.streams.utterances if u.role == "user"]
        )
        against = 20 * np.log10(np.sqrt(np.mean(speech.astype(float) ** 2)) / np.sqrt(np.mean(noise**2)))
        assert abs(against - 10) < 1.5
        again = ExportClip.of(talk, Convention(noise_db=10)).stereo(("user", "assistant"))
        assert np.array_equal(again.samples, noisy.samples)


@pytest.mark.parametrize(
    "format", [needing("shar"), needing("datasets"), needing("chat"), needing("full-duplex-bench")]
)
def test_all_together_in_every_kind_of_format_with_equal_bytes(clean_out, tmp_path, format):
    values = {"swap": True, "speed": 1.1, "noise_db": 20.0}
    sent = send(clean_out, tmp_path / "a", format, **values)
    assert sent.digest == send(clean_out, tmp_path / "b", format, **values).digest
    assert sum(sent.n_conversations.values()) > 0


@pytest.mark.parametrize("format", ["megatron", "preference"])
def test_tokens_are_not_augmented(clean_out, tmp_path, format):
    with pytest.raises(DatagenError, match="holds the tokens of the build, and --augment changes sound"):
        send(clean_out, tmp_path / "to", format, speed=0.9)


def test_levels_of_noise_are_told_apart_by_name(clean_out):
    (talk, *_) = datagen.inspect.open(str(clean_out)).conversations()
    names = {ExportClip.of(talk, Convention(noise_db=level)).name for level in (None, 10, 20)}
    assert len(names) == 3


@pytest.mark.parametrize("setting", ["swop", "speed", "speed=3", "speed=nan", "noise=x", "swap=1", ""])
def test_other_augmentations_are_named(setting):
    with pytest.raises(DatagenError, match=r"write swap, speed=0.5 to 2, or noise=-10 to 60"):
        augmentation([setting])


def test_a_sound_file_is_read_back(clean_out, tmp_path):
    """A swapped channel is a view in reverse; the file holds it in the right order."""
    (talk, *_) = datagen.inspect.open(str(clean_out)).conversations()
    clip = ExportClip.of(talk, Convention(swap=True))
    samples, _ = soundfile.read(BytesIO(clip.encoded(clip.stereo(("user", "assistant")))), dtype="int16")
    assert np.array_equal(samples[:, 0], talk.audio.samples[:, 1])
