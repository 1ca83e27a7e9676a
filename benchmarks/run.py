"""Run all benchmarks, each in an interpreter of its own, and name the targets missed (exit status 1)."""

import argparse
import platform
import subprocess
import sys
from pathlib import Path

from common import missed

BENCHMARKS: dict[str, tuple[str, ...]] = {
    "efficiency": ("--hours", "0.3", "--rounds", "1"),
    "start": ("--rounds", "1"),
    "ends": ("--dialogues", "34", "--per-letter", "0.0002", "--unit", "8"),
    "stages": ("--times", "3"),
    "peers": ("--dialogues", "2", "--rounds", "1"),
    "reflatten": ("--hours", "5", "--rounds", "1"),
    "report": ("--hours", "5", "--rounds", "1"),
    "exports": ("--hours", "0.1", "--times", "1"),
    "size": ("--hours", "0.3", "--times", "1"),
    "scale": ("--dialogues", "20000", "--units", "200", "--build", "20", "--whole", "500", "--unit-dialogues", "5"),
    "cluster": ("--units", "40", "--minutes", "2", "--naps", "8"),
    "timing": ("--hours", "1"),
    "memory": ("--hours", "0.1"),
    "takes": ("--hours", "0.3"),
    "feed": ("--hours", "1", "--rounds", "1", "--batches", "100"),
    "turn_taking": ("--hours", "0.3", "--tokens", "5e4", "--rows", "5"),
    "wer": ("--dialogues", "4"),
    "vad": ("--dialogues", "4"),
    "text_speed": ("--times", "1", "--dialogues", "5", "--characters", "20000"),
    "briefs": ("--count", "2000"),
    "verify": ("--takes", "8", "--every", "8"),
    "single_speakers": ("--utterances", "12"),
    "recordings": ("--dialogues", "4", "--only", "stereo-json-clean", "pairs-csv-clean"),
}
"""Benchmarks in order, with what makes them short."""


def run(name: str, arguments: tuple[str, ...]) -> list[str]:
    """Run one benchmark, pass its lines on, and return those of missed targets."""
    print(f"\n== {name} {' '.join(arguments)}".rstrip(), flush=True)
    command = [sys.executable, "-u", str(Path(__file__).with_name(f"{name}.py")), *arguments]
    faults = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            if missed(line):
                faults.append(f"{name}: {line.strip()}")
    if process.returncode:
        faults.append(f"{name}: exit status {process.returncode}")
    return faults


def main() -> None:
    """Run the requested benchmarks, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; all if none is given")
    parser.add_argument(
        "--short", action="store_true", help="small sizes: to see that all of them run, not for figures"
    )
    options = parser.parse_args()
    unknown = set(options.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no benchmark {sorted(unknown)[0]!r}; there are {', '.join(BENCHMARKS)}")
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    names = options.names or list(BENCHMARKS)
    faults = [fault for name in names for fault in run(name, BENCHMARKS[name] if options.short else ())]
    print(f"\n{len(faults)} targets missed" if faults else "\nAll targets met")
    print("\n".join(faults))
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
