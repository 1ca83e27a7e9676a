"""What holds for every format: each conversation once, in its split; stopped and run again, the same files."""

import gzip
import json
import signal
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

import datagen.inspect
from datagen.errors import DatagenError
from datagen.export import export
from datagen.inspect import StoredConversation
from datagen.shards.scratch import scratch_name
from tests.export.conftest import IDS
from tests.run.builds import made, tree

FORMATS = ["lhotse", "moshi", "datasets"]


class StopError(Exception):
    """Someone pressed Ctrl-C."""


def stop_after(n: int):
    left = iter(range(n))

    def tell(_: int) -> None:
        if next(left, None) is None:
            raise StopError

    return tell


@pytest.mark.parametrize("format", FORMATS)
def test_a_stopped_export_goes_on_to_the_same_files(output, tmp_path, format, monkeypatch):
    export(output, str(tmp_path / "whole"), format)
    for n in (0, 3, 7):
        with pytest.raises(StopError):
            export(output, str(tmp_path / "again"), format, tell=stop_after(n))
        found = tree(tmp_path / "again")
        assert not (tmp_path / "again" / ".writing").exists()
        assert not any(".jsonl" in name or name == "README.md" for name in found)
    said = export(output, str(tmp_path / "again"), format)
    wanted = {name.replace("whole", "again") for name in tree(tmp_path / "whole")}
    assert set(tree(tmp_path / "again")) == wanted
    if format != "lhotse":  # whose lists name places
        assert tree(tmp_path / "again") == tree(tmp_path / "whole")
    assert said.startswith(f"{tmp_path / 'again'}: 9 conversations (train ")
    assert not (tmp_path / "again" / ".writing").exists()


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_there_is_not_made_again(output, tmp_path, format, monkeypatch):
    export(output, str(tmp_path / "to"), format)
    before = tree(tmp_path / "to")

    def never(self):
        raise AssertionError("its sound is there")

    monkeypatch.setattr(StoredConversation, "audio", property(never))
    export(output, str(tmp_path / "to"), format)
    assert tree(tmp_path / "to") == before


@pytest.mark.parametrize("format", FORMATS)
def test_no_id_leaves_the_directory_or_takes_another_ones_place(hostile_out, tmp_path, format):
    export(datagen.inspect.open(str(hostile_out)), str(tmp_path / "a" / "to"), format)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["to"]
    names = [path.relative_to(tmp_path / "a" / "to").as_posix() for path in (tmp_path / "a").rglob("*")]
    assert all(name.isascii() and max(map(len, name.split("/"))) < 100 for name in names)
    if format == "moshi":
        sounds = [name.lower() for name in names if name.endswith(".wav")]
        assert len(set(sounds)) == len(IDS)


@pytest.mark.parametrize("format", FORMATS)
def test_without_kept_sound_the_export_decodes_the_tokens_and_says_so(silent, tmp_path, format):
    told = export(silent, str(tmp_path / "to"), format)
    assert "2 conversations" in told
    assert "decoded from tokens because the build kept no audio (mix.keep_audio)" in told
    again = export(silent, str(tmp_path / "to"), format, decoded=True)  # the same export, wanted so
    assert "2 conversations" in again
    assert "kept no audio" not in again


@pytest.fixture
def silent(tmp_path):
    return datagen.inspect.open(str(made(tmp_path / "silent", n=3)[0]))


def test_a_directory_with_something_else_in_it_is_refused(output, silent, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").touch()
    with pytest.raises(DatagenError, match="contains other files; use another --to"):
        export(output, str(tmp_path / "full"), "moshi")
    export(output, str(tmp_path / "to"), "moshi")
    for arguments in ((output, "lhotse", False), (output, "moshi", True), (silent, "moshi", True)):
        with pytest.raises(DatagenError, match="contains another export"):
            export(arguments[0], str(tmp_path / "to"), *arguments[1:])
    with pytest.raises(DatagenError, match="export to a directory, then copy"):
        export(output, "s3://bucket/to", "moshi")


def test_a_list_that_cannot_be_written_is_one_clear_error(output, tmp_path):
    export(output, str(tmp_path / "to"), "moshi")
    (tmp_path / "to" / "train.jsonl").unlink()
    (tmp_path / "to" / "train.jsonl").mkdir()
    says = r"cannot write .*/to/train.jsonl: Is a directory; a folder has that name: move it"
    with pytest.raises(DatagenError, match=says):
        export(output, str(tmp_path / "to"), "moshi")


PAUSED = """
import sys
import datagen.inspect
from datagen.export import export
from datagen.interrupt import raise_on_signals

def tell(_):
    print("here", flush=True)
    sys.stdin.read()

raise_on_signals()
export(datagen.inspect.open(sys.argv[1]), sys.argv[2], sys.argv[3], tell=tell)
"""
"""An export that stops within, says so, and waits."""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_an_export_ended_by_a_signal_leaves_no_scratch_or_the_next_run_removes_it(out, output, tmp_path, number):
    to = tmp_path / "to"
    command = [sys.executable, "-c", PAUSED, str(out), str(to), "moshi"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"here\n"
        assert list((to / ".writing").iterdir())  # it writes its list
        process.send_signal(number)
        said = process.communicate()[1]
    assert (to / ".writing").exists() == (number == signal.SIGKILL)
    if number != signal.SIGKILL:
        assert f"EndedError: ended by {number.name}".encode() in said
    export(output, str(to), "moshi")
    assert not (to / ".writing").exists()


def test_another_writers_scratch_stays(output, tmp_path):
    """An export to the same directory may be at work."""
    export(output, str(tmp_path / "to"), "moshi")
    other = tmp_path / "to" / ".writing" / scratch_name()
    other.mkdir(parents=True)
    (other / "train.jsonl").touch()
    export(output, str(tmp_path / "to"), "moshi")
    assert (other / "train.jsonl").exists()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("a\0b", "no file can have this name"),
        ("x" * 300, "File name too long; choose a shorter name"),
        ("file/below", "File exists; something else has the name of .* a folder above it: move it"),
    ],
)
def test_a_place_that_cannot_be_is_one_clear_error(output, tmp_path, name, says):
    (tmp_path / "file").touch()
    with pytest.raises(DatagenError, match=f"cannot (read|write) .*{says}"):
        export(output, str(tmp_path / name), "moshi")


def test_shards_flattened_anew_have_nothing_to_export(out, tmp_path):
    from datagen.run.reflatten import reflatten

    reflatten(str(out), str(tmp_path / "new"), {})
    with pytest.raises(DatagenError, match="was flattened from"):
        export(datagen.inspect.open(str(tmp_path / "new")), str(tmp_path / "to"), "moshi")
    assert not (tmp_path / "to").exists()


def test_a_system_prompt_travels_with_its_conversation_and_is_not_spoken(tmp_path):
    system = "You are a ship's cook."
    record = {
        "id": "cook",
        "turns": [
            {"role": "system", "text": system},
            {"role": "user", "text": "What is for dinner?"},
            {"role": "assistant", "text": "There is soup, and bread."},
        ],
    }
    folder, _ = made(tmp_path, "mix.keep_audio=true", records=[record])
    build = datagen.inspect.open(str(folder))
    talk = build.conversation("cook")
    assert talk.system == talk.streams.system == system
    assert not any("ship" in u.spoken for u in talk.streams.utterances)
    export(build, str(tmp_path / "lhotse"), "lhotse")
    (cuts,) = (tmp_path / "lhotse").glob("cuts-*.jsonl.gz")
    assert json.loads(gzip.decompress(cuts.read_bytes()))["custom"]["system_prompt"] == system
    export(build, str(tmp_path / "hf"), "datasets")
    (rows,) = (tmp_path / "hf" / "data").glob("*.parquet")
    assert pq.read_table(rows, columns=["system"]).column("system").to_pylist() == [system]
