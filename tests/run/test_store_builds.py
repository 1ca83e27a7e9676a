"""Builds on an object store, well or ill: the content of a build on disk, or one clear error and a resume."""

import resource
import subprocess
from pathlib import Path

import pytest

from datagen.errors import RecipeError, StoreError
from datagen.recipe import Recipe
from datagen.run.build import build
from datagen.run.check import check
from datagen.run.reflatten import reflatten
from datagen.shards.bucket import PATIENCE
from datagen.shards.store import open_store
from tests.flaky_s3 import AFTER, BEFORE, FlakyS3, at_random
from tests.run.builds import DATAGEN, alive, children, command, environment, fake, start, talks, tree, until, write
from tests.run.test_parity import finish, gated
from tests.stores import SECRET, contents


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    return fake(tmp_path_factory.mktemp("small"), "flatten.tasks=[three_stream]")


@pytest.fixture(scope="module")
def clean(small: Recipe, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What an undisturbed build of it writes to a disk."""
    out = tmp_path_factory.mktemp("clean")
    build(small, str(out))
    return tree(out)


def same_as_on_disk(recipe: Recipe, url: str, folder: Path) -> None:
    """Every byte on the store is what an undisturbed build writes to a disk."""
    build(recipe, str(folder / "clean"))
    assert contents(open_store(url)) == tree(folder / "clean")
    assert check(open_store(url)).faults == []


def test_a_build_on_a_store_is_that_on_disk(small, s3, clean):
    build(small, s3)
    assert contents(open_store(s3)) == clean
    assert check(open_store(s3)).faults == []


@pytest.mark.slow
def test_a_build_killed_goes_on_where_it_was(s3, tmp_path):
    recipe, gate = gated(tmp_path, 2, n=4)
    arguments, store = command(recipe, tmp_path, s3, 2), open_store(s3)
    process = start(arguments, tmp_path)
    until(lambda: len(list(store.keys("units"))) >= 3, process)
    workers = children(process.pid)
    process.kill()
    process.wait()
    until(lambda: not any(map(alive, workers)))
    assert not store.exists("manifest.json")
    gate.touch()
    finish(arguments, tmp_path)
    assert "3 units done before" in (tmp_path / "rerun").read_text()
    same_as_on_disk(recipe, s3, tmp_path)


def test_two_drivers_at_one_output_agree(s3, tmp_path):
    recipe, gate = gated(tmp_path, n=4)
    gate.touch()
    arguments = command(recipe, tmp_path, s3, 1)
    processes = [start(arguments, tmp_path, f"log{k}") for k in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    same_as_on_disk(recipe, s3, tmp_path)


@pytest.mark.parametrize("seed", range(2))
def test_faults_on_a_third_of_the_calls_change_nothing(small, s3, flaky_s3: FlakyS3, clean, seed):
    faults = [fault for fault in (*BEFORE, *AFTER) if fault not in ("403", "hang", "hang after")]
    flaky_s3.plan = at_random(1 / 3, *faults, seed=seed)
    build(small, s3)
    assert sum(n for fault, n in flaky_s3.faults.items() if fault) >= 8
    flaky_s3.plan = lambda *_: ""
    assert contents(open_store(s3)) == clean


@pytest.mark.slow
def test_calls_that_hang_change_nothing(small, s3, flaky_s3: FlakyS3, clean, monkeypatch):
    """Both before and after the store did what it was asked."""
    monkeypatch.setenv("AWS_TIMEOUT", "1s")

    def watched(method: str, path: str) -> bool:
        return method == "PUT" and "/conversations/" in path

    flaky_s3.plan = lambda method, path, n: ("hang", "hang after")[n] if watched(method, path) and n < 2 else ""
    build(small, s3)
    assert flaky_s3.faults["hang"] == flaky_s3.faults["hang after"] == 3
    assert contents(open_store(s3)) == clean


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_every_kind_of_fault_with_processes_and_kills(s3, flaky_s3: FlakyS3, tmp_path, monkeypatch, seed):
    monkeypatch.setenv("AWS_TIMEOUT", "2s")
    recipe, gate = gated(tmp_path, n=12)
    gate.touch()
    flaky_s3.plan = at_random(1 / 3, *(fault for fault in (*BEFORE, *AFTER) if fault != "403"), seed=seed)
    arguments, store = command(recipe, tmp_path, s3, 2), open_store(s3)
    for n in (1, 4, 8):
        process = start(arguments, tmp_path)
        until(lambda n=n, process=process: len(list(store.keys("units"))) >= n or process.poll() is not None)
        workers = children(process.pid)
        process.kill()
        process.wait()
        until(lambda workers=workers: not any(map(alive, workers)))
    finish(arguments, tmp_path)
    flaky_s3.plan = lambda *_: ""
    same_as_on_disk(recipe, s3, tmp_path)


FATAL = [
    ("/input/", "503"),
    ("/plan.json", "reset after"),
    ("/conversations/000001", "reset after"),
    ("/three_stream/", "403"),
    ("/units/", "503"),
    ("/manifest.json", "reset after"),
]


@pytest.mark.parametrize(("at", "fault"), FATAL)
def test_a_store_that_fails_for_good_ends_a_build_that_goes_on_later(
    small, clean, s3, flaky_s3: FlakyS3, monkeypatch, at, fault
):
    monkeypatch.setenv(PATIENCE, "0.05")
    flaky_s3.plan = lambda method, path, n: fault if at in path and method == "PUT" else ""
    with pytest.raises(StoreError, match=rf"cannot write {s3}/.*run the same command again to resume"):
        build(small, s3)
    flaky_s3.plan = lambda *_: ""
    monkeypatch.setenv(PATIENCE, "60")
    build(small, s3)
    assert contents(open_store(s3)) == clean


def datagen(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([DATAGEN, *map(str, arguments)], capture_output=True, text=True, env=environment())


def test_lost_credentials_are_one_line_on_the_terminal(s3, flaky_s3: FlakyS3, tmp_path):
    """With workers, which meet it first."""
    source = write(tmp_path / "in.jsonl", talks(6))
    flaky_s3.plan = lambda method, path, n: "403" if "/conversations/" in path and method == "PUT" else ""
    ended = datagen("build", "fake", "--input", source, "--out", s3, "--set", "run.unit_dialogues=2", "--workers", 2)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "refuses the credentials of the environment (403 ExpiredToken)" in ended.stderr
    assert not any(secret in ended.stdout + ended.stderr for secret in (SECRET, "AKIATESTS", "Traceback"))


@pytest.mark.slow
def test_every_command_takes_a_url(s3, tmp_path):
    source = write(tmp_path / "in.jsonl", talks(4))
    open_store(f"{s3}-in").create("in.jsonl", source.read_bytes())
    chosen = ("--set", "splits={validation: 0, test: 0}", "--workers", "1")
    said = datagen("build", "fake", "--input", f"{s3}-in/in.jsonl", "--out", s3, *chosen)
    assert said.returncode == 0, said.stderr
    assert f"datagen check {s3}" in said.stdout.replace("\n", "")
    for arguments in (
        ("check", s3),
        ("show", s3, "--row", 1),
        ("listen", s3, "--dialogue", "d1", "--decoded", "--out", tmp_path / "heard.wav"),
        ("flatten", s3, "--chunk", "5/1", "--out", f"{s3}-new", "--workers", 1),
        ("check", f"{s3}-new", "--conversations", s3),
    ):
        said = datagen(*arguments)
        assert (said.returncode, said.stderr) == (0, ""), arguments
    written = b"".join([*contents(open_store(s3)).values(), *contents(open_store(f"{s3}-new")).values()])
    assert not any(secret in written for secret in (SECRET.encode(), b"AKIATESTS"))


def test_where_the_input_lies_does_not_show(s3, tmp_path):
    source = write(tmp_path / "in.jsonl", talks(4))
    open_store(s3).create("in.jsonl", source.read_bytes())
    here = build(fake(tmp_path, n=4), str(tmp_path / "here"))
    there = build(fake(tmp_path, f"input.paths=['{s3}/in.jsonl']", n=4), str(tmp_path / "there"))
    assert there.digest == here.digest
    assert there.inputs == here.inputs


def test_new_shards_on_a_store_are_those_on_disk(small, s3, tmp_path):
    build(small, s3)
    build(small, str(tmp_path / "out"))
    changes = {"speech_chunk_tokens": 5}
    there = reflatten(s3, f"{s3}-new", changes, 2)
    here = reflatten(str(tmp_path / "out"), str(tmp_path / "new"), changes)
    assert there.digest == here.digest
    assert check(open_store(f"{s3}-new"), open_store(s3)).faults == []


def test_damage_on_a_store_is_found(small, s3):
    manifest, store = build(small, s3), open_store(s3)
    broken, stray = next(manifest.files("three_stream")).key, "three_stream/train-000099.parquet"
    store.replace(broken, b"PAR1")
    store.create(stray, b"PAR1")
    said = "\n".join(check(store).faults)
    assert f"{broken}: its bytes are not those the manifest was written for" in said
    assert f"{stray}: not in the manifest" in said


def test_a_url_with_credentials_reaches_no_output(small, tmp_path):
    """Neither as output nor as input, which the manifest would carry."""
    bad, out = "s3://key:hunter2@bucket/x", str(tmp_path / "out")
    with pytest.raises(StoreError, match="a URL with credentials") as output:
        build(small, bad)
    with pytest.raises(RecipeError, match=r"input\.paths\.0: a password, token or key") as source:
        fake(tmp_path, f"input.paths=['{bad}']")
    changed = small.model_copy(update={"input": small.input.model_copy(update={"paths": (bad,)})})
    with pytest.raises(RecipeError, match=r"input\.paths\.0: a password, token or key") as python:
        build(changed, out)
    assert "hunter2" not in f"{output.value}{source.value}{python.value}"
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_limit_on_files_of_this_machine_ends_in_one_line_and_a_build_that_goes_on(tmp_path):
    """A real fault of the system, met by workers: no file may be larger than what the first ones need."""
    recipe = fake(tmp_path, "flatten.tasks=[three_stream]", n=6)
    clean = build(recipe, str(tmp_path / "clean"))
    sizes = sorted(file.n_bytes for file in clean.files())
    arguments = command(recipe, tmp_path, tmp_path / "out", 2)
    ended = subprocess.run(
        arguments,
        capture_output=True,
        text=True,
        env=environment(),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (sizes[-1] - 1, resource.RLIM_INFINITY)),
    )
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert (
        "File too large; raise the limit on the size of files (ulimit -f), then run the same command again"
        in ended.stderr
    )
    assert not (tmp_path / "out" / "manifest.json").exists()
    finish(arguments, tmp_path)
    assert (tmp_path / "out" / "manifest.json").read_bytes() == clean.to_json()
    assert contents(open_store(str(tmp_path / "out"))) == tree(tmp_path / "clean")
