"""Long recordings are cut at joint silences into conversations of a stated length."""

import json
from itertools import pairwise

import soundfile
from hypothesis import given
from hypothesis import strategies as st

from datagen.intervals import bridge, intervals
from datagen.records import Dialogue
from datagen.sources.recordings.cutting import cut, silences
from tests.recordings.corpus import TALK, shifted, sound, supervisions
from tests.recordings.test_layouts import planned

N_TALKS, EACH_S = 6, 12.0


@given(st.lists(st.tuples(st.integers(1, 400), st.integers(1, 3000)), max_size=40), st.integers(500, 20_000))
def test_parts_cover_a_recording_and_cut_no_speech(gaps, longest):
    speech, at = [], 0
    for silence, length in gaps:
        speech.append((at + silence, at + silence + length))
        at += silence + length
    n_ms, joined = at + 100, bridge(intervals(speech), 1)
    parts = cut(silences(joined, n_ms, 200), n_ms, longest, 300)
    assert parts[0][0] == 0
    assert parts[-1][1] == n_ms
    assert all(a[1] == b[0] for a, b in pairwise(parts))
    assert not any(start < edge < end for edge, _ in parts[1:] for start, end in joined.tolist())


def long_call(folder, with_transcript=True):
    talk = [said for k in range(N_TALKS) for said in shifted(TALK, k * EACH_S)]
    (folder / "sound").mkdir(parents=True)
    soundfile.write(folder / "sound" / "long.wav", sound(talk, N_TALKS * EACH_S), 8000)
    lines = supervisions("long", talk, ("ann", "bob")) if with_transcript else []
    (folder / "sup.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_parts_have_the_stated_length_and_all_of_the_transcript(tmp_path):
    long_call(tmp_path)
    found = planned(tmp_path, segment_seconds=30, assistant="second")
    assert [talk.id for talk in found] == [f"long.{k:04d}.B" for k in range(len(found))]
    lengths = [talk.recorded.n_samples / 24_000 for talk in found]
    assert max(lengths) <= 30
    assert abs(sum(lengths) - N_TALKS * EACH_S) < 0.01
    assert sum(len(talk.transcript) for talk in found) == N_TALKS * len(TALK)
    starts = [talk.recorded.start_samples for talk in found]
    assert all(start % 3 == 0 for start in starts), "whole samples at 8 kHz too"
    for talk in found:
        assert all(0 <= t.start_samples < t.end_samples <= talk.recorded.n_samples for t in talk.transcript)


def test_without_a_transcript_the_level_of_both_channels_decides(tmp_path):
    long_call(tmp_path, with_transcript=False)
    recognizer = {"name": "tests.recordings.engines:Parrot"}
    found = planned(tmp_path, segment_seconds=30, assistant="first", transcripts=[], recognizer=recognizer)
    assert all(isinstance(talk, Dialogue) and not talk.transcript for talk in found)
    talk = [said for k in range(N_TALKS) for said in shifted(TALK, k * EACH_S)]
    cuts = [talk.recorded.start_samples / 24_000 for talk in found[1:]]
    assert cuts
    assert not any(start < edge < end for edge in cuts for _, start, end, _ in talk)


def test_parts_too_short_or_of_one_speaker_are_rejected(tmp_path):
    long_call(tmp_path)
    (found,) = planned(tmp_path, segment_seconds=100, min_segment_seconds=80)
    assert (found.dialogue_id, found.reason) == ("long.0000", "too_short")
