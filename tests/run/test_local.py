"""Threads with workers at hand: each unit once, an error raised once, and every worker stopped and closed."""

import threading

import pytest

from datagen.errors import EngineError
from datagen.run.local import run_local
from datagen.shards.unit import Marker, whole_units


class TwoLanes:
    """A worker that two threads share: unit 0 fails while unit 1 is under way, and then no unit begins."""

    def __init__(self) -> None:
        self.began, self.failed, self.calls, self.ends = threading.Event(), threading.Event(), [], []

    def unit(self, unit: int) -> Marker:
        if self.failed.is_set():
            raise EngineError("first")
        self.calls.append(unit)
        if unit == 0:
            assert self.began.wait(60)
            self.failed.set()
            raise EngineError("first")
        self.began.set()
        assert self.failed.wait(60)
        return Marker(unit, 1, 1, 0, "0")

    def stop(self) -> None:
        self.ends.append("stop")

    def close(self) -> None:
        self.ends.append("close")


def test_a_patient_job_finishes_the_units_under_way_after_an_error():
    worker, done = TwoLanes(), []
    with pytest.raises(EngineError, match="first"):
        run_local([worker, worker], whole_units(range(9)), done.append, patient=True)
    assert [marker.unit for marker in done] == [1]
    assert sorted(worker.calls) == [0, 1]
    assert worker.ends == ["stop", "stop", "close", "close"]


def test_an_error_of_the_caller_stops_every_worker():
    worker = TwoLanes()
    worker.failed.set()
    worker.unit = lambda unit: Marker(unit, 1, 1, 0, "0")

    def refuse(_: Marker) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_local([worker], whole_units(range(9)), refuse)
    assert worker.ends == ["stop", "close"]
