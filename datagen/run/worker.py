"""What one worker does with one unit: read its records, run the steps, commit. The same on every engine."""

from collections.abc import Sequence
from typing import Any

from threadpoolctl import threadpool_limits

from datagen.build import Build
from datagen.recipe import Recipe
from datagen.records import Dialogue, Reject, Streams
from datagen.run.commit import Marker, commit_unit
from datagen.run.memory import keep_freed_memory
from datagen.run.plan import Plan, PlannedInput, load_plan
from datagen.run.store import Store, open_store
from datagen.step import Stage, apply


class Worker:
    """Stages built once, then any number of units."""

    def __init__(self, build: Build, plan: Plan, store: Store) -> None:
        """Build every stage; this is where engines are loaded."""
        self._limits = threadpool_limits(1)  # one worker a core, and results that do not depend on the machine's cores
        keep_freed_memory()
        self._store = store
        self._input = PlannedInput(plan, store)
        self._stages: list[tuple[str, Stage]] = [(step.name, step.make()) for step in build.steps()]
        self._batch_size = max(step.batch_size for step in build.steps())
        self._flatten = build.flatten()
        self._header = header(plan)

    @classmethod
    def open(cls, recipe: dict[str, Any], url: str) -> "Worker":
        """A worker in a process of its own, from what can be sent there."""
        store = open_store(url)
        plan = load_plan(store)
        if plan is None:
            raise RuntimeError(f"{url} holds no plan")
        return cls(Build(Recipe.model_validate(recipe)), plan, store)

    def run(self, unit: int) -> Marker:
        """Make and commit a unit."""
        return commit_unit(self._store, unit, self.results(self._input.unit(unit)), self._flatten, self._header)

    def results(self, records: Sequence[Dialogue | Reject]) -> list[Streams | Reject]:
        """Run all steps over the records, a small batch from end to end at a time, so audio never piles up."""
        done: list[Streams | Reject] = []
        for begin in range(0, len(records), self._batch_size):
            batch: list[Any] = list(records[begin : begin + self._batch_size])
            for name, stage in self._stages:
                batch = apply(name, stage, batch)
            done.extend(batch)
        return done


def header(plan: Plan) -> dict[str, Any]:
    """What every data file says of itself."""
    names = ("data_version", "recipe_sha256", "engines", "vocabulary", "clock", "silence")
    return {**{name: plan.identity[name] for name in names}, "flatten": plan.identity["recipe"]["flatten"]}
