"""A local disk: what is written is synced, what fails leaves nothing, and the error says what to do."""

import os
import threading
from pathlib import Path

import pytest

from datagen.errors import StoreError
from datagen.shards.store import LocalStore
from tests.run.builds import tree

SCRATCH = ".writing"


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "out")


def test_what_is_there_is_not_written_again_but_synced(store, monkeypatch):
    """Whoever wrote it may have died before its name was safe, and our marker must not outlive it."""
    store.create("d/f", b"one")
    synced = synced_directories(monkeypatch)
    break_at(monkeypatch, os, "link")
    assert not store.create("d/f", b"two")
    assert synced == [Path(store.url) / "d"]


def synced_directories(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Directories in the order they are synced."""
    found: list[Path] = []

    def fsync(handle: int, real=os.fsync) -> None:
        path = Path(f"/proc/self/fd/{handle}").readlink()
        if path.is_dir():
            found.append(path)
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    return found


def test_new_directories_are_synced_into_theirs(store, monkeypatch, tmp_path):
    synced = synced_directories(monkeypatch)
    store.create("a/b/f", b"one")
    out = tmp_path / "out"
    assert set(synced) == {tmp_path, out, out / "a", out / "a" / "b"}
    assert synced[-1] == out / "a" / "b"


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
        with pytest.raises(StoreError, match=r"cannot write .*out/new: No space left on device; free some space, then"):
            getattr(store, write)("new", b"x" * 1000)
    assert tree(Path(store.url)) == {"old": b"old"}


def test_a_file_has_its_name_only_once_it_is_whole_and_synced(store, monkeypatch):
    seen = []

    def fsync(handle: int, real=os.fsync) -> None:
        seen.append(tree(Path(store.url)))
        real(handle)

    store.create("d/old", b"")
    (Path(store.url) / "d" / "old").unlink()
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
