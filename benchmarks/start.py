"""CPU of a build of two dialogues, over that of importing numpy, pyarrow, pydantic and onnxruntime, in one run.

python benchmarks/start.py
"""

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from common import recipe_for, run_build, show, write_dialogues

IMPORTS = "import numpy, pyarrow, pydantic, onnxruntime"
TARGETS = {"quickstart": 9, "fake": 4}
"""Most times the imports that a build may cost, by recipe."""


def import_cpu() -> float:
    """CPU seconds of an interpreter that only imports."""
    before = os.times()
    subprocess.run([sys.executable, "-c", IMPORTS], check=True)
    after = os.times()
    return after.children_user - before.children_user + after.children_system - before.children_system


def main() -> None:
    """Print seconds of both, and their ratio, for both recipes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="runs of which the median is shown")
    parser.add_argument("--workers", type=int, default=1, help="workers of the builds")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        source = Path(folder, "dialogues.jsonl")
        write_dialogues(source, 0.1)
        for name, most in TARGETS.items():
            recipe = recipe_for(name, source, "input.limit=2")
            pairs = [
                (run_build(recipe, Path(folder, f"{name}-{k}"), options.workers)[1], import_cpu())
                for k in range(options.rounds)
            ]
            show(f"{name}: CPU of a build of two dialogues", statistics.median(build for build, _ in pairs), "s")
            show(f"{name}: CPU of the imports", statistics.median(own for _, own in pairs), "s")
            show(f"{name}: build / imports", statistics.median(build / own for build, own in pairs), most=most)


if __name__ == "__main__":
    main()
