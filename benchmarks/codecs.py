"""Two codecs over the same conversations, with speech synthesized once: encoding, bytes per token, speed of the feed.

    python benchmarks/codecs.py                          # Mimi of the published size with random weights
    python benchmarks/codecs.py --engine mimi --model kyutai/mimi

Codes of random weights say nothing of their distribution, so their bytes per token are only those of such codes.
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from common import recipe_for, run_build, run_command, show

from datagen.feed import Feed, Stage
from datagen.shards.manifest import Manifest
from datagen.shards.store import open_store

TASK = "two_stream"


def random_mimi(folder: Path) -> str:
    """A Mimi of the published size with random weights, in its files."""
    import torch
    from transformers import MimiConfig, MimiModel

    torch.manual_seed(0)
    net = MimiModel(MimiConfig()).eval()
    with torch.no_grad():
        for name, values in net.state_dict().items():
            if name.endswith("embed_sum"):
                values.normal_()
    net.save_pretrained(folder)
    return str(folder)


def bytes_per_token(manifest: Manifest) -> float:
    """Bytes of the files of the task per token, mask included."""
    sums = manifest.tables[TASK].values()
    return sum(s.n_bytes for s in sums) / sum(s.n_tokens for s in sums)


def fed(out: str, n_tokens: int, least: int) -> float:
    """Tokens fed per CPU second.

    Args:
        out: The build.
        n_tokens: Its tokens of the task to train on.
        least: Tokens to feed, at least.
    """
    epochs = -(-least // n_tokens)
    feed = Feed(out, Stage("bench", {TASK: 1}, 8192, 1), epochs=epochs)
    begin = time.process_time()
    for _ in feed:
        pass
    return epochs * n_tokens / (time.process_time() - begin)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--dialogues", type=int, default=8, help="to build")
    parser.add_argument("--build", help="a finished build with audio instead")
    parser.add_argument("--engine", default="mimi", help="the other codec")
    parser.add_argument("--model", help="its model; by default random weights of Mimi's size")
    parser.add_argument("--tokens", type=int, default=2_000_000, help="to feed of each build, at least")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with TemporaryDirectory() as name:
        first, second = options.build or f"{name}/first", f"{name}/second"
        if not options.build:
            changes = f"input.limit={options.dialogues}", "mix.keep_audio=true", f"flatten.tasks=[{TASK}]"
            run_build(recipe_for("quickstart", None, *changes), Path(first))
        model = options.model or random_mimi(Path(name) / "model")
        settings = "--option", f"model={json.dumps(model)}", "--set", f"tasks=[{TASK}]", "--set", "max_tokens=8192"
        wall, cpu = run_command(
            "encode", first, "--engine", options.engine, *settings, "--out", second, "--workers", "1"
        )
        builds = {out: Manifest.load(open_store(out)) for out in (first, second)}
        hours = builds[second].hours
        show("conversation", hours * 60, "minutes")
        show(f"datagen encode --engine {options.engine}, one worker, CPU", hours * 3600 / cpu, "x realtime")
        show("the same, wall", hours * 3600 / wall, "x realtime")
        found: dict[str, list[float]] = {out: [] for out in builds}
        for _ in range(options.rounds):
            for out, manifest in builds.items():
                found[out].append(fed(out, manifest.tables[TASK]["train"].n_tokens, options.tokens))
        for out, manifest in builds.items():
            codec = manifest.engines["speech_tokenizer"].name
            show(f"{codec}, {TASK}: size", bytes_per_token(manifest), "bytes/token")
            show(f"{codec}, {TASK}: tokens per hour", _tokens(manifest) / manifest.hours, "tokens")
            show(f"{codec}, {TASK}: feed, CPU", statistics.median(found[out]) / 1e6, "M tokens/s")


def _tokens(manifest: Manifest) -> int:
    return sum(s.n_tokens for s in manifest.tables[TASK].values())


if __name__ == "__main__":
    main()
