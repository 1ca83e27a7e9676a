"""Laws of intervals: joined, cut into stretches that cover all, turns told apart."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from datagen.intervals import SILENT, backchannels, bridge, intervals, stretches, turns

LENGTH = 400
pairs = st.lists(st.tuples(st.integers(0, LENGTH - 1), st.integers(0, LENGTH)), max_size=12).map(
    lambda found: intervals((min(pair), max(pair)) for pair in found)
)


def mask(speech) -> np.ndarray:
    """Which samples are speech."""
    found = np.zeros(LENGTH, bool)
    for start, end in speech:
        found[start:end] = True
    return found


@given(pairs, st.integers(1, 60))
def test_ipus_hold_all_speech_and_only_short_silences(speech, n_least):
    joined = bridge(speech, n_least)
    assert not (mask(speech) & ~mask(joined)).any()
    assert (joined[:, 1] > joined[:, 0]).all()
    assert (joined[1:, 0] - joined[:-1, 1] >= n_least).all()
    added = mask(joined) & ~mask(speech)
    runs = np.diff(np.flatnonzero(np.diff(np.r_[0, added, 0])).reshape(-1, 2), axis=1)
    assert (runs < n_least).all()
    assert bridge(joined, n_least).tolist() == joined.tolist()


@given(pairs, pairs)
def test_stretches_cover_the_conversation_and_say_who_speaks(one, two):
    one, two = bridge(one, 5), bridge(two, 5)
    found = list(stretches(one, two, LENGTH))
    assert [s.start for s in found] == [0, *(s.end for s in found[:-1])]
    assert found[-1].end == LENGTH
    for s in found:
        assert s.end > s.start
        assert (mask(one)[s.start : s.end] == bool(s.speaks & 1)).all()
        assert (mask(two)[s.start : s.end] == bool(s.speaks & 2)).all()
    assert [s.before for s in found[1:]] == [s.speaks for s in found[:-1]]
    assert [s.after for s in found[:-1]] == [s.speaks for s in found[1:]]
    assert found[0].before == found[-1].after == SILENT
    assert all(a.speaks != b.speaks for a, b in pairwise(found))


def test_nothing_said_is_one_silence():
    (only,) = stretches(intervals([]), intervals([]), 10)
    assert (only.start, only.end, only.speaks, only.inside) == (0, 10, SILENT, False)
    assert list(stretches(intervals([]), intervals([]), 0)) == []


@given(pairs, pairs)
def test_turns_alternate_and_every_ipu_is_in_one(one, two):
    one, two = bridge(one, 5), bridge(two, 5)
    found = turns(one, two)
    assert all(a.who != b.who for a, b in pairwise(found))
    assert [t.fto is None for t in found] == [k == 0 for k in range(len(found))]
    for who, speech in enumerate((one, two)):
        ours = [pair for t in found for pair in (t.speech if t.who == who else t.inside)]
        assert sorted(ours) == [tuple(pair) for pair in speech.tolist()]
    for before, after in pairwise(found):
        held_until = max(end for start, end in before.speech if start <= after.speech[0][0])
        assert after.fto == after.speech[0][0] - held_until


def test_who_gives_up_inside_the_others_turn_takes_no_floor():
    (first, answer) = turns(intervals([(0, 100)]), intervals([(20, 40), (90, 150)]))
    assert (first.inside, answer.who, answer.fto) == ([(20, 40)], 1, -10)


def test_backchannels_are_short_isolated_and_inside_the_others_turn():
    other = intervals([(0, 10_000)])

    def found(*own, other=other):
        return backchannels(intervals(own), other, 1000).tolist()

    assert found((3000, 4000)) == [True]
    assert found((3000, 4001)) == [False]  # too long
    assert found((3000, 3400), (4399, 4700)) == [False, False]  # not isolated
    assert found((3000, 3400), (4400, 4700)) == [True, True]
    assert found((9500, 10_000)) == [False]  # the other does not go on
    assert found((11_000, 11_300), other=intervals([(0, 10_000), (11_200, 12_000)])) == [False]  # nor spoke just before
    assert found((10_200, 10_500), other=intervals([(0, 10_000), (11_400, 12_000)])) == [
        True
    ]  # in a pause of the other
    assert found() == []
