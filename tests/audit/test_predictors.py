"""What single predictors are made of: laws that hold for any input."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from datagen.audit.finding import verdict
from datagen.audit.labels import usual_codes
from datagen.audit.must_stop import balanced, crossed, matrix
from datagen.audit.repetition import _matrix, shingles
from datagen.audit.silent_codes import _elsewhere, _hashes, _owners, detector, equal_shares, stands_out

codes = st.lists(st.integers(0, 3), min_size=2, max_size=30)


@given(st.lists(st.tuples(codes, st.integers(0, 2**30)), min_size=1, max_size=4), st.integers(1, 12))
def test_equal_codes_are_counted_in_pairs_of_silent_frames_of_one_conversation(parts, n_lags):
    rows = [np.array(row, np.uint16) for row, _ in parts]
    quiet = [np.array([bits >> k & 1 for k in range(len(row))], bool) for row, bits in parts]
    found = equal_shares(rows, quiet, n_lags)
    for lag in range(1, n_lags + 1):
        pairs = [
            row[k] == row[k - lag]
            for row, silent in zip(rows, quiet, strict=True)
            for k in range(lag, len(row))
            if silent[k] and silent[k - lag]
        ]
        assert found.n_pairs[lag] == len(pairs)
        assert not pairs or np.isclose(found.shares[lag], np.mean(pairs))


@given(st.integers(13, 80))
def test_a_period_stands_out_at_its_lag(period):
    shares = np.full(100, 0.2)
    shares[period] = 0.5
    excess, near = stands_out(shares)
    assert np.nanargmax(excess) == period
    assert np.isclose(near[period], 0.2)


def test_the_detector_finds_speech_that_breaks_a_loop():
    row, silent = np.tile(np.arange(10, dtype=np.uint16), 6), np.ones(60, bool)
    row[32:36], silent[32:36] = 99, False
    assert detector([row], [silent], 10) == (1.0, 0.0)


@given(st.lists(codes, min_size=2, max_size=5))
def test_a_run_is_elsewhere_if_another_conversation_has_it(parts):
    windows = [np.lib.stride_tricks.sliding_window_view(np.array(row, np.uint16), 2) for row in parts]
    hashes = np.concatenate([_hashes(each) for each in windows])
    owners = np.repeat(np.arange(len(windows)), [len(each) for each in windows])
    found = _elsewhere(hashes, owners, *_owners(hashes, owners))
    sets = [{tuple(window) for window in each.tolist()} for each in windows]
    expected = [
        any(tuple(window) in other for j, other in enumerate(sets) if j != k)
        for k, each in enumerate(windows)
        for window in each.tolist()
    ]
    assert found.tolist() == expected


@given(st.text(max_size=40), st.text(max_size=40))
def test_common_shingles_are_those_that_both_texts_have(one, other):
    a, b = shingles(one), shingles(other)
    known = np.unique(np.concatenate([a, b]))
    common = (_matrix([a], known) @ _matrix([b], known).T).toarray()
    assert common[0, 0] == len(set(a.tolist()) & set(b.tolist()))


def test_a_share_of_shingles_is_the_same_of_every_text():
    one = shingles("It was the best of times, it was the worst of times.")
    some = shingles("It was the best of times, it was the worst of times.", 0.4)
    assert 0 < len(some) < len(one)
    assert set(some.tolist()) < set(one.tolist())


def test_usual_codes_leave_out_the_rare_ones():
    frames = np.array([1] * 900 + [2] * 97 + [7] * 3, np.uint16)
    assert usual_codes(frames).tolist() == [1, 2]


def test_the_classifier_learns_what_tells_labels_apart_and_nothing_from_chance():
    rng = np.random.default_rng(1)
    labels, phrases = np.arange(200) % 4 == 0, [str(k) for k in range(200)]
    folds = np.arange(200) % 5
    told = [{"ended": float(not label), "noise": float(rng.random())} for label in labels]
    untold = [{"noise": float(rng.random())} for _ in labels]
    assert balanced(crossed(matrix(told, phrases), labels, folds), labels) == 1.0
    assert abs(balanced(crossed(matrix(untold, phrases), labels, folds), labels) - 0.5) < 0.15


@given(st.integers(0, 50), st.integers(1, 200))
def test_at_the_limit_a_share_passes_and_far_above_it_fails(percent, n):
    limit = percent / 100
    assert verdict(int(limit * n) / n, n, limit) == "pass"
    assert verdict(1.0, n + 5, limit) == "fail"
    assert verdict(1.0, n, limit, n_least=n + 1) == "not enough data"


@given(st.integers(1, 200))
def test_with_a_limit_of_none_one_case_is_a_fault(n):
    assert verdict(1 / n, n, 0.0) == "fail"
    assert verdict(0.0, n, 0.0) == "pass"


def test_words_of_one_phrase_alone_teach_nothing():
    seen = [{"word a": 1.0}, {"word a": 1.0}, {"word b": 1.0}, {"word b": 1.0}]
    assert matrix(seen, ["p", "p", "q", "r"]).shape == (4, 2), "word b and the constant"
