"""A whole build on two cores against the compute of its engines alone on the same two cores.

Ideal: the same utterances through the voice and the same audio through the speech tokenizer, in two
processes that do nothing else, engines loaded. Efficiency = ideal / wall time of `datagen build`,
all of it from the start of the interpreter to the manifest. Build and ideal are run in turn, so
that both see the same machine.
"""

import argparse
import statistics
import time
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from common import Stopwatch, recipe_for, run_build, show, write_dialogues
from threadpoolctl import threadpool_limits

from datagen import seeds
from datagen.pipeline.pipeline import Pipeline
from datagen.pipeline.step import PipelineStage, apply
from datagen.recipe import Recipe
from datagen.records import Conversation, Takes
from datagen.run import commit, unit_files
from datagen.run.commit import commit_unit
from datagen.run.machine import keep_freed_memory
from datagen.shards import digest
from datagen.shards.plan import PlannedInput, load_plan
from datagen.shards.store import open_store
from datagen.shards.tables import TableFile

_N_WORKERS = 2
_TO_TAKES = ("select", "script", "speak")
_work: tuple[Pipeline, PlannedInput, dict[str, PipelineStage[Any, Any]]] | None = None


@dataclass(frozen=True)
class Compute:
    """Time of the engines for a unit, in seconds of one process."""

    voice: float
    tokenizer: float
    cpu: float
    heard: float
    """Speech made by the voice."""
    talked: float
    """Conversation encoded by the tokenizer."""


def open_work(recipe: Recipe, out: str) -> None:
    """Load engines and speak once, so that nothing is left to load."""
    global _work
    threadpool_limits(1)
    keep_freed_memory()  # as a worker does, so that the ideal has no handicap
    store = open_store(out)
    plan = load_plan(store)
    if plan is None:
        raise SystemExit(f"{out} holds no plan")
    build = Pipeline(recipe)
    for voice in build.tts.voices:
        build.tts.speak("Everything is ready now.", voice, 0)
    stages = {step.name: step.make() for step in build.steps()}
    _work = build, PlannedInput(plan, store), stages


def through(stages: dict[str, PipelineStage[Any, Any]], item: Any, *names: str) -> Any:
    """An item after some stages."""
    for name in names:
        item = apply(name, stages[name], item)
    return item


def compute_unit(unit: int) -> Compute:
    """Run a unit's utterances and audio through the engines alone; what happens in between is not timed."""
    if _work is None:
        raise RuntimeError("the process was not opened")
    build, planned, stages = _work
    made = [takes for record in planned.unit(unit) if isinstance(takes := through(stages, record, *_TO_TAKES), Takes)]
    wanted = [
        (
            take.utterance.spoken,
            take.utterance.voice,
            seeds.seed32(build.recipe.seed, takes.script.dialogue.id, "speak", index, attempt),
        )
        for takes in made
        for index, take in enumerate(takes.takes)
        for attempt in range(take.attempt + 1)
    ]
    begin, begin_cpu = time.perf_counter(), time.process_time()
    n_heard = sum(len(build.tts.speak(text, voice, seed).audio) for text, voice, seed in wanted)
    voice_seconds, voice_cpu = time.perf_counter() - begin, time.process_time() - begin_cpu
    mixed = [through(stages, takes, "place", "mix") for takes in made]
    channels = [channel for talk in mixed if isinstance(talk, Conversation) for channel in talk.audio]
    begin, begin_cpu = time.perf_counter(), time.process_time()
    for channel in channels:
        build.speech_tokenizer.encode(channel)
    tokenizer_seconds, tokenizer_cpu = time.perf_counter() - begin, time.process_time() - begin_cpu
    rate = build.recipe.sample_rate_hz
    talked = sum(map(len, channels)) / 2 / rate
    return Compute(
        voice_seconds, tokenizer_seconds, voice_cpu + tokenizer_cpu, n_heard / build.tts.sample_rate_hz, talked
    )


def ideal(recipe: Recipe, out: Path, n_units: int) -> Compute:
    """The compute of all units in two processes; seconds as if both had ended together."""
    with get_context("spawn").Pool(_N_WORKERS, open_work, (recipe, str(out))) as pool:
        parts = pool.map(compute_unit, range(n_units), chunksize=1)
    sums = {name: sum(getattr(part, name) for part in parts) for name in Compute.__dataclass_fields__}
    return Compute(
        sums["voice"] / _N_WORKERS, sums["tokenizer"] / _N_WORKERS, sums["cpu"], sums["heard"], sums["talked"]
    )


def profile(recipe: Recipe, planned_in: Path, out: Path, n_units: int) -> None:
    """Run units in this process and tell what each stage took."""
    open_work(recipe, str(planned_in))
    if _work is None:
        raise RuntimeError("the process was not opened")
    build, planned, stages = _work
    plan, store, watch = load_plan(open_store(str(planned_in))), open_store(str(out)), Stopwatch()
    if plan is None:
        raise RuntimeError("no plan")
    flatten, head = build.flatten(), plan.header()
    timed = {name: watch.add(name, stage) for name, stage in stages.items()}
    watch.watch("digest", digest, "row_hashes")
    watch.watch("tables", commit, "conversations_table")
    watch.watch("tables", unit_files, "rows_table")
    watch.watch("parquet", TableFile, "add")
    watch.watch("parquet", TableFile, "end")
    watch.watch("create and sync", store, "create")
    begin = time.perf_counter()
    for unit in range(n_units):
        done = []
        for record in planned.unit(unit):
            item: Any = record
            for name, stage in timed.items():
                item = apply(name, stage, item)  # type: ignore[arg-type]
            done.append(item)
        commit_unit(store, unit, done, watch.add("flatten", flatten), head)  # type: ignore[arg-type]
    total = time.perf_counter() - begin
    print(f"one worker, {n_units} units, engines loaded:")
    watch.show(total)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--hours", type=float, default=6, help="conversation to build; much, so that start-up is little"
    )
    parser.add_argument("--rounds", type=int, default=3, help="times that build and ideal are run in turn")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        source = Path(folder, "dialogues.jsonl")
        n_dialogues = write_dialogues(source, options.hours)
        recipe = recipe_for("omniflatten", source)
        n_units = -(-n_dialogues // recipe.run.unit_dialogues)
        small = recipe_for("omniflatten", source, "input.limit=2", "run.unit_dialogues=1")
        start_up = run_build(small, Path(folder, "small"), _N_WORKERS)[0]
        rounds = []
        for k in range(options.rounds):
            out = Path(folder, f"build-{k}")
            rounds.append((run_build(recipe, out, _N_WORKERS), ideal(recipe, out, n_units)))
        talked = rounds[0][1].talked
        print(
            f"{n_dialogues} dialogues, {talked / 3600:.2f} hours of conversation, {n_units} units, {_N_WORKERS} workers"
        )

        def median(values: list[float]) -> float:
            return statistics.median(values)

        computes = [compute for _, compute in rounds]
        show(
            "efficiency: engines alone / whole build, wall",
            median([(c.voice + c.tokenizer) / wall for (wall, _), c in rounds]),
            least=0.95,
        )
        steady = [(c.voice + c.tokenizer) / (wall - start_up) for (wall, _), c in rounds]
        show("efficiency without start-up", median(steady))
        show("efficiency by CPU time", median([c.cpu / cpu for (_, cpu), c in rounds]))
        show("whole build", median([c.talked / wall for (wall, _), c in rounds]), "x realtime", least=400)
        show("voice alone, speech made", median([c.heard / c.voice for c in computes]), "x realtime")
        show("voice alone, per second of conversation", median([c.talked / c.voice for c in computes]), "x realtime")
        show("tokenizer alone, both channels", median([c.talked / c.tokenizer for c in computes]), "x realtime")
        show("start-up: a build of two dialogues", start_up, "s")
        profile(recipe, Path(folder, "build-0"), Path(folder, "profile"), min(n_units, 4))


if __name__ == "__main__":
    main()
