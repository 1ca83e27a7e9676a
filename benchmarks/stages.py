"""Each stage by itself on one core, on takes, conversations and streams made before the clock starts."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from common import recipe_for, seconds, show, write_dialogues
from threadpoolctl import threadpool_limits

from datagen import sources
from datagen.engines.noise.noise import GeneratedNoise
from datagen.pipeline.pipeline import Pipeline
from datagen.records import Conversation, Dialogue, Reject, Streams, Take, Takes, Timeline
from datagen.run.commit import commit_unit
from datagen.run.machine import keep_freed_memory
from datagen.run.unit_files import row_tables
from datagen.shards.identity import json_values
from datagen.shards.store import LocalStore
from datagen.shards.tables import to_parquet
from datagen.text import to_spoken

_USERS = ("heart-f1", "heart-f4", "heart-m1", "heart-m6")


def read_dialogues(folder: Path, hours: float) -> list[Dialogue]:
    """Dialogues worth some hours of conversation."""
    file = folder / "dialogues.jsonl"
    write_dialogues(file, hours)
    found = sources.read((str(file),), "auto", split="train", limit=None, max_record_bytes=1 << 20)
    return [record for record in found if isinstance(record, Dialogue)]


def stages_of(build: Pipeline) -> dict[str, object]:
    """Stages by name."""
    return {step.name: step.make() for step in build.steps()}


def run_stage(stage: object, batch: Sequence[object]) -> list[object]:
    """Run a stage and make sure that nothing was rejected."""
    results = [stage(item) for item in batch]  # type: ignore[operator]
    faults = [result for result in results if isinstance(result, Reject)]
    if faults:
        raise SystemExit(f"rejected: {faults[0]}")
    return results


def text(build: Pipeline, dialogues: list[Dialogue], times: int) -> None:
    """Selecting, and making spoken text."""
    select = stages_of(build)["select"]
    turns = [turn.text for dialogue in dialogues for turn in dialogue.turns]

    def speak_all() -> None:
        for turn in turns:
            to_spoken(turn, "en")

    speak_all()
    show("select", len(dialogues) / seconds(lambda: run_stage(select, dialogues), times), "dialogues/s")
    show("text normalization", len(dialogues) / seconds(speak_all, times), "dialogues/s")


def voices(build: Pipeline, scripts: Sequence[object], times: int) -> None:
    """The voice engine, same texts for every voice."""
    texts = [u.spoken for script in scripts[:8] for u in script.utterances]  # type: ignore[attr-defined]
    n_samples = 0

    def speak(voice: str) -> None:
        nonlocal n_samples
        n_samples = sum(len(build.tts.speak(spoken, voice, 0).audio) for spoken in texts)

    for names in (("heart",), _USERS):
        speeds = []
        for voice in names:
            speak(voice)
            took = seconds(lambda voice=voice: speak(voice), times)  # type: ignore[misc]
            speeds.append(n_samples / build.tts.sample_rate_hz / took)
        show(
            f"voice, {names[0] if len(names) == 1 else f'{len(names)} user voices'}",
            sum(speeds) / len(speeds),
            "x realtime",
        )


def long_takes(takes: Sequence[Takes], build: Pipeline, length_s: int) -> Takes:
    """Takes of several dialogues as one conversation of about `length_s`."""
    found = list[Take]()
    rate, n_samples = build.recipe.sample_rate_hz, 0
    for part in takes:
        for take in part.takes:
            found.append(take)
            n_samples += len(take.audio) + take.utterance.offset_samples
        if n_samples >= length_s * rate:
            break
    script = type(takes[0].script)(takes[0].script.dialogue, "train", tuple(take.utterance for take in found))
    return Takes(script, tuple(found), takes[0].babble, takes[0].other_talkers)


def audio(build: Pipeline, takes: Sequence[Takes], times: int, least: float) -> None:
    """Placing, mixing and encoding of conversations of one and of ten minutes."""
    stages, rate = stages_of(build), build.recipe.sample_rate_hz
    for length_s, name, n_talks in ((60, "60 s", 8), (600, "10 minutes", 1)):
        n_each = max(1, len(takes) // n_talks)
        batch = [long_takes(takes[k * n_each :] + takes[: k * n_each], build, length_s) for k in range(n_talks)]
        timelines = run_stage(stages["place"], batch)
        mixed = run_stage(stages["mix"], timelines)
        talked = sum(t.n_samples for t in timelines if isinstance(t, Timeline)) / rate
        took = seconds(lambda: run_stage(stages["mix"], run_stage(stages["place"], batch)), times)  # noqa: B023
        print(f"conversations of {name}: {len(batch)} of {talked / len(batch):.0f} s")
        show(f"place and mix, {name}", talked / took, "x realtime", least=least)
        took = seconds(lambda: run_stage(stages["encode"], mixed), times)  # noqa: B023
        show(f"encode, both channels, {name}", talked / took, "x realtime", least=1500)


CHEAP = ("babble", "other_talkers", "bursts", "vocal_sounds", "distance", "drift")
"""Behaviours of the user's channel that must not slow mixing down; all others are shown apart."""
APART = {
    "echo": ("mix.echo.probability=1",),
    "a room": ("mix.room.probability=1",),
    **{
        f"the line, {codec}": ("mix.line.probability=1", f"mix.line.codecs={{{codec}: 1}}")
        for codec in ("band", "pcmu", "gsm", "vorbis", "mp3", "opus")
    },
}
_EACH_KIND = {
    f"{kind} noise": (f"mix.noise=[{{name: generated, options: {{kinds: [{kind}]}}}}]",)
    for kind in GeneratedNoise().kinds()
}


def acoustics(scripts: Sequence[object], times: int) -> None:
    """Placing and mixing with acoustics in every conversation of one minute with noise, in CPU time."""
    cheap = tuple(f"mix.{name}.probability=1" for name in CHEAP)
    least = {"noise alone": 8000, "noise and babble": 6000, "all that is cheap": 5000}
    of = {"noise alone": (), "noise and babble": ("mix.babble.probability=1",), "all that is cheap": cheap}
    for name, changes in {**of, **APART, **_EACH_KIND}.items():
        build = Pipeline(recipe_for("omniflatten", None, *changes))
        stages, rate = stages_of(build), build.recipe.sample_rate_hz
        takes = [made for made in run_stage(stages["speak"], scripts) if isinstance(made, Takes)]
        batch = [long_takes(takes[k:] + takes[:k], build, 60) for k in range(0, len(takes), max(1, len(takes) // 8))]
        talked = sum(t.n_samples for t in run_stage(stages["place"], batch) if isinstance(t, Timeline)) / rate

        def place_and_mix(batch: list[Takes] = batch, stages: dict[str, object] = stages) -> None:
            run_stage(stages["mix"], run_stage(stages["place"], batch))

        place_and_mix()  # rooms are computed once per worker
        took = seconds(place_and_mix, times, time.process_time)
        show(f"place and mix, {name}", talked / took, "x realtime", least=least.get(name))


def rows(build: Pipeline, streams: list[Streams], head: dict[str, object], folder: Path, times: int) -> None:
    """Flattening, and writing of one unit with hashes and sync."""
    flatten = build.flatten()
    n_tokens = sum(len(row.input_ids) for s in streams for row in flatten(s))
    took = seconds(lambda: [flatten(s) for s in streams], times)
    show("flatten, five tasks", n_tokens / took / 1e6, "M tokens/s")

    def write() -> None:
        for task, split, table in row_tables([flatten(s) for s in streams]):
            (folder / f"{task}-{split}.parquet").write_bytes(to_parquet(table, head))

    took = seconds(write, times)
    show("flatten and write to Parquet files", n_tokens / took / 1e6, "M tokens/s", least=5)
    stores = iter(range(1 << 30))

    def commit() -> None:
        commit_unit(LocalStore(folder / f"unit-{next(stores)}"), 0, streams, flatten, head)

    commit()
    both = seconds(commit, times)
    show("the whole commit: conversations, digest and sync too", n_tokens / both / 1e6, "M tokens/s")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=9, help="runs of which the median is shown")
    parser.add_argument("--recipe", default="omniflatten", help="with `natural` or `hard`, all behaviours are on")
    options = parser.parse_args()
    keep_freed_memory()  # as a worker does
    with TemporaryDirectory() as name, threadpool_limits(1):
        folder = Path(name)
        build = Pipeline(recipe_for(options.recipe))
        dialogues = read_dialogues(folder, 0.3)
        text(build, dialogues, options.times)
        stages = stages_of(build)
        scripts = run_stage(stages["script"], run_stage(stages["select"], dialogues))
        voices(build, scripts, max(3, options.times // 3))
        takes = run_stage(stages["speak"], scripts)
        audio(build, takes, options.times, 8000 if options.recipe == "omniflatten" else 5000)  # type: ignore[arg-type]
        acoustics(scripts[:24], options.times)
        talks = [
            talk
            for talk in run_stage(stages["mix"], run_stage(stages["place"], takes))
            if isinstance(talk, Conversation)
        ]
        begin = time.perf_counter()
        streams = run_stage(stages["encode"], talks)
        unit = [s for s in streams if isinstance(s, Streams)][: build.recipe.run.unit_dialogues]
        talked = sum(s.n_samples for s in unit) / build.recipe.sample_rate_hz
        show("encode, a unit as built", talked / (time.perf_counter() - begin) * len(streams) / len(unit), "x realtime")
        rows(build, unit, json_values(build.describe()), folder, options.times)


if __name__ == "__main__":
    main()
