"""A build that an attacker changes field by field."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unicodedata import category

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from datagen.shards.tables import about, from_parquet, to_parquet
from tests.run.builds import Forger, made
from tests.trust.payloads import HTML, reseal
from tests.trust.readers import Reader
from tests.trust.watch import MARK, Watch

DIALOGUE = "d1"


@dataclass
class Target:
    """A finished build, with a way to change any of its documents and to read it under watch."""

    out: Path
    work: Path
    original: dict[str, bytes] = field(init=False)
    n_reads: int = 0

    def __post_init__(self) -> None:
        self.original = {str(p.relative_to(self.out)): p.read_bytes() for p in self.out.rglob("*") if p.is_file()}
        (self.work / f"{MARK}_engine.py").write_text(f"open('{MARK}', 'w').close()\nclass Engine: pass\n")

    def restore(self) -> None:
        """Undo all changes."""
        for file in [*self.out.rglob("*")]:
            key = str(file.relative_to(self.out))
            if file.is_file() and (key not in self.original or file.read_bytes() != self.original[key]):
                file.unlink()
        for key, data in self.original.items():
            if not (self.out / key).exists():
                (self.out / key).write_bytes(data)

    def document(self, key: str) -> Any:
        """A JSON or YAML document of the build."""
        data = self.original[key]
        if not key.endswith(".yaml"):
            return json.loads(data)
        recipe = yaml.safe_load(data)  # shorter, and with nothing in it that is refused
        del recipe["mix"]["sentences"]
        return {**recipe, "timing": {"profile": "natural"}, "input": {"paths": ["package:quickstart.jsonl"]}}

    def put(self, key: str, document: Any) -> None:
        """Write a changed document."""
        is_sealed = isinstance(document, dict) and key.endswith(".json")
        data = reseal(document) if is_sealed else json.dumps(document).encode()  # which is YAML too
        (self.out / key).write_bytes(data)

    def read(self, reader: Reader) -> list[tuple[str, str]]:
        """Run a reader; returns all that it did and must not do."""
        self.n_reads += 1
        to = self.work / "to"
        shutil.rmtree(to, ignore_errors=True)
        to.mkdir()
        with Watch([self.out], [to, self.out / "report.html", *self._scratch()]) as watch:
            try:
                found = reader(self.out, to, DIALOGUE)
            except Exception as error:  # a damaged build may well be refused; how is tests/test_faults' matter
                found = error
        seen = watch.seen + [("canary", str(file)) for file in self.work.rglob(MARK)]
        return seen + [("shown", each) for each in shown_raw(found)]

    def _scratch(self) -> Iterator[Path]:
        yield self.work / "sound.wav"
        yield self.out  # `datagen report` writes its page there


def shown_raw(found: object) -> Iterator[str]:
    """Parts of what a command printed, or a notebook showed, that can steer a terminal or run in a page."""
    if (printed := getattr(found, "output", None)) is not None and isinstance(printed, str):
        bad = {c for c in printed if not (c.isprintable() or c == "\n" or category(c) == "Zs")}
        if bad:
            yield f"printed {sorted(bad)!r} in {printed[:80]!r}"
    for text in found if isinstance(found, list) else ():
        if isinstance(text, str):
            yield from (f"page has {each}" for each in HTML[:4] if each in text)
            if "\x1b" in text or "\x9b" in text:
                yield f"control characters in {text[:80]!r}"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build with sound, takes and rejects."""
    return made(tmp_path_factory.mktemp("target"), "mix.keep_audio=true", "takes.keep=true", n=4)[0]


@pytest.fixture
def target(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    """The build, to be changed, with a module of the attacker in the current folder."""
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return Target(out, work)


def columns(target: Target, table: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Change every row of a table, with all sums and hashes set right."""
    forger = Forger(target.out)
    for key in forger.keys(table):
        old = forger.table(key)
        rows = [change(row) for row in old.to_pylist()]
        forger.write(key, pa.Table.from_pylist(rows, schema=old.schema))
    forger.seal()


def metadata(target: Target, key: str, change: Callable[[Any], Any]) -> None:
    """Change the metadata of a table's file; its hash in the index is not set right, as readers of rows do not look."""
    data = (target.out / key).read_bytes()
    table = from_parquet(data, key)
    (target.out / key).write_bytes(to_parquet(table.replace_schema_metadata(None), change(about(table))))


def index_of(target: Target) -> str:
    """Key of the only part of the index."""
    (key,) = (key for key in target.original if key.startswith("index/"))
    return key


def rows_of_index(target: Target) -> list[dict[str, Any]]:
    """Entries of the index."""
    rows: list[dict[str, Any]] = pq.read_table(target.out / index_of(target)).to_pylist()
    return rows
