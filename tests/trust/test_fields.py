"""A hostile value in every field of a build: whatever reads it runs nothing, calls nobody and leaves the folder."""

import os
import pickle
import zlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle, islice
from typing import Any

import pytest

from datagen.feed import Feed, Stage
from datagen.shards.manifest import Manifest, write_part
from datagen.shards.store import LocalStore
from tests.run.builds import Forger
from tests.trust.conftest import Target, columns, metadata
from tests.trust.payloads import (
    ALL,
    ENGINES,
    NAMES,
    ODD,
    PLACES,
    TEXTS,
    Path_,
    fields,
    leaves,
    renamed,
    replaced,
)
from tests.trust.readers import FAST, READERS
from tests.trust.watch import MARK, Watch

DOCUMENTS: dict[str, tuple[list[str], list[str]]] = {
    "manifest.json": ([*FAST], [name for name in READERS if name not in (*FAST, "report")]),
    "recipe.yaml": (["build its recipe"], ["write by its recipe", "judge by its recipe"]),
    "plan.json": (["status unfinished"], ["status", "build its recipe"]),
    "units/000000.json": (["status unfinished"], ["show", "check"]),
}
"""Documents, with the readers of every change, and those that take turns."""
TABLES = ("conversations", "three_stream", "asr", "rejects")
OF_ROWS = [
    "tables",
    "show",
    "show a conversation",
    "notebook",
    "check",
    "moshi",
    "flatten",
    "datasets",
    "audit",
    "feed",
]
_EVERY = 16
"""One of that many fields is read by a slower reader too."""


_LONG = ("plan.json", "recipe.yaml")
"""Documents with more fields than the others: to try each of them takes long."""


def fresh(target: Target, names: list[str]) -> list[tuple[str, Any]]:
    """What readers did that they must not do, with their names."""
    return [(name, seen) for name in names for seen in target.read(READERS[name])]


@pytest.mark.parametrize("key", [pytest.param(k, marks=pytest.mark.slow if k in _LONG else ()) for k in DOCUMENTS])
def test_an_engine_in_any_field_of_a_document_is_never_run(target, key):
    document, payloads, (always, in_turn) = target.document(key), cycle(ENGINES), DOCUMENTS[key]
    assert fresh(target, always) == []
    others = cycle(in_turn)
    for number, path in enumerate(fields(document)):
        payload = next(payloads)
        target.put(key, replaced(document, path, payload))
        names = [*always, *([next(others)] if number % _EVERY == 0 else [])]
        assert fresh(target, names) == [], (path, payload)
    assert target.n_reads >= 10


@pytest.mark.parametrize("place", ["text_tokenizer", "speech_tokenizer"])
@pytest.mark.parametrize("payload", ENGINES, ids=lambda p: str(p["name"])[:30])
def test_no_engine_of_an_attacker_loads_where_readers_load_engines(target, place, payload):
    document = target.document("manifest.json")
    target.put("manifest.json", replaced(document, ("recipe", "engines", place), payload))
    assert fresh(target, [*FAST, "listen decoded", "lhotse"]) == []


def sample(n: int, what: tuple[Any, ...], paths: list[Path_], names: list[str]) -> Iterator[tuple[Path_, Any, str]]:
    """`n` of all combinations, in which every payload, and as many fields and readers as fit, occur."""
    for k in range(n):
        yield paths[(k * 7) % len(paths)], what[k % len(what)], names[(k * 3 + k // len(names)) % len(names)]


def half(what: tuple[Any, ...], key: str) -> tuple[Any, ...]:
    """Every other value: two documents have all of them, and the slow tests put all into each."""
    return what[[*DOCUMENTS].index(key) % 2 :: 2]


@pytest.mark.parametrize("key", DOCUMENTS)
def test_a_place_a_text_or_an_odd_value_in_a_field_of_a_document_does_nothing(target, key):
    document = target.document(key)
    what = half((*NAMES, *PLACES, *TEXTS, *ODD), key)
    for path, payload, name in sample(len(what), what, fields(document), [*DOCUMENTS[key][0], *DOCUMENTS[key][1]]):
        target.put(key, replaced(document, path, payload))
        assert fresh(target, [name]) == [], (path, payload)


@pytest.mark.parametrize("key", DOCUMENTS)
def test_a_hostile_name_of_a_field_does_nothing(target, key):
    document = target.document(key)
    what = half((*PLACES[:13], *TEXTS), key)
    for path, payload, name in sample(len(what), what, fields(document), [*DOCUMENTS[key][0], *DOCUMENTS[key][1]]):
        target.put(key, renamed(document, path, str(payload)))
        assert fresh(target, [name]) == [], (path, payload)


@pytest.mark.parametrize("table", TABLES)
def test_a_hostile_text_in_a_column_does_nothing(target, table):
    first = Forger(target.out)
    (row, *_) = first.table(first.keys(table)[0]).to_pylist()
    paths = [path for path in fields(row) if isinstance(_at(row, path), str)]
    what = [each for each in (*NAMES, *PLACES, *TEXTS) if isinstance(each, str)]
    assert paths
    for path, payload, name in sample(max(len(paths), 8), tuple(what), paths, OF_ROWS):
        columns(target, table, lambda row, p=path, v=payload: _put(row, p, v))
        assert fresh(target, [name]) == [], (path, payload)
        target.restore()


def _at(row: Any, path: Path_) -> Any:
    for key in path:
        row = row[key]
    return row


def _put(row: Any, path: Path_, value: Any) -> Any:
    """The row with a value at a path, unless the row has no such place."""
    try:
        return replaced(row, path, value)
    except (IndexError, KeyError, TypeError):
        return row


@pytest.mark.parametrize("name", ["key", "table", "split", "sha256"])
@pytest.mark.parametrize("payload", [each for each in PLACES if isinstance(each, str)])
def test_an_index_names_no_file_outside(target, name, payload):
    forger = Forger(target.out)
    forger.files = [replace(file, **{name: payload}) for file in forger.files]
    forger.publish()
    readers = ["notebook", "show", "tables", "check", "flatten", "moshi"]
    number = [each for each in PLACES if isinstance(each, str)].index(payload)
    assert fresh(target, ["show", readers[number % len(readers)]]) == []


def test_a_part_of_the_index_is_no_file_outside(target):
    outside = target.out.parent / "outside.parquet"
    files = list(Manifest.load(LocalStore(target.out)).files())
    part = write_part(LocalStore(target.out), 0, files)
    outside.write_bytes((target.out / part.key).read_bytes())
    document = target.document("manifest.json")
    for key in ("../outside.parquet", str(outside)):
        target.put("manifest.json", replaced(document, ("index", 0, "key"), key))
        assert fresh(target, [*FAST, "tables", "feed"]) == []


def test_takes_name_no_file_outside(target):
    for payload in PLACES[:5]:
        metadata(target, "takes/index.parquet", lambda old, p=payload: {"files": [[p, sha] for _, sha in old["files"]]})
        assert fresh(target, ["takes"]) == [], payload
        target.restore()


def test_the_report_of_a_build_with_hostile_fields_does_nothing(target):
    document = target.document("manifest.json")
    paths = [path for path in fields(document) if path[0] not in ("index", "vocabulary", "clock", "recipe")]
    for path, payload in islice(zip(cycle(paths[::5]), (TEXTS[0], PLACES[0], ENGINES[0]), strict=False), 3):
        target.put("manifest.json", replaced(document, path, payload))
        assert fresh(target, ["report"]) == []


@pytest.mark.slow
@pytest.mark.parametrize("key", DOCUMENTS)
def test_a_value_in_every_field_of_a_document_does_nothing(target, key):
    document, names, payloads = target.document(key), cycle([*DOCUMENTS[key][0], *DOCUMENTS[key][1]]), cycle(ALL)
    for path in fields(document):
        payload = next(payloads)
        target.put(key, replaced(document, path, payload))
        assert fresh(target, [next(names)]) == [], (path, payload)


@pytest.mark.slow
@pytest.mark.parametrize("table", TABLES)
def test_texts_in_every_column_do_nothing(target, table):
    """Two in each, so that in a few columns all have occurred."""
    first = Forger(target.out)
    (row, *_) = first.table(first.keys(table)[0]).to_pylist()
    names, texts = (
        cycle([*OF_ROWS, "report"]),
        cycle([each for each in (*NAMES, *PLACES, *TEXTS) if isinstance(each, str)]),
    )
    for path in (path for path in leaves(row) if isinstance(_at(row, path), str)):
        for payload in islice(texts, 2):
            columns(target, table, lambda row, p=path, v=payload: _put(row, p, v))
            assert fresh(target, [next(names)]) == [], (path, payload)
            target.restore()


class Bomb:
    """Runs a command where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {MARK}",)


@pytest.mark.parametrize("wrap", [bytes, zlib.compress], ids=["plain", "compressed"])
def test_a_pickle_in_the_place_of_any_file_is_never_loaded(target, wrap):
    bomb, readers = wrap(pickle.dumps(Bomb())), cycle(READERS)
    for key in sorted(target.original):
        (target.out / key).write_bytes(bomb)
        assert fresh(target, ["opened", next(readers), next(readers)]) == [], key
        target.restore()


def test_a_pickle_in_the_place_of_a_cached_file_is_never_loaded(target):
    cache = target.work / "cache"
    stage = Stage("s", {"three_stream": 1.0}, max_tokens=8192, batch_size=1, n_sequences=1)

    def read() -> list[Any]:
        return [batch.inputs["input_ids"].tolist() for batch in Feed(str(target.out), stage, cache=str(cache))]

    whole = read()
    cached = [*cache.glob("*.tokens")]
    for file in cached:
        file.write_bytes(pickle.dumps(Bomb()).ljust(file.stat().st_size, b"."))
    with Watch([target.out], [cache]) as watch:
        assert read() == whole
    assert cached
    assert watch.seen == []
    assert not [*target.work.rglob(MARK)]
