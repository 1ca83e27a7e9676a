"""Laws of time: placed FTO = drawn FTO, cuts cut everywhere, nobody overlaps themselves, nothing is lost."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from datagen.distributions import Constant
from datagen.recipe import Timing
from datagen.records import BargeIn, Placed, Takes, Timeline, Word
from datagen.stages.place import Place, cut
from tests.conftest import RATE, take, takes_of

CHUNK = 9600


def place(takes: Takes, tail_ms: float = 500) -> Timeline:
    return Place(Timing(tail=Constant(value=tail_ms)), RATE, CHUNK, 0)([takes])[0]


def test_offsets_are_placed_as_scripted():
    takes = takes_of(
        [("user", take(5000), 1000, None), ("assistant", take(7000), 240, None), ("user", take(3000), -50, None)]
    )
    placed = place(takes).placed
    assert [(p.start_samples, p.end_samples) for p in placed] == [(1000, 6000), (6240, 13240), (13190, 16190)]


def test_the_conversation_ends_after_the_tail_on_a_whole_chunk():
    timeline = place(takes_of([("user", take(5000), 0, None)]), tail_ms=100)
    assert timeline.n_samples == CHUNK  # 5000 + 2400, rounded up
    assert place(takes_of([("user", take(CHUNK - 2400), 0, None)]), tail_ms=100).n_samples == CHUNK


def test_a_barge_in_cuts_audio_words_and_text_at_one_place():
    answer = take(1000, 1000, 1000, 1000)  # words at 0, 1100, 2200, 3300
    takes = takes_of(
        [("user", take(500), 0, None), ("assistant", answer, 0, None), ("user", take(800), 99, BargeIn(0.5, 300))]
    )
    timeline = place(takes)
    assistant, user = timeline.placed[1:]
    assert user.start_samples == 500 + 2150
    assert assistant.end_samples == 500 + 2150 + 300
    assert [w.text for w in assistant.words] == ["w0", "w1"]  # w2 began at 2200, only 250 of 1000 are heard
    assert (assistant.said, assistant.unsaid) == ("w0 w1", "w2 w3")
    assert assistant.n_cut_samples == 4300 - 2450
    assert [(e.kind, e.role, e.start_samples, e.end_samples) for e in timeline.events] == [
        ("barge_in", "user", 2650, 2950)
    ]


def test_a_word_more_than_half_heard_is_said_and_ends_at_the_cut():
    whole = Placed(0, 200, (Word("a", 0, 100), Word("b", 100, 200)), "a b", "", 0)
    assert cut(whole, 150).said == "a"
    heard = cut(whole, 151)
    assert heard.said == "a b"
    assert heard.words[-1] == Word("b", 100, 151)
    assert heard.unsaid == ""


def test_a_barge_in_waits_for_the_first_word():
    answer = take(4000, 1000)
    takes = takes_of(
        [("user", take(500), 0, None), ("assistant", answer, 0, None), ("user", take(800), 0, BargeIn(0.01, 0))]
    )
    assert place(takes).placed[1].said == "w0"


def test_a_reaction_longer_than_the_rest_cuts_nothing():
    takes = takes_of(
        [
            ("user", take(500), 0, None),
            ("assistant", take(1000, 1000), 0, None),
            ("user", take(9000), 0, BargeIn(0.9, 9999)),
        ]
    )
    timeline = place(takes)
    assert timeline.placed[1].n_cut_samples == 0
    assert timeline.placed[1].unsaid == ""
    assert timeline.events[0].end_samples == timeline.placed[1].end_samples


lengths = st.lists(st.integers(1, 4000), min_size=1, max_size=6)
barge_ins = st.none() | st.builds(BargeIn, st.floats(0.01, 0.99), st.integers(0, 8000))


@given(st.lists(st.tuples(lengths, st.integers(-3000, 5000), barge_ins), min_size=1, max_size=8))
def test_laws_of_time(turns):
    roles = ["assistant" if k % 2 else "user" for k in range(len(turns))]
    script = [
        (role, take(*words), max(offset, 0) if k == 0 else offset, barge_in if role == "user" and k else None)
        for k, (role, (words, offset, barge_in)) in enumerate(zip(roles, turns, strict=True))
    ]
    takes = takes_of(script)
    timeline = place(takes)
    assert timeline.n_samples % CHUNK == 0
    assert len(timeline.placed) == len(turns)
    ends = {"user": 0, "assistant": 0}
    for role, t, p, u in zip(roles, takes.takes, timeline.placed, takes.script.utterances, strict=True):
        assert ends[role] <= p.start_samples <= p.end_samples <= timeline.n_samples
        ends[role] = p.end_samples
        assert p.end_samples - p.start_samples + p.n_cut_samples == len(t.audio)
        assert f"{p.said} {p.unsaid}".split() == u.spoken.split()
        assert len(p.words) == len(p.said.split())
        times = [x for w in p.words for x in (w.start_samples, w.end_samples)]
        assert times == sorted(times)
        assert all(p.start_samples <= x <= p.end_samples for x in times)
    for event in timeline.events:
        assert 0 <= event.start_samples <= event.end_samples <= timeline.n_samples


def test_input_is_untouched():
    takes = takes_of(
        [("user", take(500), 0, None), ("assistant", take(900, 900), 0, None), ("user", take(5), 0, BargeIn(0.5, 9))]
    )
    before = [t.audio.copy() for t in takes.takes]
    place(takes)
    assert all(np.array_equal(b, t.audio) for b, t in zip(before, takes.takes, strict=True))
