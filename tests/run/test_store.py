"""A local disk: what is written is synced, what fails leaves nothing, and the error says what to do."""

import errno
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from unittest import mock
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.errors import StoreError
from datagen.shards.scratch import scratch_name
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
        def _written(self, data, target, name):
            barrier.wait()
            return super()._written(data, target, name)

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


def scratch(store: LocalStore, machine: str = "0" * 12, process: int = 1) -> Path:
    """A scratch file of a writer, by default on another machine."""
    file = Path(store.url) / SCRATCH / f"{machine}-{process}-{uuid4().hex}"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"half")
    return file


def aged(path: Path, seconds: float) -> None:
    """Set the time of a file back, by the clock of its file system."""
    now = path.stat().st_mtime
    os.utime(path, (now - seconds, now - seconds))


def dead_process() -> int:
    """The number of a process that has ended."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    return ended.pid


def test_sweep_removes_what_died_and_nothing_else(store):
    store.create("data", b"")
    here = scratch_name().split("-")[0]
    old, fresh = scratch(store), scratch(store)
    dead, own = scratch(store, here, dead_process()), scratch(store, here, os.getpid())
    foreign = old.with_name("thesis.tex")
    foreign.write_bytes(b"")
    for path in (old, foreign, Path(store.url) / "data"):
        aged(path, 1e6)
    store.sweep()
    assert set(tree(Path(store.url))) == {"data", *(f"{SCRATCH}/{path.name}" for path in (fresh, own, foreign))}
    assert not old.exists()
    assert not dead.exists()


def test_a_process_that_nobody_waited_for_is_dead(store):
    """As orphans are in a container without an init process."""
    process = os.fork()
    if not process:
        os._exit(0)
    os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
    try:
        left = scratch(store, scratch_name().split("-")[0], process)
        store.sweep()
        assert not left.exists()
    finally:
        os.waitpid(process, 0)


@given(seconds=st.floats(0, 1e5), skew=st.floats(-1e9, 1e9), age=st.integers(0, 100_000))
def test_sweep_never_compares_the_clocks_of_two_machines(seconds, skew, age):
    """All that counts is the age by the clock of the file system, whatever this machine says the time is."""
    with tempfile.TemporaryDirectory() as folder, mock.patch("time.time", return_value=seconds + skew):
        file = scratch(LocalStore(folder))
        aged(file, age)
        LocalStore(folder).sweep()
        assert file.exists() == (age <= 3600) or 3590 < age < 3610


def test_a_driver_whose_clock_is_ahead_takes_nothing_from_a_live_writer(store):
    """The clock of a real process is set ahead; the scratch file is of another machine and fresh."""
    file = scratch(store)
    ahead = (
        "import sys, time; real = time.time; time.time = lambda: real() + 7200\n"
        "from datagen.shards.store import LocalStore; LocalStore(sys.argv[1]).sweep()"
    )
    subprocess.run([sys.executable, "-c", ahead, store.url], check=True)
    assert file.exists()


@pytest.mark.parametrize("write", ["create", "replace"])
@pytest.mark.parametrize("n_losses", [1, 5])
def test_a_writer_whose_scratch_is_swept_writes_it_again(store, monkeypatch, write, n_losses):
    """Whoever sweeps too much, by whatever mistake, costs a second write and no data."""
    left = iter(range(n_losses))

    def swept_meanwhile(handle: int, real=os.fsync) -> None:
        real(handle)
        if not stat.S_ISDIR(os.fstat(handle).st_mode) and next(left, None) is not None:
            shutil.rmtree(Path(store.url) / SCRATCH)

    monkeypatch.setattr(os, "fsync", swept_meanwhile)
    getattr(store, write)("d/f", b"content")
    assert tree(Path(store.url)) == {"d/f": b"content"}
    assert next(left, None) is None


def test_many_writers_and_sweepers_lose_nothing_and_leave_nothing(store):
    """The folder of scratch files comes and goes under all of them."""
    n, errors = 40, []

    def write(k: int) -> None:
        try:
            for i in range(n):
                assert store.create(f"{k}/{i}", bytes([k, i]))
                store.sweep()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert tree(Path(store.url)) == {f"{k}/{i}": bytes([k, i]) for k in range(6) for i in range(n)}
    assert not (Path(store.url) / SCRATCH).exists()


def test_sweep_follows_no_link_out_of_the_store(store, tmp_path):
    """Somebody's data set could name our files so."""
    other = LocalStore(tmp_path / "other")
    file = scratch(other)
    aged(file, 1e6)
    Path(store.url).mkdir()
    (Path(store.url) / SCRATCH).symlink_to(file.parent)
    store.sweep()
    assert file.exists()


def test_sweep_of_nothing_is_nothing(store):
    store.sweep()
    assert not Path(store.url).exists()


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("a\0b", "is no name of a file below it"),
        ("\ud800", r"no file can have this name"),
        ("x" * 300, "File name too long; choose a shorter name"),
        ("../out", "is no name of a file below it"),
        ("d/../../x", "is no name of a file below it"),
        ("/etc/passwd", "is no name of a file below it"),
        ("f/below", "Not a directory|there is no such file|cannot write"),
    ],
)
@pytest.mark.parametrize("call", ["create", "replace", "read", "open", "exists", "keys"])
def test_a_name_that_cannot_be_is_one_clear_error(store, key, says, call):
    store.create("f", b"")
    if key == "f/below" and call in ("exists", "keys"):
        assert not list(store.keys(key))
        assert not store.exists(key)
        return
    with pytest.raises(StoreError, match=says) as caught:
        found = getattr(store, call)(*(key, b"") if call in ("create", "replace") else (key,))
        list(found)
    assert "\0" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everywhere")
def test_a_folder_without_permission_does_not_look_empty(store):
    store.create("d/f", b"")
    folder = Path(store.url) / "d"
    folder.chmod(0)
    try:
        for call in (store.read, store.exists, lambda key: list(store.keys("d")), lambda key: store.create(key, b"")):
            with pytest.raises(StoreError, match=r"out/d.*Permission denied; fix its permissions"):
                call("d/f")
    finally:
        folder.chmod(0o700)


@pytest.mark.parametrize("call", ["create", "replace", "read", "open", "exists", "keys"])
def test_every_fault_of_the_system_names_the_place_and_the_fix(store, monkeypatch, call):
    """As root no permission is missing, so the system is made to refuse."""
    store.create("d/f", b"")

    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    for module, name in ((os, "fsync"), (os, "scandir"), (Path, "stat"), (Path, "open"), (Path, "read_bytes")):
        monkeypatch.setattr(module, name, refused)
    arguments = ("d/g", b"") if call in ("create", "replace") else ("d/f",)
    with pytest.raises(StoreError, match=r"cannot .*out/d.*: Too many open files; raise the limit on open files"):
        list(getattr(store, call)(*arguments))
