"""Peak memory of the largest process of a build, for one and for ten times the input."""

import argparse
import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from common import DATAGEN, recipe_for, show, write_dialogues


def peak_mb(recipe_file: Path, out: Path, n_workers: int) -> float:
    """Run a build and wait for it; the system keeps the peak of the largest of its processes."""
    command = [*DATAGEN, "build", str(recipe_file), "--out", str(out), "--workers", str(n_workers)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit("the build failed")
    return usage.ru_maxrss / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=0.7, help="conversation to build, and ten times that")
    options = parser.parse_args()
    with TemporaryDirectory() as name:
        folder, peaks = Path(name), []
        for factor in (1, 10):
            source = folder / f"dialogues-{factor}.jsonl"
            n_dialogues = write_dialogues(source, options.hours * factor)
            file = folder / f"recipe-{factor}.yaml"
            file.write_text(recipe_for("omniflatten", source, "run.unit_dialogues=8").to_yaml(), "utf-8")
            peaks.append(peak_mb(file, folder / f"out-{factor}", 2))
            show(f"peak memory of a worker, {n_dialogues} dialogues", peaks[-1], "MB", most=800)
        show("peak with ten times the input / with one", peaks[1] / peaks[0], "", most=1.1)


if __name__ == "__main__":
    main()
