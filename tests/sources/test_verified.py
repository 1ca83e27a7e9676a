"""What planning has read is what stands in the identity, whatever happens to the files in between."""

import bz2
import gzip
import json
import lzma
import shutil
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.errors import SourceError
from datagen.pipeline.pipeline import Pipeline
from datagen.run import planning
from datagen.shards.bucket import Bucket
from datagen.shards.plan import load_plan
from datagen.shards.store import LocalStore
from datagen.sources import fingerprint, inputs, read
from tests.run.builds import fake, talks
from tests.sources.test_formats import LINES, RECORDS, WRITERS

CHANGED = r"changed while the build was planned .*; run the same command again"


def again(folder: Path, **options):
    """Read a folder as planning does, its identity taken before; changes happen in between."""
    identity = fingerprint(str(folder))
    return lambda: list(read(str(folder), identity=identity, **options))


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("limit", [None, 1, 300])
def test_an_unchanged_file_is_read_as_without_its_identity(tmp_path, name, limit):
    WRITERS[name](tmp_path / name)
    assert again(tmp_path, limit=limit)() == list(read(str(tmp_path), limit=limit))


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("limit", [None, 1, 300])
def test_a_byte_appended_or_flipped_is_an_error_that_names_the_file(tmp_path, name, limit):
    """Also behind the last record that `limit` lets through."""
    path = tmp_path / name
    WRITERS[name](path)
    planned, data = again(tmp_path, limit=limit), path.read_bytes()
    packers = {".gz": gzip.compress, ".zst": zstandard.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
    extra = packers.get(path.suffix, bytes)(b"\n")
    if inputs.SUFFIXES[inputs.known_suffix(name)].format not in ("parquet", "tar"):  # they end with a mark of the end
        path.write_bytes(data + extra)
        with pytest.raises(SourceError, match=f"{name}: ({CHANGED}|.*after the end|.*does not end as Arrow files do)"):
            planned()
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 1
    path.write_bytes(flipped)
    with pytest.raises(SourceError, match=name):
        planned()
    path.write_bytes(data)
    planned()


@settings(max_examples=30, deadline=None)
@given(at=st.integers(0, len(LINES) - 1), bit=st.integers(0, 7), limit=st.sampled_from([None, 2]))
def test_any_flipped_bit_is_found(tmp_path_factory, at, bit, limit):
    folder = tmp_path_factory.mktemp("flip")
    (folder / "x.jsonl").write_bytes(LINES)
    planned, data = again(folder, limit=limit), bytearray(LINES)
    data[at] ^= 1 << bit
    (folder / "x.jsonl").write_bytes(data)
    with pytest.raises(SourceError, match=CHANGED):
        planned()


@pytest.mark.parametrize("name", ["x.jsonl", "x.parquet"])
def test_a_file_replaced_during_reading_is_read_to_its_end_or_refused(tmp_path, name):
    WRITERS[name](tmp_path / name)
    identity = fingerprint(str(tmp_path))
    records = read(str(tmp_path), identity=identity)
    first = next(records)
    (tmp_path / "new").write_bytes(b"{}\n" * 9)
    (tmp_path / "new").replace(tmp_path / name)
    assert [first, *records][-1].id == RECORDS[-1]["id"]


def test_a_file_added_removed_or_renamed_is_an_error_that_names_it(tmp_path):
    for name in "ac":
        (tmp_path / f"{name}.jsonl").write_bytes(LINES)
    planned = again(tmp_path)
    (tmp_path / "b.jsonl").write_bytes(LINES)
    with pytest.raises(SourceError, match=r"/b\.jsonl: is new among the inputs .*run the same command again"):
        planned()
    (tmp_path / "b.jsonl").unlink()
    (tmp_path / "c.jsonl").unlink()
    with pytest.raises(SourceError, match=r"/c\.jsonl: disappeared from the inputs .*run the same command again"):
        planned()


def test_a_saved_data_set_is_compared_file_by_file(tmp_path):
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    datasets.Dataset.from_list(RECORDS).save_to_disk(tmp_path / "talks")
    planned = again(tmp_path / "talks", limit=1)
    assert len(planned()) == 1
    with (tmp_path / "talks" / "dataset_info.json").open("a") as file:
        file.write(" ")
    with pytest.raises(SourceError, match=f"talks/dataset_info.json: {CHANGED}"):
        planned()


def test_a_hub_data_set_is_read_at_the_commit_of_the_identity(tmp_path, monkeypatch):
    datasets, hub = pytest.importorskip("datasets"), pytest.importorskip("huggingface_hub")
    loaded = []
    (tmp_path / "train.jsonl").write_text(json.dumps(RECORDS[0]))

    class Fake:
        sha = "c0ffee"
        config = SimpleNamespace(data_files={"train": [str(tmp_path / "train.jsonl")]})

    def load_dataset_builder(*_, **options):
        loaded.append(options["revision"])
        return Fake

    monkeypatch.setattr(hub.HfApi, "dataset_info", lambda *_, **__: Fake)
    monkeypatch.setattr(datasets, "load_dataset_builder", load_dataset_builder)
    identity = fingerprint("hf:org/talks:en@main")
    assert len(list(read("hf:org/talks:en@main", identity=identity))) == 1
    assert loaded == ["c0ffee"]


@pytest.mark.parametrize("name", ["x.jsonl", "x.json.gz", "x.parquet"])
def test_an_object_that_changed_is_an_error(tmp_path, s3, name):
    WRITERS[name](tmp_path / name)
    data = (tmp_path / name).read_bytes()
    Bucket(s3).replace(name, data)
    identity = fingerprint(s3)
    assert list(read(s3, identity=identity, limit=2)) == list(read(s3, limit=2))
    pq.write_table(pa.Table.from_pylist(RECORDS[:7]), tmp_path / "x.parquet")
    other = {"x.jsonl": LINES + b"\n", "x.json.gz": gzip.compress(b"[{}]")}
    Bucket(s3).replace(name, other.get(name) or (tmp_path / "x.parquet").read_bytes())
    with pytest.raises(SourceError, match=f"{s3}/{name}: {CHANGED}"):
        list(read(s3, identity=identity, limit=2))


@pytest.mark.parametrize("limit", ["input.limit=null", "input.limit=2"])
def test_a_record_appended_between_identity_and_reading_leaves_no_plan(tmp_path, monkeypatch, limit):
    recipe, store = fake(tmp_path, limit, n=130), LocalStore(tmp_path / "out")
    identity = planning.identity

    def then_append(pipeline):
        found = identity(pipeline)
        with (tmp_path / "in.jsonl").open("a") as file:
            file.write(json.dumps(talks(131)[-1]) + "\n")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(planning, "identity", then_append)
        with pytest.raises(SourceError, match=rf"in\.jsonl: {CHANGED}"):
            planning.plan_build(Pipeline(recipe), store)
    assert load_plan(store) is None
    made = planning.plan_build(Pipeline(recipe), store)
    shutil.rmtree(tmp_path / "out")
    assert planning.plan_build(Pipeline(recipe), store) == made


def test_hashing_holds_nothing(tmp_path):
    (tmp_path / "x.jsonl").write_bytes((json.dumps({"chat": "y" * 900}) + "\n").encode() * 6_000)
    planned = fingerprint(str(tmp_path))
    tracemalloc.start()
    try:
        assert sum(1 for _ in read(str(tmp_path), identity=planned)) == 6_000
        assert tracemalloc.get_traced_memory()[1] < 3_000_000  # of 5.4 MB
        assert sum(1 for _ in read(str(tmp_path), identity=planned, limit=1)) == 1
    finally:
        tracemalloc.stop()
