"""One tiny dialogue comes out as it always did, to the last token. A change on purpose: `make golden`."""

import json

from tests.golden.refresh import FILE, golden


def test_the_tiny_dialogue_is_what_it_was(tmp_path):
    assert golden(tmp_path) == FILE.read_text("utf-8"), (
        "if it is meant to differ: raise DATA_VERSION, run `make golden`"
    )


def test_the_golden_file_shows_what_matters():
    """A golden file without an interruption, a reject or a late text would hold little."""
    values = json.loads(FILE.read_text("utf-8"))
    (conversation,) = values["conversations"]
    assert [event["kind"] for event in conversation["events"]] == ["gap", "barge_in", "next_turn", "gap"]
    assert conversation["utterances"][1]["unsaid"]
    assert conversation["utterances"][1]["rest_codes"]
    assert {"asr", "tts", "four_stream", "three_stream", "two_stream", "rejects"} <= set(values)
    assert values["three_stream"][0]["barge_ins"]
    assert values["three_stream"][0]["n_late_text_tokens"] > 0
    assert values["three_stream"][0]["n_dropped_text_tokens"] > 0
