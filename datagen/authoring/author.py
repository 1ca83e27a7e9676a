"""A run that writes, from recipe to summary: units, each once, resumed where it stopped."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Literal

from datagen.authoring.authored import Item, Written
from datagen.authoring.authored_commit import commit_writing
from datagen.authoring.authoring import Writer
from datagen.authoring.authoring_config import WriteRecipe
from datagen.authoring.authoring_plan import WriteIdentity, hashes, plan_writing, planned
from datagen.authoring.llm_client import Client, key_of_server
from datagen.authoring.reply_cache import Cache
from datagen.authoring.spend import NOTHING, Usage
from datagen.errors import ResumeError
from datagen.records import Reject
from datagen.shards.identity import plain
from datagen.shards.markers import Tally, markers, missing
from datagen.shards.plan import Plan
from datagen.shards.store import Store, open_store
from datagen.shards.unit import Marker

SUMMARY = "written.json"
Done = Callable[[Marker], None]
Engine = Literal["local", "ray"]


@dataclass(frozen=True)
class Summary:
    """What a finished run has written."""

    n_records: int
    n_kept: int
    digest: str
    rejects: dict[str, int] = field(default_factory=dict)
    usage: Usage = NOTHING
    """Of all answers that are kept, those of earlier runs included."""
    n_answers: int = 0


class AuthoringWatcher:
    """Someone who wants to know how a run goes; this one does not."""

    def planned(self, plan: Plan[WriteIdentity], n_done: int) -> None:
        """The plan stands; so many units were done before."""

    def unit_done(self, marker: Marker) -> None:
        """Another unit is done."""

    def notice(self, line: str) -> None:
        """Something went wrong and was mended."""


def write(
    recipe: WriteRecipe,
    out: str,
    watcher: AuthoringWatcher | None = None,
    engine: Engine = "local",
    n_workers: int = 0,
    address: str = "local",
) -> Summary:
    """Write, or go on where an earlier run stopped.

    Args:
        recipe: What to write, and by whom.
        out: Output directory or URL; `dialogues/` in it is what a build reads.
        watcher: Told how it goes.
        engine: This process, or actors on a Ray cluster, among which concurrency, rates and budget are shared out.
        n_workers: Actors on Ray; 0 for two.
        address: Of the Ray cluster; `local` starts one on this machine.

    Raises:
        DatagenError: What the user can mend: recipe, input, output, server, budget.
    """
    watcher = watcher or AuthoringWatcher()
    key_of_server(recipe.llm)
    store = open_store(out)
    store.sweep()
    plan = plan_writing(recipe, store)
    left = missing(store, plan.n_units)
    watcher.planned(plan, plan.n_units - len(left))
    if left and engine == "ray":
        from datagen.authoring.authoring_ray import run_ray

        run_ray(recipe, out, left, n_workers or 2, address, watcher)
    elif left:
        asyncio.run(_run(recipe, plan, store, left, watcher.unit_done))
    return _summary(store, plan)


class Units:
    """Makes units in one event loop, a few at a time; one client and one writer for all."""

    def __init__(self, recipe: WriteRecipe, plan: Plan[WriteIdentity], store: Store, spent: Usage) -> None:
        """Connect to nothing yet."""
        if hashes(recipe) != plan.identity.prompts:
            raise ResumeError("the prompts here are not those the run was planned with; every node must see the same")
        self._plan, self._store = plan, store
        self.client = Client(recipe.llm, store, spent=spent)
        self._writer = Writer(recipe, self.client)

    async def make(self, unit: int) -> Marker:
        """Write a unit and commit it.

        Raises:
            DatagenError: What stops the run.
        """
        records = await asyncio.to_thread(planned, self._plan, self._store, unit)
        written = iter(await self._writer.write_all([r for r in records if not isinstance(r, Reject)]))
        results: list[Written | Reject] = [r if isinstance(r, Reject) else next(written) for r in records]
        return await asyncio.to_thread(commit_writing, self._store, unit, results)


def units_at_once(recipe: WriteRecipe) -> int:
    """So many units that the server never waits for records: their requests are twice what may be under way."""
    return max(2, ceil(2 * recipe.llm.concurrency / recipe.unit_records))


def spent(recipe: WriteRecipe, store: Store) -> Usage:
    """What earlier runs of an output have spent; only a budget asks for it."""
    budget = recipe.llm.budget
    return NOTHING if budget.tokens is None and budget.money is None else Cache(store).spent()


async def _run(recipe: WriteRecipe, plan: Plan[WriteIdentity], store: Store, left: Iterable[int], done: Done) -> None:
    units = Units(recipe, plan, store, spent(recipe, store))
    async with units.client:
        await _in_turn(units.make, iter(left), units_at_once(recipe), done)


async def _in_turn(make: Callable[[int], Any], left: Any, n_at_once: int, done: Done) -> None:
    """Make units, a few at a time. After an error none is begun, and those under way come to their end.

    Whoever interrupts this ends them too, before the client is closed: without one a unit would decide wrongly.
    """
    under_way: set[asyncio.Task[Marker]] = set()
    failed: BaseException | None = None
    try:
        while True:
            while failed is None and len(under_way) < n_at_once and (unit := next(left, None)) is not None:
                under_way.add(asyncio.create_task(make(unit)))
            if not under_way:
                break
            ended, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                if error := task.exception():
                    failed = failed or error
                else:
                    done(task.result())
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
    if failed:
        raise failed


def _summary(store: Store, plan: Plan[WriteIdentity]) -> Summary:
    """Sum up a finished run, and say so in the output."""
    tally = Tally()
    for marker in markers(store, range(plan.n_units)):
        tally.add(marker)
    n_answers, usage = 0, Usage()
    for answer in Cache(store).all():
        n_answers, usage = n_answers + 1, usage + answer.usage
    found = Summary(tally.n_records, tally.n_kept, f"{tally.digest:032x}", dict(tally.rejects), usage, n_answers)
    values = {
        "identity": plain(plan.identity),
        "n_records": found.n_records,
        "n_kept": found.n_kept,
        "digest": found.digest,
    }
    store.create(SUMMARY, json.dumps({**values, "rejects": Counter(found.rejects)}, sort_keys=True, indent=1).encode())
    return found


def counted(items: Iterable[Item | Reject]) -> list[Item]:
    """The records that will be written, of an input; what a dry run counts."""
    return [item for item in items if not isinstance(item, Reject)]
