"""A job: work in units, each made and committed exactly once, on one machine or on Ray.

A build, an authoring run, a flattening of stored conversations and an encoding of kept audio are
jobs. A job defines its plan and its workers. This module contains the common part: finished units
are skipped, markers decide which units are finished, and a killed run resumes.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Literal, NoReturn

from typing_extensions import TypeVar

from datagen.errors import StoreError
from datagen.recipe import LimitsConfig, PoolConfig
from datagen.run.board import WorkerState
from datagen.shards.plan import PLAN, I, Plan, read_plan, refuse_another
from datagen.shards.store import Store
from datagen.shards.unit import Block, Marker, whole_units

Engine = Literal["local", "ray"]
_R = TypeVar("_R")


class Watcher:
    """Receives reports of a job's progress; this base class ignores them."""

    def planned(self, plan: Plan[Any], n_done: int) -> None:
        """The plan is ready; `n_done` of its units were finished before."""

    def unit_done(self, marker: Marker) -> None:
        """Another unit is finished."""

    def block_kept(self, block: Block) -> None:
        """Another block of a unit that has several is made and kept."""

    def workers(self, states: Sequence[WorkerState]) -> None:
        """Receive the work of each worker of a cluster. Called about every second, in another thread."""

    def notice(self, line: str) -> None:
        """Report a problem and its handling in one line. Called in any thread."""


@dataclass(frozen=True)
class WorkerPool:
    """Workers of one kind: their construction and the resources that each needs."""

    make: Callable[..., Any]
    """Makes a worker where it runs; importable."""
    arguments: tuple[Any, ...]
    """Arguments of `make`; they can be pickled."""
    needs: PoolConfig = field(default_factory=PoolConfig)
    lanes: int = 0
    """Number of units that a worker runs at once, each in a thread that waits for a server. Such a
    worker is a `Hand`; after an error its other units run to their end. 0: one unit at a time, in a
    separate process, because it may crash."""
    shares: bool = False
    """True if its workers can make parts of a block, as `Worker` can; local ones then share the last blocks."""
    steps: str = ""
    """Names of its steps for people, if there are several pools."""


class WholeUnits:
    """A worker that can leave no record out of a unit, so one that ends it ends the job."""

    doing: ClassVar[str]
    """Its work on a unit for the error, such as `encoding`."""

    def records(self, block: Block) -> NoReturn:
        """Fail, where another worker would give the records to try them one by one.

        Raises:
            StoreError: Always.
        """
        raise StoreError(f"{block}: its worker died while {self.doing} it (out of memory?)")


class Job(ABC, Generic[_R, I]):
    """Work in units. Methods are called in the order of their definition."""

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
        """Release resources for a worker in this process, because there will be none."""

    def remarks(self, plan: Plan[I]) -> Iterable[str]:  # noqa: ARG002
        """Remarks on a plan for the user, one line each, before the work begins."""
        return ()

    def begin(self, store: Store, plan: Plan[I], left: list[int]) -> None:
        """Prepare for the remaining units, if there are any."""

    def blocks(self, store: Store, plan: Plan[I], units: Sequence[int]) -> list[Block]:  # noqa: ARG002
        """The blocks of units that are left to be made, in order; at least one per unit."""
        return whole_units(units)

    @abstractmethod
    def pools(self, out: str, n_workers: int, engine: Engine) -> list[WorkerPool]:
        """Workers outside this process. Only Ray supports several pools; units pass through all of them."""

    def here(self, out: str, plan: Plan[I], store: Store) -> Callable[[int], Marker]:  # noqa: ARG002
        """A function that makes and commits a unit in this process."""
        (pool,) = self.pools(out, 1, "local")
        run: Callable[[int], Marker] = pool.make(*pool.arguments).run
        return run

    def done(self, marker: Marker) -> None:
        """Handle a unit that this run, or before it an earlier one, has finished.

        Raises:
            LimitError: If the job must stop.
        """

    @abstractmethod
    def complete(self, store: Store) -> bool:
        """True if an earlier run has completed the output."""

    @abstractmethod
    def finish(self, store: Store, plan: Plan[I]) -> _R:
        """Complete the output when all units are finished, and return the result of the job."""


def settled(store: Store, wanted: I, make: Callable[[], Plan[I]]) -> Plan[I]:
    """The plan of an output: the existing one, or else the result of `make`.

    Raises:
        ResumeError: If the existing plan has a different identity from `wanted`.
    """
    plan = read_plan(store, type(wanted))
    if plan is None:
        store.create(PLAN, make().to_json())
        plan = read_plan(store, type(wanted))  # that of another driver, if it was faster
    if plan is None:
        raise StoreError(f"{store.url}: {PLAN} disappeared during planning")
    refuse_another(store, plan, wanted)
    return plan
