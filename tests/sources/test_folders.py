"""What an input folder may hold: files, and links that stay inside it; nothing hangs."""

import json
import os
import socket
from pathlib import Path

import pytest

from datagen.errors import SourceError, StoreError
from datagen.shards.bucket import Bucket
from datagen.sources import fingerprint, read
from datagen.sources.inputs import notice

RECORD = json.dumps({"turns": [{"role": "user", "text": "Hi"}, {"role": "assistant", "text": "Hello."}]})


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "secret.jsonl").write_text(RECORD)
    (tmp_path / "talks" / "a").mkdir(parents=True)
    (tmp_path / "talks" / "a" / "x.jsonl").write_text(RECORD)
    return tmp_path / "talks"


def loop(link: Path) -> None:
    link.symlink_to(link.name)


def sock(link: Path) -> None:
    here = Path.cwd()
    os.chdir(link.parent)  # names of sockets are short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(link.name)
    os.chdir(here)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda link: link.symlink_to("../secret.jsonl"), r"a link out of the input folder, to .*secret.jsonl; .*name"),
        (lambda link: link.symlink_to(link.parent.parent / "secret.jsonl"), "a link out of the input folder"),
        (lambda link: link.symlink_to("nowhere"), "a link that cannot be followed: No such file"),
        (loop, "a link that cannot be followed"),
        (lambda link: link.symlink_to("a"), "a link to .*/a, a folder, which is not followed"),
        (lambda link: link.symlink_to(".."), "a folder, which is not followed"),
        (lambda link: link.symlink_to("/dev/zero"), "neither a file nor a folder"),
        (os.mkfifo, "neither a file nor a folder"),
        (sock, "neither a file nor a folder"),
    ],
)
def test_what_is_no_file_of_the_folder_is_an_error_that_names_it(folder, make, says):
    make(folder / "link.jsonl")
    with pytest.raises(SourceError, match=rf"link\.jsonl: (is |a link to .*)?{says}"):
        read(str(folder))
    (folder / "link.jsonl").rename(folder / ".hidden")
    assert len(list(read(str(folder)))) == 1


def test_a_link_within_the_folder_and_one_that_is_named_are_followed(folder, tmp_path):
    (folder / "y.jsonl").symlink_to("a/x.jsonl")
    assert len(list(read(str(folder)))) == 2
    (tmp_path / "named.jsonl").symlink_to("secret.jsonl")
    (tmp_path / "linked").symlink_to("talks")
    assert len(list(read([str(tmp_path / "named.jsonl"), str(tmp_path / "linked")]))) == 3


@pytest.mark.parametrize("below", ["", "data"])
def test_a_snapshot_of_the_hugging_face_cache_is_read(tmp_path, below):
    repo = tmp_path / "datasets--org--talks"
    snapshot = repo / "snapshots" / "abc" / below
    snapshot.mkdir(parents=True)
    (repo / "blobs").mkdir()
    (repo / "blobs" / "sha").write_text(RECORD)
    (snapshot / "x.jsonl").symlink_to(os.path.relpath(repo / "blobs" / "sha", snapshot))
    assert len(list(read(str(repo / "snapshots" / "abc")))) == 1
    (tmp_path / "secret").write_text(RECORD)
    (snapshot / "y.jsonl").symlink_to(tmp_path / "secret")
    with pytest.raises(SourceError, match="a link out of the input folder"):
        read(str(repo / "snapshots" / "abc"))


def test_links_out_of_a_saved_data_set_are_refused(tmp_path):
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    datasets.Dataset.from_list([json.loads(RECORD)]).save_to_disk(tmp_path / "talks")
    (tmp_path / "talks" / "state.json").rename(tmp_path / "elsewhere")
    (tmp_path / "talks" / "state.json").symlink_to("../elsewhere")
    for use in (fingerprint, lambda name: list(read(name))):
        with pytest.raises(SourceError, match=r"state\.json: a link out of the input folder"):
            use(str(tmp_path / "talks"))


@pytest.mark.parametrize(
    "name",
    ["a\0b.jsonl", "x" * 300, "x" * 5000 + ".jsonl", "~nobody-has-this/x.jsonl", "s3://bucket/a\0b", "\ud800"],
)
def test_a_name_that_no_file_can_have_is_a_source_error(name):
    with pytest.raises(SourceError) as caught:
        read(name)
    assert ("\0" not in str(caught.value) or "://" in name) and "; " in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything")
def test_a_closed_folder_is_an_error_that_names_it(folder):
    (folder / "a").chmod(0)
    try:
        with pytest.raises(SourceError, match=r"talks/a: cannot be listed: Permission denied; fix"):
            read(str(folder))
    finally:
        (folder / "a").chmod(0o700)


def test_an_empty_file_of_a_folder_is_a_notice_and_one_that_is_named_an_error(folder, caplog):
    notice.cache_clear()  # a line is logged once per process
    (folder / "empty.jsonl").touch()
    assert len(list(read(str(folder)))) == 1
    assert "empty.jsonl: skipped, because it contains no records" in caplog.text
    with pytest.raises(SourceError, match=r"empty\.jsonl: contains no records"):
        list(read(str(folder / "empty.jsonl")))
    (folder / "a" / "x.jsonl").write_text("\n")
    with pytest.raises(SourceError, match="and all other inputs contain no records"):
        list(read(str(folder)))


def test_all_unreadable_files_are_listed_at_once(folder):
    for name in ("b.parquet", "c.jsonl.gz"):
        (folder / name).write_bytes(b"damaged")
    with pytest.raises(SourceError, match=r"2 faults: \(1\) .*b\.parquet.*; \(2\) .*c\.jsonl\.gz"):
        list(read(str(folder)))


def test_all_files_that_may_not_be_read_are_listed_at_once(folder, monkeypatch):
    def refused(path):
        raise PermissionError(13, "Permission denied", str(path))

    (folder / "y.jsonl").write_text(RECORD)
    monkeypatch.setattr("datagen.sources.inputs.open_file", refused)
    with pytest.raises(SourceError, match=r"2 faults: \(1\) .*x\.jsonl: cannot be read.*; \(2\) .*y\.jsonl"):
        fingerprint(str(folder))


def test_a_store_that_fails_is_not_tried_for_every_file(s3, monkeypatch):
    for name in ("x.jsonl", "y.jsonl"):
        Bucket(s3).create(name, RECORD.encode())
    tried = []

    def fails(bucket, key=""):
        tried.append(bucket.url)
        raise StoreError("the store answers 503")

    monkeypatch.setattr(Bucket, "open", fails)
    with pytest.raises(SourceError, match=r"^the store answers 503$"):
        fingerprint(s3)
    assert len(tried) == 1
