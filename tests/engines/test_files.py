"""Hashes of weights are kept as long as the files are the same; files appear in whole."""

import hashlib
import os
from pathlib import Path

import pytest

from datagen.engines import model_files as files


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache in which hashes of all files are kept at once."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(files, "_WORTH_KEEPING_BYTES", 0)
    monkeypatch.setattr(files, "_SETTLED_NS", -(1 << 62))
    return tmp_path / "cache" / "datagen" / "sha256"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_file_is_read_once_and_again_when_it_changes(tmp_path, cache, monkeypatch):
    path, read, hashed = tmp_path / "llm.pt", [], files._hashed
    monkeypatch.setattr(files, "_hashed", lambda file: (read.append(file), hashed(file))[1])
    path.write_bytes(b"weights")
    assert [files.sha256_of(path) for _ in range(3)] == [sha256(b"weights")] * 3
    assert len(read) == 1
    other = tmp_path / "other.pt"
    other.write_bytes(b"WEIGHTS")  # of the same size, and then under the same name with the same time
    times = path.stat()
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.replace(path)
    assert files.sha256_of(path) == sha256(b"WEIGHTS")
    assert len(read) == 2


def test_a_damaged_entry_is_none(tmp_path, cache):
    (tmp_path / "x").write_bytes(b"x")
    files.sha256_of(tmp_path / "x")
    (entry,) = cache.iterdir()
    for damage in (b"", b"no hash", b"\xff" * 64):
        entry.write_bytes(damage)
        assert files.sha256_of(tmp_path / "x") == sha256(b"x")
        assert entry.read_text() == sha256(b"x")


@pytest.mark.parametrize("small", [True, False])
def test_small_files_and_those_that_may_still_change_are_not_kept(tmp_path, cache, monkeypatch, small):
    monkeypatch.setattr(files, "_WORTH_KEEPING_BYTES" if small else "_SETTLED_NS", 1 << 62)
    (tmp_path / "x").write_bytes(b"x")
    assert files.sha256_of(tmp_path / "x") == sha256(b"x")
    assert not cache.exists()


def test_without_a_cache_files_are_hashed_all_the_same(tmp_path, cache, monkeypatch):
    (tmp_path / "x").write_bytes(b"x")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert files.sha256_of(tmp_path / "x") == sha256(b"x")


def kept(made_of, made, content=b"rewritten"):
    return files.kept(made_of, lambda: (made.append(made_of), content)[1])


def test_what_takes_long_to_make_is_made_once_for_all_that_decides_it(cache):
    made = []
    assert [kept(("net", 1), made), kept(("net", 1), made, b"never made")] == [b"rewritten"] * 2
    assert kept(("net", 2), made, b"another") == b"another"
    assert made == [("net", 1), ("net", 2)]


@pytest.mark.parametrize("damage", [b"", b"short", b"\0" * 100, "a bit"])
def test_what_is_kept_and_damaged_is_made_again(cache, damage):
    made = []
    kept("net", made)
    (entry,) = (cache.parent / "made").iterdir()
    whole = entry.read_bytes()
    entry.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]) if damage == "a bit" else damage)
    assert kept("net", made) == b"rewritten"
    assert len(made) == 2
    assert entry.read_bytes() == whole


def test_without_a_cache_or_a_home_things_are_made_all_the_same(tmp_path, cache, monkeypatch):
    (tmp_path / "x").write_bytes(b"x")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert kept("net", []) == b"rewritten"

    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    assert kept("net", []) == b"rewritten"


def test_names_count_as_well_as_contents_and_order_does_not(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(b"1")
    b.write_bytes(b"2")
    first = files.sha256_of_all([a, b], tmp_path)
    assert files.sha256_of_all([b, a], tmp_path) == first
    a.write_bytes(b"2")
    b.write_bytes(b"1")
    assert files.sha256_of_all([a, b], tmp_path) != first


def test_what_breaks_off_leaves_nothing(tmp_path):
    def broken():
        yield b"half"
        raise OSError("the disk is full")

    (tmp_path / "x").write_bytes(b"before")
    with pytest.raises(OSError, match="the disk is full"):
        files.write_whole(tmp_path / "x", broken())
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("x", b"before")]


def test_what_killed_processes_left_is_removed_and_what_is_under_way_is_not(tmp_path):
    for name, age_s in (("x.dead.part", 2 * 86_400), ("x.alive.part", 60), ("y.dead.part", 2 * 86_400)):
        file = tmp_path / name
        file.write_bytes(b"")
        os.utime(file, (file.stat().st_mtime - age_s,) * 2)
    files.write_whole(tmp_path / "x", [b"1", b"2"])
    assert Path(tmp_path / "x").read_bytes() == b"12"
    assert {file.name for file in tmp_path.iterdir()} == {"x", "x.alive.part", "y.dead.part"}
