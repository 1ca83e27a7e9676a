"""A build opened: the same rows as its files hold, found by the manifest, and no more read than asked for."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import datagen.inspect
from datagen.errors import DatagenError
from datagen.inspect import Output
from datagen.run.reflatten import reflatten
from datagen.shards.manifest import Manifest
from datagen.shards.schema import CONVERSATIONS, REJECTS, ROWS
from datagen.shards.store import LocalStore
from tests.inspect.conftest import HOSTILE_ID
from tests.run.builds import build as run_build
from tests.run.builds import fake, made, read, talks


class Watched(LocalStore):
    """Remembers what is opened, and counts the bytes that are read."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.opened: list[str] = []
        self.n_bytes = 0

    def open(self, key):
        self.opened.append(key)
        return io.BufferedReader(Counted(self._root / key, self))


class Counted(io.FileIO):
    def __init__(self, path, store: Watched) -> None:
        super().__init__(path)
        self._counting = store

    def read(self, size=-1):
        data = super().read(size)
        self._counting.n_bytes += len(data)
        return data


@pytest.mark.parametrize("table", ["conversations", "rejects", "asr", "three_stream"])
def test_a_table_is_what_the_files_hold(out, output, table):
    wanted = read(out, table)
    frame = output.table(table)
    schema = {"conversations": CONVERSATIONS, "rejects": REJECTS}.get(table, ROWS)
    own = [] if table in ("conversations", "rejects") else ["split"]
    assert list(frame.columns) == [name for name in schema.names if name != "audio_flac"] + own
    assert output.arrow(table).select([n for n in schema.names if n != "audio_flac"]).to_pylist() == [
        {name: value for name, value in row.items() if name != "audio_flac"} for row in wanted
    ]


def test_rows_say_their_split(out, output):
    files = list(Manifest.load(LocalStore(out)).files("asr"))
    assert output.table("asr", columns=["split"])["split"].tolist() == [f.split for f in files for _ in range(f.n_rows)]
    for split in ("train", "validation", "test"):
        n_rows = sum(f.n_rows for f in files if f.split == split)
        assert output.table("asr", split)["split"].tolist() == [split] * n_rows
        talks = output.table("conversations", split, ["dialogue_id", "split"])
        assert set(talks["split"]) <= {split}
        assert set(output.table("asr", split, ["dialogue_id"])["dialogue_id"]) <= set(talks["dialogue_id"])


def test_a_split_can_be_asked_for_without_its_column(output):
    whole = output.table("conversations", columns=["dialogue_id", "split"])
    train = output.table("conversations", "train", ["dialogue_id"])
    assert list(train.columns) == ["dialogue_id"]
    assert train["dialogue_id"].tolist() == whole["dialogue_id"][whole["split"] == "train"].tolist()
    assert 0 < len(train) < len(whole)


def test_sound_is_read_only_if_named(output):
    assert "audio_flac" not in output.table("conversations")
    (flac,) = output.table("conversations", columns=["audio_flac"], limit=1)["audio_flac"]
    assert flac[:4] == b"fLaC"


def test_a_limit_leaves_later_files_unread(out):
    output = Output(str(out))
    output.store = Watched(out)
    assert len(output.table("three_stream", limit=1)) == 1
    assert len(output.store.opened) == 1
    assert len(output.table("three_stream", limit=0)) == 0
    assert len(output.table("three_stream", limit=10_000)) == len(output.table("three_stream"))


def test_an_empty_table_has_its_columns(tmp_path):
    records = [record for record in talks(3) if "```" not in str(record)]
    frame = Output(str(made(tmp_path, records=records)[0])).table("rejects")
    assert (len(frame), list(frame.columns)) == (0, REJECTS.names)


def test_finding_a_conversation_reads_ids_and_then_one_file_without_sound(out):
    output = Output(str(out))
    output.store = Watched(out)
    ids = output.table("conversations", columns=["dialogue_id"])["dialogue_id"].tolist()
    before, output.store.n_bytes = list(output.store.opened), 0
    talk = output.conversation(ids[-1])
    assert talk.dialogue_id == ids[-1] == HOSTILE_ID
    files = list(output.manifest.files("conversations"))
    assert [*before, *(f.key for f in files), files[-1].key] == output.store.opened
    n_light = output.store.n_bytes
    assert n_light < (len(files) + 1) * 80_000  # pyarrow reads 64 KiB to find a footer
    assert len(talk.audio.samples) == talk.streams.n_samples
    assert output.store.n_bytes - n_light > files[-1].n_bytes / 2


def test_every_conversation_is_found_by_its_id(output):
    for talk in output.conversations():
        same = output.conversation(talk.dialogue_id)
        assert np.array_equal(same.streams.user_codes, talk.streams.user_codes)
        assert same.streams.utterances[0].words == talk.streams.utterances[0].words
        assert np.array_equal(same.audio.samples, talk.audio.samples)


def test_conversations_come_in_the_order_of_the_input_and_by_split(output):
    ids = output.table("conversations", columns=["dialogue_id"])["dialogue_id"].tolist()
    assert [talk.dialogue_id for talk in output.conversations()] == ids
    parted = [talk.dialogue_id for s in ("train", "validation", "test") for talk in output.conversations(s)]
    assert sorted(parted) == sorted(ids)


def test_rows_are_counted_over_all_files(out, output):
    for index, wanted in enumerate(read(out, "three_stream")):
        row = output.row("three_stream", index)
        assert row.row_id == wanted["row_id"]
        assert row.input_ids.tolist() == wanted["input_ids"]
        assert row.loss_mask.tolist() == wanted["loss_mask"]
        assert row.event_kinds == tuple(wanted["event_kinds"])
        assert row.event_starts.tolist() == wanted["event_starts"]
        assert row.n_late_text_tokens == wanted["n_late_text_tokens"]


def test_a_task_is_a_data_set_of_the_files_the_manifest_names(out, output, tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path))
    stray = out / "asr" / "train-999999.parquet"
    stray.write_bytes((out / next(output.manifest.files("asr", "train")).key).read_bytes())
    try:
        found = output.dataset("asr")
    finally:
        stray.unlink()
    rows = [row for split in found for row in found[split]]
    assert sorted(row["row_id"] for row in rows) == sorted(row["row_id"] for row in read(out, "asr"))
    (first, *_) = output.manifest.files("asr", "train")
    assert len(output.dataset("asr", n_files=1)["train"]) == first.n_rows < len(found["train"])
    ids = {row["row_id"]: row["input_ids"] for row in rows}
    assert ids[output.row("asr", 0).row_id] == output.row("asr", 0).input_ids.tolist()


def test_a_directory_whose_name_is_a_pattern_is_a_data_set_too(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "cache"))
    recipe = fake(tmp_path, n=3)
    run_build(recipe, str(tmp_path / "[a]*{b}"))
    output = Output(str(tmp_path / "[a]*{b}"))
    assert sum(len(split) for split in output.dataset("asr").values()) == len(output.table("asr"))


def test_an_output_in_an_object_store_reads_the_same(out, output, s3):
    from datagen.shards.store import open_store

    bucket = open_store(s3)
    for path in sorted(out.rglob("*")):
        if path.is_file():
            bucket.create(path.relative_to(out).as_posix(), path.read_bytes())
    there = datagen.inspect.open(s3)
    assert there.arrow("three_stream").equals(output.arrow("three_stream"))
    talk = there.conversation(HOSTILE_ID)
    assert np.array_equal(talk.audio.samples, output.conversation(HOSTILE_ID).audio.samples)
    assert there.row("asr", 2).row_id == output.row("asr", 2).row_id
    streamed = [row for split in there.dataset("asr").values() for row in split]
    assert sorted(row["row_id"] for row in streamed) == sorted(row["row_id"] for row in read(out, "asr"))
    assert "split" not in streamed[0]
    n_files = len(list(there.manifest.files("asr", "train")))
    assert n_files > 1
    assert there.dataset("asr")["train"].num_shards == n_files, "workers of a loader share the files"
    (first, *_) = there.manifest.files("asr", "train")
    assert len(list(there.dataset("asr", n_files=1)["train"])) == first.n_rows


def test_an_output_says_what_it_is(output):
    assert "fake, 7 conversations" in repr(output)
    page = output._repr_html_()
    assert all(word in page for word in ("three_stream", "7 conversations", "3 of 10 records", "tone", "digest"))


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda o: o.table("tts"), "no table 'tts'; it has asr, conversations"),
        (lambda o: o.table("asr", columns=["sound"]), "asr has no column 'sound'; it has row_id"),
        (lambda o: o.table("asr", "dev"), "asr has no split 'dev': splits are train, validation, test"),
        (lambda o: o.table("rejects", "train"), "rejects have none"),
        (lambda o: o.conversations("dev"), "no split 'dev'"),
        (lambda o: o.conversation("zz"), "no conversation of dialogue 'zz'"),
        (lambda o: o.row("tts", 0), "no rows of task 'tts'; it has asr"),
        (lambda o: o.row("rejects", 0), "no rows of task 'rejects'"),
        (lambda o: o.row("three_stream", 99), "three_stream has 7 rows, counted from 0; there is no row 99"),
        (lambda o: o.row("three_stream", -1), "there is no row -1"),
        (lambda o: o.dataset("rejects"), "no rows of task 'rejects'"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(output, ask, says):
    with pytest.raises(DatagenError) as caught:
        ask(output)
    assert says in str(caught.value)


def test_shards_flattened_anew_say_where_their_conversations_are(out, tmp_path):
    reflatten(str(out), str(tmp_path / "new"), {})
    output = Output(str(tmp_path / "new"))
    assert len(output.table("asr")) > 0
    for ask in (lambda: output.conversation("d1"), output.conversations, lambda: output.table("conversations")):
        with pytest.raises(DatagenError, match=f"was flattened from {out} and contains only rows"):
            ask()


def test_codes_of_another_tokenizer_are_not_decoded(output):
    engines = output.manifest.engines
    engines["speech_tokenizer"] = replace(engines["speech_tokenizer"], version="0")
    with pytest.raises(DatagenError, match="made with version 0 of its speech tokenizer"):
        _ = output.conversation("d1").decoded


def test_a_damaged_file_is_named(out, tmp_path):
    import shutil

    shutil.copytree(out, tmp_path / "out")
    output = Output(str(tmp_path / "out"))
    key = next(output.manifest.files("conversations")).key
    (tmp_path / "out" / key).write_bytes(b"no parquet")
    with pytest.raises(DatagenError, match=f"{key} is damaged"):
        output.conversation("d1")


def test_a_store_that_fails_midway_is_named_not_called_damaged(out, flaky_s3, s3):
    from datagen.shards.store import open_store

    bucket = open_store(s3)
    for path in out.rglob("*"):
        if path.is_file():
            bucket.create(path.relative_to(out).as_posix(), path.read_bytes())
    there = datagen.inspect.open(s3)
    flaky_s3.plan = lambda method, path, n: "403" if "/conversations/" in path and method == "GET" else ""
    with pytest.raises(DatagenError, match="refuses the credentials"):
        there.conversation("d1")
