"""A worker of a build: reads the records of a unit or of a block of it, runs the steps, commits."""

import faulthandler
import platform
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from threadpoolctl import threadpool_limits

from datagen.engines import load
from datagen.errors import EngineError, OutageError, StoreError
from datagen.pipeline.flatten import Flatten
from datagen.pipeline.pipeline import Pipeline
from datagen.pipeline.step import PipelineStage, Step, apply
from datagen.recipe import Recipe
from datagen.records import Dialogue, Reject, Streams
from datagen.run.blocks import has_all, has_block, join_blocks, keep_block
from datagen.run.budget import CpuBudget
from datagen.run.commit import commit_unit, found_unit
from datagen.run.machine import do_without_pandas, keep_freed_memory
from datagen.run.takes import kept_takes
from datagen.shards.identity import differences
from datagen.shards.plan import PLAN, Plan, PlannedInput, blocks_of, load_plan
from datagen.shards.store import Store, open_store
from datagen.shards.unit import Block, Marker
from datagen.text import reader


def warm_up(recipe: Recipe) -> None:
    """Load what the workers of a recipe share, before they are forked: modules, vocabularies and networks."""
    import scipy.fft  # noqa: F401  (and with it scipy.special, both for mixing: as long as all of pyarrow and pydantic)

    do_without_pandas()
    engines = recipe.engines
    load.warm_up("tts", engines.tts.name)
    load.warm_up("speech_tokenizer", engines.speech_tokenizer.name)
    load.warm_up("text_tokenizer", engines.text_tokenizer.name)
    for language in recipe.select.languages:
        reader(language)


class Worker:
    """Stages and engines loaded once, for any number of units."""

    def __init__(self, build: Pipeline, plan: Plan, store: Store, names: Sequence[str] = ()) -> None:
        """Build the stages, which loads their engines.

        Args:
            build: The pipeline.
            plan: The plan whose units are run.
            store: The output, with the plan.
            names: Names of the steps to run; by default all. With several pools, a worker runs
                some.
        """
        self._limits = threadpool_limits(1)  # one worker per core; results must not depend on the number of cores
        keep_freed_memory()
        self._build, self._plan, self._store = build, plan, store
        self._takes = build.shelf = kept_takes(build.recipe, store)
        build.keep_audio = bool(plan.keep_audio)
        self._input = PlannedInput(plan, store)
        steps: list[Step] = [step for step in build.steps() if not names or step.name in names]
        self._stages: list[tuple[Step, PipelineStage[Any, Any]]] = [(step, step.make()) for step in steps]
        self._header = plan.header()
        self._dialogue_seconds: float | None = None
        self._budget = CpuBudget(None)

    @classmethod
    def open(cls, recipe: dict[str, Any], url: str, names: Sequence[str] = ()) -> "Worker":
        """A worker in a separate process.

        The process ends if a dialogue takes longer than `limits.dialogue_seconds` in these steps,
        or if loading the engines takes longer than `limits.start_seconds`. A dialogue that uses more
        processor time than `limits.stage_cpu_seconds` in a step without an engine becomes a reject.
        """
        do_without_pandas()
        store, values = open_store(url), Recipe.model_validate(recipe)
        faulthandler.dump_traceback_later(values.limits.start_seconds, exit=True)
        plan = load_plan(store)
        if plan is None:
            raise StoreError(
                f"a worker finds no {PLAN} in {url}; on a cluster, --out must be accessible from every node"
            )
        build = Pipeline(values)
        worker = cls(build, plan, store, names)
        loaded = build.loaded()
        if faults := differences({kind: plan.identity.engines[kind] for kind in loaded}, loaded, "engines"):
            raise EngineError(f"{platform.node()} has a different engine from the one in the plan: {faults[0]}")
        faulthandler.cancel_dump_traceback_later()
        worker._dialogue_seconds = values.limits.dialogue_seconds
        worker._budget = CpuBudget(values.limits.stage_cpu_seconds)
        return worker

    @cached_property
    def _flatten(self) -> Flatten:
        return self._build.flatten()

    def run(self, unit: int) -> Marker:
        """Make and commit a unit, a block at a time, or finish it if an earlier attempt has decided its content."""
        for block in blocks_of(self._plan, unit):
            marker = self.block(block)
        return marker or self.join(block)

    def block(self, block: Block) -> Marker | None:
        """Make and keep a block, unless it is there; its marker, if it is a whole unit."""
        found = self.begin(block)
        return self.keep(block, self.apply(found)) if isinstance(found, list) else found

    def begin(self, block: Block) -> list[Dialogue | Reject] | Marker | None:
        """The records of a block; of one that an earlier attempt has decided, its marker or nothing."""
        if block.is_unit:
            return found_unit(self._store, block.unit, self._flatten, self._header) or self.records(block)
        return None if has_block(self._store, block) else self.records(block)

    def records(self, block: Block) -> list[Dialogue | Reject]:
        """The records of a block as planned."""
        return self._input.block(block)

    def apply(self, items: Sequence[Any]) -> list[Any]:
        """Run all steps over one item after another, so that little audio is in memory."""
        done: list[Any] = []
        try:
            for item in items:
                if self._dialogue_seconds:  # needs no lock that a hung engine could hold
                    faulthandler.dump_traceback_later(self._dialogue_seconds, exit=True)
                for step, stage in self._stages:
                    item = apply(step.name, stage if step.has_engine else self._budget.over(stage), item)
                done.append(item)
        except OutageError:  # it ends the unit; its speech is worth keeping
            self._keep_takes()
            raise
        finally:
            if self._dialogue_seconds:
                faulthandler.cancel_dump_traceback_later()
        self._keep_takes()
        return done

    def _keep_takes(self) -> None:
        if self._takes:
            self._takes.flush()

    def keep(self, block: Block, results: Sequence[Streams | Reject]) -> Marker | None:
        """Keep a block, or write the files and the marker of the unit that it is."""
        if block.is_unit:
            return commit_unit(self._store, block.unit, results, self._flatten, self._header)
        keep_block(self._store, block, results, self._header)
        return None

    def join(self, block: Block) -> Marker:
        """Commit the unit of a block, now that all its blocks are kept."""
        return join_blocks(self._store, blocks_of(self._plan, block.unit), self._flatten, self._header)

    def join_if_last(self, block: Block) -> Marker | None:
        """Commit the unit of a block if all its blocks are kept."""
        is_last = has_all(self._store, blocks_of(self._plan, block.unit))
        return self.join(block) if is_last else None
