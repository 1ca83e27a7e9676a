"""Markers as a whole: one listing tells what is missing, and reading them holds only a few."""

import shutil
import threading

import pytest

from datagen.errors import StoreError
from datagen.run import finish as finish_module
from datagen.shards.markers import _READ_AHEAD, Tally, markers, missing
from datagen.shards.store import LocalStore
from datagen.shards.unit import File, Marker, marker_key
from tests.run.builds import made, markers_of

PLAN = "a" * 64


class Counting(LocalStore):
    """Counts what is asked of it."""

    def __init__(self, root) -> None:
        super().__init__(root)
        self.n_reads = self.n_listings = 0
        self._lock = threading.Lock()

    def read(self, key: str) -> bytes:
        with self._lock:
            self.n_reads += 1
        return super().read(key)

    def keys(self, prefix: str):
        self.n_listings += 1
        return super().keys(prefix)


def store_of(tmp_path, units) -> Counting:
    store = Counting(tmp_path)
    for unit in units:
        path = tmp_path / marker_key(unit)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(Marker(unit, 2, 1, 960, f"{unit:032x}", {"select/code": 1}, plan=PLAN).to_json())
    return store


def test_one_listing_and_no_read_tells_what_is_missing(tmp_path):
    store = store_of(tmp_path, {0, 2, 5})
    (tmp_path / "units" / ".DS_Store").write_bytes(b"")
    (tmp_path / "units" / "000099.json").write_bytes(b"")
    assert missing(store, 7) == [1, 3, 4, 6]
    assert (store.n_reads, store.n_listings) == (0, 1)


def test_nothing_is_there_at_the_start(tmp_path):
    assert missing(LocalStore(tmp_path), 3) == [0, 1, 2]


def test_markers_come_in_order_and_are_not_read_far_ahead(tmp_path):
    n_units = 3 * _READ_AHEAD
    store = store_of(tmp_path, range(n_units))
    found = markers(store, range(n_units), PLAN)
    assert [next(found).unit for _ in range(5)] == [0, 1, 2, 3, 4]
    assert store.n_reads <= _READ_AHEAD + 5
    assert [marker.unit for marker in found] == list(range(5, n_units))
    assert store.n_reads == n_units


def test_a_missing_marker_is_named(tmp_path):
    with pytest.raises(StoreError, match=r"units/000001\.json"):
        list(markers(store_of(tmp_path, {0, 2}), range(3), PLAN))


@pytest.mark.parametrize("at", [0, 1])
def test_a_marker_under_another_units_name_is_refused(tmp_path, at):
    store = store_of(tmp_path, {0, 1})
    shutil.copy(tmp_path / marker_key(at), tmp_path / marker_key(1 - at))
    with pytest.raises(StoreError, match=rf"00000{1 - at}\.json is the marker of unit {at}; delete it"):
        list(markers(store, range(2), PLAN))


def test_a_marker_with_the_files_of_another_unit_is_refused(tmp_path):
    store = store_of(tmp_path, {0})
    file = File("asr/train-000001.parquet", "asr", "train", 1, 1, 1, "")
    (tmp_path / marker_key(0)).write_bytes(Marker(0, 2, 1, 960, "0", files=(file,), plan=PLAN).to_json())
    with pytest.raises(StoreError, match=r"000000\.json is the marker of unit 0; delete it"):
        list(markers(store, range(1), PLAN))


def test_a_marker_of_another_run_is_refused(tmp_path):
    with pytest.raises(StoreError, match=r"000000\.json is the marker of another run; delete it"):
        list(markers(store_of(tmp_path, {0}), range(1), "b" * 64))


def test_a_tally_adds_up(tmp_path):
    tally = Tally()
    for marker in markers(store_of(tmp_path, range(4)), range(4), PLAN):
        tally.add(marker)
    assert (tally.n_units, tally.n_records, tally.n_kept, tally.n_samples) == (4, 8, 4, 3840)
    assert (tally.digest, tally.rejects) == (0 + 1 + 2 + 3, {"select/code": 4})


def test_an_index_of_many_parts_names_the_same_files(tmp_path, monkeypatch):
    monkeypatch.setattr(finish_module, "_UNITS_PER_PART", 2)
    out, manifest = made(tmp_path, n=10)
    wanted = [file for marker in markers_of(out) for file in marker.files]
    assert len(manifest.index) == 3
    assert list(manifest.files()) == wanted
    assert sum(part.n_files for part in manifest.index) == len(wanted)
    train = [file for file in wanted if (file.table, file.split) == ("asr", "train")]
    assert train
    assert list(manifest.files("asr", "train")) == train


def test_an_index_that_changed_is_not_believed(tmp_path):
    out, manifest = made(tmp_path)
    path = out / manifest.index[0].key
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(StoreError, match=r"index/00000-.*\.parquet is damaged"):
        list(manifest.files())
