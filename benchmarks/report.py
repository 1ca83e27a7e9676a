"""`datagen report` of 100 hours of conversation: wall time, size of the page, peak memory; and of a tenth of them.

The conversations are those of a build with human timing, repeated under new ids, as in
`reflatten.py`.
"""

import argparse
import os
import statistics
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from common import DATAGEN, recipe_for, run_build, show
from reflatten import write_build

from datagen.shards.manifest import Manifest
from datagen.shards.store import open_store


def write_page(out: Path, page: Path) -> tuple[float, float]:
    """Run `datagen report` as a user does; gives wall seconds and peak MB."""
    begin = time.perf_counter()
    with subprocess.Popen([*DATAGEN, "report", str(out), "--to", str(page)], stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit("the report failed")
    return time.perf_counter() - begin, usage.ru_maxrss / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=100, help="conversation to report")
    parser.add_argument("--rounds", type=int, default=3, help="runs of which the median is shown")
    options = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name)
        real, page, peaks = folder / "real", folder / "report.html", []
        run_build(recipe_for("natural", None, 'input.paths=["package:quickstart.jsonl"]'), real)
        for hours in (options.hours / 10, options.hours):
            source = folder / f"{hours:g}"
            write_build(real, source, hours)
            m = Manifest.load(open_store(str(source)))
            print(f"{m.hours:.1f} hours, {m.n_conversations} conversations, {m.n_units} units")
            runs = [write_page(source, page) for _ in range(options.rounds)]
            show(f"report of {hours:g} hours", statistics.median(wall for wall, _ in runs), "s", most=60)
            show("its size", page.stat().st_size / 1e6, "MB", most=20)
            peaks.append(max(peak for _, peak in runs))
            show("its peak memory", peaks[-1], "MB")
        show("peak with ten times the conversations / with one", peaks[1] / peaks[0], "", most=1.2)


if __name__ == "__main__":
    main()
