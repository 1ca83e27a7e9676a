"""Flattening loses nothing: every code and text id can be read back from the rows."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.errors import RecipeError
from datagen.pipeline.flatten import Flatten
from datagen.recipe import FlattenConfig
from datagen.records import Event, Mixing, Spoken, Streams
from datagen.shards.chunks import windows
from datagen.shards.vocab import Vocabulary

HOP = 960
V = Vocabulary(n_text=1000, special_offset=1000, speech_offset=1010, codebook_size=50)
SILENCE = 3
TS, SS = V["<|text_silence|>"], V["<|speech_silence|>"]


def spoken(role: str, first: int, last: int, n_ids: int, base: int = 0) -> Spoken:
    """An utterance of whole frames [first, last) with text ids base, base+1, ..."""
    ids = np.arange(base, base + n_ids, dtype=np.int32)
    return Spoken(role, "v", "t", "t", "t", "", ids, first * HOP, last * HOP, 0, 0, ())


def streams(n_frames: int, utterances: list[Spoken], events: list[Event] | None = None) -> Streams:
    """A conversation whose code in frame k is k % 50 on both channels (offset by 1 on the assistant's)."""
    codes = np.arange(n_frames, dtype=np.uint16)
    return Streams(
        "d",
        0,
        "s",
        "en",
        "train",
        n_frames * HOP,
        codes % 50,
        (codes + 1) % 50,
        tuple(utterances),
        tuple(events or ()),
        Mixing("", None, 0, 0),
    )


def flatten(s: Streams, task: str, **settings) -> list:
    return Flatten(FlattenConfig(tasks=(task,), **settings), V, HOP, (SILENCE,))(s)


TALK = [spoken("user", 2, 12, 4, 100), spoken("assistant", 15, 31, 5, 200), spoken("user", 33, 40, 3, 300)]


def test_three_stream_lays_out_chunks_as_the_paper_does():
    (row,) = flatten(streams(40, TALK), "three_stream", speech_chunk_tokens=5, text_chunk_tokens=2)
    grid = row.input_ids.reshape(-1, 12)
    assert grid[0].tolist() == [*V.speech(np.arange(5)), TS, TS, *[SS] * 5]
    assert grid[3].tolist() == [*V.speech(np.arange(15, 20)), 200, 201, *V.speech(np.arange(16, 21))]
    assert grid[4, 5:7].tolist() == [202, 203]
    assert grid[5, 5:7].tolist() == [204, TS]
    assert grid[6].tolist() == [*V.speech(np.arange(30, 35)), TS, TS, V.speech(np.array([31]))[0], *[SS] * 4]
    assert row.loss_mask.reshape(-1, 12).tolist() == [[False] * 5 + [True] * 7] * 8


MARK = V["<|sot|>"]


def by_words(s: Spoken, *frames: int) -> Spoken:
    """The same with a frame in which the word of each id begins."""
    starts = [frame * HOP + 1 - s.start_samples for frame in frames]
    return replace(s, id_starts_samples=np.array(starts, np.int32))


def text_of(talk: list[Spoken], n_frames: int = 40, **settings) -> list[int]:
    """The text line of `parallel`, one slot per frame."""
    (row,) = flatten(streams(n_frames, talk), "parallel", text_alignment="words", **settings)
    return row.input_ids[0].tolist()


def test_each_word_begins_in_the_frame_in_which_it_is_said_behind_a_mark():
    u = by_words(spoken("assistant", 15, 31, 5, 200), 15, 15, 19, 26, 26)
    wanted = [TS] * 14 + [MARK, 200, 201, TS, MARK, 202, *[TS] * 5, MARK, 203, 204, *[TS] * 12]
    assert text_of([u]) == wanted
    (row,) = flatten(streams(40, [u]), "three_stream", text_alignment="words", speech_chunk_tokens=5)
    text = row.input_ids.reshape(-1, 12)[:, 5:7].tolist()
    assert text == [*[[TS, TS]] * 2, [TS, MARK], [200, 201], [202, MARK], [203, 204], *[[TS, TS]] * 2]
    assert row.n_late_text_tokens == 1


def test_words_that_do_not_fit_come_later_and_are_counted():
    u = by_words(spoken("assistant", 15, 31, 6, 200), 15, 15, 15, 15, 16, 25)
    (row,) = flatten(streams(40, [u]), "parallel", text_alignment="words")
    assert row.input_ids[0, 14:27].tolist() == [MARK, 200, 201, 202, 203, 204, *[TS] * 4, MARK, 205, TS]
    assert (row.n_text_tokens, row.n_late_text_tokens, row.n_dropped_text_tokens) == (6, 4, 0)


def test_words_that_wait_when_the_assistant_is_stopped_are_dropped():
    u = by_words(replace(spoken("assistant", 15, 18, 9, 200), n_cut_samples=5 * HOP), 15, 15, 16, 16, 17)
    (row,) = flatten(streams(40, [u]), "parallel", text_alignment="words")
    assert row.input_ids[0, 14:20].tolist() == [MARK, 200, 201, 202, TS, TS]
    assert (row.n_text_tokens, row.n_dropped_text_tokens) == (3, 2)  # four others never begin


W = Vocabulary.of(1000, 1000, 1010, (50, 9, 7))


def several(n_frames: int, utterances: list[Spoken]) -> Streams:
    """A conversation of three codebooks."""
    s = streams(n_frames, utterances)
    channels = ([k % 50, (k + shift) % 9, (k * shift) % 7] for shift in (1, 2) for k in range(n_frames))
    codes = np.array([*channels], np.uint16).reshape(2, -1)
    return replace(s, user_codes=codes[0], assistant_codes=codes[1])


def test_frames_of_several_codes_lie_one_after_the_other_in_a_chunk():
    recipe = FlattenConfig(tasks=("three_stream",), speech_chunk_tokens=2, text_chunk_tokens=1, codebooks=2)
    (row,) = Flatten(recipe, W, HOP, (3, 8, 1))(several(5, [spoken("assistant", 1, 4, 1, 200)]))
    a, b = 1010, 1060
    assert row.input_ids.reshape(-1, 9).tolist() == [
        [a + 0, b + 1, a + 1, b + 2, 200, SS, SS, a + 1, b + 3],
        [a + 2, b + 3, a + 3, b + 4, TS, a + 2, b + 4, a + 3, b + 5],
        [a + 4, b + 5, a + 3, b + 8, TS, SS, SS, SS, SS],
    ]
    assert row.loss_mask.reshape(-1, 9).tolist() == [[False] * 4 + [True] * 5] * 3
    assert row.n_pad_tokens == 4


def test_parallel_has_a_line_per_stream_and_delays_all_but_the_first_codebooks():
    recipe = FlattenConfig(tasks=("parallel",), codebooks=2, acoustic_delay=2)
    event = Event("barge_in", "user", 2 * HOP - 5, 3 * HOP)
    s = replace(several(3, [spoken("assistant", 1, 3, 1, 200)]), events=(event,))
    (row,) = Flatten(recipe, W, HOP, (3, 8, 1))(s)
    assert row.input_ids.tolist() == [
        [TS, 200, TS, -1, -1],
        [0, 1, 2, -1, -1],
        [-1, -1, 2, 3, 4],
        [0, 1, 2, -1, -1],
        [-1, -1, 1, 2, 3],
    ]
    assert row.loss_mask.tolist() == [[True] * 3 + [False] * 2] * 2 + [[False] * 2 + [True] * 3] + [[False] * 5] * 2
    assert (row.n_tokens, row.n_frames, row.event_starts.tolist(), row.event_ends.tolist()) == (5, 3, [2], [5])


def test_rows_of_parallel_are_cut_between_frames_and_keep_every_code():
    s = several(200, [])
    recipe = FlattenConfig(tasks=("parallel",), acoustic_delay=1, max_tokens=64)
    rows = Flatten(recipe, W, HOP, (3, 8, 1))(s)
    assert [row.n_tokens for row in rows] == [64, 64, 64, 12]
    lines = np.concatenate([np.stack([row.input_ids[1, :-1], *row.input_ids[2:4, 1:]]) for row in rows], axis=1)
    assert np.array_equal(lines.T.reshape(-1), s.assistant_codes)


@pytest.mark.parametrize(
    ("change", "says"), [({"codebooks": 4}, "has 3"), ({"speech_chunk_tokens": 11, "max_tokens": 64}, "one chunk")]
)
def test_rows_that_cannot_be_are_refused(change, says):
    with pytest.raises(RecipeError, match=says):
        Flatten(FlattenConfig(**change), W, HOP, (3, 8, 1))


def test_two_stream_is_three_stream_without_text():
    (three,), (two,) = (flatten(streams(40, TALK), task) for task in ("three_stream", "two_stream"))
    assert np.array_equal(two.input_ids.reshape(-1, 20), np.delete(three.input_ids.reshape(-1, 22), [10, 11], axis=1))
    assert two.n_text_tokens == 0


def test_assistant_silence_as_codes():
    (row,) = flatten(streams(43, TALK), "two_stream", assistant_silence="codes")
    grid = row.input_ids.reshape(-1, 20)
    assert np.array_equal(grid[:, 10:].reshape(-1)[:43], V.speech((np.arange(43) + 1) % 50))
    assert set(grid[-1, 13:].tolist()) == {V.speech_offset + SILENCE}


def test_a_last_chunk_is_filled_with_silence_and_counted():
    (row,) = flatten(streams(43, TALK), "two_stream")
    grid = row.input_ids.reshape(-1, 20)
    assert set(grid[-1, 3:10].tolist()) == {V.speech_offset + SILENCE}
    assert set(grid[-1, 10:].tolist()) == {SS}
    assert (row.n_pad_tokens, row.n_frames) == (14, 43)


def test_text_that_does_not_fit_goes_on_and_is_counted():
    talk = [spoken("assistant", 0, 10, 9, 100), spoken("assistant", 12, 20, 2, 200)]
    (row,) = flatten(streams(20, talk), "three_stream")
    text = row.input_ids.reshape(-1, 22)[:, 10:12].reshape(-1)
    assert text.tolist() == [*range(100, 109), 200, 201, TS]  # the second turn's text waits for the first's
    assert row.n_text_tokens == 11
    assert row.n_late_text_tokens == 7 + 2  # 2 slots fit the first chunk; the last two come after frame 20
    assert row.n_pad_tokens == 4 * 20


def test_positions_are_those_of_the_assistants_next_token():
    talk = [TALK[0], replace(spoken("assistant", 15, 27, 5, 200), n_cut_samples=9), TALK[2]]
    events = [Event("barge_in", "user", 25 * HOP + 1, 27 * HOP), Event("other", "user", 0, 0)]
    (row,) = flatten(streams(40, talk, events), "three_stream")
    assert row.user_turn_ends.tolist() == [1 * 22 + 12 + 2]  # frame 12 = chunk 1, slot 2; frame 40 is past the end
    assert row.barge_ins.tolist() == [2 * 22 + 12 + 6]  # the first frame wholly after the start: 26
    assert row.input_ids[row.barge_ins[0]] == V.speech(np.array([27]))[0]


def event(kind: str, role: str, first: float, last: float, placed: bool = True) -> Event:
    return Event(kind, role, round(first * HOP), round(last * HOP), -1, placed)


def test_events_are_labelled_where_they_begin_and_end():
    events = [
        event("backchannel", "user", 21.5, 24),
        event("gap", "assistant", 12, 15),
        event("false_start", "user", 22, 25, placed=False),
        event("backchannel", "user", 38, 40),
    ]
    (row,) = flatten(streams(40, TALK, events), "three_stream")
    assert row.event_kinds == ("gap", "backchannel", "backchannel")
    assert row.event_roles == ("assistant", "user", "user")
    assert row.event_starts.tolist() == [1 * 22 + 12 + 2, 2 * 22 + 12 + 2, 3 * 22 + 12 + 8]
    assert row.event_ends.tolist() == [1 * 22 + 12 + 5, 2 * 22 + 12 + 4, len(row.input_ids)]  # frame 40 is past it


def test_an_event_belongs_to_the_row_in_which_it_begins():
    events = [event("barge_in", "user", 115, 120), event("gap", "user", 120, 125), event("gap", "user", 121, 400)]
    talk = [replace(spoken("assistant", 100, 120, 0), n_cut_samples=9)]
    first, second = flatten(streams(200, talk, events), "two_stream", max_tokens=240)  # 12 chunks a row
    assert (first.event_kinds, second.event_kinds) == (("barge_in",), ("gap", "gap"))
    assert first.barge_ins.tolist() == first.event_starts.tolist() == [11 * 20 + 10 + 5]
    assert first.event_ends.tolist() == [240]
    assert second.event_starts.tolist() == [10, 11]
    assert second.event_ends.tolist() == [15, len(second.input_ids)]


def test_a_users_turn_ends_where_the_assistant_is_to_answer():
    hesitates = [spoken("user", 2, 6, 1), spoken("user", 9, 12, 1), spoken("assistant", 15, 20, 1)]
    (row,) = flatten(streams(40, hesitates), "two_stream")
    assert row.user_turn_ends.tolist() == [1 * 20 + 10 + 2]
    listened = [hesitates[0], replace(spoken("assistant", 4, 5, 1), kind="backchannel"), *hesitates[1:]]
    (row,) = flatten(streams(40, listened), "two_stream")
    assert row.user_turn_ends.tolist() == [1 * 20 + 10 + 2]
    cut_short = [replace(spoken("user", 2, 12, 1), n_cut_samples=5), hesitates[2]]
    (row,) = flatten(streams(40, cut_short), "two_stream")
    assert row.user_turn_ends.tolist() == []


def test_what_is_not_heard_leaves_no_trace():
    nothing = replace(spoken("assistant", 3, 3, 0), start_samples=3 * HOP + 7, end_samples=3 * HOP + 7)
    for task in ("asr", "tts", "four_stream", "three_stream", "two_stream"):
        with_it = flatten(streams(40, [TALK[0], nothing, *TALK[1:]]), task)
        for row, plain in zip(with_it, flatten(streams(40, TALK), task), strict=True):
            assert np.array_equal(row.input_ids, plain.input_ids)


def test_a_backchannel_of_the_assistant_has_speech_and_text():
    token = replace(spoken("assistant", 5, 8, 1, 900), kind="backchannel")
    (row,) = flatten(streams(40, [TALK[0], token, *TALK[1:]]), "three_stream")
    grid = row.input_ids.reshape(-1, 22)
    assert grid[0, 10:12].tolist() == [900, TS]
    assert grid[0, 12:].tolist() == [*[SS] * 5, *V.speech(np.arange(6, 9)), *[SS] * 2]
    both = [flatten(streams(40, [TALK[0], token, *TALK[1:]]), task, max_canned_share=1) for task in ("asr", "tts")]
    assert [len(rows) for rows in both] == [4, 2]


def test_four_stream_joins_the_pieces_of_a_turn_and_leaves_tokens_out():
    pieces = [spoken("user", 2, 6, 2, 100), spoken("user", 9, 12, 2, 102)]
    token = replace(spoken("assistant", 4, 5, 1, 900), kind="backchannel")
    (joined,) = flatten(streams(40, [pieces[0], token, pieces[1], replace(TALK[1], turn=1)]), "four_stream")
    (whole,) = flatten(streams(40, [TALK[0], TALK[1]]), "four_stream")
    assert joined.input_ids.tolist() == whole.input_ids.tolist()
    assert joined.loss_mask.tolist() == whole.loss_mask.tolist()
    assert joined.n_text_tokens == whole.n_text_tokens == 9


def test_asr_and_tts_rows():
    rows = flatten(streams(40, TALK), "asr")
    assert len(rows) == 3
    row = rows[0]
    speech = V.speech(np.arange(2, 12)).tolist()
    text = [100, 101, 102, 103]
    assert row.input_ids.tolist() == [
        V["<|asr|>"],
        V["<|sos|>"],
        *speech,
        V["<|eos|>"],
        V["<|sot|>"],
        *text,
        V["<|eot|>"],
    ]
    assert row.input_ids[row.loss_mask].tolist() == [*text, V["<|eot|>"]]
    (row,) = flatten(streams(40, TALK), "tts")
    speech = V.speech(np.arange(16, 32)).tolist()
    ids = [V["<|tts|>"], V["<|sot|>"], *range(200, 205), V["<|eot|>"], V["<|sos|>"], *speech, V["<|eos|>"]]
    assert row.input_ids.tolist() == ids
    assert row.input_ids[row.loss_mask].tolist() == [*speech, V["<|eos|>"]]
    assert (row.start_frames, row.n_frames) == (15, 16)


def test_alignment_rows_keep_their_limit_and_need_text():
    talk = [spoken("user", 0, 60, 2), spoken("user", 70, 80, 0)]
    assert not flatten(streams(90, talk), "asr", max_alignment_tokens=64)
    assert len(flatten(streams(90, talk), "asr", max_alignment_tokens=67)) == 1


def test_four_stream_goes_turn_by_turn():
    (row,) = flatten(streams(40, TALK), "four_stream")
    v, ids = V, row.input_ids.tolist()
    user = [v["<|sos|>"], *v.speech(np.arange(2, 12)), v["<|eos|>"], v["<|sot|>"], 100, 101, 102, 103, v["<|eot|>"]]
    assistant = [v["<|sot|>"], *range(200, 205), v["<|eot|>"], v["<|sos|>"], *v.speech(np.arange(16, 32)), v["<|eos|>"]]
    assert ids[: len(user) + len(assistant)] == user + assistant
    learned = row.loss_mask.tolist()
    assert learned[: len(user) + len(assistant)] == [False] * 12 + [True] * 6 + [True] * len(assistant)
    (row,) = flatten(streams(40, TALK), "four_stream", loss_on_user_text=False)
    assert row.loss_mask.sum() == len(assistant)


def test_four_stream_rows_end_between_pairs():
    talk = [spoken("user" if k % 2 == 0 else "assistant", 10 * k, 10 * k + 10, 2) for k in range(12)]
    rows = flatten(streams(120, talk), "four_stream", max_tokens=70)
    assert [len(row.input_ids) for row in rows] == [64] * 3  # two pairs of 32 fit 70 tokens
    assert all(row.input_ids[0] == V["<|sos|>"] for row in rows)
    assert sum(row.n_text_tokens for row in rows) == 24


def test_windows_are_cut_in_silence():
    talk = [spoken("user", 5, 55, 3), spoken("assistant", 60, 115, 3), spoken("user", 125, 195, 3)]
    rows = flatten(streams(200, talk), "two_stream", max_tokens=260)  # 13 chunks of 10
    assert [(row.start_frames, row.n_frames) for row in rows] == [(0, 120), (120, 80)]


def test_without_silence_a_window_is_cut_inside_an_utterance_of_the_user():
    talk = [spoken("user", 0, 100, 3), spoken("assistant", 95, 200, 3)]
    rows = flatten(streams(200, talk), "two_stream", max_tokens=260)  # 13 chunks of 10
    assert [(row.start_frames, row.n_frames) for row in rows] == [(0, 90), (90, 110)]


@given(
    st.integers(1, 400).flatmap(
        lambda n: st.tuples(st.just(n), st.lists(st.integers(0, 3), min_size=n + 1, max_size=n + 1))
    ),
    st.integers(1, 40),
)
def test_windows_cover_all_chunks_once(chunks, n_most):
    n_chunks, busy = chunks
    found = windows(n_chunks, n_most, np.array(busy))
    assert [k for first, last in found for k in range(first, last)] == list(range(n_chunks))
    assert all(0 < last - first <= n_most for first, last in found)
    for first, last in found[:-1]:
        assert busy[last] == min(busy[first + 1 : first + n_most + 1])


@st.composite
def conversations(draw):
    at, utterances, base = 0, [], 0
    for k in range(draw(st.integers(0, 8))):
        at += draw(st.integers(0, 20))
        length, n_ids = draw(st.integers(1, 60)), draw(st.integers(0, 40))
        utterances.append(spoken("assistant" if k % 2 else "user", at, at + length, n_ids, base))
        base, at = base + n_ids, at + length
    return streams(at + draw(st.integers(1, 20)), utterances)


@given(conversations(), st.integers(1, 16), st.integers(1, 5), st.integers(64, 400))
def test_flattening_inverts(s, n_speech, n_text, max_tokens):
    settings = {"speech_chunk_tokens": n_speech, "text_chunk_tokens": n_text, "max_tokens": max_tokens}
    rows = flatten(s, "three_stream", **settings)
    width, n = 2 * n_speech + n_text, len(s.user_codes)
    assert all(len(row.input_ids) == len(row.loss_mask) <= max_tokens for row in rows)
    grid = np.concatenate([row.input_ids.reshape(-1, width) for row in rows])
    assert np.array_equal(grid[:, :n_speech].reshape(-1)[:n], V.speech(s.user_codes))
    text = grid[:, n_speech : n_speech + n_text].reshape(-1)
    wanted = [i for u in s.utterances if u.role == "assistant" for i in u.text_ids]
    assert text[text != TS].tolist() == wanted
    assert sum(row.n_text_tokens for row in rows) == len(wanted)
    assistant = grid[:, n_speech + n_text :].reshape(-1)[:n]
    speaks = np.zeros(n, bool)
    for u in s.utterances:
        if u.role == "assistant":
            speaks[u.start_samples // HOP : u.end_samples // HOP] = True
    assert np.array_equal(assistant[speaks], V.speech(s.assistant_codes)[speaks])
    assert set(assistant[~speaks].tolist()) <= {SS}
    assert sum(row.n_frames for row in rows) == n
    assert sum(row.n_pad_tokens for row in rows) == 2 * (len(grid) * n_speech - n)


@given(conversations())
def test_text_never_comes_before_its_turn(s):
    (row,) = flatten(s, "three_stream", max_tokens=100_000)
    text = row.input_ids.reshape(-1, 22)[:, 10:12]
    for u in s.utterances:
        if u.role == "assistant" and len(u.text_ids):
            chunk = int(np.argwhere(text == u.text_ids[0])[0][0])
            assert chunk >= u.start_samples // HOP // 10


def test_row_ids_name_dialogue_task_and_part():
    rows = flatten(streams(400, []), "two_stream", max_tokens=64)
    assert [row.row_id for row in rows[:2]] == ["d#two_stream#0", "d#two_stream#1"]
    with pytest.raises(ValueError, match="longer than max_tokens"):
        FlattenConfig(speech_chunk_tokens=40, text_chunk_tokens=1, max_tokens=64)
