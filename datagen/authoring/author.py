"""An authoring run, from recipe to summary: a job whose workers ask a language model."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from typing_extensions import override

from datagen.authoring.authored import Item
from datagen.authoring.authoring import Result, Writer, is_of_type
from datagen.authoring.authoring_config import Budget, Llm, WriteRecipe
from datagen.authoring.authoring_units import SERVER, WriteIdentity, commit_authored, hashes, plan_authoring, planned
from datagen.authoring.dialect import Dialect
from datagen.authoring.judge import JudgeAgreement
from datagen.authoring.live import Live
from datagen.authoring.llm_client import Client, key_of_server
from datagen.authoring.outcome import agreement_of, near_duplicates
from datagen.authoring.preflight import preflight
from datagen.authoring.reopen import reopen, reopened
from datagen.authoring.reply_cache import Cache
from datagen.authoring.spend import NOTHING, Usage
from datagen.errors import ClusterError, EngineError, ResumeError
from datagen.recipe import PoolConfig
from datagen.records import Reject
from datagen.run.job import Engine, Job, Watcher, WorkerPool
from datagen.run.kept import Kept, probe
from datagen.run.run_job import run_job
from datagen.shards import digest
from datagen.shards.identity import json_values
from datagen.shards.markers import Tally, markers
from datagen.shards.plan import Plan, read_plan
from datagen.shards.seal import document
from datagen.shards.store import Store, open_store
from datagen.shards.unit import Marker

SUMMARY = "written.json"
_AGAIN = "after a fix, run it again with --retry-rejects, or use a new --out"
_MOST_LANES = 512
_ACTORS = 2
"""On Ray, if no number is given."""


@dataclass(frozen=True)
class Summary:
    """The result of a finished run."""

    n_records: int
    n_kept: int
    digest: str
    rejects: dict[str, int] = field(default_factory=dict)
    usage: Usage = NOTHING
    """Of all answers that are kept, those of earlier runs included."""
    n_answers: int = 0
    near_duplicates: float = 0.0
    """Share of kept dialogues that nearly repeat an earlier one."""
    agreement: JudgeAgreement | None = None
    """Of two wordings of the judge's prompt, on kept dialogues; None if none was judged twice."""


def write(
    recipe: WriteRecipe,
    out: str,
    watcher: Watcher | None = None,
    engine: Engine = "local",
    n_workers: int = 0,
    address: str = "local",
    *,
    retry: str | None = None,
    live: Live | None = None,
) -> Summary:
    """Author dialogues, or resume a run that was interrupted.

    Args:
        recipe: What to author, and with which model.
        out: Output directory or URL; a build reads `dialogues/` in it.
        watcher: Informed of progress.
        engine: This process, or actors on a Ray cluster, among which concurrency, rates and budget
            are shared out.
        n_workers: Actors on Ray; 0 for two.
        address: Of the Ray cluster; `local` starts one on this machine.
        retry: Open rejects of this reason again, first; empty: of all reasons that another answer could change.
        live: Counts answers while they come; on Ray those of the preflight only.

    Raises:
        DatagenError: What the user can fix: recipe, input, output, server, budget.
    """
    key_of_server(recipe.llm)
    if retry is not None:
        store = open_store(out)
        plan = plan_authoring(recipe, store)
        n = reopen(store, plan, retry, SUMMARY)
        (watcher or Watcher()).notice(f"{n} rejected records are opened again")
    job = AuthoringJob(recipe, watcher or Watcher(), live or Live())
    return run_job(job, out, n_workers or _ACTORS, watcher, engine, address)


class AuthoringJob(Job[Summary, WriteIdentity]):
    """An authoring run. Each worker has several units under way, so the server never waits."""

    def __init__(self, recipe: WriteRecipe, watcher: Watcher | None = None, live: Live | None = None) -> None:
        self._recipe, self._n_left, self._spent = recipe, 0, NOTHING
        self._watcher, self._live = watcher or Watcher(), live or Live()
        self._dialect: Dialect | None = None
        self._kept = Kept(recipe.limits.max_rejected_share, _AGAIN)
        self._open = Counter[str]()
        llm = recipe.llm
        n_requests = recipe.unit_records * len(recipe.tasks) * llm.attempts * (llm.retries + 1)
        self.unit_seconds = n_requests * (llm.timeout_seconds + llm.max_wait_seconds)

    @override
    def plan(self, store: Store) -> Plan[WriteIdentity]:
        return plan_authoring(self._recipe, store)

    @override
    def begin(self, store: Store, plan: Plan[WriteIdentity], left: list[int]) -> None:
        def records(units: Iterable[int]) -> Iterator[Item | Reject]:
            return (record for unit in units for record in planned(plan, store, unit))

        probe(records(range(plan.n_units)), plan.n_records, self._recipe.limits.max_rejected_share)
        self._n_left = len(left)
        budget = self._recipe.llm.budget
        if budget.tokens is not None or budget.money is not None:
            self._spent = Cache(store).spent()
        n_left = sum(not isinstance(record, Reject) for record in records(left))
        self._live.n_left = n_left
        if n_left:
            found = asyncio.run(
                preflight(
                    self._recipe, store, records(left), n_left,
                    fresh=reopened(store).fresh, spent=self._spent, live=self._live,
                )
            )  # fmt: skip
            self._dialect = found.dialect if self._recipe.llm.structured == "auto" else None
            for line in found.lines():
                self._watcher.notice(line)
            if found.context_tokens and self._recipe.llm.context_tokens is None:
                llm = self._recipe.llm.model_copy(update={"context_tokens": found.context_tokens})
                self._recipe = self._recipe.model_copy(update={"llm": llm})

    @override
    def pools(self, out: str, n_workers: int, engine: Engine) -> list[WorkerPool]:
        recipe, spent, needs = self._recipe, self._spent + self._live.usage, PoolConfig()
        if engine == "ray":
            n_workers = min(n_workers, self._n_left)
            recipe, spent, needs = shared(recipe, n_workers, spent), NOTHING, PoolConfig(max_workers=n_workers)
        lanes = max(2, min(ceil(2 * recipe.llm.n_open / recipe.unit_records), _MOST_LANES))
        live = None if engine == "ray" else self._live
        return [WorkerPool(AuthoringWorker, (recipe.dump(), out, spent, self._dialect, live), needs, lanes)]

    @override
    def done(self, marker: Marker) -> None:
        self._kept.count(marker)
        self._open.update({name: n for name, n in marker.rejects.items() if name.startswith(f"{SERVER}/")})

    @override
    def complete(self, store: Store) -> bool:
        return store.exists(SUMMARY)

    @override
    def finish(self, store: Store, plan: Plan[WriteIdentity]) -> Summary:
        if self._open:
            raise EngineError(_unanswered(store.url, self._open))
        if not self.complete(store):
            self._kept.check(store)
        near = near_duplicates(store, plan, self._recipe.limits.max_near_duplicates)
        tally = Tally()
        for marker in markers(store, range(plan.n_units), plan.seal):
            tally.add(marker)
        n_answers, usage = 0, NOTHING
        for answer in Cache(store).all():
            n_answers, usage = n_answers + 1, usage + answer.usage
        rejects, found = dict(tally.rejects), digest.to_text(tally.digest)
        counts = {"n_records": tally.n_records, "n_kept": tally.n_kept, "digest": found, "rejects": rejects}
        counts["near_duplicates"] = near
        store.create(SUMMARY, document({"identity": json_values(plan.identity), **counts}, ascii=True))
        return Summary(tally.n_records, tally.n_kept, found, rejects, usage, n_answers, near, agreement_of(store, plan))


def _unanswered(url: str, reasons: Mapping[str, int]) -> str:
    """The error of a run in which the server has not answered all records."""
    n = sum(reasons.values())
    shown = ", ".join(f"{name.partition('/')[2]} {count}" for name, count in Counter(reasons).most_common(4))
    return (
        f"{url}: the server gave no answer to {n} records ({shown}). Nothing is decided about them, and their units "
        "stay open; all answers are kept. Run the same command again to continue, with other settings of llm if "
        "needed, or reject such records with --set limits.reject_unanswered=true"
    )


def shared(recipe: WriteRecipe, n_workers: int, before: Usage) -> WriteRecipe:
    """The recipe of one of several workers: its share of concurrency, rates and remaining budget.

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


class AuthoringWorker:
    """Author of units for several threads at once, with one event loop in its own thread.

    After an error no unit is begun. Units that are stopped decide nothing: their tasks end before
    the client closes.
    """

    def __init__(
        self,
        recipe: dict[str, Any],
        out: str,
        spent: Usage,
        dialect: Dialect | None = None,
        live: Live | None = None,
    ) -> None:
        values, self._store = WriteRecipe.model_validate(recipe), open_store(out)
        plan = read_plan(self._store, WriteIdentity)
        if plan is None:
            raise ClusterError(f"a worker finds no plan in {out}; --out must be accessible from every node")
        if hashes(values) != plan.identity.prompts:
            raise ResumeError(
                "the prompts on this node differ from those of the plan; every node needs the same prompts"
            )
        self._plan = plan
        self._client = Client(values.llm, self._store, spent=spent, dialect=dialect, live=live, fits=is_of_type)
        self._reopened = reopened(self._store)
        self._writer = Writer(values, self._client, self._reopened.fresh)
        self._failed: Exception | None = None
        self._stopped = False
        self._under_way: set[asyncio.Task[Any]] = set()
        self._lock, self._ready = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        self._ready.wait()

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        self._ready.set()
        async with self._client:
            await self._end.wait()
            for task in self._under_way:
                task.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)

    def unit(self, unit: int) -> Marker:
        """Author a unit and commit it.

        Raises:
            DatagenError: What stops the run; the same for every later unit.
        """
        try:
            records = planned(self._plan, self._store, unit)
            written = iter(self._written([record for record in records if not isinstance(record, Reject)]))
            return commit_authored(
                self._store,
                unit,
                [record if isinstance(record, Reject) else next(written) for record in records],
                self._plan.seal,
                self._reopened.versions[unit],
            )
        except Exception as error:
            self._failed = self._failed or error
            raise

    def _written(self, items: Sequence[Item]) -> list[Result]:
        with self._lock:  # what is sent to the loop before it ends is ended by it
            if self._failed:
                raise self._failed
            results = asyncio.run_coroutine_threadsafe(self._write(items), self._loop)
        return results.result()

    async def _write(self, items: Sequence[Item]) -> list[Result]:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  (a coroutine runs in a task)
        self._under_way.add(task)
        try:
            return await self._writer.write_all(items)
        finally:
            self._under_way.discard(task)

    def stop(self) -> None:
        """Give up the units under way, from any thread."""
        with self._lock:
            self._failed = self._failed or EngineError("the run was stopped")
            if not self._stopped:
                self._loop.call_soon_threadsafe(self._end.set)
            self._stopped = True

    def close(self) -> None:
        """Close the client's connections."""
        self.stop()
        self._thread.join()
