"""The one place that catches what nobody foresaw: order kept, neighbours kept, nothing lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.errors import OutageError
from datagen.pipeline.step import Step, apply
from datagen.records import Dialogue, Reject, reject
from tests.conftest import dialogue


def talk(record: int) -> Dialogue:
    return dialogue("Hello.", "Hi.", id=f"d{record}", record=record)


def earlier(record: int) -> Reject:
    return reject(talk(record), "select", "code", "turn 1")


def shout(batch):
    """A stage that fails on record 3 and rejects record 5."""
    if any(item.record == 3 for item in batch):
        raise ValueError("three" + "!" * 1000)
    return [reject(item, "shout", "five", "") if item.record == 5 else item.id.upper() for item in batch]


def test_rejects_pass_through_unseen():
    seen = []

    def stage(batch):
        seen.extend(batch)
        return [item.id for item in batch]

    batch = [earlier(0), talk(1), earlier(2), talk(4)]
    assert apply("stage", stage, batch) == [batch[0], "d1", batch[2], "d4"]
    assert seen == [batch[1], batch[3]]


def test_a_batch_of_rejects_runs_nothing():
    batch = [earlier(0), earlier(1)]
    assert apply("stage", lambda _: pytest.fail("it ran"), batch) == batch
    assert apply("stage", lambda _: pytest.fail("it ran"), []) == []


def test_an_exception_becomes_the_reject_of_the_item_that_raised_it():
    batch = [talk(k) for k in range(6)]
    found = apply("shout", shout, batch)
    assert [f if isinstance(f, str) else (f.record, f.stage, f.reason) for f in found] == [
        *("D0", "D1", "D2"),
        (3, "shout", "error"),
        "D4",
        (5, "shout", "five"),
    ]
    assert found[3].dialogue_id == "d3"
    assert found[3].detail.startswith("ValueError: three!!!")
    assert len(found[3].detail) <= 500
    assert "in shout" in found[3].traceback
    assert found[5].traceback == ""


def test_the_input_is_untouched():
    batch = [talk(3), earlier(1)]
    before = list(batch)
    apply("shout", shout, batch)
    assert batch == before


@given(st.lists(st.integers(0, 7), max_size=12), st.sets(st.integers(0, 11)))
def test_each_item_gives_one_result_in_order(records, already):
    batch = [earlier(record) if k in already else talk(record) for k, record in enumerate(records)]
    found = apply("shout", shout, batch)
    assert len(found) == len(batch)
    for item, result in zip(batch, found, strict=True):
        if isinstance(item, Reject):
            assert result is item
        elif item.record in (3, 5):
            assert (result.record, result.reason) == (item.record, "error" if item.record == 3 else "five")
        else:
            assert result == item.id.upper()


@pytest.mark.parametrize("wrong", [[], ["a"], ["a", "b", "c"]])
def test_a_stage_that_loses_or_invents_items_is_a_bug_not_a_reject(wrong):
    with pytest.raises(RuntimeError, match=f"stage broken made {len(wrong)} results of 2 items"):
        apply("broken", lambda _: wrong, [talk(0), talk(1)])


def test_a_generator_that_fails_late_is_caught_too():
    def stage(batch):
        for item in batch:
            if item.record == 1:
                raise KeyError("late")
            yield item.id

    found = apply("lazy", stage, [talk(0), talk(1)])
    assert found[0] == "d0"
    assert found[1].detail == "KeyError: 'late'"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_program_is_not_a_reject(error):
    def stage(batch):
        raise error

    with pytest.raises(error):
        apply("stage", stage, [talk(0)])


def test_a_step_builds_its_stage_when_asked():
    made = []
    step = Step("name", lambda: made.append(1) or list)
    assert made == []
    assert step.make()([1]) == [1]
    assert step.batch_size == 1


def test_an_outage_decides_nothing():
    def stage(batch):
        raise OutageError("the server is gone")

    for n in (1, 2):
        with pytest.raises(OutageError, match="the server is gone"):
            apply("stage", stage, [talk(k) for k in range(n)])
