"""A job: work in units, each made and committed exactly once, on one machine or on Ray.

A build, an authoring run and a flattening of stored conversations are jobs. A job knows its plan
and its workers; here is what they share: units that are done are skipped, success is judged from
markers, and a killed run resumes.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, Literal

from typing_extensions import TypeVar

from datagen.errors import StoreError
from datagen.recipe import LimitsConfig, PoolConfig
from datagen.run.local import Hand, run_local
from datagen.run.supervise import Notice, Warden
from datagen.shards.markers import missing
from datagen.shards.plan import PLAN, I, Plan, read_plan, refuse_another
from datagen.shards.store import Store, open_store
from datagen.shards.unit import Marker

Engine = Literal["local", "ray"]
_R = TypeVar("_R")


class Watcher:
    """Is informed of a job's progress; this one ignores it."""

    def planned(self, plan: Plan[Any], n_done: int) -> None:
        """The plan stands; `n_done` of its units were done before."""

    def unit_done(self, marker: Marker) -> None:
        """Another unit is done."""

    def notice(self, line: str) -> None:
        """One line on a problem and what was done about it. Called in any thread."""


@dataclass(frozen=True)
class WorkerPool:
    """Workers of one kind: how each is made, and what it needs of a node."""

    make: Callable[..., Any]
    """Makes a worker where it runs; importable."""
    arguments: tuple[Any, ...]
    """Arguments of `make`; they can be pickled."""
    needs: PoolConfig = field(default_factory=PoolConfig)
    lanes: int = 0
    """Units that a worker has under way, each in a thread that waits for a server. Such a worker is
    a `Hand`; after an error its other units run to their end. 0: one unit at a time, in a process
    of its own, because it may crash."""


class Job(ABC, Generic[_R, I]):
    """Work in units. Methods are called in the order in which they stand here."""

    limits = LimitsConfig()
    """Attempts per unit, and the time to wait for nodes."""
    unit_seconds = 3600.0
    """Longest time that a unit takes."""

    @abstractmethod
    def plan(self, store: Store) -> Plan[I]:
        """Plan the job, or find the plan to resume; `settled` does both.

        Raises:
            ResumeError: If the output belongs to another job.
        """

    def release(self) -> None:
        """Release what the job holds for a worker in this process: there will be none."""

    def remarks(self, plan: Plan[I]) -> Iterable[str]:  # noqa: ARG002
        """Lines about a plan that the user should read before the work begins."""
        return ()

    def begin(self, store: Store, plan: Plan[I], left: list[int]) -> None:
        """Prepare for the units that are left, if there are any."""

    @abstractmethod
    def pools(self, out: str, n_workers: int, engine: Engine) -> list[WorkerPool]:
        """Workers outside this process. Only Ray takes several pools; units pass through them all."""

    def here(self, out: str, plan: Plan[I], store: Store) -> Callable[[int], Marker]:  # noqa: ARG002
        """Makes and commits a unit in this process."""
        (pool,) = self.pools(out, 1, "local")
        run: Callable[[int], Marker] = pool.make(*pool.arguments).run
        return run

    def done(self, marker: Marker) -> None:
        """A unit is done.

        Raises:
            LimitError: If the job must stop.
        """

    @abstractmethod
    def finish(self, store: Store, plan: Plan[I]) -> _R:
        """Sum up the job when all units are done, in the output too."""


def run_job(
    job: Job[_R, I],
    out: str,
    n_workers: int = 0,
    watcher: Watcher | None = None,
    engine: Engine = "local",
    address: str = "local",
) -> _R:
    """Run a job, or resume one that was interrupted.

    Args:
        job: The job.
        out: Output directory or URL.
        n_workers: Processes. With 0 the work is done in this process, and what crashes it ends the
            job. On Ray: the most workers of a pool for which the recipe names no number; 0 for as
            many as there is room for.
        watcher: Informed of progress.
        engine: What runs the workers.
        address: Of the Ray cluster; `local` starts one on this machine.

    Raises:
        DatagenError: What the user can fix: recipe, inputs, engines, output, cluster.
    """
    watcher = watcher or Watcher()
    store = open_store(out)
    store.sweep()
    plan = job.plan(store)
    if n_workers or engine == "ray":
        job.release()
    left = missing(store, plan.n_units)
    watcher.planned(plan, plan.n_units - len(left))
    for line in job.remarks(plan):
        watcher.notice(line)

    def done(marker: Marker) -> None:
        watcher.unit_done(marker)
        job.done(marker)

    if left:
        job.begin(store, plan, left)
        if engine == "ray":
            from datagen.run.ray import run_ray

            run_ray(job, out, left, n_workers, address, done, watcher.notice)
        elif n_workers:
            (pool,) = job.pools(out, n_workers, engine)
            hands = _hands(pool, min(n_workers, len(left)), job.limits.attempts, watcher.notice)
            run_local(hands, left, done, patient=pool.lanes > 0)
        else:
            run = job.here(out, plan, store)
            for unit in left:
                done(run(unit))
    return job.finish(store, plan)


def _hands(pool: WorkerPool, n_workers: int, attempts: int, notice: Notice) -> list[Hand]:
    if not pool.lanes:
        return [Warden(pool.make, pool.arguments, attempts, notice) for _ in range(n_workers)]
    worker: Hand = pool.make(*pool.arguments)
    return [worker] * pool.lanes


def settled(store: Store, wanted: I, make: Callable[[], Plan[I]]) -> Plan[I]:
    """The plan of an output: the one that stands there, else the one that `make` makes.

    Raises:
        ResumeError: If the one that stands there has another identity than `wanted`.
    """
    plan = read_plan(store, type(wanted))
    if plan is None:
        store.create(PLAN, make().to_json())
        plan = read_plan(store, type(wanted))  # that of another driver, if it was faster
    if plan is None:
        raise StoreError(f"{store.url}: {PLAN} disappeared during planning")
    refuse_another(store, plan, wanted)
    return plan
