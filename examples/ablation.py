"""The paper's ablation: stages x chunk sizes x timing profiles, over several seeds, as one table and one plot.

    python examples/ablation.py --to runs/ablation                                  # all 54 trainings of a tiny model
    python examples/ablation.py --to runs/ablation --profiles omniflatten --chunks 10        # 9 of them
    python examples/ablation.py --to runs/ablation --input chats.jsonl --model Qwen/Qwen2.5-0.5B --tokens 2e9

Timing is part of the sound, so each profile is a build of its own, of the same dialogues. Each build is flattened
once per chunk size, and examples/train.py trains on the result with and without its first stages. What remains of
the curriculum keeps its tokens, so a run without stages sees fewer. A finished run is never repeated: the same
command resumes, commands with other cells add to the same table, and several may run at once on different cells.
Next: open TO/ablation.md and TO/ablation.svg
"""

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent))
import numpy as np
import train  # examples/train.py, which says what is missing
from scipy import stats

from datagen.errors import DatagenError
from datagen.evaluate.cells import Cell
from datagen.evaluate.models import load
from datagen.evaluate.player import Player
from datagen.evaluate.scored_rows import Layout, split_rows
from datagen.evaluate.scores import TurnScores
from datagen.evaluate.tables import Column, Document, Table
from datagen.evaluate.turns import turn_taking
from datagen.measure.charts import Axis, Chart, axes, dot, line, percent
from datagen.shards.manifest import Manifest
from datagen.shards.store import open_store
from datagen.terminal import console

DATAGEN = (sys.executable, "-c", "from datagen.cli import main; main()")
STAGES = {
    "all": [],
    "without half-duplex": ["half_duplex"],
    "without alignment and half-duplex": ["alignment", "half_duplex"],
}
CHUNKS = {5: 1, 10: 2, 15: 3}  # speech tokens: text tokens, at the paper's rate of 10 to 2
PROFILES = ("omniflatten", "natural")
MAX_TOKENS = "1024"  # of a row: a tiny model learns more from many short steps
FIGURES = {
    "loss": ("number", "seeds"),
    "assistant in@10": ("percent", "events"),
    "assistant in@25": ("percent", "events"),
    "assistant early": ("percent", "events"),
    "assistant latency": ("ms", "successes"),
    "user in@10": ("percent", "events"),
    "user in@25": ("percent", "events"),
    "user latency": ("ms", "successes"),
}
RANGES = {"number": (0, math.inf), "percent": (0, 1), "ms": (0, math.inf)}
NOTES = (
    "loss: mean cross-entropy of the learned tokens of the test rows of two_stream, in nats. in@K: free running, the "
    "model reacts within K tokens of the event. early: it reacted before, which is a failure. latency: mean time of "
    "the reactions within 1.5 s, plus one chunk, which a model reads before it answers.",
    "Values are means over seeds, with 95% t-intervals over seeds; n sums the events of all seeds.",
)


class Run(NamedTuple):
    """One training of the grid."""

    profile: str
    chunk: int
    stages: str
    seed: int

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f"{self.profile}-{self.chunk}-{self.stages.replace(' ', '-')}-{self.seed}"


# -- runs ---------------------------------------------------------------------------------------------------------


def command(*line: str) -> None:
    """Run a command of datagen.

    Raises:
        SystemExit: If it fails.
    """
    if code := subprocess.run([*DATAGEN, *line], check=False).returncode:  # noqa: S603
        raise SystemExit(code)


def rows_for(options: argparse.Namespace, profile: str, chunk: int) -> Path:
    """The rows of a profile in chunks of a size, made if they are not there. A build in TO/builds/PROFILE is used."""
    built, rows = options.to / "builds" / profile, options.to / "rows" / f"{profile}-{chunk}"
    if not (rows / "manifest.json").exists():
        if not (built / "manifest.json").exists():
            settings = (f"timing.profile={profile}", f"splits={{validation: 0.01, test: {options.test}}}")
            sets = [part for each in settings for part in ("--set", each)]
            command("build", options.recipe, "--input", options.input, "--out", str(built), *sets)
        chunks = f"{chunk}/{CHUNKS[chunk]}"
        command("flatten", str(built), "--out", str(rows), "--chunk", chunks, "--max-tokens", options.max_tokens)
    return rows


def settings_of(options: argparse.Namespace, rows: Path) -> dict[str, Any]:
    """Everything that decides the result of a run."""
    digest = Manifest.load(open_store(str(rows))).digest
    return {"digest": digest, "n_rows": options.rows, "training": [*options.training, "--model", options.model]}


def finished(options: argparse.Namespace, run: Run) -> dict[str, Any] | None:
    """The result of a finished run; None if it is not finished."""
    file = options.to / "runs" / run.name / "result.json"
    return json.loads(file.read_text("utf-8")) if file.exists() else None


def result_of(options: argparse.Namespace, run: Run) -> dict[str, Any]:
    """Train and score, or read what an earlier command has found.

    Raises:
        SystemExit: If that was with other settings.
    """
    rows, to = rows_for(options, run.profile, run.chunk), options.to / "runs" / run.name
    settings = settings_of(options, rows)
    if (found := finished(options, run)) is not None:
        if found["settings"] != settings:
            raise SystemExit(f"{to} was run with {found['settings']}, not {settings}: use another --to, or delete it")
        return found
    without = ["--without", *STAGES[run.stages]] if STAGES[run.stages] else []
    sizes = ["--model", options.model, "--max-tokens", options.max_tokens, *options.training]
    loss = train.train(train.options([str(rows), "--to", str(to), "--seed", str(run.seed), *sizes, *without]))
    found = {"settings": settings, "loss": loss, "turns": turns(rows, to / "two_stream", options.rows)}
    (to / "result.writing").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    (to / "result.writing").replace(to / "result.json")
    (to / "last.pt").unlink(missing_ok=True)  # three times as large as the model
    return found


def turns(rows: Path, checkpoint: Path, n_rows: int) -> dict[str, Any]:
    """Turn-taking of a model that runs freely on test rows of two_stream."""
    manifest = Manifest.load(open_store(str(rows)))
    model = load(str(checkpoint), manifest.vocabulary.size)
    layout = Layout.of(manifest, "two_stream")
    scored = turn_taking(split_rows(manifest, "two_stream", "test", n_rows), Player(model, layout, manifest.vocabulary))
    return TurnScores.merged(layout, (scores for _, scores in scored.found["free_running"])).table()


# -- tables -------------------------------------------------------------------------------------------------------


def figures(found: dict[str, Any]) -> dict[str, tuple[float | None, int]]:
    """The figures of one run, each with its number of events."""
    made: dict[str, tuple[float | None, int]] = {"loss": (found["loss"], 1)}
    chunk_ms = found["turns"]["chunk_ms"]
    for who in ("assistant", "user"):
        scores = found["turns"][f"{who}_turn_taking"]
        n, mean = scores["n"], scores["response_ms"]["mean"]
        made |= {f"{who} in@{k}": (scores["acc_within"][str(k)], n) for k in (10, 25)}
        made[f"{who} early"] = (scores["n_early"] / n if n else None, n)
        made[f"{who} latency"] = (None if mean is None else mean + chunk_ms, n - scores["n_failures"])
    return made


def over_seeds(values: list[tuple[float | None, int]]) -> Cell:
    """Mean over seeds with a 95% t-interval.

    >>> cell = over_seeds([(1.0, 5), (2.0, 5), (3.0, 5), (None, 0)])
    >>> cell.value, round(cell.low, 2), round(cell.high, 2), cell.n, cell.n_groups
    (2.0, -0.48, 4.48, 15, 3)
    """
    known = np.array([value for value, _ in values if value is not None])
    n = sum(n for _, n in values)
    if not len(known):
        return Cell(n=n)
    mean = float(known.mean())
    if len(known) < 2:
        return Cell(mean, n=n, n_groups=len(known))
    reach = float(stats.t.ppf(0.975, len(known) - 1) * known.std(ddof=1) / np.sqrt(len(known)))
    return Cell(mean, mean - reach, mean + reach, n, len(known))


def within_range(cell: Cell, least: float, most: float) -> Cell:
    """A cell whose interval ends where its figure does.

    >>> within_range(Cell(0.9, 0.7, 1.1, 9, 3), 0, 1).high
    1
    """
    return cell if cell.low is None else replace(cell, low=max(cell.low, least), high=min(cell.high, most))


Grid = dict[tuple[str, int, str], dict[int, dict[str, tuple[float | None, int]]]]
"""Figures by seed, by profile, chunk size and stages."""


def grid(results: dict[Run, dict[str, Any]]) -> Grid:
    """The figures of all runs by cell and seed."""
    found: Grid = {}
    for run, result in results.items():
        found.setdefault((run.profile, run.chunk, run.stages), {})[run.seed] = figures(result)
    return found


def table(cells: Grid) -> Table:
    """A line per cell of the grid."""
    columns = [Column(name, *about) for name, about in FIGURES.items()]
    lines = {
        f"{profile}, chunk {chunk}, {stages}": {
            name: within_range(over_seeds([seed[name] for seed in by_seed.values()]), *RANGES[about[0]])
            for name, about in FIGURES.items()
        }
        for (profile, chunk, stages), by_seed in cells.items()
    }
    n = ", ".join(f"{len(by_seed)}" for by_seed in cells.values())
    return Table.of("ablation", "ablation of stages", columns, lines, (*NOTES, f"Seeds per line: {n}."))


def differences(cells: Grid) -> Table:
    """Changes by a missing stage, from the same seeds with and without it."""
    lines: dict[str, dict[str, Cell]] = {}
    for (profile, chunk, stages), by_seed in cells.items():
        whole = cells.get((profile, chunk, "all"), {})
        if stages == "all" or not (shared := sorted(by_seed.keys() & whole.keys())):
            continue
        lines[f"{profile}, chunk {chunk}, {stages}"] = {
            name: over_seeds([_minus(by_seed[seed][name], whole[seed][name]) for seed in shared]) for name in FIGURES
        }
    columns = [Column(name, *about) for name, about in FIGURES.items()]
    return Table.of("ablation_differences", "differences from all stages", columns, lines, list(orderings(cells)))


def _minus(one: tuple[float | None, int], other: tuple[float | None, int]) -> tuple[float | None, int]:
    known = one[0] is not None and other[0] is not None
    return (one[0] - other[0] if known else None, min(one[1], other[1]))


def orderings(cells: Grid) -> Iterator[str]:
    """The order of the stages by each of two figures, whatever it is, and which differences are beyond chance.

    >>> cell = lambda loss: {seed: {"loss": (loss + seed / 9, 1), "assistant in@25": (0.5, 9)} for seed in range(3)}
    >>> list(orderings({("natural", 10, "all"): cell(2.0), ("natural", 10, "without half-duplex"): cell(1.0)}))[0]
    'natural, chunk 10, loss, best first: without half-duplex 1.111, all 2.111; beyond chance: without half-duplex.'
    """
    for profile, chunk in dict.fromkeys(key[:2] for key in cells):
        here = {key[2]: by_seed for key, by_seed in cells.items() if key[:2] == (profile, chunk)}
        for name, is_better in (("loss", -1), ("assistant in@25", 1)):
            means = {stages: over_seeds([s[name] for s in by_seed.values()]).value for stages, by_seed in here.items()}
            known = {stages: mean for stages, mean in means.items() if mean is not None}
            if len(known) < 2:
                continue
            order = ", ".join(
                f"{stages} {known[stages]:.3f}" for stages in sorted(known, key=lambda each: -is_better * known[each])
            )
            sure = [stages for stages in known if stages != "all" and _differs(here, stages, name)]
            yield f"{profile}, chunk {chunk}, {name}, best first: {order}; beyond chance: {', '.join(sure) or 'none'}."


def _differs(here: dict[str, Any], stages: str, name: str) -> bool:
    """True if the interval of the difference from all stages excludes 0."""
    whole = here.get("all", {})
    cell = over_seeds([_minus(here[stages][s][name], whole[s][name]) for s in here[stages].keys() & whole.keys()])
    return cell.low is not None and (cell.low > 0 or cell.high < 0)


def plot(cells: Grid) -> Chart:
    """Share of turns taken within 25 tokens over the latency, a dot per cell; lines join its chunk sizes."""
    points: dict[tuple[str, str], list[tuple[int, float, float]]] = {}
    for (profile, chunk, stages), by_seed in cells.items():
        latency, share = (
            over_seeds([s[name] for s in by_seed.values()]).value for name in ("assistant latency", "assistant in@25")
        )
        if latency is not None and share is not None:
            points.setdefault((profile, stages), []).append((chunk, latency, share))
    most = max((latency for own in points.values() for _, latency, _ in own), default=1000)
    top = max((share for own in points.values() for *_, share in own), default=1)
    x = Axis(0, 1.1 * most, "latency in ms, a chunk included", "{:,.0f}".format)
    y = Axis(0, max(1.1 * top, 0.01), "", percent)
    layers, key = [], {}
    for (profile, stages), own in points.items():
        kind = f"curve-{list(STAGES).index(stages) + 1}" + ("" if profile == PROFILES[0] else " dashed")
        key[kind] = f"{stages}, {profile}"
        _, latencies, shares = zip(*sorted(own), strict=True)
        layers.append(line(x, y, kind, np.array(latencies), np.array(shares)))
        layers += [dot(x, y, kind, (at, share), f"{profile}, chunk {chunk}, {stages}") for chunk, at, share in own]
    note = "share of turns taken within 25 tokens"
    return Chart("Accuracy against latency", axes(note, x, y, *layers), tuple(key.items()), note)


def write(options: argparse.Namespace, results: dict[Run, dict[str, Any]]) -> None:
    """Write and print the tables, and write the plot."""
    cells = grid(results)
    digests = sorted({result["settings"]["digest"] for result in results.values()})
    document = Document(str(options.to), " ".join(digests), "test", (table(cells), differences(cells)))
    for ending, text in (("json", document.to_json()), ("md", document.markdown()), ("svg", plot(cells).file())):
        (options.to / f"ablation.{ending}").write_text(text, "utf-8")
    for each in document.tables:
        each.show(console())


def parsed(line: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        epilog="All other options are those of examples/train.py, such as --tokens, --batch-size and --threads.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--to", type=Path, required=True, help="directory of builds, rows, runs and tables")
    add("--input", default="package:quickstart.jsonl", help="dialogues")
    add("--recipe", default="omniflatten", help="everything but the timing profile")
    add("--test", type=float, default=0.2, help="share of the dialogues that is tested on")
    add("--stages", nargs="+", choices=list(STAGES), default=list(STAGES), metavar="NAME", help="ablations")
    add("--chunks", nargs="+", type=int, choices=list(CHUNKS), default=list(CHUNKS), metavar="N", help="speech tokens")
    add("--profiles", nargs="+", choices=PROFILES, default=list(PROFILES), metavar="NAME", help="timing profiles")
    add("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="N", help="of weights and order of the rows")
    add("--model", default="tiny", help="as of train.py")
    add("--max-tokens", default=MAX_TOKENS, help="of a row and of a sequence")
    add("--rows", type=int, default=20, help="test rows on which models run freely")
    found, training = parser.parse_known_args(line)
    found.training = [*training, *(() if "--batch-size" in training else ("--batch-size", "1"))]
    train.options(["OUT", "--to", "TO", *found.training])  # refuses unknown options before anything is made
    return found


def main(line: list[str] | None = None) -> None:
    """Run what is missing, and write tables of all that is there."""
    options = parsed(line)
    names = product(options.profiles, options.chunks, options.stages, options.seeds)
    for k, run in enumerate(runs := [Run(*each) for each in names]):
        if not finished(options, run):
            print(f"{k + 1} of {len(runs)}: {run.name}", flush=True)
        result_of(options, run)
    every = (Run(*each) for each in product(PROFILES, CHUNKS, STAGES, range(max(options.seeds) + 1)))
    there = {run: found for run in dict.fromkeys([*every, *runs]) if (found := finished(options, run))}
    write(options, there)


if __name__ == "__main__":
    try:
        main()
    except DatagenError as error:
        raise SystemExit(str(error)) from error
    except KeyboardInterrupt:
        raise SystemExit("stopped. The same command resumes.") from None
