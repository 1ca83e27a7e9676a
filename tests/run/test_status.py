"""How far a build is, told from its output alone."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from datagen.errors import StoreError
from datagen.run.status import Status, status
from datagen.shards.manifest import MANIFEST
from datagen.shards.store import LocalStore
from datagen.shards.unit import Marker, marker_key
from tests.run.builds import fake, made, markers_of, worker

RATE = 24_000


class OnlyKeys:
    """Any store: nothing but what the protocol offers, and no sorted listing."""

    def __init__(self, root: Path) -> None:
        self._store, self.url = LocalStore(root), str(root)
        self.exists, self.read = self._store.exists, self._store.read

    def keys(self, prefix: str):
        yield from list(self._store.keys(prefix))[::-1]


def stamp(out: Path, *finished_at: int, n_samples: int = RATE) -> None:
    """Rewrite the markers of the first units, with these times."""
    for unit, at in enumerate(finished_at):
        path = out / marker_key(unit)
        marker = Marker.from_json(path.read_bytes(), path.name)
        path.write_bytes(replace(marker, finished_at=at, n_samples=n_samples).to_json())


@pytest.fixture
def planned(tmp_path) -> tuple[Path, object]:
    """A plan of four units of two records, one reject in three, and the worker that makes them."""
    return tmp_path / "out", worker(fake(tmp_path, n=8), LocalStore(tmp_path / "out"))


def test_before_the_first_unit(planned):
    found = status(OnlyKeys(planned[0]))
    assert (found.finished, found.n_units, found.n_units_done, found.n_records) == (False, 4, 0, 8)
    assert (found.hours, found.hours_left, found.realtime, found.last_unit_at) == (0, None, None, None)


def test_half_way(planned):
    out, work = planned
    for unit in (0, 3):
        work.run(unit)
    found = status(OnlyKeys(out))
    markers = list(markers_of(out))
    assert (found.n_units_done, found.n_conversations, found.n_rejects) == (2, 2, 2)
    assert found.rejects == {"select/code": 2}
    assert found.hours == found.hours_left == round(sum(m.n_samples for m in markers) / RATE / 3600, 4)
    assert found.last_unit_at == max(m.finished_at for m in markers)


def test_finished_says_what_the_manifest_says(tmp_path):
    out, manifest = made(tmp_path)
    for path in (out / "units").iterdir():
        path.unlink()  # nothing else is looked at
    found = status(OnlyKeys(out))
    assert (found.finished, found.n_units_done, found.hours_left) == (True, found.n_units, 0)
    for name in ("n_units", "n_records", "n_conversations", "n_rejects", "rejects", "hours"):
        assert getattr(found, name) == getattr(manifest, name)


@pytest.mark.parametrize(
    ("times", "realtime", "seconds_left"),
    [
        ((1000,), None, None),  # when did it begin?
        ((1000, 1000, 1000), None, None),
        ((1000, 1010), 0.1, 20.0),
        ((1010, 1000), 0.1, 20.0),  # order of units is not that of time
        ((1000, 1005, 1010), 0.2, 5.0),
    ],
)
def test_speed_is_that_between_the_oldest_and_the_newest_unit(planned, times, realtime, seconds_left):
    out, work = planned
    for unit in range(len(times)):
        work.run(unit)
    stamp(out, *times)
    found = status(OnlyKeys(out))
    assert (found.realtime, found.seconds_left) == (realtime, seconds_left)


def test_only_recent_units_tell_the_speed(planned, monkeypatch):
    out, work = planned
    for unit in range(3):
        work.run(unit)
    stamp(out, 1000, 9000, 9010)
    monkeypatch.setattr("datagen.run.status._RECENT_UNITS", 2)
    assert status(OnlyKeys(out)).realtime == 0.1
    monkeypatch.setattr("datagen.run.status._RECENT_SECONDS", 8010)
    assert status(OnlyKeys(out)).realtime == round(2 / 8010, 1)


def test_where_nothing_was_planned_it_says_so(tmp_path):
    with pytest.raises(StoreError, match=r"no plan.json: there is no build, or its input is still being read"):
        status(OnlyKeys(tmp_path))


def test_it_is_plain_json(planned):
    out, work = planned
    work.run(1)
    found = status(OnlyKeys(out))
    assert Status(**json.loads(json.dumps(asdict(found)))) == found


def test_it_reads_and_writes_nothing_else(planned):
    """A look from outside never gets in the way of those who build."""
    out, work = planned
    work.run(1)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    status(OnlyKeys(out))
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before
    assert not (out / MANIFEST).exists()
