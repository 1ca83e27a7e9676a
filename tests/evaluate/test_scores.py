"""Turn-taking scores against counting by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.evaluate.scores import Responses, swayed, tokens_until
from datagen.shards.layout import ChunkLayout

masks = st.lists(st.booleans(), min_size=1, max_size=60).map(np.array)


def stream(text: str) -> np.ndarray:
    """`.` silent, `x` speaking."""
    return np.array([c == "." for c in text])


@given(masks, st.lists(st.integers(0, 59), max_size=5))
def test_tokens_until_counts_from_the_place(wanted, at):
    at = [place for place in at if place < len(wanted)]
    for place, took in zip(at, tokens_until(wanted, np.array(at, np.int64)), strict=True):
        expected = next((k + 1 for k, here in enumerate(wanted[place:]) if here), 0)
        assert took == expected


@given(st.integers(1, 12), st.integers(0, 4), st.integers(1, 9), st.integers(1, 9))
def test_frames_undo_positions_of_every_frame(n_speech, n_text, n_codebooks, n_chunks):
    layout = ChunkLayout(n_speech, n_text, n_codebooks)
    n_own = n_speech * n_codebooks
    assert layout.width == 2 * n_own + n_text
    speech = np.arange(n_chunks * layout.width).reshape(n_chunks, layout.width)[:, -n_own:].reshape(-1, n_codebooks)
    frames = np.arange(n_chunks * n_speech)
    assert layout.positions(frames).tolist() == speech[:, 0].tolist()
    assert [layout.frames(of_codebook).tolist() for of_codebook in speech.T] == [frames.tolist()] * n_codebooks
    assert layout.frames(np.array([n_chunks * layout.width])).tolist() == [n_chunks * n_speech]


def test_at_and_within_differ_where_speech_stops_again():
    scores = Responses(frame_ms=40)
    scores.add(~stream("..x.................................."), np.array([0]))
    table = scores.table()
    assert table["acc_at"] == {"1": 0, "5": 0, "10": 0, "25": 0}
    assert table["acc_within"] == {"1": 0, "5": 1, "10": 1, "25": 1}
    assert table["response_ms"]["mean"] == 120


def test_response_times_are_means_over_successes_and_the_rest_are_failures():
    scores = Responses(frame_ms=40)
    late = "." * 37 + "x"  # token 38 is 1,520 ms
    just = "." * 36 + "x"  # token 37 is 1,480 ms
    for text in ("x", "..x", just, late, "." * 50):
        scores.add(~stream(text), np.array([0]))
    table = scores.table()
    assert (table["n"], table["n_failures"]) == (5, 2)
    assert table["response_ms"]["mean"] == pytest.approx((40 + 120 + 1480) / 3)
    assert table["acc_within"] == {"1": 0.2, "5": 0.4, "10": 0.4, "25": 0.4}


def test_a_row_that_ends_too_early_counts_as_failed():
    scores = Responses(frame_ms=40)
    scores.add(~stream("xxx"), np.array([1]))
    assert scores.table()["acc_at"] == {"1": 1, "5": 0, "10": 0, "25": 0}


def test_nothing_to_score_has_no_shares():
    table = Responses(frame_ms=40).table()
    assert (table["n"], table["acc_at"]["1"], table["response_ms"]["mean"]) == (0, None, None)


@pytest.mark.parametrize(
    ("text", "start", "end", "expected"),
    [
        ("xxxxxx", 2, 4, False),
        ("xxx..x", 2, 4, True),
        ("xxxx..", 2, 4, False),  # stops only after the event
        ("......", 2, 4, False),
        ("...x..", 2, 4, True),
        ("x..xxx", 1, 3, False),  # had stopped as the event began
        ("xx", 2, 2, False),  # begins where the row ends
    ],
)
def test_hard_negatives_must_change_nothing(text, start, end, expected):
    assert swayed(stream(text), np.array([start]), np.array([end])).tolist() == [expected]
