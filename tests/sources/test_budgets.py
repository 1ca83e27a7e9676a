"""Memory of reading is bounded whatever a file unfolds to: each case in a process of its own."""

import bz2
import gzip
import io
import itertools
import json
import lzma
import re
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from datagen.errors import SourceError
from datagen.records import Dialogue
from datagen.sources import read
from datagen.sources.parquet_pages import _VALUE_BYTES, Weigher, footer_of
from tests.sources.test_formats import tar_of, zip_of

BOUND_MB = 256
SMALL_BOUND_MB = 100
PEAK = """
import json, resource, sys
import pyarrow.parquet
from collections import Counter
from datagen.errors import SourceError
from datagen.sources import parquet_pages, read
def peak():
    try:  # Linux adds the peak of the parent process to that of getrusage
        return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) // 2**10
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (2**20 if sys.platform == "darwin" else 2**10)
before, found, error = peak(), Counter(), ""
try:
    for item in read(sys.argv[1], limit=1000, max_record_bytes=int(sys.argv[2])):
        found[getattr(item, "reason", "dialogue")] += 1
except SourceError as e: error = str(e)
print(json.dumps([peak() - before, found, error]))
"""


def read_apart(path, max_record_bytes=1 << 20):
    """Peak memory in MB above that of the imports, records by reason, and the error."""
    command = [sys.executable, "-c", PEAK, str(path), str(max_record_bytes)]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


def mostly_slow(names, *quick):
    """Names as parameters; those not among `quick` belong to the slow tests."""
    assert set(quick) <= set(names)
    return [pytest.param(name, marks=() if name in quick else pytest.mark.slow) for name in names]


def turns(text):
    return [{"role": "user", "text": "Hi"}, {"role": "assistant", "text": text}]


def repeated(text, n):
    """A list of one row that repeats a text `n` times."""
    values = pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array([text]))
    return pa.table({"turns": pa.ListArray.from_arrays(pa.array([0, n], pa.int32()), values)})


def repeated_rows(text, n):
    """Rows of one field that all refer to one text; it is never unfolded here."""
    values = pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array([text]))
    return pa.table({"instruction": values, "output": ["o"] * n})


NULLS = pa.list_(pa.struct({"role": pa.string()}))
WIDE = {f"c{k}": pa.array([0], pa.int8()) for k in range(100_000)}
LARGE = {"compression": "zstd", "dictionary_pagesize_limit": 1 << 30}
PARQUET = {
    "one text of 20 MB, 300 times": (lambda: repeated_rows("x" * 20_000_000, 300), LARGE, "record_too_large"),
    "a page of 40 MB": (
        lambda: pa.table({"turns": [turns("x" * 40_000_000)]}),
        {"compression": "zstd", "use_dictionary": False},
        r"row group 0, column turns\.list\.element\.text: a row has 4\d+ bytes",
    ),
    "a page of 140 MB": (
        lambda: pa.table({"turns": [turns("x" * 140_000_000)]}),
        {"compression": "zstd", "use_dictionary": False},
        r"row group 0, column turns\.list\.element\.text: a page has 14\d+ bytes",
    ),
    "40 million rows of nulls": (
        lambda: pa.table(dict.fromkeys(("instruction", "output"), pa.nulls(40_000_000, pa.string()))),
        {"compression": "zstd", "row_group_size": 40_000_000, "data_page_size": 1 << 30},
        "bad_text",
    ),
    "a row of 4 million texts": (lambda: repeated("x" * 1000, 4_000_000), LARGE, r"a row has \d{10} bytes"),
    "a row of 30 million texts": (lambda: repeated("x", 30_000_000), LARGE, r"a page has \d+ bytes and \d+ values"),
    "prefixes": (
        lambda: pa.table({"instruction": ["x" * 100_000] * 1000, "output": ["o"] * 1000}),
        {"compression": "zstd", "use_dictionary": False, "column_encoding": {"instruction": "DELTA_BYTE_ARRAY"}},
        "dialogue",
    ),
    "a struct of nulls": (
        lambda: pa.table({"turns": pa.array([[{"role": None}] * 2_000_000], NULLS)}),
        LARGE,
        "record_too_large",
    ),
    "100,000 columns": (lambda: pa.table(WIDE), {"compression": "none"}, "footer claims|no usable columns"),
}


@pytest.mark.parametrize("name", mostly_slow(PARQUET, "40 million rows of nulls", "a row of 30 million texts"))
def test_parquet_unfolds_within_the_bound(tmp_path, name):
    make, options, says = PARQUET[name]
    pq.write_table(make(), tmp_path / "x.parquet", **options)
    peak_mb, found, error = read_apart(tmp_path / "x.parquet")
    assert peak_mb < BOUND_MB
    if says in ("record_too_large", "bad_text", "dialogue"):
        assert set(found) == {says} and not error
    else:
        assert not found
        with pytest.raises(SourceError, match=rf"x\.parquet: .*{says}"):
            raise SourceError(error)


def test_large_rows_beside_small_ones_are_rejects(tmp_path):
    texts = ["a", "x" * 9_000_000, "b"] * 20
    pq.write_table(pa.table({"turns": [turns(text) for text in texts]}), tmp_path / "x.parquet", **LARGE)
    peak_mb, found, error = read_apart(tmp_path / "x.parquet")
    assert (found, error) == ({"dialogue": 40, "record_too_large": 20}, "")
    assert peak_mb < BOUND_MB


def test_a_footer_that_claims_too_much_is_not_parsed(tmp_path):
    with (tmp_path / "x.parquet").open("wb") as file:
        file.truncate(100 << 20)
        file.seek(0, 2)
        file.write(struct.pack("<I", 90 << 20) + b"PAR1")
    peak_mb, _, error = read_apart(tmp_path / "x.parquet")
    assert peak_mb < BOUND_MB and "its footer claims 94371840 bytes" in error


def window(data):
    """One frame of zstd with the largest window that is read."""
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=27, enable_ldm=True)
    return zstandard.ZstdCompressor(compression_params=parameters).compress(data)


BOMB = b'{"turns": "' + b"x" * 300_000_000 + b'"}\n'
JSON = {
    "x.jsonl.gz": lambda: gzip.compress(BOMB, 1),
    "x.json.gz": lambda: gzip.compress(b"[" + BOMB + b"]", 1),
    "x.jsonl.zst": lambda: window(BOMB),
    "blank.json.gz": lambda: gzip.compress(b"\n" * 3_000_000 + b"{}", 1),
    "keys.jsonl": lambda: json.dumps({f"{k:x}": [] for k in range(80_000)}).encode(),
    "lists.jsonl": lambda: b"[" + b"[]," * 349_000 + b"[]]",
    "objects.jsonl": lambda: b'{"":[' + b'{"":[]},' * 130_000 + b"[]]}",
    "digits.jsonl": lambda: b'{"id":' + b"9" * 1_000_000 + b"}",
    "deep.jsonl": lambda: b"[" * 500_000 + b"]" * 500_000,
    "wide.jsonl": lambda: json.dumps({"chat": "\U0001f600" + "x" * 1_000_000}, ensure_ascii=False).encode(),
}


@pytest.mark.parametrize("name", mostly_slow(JSON, "x.json.gz", "deep.jsonl"))
def test_json_unfolds_within_the_bound(tmp_path, name):
    (tmp_path / name).write_bytes(JSON[name]())
    peak_mb, found, error = read_apart(tmp_path / name)
    assert peak_mb < BOUND_MB
    assert sum(found.values()) == 1 and "dialogue" not in found and not error


def tar_with_header(n_bytes):
    """A tar archive whose first member has a longer header than any real one."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz", format=tarfile.PAX_FORMAT, compresslevel=1) as archive:
        info = tarfile.TarInfo("x.jsonl")
        info.pax_headers = {"comment": "x" * n_bytes}
        archive.addfile(info)
    return made.getvalue()


def zip_of_directory(n):
    """A zip archive of very many empty members; their directory is copied, not made anew."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("x", b"")
    data = made.getvalue()
    at = data.index(b"PK\1\2")
    entry = data[at : data.index(b"PK\5\6")]
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, n * len(entry), at, 0)
    return data[:at] + entry * n + end


def arrow_of(table, **options):
    made = io.BytesIO()
    with pa.ipc.new_file(made, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return made.getvalue()


def feather_of(n_bytes):
    return arrow_of(pa.table({"instruction": ["x" * n_bytes], "output": ["o"]}), compression="zstd")


def wide_xz():
    """A stream of xz whose block claims a dictionary of 4 GB."""
    data = bytearray(lzma.compress(b"{}"))
    end = 12 + (data[12] + 1) * 4  # of the block's header, which ends with its checksum
    data[16] = 40
    data[end - 4 : end] = zlib.crc32(data[12 : end - 4]).to_bytes(4, "little")
    return bytes(data)


CSV = b'instruction,output\na,b\n"' + (b"x," * 5_000 + b"\n") * 20_000 + b'",b\nc,d\n'
BOMBS = {
    "x.csv.gz": (lambda: gzip.compress(CSV, 1), ["dialogue", "dialogue", "record_too_large"]),
    "open.csv.gz": (lambda: gzip.compress(CSV[:-10], 1), ["dialogue", "record_too_large"]),
    "x.jsonl.bz2": (lambda: bz2.compress(BOMB), ["record_too_large"]),
    "x.jsonl.xz": (lambda: lzma.compress(BOMB, preset=0), ["record_too_large"]),
    "wide.jsonl.xz": (
        wide_xz,
        "Memory usage limit exceeded",
    ),
    "utf16.json.gz": (lambda: gzip.compress(BOMB.decode().encode("utf-16"), 1), ["record_too_large"]),
    "by_id.json.gz": (lambda: gzip.compress(b'{"a": {"turns": []}, "b": %b, "c": {}}' % BOMB, 1), None),
    "wrapped.json.gz": (lambda: gzip.compress(b'{"data": [{"turns": []}, %b]}' % BOMB, 1), None),
    "pretty.jsonl.gz": (lambda: gzip.compress(b"{\n%b}" % BOMB[1:-2], 1), ["record_too_large"]),
    "x.zip": (lambda: zip_of({"x.jsonl": BOMB}), ["record_too_large"]),
    "x.tgz": (lambda: tar_of({"x.json": BOMB}, "gz"), ["record_too_large"]),
    "header.tgz": (lambda: tar_with_header(300_000_000), "a header claims 300000"),
    "directory.zip": (lambda: zip_of_directory(3_000_000), "a header claims 1410000"),
    "x.feather": (lambda: feather_of(600_000_000), r"has 6\d{8} bytes when decoded, at most 134217728 are held"),
    "x.arrow.gz": (lambda: gzip.compress(feather_of(600_000_000), 1), r"has 6\d{8} bytes when decoded"),
    "plain.arrow.gz": (
        lambda: gzip.compress(arrow_of(pa.table({"instruction": ["x" * 300_000_000], "output": ["o"]})), 1),
        r"has 30000\d{4} bytes, at most",
    ),
    "same.arrow": (lambda: arrow_of(repeated_rows("x" * 20_000_000, 300)), ["record_too_large"]),
    "list.arrow": (lambda: arrow_of(repeated("x" * 10_000, 200_000)), ["record_too_large"]),
}


@pytest.mark.parametrize("name", mostly_slow(BOMBS, "header.tgz", "x.jsonl.bz2", "same.arrow"))
def test_every_container_unfolds_within_the_bound(tmp_path, name):
    make, says = BOMBS[name]
    (tmp_path / name).write_bytes(make())
    peak_mb, found, error = read_apart(tmp_path / name)
    assert peak_mb < BOUND_MB
    if isinstance(says, str):
        assert not found
        with pytest.raises(SourceError, match=rf"{name}: .*{says}"):
            raise SourceError(error)
    else:
        assert not error and "record_too_large" in found and sum(found.values()) <= 300
        assert says is None or set(found) == set(says)


def saved(folder, data, name="data.arrow"):
    """A folder as of `save_to_disk` with one file."""
    folder.mkdir()
    (folder / name).write_bytes(data)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name}]}))


def parquet_of(table, **options):
    made = io.BytesIO()
    pq.write_table(table, made, compression="zstd", use_dictionary=False, **options)
    return made.getvalue()


def large(n_bytes):
    """A table with one record of this size and a small one."""
    return pa.table({"instruction": ["x" * n_bytes, "a"], "output": ["o"] * 2})


SMALL = 64 << 10
LIMITED = {
    "x.jsonl": lambda: json.dumps({"instruction": "x" * 12_000_000, "output": "o"}).encode(),
    "x.json": lambda: json.dumps([{"instruction": "x" * 12_000_000, "output": "o"}]).encode(),
    "x.csv": lambda: b"instruction,output\n" + b"x" * 12_000_000 + b",o\n",
    "x.zip": lambda: zip_of({"x.jsonl": b'{"instruction": "' + b"x" * 12_000_000 + b'"}'}),
    "x.tar": lambda: tar_of({"x.jsonl": b'{"instruction": "' + b"x" * 12_000_000 + b'"}'}),
    "x.parquet": lambda: parquet_of(large(3_000_000)),
    "x.feather": lambda: arrow_of(large(12_000_000), compression="zstd"),
    "x.arrow": lambda: arrow_of(large(12_000_000)),
}
OVER = {
    "x.parquet": lambda: parquet_of(large(30_000_000)),
    "x.feather": lambda: arrow_of(large(30_000_000), compression="zstd"),
    "x.arrow.gz": lambda: gzip.compress(arrow_of(large(30_000_000)), 1),
}


@pytest.mark.parametrize("name", [*LIMITED, "saved"])
def test_a_smaller_limit_of_a_record_is_a_smaller_bound_of_memory(tmp_path, name):
    path = tmp_path / name
    if name == "saved":
        saved(path, LIMITED["x.feather"]())
    else:
        path.write_bytes(LIMITED[name]())
    peak_mb, found, error = read_apart(path, SMALL)
    assert "record_too_large" in found and not error
    assert peak_mb < SMALL_BOUND_MB


@pytest.mark.parametrize("name", mostly_slow([*OVER, "saved"], "x.parquet"))
def test_what_takes_more_than_the_limit_allows_names_the_limit_that_would_do(tmp_path, name):
    path = tmp_path / name
    if name == "saved":
        saved(path, OVER["x.feather"]())
    else:
        path.write_bytes(OVER[name]())
    peak_mb, found, error = read_apart(path, SMALL)
    assert peak_mb < SMALL_BOUND_MB and not found and str(path) in error
    needed = int(re.search(r"set input\.max_record_bytes to (\d+), or ", error)[1])
    _, found, error = read_apart(path, needed)
    assert not error and "dialogue" in found


@pytest.mark.parametrize("inner", ['{"a":', "["])
def test_the_depth_of_a_record_is_limited_exactly(tmp_path, inner):
    close = "}" if inner.startswith("{") else "]"
    turns_ = json.dumps(turns("Hello."))
    lines = [f'{{"turns": {turns_}, "x": {inner * n}1{close * n}}}' for n in (199, 200, 201)]
    (tmp_path / "x.jsonl").write_text("\n".join(lines))
    found = [getattr(item, "reason", "dialogue") for item in read(str(tmp_path))]
    assert found == ["dialogue", "too_deep", "too_deep"]


def weight(record):
    """What the weigher should find: each leaf's memory and its text; an absent list is one leaf of each column."""
    if not record["turns"]:
        return 3 * _VALUE_BYTES + len(record["id"] or "")
    return (
        _VALUE_BYTES
        + len(record["id"] or "")
        + sum(2 * _VALUE_BYTES + len(turn["role"]) + len(turn["text"] or "") for turn in record["turns"])
    )


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("compression", ["zstd", "snappy", "none", "gzip", "brotli", "lz4"])
def test_rows_are_weighed_exactly_and_read_the_same_one_by_one(tmp_path, monkeypatch, version, compression):
    def talk(i):
        texts = [None if (i + k) % 11 == 0 else "t" * (1 + i % 9) * (1 + k) for k in range(i % 5)]
        return [{"role": "user" if k % 2 == 0 else "bot", "text": text} for k, text in enumerate(texts)]

    records = [{"id": f"d{i}" if i % 5 else None, "turns": talk(i) if i % 7 else None} for i in range(900)]
    for dictionary, data_page_size in itertools.product((True, False, ["id"]), (300, 1 << 20)):
        path = tmp_path / "x.parquet"
        options = {"use_dictionary": dictionary, "data_page_size": data_page_size, "row_group_size": 500}
        options |= {"compression": compression, "data_page_version": version}
        pq.write_table(pa.Table.from_pylist(records), path, **options)
        with path.open("rb") as stream:
            weigher = Weigher(
                stream, footer_of(stream, "x"), pq.ParquetFile(path).schema, ["turns", "id"], "x", 1 << 20
            )
            rows = np.zeros(900, np.int64)
            for group, leaf in itertools.product(range(2), range(3)):
                for first, weights in weigher._rows(group, leaf):
                    rows[500 * group + first :][: len(weights)] += weights
        assert rows.tolist() == [weight(record) for record in records]
    whole = list(read(str(path)))
    assert any(isinstance(item, Dialogue) for item in whole)
    monkeypatch.setattr("datagen.sources.parquet_pages._BATCHES_OF_PAGE", (128 << 20) // 3_000)
    assert list(read(str(path))) == whole
