"""The labels of a build, scored by themselves."""

import numpy as np
import pytest

from datagen.errors import DatagenError
from datagen.evaluate.scored_rows import Layout
from datagen.evaluate.scores import TurnScores, oracle
from datagen.shards.layout import ChunkLayout
from datagen.shards.store import LocalStore
from tests.run.builds import made

LAYOUT = Layout(ChunkLayout(n_speech=2, n_text=1), silence_ids=(7,), frame_ms=40)


def row(assistant: list[int], **labels) -> dict:
    """A row of chunks of 2 user, 1 text and 2 assistant tokens, with labels as places in the assistant's stream."""
    ids = np.full((len(assistant) // 2, 5), 99, np.int32)
    ids[:, 3:] = np.array(assistant).reshape(-1, 2)
    positions = np.arange(ids.size).reshape(ids.shape)[:, 3:].reshape(-1)
    kinds, roles = labels.pop("kinds", []), labels.pop("roles", [])
    at = {name: positions[labels.pop(name, [])] for name in ("user_turn_ends", "barge_ins", "event_starts")}
    ends = np.array([positions[k] if k < len(positions) else ids.size for k in labels.pop("event_ends", [])], np.int64)
    assert not labels
    return {"input_ids": ids.reshape(-1), **at, "event_ends": ends, "event_kinds": kinds, "event_roles": roles}


def test_a_row_is_scored_from_its_own_assistant_stream():
    scores = TurnScores(LAYOUT)
    scores.add(row([7, 7, 7, 1, 2, 7], user_turn_ends=[1], barge_ins=[4]))
    table = scores.table()
    assert table["assistant_turn_taking"]["response_ms"]["mean"] == 3 * 40
    assert table["user_turn_taking"]["response_ms"]["mean"] == 2 * 40
    assert (table["n_rows"], table["chunk_ms"]) == (1, 80)


def test_hard_negatives_are_counted_by_kind_and_only_the_users():
    scores = TurnScores(LAYOUT)
    events = {
        "kinds": ["backchannel", "backchannel", "hesitation", "backchannel", "false_start"],
        "roles": ["user", "user", "user", "assistant", "user"],
        "event_starts": [0, 2, 4, 0, 4],
        "event_ends": [2, 6, 6, 1, 8],
    }
    scores.add(row([1, 1, 1, 1, 7, 7, 1, 1], **events))
    assert scores.table()["hard_negatives"] == {
        "backchannel": {"n": 2, "n_errors": 1},
        "hesitation": {"n": 1, "n_errors": 0},
        "false_start": {"n": 1, "n_errors": 1},
    }


@pytest.mark.parametrize("silence", ["special", "codes"])
def test_an_assistant_that_answers_at_once_is_scored_so(tmp_path, silence):
    changes = (
        "timing={profile: omniflatten, assistant_fto: 80, barge_in: {probability: 1, reaction: 200}}",
        "flatten.tasks=[three_stream, two_stream]",
        f"flatten.assistant_silence={silence}",
    )
    out, manifest = made(tmp_path, *changes, n=12)
    found = oracle(LocalStore(out), manifest)
    assert set(found) == {"three_stream", "two_stream"}
    for scores in found.values():
        turns, barge_ins = scores["assistant_turn_taking"], scores["user_turn_taking"]
        assert turns["n"] > 0
        assert turns["acc_within"]["5"] == 1
        assert 80 <= turns["response_ms"]["mean"] <= 120  # 80 ms, the end within a frame, and one token counts as K = 1
        assert barge_ins["n"] > 0
        assert 200 <= barge_ins["response_ms"]["median"] <= 280
        assert scores["chunk_ms"] == 400
    assert found["three_stream"]["assistant_turn_taking"] == found["two_stream"]["assistant_turn_taking"]


def test_a_build_without_full_duplex_rows_is_an_error(tmp_path):
    out, manifest = made(tmp_path, "flatten.tasks=[asr]", n=4)
    with pytest.raises(DatagenError, match="no rows of three_stream or two_stream; it has asr"):
        oracle(LocalStore(out), manifest)
