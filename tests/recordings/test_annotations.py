"""Transcripts with words: every format gives the same words and times; errors name file and field."""

import gzip
import json

import pytest

from datagen.errors import SourceError
from datagen.sources.recordings.annotations import Segment, TimedWord, segments
from datagen.sources.recordings.annotations_json import OF_FILE

WORDS = (TimedWord("good", 500, 800), TimedWord("day", 900, 1250))
CTM = "call1 A 0.5 0.3 good\ncall1 A 0.9 0.35 day\n"
OURS = {
    "recording": "call1",
    "segments": [
        {
            "speaker": "A",
            "start": 0.5,
            "end": 1.25,
            "text": "good day",
            "words": [["good", 0.5, 0.8], ["day", 0.9, 1.25]],
        }
    ],
}
SEGLST = [
    {
        "session_id": "call1",
        "speaker": "A",
        "start_time": 0.5,
        "end_time": 1.25,
        "words": "good day",
        "word_alignment": [["good", 0.5, 0.8], ["day", 0.9, 1.25]],
    }
]
LHOTSE = {
    "recording_id": "call1",
    "start": 0.5,
    "duration": 0.75,
    "channel": 0,
    "speaker": "A",
    "text": "good day",
    "alignment": {"word": [["good", 0.5, 0.3, 0.9], ["day", 0.9, 0.35, None]]},
}


def read(tmp_path, name, text):
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return list(segments(str(path)))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("call1.json", json.dumps(OURS)),
        ("all.json.gz", json.dumps([OURS])),
        ("seglst.json", json.dumps(SEGLST)),
        ("all.jsonl", json.dumps(LHOTSE)),
    ],
)
def test_formats_with_words_give_the_same_segment(tmp_path, name, text):
    (found,) = read(tmp_path, name, text)
    assert (found.recording, found.speaker, found.start_ms, found.end_ms) == ("call1", "A", 500, 1250)
    assert (found.text, found.words) == ("good day", WORDS)


def test_each_word_of_ctm_is_a_segment(tmp_path):
    assert [segment.words[0] for segment in read(tmp_path, "all.ctm", CTM)] == list(WORDS)


def test_seamless_files_are_of_one_speaker(tmp_path):
    words = [{"word": "good", "start": 0.5, "end": 0.8, "score": 1}, {"word": "day", "start": 0.9, "end": 1.25}]
    told = {"metadata:transcript": [{"start": 0.5, "end": 1.25, "transcript": "good day", "words": words}]}
    (found,) = read(tmp_path, "V1_S2_P3.json", json.dumps(told | {"metadata:vad": []}))
    assert (found.recording, found.speaker, found.text, found.words) == ("V1_S2_P3", OF_FILE, "good day", WORDS)


def test_a_table_may_name_no_recording_and_other_columns(tmp_path):
    """As CANDOR has them."""
    (found,) = read(tmp_path, "c1.csv", "turn_id,speaker,start,stop,utterance\n0,ann,0.5,1.25,good day\n")
    assert found == Segment("c1", "ann", 500, 1250, "good day")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", "{", "a.json: not valid JSON"),
        ("a.json", "[3]", "a.json, item 0: it must be a JSON object, not int"),
        ("a.json", '{"x": 1}', "a.json: no known shape of a transcript"),
        ("a.json", '{"segments": 3}', "a.json: segments must be a list, not int"),
        ("a.json", '{"segments": [{"start": 1, "end": 2}]}', "a.json, segments 0: field 'speaker' is missing"),
        ("a.json", '{"segments": [{"speaker": "A", "start": 1, "end": 2, "words": [["a", 1]]}]}', "a word must be"),
        ("a.json", '{"segments": [{"speaker": "A", "start": 2, "end": 1}]}', "segments 0: end 1 is before start 2"),
        ("a.json", '{"alignments": [["a", 1, "S"]]}', "a.json, alignment 0: it must be [word, [start, end], speaker]"),
        ("a.jsonl", json.dumps(LHOTSE | {"alignment": {"word": [[1]]}}), "a.jsonl, line 1: alignment.word must be"),
        ("a.jsonl", json.dumps(LHOTSE | {"start": 1e300}), "a.jsonl, line 1: start is '1e+300', must be a number"),
    ],
)
def test_errors_name_file_place_and_field(tmp_path, name, text, message):
    with pytest.raises(SourceError) as error:
        read(tmp_path, name, text)
    assert message in str(error.value)
