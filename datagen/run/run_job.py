"""Run a job: in this process, in worker processes, or on Ray."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TypeVar

from datagen.errors import LimitError, OutageError
from datagen.interrupt import remembered
from datagen.run.job import Engine, Job, Watcher, WorkerPool
from datagen.run.local import Hand, run_local
from datagen.run.standing import standing
from datagen.run.supervise import Notice, Warden
from datagen.shards.markers import all_but, missing
from datagen.shards.plan import I, Plan, withdraw
from datagen.shards.store import Store, open_store
from datagen.shards.unit import Marker
from datagen.terminal import counted

_R = TypeVar("_R")
_DIALOGUES_PER_WORKER = 8
"""Fewest dialogues for which a worker that shares a unit is started."""


def run_job(
    job: Job[_R, I],
    out: str,
    n_workers: int = 0,
    watcher: Watcher | None = None,
    engine: Engine = "local",
    address: str = "local",
    *,
    verify: bool = False,
) -> _R:
    """Run a job, or resume one that was interrupted.

    Args:
        job: The job.
        out: Output directory or URL.
        n_workers: Number of processes. With 0 the work is done in this process, and a crash ends
            the job. On Ray: the maximum number of workers of a pool without a number in the recipe;
            0 to fill the cluster.
        watcher: Receives reports of progress.
        engine: `local` processes or `ray`.
        address: Address of the Ray cluster; `local` starts one on this machine.
        verify: If true, files of finished units are read and their hashes compared before the work
            continues; otherwise only their sizes, if the run is unfinished.

    Raises:
        DatagenError: If the user can fix the fault: in recipe, inputs, engines, output or cluster.
    """
    watcher = watcher or Watcher()
    with remembered(), ExitStack() as stack:
        if engine == "ray" and not job.complete(open_store(out)):
            from datagen.run.ray import reached

            stack.enter_context(reached(address, watcher.notice))  # one that cannot be reached leaves no plan behind
        return _run(job, out, n_workers, watcher, engine, address, verify)


def _run(job: Job[_R, I], out: str, n_workers: int, watcher: Watcher, engine: Engine, address: str, verify: bool) -> _R:
    store = open_store(out)
    store.sweep()
    plan = job.plan(store)
    if n_workers or engine == "ray":
        job.release()
    left = missing(store, plan.n_units)
    for marker in _finished(job, store, plan, left, verify=verify):
        job.done(marker)
    watcher.planned(plan, plan.n_units - len(left))
    if left:
        _begin(job, store, plan, left)
    for line in job.remarks(plan):
        watcher.notice(line)

    def done(marker: Marker) -> None:
        watcher.unit_done(marker)
        job.done(marker)

    if left:
        with _outages_tell_what_is_done(store, plan):
            if engine == "ray":
                from datagen.run.ray import run_ray

                blocks_of, see = partial(job.blocks, store, plan), (watcher.notice, watcher.workers, watcher.block_kept)
                run_ray(job, out, left, n_workers, address, done, *see, blocks_of)
            elif n_workers:
                (pool,), blocks = job.pools(out, n_workers, engine), job.blocks(store, plan, left)
                n_hands = min(n_workers, _n_useful(pool, plan, len(left), len(blocks)))
                hands = _hands(pool, n_hands, job.limits.attempts, watcher.notice)
                run_local(hands, blocks, done, watcher.block_kept, patient=pool.lanes > 0, shares=pool.shares)
            else:
                run = job.here(out, plan, store)
                for unit in left:
                    done(run(unit))
    result = job.finish(store, plan)
    store.sweep()  # leftovers of workers that died in this run
    return result


@contextmanager
def _outages_tell_what_is_done(store: Store, plan: Plan[I]) -> Iterator[None]:
    """Add to an outage how many units are done, and how to continue."""
    try:
        yield
    except OutageError as error:
        n_done = plan.n_units - len(missing(store, plan.n_units))
        done = f"{n_done} of {counted(plan.n_units, 'unit')} done and kept"
        raise OutageError(f"{error}. {done}; the same command resumes it") from error


def _begin(job: Job[_R, I], store: Store, plan: Plan[I], left: list[int]) -> None:
    """Begin the work; a run that would keep nothing leaves nothing, so that the corrected one may use the output."""
    try:
        job.begin(store, plan, left)
    except LimitError:
        if len(left) == plan.n_units:
            withdraw(store)
        raise


def _finished(job: Job[_R, I], store: Store, plan: Plan[I], left: list[int], *, verify: bool) -> Iterator[Marker]:
    """Markers of the units that an earlier run finished; none if that run was complete and need not be verified."""
    if verify or not job.complete(store):
        yield from standing(store, all_but(left, plan.n_units), plan, hashes=verify)


def _n_useful(pool: WorkerPool, plan: Plan[I], n_units: int, n_blocks: int) -> int:
    """The number of workers that have enough to do, because each takes time to start."""
    return max(n_blocks, n_units * plan.unit_dialogues // _DIALOGUES_PER_WORKER if pool.shares else 0)


def _hands(pool: WorkerPool, n_workers: int, attempts: int, notice: Notice) -> list[Hand]:
    if not pool.lanes:
        return [Warden(pool.make, pool.arguments, attempts, notice) for _ in range(n_workers)]
    worker: Hand = pool.make(*pool.arguments)
    return [worker] * pool.lanes
