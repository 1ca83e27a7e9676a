"""Small builds on the fake engines, and what is needed to run, read and damage them."""

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pyarrow as pa
from pydantic import ValidationError

from datagen.errors import DatagenError
from datagen.pipeline.pipeline import Pipeline
from datagen.recipe import Recipe, stored
from datagen.run.build import build
from datagen.run.check import check
from datagen.run.planning import plan_build
from datagen.run.worker import Worker
from datagen.shards import digest
from datagen.shards.card import card
from datagen.shards.manifest import Manifest, write_part
from datagen.shards.markers import Tally
from datagen.shards.plan import load_plan
from datagen.shards.seal import document
from datagen.shards.store import LocalStore
from datagen.shards.tables import about, from_parquet, to_parquet
from datagen.shards.unit import Marker, unit_of
from tests.conftest import make_recipe
from tests.stores import TIME

ROOT = Path(__file__).parent.parent.parent
DATAGEN = str(Path(sys.executable).with_name("datagen"))
SPLITS = "splits={validation: 0.3, test: 0.3, keep_together: null, min_dialogues: 0}"
"""Shares that put a few dialogues into each split, though the dialogues of tests are much alike."""
PATIENCE_S = 120
STARTED: list[subprocess.Popen[bytes]] = []


def talk(*texts: str, id: object = None, **more: object) -> dict[str, object]:
    """A record of alternating turns, the user's first."""
    turns = [{"role": "assistant" if k % 2 else "user", "text": text} for k, text in enumerate(texts)]
    return {**({} if id is None else {"id": id}), "language": "en", "turns": turns, **more}


ANSWER = "Sure, the apples are red, and they grow on trees near the river."
"""A turn that the next one may interrupt."""


def talks(n: int, answer: str = ANSWER) -> list[dict[str, object]]:
    """Records `d0`, `d1`, ...; every third is a reject, for its second turn is code."""
    return [
        talk(
            f"Tell me about {k} apples please.",
            answer if k % 3 else "```x = 1```",
            "Are apples good?",
            "Yes.",
            id=f"d{k}",
        )
        for k in range(n)
    ]


def write(path: Path, records: list[object]) -> Path:
    """Write records, or lines given as bytes, as JSON Lines."""
    lines = (line if isinstance(line, bytes) else json.dumps(line).encode() for line in records)
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def fake(folder: Path, *overrides: str, records: list[object] | None = None, n: int = 6) -> Recipe:
    """The fake recipe on an input of its own, two records a unit, two tasks."""
    folder.mkdir(parents=True, exist_ok=True)
    path = write(folder / "in.jsonl", talks(n) if records is None else records)
    own = (f"input.paths=[{path}]", SPLITS, "run.unit_dialogues=2", "flatten.tasks=[asr, three_stream]")
    return make_recipe(*own, *overrides)


def made(folder: Path, *overrides: str, n_workers: int = 0, **source) -> tuple[Path, Manifest]:
    """A finished build in `folder/out`."""
    out = folder / "out"
    return out, build(fake(folder, *overrides, **source), str(out), n_workers)


def worker(recipe: Recipe, store: LocalStore) -> Worker:
    """A worker in this process, its build planned."""
    work = Pipeline(recipe)
    return Worker(work, plan_build(work, store), store)


def faults(out: Path, conversations: Path | None = None) -> list[str]:
    """What a check finds wrong."""
    return check(LocalStore(out), LocalStore(conversations) if conversations else None).faults


def read(out: Path, table: str) -> list[dict[str, object]]:
    """All rows of a table, in the manifest's order."""
    store = LocalStore(out)
    files = Manifest.load(store).files(table)
    return [row for file in files for row in from_parquet(store.read(file.key), file.key).to_pylist()]


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, markers without their time; one that vanishes while it is read was being written."""
    found = {}
    for file in sorted(folder.rglob("*")):
        with contextlib.suppress(FileNotFoundError, IsADirectoryError):
            found[file.relative_to(folder).as_posix()] = TIME.sub(b"", file.read_bytes())
    return found


def flip(file: Path, bit: int = 99) -> None:
    """Change a bit of a file, counted from its beginning and again from there behind its end."""
    data = bytearray(file.read_bytes())
    data[bit // 8 % len(data)] ^= 1 << bit % 8
    file.write_bytes(data)


class Forger:
    """Damages a finished output, and sets right and seals all that names it, so that only a deeper check finds it."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.store = LocalStore(out)
        self.values = json.loads((out / "manifest.json").read_bytes())
        self.files = list(Manifest.load(self.store).files())

    def keys(self, table: str, split: str = "") -> list[str]:
        return [file.key for file in self.files if file.table == table and split in ("", file.split)]

    def table(self, key: str) -> pa.Table:
        return self.table_of(self.out / key)

    @staticmethod
    def table_of(path: Path) -> pa.Table:
        return from_parquet(path.read_bytes(), path.name)

    def write(self, key: str, table: pa.Table, **metadata: object) -> None:
        """Put another table, or other metadata, into a file of the manifest, and set its entry right."""
        data = to_parquet(table, {**about(self.table(key)), **metadata})
        (self.out / key).write_bytes(data)
        n_tokens = sum(table.column("n_tokens").to_pylist()) if "n_tokens" in table.column_names else 0
        sha256 = hashlib.sha256(data).hexdigest()
        self.enter(key, n_bytes=len(data), sha256=sha256, n_rows=table.num_rows, n_tokens=n_tokens)

    def enter(self, key: str, **values: object) -> None:
        """Change a file's entry in the index."""
        self.files = [replace(file, **values) if file.key == key else file for file in self.files]

    def edit(self, key: str, change: Callable[[list[dict[str, object]]], object]) -> None:
        """Change the rows of a file in place; rejects stand in the metadata of conversations too."""
        table = self.table(key)
        rows = table.to_pylist()
        change(rows)
        self.write(key, pa.Table.from_pylist(rows, schema=table.schema))
        if key.startswith("rejects/"):
            beside = key.replace("rejects/", "conversations/")
            self.write(beside, self.table(beside), rejects=rows)

    def replan(self, **values: object) -> None:
        """Change the identity in plan and manifest, and name the new plan in every file."""
        plan = json.loads((self.out / "plan.json").read_bytes())
        plan["identity"].update(values)
        self.values.update(values)
        (self.out / "plan.json").write_bytes(document(plan, ascii=True))
        new = load_plan(self.store)
        for file in self.files:
            self.write(file.key, self.table(file.key), **new.header())
        for path, marker in self.markers():
            path.write_bytes(replace(marker, plan=new.seal).to_json())
        self.seal()

    def markers(self) -> list[tuple[Path, Marker]]:
        """Each marker with its path."""
        paths = sorted((self.out / "units").glob("*.json"))
        return [(path, Marker.from_json(path.read_bytes(), path.name)) for path in paths]

    def seal(self) -> None:
        """Set digests, sums and markers right, and write markers, index, card and manifest."""
        tally = Tally()
        for path, marker in self.markers():
            files = tuple(file for file in self.files if unit_of(file.key) == marker.unit)
            tables = [(file.table, self.table(file.key)) for file in files]
            found = {name: [r for n, t in tables if n == name for r in t.to_pylist()] for name in _DECIDING}
            marker = replace(
                marker,
                digest=digest.to_text(
                    digest.total(h for name, table in tables for h in digest.row_hashes(name, table))
                ),
                rejects=dict(Counter(f"{r['stage']}/{r['reason']}" for r in found["rejects"])),
                files=files,
            )
            if "from" not in self.values:  # or the conversations are elsewhere
                marker = replace(
                    marker,
                    n_records=sum(map(len, found.values())),
                    n_kept=len(found["conversations"]),
                    n_samples=sum(row["n_samples"] for row in found["conversations"]),
                )
            path.write_bytes(marker.to_json())
            tally.add(marker)
        self.values.update(
            digest=digest.to_text(tally.digest),
            rejects=dict(tally.rejects),
            hours=round(tally.hours(self.values["clock"]["sample_rate_hz"]), 4),
            tables=tally.tables,
        )
        self.publish()

    def publish(self) -> None:
        """Write markers, index, card and manifest as the entries of files and the values are."""
        for path, marker in self.markers():
            files = tuple(file for file in self.files if unit_of(file.key) == marker.unit)
            path.write_bytes(replace(marker, files=files).to_json())
        for path in (self.out / "index").iterdir():
            path.unlink()
        self.values["index"] = [asdict(write_part(self.store, 0, self.files))]
        self.write_manifest()

    def write_manifest(self) -> None:
        """Seal the manifest as it is, with the card of its values."""
        path = self.out / "manifest.json"
        path.write_bytes(document(self.values))
        with contextlib.suppress(DatagenError, ValidationError):  # values of which no card can be made
            self.store.replace("README.md", card(Manifest.load(self.store)).encode())
            self.store.replace("recipe.yaml", stored(self.values["recipe"]).to_yaml().encode())
            hashes = {key: hashlib.sha256((self.out / key).read_bytes()).hexdigest() for key in self.values["beside"]}
            path.write_bytes(document({**self.values, "beside": hashes}))


_DECIDING = ("conversations", "rejects")


# -- processes --------------------------------------------------------------------------------------------------


def command(recipe: Recipe, folder: Path, out: Path, n_workers: int) -> list[str]:
    """The command line of a build."""
    path = folder / "recipe.yaml"
    path.write_text(recipe.to_yaml(), "utf-8")
    return [DATAGEN, "build", str(path), "--out", str(out), "--workers", str(n_workers)]


def start(arguments: list[str], folder: Path, log: str = "log") -> subprocess.Popen[bytes]:
    """Run a command in a process group of its own; what it prints goes to `folder/log`."""
    with (folder / log).open("wb") as file:
        STARTED.append(subprocess.Popen(arguments, stdout=file, stderr=file, env=environment(), start_new_session=True))
    return STARTED[-1]


def end_all() -> None:
    """End what a failed test left running."""
    while STARTED:
        process = STARTED.pop()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def environment() -> dict[str, str]:
    """Ours, with the engines of tests importable."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def until(happened: Callable[[], object], process: subprocess.Popen[bytes] | None = None) -> None:
    """Wait until something happened; fail if it does not, or if the process ends before."""
    deadline = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline, "it never happened"
        assert process is None or process.poll() is None, "the process ended before"
        time.sleep(0.005)


def n_markers(out: Path) -> int:
    """Units done."""
    return len(list((out / "units").glob("*.json")))


def children(pid: int) -> list[int]:
    """Worker processes of a driver, forked or new, whichever of its threads started them."""
    pids = []
    for found in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            pids.extend(int(word) for word in found.read_text().split())
    driver = _command_line(pid)
    return [child for child in pids if (line := _command_line(child)) == driver or b"datagen.run.supervise" in line]


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    return bool(_command_line(pid))


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def markers_of(out: Path) -> Iterator[Marker]:
    """All markers of a build."""
    for path in sorted((out / "units").glob("*.json")):
        yield Marker.from_json(path.read_bytes(), path.name)
