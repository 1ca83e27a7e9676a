"""Is speech heard where the timeline says it is? IPUs of a build without noise, against two voice detectors.

Silero needs the extra `vad`; without it only the energy detector is used.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from common import recipe_for, run_build, show

from datagen.measure.crosscheck import detectors
from datagen.measure.timing_report import hear
from datagen.shards.manifest import Manifest
from datagen.shards.store import open_store

TARGET = 95
"""Starts and ends of IPUs on clean channels that are to be heard within 60 ms, in percent."""


def main() -> None:
    """Build, hear and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dialogues", type=int, default=40, help="shipped dialogues to build and hear")
    parser.add_argument("--profile", default="omniflatten", help="timing profile")
    parser.add_argument("--build", type=Path, help="hear this finished build instead")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        out = options.build or Path(folder, "build")
        if not options.build:
            changes = (
                f"input.limit={options.dialogues}",
                "mix.noise_probability=0",
                "mix.bursts.probability=0",
                f"timing.profile={options.profile}",
            )
            run_build(recipe_for("quickstart", None, *changes, "flatten.tasks=[three_stream]"), out)
        store = open_store(str(out))
        rows = hear(store, Manifest.load(store), detectors(), options.dialogues)
    for row in rows:
        name = f"{row['detector']}, {row['channel']}{'' if row['clean'] else ', noisy'}"
        least = TARGET if row["clean"] else None
        show(f"{name}: starts heard, of {row['n_onsets']}", 100 * row["onsets_share"], "%", least=least)
        show(f"{name}: ends heard, of {row['n_offsets']}", 100 * row["offsets_share"], "%", least=least)
        show(f"{name}: both", 100 * row["share"], "%", least=least)
        show(f"{name}: of its own, where the timeline has one", 100 * row["explained_share"], "%")
        show(
            f"  starts heard late by, median {'' if row['clean'] else 'noisy'}".rstrip(),
            row["onsets_late_median_ms"],
            "ms",
        )
        show("  ends heard late by, median", row["offsets_late_median_ms"], "ms")


if __name__ == "__main__":
    main()
