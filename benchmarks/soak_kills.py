"""Kills at random and at chosen instants, in builds, exports, flattenings, authoring runs and feeds."""

import contextlib
import hashlib
import json
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from common import recipe_for
from soak_orders import Order
from soak_processes import Forked, apart, leftovers, rehearse, serving

from datagen.authoring.author import SUMMARY
from datagen.cli import main as datagen
from datagen.recipe import Recipe
from datagen.recipe import load as load_recipe
from datagen.run.build import build
from datagen.run.check import check
from datagen.run.reflatten import reflatten
from datagen.shards.manifest import MANIFEST, Manifest
from datagen.shards.store import LocalStore
from datagen.shards.tables import from_parquet
from tests.run.builds import children, fake, made, talk, talks, tree, write

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGSTOP)
_VICTIMS = ("driver", "worker", "worker", "both", "group")
_ALONE = ("driver", "group")
"""Of work in a single process."""
_POLL_S = 0.002
_LONGEST_STOP_S = 0.3
_SCRATCH = ".writing"
_LONG_AGO_S = 7 * 24 * 3600
_FORMATS = ("moshi", "shar", "datasets")
_MOST_ODD = 5
"""Unexpected ends after which a round is given up."""
BATCHES = "batches"
"""File beside a feed's cache with a hash of what it gave."""
KEY = "TEST_LLM_KEY"


@dataclass(frozen=True)
class Job:
    """Work that may be killed at any instant and run again."""

    run: Callable[[Path, Path], None]
    """Do the work in the folder of a round, with what is shared in the base; called in a child."""
    judge: Callable[[Path, Path], list[str]]
    """Faults of a finished round's output, apart from its bytes."""
    pause_s: float
    """Longest wait before a kill."""
    n_changes: int
    """Largest number of the change of files before which a process kills itself."""
    n_workers: int = 0
    prepare: Callable[[Path], None] = lambda _: None
    """Fill the base; called once in a child."""
    around: Callable[[Path], "contextlib.AbstractContextManager[tuple[int, ...]]"] = lambda _: contextlib.nullcontext(
        ()
    )
    """Servers for the whole campaign; yields their process ids."""
    armed: bool = True
    """True if processes may also kill themselves at chosen changes."""


@dataclass
class Round:
    """The result of one build, export or other work that was killed again and again."""

    blows: Counter[str] = field(default_factory=Counter)
    """Kills by victim, signal and instant."""
    digest: str = ""
    faults: list[str] = field(default_factory=list)

    @property
    def n(self) -> int:
        """Number of kills."""
        return self.blows.total()


# -- a storm
# ---------------------------------------------------------------


class Storm:
    """Kills of one work until it ends, or enough is killed."""

    def __init__(self, job: Job, base: Path, folder: Path, chance: random.Random) -> None:
        """A storm in the folder of a round."""
        self._job, self._base, self._folder, self._chance = job, base, folder, chance
        self._out = folder / "out"
        self._orders, self._n_orders, self._n_odd = base / "orders", 0, 0
        self.round = Round()

    def rage(self, n_most: int, deadline: float) -> None:
        """Kill until the work has ended, `n_most` kills are done, or time is up."""
        run: Forked | None = None
        while self.round.n < n_most and time.monotonic() < deadline and self._n_odd < _MOST_ODD:
            if run is None:
                run = self._start(self._order() if self._job.armed and self._chance.random() < 0.5 else None)
            if self._pause(run):
                if run.code == 0:
                    break
                self._count_end(run)
                run = None
            elif not self._waits:
                run = self._strike(run)
        if run is not None:
            run.kill()
        self._count_orders()
        shutdown = leftovers(self._spared)
        self.round.faults += [f"a process survives its driver: {name}" for name in shutdown]

    def settle(self) -> None:
        """Run the work to its end, with scratch old enough to be swept."""
        _age(self._out)
        for file in self._orders.glob("*.json"):
            file.unlink()
        run = self._start(None)
        if not run.wait(600) or run.code:
            self.round.faults.append(f"the last run ended with {run.code}: {run.said()}")
            run.kill()
        self.round.faults += [f"a process survives the end: {name}" for name in leftovers(self._spared)]

    _spared: tuple[int, ...] = ()
    _ordered: Order | None = None
    """The order of the driver, if it has one."""

    @property
    def _waits(self) -> bool:
        """True if the driver is to obey before it is struck. One with workers makes few changes itself."""
        return self._ordered is not None and not self._job.n_workers

    def spare(self, pids: tuple[int, ...]) -> "Storm":
        """Servers that are to run on."""
        self._spared = pids
        return self

    def _order(self) -> Order:
        return Order(self._chance.randint(1, self._job.n_changes), self._chance.choice(SIGNALS[:4]))

    def _start(self, order: Order | None) -> Forked:
        self._count_orders()
        if order and self._job.n_workers and self._chance.random() < 0.7:
            self._write_order(order)
            order = None
        self._ordered = order
        return Forked(partial(_drive, self._job, self._base, self._folder, order), self._folder / "log")

    def _write_order(self, order: Order) -> None:
        self._orders.mkdir(exist_ok=True)
        self._n_orders += 1
        values = {"nth": order.nth, "signal": order.signal, "below": str(self._out)}
        (self._orders / f"{self._n_orders}-{signal.Signals(order.signal).name}.json").write_text(json.dumps(values))

    def _count_orders(self) -> None:
        """Count the orders that workers have obeyed."""
        for fired in self._orders.glob("*.fired"):
            self.round.blows[f"worker {fired.stem.split('-')[1]} at a change"] += 1
            fired.unlink()

    def _pause(self, run: Forked) -> bool:
        """Wait a while; True if the driver ended by itself."""
        pause_s = 60.0 if self._waits else self._chance.uniform(0, self._job.pause_s)
        deadline = time.monotonic() + pause_s
        while not run.ended():
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_S)
        return True

    def _count_end(self, run: Forked) -> None:
        order = self._ordered
        if order and run.code in _codes(order.signal):
            self.round.blows[f"driver {signal.Signals(order.signal).name} at a change"] += 1
        else:
            self._n_odd += 1
            self.round.faults.append(f"a driver that nobody killed ended with {run.code}: {run.said()}")

    def _strike(self, run: Forked) -> Forked | None:
        """Kill something; returns the driver if it still works."""
        victims = _VICTIMS if self._job.n_workers else _ALONE
        number, victim = self._chance.choice(SIGNALS), self._chance.choice(victims)
        workers = children(run.pid)
        self._chance.shuffle(workers)
        pids = workers[:1] if victim == "worker" else [*workers[: victim == "both"], run.pid]
        if not pids:
            return run  # no worker yet
        for pid in pids:
            _send(pid, number, victim == "group")
        if number == signal.SIGSTOP:
            time.sleep(self._chance.uniform(0, _LONGEST_STOP_S))
            for pid in pids:
                _send(pid, signal.SIGCONT, victim == "group")
        self.round.blows[f"{victim} {signal.Signals(number).name}"] += 1
        if victim == "worker" or number == signal.SIGSTOP:
            return run
        if not run.wait():
            self.round.faults.append(f"a driver does not end on {signal.Signals(number).name}: {run.said()}")
            run.kill()
        elif run.code not in (0, *_codes(number), *(_codes(self._ordered.signal) if self._ordered else ())):
            self.round.faults.append(f"{signal.Signals(number).name} ends a driver with {run.code}: {run.said()}")
        return None


def _drive(job: Job, base: Path, folder: Path, order: Order | None) -> None:
    """The life of a driver."""
    if order:
        order.arm(folder)
    job.run(base, folder)


def _send(pid: int, number: int, group: bool) -> None:
    with contextlib.suppress(ProcessLookupError):
        (os.killpg if group else os.kill)(pid, number)


def _codes(number: int) -> tuple[int, ...]:
    """Exit statuses of a process that a signal ended.

    >>> _codes(signal.SIGINT)
    (-2, 130)
    """
    return -number, 128 + number


def _age(out: Path) -> None:
    """Make all scratch so old that the next run sweeps it."""
    for path in [*out.glob(f"{_SCRATCH}/**/*"), *out.glob(".*")]:
        with contextlib.suppress(FileNotFoundError):
            then = path.stat().st_mtime - _LONG_AGO_S
            os.utime(path, (then, then))


# -- what is left and whether it is what an undisturbed run leaves
# ---------------------------------------------------------------


def contents(out: Path) -> dict[str, str]:
    """Hash of every file but scratch."""
    found = {key: hashlib.sha256(data).hexdigest() for key, data in tree(out).items()}
    return {key: sha256 for key, sha256 in found.items() if not key.startswith(f"{_SCRATCH}/")}


def summary(files: dict[str, str]) -> str:
    """One hash of many."""
    return hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()[:32]


def differences(found: dict[str, str], wanted: dict[str, str]) -> list[str]:
    """Files that should not be there, are missing, or differ, at most three of each.

    >>> differences({"a": "1", "b": "2"}, {"b": "3", "c": "4"})
    ['too much: a', 'missing: c', 'different: b']
    """
    kinds = {
        "too much": sorted(found.keys() - wanted.keys()),
        "missing": sorted(wanted.keys() - found.keys()),
        "different": sorted(key for key in found.keys() & wanted.keys() if found[key] != wanted[key]),
    }
    return [f"{kind}: {key}" for kind, keys in kinds.items() for key in keys[:3]]


def scratch(out: Path) -> list[str]:
    """Partly written files that nobody has swept."""
    return [f"scratch is left: {file.relative_to(out)}" for file in out.glob(f"{_SCRATCH}/**/*") if file.is_file()][:3]


def build_faults(out: Path) -> list[str]:
    """Faults of a build: those of the check, and rows that are there twice."""
    store, seen = LocalStore(out), Counter[tuple[str, object]]()
    for file in Manifest.load(store).files():
        table = from_parquet(store.read(file.key), file.key)
        name = {"rejects": "record", "conversations": "dialogue_id"}.get(file.table, "row_id")
        seen.update((file.table, value) for value in table.column(name).to_pylist())
    doubled = [f"{table} has {value!r} {n} times" for (table, value), n in seen.items() if n > 1]
    return [f"check: {fault}" for fault in check(store).faults[:3]] + doubled[:3]


def _looked_at(job: Job, base: Path, folder: Path) -> tuple[dict[str, str], list[str], str]:
    out = folder / "out"
    manifest, batches, files = out / MANIFEST, folder / BATCHES, contents(out)
    if manifest.exists():
        digest = str(json.loads(manifest.read_bytes())["digest"])
    else:
        digest = batches.read_text() if batches.exists() else summary(files)
    return files, scratch(out) + job.judge(base, folder), digest


def _here(base: Path, folder: Path) -> Path:
    """A link to a folder by the same name for all rounds, because some exports hold absolute paths."""
    link = base / "here"
    link.unlink(missing_ok=True)
    link.symlink_to(folder)
    return link


class Kills:
    """A campaign of kills over one kind of work."""

    unit = "kills"

    def __init__(self, job: Job, base: Path) -> None:
        """A campaign in a base folder; makes what an undisturbed run gives."""
        self._job, self._base, self._stack = job, base, contextlib.ExitStack()
        self.spared = self._stack.enter_context(job.around(base))
        clean = base / "clean"
        clean.mkdir()
        apart(base / "log", job.prepare, base)
        rehearse(base / "log", job.run, base, _here(base, clean))
        self._wanted, faults, self._digest = apart(base / "log", _looked_at, job, base, clean)
        if faults:
            raise SystemExit(f"an undisturbed run has faults: {faults}")

    def round(self, folder: Path, chance: random.Random, n_most: int, deadline: float) -> Round:
        """Kill one work until it ends, then compare."""
        storm = Storm(self._job, self._base, _here(self._base, folder), chance).spare(self.spared)
        storm.rage(n_most, deadline)
        storm.settle()
        found = storm.round
        files, faults, found.digest = apart(folder / "log", _looked_at, self._job, self._base, folder)
        found.faults += faults + differences(files, self._wanted)
        if found.digest != self._digest:
            found.faults.append(f"digest is {found.digest}, of an undisturbed run {self._digest}")
        return found

    def close(self) -> None:
        """End the servers."""
        self._stack.close()


# -- kinds of work
# ---------------------------------------------------------------


def _command(*arguments: object) -> None:
    """The command line, in this process."""
    sys.argv = ["datagen", *map(str, arguments)]
    datagen()


def _recipe(base: Path, *changes: str, n: int) -> Recipe:
    return fake(base, "run.unit_dialogues=1", "limits.attempts=20", "takes.keep=true", *changes, n=n)


def _keep(base: Path, recipe: Recipe) -> None:
    (base / "recipe.yaml").write_text(recipe.to_yaml(), "utf-8")


def _plain_recipe(base: Path) -> None:
    _keep(base, _recipe(base, n=30))


def _build_here(base: Path, folder: Path) -> None:
    build(load_recipe(str(base / "recipe.yaml")), str(folder / "out"))


def _armed_recipe(base: Path) -> None:
    voice = f"engines.tts={{name: 'soak_orders:Armed', options: {{orders: '{base / 'orders'}'}}}}"
    _keep(base, _recipe(base, voice, n=180))


def _spoken_recipe(base: Path) -> None:
    """Short dialogues in the embedded voice."""
    source = write(base / "in.jsonl", [talk(f"Is room {k} free?", "Yes, take it.", id=f"d{k}") for k in range(6)])
    changes = ("takes.keep=true", "run.unit_dialogues=1", "limits.attempts=20", "flatten.tasks=[asr, three_stream]")
    _keep(base, recipe_for("omniflatten", source, *changes))


def _build_command(n_workers: int, base: Path, folder: Path) -> None:
    _command("build", base / "recipe.yaml", "--out", folder / "out", "--workers", n_workers)


def _build_judge(_: Path, folder: Path) -> list[str]:
    return build_faults(folder / "out")


def _source_with_sound(base: Path) -> None:
    made(base / "source", "mix.keep_audio=true", "run.unit_dialogues=2", n=18)


def _export(format: str, base: Path, folder: Path) -> None:
    _command("export", base / "source" / "out", "--to", folder / "out", "--format", format)


def _source_to_flatten(base: Path) -> None:
    made(base / "source", "run.unit_dialogues=128", "flatten.tasks=[three_stream]", n=768)


def _flatten_command(base: Path, folder: Path) -> None:
    source = base / "source" / "out"
    _command("flatten", source, "--out", folder / "out", "--chunk", "5/1", "--workers", 1)


def _flatten_here(base: Path, folder: Path) -> None:
    reflatten(str(base / "source" / "out"), str(folder / "out"), {"speech_chunk_tokens": 5, "text_chunk_tokens": 1})


def _source_to_feed(base: Path) -> None:
    made(base / "source", "run.unit_dialogues=1", "splits={validation: 0, test: 0}", records=talks(60, "Sure, red."))


def _feed(base: Path, folder: Path) -> None:
    """One epoch; a hash of its batches lies beside the cache."""
    import torch

    from datagen.feed import Feed, Stage

    torch.set_num_threads(1)
    stage = Stage("soak", {"three_stream": 1}, 2048, 2)
    hashed = hashlib.sha256()
    for batch in Feed(str(base / "source" / "out"), stage, epochs=1, cache=str(folder / "out")):
        hashed.update(batch.inputs["input_ids"].numpy().tobytes())
    LocalStore(folder).replace(BATCHES, hashed.hexdigest().encode())


_AUTHORING = """
name: soak
input: {{topics: "{topics}"}}
tasks: [dialogue, spoken, script, judge]
unit_records: 1
dialogues: {{min_turns: 2}}
llm: {{model: writer, base_url: "{url}", api_key_env: {key}, concurrency: 2}}
"""


def _serve_model(tell: Callable[[str], None]) -> None:
    from tests.authoring import model
    from tests.authoring.server import serving as fake_model

    with fake_model(model.answer) as server:
        tell(server.url)
        threading.Event().wait()


@contextmanager
def _with_fake_model(base: Path) -> Iterator[tuple[int, ...]]:
    """The fake language model of the tests, and a recipe that names it."""
    import openai  # noqa: F401  (imported before forks)

    from tests.authoring.server import KEY as SECRET

    os.environ.update({KEY: SECRET, "NO_PROXY": "127.0.0.1"})
    topics = base / "topics.txt"
    topics.write_text("\n".join(f"a story of {k} ducks" for k in range(30)) + "\n", "utf-8")
    with serving(base / "server.log", _serve_model) as (url, pid):
        (base / "recipe.yaml").write_text(_AUTHORING.format(topics=topics, url=url, key=KEY), "utf-8")
        yield (pid,)


def _write(base: Path, folder: Path) -> None:
    _command("write", base / "recipe.yaml", "--out", folder / "out")


def _write_judge(_: Path, folder: Path) -> list[str]:
    """Dialogues that are there twice."""
    lines = [line for file in (folder / "out" / "dialogues").glob("*") for line in file.read_bytes().splitlines()]
    ids = Counter(json.loads(line)["id"] for line in lines)
    known = json.loads((folder / "out" / SUMMARY).read_bytes())
    short = [] if len(lines) == known["n_kept"] else [f"{len(lines)} dialogues, the summary says {known['n_kept']}"]
    return [f"dialogue {name!r} {n} times" for name, n in ids.items() if n > 1] + short


def _nothing(base: Path, folder: Path) -> list[str]:  # noqa: ARG001
    return []


JOBS: dict[str, tuple[float, Job]] = {
    "build": (0.40, Job(_build_here, _build_judge, 0.5, 40, 0, _plain_recipe)),
    "workers": (0.26, Job(partial(_build_command, 2), _build_judge, 1.2, 20, 2, _armed_recipe)),
    "voice": (0.04, Job(partial(_build_command, 1), _build_judge, 5.0, 20, 1, _spoken_recipe, armed=False)),
    **{
        f"export_{name}": (0.03, Job(partial(_export, name), _nothing, 0.5, 30, 0, _source_with_sound))
        for name in _FORMATS
    },
    "flatten": (0.05, Job(_flatten_here, _build_judge, 0.5, 30, 0, _source_to_flatten)),
    "flatten_workers": (0.03, Job(_flatten_command, _build_judge, 1.2, 30, 1, _source_to_flatten, armed=False)),
    "authoring": (0.08, Job(_write, _write_judge, 0.6, 40, 0, around=_with_fake_model)),
    "feed_cache": (0.05, Job(_feed, _nothing, 0.1, 30, 0, _source_to_feed)),
}
"""Share of all kills, and the work."""


def campaign(name: str, base: Path) -> Kills:
    """The campaign of a kind of work."""
    return Kills(JOBS[name][1], base)
