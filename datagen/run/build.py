"""A build from recipe to manifest."""

from collections import Counter
from typing import Literal, Protocol

from datagen.errors import LimitError
from datagen.pipeline.pipeline import Pipeline
from datagen.recipe import LimitsConfig, Recipe
from datagen.run.finish import finish
from datagen.run.local import Done, run_local
from datagen.run.plan import plan_build, remarks
from datagen.run.takes import Index, check_takes
from datagen.run.worker import Worker
from datagen.shards.manifest import MANIFEST, Manifest
from datagen.shards.markers import all_but, markers, missing
from datagen.shards.plan import Plan
from datagen.shards.store import Store, open_store
from datagen.shards.unit import Marker

Engine = Literal["local", "ray"]
_BEFORE_SPEECH = ("source", "plan", "select")
"""Stages whose rejects are a matter of the input, not of a build gone wrong."""


class BuildWatcher(Protocol):
    """Someone who wants to know how a build goes."""

    def planned(self, plan: Plan, n_done: int) -> None:
        """The plan stands; so many units were done before."""
        ...

    def unit_done(self, marker: Marker) -> None:
        """Another unit is done."""
        ...

    def notice(self, line: str) -> None:
        """Something went wrong and was mended, or is to be known. May be called in any thread."""
        ...


class Silent:
    """A watcher who does not look."""

    def planned(self, plan: Plan, n_done: int) -> None:
        """Do nothing."""

    def unit_done(self, marker: Marker) -> None:
        """Do nothing."""

    def notice(self, line: str) -> None:
        """Do nothing."""


class FailureLimit:
    """Stops a build in which too many selected dialogues fail."""

    def __init__(self, limits: LimitsConfig) -> None:
        """Take the limit."""
        self._limits, self._n_kept, self._failed = limits, 0, Counter[str]()

    def count(self, marker: Marker) -> None:
        """Take one more unit into account.

        Raises:
            LimitError: If the share of failures is over the limit; says what failed and how to go on.
        """
        self._n_kept += marker.n_kept
        self._failed.update({r: n for r, n in marker.rejects.items() if r.split("/")[0] not in _BEFORE_SPEECH})
        n_failed = self._failed.total()
        n_selected = self._n_kept + n_failed
        if n_selected >= self._limits.min_dialogues and n_failed > self._limits.max_failed_share * n_selected:
            worst = ", ".join(f"{reason} {n}" for reason, n in self._failed.most_common(3))
            raise LimitError(
                f"{n_failed} of {n_selected} selected dialogues failed ({worst}), more than limits.max_failed_share "
                f"({self._limits.max_failed_share:g}) allows. `rejects/` says why. What is done is kept: to go on all "
                "the same, run the same command with --set limits.max_failed_share=1; after a mend, use a new --out"
            )


def build(
    recipe: Recipe,
    out: str,
    n_workers: int = 0,
    watcher: BuildWatcher | None = None,
    engine: Engine = "local",
    address: str = "local",
) -> Manifest:
    """Build, or go on with a build that was interrupted.

    Args:
        recipe: What to make.
        out: Where to write to: a directory or the URL of an object store.
        n_workers: Processes. With 0 the work is done in this process, and what crashes it ends the build. On
            Ray: the most workers of a pool for which the recipe names no number; 0 for as many as there is room for.
        watcher: Told of progress.
        engine: What runs the workers.
        address: Of the Ray cluster; `local` starts one on this machine.

    Returns:
        The manifest of the finished build.

    Raises:
        DatagenError: What the user can mend: recipe, inputs, engines, output, cluster.
    """
    watcher, limit = watcher or Silent(), FailureLimit(recipe.limits)
    store = open_store(out)
    store.sweep()
    work = Pipeline(recipe)
    work.check()
    check_takes(recipe.takes)
    plan = plan_build(work, store)
    if engine == "ray" or n_workers:
        work.release()
    left = missing(store, plan.n_units)
    watcher.planned(plan, plan.n_units - len(left))
    for line in remarks(plan):
        watcher.notice(line)

    def done(marker: Marker) -> None:
        watcher.unit_done(marker)
        limit.count(marker)

    if left:
        if recipe.takes.keep:
            Index.gather(store).write()  # of an earlier run: workers read it in one request
        for marker in markers(store, all_but(left, plan.n_units)):
            limit.count(marker)
        match engine:
            case "ray":
                from datagen.run.ray import run_ray

                run_ray(work, out, left, n_workers, address, done, watcher.notice)
            case "local" if n_workers:
                arguments, n_needed = (recipe.dump(), out), min(n_workers, len(left))
                run_local(Worker.open, arguments, left, n_needed, recipe.limits.attempts, done, watcher.notice)
            case _:
                _run_here(work, plan, store, left, done)
    if recipe.takes.keep and not store.exists(MANIFEST):
        Index.gather(store).write()
    return Manifest.load(store) if store.exists(MANIFEST) else finish(store, plan)


def _run_here(work: Pipeline, plan: Plan, store: Store, units: list[int], done: Done) -> None:
    worker = Worker(work, plan, store)
    for unit in units:
        done(worker.run(unit))
