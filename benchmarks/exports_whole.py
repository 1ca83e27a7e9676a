"""`datagen export` of many hours to Shar, on two workers and on four nodes of Ray: its time against encoding alone.

    python benchmarks/exports_whole.py --hours 100

The build is of the fake engines, and keeps its sound. Encoding alone is measured in this process on the conversations
of the first two hours. Both cores must be free: the wall time of a whole command is compared with that of encoding
alone on two cores.
"""

import argparse
import hashlib
import os
import resource
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from cluster import cluster
from common import recipe_for, run_build, run_command, seconds, show, write_dialogues

import datagen.inspect
from datagen.export.clip import ExportClip
from datagen.export.export_job import ExportRequest
from datagen.records import CHANNEL
from datagen.shards.store import open_store

_CORES = 2
_SAMPLES = 60
_SHAR = ("--format", "shar", "--shard-hours", "1")


def encoding_alone(source: Path) -> float:
    """CPU seconds for an hour of conversation."""
    output, request = datagen.inspect.open(str(source)), ExportRequest(format="shar")
    _, convention = request.settled(output.manifest)
    spent = hours = 0.0
    for talk in islice(output.conversations(), _SAMPLES):
        clip = ExportClip.of(talk, convention)
        sounds = [clip.sound(role) for role in CHANNEL]
        spent += seconds(lambda clip=clip, sounds=sounds: [clip.encoded(sound) for sound in sounds], 1)
        hours += talk.streams.n_samples / talk.sample_rate_hz / 3600
    return spent / hours


def content(to: Path) -> dict[str, bytes]:
    """The hash of each file of an export, by key."""
    store = open_store(str(to))
    return {key: hashlib.sha256(store.read(key)).digest() for key in store.keys("") if not key.startswith("units/")}


def measure(name: str, source: Path, to: Path, ideal: float, *options: str) -> None:
    """Run an export and print its figures."""
    wall, cpu = run_command("export", str(source), "--to", str(to), *_SHAR, *options)
    show(f"{name}: wall", wall, "s")
    show(f"{name}: CPU of processes that have ended", cpu, "s")
    show(f"{name}: encoding alone / export, wall of two cores", ideal / _CORES / wall, least=0.85)
    show(f"{name}: largest process so far", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, "MiB")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=100, help="conversation to export")
    parser.add_argument("--build", type=Path, help="export this finished build, which kept its sound")
    options = parser.parse_args()
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # a cluster of this machine alone
    with TemporaryDirectory() as folder:
        source = options.build or Path(folder, "out")
        if not options.build:
            write_dialogues(Path(folder, "in.jsonl"), options.hours)
            run_build(recipe_for("fake", Path(folder, "in.jsonl"), "mix.keep_audio=true"), source)
        hours = datagen.inspect.open(str(source)).hours
        ideal = encoding_alone(source) * hours
        show("conversation", hours, "hours")
        show("encoding alone, CPU", ideal, "s")
        measure("two workers", source, Path(folder, "local"), ideal, "--workers", str(_CORES))
        with cluster() as address:
            measure("four nodes", source, Path(folder, "ray"), ideal, "--engine", "ray", "--address", address)
        print("same files:", content(Path(folder, "local")) == content(Path(folder, "ray")))


if __name__ == "__main__":
    main()
