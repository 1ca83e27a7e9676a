"""`datagen flatten` of 100 hours of conversation with another chunk size, on two cores.

The conversations are those of a real build, repeated under new ids and written by the package's own
functions as a finished build: plan, units, markers, manifest.
"""

import argparse
import statistics
import time
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory

from common import Stopwatch, read_streams, recipe_for, run_build, run_command, show

from datagen.pipeline.splits import split_of
from datagen.recipe import Recipe
from datagen.records import Streams
from datagen.run import unit_files
from datagen.run.commit import commit_rows, commit_unit
from datagen.run.finish import finish
from datagen.run.reflatten import NEEDED, flattener
from datagen.shards import digest
from datagen.shards.manifest import Manifest
from datagen.shards.plan import PLAN, Plan, load_plan
from datagen.shards.schema import streams_of
from datagen.shards.store import open_store
from datagen.shards.tables import TableFile, from_parquet
from datagen.shards.unit import data_key

_UNIT_DIALOGUES = 32


def write_build(real: Path, out: Path, hours: float) -> int:
    """Write a finished build that holds the conversations of a real one over and over.

    Returns:
        Its number of units.
    """
    streams = read_streams(real)
    old = Manifest.load(open_store(str(real)))
    n_talks = round(hours / old.hours * len(streams))
    recipe = {**old.recipe, "run": {"unit_dialogues": _UNIT_DIALOGUES}}
    plan = Plan(replace(old.identity, recipe=recipe), n_talks, _UNIT_DIALOGUES, ())
    store = open_store(str(out))
    store.create(PLAN, plan.to_json())
    talks = islice(cycle(streams), n_talks)
    flatten, head, splits = flattener(plan.identity), plan.header(), Recipe.model_validate(recipe).splits
    for unit in range(plan.n_units):
        batch: list[Streams] = []
        for stream in islice(talks, _UNIT_DIALOGUES):
            record = unit * _UNIT_DIALOGUES + len(batch)
            name = f"{stream.dialogue_id}-{record}"
            named = replace(stream, dialogue_id=name, record=record, split=split_of(name, splits), audio_flac=None)
            batch.append(named)
        commit_unit(store, unit, batch, flatten, head)
    finish(store, plan)
    return plan.n_units


def profile(source: Path, out: Path, units: int) -> None:
    """Do the work of one worker on some units, part by part."""
    old, store, watch = open_store(str(source)), open_store(str(out)), Stopwatch()
    plan = load_plan(old)
    if plan is None:
        raise RuntimeError("no plan")
    flatten, head = watch.add("flatten", flattener(plan.identity)), plan.header()
    read, parse, to_streams = (
        watch.add(name, run)
        for name, run in (("read file", old.read), ("parse parquet", from_parquet), ("table to records", streams_of))
    )
    watch.watch("digest", digest, "row_hashes")
    watch.watch("rows to table", unit_files, "rows_table")
    watch.watch("parquet", TableFile, "add")
    watch.watch("parquet", TableFile, "end")
    watch.watch("create and sync", store, "create")
    begin = time.perf_counter()
    for unit in range(units):
        key = data_key("conversations", unit)
        commit_rows(store, unit, [to_streams(parse(read(key), key, NEEDED))], flatten, head)  # type: ignore[arg-type]
    print(f"one worker, {units} units:")
    watch.show(time.perf_counter() - begin)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=100, help="conversation to flatten")
    parser.add_argument("--rounds", type=int, default=3, help="runs of which the median is shown")
    parser.add_argument("--build", type=Path, help="take conversations from this finished build")
    options = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name)
        real, source = options.build or folder / "real", folder / "source"
        if not options.build:
            run_build(recipe_for("omniflatten", None, 'input.paths=["package:quickstart.jsonl"]'), real)
        n_units = write_build(real, source, options.hours)
        manifest = Manifest.load(open_store(str(source)))
        print(f"{manifest.hours:.1f} hours, {manifest.n_conversations} conversations, {n_units} units")
        walls = []
        for k in range(options.rounds):
            out = folder / f"flat-{k}"
            walls.append(run_command("flatten", str(source), "--out", str(out), "--chunk", "5/1", "--workers", "2")[0])
        made = Manifest.load(open_store(str(out))).tables
        n_tokens = sum(split.n_tokens for task in made.values() for split in task.values())
        wall = statistics.median(walls)
        show(f"flatten {options.hours:g} hours anew, 2 cores", wall, "s", most=20 * options.hours / 100)
        show("conversation", manifest.hours * 3600 / wall, "x realtime")
        show("tokens of five tasks", n_tokens / wall / 1e6, "M tokens/s")
        profile(source, folder / "profile", min(40, n_units))


if __name__ == "__main__":
    main()
