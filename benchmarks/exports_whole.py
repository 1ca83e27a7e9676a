"""`datagen export` of many hours to Shar, on two workers and on four nodes of Ray: its time against encoding alone.

    python benchmarks/exports_whole.py --hours 100

The build is of the fake engines, and keeps its sound. Encoding alone is measured in this process on 60 conversations
before each export. CPU time is that of all processes of the command or of the cluster, looked at every second, so
other work on the machine may run beside it; wall time says something on an idle machine only.
"""

import argparse
import contextlib
import hashlib
import os
import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
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


class Watched:
    """CPU seconds and largest memory of all processes below this one, looked at until the end of a `with` block."""

    def __init__(self) -> None:
        """Nothing is seen yet."""
        self._seconds: dict[tuple[int, float], float] = {}
        self.most_bytes = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "Watched":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def cpu_s(self) -> float:
        """CPU seconds of all processes seen, each up to the last look at it."""
        return sum(self._seconds.values())

    def _watch(self) -> None:
        before = {key: spent for key, spent, _ in _below()}
        while not self._ended.wait(1):
            for key, spent, n_bytes in _below():
                self._seconds[key] = spent - before.get(key, 0)
                self.most_bytes = max(self.most_bytes, n_bytes)


def _below() -> Iterator[tuple[tuple[int, float], float, int]]:
    """Each process below this one: what names it, its CPU seconds, its memory."""
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            yield (process.pid, process.create_time()), times.user + times.system, process.memory_info().rss


def measure(name: str, source: Path, to: Path, hours: float, *options: str) -> None:
    """Run an export and print its figures."""
    ideal = encoding_alone(source) * hours
    with Watched() as seen:
        wall, _ = run_command("export", str(source), "--to", str(to), *_SHAR, *options)
    show(f"{name}: wall", wall, "s")
    show(f"{name}: CPU of encoding alone; of the export", ideal, f"s; {seen.cpu_s:.1f} s")
    show(f"{name}: encoding alone / export, CPU", ideal / seen.cpu_s, least=0.85)
    show(f"{name}: encoding alone / export, wall of two cores", ideal / _CORES / wall, least=0.85)
    show(f"{name}: largest process", seen.most_bytes / 2**20, "MiB")


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
        show("conversation", hours, "hours")
        measure("two workers", source, Path(folder, "local"), hours, "--workers", str(_CORES))
        with cluster() as address:
            measure("four nodes", source, Path(folder, "ray"), hours, "--engine", "ray", "--address", address)
        print("same files:", content(Path(folder, "local")) == content(Path(folder, "ray")))


if __name__ == "__main__":
    main()
