"""Costs of Ray: per unit, with synthetic speech on two cores, and on four nodes with a sleeping engine."""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from common import QUICKSTART_DIALOGUES, QUICKSTART_HOURS, read_streams, recipe_for, run_command, show, write_dialogues

from datagen.recipe import Recipe

_N_WORKERS = 2
_N_NODES = 4
_NAP_S = 0.25


def run(recipe: Recipe, out: Path, *options: str) -> float:
    """Run `datagen build` with options; gives wall seconds of the whole command."""
    file = out.with_suffix(".yaml")
    file.write_text(recipe.to_yaml(), "utf-8")
    return run_command("build", str(file), "--out", str(out), *options)[0]


def overhead(folder: Path, n_units: int) -> None:
    """Many tiny units on the fake engines, Ray against processes; start-up is taken off by a build of few."""
    source, few = folder / "tiny.jsonl", 8
    write_dialogues(source, n_units / QUICKSTART_DIALOGUES * QUICKSTART_HOURS + 0.01)
    unit_ms = {}
    for engine in ("local", "ray"):
        walls = []
        for n in (few, n_units):
            recipe = recipe_for("fake", source, f"input.limit={n}", "run.unit_dialogues=1")
            options = ("--engine", engine, "--workers", str(_N_WORKERS))
            walls.append(run(recipe, folder / f"{engine}-{n}", *options))
        unit_ms[engine] = (walls[1] - walls[0]) / (n_units - few) * _N_WORKERS * 1000
        show(f"{engine}: a worker's time a tiny unit, {n_units} units", unit_ms[engine], "ms")
        show(f"{engine}: a build of {few} units", walls[0], "s")
    show("Ray's overhead a unit", unit_ms["ray"] - unit_ms["local"], "ms", most=100)


def speech(folder: Path, minutes: float) -> None:
    """A build with the default voice on two cores, against its engines alone in two processes."""
    from efficiency import ideal

    source = folder / "speech.jsonl"
    n = write_dialogues(source, minutes / 60)
    recipe = recipe_for("omniflatten", source, "run.unit_dialogues=16")
    small = recipe_for("omniflatten", source, "input.limit=2", "run.unit_dialogues=1")
    options = ("--engine", "ray", "--workers", str(_N_WORKERS))
    start_up, wall = run(small, folder / "small", *options), run(recipe, folder / "speech", *options)
    compute = ideal(recipe, folder / "speech", -(-n // recipe.run.unit_dialogues))
    best = compute.voice + compute.tokenizer
    show("Ray, 2 cores: conversation made", compute.talked / 60, "minutes")
    show("Ray, 2 cores: start-up, a build of two dialogues", start_up, "s")
    show("Ray, 2 cores: wall; the engines alone", wall, f"s; {best:.1f} s")
    show("Ray, 2 cores: engines alone / build after start-up", best / (wall - start_up), least=0.93)


def nodes(folder: Path, n_units: int) -> None:
    """Four nodes of a core each whose voice sleeps: the ideal is the sum of the naps over four."""
    source = folder / "naps.jsonl"
    write_dialogues(source, n_units * 4 / QUICKSTART_DIALOGUES * QUICKSTART_HOURS + 0.01)
    voice = f"engines.tts={{name: 'sleeping:Sleeping', options: {{seconds: {_NAP_S}}}}}"
    own = (voice, "run.unit_dialogues=4")
    with cluster() as address:
        options = ("--engine", "ray", "--address", address)
        walls, naps = [], []
        for n in (_N_NODES, n_units):
            out = folder / f"naps-{n}"
            walls.append(run(recipe_for("fake", source, *own, f"input.limit={4 * n}"), out, *options))
            naps.append(_NAP_S * sum(len(s.utterances) for s in read_streams(out)) / _N_NODES)
    show(f"4 nodes, {n_units} units: wall; the naps alone", walls[1], f"s; {naps[1]:.1f} s")
    show("4 nodes: naps / build after start-up", naps[1] / (walls[1] - (walls[0] - naps[0])), least=0.9)


@contextmanager
def cluster() -> Iterator[str]:
    """A cluster of four raylets on this machine; gives its address."""
    import ray
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 100 << 20}
    made = Cluster(initialize_head=True, head_node_args=head)
    try:
        for _ in range(_N_NODES - 1):
            made.add_node(num_cpus=1, object_store_memory=100 << 20)
        yield made.address
    finally:
        made.shutdown()
        ray.shutdown()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["overhead", "speech", "nodes"], help="one part; all if not given")
    parser.add_argument("--units", type=int, default=300, help="tiny units for the overhead")
    parser.add_argument("--minutes", type=float, default=60, help="of conversation to build with the default voice")
    parser.add_argument("--naps", type=int, default=64, help="units of four dialogues on four nodes")
    options = parser.parse_args()
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)  # workers find `sleeping`
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # a cluster of this machine alone
    with TemporaryDirectory() as name:
        folder = Path(name)
        if options.only in (None, "overhead"):
            overhead(folder, options.units)
        if options.only in (None, "speech"):
            speech(folder, options.minutes)
        if options.only in (None, "nodes"):
            nodes(folder, options.naps)


if __name__ == "__main__":
    main()
