"""A build from recipe to manifest."""

import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from typing_extensions import override

from datagen.errors import LimitError
from datagen.pipeline.pipeline import Pipeline
from datagen.recipe import LimitsConfig, Recipe, refuse_secrets
from datagen.run.blocks import left_blocks, remove_blocks
from datagen.run.finish import finish
from datagen.run.job import Engine, Job, Watcher, WorkerPool
from datagen.run.kept import Kept
from datagen.run.planning import plan_build, remarks
from datagen.run.preflight import estimate, notices, preflight
from datagen.run.run_job import run_job
from datagen.run.takes import Index
from datagen.run.worker import Worker
from datagen.shards.manifest import MANIFEST, Manifest
from datagen.shards.plan import Plan
from datagen.shards.store import Store
from datagen.shards.unit import Block, Marker, whole_units

_BEFORE_SPEECH = ("source", "plan", "select", "read")
"""Stages whose rejects are due to the input and do not count as failures of the build."""


def build(
    recipe: Recipe,
    out: str,
    n_workers: int = 0,
    watcher: Watcher | None = None,
    engine: Engine = "local",
    address: str = "local",
    *,
    verify: bool = False,
) -> Manifest:
    """Build, or resume a build that was interrupted.

    Args:
        recipe: The recipe.
        out: Output directory, or the URL of an object store.
        n_workers: Number of workers, as in `run_job`.
        watcher: Receives reports of progress.
        engine: `local` processes or `ray`.
        address: Address of the Ray cluster; `local` starts one on this machine.
        verify: If true, hashes of finished units' files are compared before a build is resumed;
            otherwise only their sizes.

    Returns:
        The manifest of the finished build.

    Raises:
        DatagenError: If the user can fix the fault: in recipe, inputs, engines, output or cluster.
    """
    refuse_secrets(recipe.dump(), recipe.name)
    return run_job(BuildJob(recipe), out, n_workers, watcher, engine, address, verify=verify)


class BuildJob(Job[Manifest]):
    """A build: workers run the pipeline over the dialogues of a unit."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe, self._pipeline = recipe, Pipeline(recipe)
        self._failures, self._kept = FailureLimit(recipe.limits), Kept(recipe.limits.max_rejected_share)
        self._skipped, self._for_workers = list[str](), dict[str, Any]()
        self.limits = recipe.limits
        self.unit_seconds = recipe.run.unit_dialogues * recipe.limits.dialogue_seconds

    @override
    def plan(self, store: Store) -> Plan:
        preflight(self._pipeline, store)
        self._failures = FailureLimit(self._recipe.limits, _rejects_of(store))
        self._skipped, self._for_workers = notices(self._pipeline), self._pipeline.worker_recipe()
        return plan_build(self._pipeline, store)

    @override
    def release(self) -> None:
        self._pipeline.release()

    @override
    def remarks(self, plan: Plan) -> list[str]:
        return [*remarks(plan), *self._skipped]

    @override
    def begin(self, store: Store, plan: Plan, left: list[int]) -> None:
        estimate(self._recipe, plan, store, store, len(left))
        if self._recipe.takes.keep:
            Index.gather(store).write()  # of an earlier run: workers read it in one request

    @override
    def blocks(self, store: Store, plan: Plan, units: Sequence[int]) -> list[Block]:
        return left_blocks(store, plan, units) if self._recipe.run.units_per_file > 1 else whole_units(units)

    @override
    def pools(self, out: str, n_workers: int, engine: Engine) -> list[WorkerPool]:
        arguments = self._for_workers, out
        if engine == "local":
            return [WorkerPool(Worker.open, arguments, shares=self._recipe.run.unit_dialogues > 1)]
        pools = self._pipeline.pools()
        return [
            WorkerPool(Worker.open, (*arguments, names), needs, steps=", ".join(names) if len(pools) > 1 else "")
            for needs, names in pools
        ]

    @override
    def here(self, out: str, plan: Plan, store: Store) -> Callable[[int], Marker]:
        return Worker(self._pipeline, plan, store).run

    @override
    def done(self, marker: Marker) -> None:
        self._failures.count(marker)
        self._kept.count(marker)

    @override
    def complete(self, store: Store) -> bool:
        return store.exists(MANIFEST)

    @override
    def finish(self, store: Store, plan: Plan) -> Manifest:
        if self._recipe.run.units_per_file > 1:
            remove_blocks(store)
        if self.complete(store):
            return Manifest.load(store)
        self._kept.check(store, _rejects_of(store))
        if self._recipe.takes.keep:
            Index.gather(store).write()
        return finish(store, plan)


def _rejects_of(store: Store) -> str:
    """The command that shows the rejects of an output."""
    return f"`datagen rejects {shlex.quote(store.url)}`"


class FailureLimit:
    """Stops a build in which too many selected dialogues fail."""

    def __init__(self, limits: LimitsConfig, see: str = "`datagen rejects OUT`") -> None:
        self._limits, self._see, self._n_kept, self._failed = limits, see, 0, Counter[str]()

    def count(self, marker: Marker) -> None:
        """Add one more unit.

        Raises:
            LimitError: If the share of failures exceeds the limit; explains how to continue.
        """
        self._n_kept += marker.n_kept
        self._failed.update({r: n for r, n in marker.rejects.items() if r.split("/")[0] not in _BEFORE_SPEECH})
        n_failed = self._failed.total()
        n_selected = self._n_kept + n_failed
        if n_selected >= self._limits.min_dialogues and n_failed > self._limits.max_failed_share * n_selected:
            worst = ", ".join(f"{reason} {n}" for reason, n in self._failed.most_common(3))
            raise LimitError(
                f"{n_failed} of {n_selected} selected dialogues failed ({worst}), more than limits.max_failed_share "
                f"({self._limits.max_failed_share:g}) allows. {self._see} shows where and why. Finished units are "
                "kept: to continue anyway, run the same command with --set limits.max_failed_share=1; after a fix, use "
                "a new --out"
            )
