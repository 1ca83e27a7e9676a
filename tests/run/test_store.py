"""A file appears whole or not at all, and never changes once created."""

import os
import threading
from pathlib import Path

import pytest

from datagen.errors import StoreError
from datagen.run.store import LocalStore, open_store
from tests.run.builds import tree

SCRATCH = ".writing"


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "out")


def test_a_file_is_created_once_and_never_changes(store):
    assert store.create("a/b.bin", b"one")
    assert not store.create("a/b.bin", b"two")
    assert store.read("a/b.bin") == b"one"


def test_what_is_there_is_not_even_tried(store, monkeypatch):
    store.create("f", b"one")
    break_at(monkeypatch, os, "fsync")
    assert not store.create("f", b"two")


def test_of_many_writers_one_wins_whole(store):
    """All meet at a barrier behind the first look at the target, so that it is the link that decides."""
    barrier, won = threading.Barrier(8), []

    class Late(LocalStore):
        def _scratch(self, data, key):
            barrier.wait()
            return super()._scratch(data, key)

    late = Late(store.url)

    def write(k: int) -> None:
        if late.create("f", bytes([k]) * 100_000):
            won.append(k)

    threads = [threading.Thread(target=write, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = won
    assert store.read("f") == bytes([winner]) * 100_000
    assert list(store.keys(SCRATCH)) == []


def test_replace_overwrites(store):
    store.replace("f", b"one")
    store.replace("f", b"two")
    assert store.read("f") == b"two"
    assert list(store.keys("")) == ["f"]


def test_keys_are_sorted_and_lie_below_the_folder(store):
    for key in ("t/b", "t/a/z", "t/a/y", "u/c", "t/10"):
        store.create(key, b"")
    assert list(store.keys("t")) == ["t/10", "t/a/y", "t/a/z", "t/b"]
    assert list(store.keys("nothing")) == []


def test_exists_and_read_tell_what_is_there(store):
    assert not store.exists("f")
    with pytest.raises(StoreError, match=r"cannot read .*out/f: No such file"):
        store.read("f")
    store.create("d/f", b"")
    assert store.exists("d/f")
    assert not store.exists("d")  # a folder is no file


def break_at(monkeypatch: pytest.MonkeyPatch, module: object, name: str) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, name, broken)


@pytest.mark.parametrize("write", ["create", "replace"])
@pytest.mark.parametrize(("module", "name"), [(os, "fsync"), (os, "link"), (Path, "replace")])
def test_a_failed_write_leaves_nothing_and_says_where(store, monkeypatch, write, module, name):
    if (write, name) in {("create", "replace"), ("replace", "link")}:
        pytest.skip("not on this way")
    store.create("old", b"old")
    with monkeypatch.context() as patch:
        break_at(patch, module, name)
        with pytest.raises(StoreError, match=r"cannot write .*out/new: No space left on device"):
            getattr(store, write)("new", b"x" * 1000)
    assert tree(Path(store.url)) == {"old": b"old"}


def test_a_file_has_its_name_only_once_it_is_whole_and_synced(store, monkeypatch):
    seen = []

    def fsync(handle: int, real=os.fsync) -> None:
        seen.append(tree(Path(store.url)))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    store.create("d/new", b"x" * 1000)
    before, after = seen
    assert [(Path(name).parent.name, data) for name, data in before.items()] == [(SCRATCH, b"x" * 1000)]
    assert after["d/new"] == b"x" * 1000  # the folder is synced behind the name


def test_what_stands_in_the_way_is_named(store, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for blocked in (LocalStore(tmp_path / "file"), LocalStore(tmp_path / "file" / "below")):
        assert not blocked.exists("f")
        with pytest.raises(StoreError, match=r"cannot write .*file"):
            blocked.create("f", b"")
    store.create("d/f", b"")
    with pytest.raises(StoreError, match="Is a directory"):
        store.read("d")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_directory_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="cannot write"):
        LocalStore(tmp_path).create("f", b"")
    tmp_path.chmod(0o700)


def test_sweep_removes_what_died_long_ago_and_nothing_else(store):
    store.create("data", b"")
    root = Path(store.url)
    old, fresh = root / SCRATCH / "old", root / SCRATCH / "fresh"
    old.write_bytes(b"half")
    fresh.write_bytes(b"half")
    for path in (old, root / "data"):
        os.utime(path, (1_000_000, 1_000_000))
    store.sweep()
    assert set(tree(root)) == {"data", f"{SCRATCH}/fresh"}


def test_sweep_of_nothing_is_nothing(store):
    store.sweep()
    assert not Path(store.url).exists()


def test_urls_are_refused():
    with pytest.raises(StoreError, match="only local directories"):
        open_store("s3://bucket/out")
