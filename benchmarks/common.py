"""Helpers of the benchmarks: input, builds, medians, and one line per figure."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

from datagen import resources
from datagen.recipe import Recipe
from datagen.recipe import load as load_recipe
from datagen.records import Streams
from datagen.shards.manifest import Manifest
from datagen.shards.schema import streams_of
from datagen.shards.store import open_store
from datagen.shards.tables import from_parquet

QUICKSTART_DIALOGUES = 34
"""Number of English dialogues in the package."""
QUICKSTART_HOURS = 0.7
"""Conversation that they make, at least."""
DATAGEN = (sys.executable, "-c", "from datagen.cli import main; main()")
"""The command line, with this interpreter."""
_MISSED = "MISSED"

_NAMES = ("Anna", "Ben", "Clara", "David", "Emma", "Frank", "Grace", "Henry", "Julia", "Kevin", "Laura", "Martin")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_PARTS = ("morning", "afternoon", "evening", "night")


def show(name: str, value: float, unit: str = "", least: float | None = None, most: float | None = None) -> None:
    """Print a figure, and its target if it has one."""
    text = f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    line = f"{name:<58} {text:>12} {unit:<16}"
    if least is not None or most is not None:
        met = (least is None or value >= least) and (most is None or value <= most)
        target = f"target >= {least:,g}" if least is not None else f"target <= {most:,g}"
        line += f" {target:<20} {'met' if met else _MISSED}"
    print(line.rstrip(), flush=True)


def missed(line: str) -> bool:
    """True if a printed line reports a missed target."""
    return line.rstrip().endswith(_MISSED)


def seconds(run: Callable[[], object], times: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """Median of several runs, of wall time or by another clock."""
    found = []
    for _ in range(times):
        begin = clock()
        run()
        found.append(clock() - begin)
    return statistics.median(found)


def write_dialogues(file: Path, hours: float, which: slice = slice(None)) -> int:
    """Write at least `hours` of dialogues: the shipped ones, each time with another first sentence and other ids.

    Args:
        file: Where to.
        hours: Of conversation.
        which: Only these of the shipped dialogues.

    Returns:
        Number of dialogues in the file.
    """
    lines = (resources.directory("data") / "quickstart.jsonl").read_text("utf-8").splitlines()
    shipped = [json.loads(line) for line in lines[which]]
    hours *= sum(map(len, lines)) / sum(map(len, lines[which]))
    greetings = [f"Hi, it's {name} from {day} {part}." for part, day, name in product(_PARTS, _DAYS, _NAMES)]
    n_rounds = max(1, -(-int(hours * 1000) // int(QUICKSTART_HOURS * 1000)))
    if n_rounds > len(greetings):
        raise ValueError(f"at most {len(greetings) * QUICKSTART_HOURS:.0f} hours can be varied")
    with file.open("w", encoding="utf-8") as out:
        for k in range(n_rounds):
            for record in shipped:
                first, *others = record["turns"]
                turns = [{**first, "text": f"{greetings[k]} {first['text']}"}, *others]
                print(json.dumps({**record, "id": f"{record['id']}-{k}", "turns": turns}), file=out)
    return n_rounds * len(shipped)


def recipe_for(name: str, source: Path | None = None, *changes: str) -> Recipe:
    """A shipped recipe on English input, with changes."""
    paths = [f"input.paths={json.dumps([str(source)])}"] if source else []
    return load_recipe(name, ("select.languages=[en]", *paths, *changes))


def run_build(recipe: Recipe, out: Path, n_workers: int = 2) -> tuple[float, float]:
    """Run `datagen build` as a user does.

    Returns:
        Wall and CPU seconds of the whole command, all its processes included.
    """
    file = out.with_suffix(".yaml")
    file.write_text(recipe.to_yaml(), "utf-8")
    return run_command("build", str(file), "--out", str(out), "--workers", str(n_workers))


def run_command(*arguments: str) -> tuple[float, float]:
    """Run `datagen` with arguments; gives wall and CPU seconds."""
    before, begin = os.times(), time.perf_counter()
    done = subprocess.run([*DATAGEN, *arguments], capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - begin, os.times()
    if done.returncode:
        raise SystemExit(f"datagen {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
    return wall, after.children_user - before.children_user + after.children_system - before.children_system


def read_streams(out: Path, columns: Sequence[str] | None = None) -> list[Streams]:
    """All conversations of a finished build."""
    store = open_store(str(out))
    files = Manifest.load(store).files("conversations")
    wanted = list(columns) if columns else None
    return [s for file in files for s in streams_of(from_parquet(store.read(file.key), file.key, wanted))]


class Stopwatch:
    """Seconds by name, of functions that do not call each other."""

    def __init__(self) -> None:
        """Start at nothing."""
        self.seconds: dict[str, float] = {}

    def add(self, name: str, run: Callable[..., object]) -> Callable[..., object]:
        """Wrap a function so that its time counts as `name`."""

        def timed(*args: object, **options: object) -> object:
            begin = time.perf_counter()
            try:
                return run(*args, **options)
            finally:
                self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begin

        return timed

    def watch(self, name: str, owner: object, attribute: str) -> None:
        """Count all further calls of `owner.attribute` as `name`."""
        setattr(owner, attribute, self.add(name, getattr(owner, attribute)))

    def show(self, total: float) -> None:
        """Print each name with its share of `total` seconds, the largest first, and what is left."""
        rest = total - sum(self.seconds.values())
        for name, value in sorted([*self.seconds.items(), ("everything else", rest)], key=lambda item: -item[1]):
            print(f"  {name:<24} {value:8.3f} s {value / total:7.1%}", flush=True)
