"""A build from recipe to manifest."""

from typing import Protocol

from datagen.build import Build
from datagen.recipe import Recipe
from datagen.run.commit import Marker
from datagen.run.local import run_local
from datagen.run.manifest import MANIFEST, Manifest, finish
from datagen.run.markers import missing
from datagen.run.plan import Plan, plan_build
from datagen.run.store import open_store


class Watcher(Protocol):
    """Someone who wants to know how a build goes."""

    def planned(self, plan: Plan, n_done: int) -> None:
        """The plan stands; so many units were done before."""
        ...

    def unit_done(self, marker: Marker) -> None:
        """Another unit is done."""
        ...


class Silent:
    """A watcher who does not look."""

    def planned(self, plan: Plan, n_done: int) -> None:
        """Do nothing."""

    def unit_done(self, marker: Marker) -> None:
        """Do nothing."""


def build(recipe: Recipe, out: str, n_workers: int = 1, watcher: Watcher | None = None) -> Manifest:
    """Build, or go on with a build that was interrupted.

    Args:
        recipe: What to make.
        out: Directory to write to.
        n_workers: Processes; with one, the work is done in this process.
        watcher: Told of progress.

    Returns:
        The manifest of the finished build.

    Raises:
        DatagenError: What the user can mend: recipe, inputs, engines, output.
    """
    watcher = watcher or Silent()
    store = open_store(out)
    store.sweep()
    work = Build(recipe)
    work.check()
    plan = plan_build(work, store)
    left = missing(store, plan.n_units)
    watcher.planned(plan, plan.n_units - len(left))
    if left:
        run_local((recipe.identity(), out), left, min(n_workers, len(left)), watcher.unit_done)
    return Manifest.load(store) if store.exists(MANIFEST) else finish(store, plan)
