"""Exactly once: whatever dies wherever, running again gives the same content, nothing lost, nothing doubled."""

import json
import os
import shutil
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from stat import S_ISDIR
from threading import Lock
from types import SimpleNamespace

import pyarrow as pa
import pytest

from datagen.errors import LimitError, StoreError
from datagen.recipe import Recipe
from datagen.run import unit_files
from datagen.run.build import build
from datagen.shards import store as store_module
from datagen.shards.manifest import MANIFEST
from datagen.shards.store import LocalStore
from datagen.shards.tables import about, to_parquet
from tests.run.builds import Forger, fake, faults, flip, made, markers_of, read, talks, tree, worker

N = 4
SPLIT_NOT = "splits={validation: 0, test: 0}"


FICKLE = "engines.tts={name: 'tests.run.engines:Fickle'}", "verify.max_floor_db=0"
"""A voice whose takes differ each time; some have no quiet between words."""


class Died(BaseException):
    """Like a kill: nothing may catch it."""


def small(folder: Path, *overrides: str) -> Recipe:
    splits = "splits={validation: 0.5, test: 0, keep_together: null}"
    return fake(folder, "flatten.tasks=[three_stream]", splits, *overrides, n=N)


def dying(monkeypatch: pytest.MonkeyPatch, call: int, after: bool) -> list[str]:
    """Let the store die at its `call`-th write, before or after the file is there; gives the keys written."""
    written: list[str] = []
    one_at_a_time = Lock()  # files of a unit are written from several threads

    def wrap(name: str) -> None:
        real = getattr(LocalStore, name)

        def write(store: LocalStore, key: str, data: bytes) -> object:
            with one_at_a_time:
                if len(written) >= call + after:
                    raise Died
                result = real(store, key, data)
                written.append(key)
                if len(written) == call + 1 and after:
                    raise Died
                return result

        monkeypatch.setattr(LocalStore, name, write)

    wrap("create")
    wrap("replace")
    return written


def run(recipe: Recipe, out: Path, call: int, after: bool) -> bool:
    """Build until the store dies; tells whether it did."""
    with pytest.MonkeyPatch.context() as patch:
        written = dying(patch, call, after)
        try:
            build(recipe, str(out))
        except Died:
            return True
        assert len(written) <= call + after
        return False


@pytest.mark.parametrize("after", [pytest.param(False, marks=pytest.mark.slow), True], ids=["before", "after"])
def test_dying_at_any_write_and_running_again_changes_no_byte(tmp_path, after):
    recipe = small(tmp_path)
    clean = build(recipe, str(tmp_path / "clean"))
    call, out = 0, tmp_path / "out"
    while run(recipe, out := tmp_path / f"out{call}", call, after):
        assert (out / MANIFEST).exists() == (after and call == n_writes(tmp_path) - 1)
        assert build(recipe, str(out)).digest == clean.digest
        assert tree(out) == tree(tmp_path / "clean")  # so nothing is lost, double or stray
        call += 1
    assert call == n_writes(tmp_path)
    assert faults(out) == []


def n_writes(folder: Path) -> int:
    return len(tree(folder / "clean"))


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_an_engine_that_never_repeats_itself_still_gives_one_content(tmp_path, after):
    """Two attempts disagree on every byte of speech; the conversations file, written first, decides."""
    recipe = small(tmp_path, *FICKLE)
    call = 0
    while run(recipe, out := tmp_path / f"out{call}", call, after):
        before = tree(out)
        manifest = build(recipe, str(out))
        assert faults(out) == []
        assert manifest.n_records == N
        after_all = tree(out)
        data = {key for key in before if not key.startswith(("input/", "recipe", "README"))}
        assert {key: before[key] for key in data} == {key: after_all[key] for key in data}
        call += 1
    assert call > 10


class Steps:
    """What the operating system is asked to do for a store; from one step on, nothing more is done."""

    def __init__(self, patch: pytest.MonkeyPatch, last: int) -> None:
        self._n_left, self._lock = last, Lock()
        steps = self

        class MortalPath(type(Path())):
            def mkdir(self, *arguments: object, **options: object) -> None:
                steps.take()
                super().mkdir(*arguments, **options)

            def unlink(self, *arguments: object, **options: object) -> None:
                steps.take()
                super().unlink(*arguments, **options)

            def replace(self, target: Path) -> Path:
                steps.take()
                return super().replace(target)

            def read_bytes(self) -> bytes:
                steps.take()
                return super().read_bytes()

            def open(self, mode: str, *_: object) -> "HalfFile":
                steps.take()
                return HalfFile(self, mode)

        class HalfFile(FileIO):
            def write(self, data: bytes) -> int:
                super().write(data[: len(data) // 2])
                steps.take()
                return super().write(data[len(data) // 2 :])

        patch.setattr(store_module, "Path", MortalPath)
        mortal = {name: self._mortal(getattr(os, name)) for name in ("link", "fsync", "open")}
        patch.setattr(store_module, "os", SimpleNamespace(**{**vars(os), **mortal}))

    def take(self) -> None:
        with self._lock:
            self._n_left -= 1
            if self._n_left < 0:
                raise Died

    def _mortal(self, real: Callable[..., object]) -> Callable[..., object]:
        def run(*arguments: object) -> object:
            self.take()
            return real(*arguments)

        return run


@pytest.mark.slow
def test_dying_at_any_step_of_a_commit_leaves_whole_files_or_none(tmp_path):
    """Between any two of: make a directory, open, half a write, the rest, sync, link, sync of the directory, unlink."""
    recipe = fake(tmp_path, "input.limit=2")
    worker(recipe, LocalStore(tmp_path / "planned"))
    shutil.copytree(tmp_path / "planned", tmp_path / "clean")
    worker(recipe, LocalStore(tmp_path / "clean")).run(0)
    clean, last, died = data(tmp_path / "clean"), 0, True
    assert {key.split("/")[0] for key in clean} >= {"conversations", "rejects", "three_stream", "units"}
    while died:
        out, died = tmp_path / f"out{last}", False
        shutil.copytree(tmp_path / "planned", out)
        with pytest.MonkeyPatch.context() as patch:
            mortal = worker(recipe, LocalStore(out))
            Steps(patch, last)
            mortal._store = store_module.LocalStore(out)
            try:
                mortal.run(0)
            except Died:
                died = True
        left = data(out)
        assert left.items() <= clean.items()
        assert "units/000000.json" not in left or left == clean  # the marker comes last
        worker(recipe, LocalStore(out)).run(0)
        assert data(out) == clean
        last += 1
    assert last > 8 * (len(clean) - len(data(tmp_path / "planned")))


def data(out: Path) -> dict[str, bytes]:
    """All files but those that are being written."""
    return {key: content for key, content in tree(out).items() if not key.startswith(".writing/")}


def test_a_name_is_durable_before_the_marker(tmp_path, monkeypatch):
    """Each file is synced, then linked, then its directory is synced; the marker only after all others."""
    order: list[str] = []
    directories: dict[int, str] = {}

    def opened(path: Path, *flags: int) -> int:
        handle = os.open(path, *flags)
        directories[handle] = Path(path).name
        return handle

    def synced(handle: int) -> None:
        order.append(f"sync {directories[handle] if S_ISDIR(os.fstat(handle).st_mode) else 'file'}")
        os.fsync(handle)

    def linked(written: Path, target: Path) -> None:
        order.append(f"link {target.parent.name}")
        os.link(written, target)

    made = worker(fake(tmp_path, "flatten.tasks=[asr]", SPLIT_NOT), LocalStore(tmp_path / "out"))
    watched = {"open": opened, "fsync": synced, "link": linked}
    monkeypatch.setattr(store_module, "os", SimpleNamespace(**{**vars(os), **watched}))
    monkeypatch.setattr(unit_files, "_N_WRITERS", 1)
    made.run(0)
    marker = order.index("link units")
    for name in ("conversations", "asr", "rejects"):
        assert order.index(f"link {name}") < order.index(f"sync {name}") < marker < order.index("sync units")
    assert all(order[k - 1] == "sync file" for k, step in enumerate(order) if step.startswith("link"))


def test_the_fickle_engine_is_fickle(tmp_path):
    digests = {made(tmp_path / str(k), *FICKLE, n=2)[1].digest for k in range(2)}
    assert len(digests) == 2


def test_two_workers_at_one_unit_agree_on_the_first_ones_content(tmp_path):
    """Neither knows of the other: both have made the unit's content before either writes."""
    recipe = small(tmp_path, *FICKLE)
    store = LocalStore(tmp_path / "out")
    first, second = worker(recipe, store), worker(recipe, store)
    done = first.run(0)
    before = tree(tmp_path / "out")
    assert second.run(0) == done
    assert tree(tmp_path / "out") == before


def test_the_marker_comes_last_and_names_every_file(tmp_path):
    order: list[str] = []

    class Recording(LocalStore):
        def create(self, key: str, data: bytes) -> bool:
            order.append(key)
            return super().create(key, data)

    marker = worker(fake(tmp_path), Recording(tmp_path / "out")).run(0)
    assert order[0].startswith("input/")
    assert order[1:3] == ["plan.json", "conversations/000000.parquet"]
    assert order[-1] == "units/000000.json"
    assert sorted(order[2:-1]) == sorted(file.key for file in marker.files)
    assert [marker] == list(markers_of(tmp_path / "out"))


def test_a_slower_attempt_gets_the_marker_that_stands(tmp_path, monkeypatch):
    """Its own would tell another time; what is returned is what others read."""
    attempts = [worker(small(tmp_path), LocalStore(tmp_path / "out")) for _ in range(2)]
    first = attempts[0].run(0)
    monkeypatch.setattr("datagen.run.unit_files.time.time", lambda: first.finished_at + 60)
    assert attempts[1].run(0).finished_at == first.finished_at > 10**9


def test_a_marker_counts_what_its_unit_holds(tmp_path):
    store = LocalStore(tmp_path / "out")
    marker = worker(fake(tmp_path, "run.unit_dialogues=6"), store).run(0)
    assert (marker.n_records, marker.n_kept) == (6, 4)
    assert marker.rejects == {"select/code": 2}
    rows = {file.table: 0 for file in marker.files}
    for file in marker.files:
        rows[file.table] += file.n_rows
        assert file.n_bytes == len(store.read(file.key))
    assert rows["conversations"] == 4
    assert rows["rejects"] == 2
    assert rows["three_stream"] == 4


def test_a_damaged_file_of_rows_is_named(tmp_path):
    recipe = small(tmp_path)
    out = tmp_path / "out"
    assert run(recipe, out, 4, after=True)
    key = next(key for key in tree(out) if key.startswith("three_stream/"))
    flip(out / key)
    with pytest.raises(StoreError, match=rf"{key} is damaged; delete it and run the same command again"):
        build(recipe, str(out))
    (out / key).unlink()
    build(recipe, str(out))


def test_a_unit_of_nothing_but_rejects_is_a_unit(tmp_path):
    good = [record for record in talks(3) if record["id"] != "d0"]
    out, manifest = made(tmp_path, records=[*good, b"{", b"[]", b"null"])
    assert (manifest.n_records, manifest.n_rejects, manifest.n_units) == (5, 3, 3)
    assert [row["reason"] for row in read(out, "rejects")] == ["broken_json", "not_an_object", "not_an_object"]
    assert faults(out) == []


def test_rows_of_another_version_are_not_mixed_in(tmp_path):
    """The file is whole but not what follows from the unit's conversations: as after an upgrade in mid-build."""
    recipe = small(tmp_path)
    out = tmp_path / "out"
    assert run(recipe, out, 4, after=True)
    key = next(key for key in tree(out) if key.startswith("three_stream/"))
    (out / key).write_bytes(to_parquet(pa.table({"old": [1]})))
    with pytest.raises(StoreError, match=rf"{key} was written by another version"):
        build(recipe, str(out))


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"files": [{}]}', b"[]"])
def test_a_damaged_marker_is_named(tmp_path, damage):
    recipe = small(tmp_path)
    build(recipe, str(tmp_path / "out"))
    (tmp_path / "out" / MANIFEST).unlink()
    (tmp_path / "out" / "units" / "000001.json").write_bytes(damage)
    with pytest.raises(StoreError, match=r"units/000001\.json is damaged"):
        build(recipe, str(tmp_path / "out"))


def test_rejects_are_those_of_the_first_attempt_too(tmp_path):
    """They travel in the conversations file, tracebacks and all, and are not made anew."""
    recipe = small(tmp_path, "speak.attempts=1", "engines.tts={name: 'tests.run.engines:Broken'}")
    assert run(recipe, tmp_path / "out", 2, after=True)
    first = about(Forger.table_of(tmp_path / "out" / "conversations" / "000000.parquet"))["rejects"]
    with pytest.raises(LimitError, match="no dialogue is kept"):
        build(recipe, str(tmp_path / "out"))
    files = sorted((tmp_path / "out" / "rejects").iterdir())
    kept = [row for file in files for row in Forger.table_of(file).to_pylist()]
    assert kept[: len(first)] == first
    failed = [row for row in kept if row["stage"] == "speak"]
    assert len({row["detail"] for row in failed}) == 2  # the second unit was made by another voice
    assert all(row["detail"].startswith("ValueError: broken") and "engines.py" in row["traceback"] for row in failed)


def test_every_file_explains_itself(tmp_path):
    out, manifest = made(tmp_path)
    forger = Forger(out)
    for file in manifest.files():
        about = json.loads(forger.table(file.key).schema.metadata[b"datagen"])
        for name in ("data_version", "recipe_sha256", "engines", "vocabulary", "clock", "silence"):
            assert about[name] == forger.values[name]
        assert about["flatten"] == manifest.recipe["flatten"]
