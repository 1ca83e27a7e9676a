"""The cache of a feed is no truth: what is damaged in it is found, and made again from the shard."""

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.errors import FeedError, StoreError
from datagen.feed import Feed
from datagen.feed.token_cache import TokenCache, Tokens
from datagen.shards.scratch import scratch_name
from tests.feed.conftest import TASK, stage

VOCABULARY = {"text": 100}


def labels(feed: Feed) -> list[object]:
    return [batch.inputs["labels"].tolist() for batch in feed]


@pytest.fixture(scope="module")
def expected(out) -> list[object]:
    return labels(Feed(out, stage(), epochs=1))


@pytest.fixture(scope="module")
def filled(out, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("filled")
    labels(Feed(out, stage(), epochs=1, cache=str(folder)))
    return folder


@pytest.fixture
def cache(filled, tmp_path) -> Path:
    """A filled cache of one's own, to damage."""
    return Path(shutil.copytree(filled, tmp_path / "cache"))


def reads(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keys that a feed reads from its store, as they come."""
    found: list[str] = []
    store = feed._plan.shards[TASK]._source._store
    real = store.read
    monkeypatch.setattr(store, "read", lambda key: found.append(key) or real(key))
    return found


def arrow(path: Path) -> None:
    with pa.ipc.new_file(str(path), pa.schema([("input_ids", pa.list_(pa.int32()))])) as writer:
        writer.write_table(pa.table({"input_ids": pa.array([[10**9]], pa.list_(pa.int32()))}))


def replaced(path: Path, data: bytes) -> None:
    """Another content of the same length and time, as of an attacker who can set both."""
    times = path.stat()
    path.write_bytes(data)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def flipped(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    replaced(path, bytes(data))


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def link(path: Path) -> None:
    path.rename(path.with_suffix(".elsewhere"))
    path.symlink_to(path.with_suffix(".elsewhere"))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "empty": lambda path: path.write_bytes(b""),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "a bit of the hash": lambda path: flipped(path, 3),
    "a bit of the begins": lambda path: flipped(path, 40),
    "a bit of the tokens": lambda path: flipped(path, 200),
    "a bit of the mask": lambda path: flipped(path, -2),
    "zeros": lambda path: replaced(path, bytes(path.stat().st_size)),
    "another table": lambda path: shutil.copy(next(p for p in sorted(path.parent.iterdir()) if p != path), path),
    "Arrow": arrow,
    "a pipe": fifo,
    "a link": link,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_made_again(out, cache, expected, damage, monkeypatch):
    file = sorted(cache.iterdir())[0]
    whole = file.read_bytes()
    DAMAGES[damage](file)
    feed = Feed(out, stage(), epochs=1, cache=str(cache))
    read = reads(feed, monkeypatch)
    assert labels(feed) == expected
    assert len(read) == 1
    assert file.read_bytes() == whole
    assert not file.is_symlink()


@pytest.mark.parametrize("damage", [name for name in DAMAGES if name != "a pipe"])
def test_damage_after_the_first_reading_is_found_too(out, cache, expected, damage, monkeypatch):
    feed = Feed(out, stage(), epochs=1, cache=str(cache))
    read = reads(feed, monkeypatch)
    assert labels(feed) == expected
    assert read == []
    DAMAGES[damage](sorted(cache.iterdir())[0])
    assert labels(feed) == expected
    assert len(read) == 1


def test_a_folder_in_the_place_of_a_file_costs_speed_alone(out, cache, expected, caplog):
    file = sorted(cache.iterdir())[0]
    file.unlink()
    file.mkdir()
    with caplog.at_level(logging.WARNING):
        assert labels(Feed(out, stage(), epochs=1, cache=str(cache))) == expected
    (record,) = caplog.records
    assert "Is a directory" in record.getMessage()


def test_a_forged_hash_trains_on_nothing_outside_the_vocabulary(out, cache, expected):
    """Who may write to the cache may forge it; ids and begins are checked all the same."""
    for value in (np.int32(-1), np.int32(10**9)):
        feed = Feed(out, stage(), epochs=1, cache=str(cache))
        shards = feed._plan.shards[TASK]
        number = 0
        good = shards.read(number)
        ids = good.ids.copy()
        ids[5] = value
        shards._cache.put(shards._hashes[number].as_py(), Tokens(ids, good.mask, good.offsets))
        assert labels(feed) == expected


def test_another_vocabulary_is_another_file(tmp_path):
    tokens = Tokens(np.arange(3, dtype=np.int32), np.ones(3, np.bool_), np.array([0, 3]))
    TokenCache(str(tmp_path), VOCABULARY).put(b"x" * 32, tokens)
    assert TokenCache(str(tmp_path), VOCABULARY).get(b"x" * 32, 1, (3,)) is not None
    assert TokenCache(str(tmp_path), {"text": 99}).get(b"x" * 32, 1, (3,)) is None


@settings(deadline=None)
@given(lengths=st.lists(st.integers(1, 30), min_size=1, max_size=9), seed=st.integers(0, 9))
def test_what_is_kept_comes_out_unchanged(tmp_path_factory, lengths, seed):
    rng = np.random.default_rng(seed)
    n = sum(lengths)
    tokens = Tokens(rng.integers(0, 2**31, n, np.int32), rng.random(n) < 0.5, np.cumsum([0, *lengths]))
    cache = TokenCache(str(tmp_path_factory.mktemp("cache")), VOCABULARY)
    cache.put(b"k", tokens)
    found = cache.get(b"k", len(lengths), (n,))
    assert found is not None
    for name in ("ids", "mask", "offsets"):
        assert np.array_equal(getattr(found, name), getattr(tokens, name))
        assert getattr(found, name).dtype == getattr(tokens, name).dtype


def test_a_deleted_cache_is_made_again_while_it_is_read(out, cache, expected):
    feed = Feed(out, stage(), epochs=1, cache=str(cache))
    batches = iter(feed)
    found = [next(batches).inputs["labels"].tolist()]
    shutil.rmtree(cache)
    assert found + [batch.inputs["labels"].tolist() for batch in batches] == expected
    assert labels(feed) == expected
    assert list(cache.iterdir())


def test_a_cache_that_cannot_be_is_one_clear_error(out, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for folder in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / "a\0b", tmp_path / ("x" * 300)):
        with pytest.raises(FeedError, match=r"cannot write .*; .*or omit cache="):
            Feed(out, stage(), cache=str(folder))


def test_a_full_disk_costs_speed_alone_and_is_said_once(out, tmp_path, expected, monkeypatch, caplog):
    feed = Feed(out, stage(), epochs=1, cache=str(tmp_path))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with caplog.at_level(logging.WARNING):
        assert labels(feed) == expected
    (record,) = caplog.records
    assert "No space left on device; free some space" in record.getMessage()
    assert not list(tmp_path.iterdir())


def test_what_killed_writers_left_is_swept(out, tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    here = scratch_name().split("-")[0]
    left = tmp_path / f".{here}-{ended.pid}-{'0' * 32}.tokens"
    alive = tmp_path / f".{here}-{os.getpid()}-{'0' * 32}.tokens"
    other = tmp_path / "thesis.tex"
    for file in (left, alive, other):
        file.write_bytes(b"half")
    Feed(out, stage(), cache=str(tmp_path))
    assert sorted(tmp_path.iterdir()) == sorted([alive, other])


@pytest.mark.parametrize("damage", ["truncated", "one bit", "metadata", "another shard", "gone"])
def test_a_shard_damaged_after_its_first_reading_is_named(out, tmp_path, damage):
    copy = Path(shutil.copytree(out, tmp_path / "copy"))
    feed = Feed(str(copy), stage(), epochs=1)
    labels(feed)
    file, other = sorted((copy / TASK).glob("train-*"))[:2]
    data = file.read_bytes()
    at = data.rindex(b'"vocabulary"')
    changed = {
        "truncated": data[:-100],
        "one bit": data[:50] + bytes([data[50] ^ 1]) + data[51:],
        "metadata": data[:at] + b"?" + data[at + 1 :],
        "another shard": other.read_bytes(),
    }
    file.unlink()
    if damage in changed:
        file.write_bytes(changed[damage])
    with pytest.raises((FeedError, StoreError), match=rf"{file.name}.* (is not the file in the index|No such file)"):
        labels(feed)
