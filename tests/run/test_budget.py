"""A record that takes too much processor time is rejected by its stage, and its worker continues."""

import os
import signal
import threading
import time

import pytest

from datagen.errors import EngineError
from datagen.pipeline.pipeline import Pipeline
from datagen.pipeline.step import PipelineStage, TooSlowError, apply
from datagen.records import Dialogue
from datagen.run.budget import CpuBudget
from datagen.run.planning import plan_build
from datagen.run.supervise import Child, Died, Warden
from datagen.run.worker import Worker
from datagen.shards.store import LocalStore
from datagen.shards.unit import Block
from tests.conftest import dialogue, make_recipe
from tests.run.builds import fake, talk


def forever(item: object) -> object:
    """A stage that never ends and survives every exception that is an `Exception`."""
    while True:
        try:
            item = [item][0]
        except Exception:
            continue


def busy(seconds: float) -> float:
    """Use processor time."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    return seconds


class Endless(PipelineStage[Dialogue, Dialogue]):
    """A fake stage that never ends on texts with the word `endless`."""

    def run(self, item: Dialogue) -> Dialogue:
        return forever(item) if "endless" in item.turns[0].text else item


def slow_worker(recipe: dict[str, object], url: str) -> Worker:
    """A worker as in a build, whose first stage is a fake one."""
    worker = Worker.open(recipe, url, ("select",))
    (step, _), *_ = worker._stages
    worker._stages = [(step, Endless())]
    return worker


class Hungry:
    """A worker without memory for unit 1, as far as it can tell."""

    def run(self, block: Block) -> int:
        if block.unit:
            apply("script", lambda _: bytearray(1 << 62), dialogue("Hello.", "Hi."))
        return os.getpid()


def test_a_call_beyond_its_budget_ends_and_leaves_no_timer_behind():
    before = signal.getsignal(signal.SIGPROF)
    with pytest.raises(TooSlowError):
        CpuBudget(0.02).over(forever)(1)
    assert signal.getitimer(signal.ITIMER_PROF) == (0, 0)
    assert signal.getsignal(signal.SIGPROF) is before


def test_a_call_within_its_budget_returns_its_result():
    assert CpuBudget(60).over(str)(7) == "7"
    assert CpuBudget(None).over(str)(7) == "7"


def test_each_call_has_a_budget_of_its_own():
    limited = CpuBudget(1).over(busy)
    assert [limited(0.1) for _ in range(15)] == [0.1] * 15


def test_a_thread_that_no_signal_reaches_has_no_budget():
    found = []
    thread = threading.Thread(target=lambda: found.append(CpuBudget(1e-6).over(sum)(range(100_000))))
    thread.start()
    thread.join()
    assert found == [4_999_950_000]


def test_only_steps_without_an_engine_have_a_budget():
    limited = [step.name for step in Pipeline(make_recipe()).steps() if not step.has_engine]
    assert limited == ["select", "script", "place"]


def test_a_slow_record_becomes_a_reject_and_its_neighbours_are_kept_by_the_same_worker(tmp_path):
    records = [talk("Hello there.", "Hi."), talk("An endless one.", "Hi."), talk("Hello again.", "Hi.")]
    recipe = fake(tmp_path, "limits.stage_cpu_seconds=1", "run.unit_dialogues=3", records=records)
    plan_build(Pipeline(recipe), LocalStore(tmp_path / "out"))
    child = Child(slow_worker, recipe.dump(), str(tmp_path / "out"))
    try:
        child.wait()
        first, slow, last = child.call("apply", child.call("records", Block(0)))
        assert (slow.stage, slow.reason) == ("select", "too_slow")
        assert slow.detail == "the record takes more processor time than limits.stage_cpu_seconds allows"
        assert "in forever" in slow.traceback
        assert [first.turns[0].text, last.turns[0].text] == ["Hello there.", "Hello again."]
    finally:
        child.close()


def test_missing_memory_decides_no_record_and_the_worker_is_replaced():
    notices: list[str] = []
    warden = Warden(Hungry, (), 2, notices.append)
    try:
        first = warden.must("run", Block(0))
        with pytest.raises(EngineError, match=r"(?s)unit 1 kills its worker \(ran out of memory\).*MemoryError"):
            warden.must("run", Block(1))
        assert notices == ["unit 1: its worker died (ran out of memory) and is replaced, 1 of 1"]
        assert warden.must("run", Block(0)) != first
    finally:
        warden.close()


def test_a_worker_that_ran_out_of_memory_says_so():
    child = Child(Hungry)
    try:
        child.wait()
        with pytest.raises(Died) as death:
            child.call("run", Block(1))
        assert death.value.reason == "ran out of memory"
    finally:
        child.close()
