"""Bytes → records: the same records in every format, bounded memory, and errors that name place and mend."""

import bz2
import gzip
import hashlib
import io
import json
import lzma
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.errors import SourceError
from datagen.records import Dialogue, Reject
from datagen.sources import arrays, fingerprint, inputs, json_text, read
from datagen.sources.fields import UnfitError


def record(i: int) -> dict[str, Any]:
    return {
        "id": f"d{i}",
        "turns": [{"role": "user", "text": f'Say "{i}"\\, [好], {{'}, {"role": "bot", "text": "Ok}"}],
    }


RECORDS = [record(i) for i in range(300)]
LINES = "\n".join(json.dumps(r, ensure_ascii=bool(i % 2)) for i, r in enumerate(RECORDS)).encode()
ARRAY = json.dumps(RECORDS, indent=1).encode()

PRETTY = "\n".join(json.dumps(r, indent=1) for r in RECORDS).encode()
BY_ID = json.dumps({r["id"]: {"turns": r["turns"]} for r in RECORDS}, indent=1).encode()
WRAPPED = json.dumps({"version": 1, "meta": {"n": [300]}, "data": RECORDS, "end": "]"}).encode()


def tar_of(members: dict[str, bytes], packing: str = "") -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=f"w:{packing}") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return made.getvalue()


def zip_of(members: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return made.getvalue()


SAMPLES = {f"{i:06d}.json": json.dumps(r).encode() for i, r in enumerate(RECORDS)}
"""As WebDataset keeps them."""
CUT = LINES.index(b"\n", 5000)
MEMBERS = {"a.jsonl": LINES[:CUT], "b/z.jsonl.gz": gzip.compress(LINES[CUT:]), "c.txt": b"x", "README.md": b"x"}


def arrow_of(path: Path, new: Any) -> None:
    table = pa.Table.from_pylist(RECORDS)
    with new(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=70)


WRITERS: dict[str, Callable[[Path], object]] = {
    "x.jsonl": lambda p: p.write_bytes(LINES),
    "x.JSONL": lambda p: p.write_bytes(LINES),
    "x.ndjson": lambda p: p.write_bytes(b"\xef\xbb\xbf\r\n" + LINES.replace(b"\n", b"\r\n \r\n")),
    "x.jsonl.gz": lambda p: p.write_bytes(gzip.compress(LINES[:5000]) + gzip.compress(LINES[5000:])),
    "x.jsonl.zst": lambda p: p.write_bytes(zstandard.compress(LINES[:5000]) + zstandard.compress(LINES[5000:])),
    "x.json": lambda p: p.write_bytes(ARRAY),
    "y.json": lambda p: p.write_bytes(b"\xef\xbb\xbf\n " + json.dumps(RECORDS).encode() + b"\n\n"),
    "z.json": lambda p: p.write_bytes(LINES),
    "x.json.gz": lambda p: p.write_bytes(gzip.compress(ARRAY)),
    "x.json.zst": lambda p: p.write_bytes(zstandard.compress(ARRAY)),
    "x.parquet": lambda p: pq.write_table(pa.Table.from_pylist(RECORDS), p, row_group_size=70),
    "x.PQ": lambda p: pq.write_table(pa.Table.from_pylist(RECORDS), p, row_group_size=70),
    "x.jsonl.bz2": lambda p: p.write_bytes(bz2.compress(LINES[:5000]) + bz2.compress(LINES[5000:])),
    "x.json.xz": lambda p: p.write_bytes(lzma.compress(ARRAY[:5000]) + bytes(8) + lzma.compress(ARRAY[5000:])),
    "utf16.jsonl": lambda p: p.write_bytes(LINES.decode().encode("utf-16")),
    "utf32.json.gz": lambda p: p.write_bytes(gzip.compress(ARRAY.decode().encode("utf-32"))),
    "pretty.jsonl": lambda p: p.write_bytes(b"\xef\xbb\xbf\n" + PRETTY),
    "pretty.json": lambda p: p.write_bytes(PRETTY),
    "array.jsonl": lambda p: p.write_bytes(ARRAY),
    "one_line.jsonl": lambda p: p.write_bytes(json.dumps(RECORDS).encode()),
    "by_id.json": lambda p: p.write_bytes(BY_ID),
    "wrapped.json": lambda p: p.write_bytes(WRAPPED),
    "x.arrow": lambda p: arrow_of(p, pa.ipc.new_stream),
    "x.ipc.zst": lambda p: (arrow_of(p, pa.ipc.new_file), p.write_bytes(zstandard.compress(p.read_bytes()))),
    "x.feather": lambda p: feather.write_feather(pa.Table.from_pylist(RECORDS), str(p), chunksize=70),
    "x.zip": lambda p: p.write_bytes(zip_of(dict(sorted(MEMBERS.items(), reverse=True)))),
    "x.tar": lambda p: p.write_bytes(tar_of(SAMPLES)),
    "x.tar.bz2": lambda p: p.write_bytes(tar_of(MEMBERS, "bz2")),
    "x.tgz": lambda p: p.write_bytes(tar_of(SAMPLES, "gz")),
}


def turns(items: Iterator[Dialogue | Reject]) -> list[tuple[str, Any]]:
    found = list(items)
    assert not [item for item in found if isinstance(item, Reject)]
    return [(item.id, item.turns) for item in found if isinstance(item, Dialogue)]


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_dialogues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    if "tar" not in name:
        monkeypatch.setattr(arrays, "_CHUNK_BYTES", 101)
    WRITERS[name](tmp_path / name)
    found = turns(read([str(tmp_path / name)]))
    assert [f"d{i}" for i in range(300)] == [id for id, _ in found]
    assert [[t.text for t in ts] for _, ts in found] == [[t["text"] for t in r["turns"]] for r in RECORDS]


def test_one_object_is_one_record(tmp_path: Path) -> None:
    for name, indent in (("a.json", None), ("b.json", 2)):
        (tmp_path / name).write_text(json.dumps(record(1), indent=indent))
        assert [id for id, _ in turns(read([str(tmp_path / name)]))] == ["d1"]


def test_a_folder_is_read_in_sorted_order(tmp_path: Path) -> None:
    for i, name in enumerate(["b.jsonl", "a/z.json", "c.parquet", "a/y.jsonl"]):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        data = {".jsonl": lambda p, i=i: p.write_text(json.dumps(record(i)))}
        data[".json"] = data[".jsonl"]
        data[".parquet"] = lambda p, i=i: pq.write_table(pa.Table.from_pylist([record(i)]), p)
        data[Path(name).suffix](tmp_path / name)
    for other in ("README.md", ".gitattributes", "LICENSE"):
        (tmp_path / other).write_text("x")
    assert [item.source.partition("/")[2] for item in read([str(tmp_path)])] == [
        "a/y.jsonl",
        "a/z.json",
        "b.jsonl",
        "c.parquet",
    ]


def test_files_of_other_kinds_are_skipped_with_their_number(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    inputs.notice.cache_clear()
    (tmp_path / "a.jsonl").write_bytes(LINES)
    for name in ("x.txt", "b/cover.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert len(list(read([str(tmp_path)]))) == len(list(read([str(tmp_path)]))) == 300
    (notice,) = [record.getMessage() for record in caplog.records]
    assert f"{tmp_path}: skipped 2 files of other kinds, such as 'b/cover.jpg'; known are .jsonl" in notice
    with pytest.raises(SourceError, match=r"x\.txt: not a known format; known are \.jsonl"):
        read([str(tmp_path / "x.txt")])
    (tmp_path / "a.jsonl").unlink()
    with pytest.raises(SourceError, match=r"contains no data files among its 2 files, such as 'b/cover\.jpg'; known"):
        read([str(tmp_path)])


def test_a_shipped_file_is_named_by_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "files", lambda _: tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "talks.jsonl").write_text(json.dumps(record(0)))
    (tmp_path / "secret.jsonl").write_text("{}")
    assert next(iter(read("package:talks.jsonl"))).source == "package:talks.jsonl"
    for name in ("package:none.jsonl", "package:../secret.jsonl", "package:"):
        with pytest.raises(SourceError, match=r"talks\.jsonl"):
            read([name])


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("x.jsonl", b"", "no record"),
        ("x.jsonl", b" \n\n", "no record"),
        ("x.json", b"", "no record"),
        ("x.json", b"[ ]", "no record"),
        ("x.json", b'[{"a": 1}', "record 1, which begins at byte 1|record 0, which begins at byte 1"),
        ("x.json", b'[{"a": 1}, {"a": tru}]', "record 1, which begins at byte 10"),
        ("x.json", b"[{}, {}", "the file ends"),
        ("x.json", b"[{}, ]", "record 1"),
        ("x.json", b"[{},, {}]", "record 1"),
        ("x.json", b"[{}] x", "after the end"),
        ("x.json", b"[{}}", "expected"),
        ("x.json", b'{"a":\n 1', "broken JSON"),
        ("x.json", b'{"a": \n1}\n{"b":\n}', "record 1, which begins at byte 9.*\\.jsonl"),
        ("x.jsonl", b'{"a":\n1}\n{"b":\n}', "record 1, which begins at byte 8"),
        ("x.json", b'{"a": {"turns": []}, "b": {"turns": []]', "broken JSON in record 1, which begins at byte 20"),
        ("x.jsonl.gz", b"{}", "cannot be read at all.*again"),
        ("x.jsonl.gz", gzip.compress(LINES)[:-9], "cannot be read"),
        ("x.jsonl.zst", zstandard.compress(LINES)[:-9], "cannot be read"),
        ("x.json.gz", gzip.compress(ARRAY) + b"junk", "cannot be read"),
        ("x.parquet", b"PAR1 no", "cannot be read at all"),
        ("x.jsonl.bz2", bz2.compress(LINES)[:-9], "cannot be read"),
        ("x.jsonl.bz2", b"{}", "cannot be read at all"),
        ("x.jsonl.xz", lzma.compress(LINES)[:-9], "cannot be read after record"),
        ("x.jsonl.xz", lzma.compress(LINES) + b"junk", "cannot be read after record 29"),
        ("x.zip", b"PK no", "cannot be read at all: File is not a zip file"),
        ("x.zip", zip_of({"a.txt": b"x"}), "no record"),
        ("x.zip", zip_of({"b.zip": zip_of(SAMPLES)}), "its member 'b.zip' is an archive itself"),
        ("x.tar", b"no tar" * 100, "cannot be read at all"),
        ("x.tar", b"", "cannot be read at all"),
        ("x.tar", tar_of(SAMPLES)[:-20_000], "cannot be read after record"),
        ("x.tar.gz", tar_of(SAMPLES, "gz")[:-20], "cannot be read after record"),
        ("x.tar", tar_of(SAMPLES)[: 1024 * 3], "after record 2: it ends without the mark of its end"),
        ("x.tar", tar_of(SAMPLES) + tar_of(SAMPLES), "after record 299: more data follow the mark of its end"),
        ("x.tar", tar_of({"b.tgz": tar_of(SAMPLES, "gz")}), "its member 'b.tgz' is an archive itself"),
        ("x.arrow", b"ARROW1\0\0", "no record|cannot be read at all"),
        ("x.arrow", b"no arrow at all", "cannot be read at all"),
        ("x.feather", b"FEA1 and so on", "Feather version 1"),
        ("x.csv", b"", "no record"),
        ("x.csv", b"instruction,output\n", "no record"),
        ("x.csv", b"\xff\xfa,output\n", "its header row cannot be read: .*not UTF-8"),
    ],
)
def test_an_unreadable_file_is_one_error_with_place_and_mend(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(SourceError, match=says) as caught:
        list(read([str(tmp_path / name)]))
    assert str(tmp_path / name) in str(caught.value) and "; " in str(caught.value)


@pytest.mark.parametrize("name", ["none.jsonl", "x.txt", "hf:", "hf:a/b/c", "empty", "pipe.jsonl"])
def test_an_input_that_is_not_there_is_an_error_at_once(tmp_path: Path, name: str) -> None:
    import os

    (tmp_path / "x.txt").write_text("a,b")
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(SourceError, match=name):
        read([name if name.startswith("hf:") else str(tmp_path / name)])


def test_no_input_is_an_error() -> None:
    with pytest.raises(SourceError, match="no input"):
        read([])


@pytest.mark.parametrize("name", ["x.jsonl", "x.json", "y.json", "x.jsonl.zst"])
def test_a_huge_record_is_skipped_in_little_memory(tmp_path: Path, name: str) -> None:
    huge = b'{"turns": "' + b'x\\"]}' * 4_000_000 + b'"}'
    small = json.dumps(record(1)).encode()
    data = b"[" + small + b"," + huge + b"," + small.replace(b"d1", b"d2") + b"]"
    if "jsonl" in name or name == "y.json":
        data = data[1:-1].replace(b',{"turns"', b'\n{"turns"').replace(b',{"id"', b'\n{"id"')
    (tmp_path / name).write_bytes(zstandard.compress(data) if name.endswith("zst") else data)
    del data, huge
    tracemalloc.start()
    try:
        items = list(read([str(tmp_path / name)], max_record_bytes=1000))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [getattr(item, "id", getattr(item, "reason", "")) for item in items] == ["d1", "record_too_large", "d2"]
    assert peak < 4_000_000


def test_the_size_limit_is_exact(tmp_path: Path) -> None:
    data = json.dumps(record(1)).encode()
    for name, packed in {"x.jsonl": data + b"\n", "y.jsonl": data, "x.json": b"[" + data + b"]"}.items():
        (tmp_path / name).write_bytes(packed)
        (fits,) = read([str(tmp_path / name)], max_record_bytes=len(data))
        (not_,) = read([str(tmp_path / name)], max_record_bytes=len(data) - 1)
        assert isinstance(fits, Dialogue) and isinstance(not_, Reject), name


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(json.dumps([{"chat": "y" * 900}] * 6_000))
    tracemalloc.start()
    try:
        assert sum(1 for _ in read([str(tmp_path / "x.json")])) == 6_000
        assert tracemalloc.get_traced_memory()[1] < 3_000_000  # of 5.4 MB
    finally:
        tracemalloc.stop()


json_values = st.recursive(
    st.none() | st.floats() | st.integers() | st.text(st.characters() | st.sampled_from('[]{},"\\'), max_size=9),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=3), v, max_size=3),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(json_values), st.integers(1, 20), st.sampled_from([None, 1]), st.booleans())
def test_an_array_is_cut_where_its_elements_end(
    values: list[Any], chunk: int, indent: int | None, ascii_: bool
) -> None:
    data = json.dumps(values, indent=indent, ensure_ascii=ascii_).encode("utf-8", "surrogatepass")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrays, "_CHUNK_BYTES", chunk)
        pieces = list(arrays.cut(io.BytesIO(data), 10_000))
    again = [json.loads(p.decode("utf-8", "surrogatepass")) for _, p in pieces if isinstance(p, bytes)]
    assert json.dumps(again) == json.dumps(values)
    assert all(isinstance(p, bytes) and data[at : at + len(p)] == p for at, p in pieces)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([*b'[]{},"\\1']), max_size=20).map(bytes), st.integers(1, 5))
def test_an_array_is_whole_or_ends_in_broken_json(data: bytes, chunk: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrays, "_CHUNK_BYTES", chunk)
        pieces = [piece for _, piece in arrays.cut(io.BytesIO(b"[" + data), 100)]
    try:
        values = json.loads(b"[" + data)
    except ValueError:
        assert any(isinstance(p, UnfitError) or json_text.is_broken(json_text.parse(p)) for p in pieces)
    else:
        assert [json_text.parse(p) for p in pieces if isinstance(p, bytes)] == values


def test_fingerprint_hashes_every_file_in_order(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_bytes(LINES)
    (tmp_path / "a.json").write_bytes(b"[]")
    one, two = fingerprint([str(tmp_path)])
    assert (one.name, one.n_bytes, one.revision) == (f"{tmp_path.name}/a.json", 2, "")
    assert (two.sha256, two.n_bytes) == (hashlib.sha256(LINES).hexdigest(), len(LINES))
