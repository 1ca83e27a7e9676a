"""What an interruption does to rows: the text stream knows nothing of it before, half duplex holds whole turns.

Law 9, causality: the text stream up to a chunk is the same whether or not somebody interrupts after it.
"""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.pipeline.flatten.alignment import kept_share
from datagen.pipeline.flatten.turns import spans_of
from datagen.records import KINDS, Event, Spoken, Streams
from datagen.shards.laws import conversation_faults
from tests.pipeline.test_flatten import HOP, SS, TALK, TS, V, flatten, spoken, streams


def cut(u: Spoken, stop_frames: float, n_said: int, n_whole: int = -1, fade_frames: int = 1) -> Spoken:
    """An utterance stopped at a frame of the conversation; its rest has codes 40, 41, ..., clean of any channel."""
    stop, whole = round(stop_frames * HOP), u.text_ids if n_whole < 0 else u.text_ids[:n_whole]
    first_rest = max(int(stop_frames) - fade_frames, u.start_samples // HOP)
    rest = 40 + np.arange(-(-u.end_samples // HOP) - first_rest) % 10
    return replace(
        u,
        end_samples=stop,
        n_cut_samples=u.end_samples - stop,
        text_ids=whole[:n_said],
        spoken_ids=whole if n_said < len(whole) else whole[:0],
        rest_codes=rest.astype(np.uint16),
        rest_start_frames=first_rest,
    )


def text_of(s: Streams, n_speech: int = 10, n_text: int = 2, **settings) -> np.ndarray:
    """The text stream, [n_chunks, n_text]."""
    sizes = {"speech_chunk_tokens": n_speech, "text_chunk_tokens": n_text, "max_tokens": 1_000_000}
    (row,) = flatten(s, "three_stream", **sizes, **settings)
    return row.input_ids.reshape(-1, 2 * n_speech + n_text)[:, n_speech : n_speech + n_text]


# -- text stream -------------------------------------------------------------------------------------------------


LONG = spoken("assistant", 15, 95, 14, 200)


def test_text_goes_on_until_the_assistant_stops_and_then_is_dropped():
    talk = [TALK[0], cut(LONG, 41.5, 3)]
    (row,) = flatten(streams(100, talk), "three_stream")
    text = row.input_ids.reshape(-1, 22)[:, 10:12]
    assert text[1:5].reshape(-1).tolist() == list(range(200, 208))  # chunk 4 is that of the stop
    assert set(text[5:].reshape(-1).tolist()) == {TS}
    assert (row.n_text_tokens, row.n_dropped_text_tokens, row.n_late_text_tokens) == (8, 6, 0)


def test_a_stop_at_the_end_of_a_chunk_gives_no_text_after_it():
    assert text_of(streams(100, [cut(LONG, 40, 3)]))[3:5].tolist() == [[204, 205], [TS, TS]]
    assert text_of(streams(100, [cut(LONG, 40 + 1 / HOP, 3)]))[4].tolist() == [206, 207]


def test_a_setting_keeps_the_old_way():
    s = streams(100, [TALK[0], cut(LONG, 41.5, 3)])
    (row,) = flatten(s, "three_stream", interrupted_text="heard")
    text = row.input_ids.reshape(-1, 22)[:, 10:12].reshape(-1)
    assert text[text != TS].tolist() == [200, 201, 202]
    assert row.n_dropped_text_tokens == 0
    late = cut(spoken("assistant", 15, 95, 9, 200), 25, 9)
    assert flatten(streams(100, [late]), "three_stream", interrupted_text="heard")[0].n_late_text_tokens == 5


def test_what_is_pending_of_earlier_pieces_is_dropped_too_and_later_text_starts_afresh():
    first = spoken("assistant", 0, 10, 9, 100)
    second = cut(spoken("assistant", 12, 60, 4, 200), 25, 1)
    answer = spoken("assistant", 40, 50, 2, 300)
    (row,) = flatten(streams(60, [first, second, answer]), "three_stream")
    text = row.input_ids.reshape(-1, 22)[:, 10:12].reshape(-1)
    assert text.tolist() == [*range(100, 106), TS, TS, 300, 301, TS, TS]
    assert row.n_dropped_text_tokens == 3 + 4
    assert row.n_text_tokens == 8


def test_drops_are_counted_in_the_row_of_the_stop():
    talk = [cut(spoken("assistant", 10, 110, 40, 200), 55, 4), cut(spoken("assistant", 130, 190, 9, 300), 145, 4)]
    rows = flatten(streams(200, talk), "three_stream", max_tokens=22 * 12)
    assert [(row.start_frames, row.n_dropped_text_tokens) for row in rows] == [(0, 30), (120, 5)]
    assert flatten(streams(200, talk), "two_stream")[0].n_dropped_text_tokens == 0


@st.composite
def interruptions(draw):
    """A conversation, which of its utterances the assistant is stopped in, and where."""
    at, utterances, base = 0, [], 0
    for _ in range(draw(st.integers(1, 6))):
        at += draw(st.integers(0, 12))
        length, n_ids = draw(st.integers(1, 60)), draw(st.integers(0, 40))
        u = spoken(draw(st.sampled_from(["user", "assistant"])), at, at + length, n_ids, base)
        if draw(st.booleans()) and u.role == "assistant":
            u = cut(u, at + draw(st.floats(0.1, length)), draw(st.integers(0, n_ids)))
        utterances.append(u)
        base, at = base + n_ids, at + length
    at += draw(st.integers(0, 12))
    last = spoken("assistant", at, at + draw(st.integers(2, 80)), draw(st.integers(1, 60)), base)
    stop = draw(st.floats(at + 0.1, last.end_samples / HOP - 0.1))
    return utterances, last, stop, draw(st.integers(0, len(last.text_ids)))


@given(interruptions(), st.integers(1, 16), st.integers(1, 5))
def test_the_text_up_to_a_stop_is_that_without_the_stop(talk, n_speech, n_text):
    before, last, stop, n_said = talk
    n_frames = last.end_samples // HOP + 5
    goes_on = text_of(streams(n_frames, [*before, last]), n_speech, n_text)
    stopped = text_of(streams(n_frames, [*before, cut(last, stop, n_said)]), n_speech, n_text)
    chunk_of_stop = (round(stop * HOP) - 1) // (HOP * n_speech)
    assert np.array_equal(stopped[: chunk_of_stop + 1], goes_on[: chunk_of_stop + 1])
    assert (stopped[chunk_of_stop + 1 :] == TS).all()


@given(interruptions(), st.integers(64, 400))
def test_every_text_token_is_there_or_counted_as_dropped(talk, max_tokens):
    before, last, stop, n_said = talk
    s = streams(last.end_samples // HOP + 5, [*before, cut(last, stop, n_said)])
    rows = flatten(s, "three_stream", max_tokens=max_tokens)
    whole = sum(len(u.spoken_ids) or len(u.text_ids) for u in s.utterances if u.role == "assistant")
    assert sum(row.n_text_tokens + row.n_dropped_text_tokens for row in rows) == whole
    assert sum(int((row.input_ids < V.n_text).sum()) for row in rows) == sum(row.n_text_tokens for row in rows)


# -- half duplex ---------------------------------------------------------------------------------------------------


def of_kind(kind: str, u: Spoken, turn: int = 0) -> Spoken:
    return replace(u, kind=kind, turn=turn)


WHOLE = [*V.speech(np.arange(16, 40)), *V.speech(40 + np.arange(56) % 10)]
"""LONG as far as it is heard before the fade-out, then its rest."""


def requested() -> list[Spoken]:
    """An answer that is interrupted by a request to repeat, and resumed."""
    return [
        TALK[0],
        replace(cut(LONG, 40.5, 3), turn=1),
        of_kind("insert", spoken("user", 39, 45, 2, 500), 1),
        of_kind("resumption", spoken("assistant", 46, 60, 5, 600), 1),
    ]


def test_four_stream_holds_whole_turns_and_nothing_that_resumes_them():
    (row,) = flatten(streams(100, requested()), "four_stream")
    tail = [V["<|sot|>"], *range(200, 214), V["<|eot|>"], V["<|sos|>"], *WHOLE, V["<|eos|>"]]
    assert row.input_ids.tolist()[18:] == tail
    assert not set(range(500, 700)) & set(row.input_ids.tolist())
    assert (row.start_frames, row.n_frames, row.n_text_tokens) == (2, 39, 18)  # what is heard: frames 2 to 40


def test_four_stream_as_heard():
    (row,) = flatten(streams(100, requested()), "four_stream", half_duplex="heard")
    ids = row.input_ids.tolist()
    assert [token for token in ids if token < V.n_text] == [*range(100, 104), 200, 201, 202, 500, 501, *range(600, 605)]
    assert V.speech(np.array([40]))[0] not in ids[18 : 18 + 30]  # no code of a rest


def test_pieces_of_a_turn_share_a_frame_once_and_keep_their_pause():
    pieces = [spoken("user", 2, 6, 2, 100), replace(spoken("user", 9, 12, 2, 102), start_samples=5 * HOP + 7)]
    pieces[0] = replace(pieces[0], end_samples=5 * HOP + 3)
    for half_duplex in ("whole", "heard"):
        (row,) = flatten(streams(40, pieces), "four_stream", half_duplex=half_duplex)
        assert row.input_ids.tolist()[1:11] == V.speech(np.arange(2, 12)).tolist()


def test_a_piece_after_a_whole_take_follows_it_directly():
    pieces = [cut(spoken("assistant", 2, 9, 2, 200), 6, 1), spoken("assistant", 12, 15, 2, 210)]
    (row,) = flatten(streams(40, pieces), "four_stream")
    speech = [*V.speech(np.arange(3, 6)), *V.speech(np.arange(40, 44)), *V.speech(np.arange(13, 16))]
    assert row.input_ids.tolist() == [
        V["<|sot|>"],
        200,
        201,
        210,
        211,
        V["<|eot|>"],
        V["<|sos|>"],
        *speech,
        V["<|eos|>"],
    ]


def test_alignment_rows_are_whole_utterances_or_as_heard():
    s = streams(100, requested())
    whole, heard = (
        {row.row_id: row for row in flatten(s, "tts", max_canned_share=1, alignment_takes=setting)}
        for setting in ("whole", "heard")
    )
    name = "d#tts#1"
    assert whole[name].input_ids.tolist()[2:16] == list(range(200, 214))
    assert whole[name].input_ids.tolist()[18:-1] == WHOLE
    assert heard[name].input_ids.tolist()[2:5] == [200, 201, 202]
    assert heard[name].input_ids.tolist()[7:-1] == V.speech(np.arange(16, 42)).tolist()
    assert whole[name].n_frames == heard[name].n_frames == 26
    assert whole["d#tts#3"].input_ids.tolist() == heard["d#tts#3"].input_ids.tolist()


def test_a_turn_cut_before_its_first_word_is_whole_too():
    s = streams(100, [TALK[0], cut(LONG, 16, 0)])
    assert len(flatten(s, "tts", alignment_takes="heard")) == 0
    assert len(flatten(s, "tts")) == 1


def test_four_stream_rows_are_never_cut_inside_a_turn():
    talk = [spoken("user", 0, 40, 4), spoken("assistant", 50, 100, 4), spoken("user", 110, 120, 4)]
    rows = flatten(streams(130, talk), "four_stream", max_tokens=64)  # turns of 48, 58 and 18 tokens
    assert [len(row.input_ids) for row in rows] == [48, 58, 18]
    assert [(row.start_frames, row.n_frames) for row in rows] == [(0, 40), (50, 50), (110, 10)]


def test_a_turn_longer_than_a_row_is_left_out_and_counted():
    talk = [spoken("user" if k % 2 == 0 else "assistant", 20 * k, 20 * k + 10, 2) for k in range(6)]
    talk[2] = spoken("user", 40, 55, 60)
    rows = flatten(streams(130, talk), "four_stream", max_tokens=70)  # turns of 16 tokens, and one of 79
    assert [(row.start_frames, len(row.input_ids), row.n_dropped_text_tokens) for row in rows] == [
        (0, 32, 0),
        (60, 48, 60),
    ]
    talk[5] = spoken("assistant", 100, 115, 61)
    assert [row.n_dropped_text_tokens for row in flatten(streams(130, talk), "four_stream", max_tokens=70)] == [0, 121]


@given(st.lists(st.tuples(st.integers(1, 30), st.sampled_from(["user", "assistant"])), max_size=12), st.integers(1, 40))
def test_spans_hold_every_turn_that_fits_once(turns, n_most):
    lengths, roles = [length for length, _ in turns], [role for _, role in turns]
    spans = spans_of(lengths, [role == "user" for role in roles], n_most)
    assert [k for first, last in spans for k in range(first, last)] == [k for k, n in enumerate(lengths) if n <= n_most]
    assert all(0 < sum(lengths[first:last]) <= n_most for first, last in spans)
    for (_, last), (first, _) in itertools.pairwise(spans):
        if last == first and roles[first] == "assistant" and roles[first - 1] == "user":
            assert lengths[first - 1] + lengths[first] > n_most  # an answer leaves its question only if it must


# -- canned tokens -------------------------------------------------------------------------------------------------


def chatty(n: int, n_canned: int, n_turns: int) -> Streams:
    """A conversation of many canned tokens and a few turns."""
    kinds = [kind for kind in KINDS if kind not in ("turn", "resumption")]
    talk = [spoken("assistant", 10 * k, 10 * k + 5, 2, 10 + k) for k in range(n_canned + n_turns)]
    tokens = [of_kind(kinds[k % len(kinds)], u) for k, u in enumerate(talk[:n_canned])]
    return replace(streams(10 * len(talk), [*tokens, *talk[n_canned:]]), dialogue_id=f"d{n}")


@pytest.mark.parametrize("most", [0.05, 0.3])
@pytest.mark.parametrize("task", ["asr", "tts"])
def test_canned_tokens_are_at_most_their_share_over_many_conversations(task, most):
    chance = np.random.default_rng(0)
    n_canned, n_rows = 0, 0
    for n in range(300):
        sizes = (n, int(chance.integers(0, 30)), int(chance.integers(0, 9)))
        rows = flatten(chatty(*sizes), task, max_canned_share=most)
        kept = [int(row.row_id.split("#")[-1]) for row in rows]
        assert [k for k in kept if k >= sizes[1]] == list(range(sizes[1], sizes[1] + sizes[2]))  # turns all stay
        n_canned, n_rows = n_canned + sum(k < sizes[1] for k in kept), n_rows + len(kept)
    assert most * 0.6 < n_canned / n_rows < most * 1.2


def test_which_canned_tokens_stay_depends_on_the_dialogue_alone():
    ids = [[row.row_id for row in flatten(chatty(n, 40, 10), "tts", max_canned_share=0.2)] for n in (1, 1, 2)]
    assert ids[0] == ids[1]
    assert [name.split("#")[-1] for name in ids[0]] != [name.split("#")[-1] for name in ids[2]]


def test_few_canned_tokens_all_stay_and_a_share_of_one_keeps_all():
    assert len(flatten(chatty(1, 2, 38), "tts")) == 40
    assert len(flatten(chatty(1, 30, 0), "tts", max_canned_share=1)) == 30
    assert len(flatten(chatty(1, 30, 5), "tts", max_canned_share=0)) == 5
    assert kept_share(0, 0, 0) == 1


def test_utterances_that_give_no_row_allow_no_canned_tokens():
    """The share counts rows: neither turns too long for one, nor those of a role that the task leaves out."""
    talk = [
        spoken("user", 0, 10, 2),
        spoken("assistant", 20, 100, 2),
        of_kind("filler", spoken("assistant", 110, 115, 1)),
    ]
    assert flatten(streams(120, talk), "tts", max_alignment_tokens=64, max_canned_share=0.5) == []


# -- Acc@K ---------------------------------------------------------------------------------------------------------


def marked(utterances: list[Spoken], events: list[Event] | None = None, n_frames: int = 100) -> tuple[list, list]:
    """Frames in the lists of Acc@K."""
    (row,) = flatten(streams(n_frames, utterances, events), "two_stream", speech_chunk_tokens=1)
    return ((row.user_turn_ends - 1) // 2).tolist(), ((row.barge_ins - 1) // 2).tolist()


def test_turn_ends_are_those_after_which_the_assistant_answers():
    user, answer = spoken("user", 2, 12, 1), spoken("assistant", 15, 20, 1)
    assert marked([user, answer])[0] == [12]
    assert marked([user, spoken("assistant", 12, 20, 1)])[0] == [12]
    early = replace(answer, start_samples=12 * HOP - 1)
    assert marked([user, early])[0] == []  # it has begun to answer before
    assert marked([user])[0] == []  # nobody answers
    again = of_kind("insert", spoken("user", 30, 35, 1))
    assert marked([user, again, spoken("assistant", 40, 50, 1)])[0] == [35]
    unheard = replace(spoken("assistant", 13, 13, 1), n_cut_samples=5)
    assert marked([user, unheard, again])[0] == []  # stopped before a sound of it was heard


def test_an_overlapping_ending_is_in_neither_list():
    """The user starts while the assistant finishes its last words, and stops after them."""
    talk = [spoken("assistant", 2, 30, 1), spoken("user", 28, 40, 1), spoken("assistant", 45, 50, 1)]
    event = Event("overlapping_end", "user", 28 * HOP, 30 * HOP, 1)
    assert marked(talk, [event]) == ([40], [])


@pytest.mark.parametrize(
    ("change", "is_scored"),
    [({}, True), ({"role": "assistant"}, False), ({"placed": False}, False), ({"kind": "got_it"}, False)],
)
def test_barge_ins_are_the_users_that_happened(change, is_scored):
    talk = [cut(spoken("assistant", 2, 60, 1), 30, 1), spoken("user", 25, 40, 1)]
    event = replace(Event("barge_in", "user", 25 * HOP, 30 * HOP, 1), **change)
    assert marked(talk, [event])[1] == [25] * is_scored


def test_a_barge_in_that_cuts_nothing_is_not_scored():
    event = Event("barge_in", "user", 25 * HOP, 30 * HOP, 1)
    assert marked([spoken("assistant", 2, 30, 1), spoken("user", 25, 40, 1)], [event])[1] == []
    token = of_kind("backchannel", cut(spoken("assistant", 26, 60, 1), 30, 1))  # something else that ends there
    assert marked([spoken("assistant", 2, 20, 1), spoken("user", 25, 40, 1), token], [event])[1] == []


def test_silence_after_a_stop_is_silence():
    (row,) = flatten(streams(100, [TALK[0], cut(LONG, 41.5, 3)]), "three_stream")
    assert set(row.input_ids.reshape(-1, 22)[5:, 12:].reshape(-1).tolist()) == {SS}


# -- what a check says of rests ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, []),
        ({"rest_codes": np.zeros(0, np.uint16), "rest_start_frames": None}, []),  # as data version 3 has it
        ({"rest_codes": np.zeros(54, np.uint16)}, ["54 codes are not the 55 frames of its rest"]),
        ({"rest_codes": np.full(55, 50, np.uint16)}, ["code 50 of its rest is outside the codebook of 50"]),
        ({"rest_start_frames": 14}, ["its rest begins in frame 14, outside it", "55 codes are not the 81 frames"]),
        ({"rest_start_frames": None}, ["it has the rest of a take and was not cut"]),
        ({"n_cut_samples": 0}, ["it has the rest of a take and was not cut"]),
        ({"kind": "attempt"}, ["it has the rest of a take and was not cut"]),
    ],
)
def test_a_rest_is_as_long_as_its_take_is(change, says):
    s = streams(100, [replace(cut(LONG, 41.5, 3), **change)])
    found = [fault for fault in conversation_faults(s, HOP, (50,)) if "rest" in fault]
    assert len(found) == len(says)
    assert all(part in fault for part, fault in zip(says, found, strict=True))
