"""Inputs on an object store: the same dialogues, names and hashes as on a disk, in bounded memory."""

import gzip
import json
import subprocess
import sys
from itertools import cycle
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from datagen.errors import SourceError
from datagen.seeds import rng
from datagen.shards.bucket import PATIENCE, Bucket
from datagen.sources import fingerprint, read
from tests.flaky_s3 import AFTER, BEFORE, FlakyS3
from tests.sources.test_formats import ARRAY, RECORDS, WRITERS


def upload(folder: Path, url: str) -> None:
    """Copy a folder to a store."""
    bucket = Bucket(url)
    for path in folder.rglob("*"):
        if path.is_file():
            bucket.replace(path.relative_to(folder).as_posix(), path.read_bytes())


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_as_on_disk(tmp_path, s3, name):
    WRITERS[name](tmp_path / name)
    upload(tmp_path, s3)
    assert list(read(f"{s3}/{name}")) == list(read(str(tmp_path / name)))
    assert fingerprint(f"{s3}/{name}") == fingerprint(str(tmp_path / name))


def test_a_folder_is_read_as_on_disk(tmp_path, s3):
    folder = tmp_path / s3.rpartition("/")[2]
    (folder / "a" / ".cache").mkdir(parents=True)
    for name in ("x.jsonl", "a/x.parquet", "a/x.json.gz", "b.txt"):
        if name != "b.txt":
            WRITERS[Path(name).name](folder / name)
    for name in ("README.md", "a/LICENSE", "a/.cache/x.jsonl", ".hidden.json"):
        (folder / name).write_bytes(b"no data")
    upload(folder, s3)
    Bucket(s3).replace("a", b"")  # a folder, as consoles make them
    here = list(read(str(folder)))
    assert len({item.source for item in here}) == 3
    assert list(read(s3)) == list(read(f"{s3}/")) == here
    assert fingerprint(s3) == fingerprint(str(folder))


def test_the_suffix_counts_and_not_its_case(s3):
    Bucket(s3).create("X.JSON.GZ", gzip.compress(ARRAY))
    assert len(list(read(f"{s3}/X.JSON.GZ"))) == len(RECORDS)


def test_other_content_is_another_input(s3):
    Bucket(s3).create("x.jsonl", b'{"a": 1}')
    before = fingerprint(f"{s3}/x.jsonl")
    Bucket(s3).replace("x.jsonl", b'{"a": 2}')
    (after,) = fingerprint(f"{s3}/x.jsonl")
    assert (after.name, after.n_bytes) == (before[0].name, before[0].n_bytes)
    assert after.sha256 != before[0].sha256


READ = """
import sys, tracemalloc
import pyarrow as pa
from datagen.sources import read
next(read(sys.argv[1], limit=1))
tracemalloc.start()
n = sum(1 for _ in read(sys.argv[1]))
print(n, tracemalloc.get_traced_memory()[1] + pa.default_memory_pool().max_memory())
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["x.jsonl.zst", "x.parquet"])
def test_memory_does_not_grow_with_the_file(s3, tmp_path, name):
    """In a process of its own, for the server is in this one and holds the whole file."""
    texts = [f"{k} {rng(k, 'text').bytes(6_000).hex()}" for k in range(3_000)]
    records = [{"turns": [{"role": "user", "text": text}, {"role": "bot", "text": "Yes."}]} for text in texts]
    lines = b"\n".join(json.dumps(record).encode() for record in records)
    if name == "x.parquet":
        pq.write_table(pa.Table.from_pylist(records), tmp_path / name, row_group_size=100, use_dictionary=False)
    else:
        (tmp_path / name).write_bytes(zstandard.compress(lines) if name == "x.jsonl.zst" else lines)
    assert (tmp_path / name).stat().st_size > 17_000_000
    upload(tmp_path, s3)
    command = [sys.executable, "-c", READ, f"{s3}/{name}"]
    n, peak = map(int, subprocess.run(command, capture_output=True, check=True).stdout.split())
    assert n == len(records)
    assert peak < 15_000_000


@pytest.mark.parametrize("name", ["x.jsonl", "x.json.gz", "x.parquet"])
def test_faults_on_a_third_of_the_calls_change_nothing(tmp_path, s3, flaky_s3: FlakyS3, monkeypatch, name):
    monkeypatch.setattr("datagen.shards.bucket._STREAM_BYTES", 1_000)
    WRITERS[name](tmp_path / name)
    upload(tmp_path, s3)
    faults = cycle([fault for fault in (*BEFORE, *AFTER) if fault != "403" and "hang" not in fault])
    flaky_s3.plan = lambda method, path, n: "" if n % 3 else next(faults)
    assert list(read(f"{s3}/{name}")) == list(read(str(tmp_path / name)))
    assert sum(n for fault, n in flaky_s3.faults.items() if fault) >= 1


@pytest.mark.parametrize("name", ["x.jsonl", "x.json.gz", "x.parquet"])
def test_a_store_that_fails_is_one_error_that_names_the_input(tmp_path, s3, flaky_s3: FlakyS3, monkeypatch, name):
    monkeypatch.setenv(PATIENCE, "0.05")
    WRITERS[name](tmp_path / name)
    upload(tmp_path, s3)
    found = read(f"{s3}/{name}")
    flaky_s3.plan = lambda method, path, n: "503" if method == "GET" else ""
    with pytest.raises(
        SourceError, match=rf"^cannot read {s3}/{name}: the store answers 503 SlowDown.*; when"
    ) as caught:
        list(found)
    assert "\n" not in str(caught.value)
    with pytest.raises(SourceError, match="503"):
        fingerprint(f"{s3}/{name}")


def test_an_input_that_is_not_there_is_an_error_at_once(s3):
    Bucket(s3).create("data.txt", b"a,b")
    Bucket(s3).create("docs/README.md", b"x")
    for name, says in (
        ("none.jsonl", "no such file or folder"),
        ("data.txt", "not a known format"),
        ("docs", "contains no data files"),
    ):
        with pytest.raises(SourceError, match=f"{s3}/{name}: {says}"):
            read(f"{s3}/{name}")
    with pytest.raises(SourceError, match="no such bucket"):
        read("s3://nobody-has-this/x")
    with pytest.raises(SourceError, match="supported are s3://"):
        read("https://host/x.jsonl")
    with pytest.raises(SourceError, match="credentials"):
        read("s3://key:hunter2@bucket/x.jsonl")
