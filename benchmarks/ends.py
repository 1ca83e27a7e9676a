"""Time between the ends of a build's workers. The voice sleeps, so that other work on the machine hardly shows.

The voice sleeps in proportion to the length of its text. A worker's end is that of its last call. Ideal: the naps
of all workers divided evenly. With the default voice, `efficiency.py` shows what is gained.
"""

import argparse
import json
import os
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from common import QUICKSTART_DIALOGUES, QUICKSTART_HOURS, recipe_for, show, write_dialogues
from sleeping import Sleeping

from datagen.run.build import build
from datagen.run.supervise import Child
from datagen.shards.manifest import Manifest


class Watched:
    """Times of all calls of workers, until it is closed."""

    def __init__(self) -> None:
        """Watch every worker of this process from now on."""
        self._call, self._lock = Child.call, threading.Lock()
        self.first: dict[int, float] = {}
        self.last: dict[int, float] = {}
        self.busy: dict[int, float] = {}
        watched = self

        def call(child: Child, method: str, *arguments: object) -> Any:
            begin = time.perf_counter()
            result = watched._call(child, method, *arguments)
            end = time.perf_counter()
            with watched._lock:
                watched.first.setdefault(id(child), begin)
                watched.last[id(child)] = end
                watched.busy[id(child)] = watched.busy.get(id(child), 0.0) + end - begin
            return result

        Child.call = call  # type: ignore[method-assign]

    def close(self) -> None:
        """Watch no longer."""
        Child.call = self._call  # type: ignore[method-assign]


def measure(source: Path, out: Path, n_workers: int, seconds_per_letter: float, unit_dialogues: int) -> Manifest:
    """Build once, and print when workers ended."""
    options = json.dumps({"seconds": 0, "per_letter": seconds_per_letter})
    voice = f"engines.tts={{name: '{Sleeping.__module__}:Sleeping', options: {options}}}"
    recipe = recipe_for("fake", source, voice, f"run.unit_dialogues={unit_dialogues}")
    watched = Watched()
    try:
        manifest = build(recipe, str(out), n_workers)
    finally:
        watched.close()
    ends, begin = sorted(watched.last.values()), min(watched.first.values())
    what = f"{n_workers} workers, {manifest.n_units} units of {unit_dialogues}"
    show(f"{what}: last end - first end", ends[-1] - ends[0], "s", most=2)
    show(f"{what}: last end - first call", ends[-1] - begin, "s")
    busy = sum(watched.busy.values()) / len(ends) / (ends[-1] - begin)
    show(f"{what}: workers busy until the last end", busy, least=0.96)
    return manifest


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dialogues", type=int, default=7 * QUICKSTART_DIALOGUES, help="dialogues to build")
    parser.add_argument("--per-letter", type=float, default=0.0008, help="nap per letter, in seconds")
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 8], help="numbers of workers")
    parser.add_argument("--unit", type=int, default=32, help="dialogues per unit")
    options = parser.parse_args()
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)  # workers find `sleeping`
    with TemporaryDirectory() as name:
        source = Path(name, "dialogues.jsonl")
        write_dialogues(source, options.dialogues / QUICKSTART_DIALOGUES * QUICKSTART_HOURS)
        digests = set()
        for n_workers in options.workers:
            made = measure(source, Path(name, f"out-{n_workers}"), n_workers, options.per_letter, options.unit)
            digests.add(made.digest)
        show("digests", len(digests), most=1)


if __name__ == "__main__":
    main()
