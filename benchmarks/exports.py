"""`datagen export`: CPU time of a worker, against that of its sound alone, and its memory.

All are measured in turn in one process, on the conversations of a build that kept its sound as FLAC.
Kept sound must be decoded before it is encoded, so encoding alone can cost only a part of an export.
"""

import argparse
import resource
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from common import recipe_for, run_build, show, write_dialogues

import datagen.inspect
from datagen.export.clip import ExportClip
from datagen.export.export_job import ExportJob, ExportRequest, ExportWorker
from datagen.inspect import Sound
from datagen.shards.store import open_store

_FORMATS = {
    "shar": ExportRequest(format="shar"),
    "shar for nemo": ExportRequest(preset="nemo"),
    "moshi": ExportRequest(preset="moshi-finetune"),
    "shar, opus": ExportRequest(format="shar", values={"codec": "opus"}),
}


def seconds(work: Callable[[], object], times: int) -> float:
    """The least CPU time of several runs."""
    found = []
    for _ in range(times):
        begin = time.process_time()
        work()
        found.append(time.process_time() - begin)
    return min(found)


def exported(source: str, request: ExportRequest) -> None:
    """Make the only unit of an export."""
    with TemporaryDirectory() as to:
        ExportJob(source, request).plan(open_store(to))
        ExportWorker(source, to, trust=False).run(0)


def decoded(source: str, request: ExportRequest) -> list[tuple[ExportClip, Sound]]:
    """The sound of all conversations as the format encodes it."""
    output = datagen.inspect.open(source)
    name, convention = request.settled(output.manifest)
    clips = [ExportClip.of(talk, convention) for talk in output.conversations()]
    if name == "moshi":
        return [(clip, clip.stereo(("assistant", "user"))) for clip in clips]
    return [(clip, clip.sound(role)) for clip in clips for role in ("user", "assistant")]


def memory(source: str, shard_hours: float) -> None:
    """Print the largest memory of a worker after each unit."""
    with TemporaryDirectory() as to:
        plan = ExportJob(source, ExportRequest(format="shar", values={"shard_hours": shard_hours})).plan(open_store(to))
        worker = ExportWorker(source, to, trust=False)
        for unit in range(plan.n_units):
            worker.run(unit)
            most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            show(f"largest memory after {(unit + 1) * shard_hours:g} hours", most, "MiB")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=1, help="conversation to export")
    parser.add_argument("--times", type=int, default=3, help="runs of which the fastest is shown")
    parser.add_argument("--memory", type=float, metavar="HOURS", help="print the memory after each such unit instead")
    parser.add_argument("--build", type=Path, help="export this finished build, which kept its sound")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        source = options.build or Path(folder) / "out"
        if not options.build:
            write_dialogues(Path(folder) / "in.jsonl", options.hours)
            run_build(recipe_for("fake", Path(folder) / "in.jsonl", "mix.keep_audio=true"), source)
        hours = datagen.inspect.open(str(source)).hours
        print(f"{hours:.2f} hours")
        if options.memory:
            memory(str(source), options.memory)
            return
        for name, plain in _FORMATS.items():
            request = replace(plain, values={**(plain.values or {}), "shard_hours": 1e6})
            whole = seconds(lambda request=request: exported(str(source), request), options.times)
            found = decoded(str(source), request)
            before = seconds(lambda request=request: decoded(str(source), request), options.times)
            alone = seconds(lambda found=found: [clip.encoded(sound) for clip, sound in found], options.times)
            show(f"{name}, one core", hours * 3600 / whole, "x realtime")
            show(f"{name}, encoding alone / export", alone / whole, "", least=0.85)
            show(f"{name}, all work on sound / export", (before + alone) / whole, "", least=0.85)


if __name__ == "__main__":
    main()
