"""Fuzzed records in every container: each is kept or rejected once, with a reason, and alike everywhere."""

import bz2
import gzip
import json
import lzma
import random

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
import zstandard

from datagen.errors import SourceError
from datagen.records import Dialogue
from datagen.sources import read
from tests.sources.test_formats import tar_of, zip_of

MOST_BYTES = 4_000
TEXTS = ("Hi", "", " ", "\u597d\n", "\ufeffx", "\x00", "\ud800", '"', "a,b;\tc", "]}", "\\", "\u2028", "NaN", "Oh.")
SAID = (*TEXTS, "y" * 5_000)
OTHER = (None, 0, -1, 1.5, True, [], {}, [[]], float("nan"), 10**400, "x")
FIELDS = ("turns", "messages", "conversations", "instruction", "output", "input", "chat", "id", "language", "data", "x")


def value(random_: random.Random, depth: int = 0) -> object:
    kind = random_.randrange(6 if depth < 3 else 3)
    if kind < 2:
        return random_.choice(TEXTS)
    if kind == 2:
        return random_.choice(OTHER)
    if kind == 3:
        return [value(random_, depth + 1) for _ in range(random_.randrange(3))]
    keys = ("role", "text", "content", "from", "value", "turn_1", "Human", "MOSS")
    return {random_.choice(keys): value(random_, depth + 1) for _ in range(random_.randrange(3))}


def turn(random_: random.Random, k: int, text: str) -> dict[str, object]:
    odd = random_.random() < 0.1
    role = random_.choice(("system", "tool", "caller", 7)) if odd else ("user", "assistant")[k % 2]
    return {"role": role, text: value(random_, 2) if random_.random() < 0.1 else random_.choice(SAID)}


def record(random_: random.Random) -> dict[str, object]:
    """A dialogue, often with something wrong about it."""
    if random_.random() < 0.3:
        return {random_.choice(FIELDS): value(random_) for _ in range(random_.randrange(1, 4))}
    key, text = random_.choice((("turns", "text"), ("messages", "content")))
    made = {key: [turn(random_, k, text) for k in range(random_.randrange(6))]}
    return made | {random_.choice(FIELDS): value(random_)} if random_.random() < 0.3 else made


def numbered(random_: random.Random, n: int) -> list[dict[str, object]]:
    """Records of which the first is sound, so that the kind of a file is known."""
    sound = {"turns": [{"role": "user", "text": "Hi"}, {"role": "assistant", "text": "Hello."}]}
    return [sound, *(record(random_) for _ in range(n - 1))]


def as_json(records: list[dict[str, object]], escape: bool) -> dict[str, bytes]:
    """The same records in all containers of JSON."""
    each = [json.dumps(r, ensure_ascii=escape).encode("utf-8", "surrogatepass") for r in records]
    pretty = [json.dumps(r, ensure_ascii=escape, indent=1).encode("utf-8", "surrogatepass") for r in records]
    lines, array = b"\n".join(each), b"[" + b",\n".join(each) + b"]"
    members = {f"{k:05d}.jsonl": data for k, data in enumerate(each)}
    made = {
        "lines.jsonl": lines,
        "lines.json": lines,
        "array.json": array,
        "array.jsonl": array,
        "pretty.jsonl": b"\n".join(pretty),
        "wrapped.json": b'{"version": [1], "data": %b, "end": {}}' % array,
        "x.jsonl.gz": gzip.compress(lines),
        "x.jsonl.zst": zstandard.compress(lines),
        "x.json.bz2": bz2.compress(array),
        "x.ndjson.xz": lzma.compress(lines),
        "lines.zip": zip_of({"a.txt": b"x", "b/c.jsonl": lines}),
        "samples.tar": tar_of(members),
        "samples.tar.gz": tar_of(members, "gz"),
        "samples.zip": zip_of(members),
    }
    if escape:
        made |= {f"{name}.{end}": lines.decode().encode(name) for name in ("utf-16", "utf-32") for end in ("jsonl",)}
    return made


def as_table(records: list[dict[str, object]]) -> dict[str, object]:
    """What a table can hold of them, in all containers of tables."""
    rows = []
    for each in records:
        turns = each.get("turns") if isinstance(each.get("turns"), list) else None
        texts = [{"role": str(t.get("role")), "text": t.get("text")} for t in turns or [] if isinstance(t, dict)]
        rows.append({"turns": [t for t in texts if isinstance(t["text"], str) and "\ud800" not in t["text"]]})
    table = pa.Table.from_pylist(rows)
    return {
        "x.parquet": lambda p: pq.write_table(table, p, row_group_size=37),
        "v2.parq": lambda p: pq.write_table(table, p, data_page_version="2.0", use_dictionary=False),
        "x.feather": lambda p: feather.write_feather(table, str(p), chunksize=41),
        "x.arrow": lambda p: write_stream(p, table),
    }


def write_stream(path, table):
    with pa.ipc.new_stream(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=53)


def outcomes(path) -> list[object]:
    """The turns or the reason of each record."""
    items = list(read(str(path), max_record_bytes=MOST_BYTES))
    assert [item.record for item in items] == list(range(len(items)))
    assert all(isinstance(item, Dialogue) or (item.reason and item.detail) for item in items)
    return [item.turns if isinstance(item, Dialogue) else item.reason for item in items]


@pytest.mark.parametrize("seed", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in range(1, 6))])
def test_each_record_is_kept_or_rejected_once_and_alike_in_all_containers(tmp_path, seed):
    random_ = random.Random(seed)
    records = numbered(random_, 300)
    files = as_json(records, escape=bool(seed % 2))
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    whole = outcomes(tmp_path / "lines.jsonl")
    assert len(whole) == len(records) and 20 < sum(isinstance(found, tuple) for found in whole) < 250
    for name in files:
        found = outcomes(tmp_path / name)
        assert len(found) == len(records), name
        for one, other in zip(whole, found, strict=True):
            assert one == other or "record_too_large" in (one, other), name  # whose bytes include the space in it


@pytest.mark.parametrize("seed", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in range(1, 6))])
def test_each_row_is_kept_or_rejected_once_and_alike_in_all_tables(tmp_path, seed):
    records = numbered(random.Random(seed), 300)
    found = {}
    for name, write in as_table(records).items():
        write(tmp_path / name)
        found[name] = outcomes(tmp_path / name)
    first = found.pop("x.parquet")
    assert len(first) == len(records) and "record_too_large" in first
    assert all(each == first for each in found.values())


@pytest.mark.parametrize("seed", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in range(1, 11))])
def test_a_damaged_file_is_one_error_or_still_gives_each_record_once(tmp_path, seed):
    random_ = random.Random(seed)
    records = numbered(random_, 12)
    files = as_json(records, escape=True)
    for name, write in as_table(records).items():
        write(tmp_path / name)
        files[name] = (tmp_path / name).read_bytes()
    for name, data in files.items():
        for _ in range(4):
            damaged = bytearray(data)
            for _ in range(random_.randrange(1, 5)):
                damaged[random_.randrange(len(damaged))] = random_.randrange(256)
            if random_.random() < 0.3:
                del damaged[random_.randrange(len(damaged)) :]
            (tmp_path / name).write_bytes(damaged)
            try:
                outcomes(tmp_path / name)
            except SourceError as error:
                assert str(tmp_path / name) in str(error) and "; " in str(error)
