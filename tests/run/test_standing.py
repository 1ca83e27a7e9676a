"""A run that continues trusts nothing that it finds: every file that decides is verified first."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from datagen.errors import StoreError
from datagen.run.build import build
from datagen.run.job import Watcher
from datagen.run.reflatten import reflatten
from datagen.shards.manifest import MANIFEST, Manifest
from datagen.shards.store import LocalStore
from tests.run.builds import fake, faults, flip, made, talk, worker

N = 6


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory):
    records = [talk(f"What is {k}?", f"It is {k}.", id=f"d{k}") for k in range(N)]
    return fake(tmp_path_factory.mktemp("input"), "run.unit_dialogues=1", records=records)


@pytest.fixture(scope="module")
def whole(recipe, tmp_path_factory: pytest.TempPathFactory):
    """A build without its manifest: killed before its last write."""
    out = tmp_path_factory.mktemp("whole") / "out"
    digest = build(recipe, str(out)).digest
    (out / MANIFEST).unlink()
    return out, digest


@pytest.fixture
def cut(whole, tmp_path) -> Path:
    return shutil.copytree(whole[0], tmp_path / "out")


@pytest.mark.parametrize("table", ["conversations", "three_stream"])
def test_a_file_of_a_finished_unit_that_is_gone_is_missed(recipe, cut, table):
    gone = sorted((cut / table).glob("*-000003.parquet" if table != "conversations" else "000003.parquet"))[0]
    gone.unlink()
    key = gone.relative_to(cut).as_posix()
    with pytest.raises(StoreError, match=rf"lost finished work: {key} is missing \(units/000003\.json\)\. Delete"):
        build(recipe, str(cut))


def test_a_file_of_another_size_is_found(recipe, cut):
    with (cut / "conversations/000002.parquet").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(StoreError, match=r"conversations/000002\.parquet has \d+ bytes instead of \d+"):
        build(recipe, str(cut))


def test_other_bytes_are_found_if_one_asks(recipe, cut):
    flip(cut / "conversations/000002.parquet")
    with pytest.raises(StoreError, match=r"conversations/000002\.parquet has other bytes"):
        build(recipe, str(cut), verify=True)
    (cut / "conversations/000002.parquet").unlink()
    with pytest.raises(StoreError, match=r"conversations/000002\.parquet is missing"):
        build(recipe, str(cut), verify=True)


def test_what_the_error_says_to_do_helps(recipe, whole, cut):
    for file in cut.rglob("*000004*"):
        file.unlink()
    assert build(recipe, str(cut), verify=True).digest == whole[1]
    assert faults(cut) == []


def test_a_finished_build_is_verified_if_one_asks(recipe, cut):
    build(recipe, str(cut))
    flip(cut / "conversations/000001.parquet")
    build(recipe, str(cut))
    with pytest.raises(StoreError, match=r"conversations/000001\.parquet has other bytes"):
        build(recipe, str(cut), verify=True)


def test_many_lost_files_are_counted(recipe, cut):
    shutil.rmtree(cut / "conversations")
    with pytest.raises(StoreError, match=r"000004\.json\), and 1 more\. Delete"):
        build(recipe, str(cut))


def test_conversations_are_verified_before_their_rows_follow(recipe, whole, cut):
    """A bit flipped between a kill and the resume used to become the truth."""
    file, n_found = cut / "conversations/000000.parquet", 0
    data = file.read_bytes()
    for bit in range(0, 8 * len(data), 8 * len(data) // 97):
        for left in ("units/000000.json", *(f.relative_to(cut).as_posix() for f in cut.glob("*/*-000000.parquet"))):
            (cut / left).unlink(missing_ok=True)
        file.write_bytes(data)
        flip(file, bit)
        with pytest.raises(StoreError, match=r"conversations/000000\.parquet is damaged: .*; delete it and run the sa"):
            worker(recipe, LocalStore(cut)).run(0)
        n_found += 1
    assert n_found >= 97
    file.unlink()
    assert build(recipe, str(cut)).digest == whole[1]


def test_conversations_of_another_unit_are_refused(recipe, cut):
    shutil.copy(cut / "conversations/000001.parquet", cut / "conversations/000000.parquet")
    (cut / "units/000000.json").unlink()
    with pytest.raises(StoreError, match=r"conversations/000000\.parquet belongs to another unit or run; delete it"):
        build(recipe, str(cut))


def test_conversations_of_another_run_are_refused(recipe, cut, tmp_path):
    records = [talk("Why is it so?", "Because it is so.", id="d0")]
    other, _ = made(tmp_path / "other", "run.unit_dialogues=1", "seed=8", records=records)
    shutil.copy(other / "conversations/000000.parquet", cut / "conversations/000000.parquet")
    (cut / "units/000000.json").unlink()
    with pytest.raises(StoreError, match=r"conversations/000000\.parquet belongs to another unit or run; delete it"):
        build(recipe, str(cut))


def test_a_run_leaves_nothing_of_workers_that_died_in_it(recipe, tmp_path):
    out = tmp_path / "out"

    class Died(Watcher):
        def unit_done(self, marker):
            """A process writes to the output and dies."""
            code = "from datagen.shards.scratch import scratch_name; print(scratch_name())"
            name = subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, check=True
            ).stdout.strip()
            (out / ".writing").mkdir(exist_ok=True)
            (out / ".writing" / name).touch()

    build(recipe, str(out), watcher=Died())
    assert not (out / ".writing").exists()
    assert faults(out) == []


def test_flattened_shards_are_verified_too(recipe, tmp_path, cut):
    build(recipe, str(cut))
    new = tmp_path / "new"
    digest = reflatten(str(cut), str(new), {"speech_chunk_tokens": 5, "text_chunk_tokens": 1}).digest
    (new / MANIFEST).unlink()
    sorted((new / "three_stream").iterdir())[0].unlink()
    with pytest.raises(StoreError, match="lost finished work: three_stream"):
        reflatten(str(cut), str(new), {"speech_chunk_tokens": 5, "text_chunk_tokens": 1})
    for file in (new / "units").iterdir():
        file.unlink()
    reflatten(str(cut), str(new), {"speech_chunk_tokens": 5, "text_chunk_tokens": 1})
    assert Manifest.load(LocalStore(new)).digest == digest
