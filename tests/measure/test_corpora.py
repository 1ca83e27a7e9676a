"""Annotations of recordings: each format, errors that name file, line and field, recordings that are left out."""

import gzip
import json
from pathlib import Path

import pytest

from datagen.errors import SourceError
from datagen.measure.corpora import CorpusRecording, read
from datagen.sources.recordings.annotations import segments

TALK = [("call1", "ann", 0.5, 2.0), ("call1", "bob", 2.25, 4.0), ("call1", "ann", 4.5, 5.125)]
"""Recording, speaker, start, end."""


def rttm() -> str:
    rows = (f"SPEAKER {r} 1 {a} {b - a} <NA> <NA> {s} <NA> <NA>" for r, s, a, b in TALK)
    return "\n".join([";; made by hand", "SPKR-INFO call1 1 <NA> <NA> <NA> adult ann <NA> <NA>", *rows])


def ctm() -> str:
    return "\n".join([";; words", *(f"{r} {s} {a} {b - a} word 0.9" for r, s, a, b in TALK)])


def lhotse() -> str:
    """As `lhotse.SupervisionSegment.to_dict` gives them."""
    rows = [
        {"id": f"s{k}", "recording_id": r, "start": a, "duration": b - a, "channel": 0, "text": "word", "speaker": s}
        for k, (r, s, a, b) in enumerate(TALK)
    ]
    return "\n".join(map(json.dumps, rows))


def table() -> str:
    return "\n".join(["recording,speaker,start,end,text", *(f"{r},{s},{a},{b},word" for r, s, a, b in TALK)])


FORMATS = {"talk.rttm": rttm(), "talk.ctm": ctm(), "talk.jsonl": lhotse(), "talk.csv": table()}


def recordings(*paths: Path) -> tuple[list[CorpusRecording], list[str]]:
    messages: list[str] = []
    return list(read(map(str, paths), messages.append)), messages


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("named", [True, False])
def test_every_format_gives_the_same_recording(tmp_path, name, packed, named):
    path = tmp_path / ((name if named else "talk.txt") + (".gz" if packed else ""))
    data = FORMATS[name].encode()
    path.write_bytes(gzip.compress(data) if packed else data)
    ((recording,), messages) = recordings(path)
    ann, bob = recording.speakers
    assert (recording.name, recording.n_ms, messages) == ("call1", 4625, [])
    assert ann.turns.tolist() == [[0, 1500], [4000, 4625]]
    assert bob.turns.tolist() == [[1750, 3500]]


def test_a_channel_stands_for_the_speaker_where_none_is_named(tmp_path):
    path = tmp_path / "s.jsonl"
    path.write_text('{"recording_id": "r", "start": 1, "duration": 1, "channel": 1}')
    (found,) = segments(str(path))
    assert (found.speaker, found.start_ms, found.end_ms, found.n_words) == ("1", 1000, 2000, None)


def test_a_recording_may_lie_in_two_files(tmp_path):
    for side in "AB":
        (tmp_path / f"{side}.ctm").write_text(f"call {side} {'AB'.index(side)} 0.5 hello")
    ((recording,), _) = recordings(tmp_path / "A.ctm", tmp_path / "B.ctm")
    assert [speaker.turns.tolist() for speaker in recording.speakers] == [[[0, 500]], [[1000, 1500]]]


def test_recordings_without_two_speakers_are_left_out_with_a_message(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(
        "recording,speaker,start,end\nsolo,ann,0,1\n" + "\n".join(f"trio,s{k},{k},{k + 1}" for k in range(3))
    )
    found, messages = recordings(path)
    assert found == []
    assert messages == [
        "recording 'solo' has 1 speakers (ann), not two: left out",
        "recording 'trio' has 3 speakers (s0, s1, s2), not two: left out",
    ]


def test_short_words_inside_the_others_turn_are_backchannels_unless_they_are_many(tmp_path):
    def backchannels(text: str) -> list[list[int]]:
        path = tmp_path / "t.csv"
        path.write_text(f"recording,speaker,start,end,text\nr,ann,0,9,a b c\nr,bob,4,4.5,{text}\n")
        ((recording,), _) = recordings(path)
        return recording.speakers[1].backchannels.tolist()

    assert backchannels("oh I see") == [[4000, 4500]]
    assert backchannels("no not at all") == []


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "a.rttm",
            "SPEAKER r 1 x 1 <NA> <NA> s <NA> <NA>",
            "a.rttm, line 1: start is 'x', must be a number",
        ),
        ("a.rttm", "SPEAKER r 1 0 1", "a.rttm, line 1: 5 fields"),
        ("a.ctm", "r A 0 nan word", "a.ctm, line 1: duration is 'nan'"),
        ("a.ctm", "\nr A 0 1", "a.ctm, line 2: 4 fields"),
        ("a.jsonl", "{}\n", "a.jsonl, line 1: field 'recording_id' is missing"),
        ("a.jsonl", '{"a"', "a.jsonl, line 1: not valid JSON"),
        ("a.jsonl", "[1]", "a.jsonl, line 1: a supervision is a JSON object, not list"),
        ("a.csv", "recording,speaker,start\n", "a.csv, line 1: column 'end' is missing"),
        ("a.csv", "recording,speaker,start,end\nr,s,2,1\n", "a.csv, line 2: end 1 is before start 2"),
        (
            "a.csv",
            "recording,speaker,start,end\nr,s,-1,1\n",
            "a.csv, line 2: start is '-1', must be a number",
        ),
        ("a.csv", "recording,speaker,start,end\nr,s\n", "a.csv, line 2: the line has fewer fields"),
        ("a.txt", "hello world", "a.txt: not RTTM, CTM, Lhotse"),
        ("a.txt.gz", "hello", "a.txt.gz: Not a gzipped file"),
        ("a.csv", "\udcff", "a.csv is damaged or not UTF-8 text"),
    ],
)
def test_errors_name_file_line_and_field(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(SourceError) as error:
        list(segments(str(path)))
    assert message in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"cannot read .*gone\.rttm: No such file"):
        list(segments(str(tmp_path / "gone.rttm")))
