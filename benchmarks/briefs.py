"""Planning of a grid of scenarios: briefs dealt and frozen on disk, and their near-duplicates counted."""

import argparse
import os
import tempfile
import time

from common import show

from datagen.authoring.authoring_config import WriteRecipe
from datagen.authoring.authoring_units import plan_authoring
from datagen.authoring.scenarios import briefs_of, coverage
from datagen.shards.store import LocalStore


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="briefs in English and Chinese together")
    options = parser.parse_args()
    recipe = WriteRecipe.model_validate({
        "name": "briefs", "tasks": ["dialogue"], "languages": ["en", "zh"], "llm": {"model": "none"},
        "input": {"scenarios": {"count": options.count}},
    })  # fmt: skip
    load, wall, cpu = os.getloadavg()[0], time.monotonic(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        plan = plan_authoring(recipe, LocalStore(folder))
    planned = time.monotonic() - wall, time.process_time() - cpu
    found = coverage(recipe)
    whole = time.monotonic() - wall, time.process_time() - cpu
    distinct = len({(brief.topic, brief.persona, brief.situation, brief.language) for brief in briefs_of(recipe)})
    show("load of the machine when it began", load, f"on {os.cpu_count()} cores")
    show("briefs planned", plan.n_records, least=options.count)
    show("planning and freezing, wall", planned[0], "s", most=60)
    show("the same, CPU", planned[1], "s")
    show("with near-duplicates counted, wall", whole[0], "s", most=60)
    show("the same, CPU", whole[1], "s")
    show("distinct", distinct, least=options.count)
    show("near-duplicates", found.near_duplicates * 100, "%", most=1)


if __name__ == "__main__":
    main()
