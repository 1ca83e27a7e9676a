"""Stages compose by hand, and what nobody foresaw becomes the reject of its item."""

import pytest

from datagen.errors import EngineMissingError, OutageError
from datagen.pipeline.pipeline import Pipeline
from datagen.pipeline.step import PipelineStage, Step, apply
from datagen.records import Dialogue, Reject, reject
from tests.conftest import dialogue, make_recipe


def talk(record: int) -> Dialogue:
    return dialogue("Hello.", "Hi.", id=f"d{record}", record=record)


ENDS = {7: KeyboardInterrupt(), 8: SystemExit(), 9: OutageError("the server is gone"), 10: EngineMissingError("torch")}


class Shout(PipelineStage[Dialogue, str]):
    """A stage that fails on record 3, rejects record 5 and ends the program on others."""

    def run(self, item):
        if item.record == 3:
            raise ValueError("three" + "!" * 1000)
        if item.record in ENDS:
            raise ENDS[item.record]
        return reject(item, "shout", "five", "") if item.record == 5 else item.id.upper()


def test_a_reject_passes_through_unseen():
    earlier = reject(talk(3), "select", "code", "turn 1")
    assert Shout()(earlier) is earlier
    assert apply("shout", Shout(), earlier) is earlier


def test_an_exception_becomes_the_reject_of_the_item_that_raised_it():
    item = talk(3)
    found = apply("shout", Shout(), item)
    assert (found.record, found.dialogue_id, found.stage, found.reason) == (3, "d3", "shout", "error")
    assert found.detail.startswith("ValueError: three!!!")
    assert len(found.detail) == 500
    assert "in run" in found.traceback
    assert item == talk(3)


def test_other_results_and_rejects_are_those_of_the_stage():
    assert apply("shout", Shout(), talk(1)) == "D1"
    found = apply("shout", Shout(), talk(5))
    assert (found.reason, found.traceback) == ("five", "")


@pytest.mark.parametrize("record", ENDS)
def test_an_outage_a_missing_engine_or_an_end_of_the_program_decides_nothing(record):
    with pytest.raises(type(ENDS[record])):
        apply("shout", Shout(), talk(record))


def test_a_step_builds_its_stage_when_asked():
    made = []
    step = Step("name", lambda: made.append(1) or Shout())
    assert made == []
    assert step.make()(talk(1)) == "D1"


def test_all_stages_compose_by_hand_for_a_batch_with_a_reject():
    work = Pipeline(make_recipe())
    tea = dialogue("How long does green tea steep?", "Two or three minutes.")
    items = [tea, dialogue("How do I do it?", "```python\nprint(tea)\n```", id="code"), tea]
    for step in work.steps():
        items = [*map(step.make(), items)]
    kept, rejected, _ = items
    assert isinstance(rejected, Reject)
    assert (rejected.dialogue_id, rejected.stage) == ("code", "select")
    rows = [work.flatten()(item) for item in items]
    assert rows[1] == []
    assert {row.dialogue_id for row in rows[0]} == {kept.dialogue_id} == {tea.id}
