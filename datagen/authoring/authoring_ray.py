"""Units on a Ray cluster: actors, each with its share of concurrency, rates and budget.

A unit is committed once whoever makes it, and answers are kept in the output that all see, so Ray may repeat what it
lost.
"""

from collections.abc import Sequence
from typing import Any

from datagen.authoring.author import AuthoringWatcher, Units, spent, units_at_once
from datagen.authoring.authoring_config import Budget, Llm, WriteRecipe
from datagen.authoring.authoring_plan import WriteIdentity
from datagen.authoring.spend import NOTHING, Usage
from datagen.errors import ClusterError, DatagenError
from datagen.run.ray import cluster
from datagen.shards.plan import read_plan
from datagen.shards.store import open_store
from datagen.shards.unit import Marker

_RESTARTS = 3


def run_ray(
    recipe: WriteRecipe, out: str, units: Sequence[int], n_workers: int, address: str, watcher: AuthoringWatcher
) -> None:
    """Run units to their end.

    Raises:
        ClusterError: If the cluster is not there, or loses its workers again and again.
        DatagenError: As a worker raised it.
    """
    with cluster(address, n_workers, watcher.notice):
        import ray

        n_workers = min(n_workers, len(units))
        share = shared(recipe, n_workers, spent(recipe, open_store(out)))
        actor = ray.remote(num_cpus=1, max_restarts=_RESTARTS, max_task_retries=_RESTARTS)(_Actor)
        actor = actor.options(max_concurrency=units_at_once(share))
        actors = [actor.remote(share.dump(), out) for _ in range(n_workers)]
        left, under_way, failed = iter(units), dict[Any, Any](), list[DatagenError]()
        for hand in range(units_at_once(share) * n_workers):
            _next(left, actors[hand % n_workers], under_way)
        while under_way:
            (ref,), _ = ray.wait(list(under_way), num_returns=1)
            hand = under_way.pop(ref)
            found = _made(ref)
            if isinstance(found, DatagenError):
                failed.append(found)
                continue
            watcher.unit_done(Marker.from_json(found, "a unit"))
            if not failed:
                _next(left, hand, under_way)
        if failed:
            raise failed[0]


def _made(ref: Any) -> bytes | DatagenError:
    """What an actor made of a unit, or what stops the run."""
    import ray

    try:
        found: bytes | DatagenError = ray.get(ref)
    except ray.exceptions.RayError as error:
        return ClusterError(f"Ray lost a worker ({type(error).__name__}); run the same command again to go on")
    return found


def shared(recipe: WriteRecipe, n_workers: int, before: Usage) -> WriteRecipe:
    """The recipe of one worker of several: its share of what may be under way, and of what is left of the budget.

    >>> values = {"name": "r", "input": {"topics": "t"}, "tasks": ["dialogue"], "llm": {"model": "m", "concurrency": 9}}
    >>> shared(WriteRecipe.model_validate(values), 2, NOTHING).llm.concurrency
    4
    """
    llm, budget = recipe.llm, recipe.llm.budget

    def part(whole: int | None) -> int | None:
        return None if whole is None else max(whole // n_workers, 1)

    tokens = None if budget.tokens is None else max(budget.tokens - before.tokens, n_workers) // n_workers
    money = None if budget.money is None else max(budget.money - before.money(llm.prices), 1e-9) / n_workers
    values = {
        "concurrency": part(llm.concurrency),
        "requests_per_minute": part(llm.requests_per_minute),
        "tokens_per_minute": part(llm.tokens_per_minute),
        "budget": Budget(tokens=tokens, money=money),
    }
    return recipe.model_copy(update={"llm": Llm.model_validate(llm.model_dump() | values)})


def _next(left: Any, actor: Any, under_way: dict[Any, Any]) -> None:
    """Give an actor the next unit, if there is one."""
    if (unit := next(left, None)) is not None:
        under_way[actor.unit.remote(unit)] = actor


class _Actor:
    """Makes units in the event loop of a Ray actor."""

    def __init__(self, recipe: dict[str, Any], out: str) -> None:
        self._recipe, self._store = WriteRecipe.model_validate(recipe), open_store(out)
        self._units: Units | None = None

    async def unit(self, unit: int) -> bytes | DatagenError:
        """The marker of a unit; what stops the run comes back as a value, for Ray would wrap it."""
        try:
            if self._units is None:
                plan = read_plan(self._store, WriteIdentity)
                if plan is None:
                    return ClusterError(
                        f"a worker finds no plan in {self._store.url}; --out must be seen by every node"
                    )
                self._units = Units(self._recipe, plan, self._store, NOTHING)
            return (await self._units.make(unit)).to_json()
        except DatagenError as error:
            return error
