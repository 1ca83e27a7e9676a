"""A worker's death costs an attempt, whatever it was doing."""

import os
import signal
from pathlib import Path

import pytest

from datagen.errors import EngineError
from datagen.run.supervise import Child, Warden
from datagen.shards.unit import Block


class Frail:
    """A worker that dies in some of its methods: once for each file of that name."""

    def __init__(self, lives: str) -> None:
        self._lives = Path(lives)

    def _live(self, method: str) -> None:
        for life in sorted(self._lives.glob(f"{method}-*"))[:1]:
            life.unlink()
            os._exit(3)

    def run(self, unit: int) -> str:
        self._live("run")
        return f"unit {unit} run"

    def records(self, block: Block) -> list[str]:
        self._live("records")
        return []

    def keep(self, block: Block, results: list[str]) -> str:
        self._live("keep")
        return f"{block} kept with {results}"


def warden(folder: Path, **deaths: int) -> tuple[Warden, list[str]]:
    for method, n in deaths.items():
        for k in range(n):
            (folder / f"{method}-{k}").touch()
    notices: list[str] = []
    return Warden(Frail, (str(folder),), 2, notices.append), notices


@pytest.mark.parametrize(
    ("deaths", "marker"),
    [
        ({"run": 1}, "unit 5 run"),
        ({"run": 2}, "unit 5 kept with []"),
        ({"run": 2, "records": 1, "keep": 1}, "unit 5 kept with []"),
    ],
)
def test_a_unit_survives_deaths_at_every_call(tmp_path, deaths, marker):
    made, notices = warden(tmp_path, **deaths)
    try:
        assert made.unit(5) == marker
    finally:
        made.close()
    n_replaced = sum(min(n, 1) for n in deaths.values())
    assert len([line for line in notices if "is replaced, 1 of 1" in line]) == n_replaced


@pytest.mark.parametrize("method", ["records", "keep"])
def test_a_unit_that_always_kills_its_worker_ends_the_build(tmp_path, method):
    made, _ = warden(tmp_path, run=2, **{method: 2})
    try:
        with pytest.raises(EngineError, match=r"unit 5 kills its worker \(ended with status 3\)"):
            made.unit(5)
    finally:
        made.close()


class Interrupted:
    """A worker that is sent Ctrl-C by another program, as `pkill -INT python` does."""

    def strike(self) -> str:
        os.kill(os.getpid(), signal.SIGINT)
        return "alive"


def test_a_worker_leaves_an_interrupt_to_its_driver():
    """A library that swallows it in the middle of an import stays half imported."""
    child = Child(Interrupted)
    try:
        child.wait()
        assert child.call("strike") == "alive"
    finally:
        child.close()
