"""Does a tiny model learn to take turns from a build, and does it do so by listening?

    python benchmarks/turn_taking.py --to out/turns

Builds conversations of 27 of the shipped dialogues to train on and of the other 7 to test on, runs
`examples/train.py` twice, once as it is and once with every user channel taken from another
conversation, and scores both and an untrained model. Existing results are kept, so a stopped run
resumes.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from common import recipe_for, run_build, write_dialogues

import datagen
from datagen.evaluate.measures import Measures, ModelRows
from datagen.evaluate.models import load

EXAMPLE = Path(__file__).parent.parent / "examples" / "train.py"
SETTINGS = (
    "timing.assistant_fto={kind: uniform, low: 80, high: 320}",
    "timing.barge_in.probability=1",
    "timing.barge_in.families={next_turn: 3, repeat_request: 2, wait_request: 2, stop_request: 1, got_it: 1}",
    "timing.barge_in.reaction={kind: lognormal, median: 550, sigma: 0.3, low: 350, high: 1100}",
    "timing.backchannel.user_probability=0.2",
    "timing.hesitation={probability: 0.2, filler_probability: 0.5}",
    "timing.aside.probability=0.05",
    "flatten.max_tokens=2048",
)
"""Answers after a human gap, an interruption in about every second turn of the assistant (the share with a fitting
place), overlapping speech that must be ignored, stops late enough to tell the two apart, and rows for a small model."""
MAX_TOKENS = "2048"
TRAIN, TEST = slice(0, 27), slice(27, 34)
"""Which of the shipped dialogues; nothing that is said in a test is said in training. All rows of the held-out build
are tested on, though their split is called `train`."""


def build(out: Path, hours: float, which: slice) -> None:
    """Make a build, if it is not there."""
    if not (out / "manifest.json").exists():
        source = out.with_suffix(".jsonl")
        write_dialogues(source, hours, which)
        run_build(recipe_for("omniflatten", source, *SETTINGS), out)


def train(out: Path, to: Path, tokens: str, *more: str) -> subprocess.Popen[bytes]:
    """Start or resume a training on one core."""
    line = [sys.executable, str(EXAMPLE), str(out), "--to", str(to), "--tokens", tokens, "--threads", "1"]
    to.mkdir(parents=True, exist_ok=True)
    with (to / "log").open("ab") as log:
        return subprocess.Popen([*line, "--max-tokens", MAX_TOKENS, "--batch-size", "2", *more], stdout=log, stderr=log)


def untrained(out: Path, to: Path, example: Any) -> None:
    """A model as it is before the first step."""
    torch.manual_seed(0)
    plan = example.stages(1e6, int(MAX_TOKENS), 4)
    model, token_ids = example.new_model("tiny", str(out), int(MAX_TOKENS), plan)
    example.save(model, token_ids, to / "two_stream")


def main() -> None:
    """Build, train, score, print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=7, help="conversation to train on; a tenth of it is tested on")
    parser.add_argument("--to", type=Path, default=Path("out/turns"), help="directory of the build and of the models")
    parser.add_argument("--tokens", default="5e6", help="tokens of each training")
    parser.add_argument("--rows", type=int, default=100, help="held-out rows of the build to score on")
    options = parser.parse_args()
    sys.path.insert(0, str(EXAMPLE.parent))
    import train as example

    out, held_out = options.to / "build", options.to / "held-out"
    options.to.mkdir(parents=True, exist_ok=True)
    build(out, options.hours, TRAIN)
    build(held_out, options.hours / 10, TEST)
    runs = [
        train(out, options.to / "trained", options.tokens),
        train(out, options.to / "shuffled", options.tokens, "--shuffle-users"),
    ]
    if any(run.wait() for run in runs):
        raise SystemExit(f"a training failed: see {options.to}/*/log")
    untrained(out, options.to / "untrained", example)
    held = datagen.open(str(held_out))
    print(f"{held.hours:.1f} h of conversation")
    torch.set_num_threads(2)
    models = {
        name: load(str(options.to / name / "two_stream"), held.vocabulary.size)
        for name in ("untrained", "shuffled", "trained")
    }
    measures = Measures(held, ModelRows(models), split="train", task="two_stream", n_rows=options.rows)
    found = measures.document([*measures.loss(), *measures.turns()])
    (options.to / "scores.json").write_text(found.to_json(), "utf-8")
    print(found.markdown())


if __name__ == "__main__":
    main()
