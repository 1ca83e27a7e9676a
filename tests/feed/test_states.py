"""States of a feed that were damaged: each is refused with the key, or does no harm."""

import copy
import json
from itertools import islice

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datagen.errors import FeedError
from datagen.feed import Feed, merge_states
from tests.feed.conftest import TASK, sequences, stage

HERE = f"at.lanes.0.places.{TASK}"


@pytest.fixture(scope="module")
def state(out):
    """A position in the middle of a feed, as it comes out of a checkpoint in JSON."""
    feed = Feed(out, stage(), lanes=2)
    for _ in islice(feed, 3):
        pass
    return json.loads(json.dumps(feed.state_dict()))


def changed(state, place: str, value: object = None, gone: bool = False):
    """The state with one key changed, or gone."""
    found = copy.deepcopy(state)
    *parents, last = place.split(".")
    inner = found
    for parent in parents:
        inner = inner[parent]
    if gone:
        del inner[last]
    else:
        inner[last] = value
    return found


def places(values, place: str = "") -> list[str]:
    """Dotted names of all keys of a state, but those of `of`."""
    if not isinstance(values, dict):
        return []
    here = [f"{place}.{key}".strip(".") for key in values]
    return [*here, *(each for key in values for each in places(values[key], f"{place}.{key}".strip(".")))]


@pytest.mark.parametrize("bad", [None, [], "state", 7, {}, {"of": {}}, {"at": None}, {"of": [], "at": None}])
def test_what_is_no_state_is_refused(out, bad):
    for use in (Feed(out, stage(), lanes=2).load_state_dict, lambda state: merge_states([state])):
        with pytest.raises(FeedError, match=r"this state cannot be resumed: .*; load the state of a checkpoint"):
            use(bad)


def test_every_key_that_is_missing_or_of_another_type_is_named(out, state):
    every = [place for place in places(state) if not place.startswith("of.")]
    assert len(every) > 10
    for place in every:
        last = place.rpartition(".")[2]
        for bad in (
            changed(state, place, gone=True),
            *(changed(state, place, value) for value in ("x", [1], True)),
            *([] if place == "at" else [changed(state, place, None)]),
        ):
            feed = Feed(out, stage(), lanes=2)
            if bad == changed(state, place, gone=True) and place.startswith("at.lanes.") and place.count(".") == 2:
                continue  # a lane that a state does not know is read from its beginning
            with pytest.raises(FeedError, match=rf"cannot be resumed: .*({last}|\$\.{place}|\$.at.lanes)"):
                feed.load_state_dict(bad)


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        ("at.n_sequences", -8, r"\$\.at\.n_sequences"),
        ("at.stage", 3, r"the feed has 1 stages - at `\$\.at\.stage`"),
        ("at.n_sequences", 1.5, r"\$\.at\.n_sequences"),
        (f"{HERE}.epoch", -1, "epoch"),
        (f"{HERE}.row", 1 << 70, "."),
        ("at.lanes.0.n_taken", 10**6, "spent does not add up to n_taken"),
        (f"at.lanes.0.spent.{TASK}", float("nan"), "."),
        (f"at.lanes.0.spent.{TASK}", float("inf"), "does not add up"),
        ("at.lanes.x", {}, "."),
        ("at.lanes.-1", {"n_taken": 0, "spent": {}, "places": {}}, "a number from 0"),
        ("at.later", 1, "later"),
    ],
)
def test_numbers_that_cannot_be_are_refused_before_anything_is_read(out, state, monkeypatch, place, value, says):
    feed = Feed(out, stage(), lanes=2)
    monkeypatch.setattr(feed._plan.shards[TASK]._source._store, "read", None)
    with pytest.raises(FeedError, match=f"this state cannot be resumed: .*{says}"):
        feed.load_state_dict(changed(state, place, value))


def test_lanes_and_tasks_of_another_feed_are_named(out, state):
    lane = state["at"]["lanes"]["0"]
    other = {**lane, "spent": {"asr": lane["spent"][TASK]}, "places": {"asr": lane["places"][TASK]}}
    for bad, says in (
        (changed(state, "at.lanes.99", lane), "stage stage has 2 lanes here - at `\\$.at.lanes.99`"),
        (changed(state, "at.lanes.0", other), f"has the tasks {TASK} - at"),
        (changed(state, "at.n_sequences", 0), "more than the lane's share of n_sequences"),
    ):
        with pytest.raises(FeedError, match=says):
            Feed(out, stage(), lanes=2).load_state_dict(bad)


@pytest.mark.parametrize(("place", "says"), [(f"{HERE}.row", "rows, and no row"), (f"{HERE}.n_given", "has given")])
def test_a_place_that_the_files_do_not_have_is_named(out, state, place, says):
    feed = Feed(out, stage(), lanes=2)
    feed.load_state_dict(changed(state, place, 10**6))
    with pytest.raises(FeedError, match=f"this state cannot be resumed: .*{says}"):
        next(iter(feed))


def test_an_epoch_behind_the_last_is_refused(out):
    feed = Feed(out, stage(), epochs=1)
    next(iter(feed))
    bad = changed(feed.state_dict(), f"{HERE}.epoch", 7)
    again = Feed(out, stage(), epochs=1)
    again.load_state_dict(bad)
    with pytest.raises(FeedError, match="is in epoch 7 of 1"):
        next(iter(again))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damaged_state_is_a_raw_error(out, state, data):
    """It is refused with a FeedError, or the feed runs from where it says."""
    place = data.draw(st.sampled_from(places(state)))
    small = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
    value = data.draw(st.integers(0, 40) | small | st.lists(small, max_size=2) | st.dictionaries(st.text(), small))
    feed = Feed(out, stage(), lanes=2)
    try:
        feed.load_state_dict(changed(state, place, value))
        next(iter(feed))
    except FeedError as error:
        assert str(error).startswith(("this state ", "stage stage: "))


def test_a_state_unchanged_resumes(out, state):
    whole, rest = Feed(out, stage(), lanes=2), Feed(out, stage(), lanes=2)
    rest.load_state_dict(state)
    assert sequences(rest, islice(rest, 3)) == sequences(whole, islice(whole, 6))[6:]
