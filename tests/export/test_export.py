"""What holds for every format: each conversation once, in its split; killed anywhere and run again, the same bytes."""

import gc
import json
import os
import signal
import subprocess
import sys
import weakref
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import datagen.inspect
from datagen.errors import DatagenError, ResumeError, StoreError
from datagen.export.export_check import check_export
from datagen.export.export_identity import Exported
from datagen.export.export_job import ExportJob, ExportRequest, ExportWorker, export
from datagen.export.files import UnitFiles
from datagen.export.selection import Selection
from datagen.records import SPLITS
from datagen.run.job import Watcher
from datagen.shards.store import LocalStore, open_store
from tests.export.conftest import ALL, IDS, needing, send
from tests.run.builds import children, environment, flip, made, tree
from tests.run.test_commit import Died, dying
from tests.stores import TIME


def lines_of(file):
    return file.read_text("utf-8").splitlines()


KILLED = [needing(format) for format in ("moshi", "shar", "megatron", "preference")]


def test_processes_make_the_same_bytes(out, tmp_path):
    here = send(out, tmp_path / "here", "moshi")
    there = send(out, tmp_path / "there", "moshi", n_workers=2)
    assert here == there
    assert tree(tmp_path / "here") == tree(tmp_path / "there")


@pytest.mark.parametrize("format", ALL)
def test_each_conversation_is_there_once_whatever_the_size_of_units(out, output, tmp_path, format):
    small = send(out, tmp_path / "small", format)
    assert small.n_units == output.manifest.n_units > 2
    assert all(small.n_conversations[split] == len(list(output.conversations(split))) > 0 for split in SPLITS)
    whole = send(out, tmp_path / "whole", format, shard_hours=10)
    assert whole.n_units == 1
    assert whole.n_conversations == small.n_conversations


def test_a_small_build_has_a_shard_for_each_loader_worker(out, output, tmp_path):
    """The 14 dialogues have 7 units; `moshi` makes folders, which no loader deals out."""
    assert send(out, tmp_path / "datasets", "datasets", shard_hours=0).n_units == output.manifest.n_units > 2
    assert send(out, tmp_path / "moshi", "moshi", shard_hours=0).n_units == 1


def test_sound_of_a_file_is_released_when_its_conversations_are_done(out, tmp_path):
    """Without waiting for the collector of cycles, which made memory grow with every unit."""
    ExportJob(str(out), ExportRequest(format="moshi")).plan(open_store(str(tmp_path)))
    worker, loaded, files = ExportWorker(str(out), str(tmp_path), trust=False), [], UnitFiles(LocalStore(tmp_path), 0)
    gc.disable()
    try:
        for clip in worker._clips(0, [], files):
            clip.stereo(("assistant", "user"))
            loaded.append(weakref.ref(clip.talk._file))
        del clip
        assert loaded and not any(each() for each in loaded)
    finally:
        gc.enable()


@pytest.mark.parametrize("format", KILLED)
def test_killed_at_any_write_it_ends_with_the_same_bytes(out, tmp_path, format):
    send(out, tmp_path / "whole", format)
    with pytest.MonkeyPatch.context() as patch:
        n_writes = len(_writes(patch, out, tmp_path / "counted", format))
    places = count()

    @settings(max_examples=6, deadline=None, derandomize=True)
    @given(call=st.integers(0, n_writes - 1), after=st.booleans())
    def killed(call, after):
        to = tmp_path / f"again-{next(places)}"
        with pytest.MonkeyPatch.context() as patch, pytest.raises(Died):
            dying(patch, call, after)
            send(out, to, format)
        send(out, to, format)
        assert tree(to) == tree(tmp_path / "whole")

    killed()


def _writes(patch, out, to, format):
    written = dying(patch, 10**6, False)
    send(out, to, format)
    return written


DYING = """
import os, signal, sys
from datagen.shards.store import LocalStore
from tests.export.conftest import send

left, real = [int(sys.argv[4])], LocalStore.create

def create(store, key, data):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(store, key, data)

LocalStore.create = create
send(sys.argv[1], sys.argv[2], sys.argv[3])
"""


def test_a_process_that_is_killed_leaves_what_the_next_one_completes(out, tmp_path):
    send(out, tmp_path / "whole", "moshi")
    arguments = [sys.executable, "-c", DYING, str(out), str(tmp_path / "again"), "moshi", "12"]
    killed = subprocess.run(arguments, env=environment(), check=False)
    assert killed.returncode == -signal.SIGKILL
    with pytest.raises(StoreError, match=r"it is no finished export"):
        Exported.load(LocalStore(tmp_path / "again"))
    send(out, tmp_path / "again", "moshi")
    assert tree(tmp_path / "again") == tree(tmp_path / "whole")


class Deadly(Watcher):
    """Kills the worker processes of this test when the first unit is done."""

    def __init__(self):
        self.killed, self.notices = list[int](), list[str]()

    def unit_done(self, marker):
        for pid in [] if self.killed else children(os.getpid()):
            os.kill(pid, signal.SIGKILL)
            self.killed.append(pid)

    def notice(self, line):
        self.notices.append(line)


def test_a_worker_that_is_killed_is_replaced(out, tmp_path):
    send(out, tmp_path / "whole", "moshi")
    request, watcher = ExportRequest(format="moshi", values={"shard_hours": 1e-6}), Deadly()
    export(str(out), str(tmp_path / "again"), request, 1, watcher)
    assert watcher.killed
    assert any("its worker died (killed by signal 9) and is replaced" in line for line in watcher.notices)
    assert tree(tmp_path / "again") == tree(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
def test_ray_exports_the_same_bytes(out, tmp_path):
    ray = pytest.importorskip("ray")
    send(out, tmp_path / "here", "moshi")
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100 << 20)
    try:
        request = ExportRequest(format="moshi", values={"shard_hours": 1e-6})
        export(str(out), str(tmp_path / "there"), request, 2, engine="ray")
    finally:
        ray.shutdown()
    assert tree(tmp_path / "there") == tree(tmp_path / "here")


@pytest.mark.parametrize("format", [needing("moshi"), needing("shar")])
def test_an_object_store_holds_the_same_files(out, tmp_path, s3, format):
    local = send(out, tmp_path / "to", format)
    there = send(out, f"{s3}/to", format)
    assert there.digest == local.digest
    store = open_store(f"{s3}/to")
    found = {key: TIME.sub(b"", store.read(key)) for key, _ in store.sizes("") if not key.startswith(".writing")}
    assert found == tree(tmp_path / "to")
    assert check_export(store).faults == []
    again = send(out, f"{s3}/to", format)
    assert again == there


@pytest.mark.parametrize("format", ALL)
def test_a_finished_export_is_checked(out, tmp_path, format):
    exported = send(out, tmp_path / "to", format)
    told = []
    report = check_export(LocalStore(tmp_path / "to"), told.append)
    assert report.faults == []
    assert report.digest == exported.digest
    assert len(told) == exported.n_units
    assert report.n_files == len(tree(tmp_path / "to"))
    assert not any(str(tmp_path).encode() in data for data in tree(tmp_path / "to").values())  # relative paths


def test_the_check_finds_what_is_changed_lost_or_foreign(out, tmp_path):
    send(out, tmp_path / "to", "moshi")
    store = LocalStore(tmp_path / "to")
    sound, *_ = (tmp_path / "to").rglob("*.flac")
    flip(sound)
    (fault,) = check_export(store).faults
    assert fault.startswith(sound.relative_to(tmp_path / "to").as_posix())
    sound.unlink()
    (fault,) = check_export(store).faults
    assert "No such file" in fault
    send(out, tmp_path / "new", "moshi")
    (tmp_path / "new" / "train" / "extra.jsonl").write_text("{}")
    listed = tmp_path / "new" / "train" / "data.jsonl"
    listed.write_text(listed.read_text() * 2)
    faults = check_export(LocalStore(tmp_path / "new")).faults
    assert any("extra.jsonl: in no list" in fault for fault in faults)
    assert any("train/data.jsonl: its bytes are not those" in fault for fault in faults)


def test_a_resumed_export_finds_lost_work_first(out, tmp_path):
    send(out, tmp_path / "to", "moshi")
    (tmp_path / "to" / "export.json").unlink()
    sound = sorted((tmp_path / "to").rglob("*.flac"))[0]
    sound.write_bytes(b"")
    with pytest.raises(StoreError, match=r"has lost finished work: .*has 0 bytes instead of"):
        send(out, tmp_path / "to", "moshi")


def test_a_damaged_build_is_not_exported(out, tmp_path):
    import shutil

    shutil.copytree(out, tmp_path / "out")
    flip(tmp_path / "out" / "conversations" / "000001.parquet", 4000)
    with pytest.raises(StoreError, match=r"000001.parquet is damaged"):
        send(tmp_path / "out", tmp_path / "to", "moshi")


@pytest.mark.parametrize("format", ALL)
def test_no_id_leaves_the_directory_or_takes_another_ones_place(hostile_out, tmp_path, format):
    exported = send(hostile_out, tmp_path / "a" / "to", format)
    assert sum(exported.n_conversations.values()) == len(IDS)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["to"]
    names = [path.relative_to(tmp_path / "a" / "to").as_posix() for path in (tmp_path / "a").rglob("*")]
    assert all(name.isascii() and max(map(len, name.split("/"))) < 100 for name in names)
    if format == "moshi":
        sounds = [name.lower() for name in names if name.endswith(".flac")]
        assert len(set(sounds)) == len(IDS)


@pytest.mark.parametrize("format", ALL)
def test_a_split_without_conversations_has_its_lists_and_the_others_are_not_there(out, tmp_path, format):
    selection = Selection.of(("test", "train"), where=("split=train",))
    exported = send(out, tmp_path / "to", format, selection=selection)
    assert list(exported.n_conversations) == ["train", "test"]
    assert exported.n_conversations["test"] == 0 < exported.n_conversations["train"]
    names = list(tree(tmp_path / "to"))
    assert not any("validation" in name for name in names)
    refusing = ("datasets", "preference")  # `datasets` refuses to load such a split
    assert any("test" in name for name in names) or format in refusing
    assert check_export(LocalStore(tmp_path / "to")).faults == []


def test_languages_and_values_select(out, output, tmp_path):
    assert sum(send(out, tmp_path / "de", "moshi", selection=Selection.of((), ("de",))).n_conversations.values()) == 0
    where = ("events.kind=barge_in", "n_samples>300000")
    exported = send(out, tmp_path / "to", "moshi", selection=Selection.of((), ("en",), where))
    wanted = [
        talk.dialogue_id
        for talk in output.conversations()
        if talk.streams.n_samples > 300_000 and any(event.kind == "barge_in" for event in talk.streams.events)
    ]
    assert 0 < len(wanted) < output.manifest.n_conversations
    lines = [json.loads(line) for split in SPLITS for line in lines_of(tmp_path / "to" / split / "data.jsonl")]
    assert sorted(line["path"].split("/")[1].split("-")[0] for line in lines) == sorted(wanted)
    assert sum(exported.n_conversations.values()) == len(wanted)


def test_without_kept_sound_the_export_decodes_the_tokens_and_says_so(tmp_path):
    silent, _ = made(tmp_path / "silent", n=3)
    assert send(silent, tmp_path / "to", "moshi").identity.convention.decoded
    assert sum(send(silent, tmp_path / "to", "moshi", decoded=True).n_conversations.values()) == 2  # wanted so


def test_a_directory_with_something_else_in_it_is_refused(out, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").touch()
    with pytest.raises(ResumeError, match=r"contains other files, such as thesis.tex; use another --to"):
        send(out, tmp_path / "full", "moshi")
    send(out, tmp_path / "to", "moshi")
    for change in ({"format": "lhotse"}, {"codec": "wav"}, {"selection": Selection.of(("test",))}):
        with pytest.raises(ResumeError, match=r"contains another export: .*; use another --to"):
            send(out, tmp_path / "to", **{"format": "moshi", **change})
    with pytest.raises(ResumeError, match=r"contains a build"):
        send(out, out, "moshi")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("a\0b", "no file can have this name"),
        ("x" * 300, "File name too long; choose a shorter name"),
        ("file/below", "File exists; something else has the name of .* a folder above it: move it"),
    ],
)
def test_a_place_that_cannot_be_is_one_clear_error(out, tmp_path, name, says):
    (tmp_path / "file").touch()
    with pytest.raises(DatagenError, match=f"cannot (read|write) .*{says}"):
        send(out, tmp_path / name, "moshi")


def test_shards_flattened_anew_have_nothing_to_export(out, tmp_path):
    from datagen.run.reflatten import reflatten

    reflatten(str(out), str(tmp_path / "new"), {})
    with pytest.raises(DatagenError, match=r"was flattened from"):
        send(tmp_path / "new", tmp_path / "to", "moshi")
    assert not (tmp_path / "to").exists()


def test_an_export_read_as_a_build_is_named(tmp_path):
    for name in ("plan.json", "export.json"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(StoreError, match=r"has no manifest\.json; it is an export"):
        datagen.inspect.open(str(tmp_path))


def test_a_format_or_a_consumer_that_is_not_there_is_named(out, tmp_path):
    with pytest.raises(DatagenError, match=r"there is no export format 'moshy'.*moshi"):
        send(out, tmp_path / "to", "moshy")
    with pytest.raises(DatagenError, match=r"there is no consumer 'nemoo'; did you mean nemo\?.*nemo"):
        send(out, tmp_path / "to", preset="nemoo")
    with pytest.raises(DatagenError, match=r"no consumer 'preference'; it is a format: --format preference; "):
        send(out, tmp_path / "to", preset="preference")
    with pytest.raises(DatagenError, match=r"cannot load the export format no_such_module:Format"):
        send(out, tmp_path / "to", "no_such_module:Format")
    with pytest.raises(DatagenError, match=r"name a format"):
        send(out, tmp_path / "to")


def test_a_format_of_ones_own_is_a_class(out, output, tmp_path):
    exported = send(out, tmp_path / "to", "tests.export.own_format:Lengths")
    found = [json.loads(line) for split in SPLITS for line in lines_of(tmp_path / "to" / f"{split}.txt")]
    assert sorted(found) == sorted([talk.dialogue_id, talk.streams.n_samples] for talk in output.conversations())
    assert exported.identity.format == "tests.export.own_format:Lengths"


def test_a_long_list_is_continued_in_another_file(out, tmp_path, monkeypatch):
    monkeypatch.setattr("datagen.export.export_job._MOST_LIST_BYTES", 150)
    send(out, tmp_path / "to", "moshi", selection=Selection.of(("validation",)))
    files = sorted(path.name for path in (tmp_path / "to" / "validation").glob("*.jsonl"))
    assert files == [*(f"data-{k}.jsonl" for k in range(1, len(files))), "data.jsonl"]
    assert len(files) > 1
    lines = [line for name in files for line in lines_of(tmp_path / "to" / "validation" / name)]
    whole = datagen.inspect.open(str(out)).conversations("validation")
    assert len(lines) == len(list(whole))
