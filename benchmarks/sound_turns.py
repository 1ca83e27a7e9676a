"""Do turn-taking from tokens and from the decoded sound of the same answers agree?

    python benchmarks/sound_turns.py

The answers are those of the assistant in a small build on the embedded engines, of all splits. Each event to
which both react counts: the reaction in the sound, by its level, minus the reaction in the tokens.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from common import recipe_for, run_build, show

import datagen
from datagen.engines import load
from datagen.evaluate.detokenizer import Detokenizer
from datagen.evaluate.scored_rows import Layout
from datagen.evaluate.sound import LABELS, TRUTH, heard_rows, sound_turn_taking
from datagen.evaluate.turns import turn_tables
from datagen.terminal import console

TARGET_MS = 60


def main() -> None:
    """Build, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, help="measure this finished build instead")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        out = options.build or Path(folder, "build")
        if not options.build:
            run_build(recipe_for("quickstart"), out)
        measure(str(out))


def measure(out: str) -> None:
    """Print the agreement, and the scores from both."""
    build = datagen.open(out)
    manifest, layout = build.manifest, Layout.of(build.manifest, "two_stream")
    decoder = Detokenizer(build.speech_tokenizer, manifest.vocabulary, manifest.row_codebooks)
    held = [row for split in manifest.tables["two_stream"] for row in heard_rows(manifest, decoder, split=split)]
    found = sound_turn_taking(held, layout, decoder, load.vad("energy", {}))
    apart = np.array([ms for each in found.differences_ms[LABELS].values() for ms in each])
    show(f"sound minus tokens, median of {len(apart)} reactions", float(np.median(apart)), "ms")
    show("  its size, median", float(np.median(np.abs(apart))), "ms", most=TARGET_MS)
    show("  its size, 95th percentile", float(np.quantile(np.abs(apart), 0.95)), "ms")
    for table in turn_tables({name: found.found[name] for name in (LABELS, TRUTH)}, "sound", "whole answers"):
        table.show(console())


if __name__ == "__main__":
    main()
