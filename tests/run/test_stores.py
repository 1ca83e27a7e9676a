"""The laws of a store, on every kind of store: a file appears whole or not at all, and never changes once created."""

import threading
from pathlib import Path

import pytest

from datagen.errors import StoreError
from datagen.shards.store import Store, open_store
from tests.stores import contents


@pytest.fixture(params=["local", "s3", "gs", pytest.param("az", marks=pytest.mark.slow)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a store may be."""
    return str(tmp_path / "out") if request.param == "local" else request.getfixturevalue(request.param)


@pytest.fixture
def store(url: str) -> Store:
    return open_store(url)


def test_a_file_is_created_once_and_never_changes(store, url):
    assert store.create("a/b.bin", b"one")
    assert not store.create("a/b.bin", b"two")
    assert store.read("a/b.bin") == b"one"
    assert open_store(url).read("a/b.bin") == b"one"


def test_of_many_writers_one_wins_whole(url):
    barrier, won = threading.Barrier(8), []

    def write(k: int) -> None:
        store = open_store(url)
        barrier.wait()
        if store.create("f", bytes([k]) * 100_000):
            won.append(k)

    threads = [threading.Thread(target=write, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = won
    assert contents(open_store(url)) == {"f": bytes([winner]) * 100_000}


def test_replace_overwrites(store):
    store.replace("f", b"one")
    store.replace("f", b"two")
    assert contents(store) == {"f": b"two"}


@pytest.mark.parametrize("n_bytes", [0, 1, 7_000_000])
def test_files_of_any_size_come_back_as_they_are(store, n_bytes):
    data = bytes(range(256)) * (n_bytes // 256 + 1)
    assert store.create("f", data[:n_bytes])
    assert store.read("f") == data[:n_bytes]
    assert not store.create("f", b"")


def test_keys_are_sorted_and_lie_below_the_folder(store):
    for key in ("t/b", "t/a/z", "t/a/y", "t.x", "tt/c", "u/c", "t/10"):
        store.create(key, b"")
    assert list(store.keys("t")) == ["t/10", "t/a/y", "t/a/z", "t/b"]
    assert list(store.keys("nothing")) == []
    assert list(store.keys("")) == sorted(["t/b", "t/a/z", "t/a/y", "t.x", "tt/c", "u/c", "t/10"])


def test_exists_and_read_tell_what_is_there(store, url):
    assert not store.exists("f")
    with pytest.raises(StoreError, match=r"cannot read .*/f: (No such file|not there)") as caught:
        store.read("f")
    assert f"{url}/f" in str(caught.value)
    store.create("d/f", b"")
    assert store.exists("d/f")
    assert not store.exists("d")  # a folder is no file


def test_sweep_leaves_data_alone(store):
    store.create("data", b"x")
    store.sweep()
    store.sweep()
    assert contents(store) == {"data": b"x"}
