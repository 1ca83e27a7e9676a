"""Conventions: rates, roles, kinds, segments, selections."""

import numpy as np
import pytest

from datagen.errors import DatagenError
from datagen.export.clip import encoded, resampled
from datagen.export.convention import Convention, convention_of, kinds, rates, roles
from datagen.export.formats import format_of
from datagen.export.ogg import with_serial
from datagen.export.presets import PRESETS
from datagen.export.segments import Segment, marked, segments
from datagen.export.selection import Selection, condition
from datagen.inspect import Sound
from datagen.records import Event, Mixing, Spoken, Streams, Word


def spoken(role, said, start, end, kind="turn"):
    return Spoken(role, said=said, start_samples=start, end_samples=end, kind=kind, words=(Word(said, start, end),))


TALK = Streams(
    "d",
    utterances=(
        spoken("assistant", "so", 0, 100),
        spoken("user", "mm-hm", 50, 60, "backchannel"),
        spoken("assistant", "yes", 120, 150),
        spoken("user", "and", 160, 170, "attempt"),
        spoken("user", "why", 200, 300),
        spoken("assistant", "mm", 250, 260, "backchannel"),
        spoken("assistant", "", 400, 500),
        spoken("assistant", "cut", 600, 600),
    ),
)


def listed(**how):
    found = segments(TALK, Convention(kinds=how))
    return [(s.role, s.text, s.start_samples, s.end_samples) for s in found]


def test_kinds_without_the_floor_are_tagged_merged_or_dropped():
    assert [text for _, text, _, _ in listed()] == ["so", "mm-hm", "yes", "and", "why", "mm"]
    assert [text for _, text, _, _ in listed(backchannel="drop")] == ["so", "yes", "and", "why"]
    assert listed(backchannel="merge", attempt="drop") == [
        ("assistant", "so", 0, 100),
        ("user", "mm-hm why", 50, 300),
        ("assistant", "yes mm", 120, 260),
    ]
    assert listed(backchannel="merge", attempt="merge")[1] == ("user", "mm-hm and why", 50, 300)


def test_merged_words_come_along():
    (own,) = [
        s for s in segments(TALK, Convention(kinds={"backchannel": "merge", "attempt": "merge"})) if s.role == "user"
    ]
    assert [word.text for word in own.words] == ["mm-hm", "and", "why"]


def test_a_speaker_who_only_listens_keeps_the_responses():
    alone = Streams("d", utterances=(spoken("user", "mm-hm", 5, 6, "backchannel"),))
    assert [s.text for s in segments(alone, Convention(kinds={"backchannel": "merge"}))] == ["mm-hm"]


def test_marks_are_a_pair_for_each_word_between_spaces():
    words = (Word("New York", 1_920, 5_000), Word("is", 5_760, 7_680))
    segment = Segment("user", "turn", 0, "", "New York is", "", words, 0, 7_680, 0)
    assert marked(segment, 1_920) == "<|1|> New <|3|> <|1|> York <|3|> <|3|> is <|4|>"


@pytest.mark.parametrize("setting", ["user", "user=", "bot=16000", "user=16k", "agent=5", "agent=-16000"])
def test_a_rate_of_another_form_is_refused(setting):
    with pytest.raises(DatagenError, match=r"write user=HZ or agent=HZ"):
        rates([setting])


@pytest.mark.parametrize("names", ["User", "User,", "a,a", "a,b,c"])
def test_two_different_names_are_needed(names):
    with pytest.raises(DatagenError, match=r"write the names of the user and the assistant"):
        roles(names)


@pytest.mark.parametrize("setting", ["turn=drop", "backchannel", "backchannel=keep"])
def test_a_kind_of_another_form_is_refused(setting):
    with pytest.raises(DatagenError, match=r"backchannel"):
        kinds([setting])


def test_values_that_do_not_exist_are_named():
    with pytest.raises(DatagenError, match=r"has no 'codek'.*codec"):
        convention_of({"codek": "flac"})
    with pytest.raises(DatagenError, match=r"write flac, wav, opus or codes"):
        convention_of({"codec": "mp3"})


@pytest.mark.parametrize("name", PRESETS)
def test_each_preset_is_a_convention_of_a_format(name):
    preset = PRESETS[name]
    assert convention_of({**format_of(preset.format).defaults, **preset.values})
    assert preset.assumes


def test_resampling_keeps_time_and_level_and_gives_the_same_bytes():
    tone = np.rint(10_000 * np.sin(np.arange(24_000) * 2 * np.pi * 440 / 24_000)).astype(np.int16)[:, None]
    made = resampled(tone, 24_000, 16_000)
    wanted = 10_000 * np.sin(np.arange(16_000) * 2 * np.pi * 440 / 16_000)
    assert np.abs(made[500:-500, 0] - wanted[500:-500]).max() < 20
    assert np.array_equal(made, resampled(tone, 24_000, 16_000))
    assert resampled(tone[:1], 24_000, 22_050).shape == (1, 1)


def test_opus_has_equal_bytes_and_still_plays():
    sound = Sound(np.zeros((24_000, 1), np.int16), 24_000)
    assert sound.encode("opus") != encoded(sound, "opus") == encoded(sound, "opus")
    with pytest.raises(ValueError, match=r"no Ogg file"):
        with_serial(b"RIFF....", 1)


FULL = Streams(
    "d",
    source="a.jsonl",
    split="train",
    language="en",
    n_samples=100,
    events=(Event("gap", "user", 0, 1), Event("barge_in", "user", 5, 9, placed=False)),
    mixing=Mixing(snr_db=12.5),
)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("events.kind=barge_in", True),
        ("events.kind=cough", False),
        ("events.kind!=barge_in", False),
        ("events.placed=false", True),
        ("mixing.snr_db>=12.5", True),
        ("mixing.snr_db>12.5", False),
        ("mixing.babble_snr_db<5", False),
        ("mixing.babble_snr_db!=5", True),
        ("n_samples < 101", True),
        ("source=a.jsonl", True),
        ("judged.safety>1", False),
    ],
)
def test_conditions(text, holds):
    assert condition(text)(FULL) is holds


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("n_sample>1", "there is no 'n_sample'.*n_samples"),
        ("events.kin=x", "there is no 'kin'.*kind"),
        ("source>a", "cannot be compared"),
        ("n_samples=many", "cannot be compared"),
        ("user_codes.x=1", "there is no 'x'"),
        ("__import__('os')", "write COLUMN=VALUE"),
        ("events=1", "cannot be compared"),
        ("user_codes=1", "cannot be compared"),
        ("audio_flac=x", "cannot be compared"),
    ],
)
def test_a_condition_that_is_none_is_refused(text, says):
    with pytest.raises(DatagenError, match=says):
        Selection.of(where=(text,))


def test_a_split_that_is_none_is_refused():
    with pytest.raises(DatagenError, match=r"there is no split 'dev'"):
        Selection.of(("dev",))
