import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from datagen.feed.packing import pack


@given(st.lists(st.integers(1, 100), max_size=200))
def test_every_row_is_in_one_sequence_and_none_is_overfull(lengths):
    lengths = np.array(lengths, np.int64)
    packed = pack(lengths, 100)
    assert sorted(row for rows in packed for row in rows) == list(range(len(lengths)))
    assert all(0 < lengths[rows].sum() <= 100 for rows in packed)


@given(st.lists(st.integers(1, 100), min_size=1, max_size=200))
def test_two_sequences_never_fit_into_one_but_for_the_poured_rows(lengths):
    lengths = np.array(lengths, np.int64)
    held = sorted(int(lengths[rows].sum()) for rows in pack(lengths, 100) if lengths[rows].max() * 16 >= 100)
    assert len(held) < 2 or held[0] + held[1] > 100


def test_many_rows_of_all_sizes_fill_sequences_to_the_brim():
    lengths = np.random.default_rng(1).integers(5, 700, 400)
    assert lengths.sum() / (len(pack(lengths, 1024)) * 1024) > 0.98


@given(st.lists(st.integers(7, 100), max_size=60))
def test_rows_go_where_the_least_room_is_left_and_to_the_first_of_equals(lengths):
    expected, room = [], []
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        fitting = [k for k in range(len(room)) if room[k] >= lengths[row]]
        if not fitting:
            expected.append([])
            room.append(100)
        best = min(fitting, key=lambda k: (room[k], k), default=len(room) - 1)
        expected[best].append(row)
        room[best] -= lengths[row]
    assert pack(np.array(lengths, np.int64), 100) == expected
