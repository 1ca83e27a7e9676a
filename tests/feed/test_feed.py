"""The laws of a feed: what a batch holds, nothing lost or doubled, and an order of the seed alone."""

import json
from collections import Counter
from itertools import islice, pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader
from torchdata.stateful_dataloader import StatefulDataLoader

from datagen.errors import FeedError
from datagen.feed import Feed, Stage, merge_states
from tests.feed.conftest import SHORT, TASK, identity, row_of, sequences, stage
from tests.run.builds import made, read, talks

# -- what a batch holds -----------------------------------------------------------------------------------------


def test_a_batch_holds_rows_as_they_are_stored(out):
    feed = Feed(out, stage(asr=1, **{TASK: 1}), epochs=1)
    for batch in feed:
        ids, labels, positions = (batch.inputs[name] for name in ("input_ids", "labels", "position_ids"))
        assert ids.dtype == labels.dtype == positions.dtype == torch.int64
        for index, rows in enumerate(identity(feed, batch)):
            at = 0
            for _, key, number in rows:
                row = row_of(out, key, number)
                here = slice(at, at + row["n_tokens"])
                assert ids[index, here].tolist() == row["input_ids"]
                learned = [i if m else -100 for i, m in zip(row["input_ids"], row["loss_mask"], strict=True)]
                assert labels[index, here].tolist() == [-100, *learned[1:]]  # nothing stands before the first
                assert positions[index, here].tolist() == list(range(row["n_tokens"]))
                at += row["n_tokens"]
            assert (labels[index, at:] == -100).all()
            assert (ids[index, at:] == feed.vocabulary["<|text_silence|>"]).all()
            assert positions[index, at:].tolist() == list(range(2048 - at))


def test_boundaries_lie_where_positions_begin_anew(out):
    for batch in Feed(out, stage(batch_size=3), epochs=1):
        positions = batch.inputs["position_ids"].flatten()
        assert batch.boundaries.dtype == torch.int32
        assert batch.boundaries.tolist() == [*torch.nonzero(positions == 0).flatten().tolist(), len(positions)]


def test_a_row_that_fills_its_sequence_has_no_fill_behind_it(out):
    longest = max(row["n_tokens"] for row in read(out, TASK))
    batches = list(Feed(out, stage(max_tokens=longest), epochs=1))
    assert any(longest in (b - a for a, b in pairwise(batch.boundaries.tolist())) for batch in batches)
    assert all(a < b for batch in batches for a, b in pairwise(batch.boundaries.tolist()))


# -- nothing lost, nothing doubled ------------------------------------------------------------------------------


@pytest.mark.parametrize("n_ranks", [1, 3])
@pytest.mark.parametrize("split", ["train", "validation"])
def test_one_epoch_gives_every_row_once(out, split, n_ranks):
    feeds = [Feed(out, stage(), split=split, epochs=1, rank=rank, n_ranks=n_ranks) for rank in range(n_ranks)]
    found = Counter(row for feed in feeds for sequence in sequences(feed, feed) for row in sequence)
    stored = Counter()
    for task, key, _ in found:
        assert task == TASK and f"/{split}-" in key
    for row in read(out, TASK):
        stored[row["row_id"]] += 1
    n_stored = sum(1 for row in found)
    assert set(found.values()) == {1}
    ids = {row_of(out, key, number)["row_id"] for _, key, number in found}
    assert len(ids) == n_stored
    others = ids_of(out, {"train": "validation", "validation": "train"}[split])
    assert ids.isdisjoint(others)
    assert len(ids) + len(others) + len(ids_of(out, "test")) == len(stored)


def ids_of(out, split):
    feed = Feed(out, stage(), split=split, epochs=1)
    return {row_of(out, key, number)["row_id"] for rows in sequences(feed, feed) for _, key, number in rows}


def test_without_end_every_epoch_gives_every_row_once(out):
    feed = Feed(out, stage(batch_size=1), lanes=4)
    n_rows = len(ids_of(out, "train"))
    counts = Counter()
    for batch in feed:
        counts.update(row for sequence in identity(feed, batch) for row in sequence)
        if sum(counts.values()) >= 4 * n_rows:
            break
    assert len(counts) == n_rows
    assert max(counts.values()) - min(counts.values()) <= 2  # lanes are less than an epoch apart


def test_lanes_keep_together_over_many_epochs(out, tmp_path):
    tasks = "flatten.tasks=[three_stream]"
    small = str(made(tmp_path, tasks, "run.unit_dialogues=1", records=talks(30, SHORT))[0])  # 20 files, some train
    feed = Feed(small, stage(batch_size=1, max_tokens=512), lanes=4)
    counts = Counter()
    for batch in islice(feed, 600):
        counts.update(row for sequence in identity(feed, batch) for row in sequence)
    assert min(counts.values()) > 20
    assert max(counts.values()) - min(counts.values()) <= 3


def test_nothing_read_ahead_stays_when_all_is_given(out):
    feed = Feed(out, stage(), epochs=1)
    assert list(feed)
    assert not feed._plan.shards[TASK]._coming


def test_epochs_differ_in_their_order(out):
    feed = Feed(out, stage(batch_size=1), epochs=2)
    rows = [row for sequence in sequences(feed, feed) for row in sequence]
    half = len(rows) // 2
    assert sorted(rows[:half]) == sorted(rows[half:]) and rows[:half] != rows[half:]


# -- one order --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_ranks", [2, 3, 4, 8])
def test_the_order_is_the_same_for_any_number_of_ranks(out, n_ranks):
    n_steps, n_together = 10, 24
    single = Feed(out, stage(batch_size=n_together))
    expected = sequences(single, islice(single, n_steps))
    found = [None] * len(expected)
    for rank in range(n_ranks):
        feed = Feed(out, stage(batch_size=n_together // n_ranks), rank=rank, n_ranks=n_ranks)
        found[rank::n_ranks] = sequences(feed, islice(feed, n_steps))
    assert found == expected


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # more workers than cores
@pytest.mark.parametrize("n_workers", [1, 2, 3])
def test_the_order_is_the_same_for_any_number_of_workers(out, n_workers):
    feed = Feed(out, stage(n_sequences=40))
    loader = DataLoader(feed, batch_size=None, num_workers=n_workers)
    assert sequences(feed, loader) == sequences(feed, feed)


@pytest.fixture(scope="module")
def small_out(tmp_path_factory) -> str:
    """A build with one file per split."""
    changes = ("flatten.tasks=[three_stream]", "splits={validation: 0, test: 0}", "run.unit_dialogues=64")
    return str(made(tmp_path_factory.mktemp("small"), *changes, records=talks(24, SHORT))[0])


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # more workers than cores
def test_one_file_feeds_several_ranks_and_loader_workers_evenly(small_out):
    single = Feed(small_out, stage(batch_size=2, max_tokens=1024), epochs=1)
    assert len({single.key(TASK, file) for batch in single for file in batch.rows[:, 1].tolist()}) == 1
    found = []
    for rank in range(2):
        feed = Feed(small_out, stage(batch_size=1, max_tokens=1024), epochs=1, rank=rank, n_ranks=2)
        found.append(sequences(feed, DataLoader(feed, batch_size=None, num_workers=3)))
    assert 0 <= len(found[0]) - len(found[1]) <= 1
    every = [row for rank in found for sequence in rank for row in sequence]
    assert sorted(every) == sorted(row for sequence in sequences(single, single) for row in sequence)
    assert len(set(every)) == len(every) > 6


def test_the_order_depends_on_the_seed(out):
    orders = [sequences(feed, feed) for seed in (1, 1, 2) for feed in [Feed(out, stage(n_sequences=20), seed=seed)]]
    assert orders[0] == orders[1] != orders[2]


def test_without_shuffling_the_seed_does_not_matter(out):
    orders = []
    for seed in (1, 2):
        feed = Feed(out, stage(), epochs=1, shuffle=False, seed=seed)
        orders.append(sequences(feed, feed))
    assert orders[0] == orders[1]


def test_rows_of_a_rank_come_from_files_of_its_own(out):
    keys = []
    for rank in range(4):
        feed = Feed(out, stage(), rank=rank, n_ranks=4, lanes=4)
        keys.append({key for rows in sequences(feed, islice(feed, 2)) for _, key, _ in rows})
    assert not any(keys[a] & keys[b] for a in range(4) for b in range(a))


# -- stops ------------------------------------------------------------------------------------------------------


@settings(max_examples=4)
@given(st.integers(0, 30), st.sampled_from([1, 2, 3]))
def test_a_stop_anywhere_changes_nothing(out, n_before, lanes):
    weights = stage(asr=1, tts=2, **{TASK: 3})
    whole = Feed(out, weights, lanes=lanes)
    expected = sequences(whole, islice(whole, n_before + 5))
    feed = Feed(out, weights, lanes=lanes)
    before = sequences(feed, islice(feed, n_before))
    again = Feed(out, weights, lanes=lanes)
    again.load_state_dict(json.loads(json.dumps(feed.state_dict())))
    assert before + sequences(again, islice(again, 5)) == expected


def test_a_finished_epoch_stays_finished(out):
    feed = Feed(out, stage(asr=1, **{TASK: 1}), epochs=1)
    assert list(feed)
    again = Feed(out, stage(asr=1, **{TASK: 1}), epochs=1)
    again.load_state_dict(feed.state_dict())
    assert not list(again)
    assert list(again)  # and the next time it begins anew


@pytest.mark.filterwarnings("ignore:'set_vital' is deprecated")  # torchdata 0.11 calls it
@pytest.mark.parametrize("n_workers", [0, 2])
def test_a_stateful_loader_goes_on_at_the_next_batch(out, n_workers):
    def loader():
        return StatefulDataLoader(Feed(out, stage(n_sequences=60)), batch_size=None, num_workers=n_workers)

    feed = Feed(out, stage(n_sequences=60))
    expected = sequences(feed, feed)
    first = loader()
    before = sequences(feed, islice(first, 7))
    state = first.state_dict()
    again = loader()
    again.load_state_dict(state)
    assert before + sequences(feed, again) == expected


@pytest.mark.parametrize("merged", [True, False])
def test_other_ranks_can_go_on(out, merged):
    whole = Feed(out, stage(batch_size=12))
    expected = sequences(whole, islice(whole, 6))
    feeds = [Feed(out, stage(batch_size=3), rank=rank, n_ranks=4) for rank in range(4)]
    for feed in feeds:
        for _ in islice(feed, 4):
            pass
    state = merge_states(feed.state_dict() for feed in feeds) if merged else feeds[1].state_dict()
    found = [None] * 24
    for rank in range(3):
        feed = Feed(out, stage(batch_size=4), rank=rank, n_ranks=3)
        feed.load_state_dict(state)
        found[rank::3] = sequences(feed, islice(feed, 2))
    assert found == expected[48:]


def test_states_of_different_steps_do_not_merge(out):
    feeds = [Feed(out, stage(), rank=rank, n_ranks=2) for rank in range(2)]
    for rank, feed in enumerate(feeds):
        for _ in islice(feed, 2 + rank):
            pass
    with pytest.raises(FeedError, match="same step"):
        merge_states(feed.state_dict() for feed in feeds)


# -- stages -----------------------------------------------------------------------------------------------------

CURRICULUM = (
    Stage("alignment", {"asr": 1, "tts": 1}, max_tokens=512, batch_size=4, n_sequences=24),
    Stage("full", {TASK: 1}, max_tokens=2048, batch_size=2, n_sequences=16),
    Stage("more", {TASK: 3, "asr": 1}, max_tokens=2048, batch_size=2, n_sequences=4),
)


def test_stages_follow_each_other(out):
    shapes = [tuple(batch.inputs["input_ids"].shape) for batch in Feed(out, CURRICULUM, n_ranks=2, rank=0)]
    assert shapes == [(4, 512)] * 3 + [(2, 2048)] * 5


@pytest.mark.parametrize("n_before", range(17))
def test_a_stop_in_any_stage_changes_nothing(out, n_before):
    feed = Feed(out, CURRICULUM)
    expected = sequences(feed, feed)
    before = sequences(feed, islice(feed, n_before))
    again = Feed(out, CURRICULUM)
    again.load_state_dict(feed.state_dict())
    assert before + sequences(again, again) == expected


def test_workers_keep_their_turns_over_stages(out):
    feed = Feed(out, CURRICULUM)
    assert sequences(feed, DataLoader(feed, batch_size=None, num_workers=2)) == sequences(feed, feed)


def test_a_rare_task_is_spread_over_the_steps(out):
    rare = [
        batch.tasks.count("asr")
        for batch in Feed(out, stage(**{TASK: 0.8, "asr": 0.2}, batch_size=32, n_sequences=960))
    ]
    assert sum(rare) > 100
    assert sum(n == 0 for n in rare) < len(rare) / 4


def test_tasks_get_their_share_of_the_sequences(out):
    feed = Feed(out, stage(asr=1, tts=2, **{TASK: 5}, n_sequences=400))
    given = Counter(task for batch in feed for task in batch.tasks)
    assert given == pytest.approx({"asr": 50, "tts": 100, TASK: 250}, abs=8)
