"""Units of an authoring run on disk: the plan and its records, and what is committed.

The plan freezes records and identity before the first request, as a build's does
(`datagen.run.planning`), with 64 units per file of `input/`. What is committed follows from the
answers, which are kept before they are used, so whoever authors a unit, and however often, writes
the same files.
"""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

import msgspec

from datagen import __version__, sources
from datagen.authoring.authored import Brief, Item, Unanswered, Written
from datagen.authoring.authoring import prompts_of
from datagen.authoring.authoring_config import WriteRecipe
from datagen.authoring.scenarios import briefs_of
from datagen.authoring.topics import briefs, read_named
from datagen.errors import SourceError, StoreError
from datagen.pipeline.select import Select
from datagen.recipe import InputConfig
from datagen.records import Dialogue, InputFile, Reject
from datagen.run.job import settled
from datagen.run.repeats import mark_duplicates
from datagen.shards import digest
from datagen.shards.markers import marker_of
from datagen.shards.plan import PLAN, UNITS_PER_PART, Plan
from datagen.shards.schema import rejects_table
from datagen.shards.store import Store
from datagen.shards.tables import to_parquet
from datagen.shards.unit import File, Marker, data_key, marker_key

_FORMAT = 2
"""Raised when the same answers come to other records."""


@dataclass(frozen=True)
class WriteIdentity:
    """All values that decide the content of an authoring run, but for the answers."""

    datagen: str
    write_format: int
    recipe: dict[str, Any]
    prompts: dict[str, str]
    """SHA-256 of each, by name and language."""
    inputs: list[dict[str, Any]]


def identity(recipe: WriteRecipe) -> WriteIdentity:
    """The identity of the run of a recipe."""
    return WriteIdentity(__version__, _FORMAT, recipe.identity(), hashes(recipe), _inputs(recipe))


def plan_authoring(recipe: WriteRecipe, store: Store) -> Plan[WriteIdentity]:
    """Plan a run, or find the plan of the one to resume.

    Raises:
        ResumeError: If the output belongs to another run; says which value differs.
        SourceError: If the input cannot be read or holds no record.
    """
    wanted = identity(recipe)

    def make() -> Plan[WriteIdentity]:
        n_records, shas, left = 0, list[str](), records(recipe, wanted.inputs)
        while batch := list(islice(left, recipe.unit_records * UNITS_PER_PART)):
            data = "".join(f"{json.dumps(_plain(record), ensure_ascii=True)}\n" for record in batch).encode()
            shas.append(hashlib.sha256(data).hexdigest())
            store.create(_key(len(shas) - 1, shas[-1]), data)
            n_records += len(batch)
        if not n_records:
            raise SourceError("the input contains no records to author from")
        return Plan(wanted, n_records, recipe.unit_records, tuple(shas))

    return settled(store, wanted, make)


def hashes(recipe: WriteRecipe) -> dict[str, str]:
    """SHA-256 of each prompt that a recipe can need."""
    return {f"{name}.{language}": prompt.sha256 for (name, language), prompt in prompts_of(recipe).items()}


def _inputs(recipe: WriteRecipe) -> list[dict[str, Any]]:
    grid, topics = recipe.input.scenarios, recipe.input.topics
    name, what = (grid.tables, "scenarios") if grid else (topics, "topics")
    if name:
        return [{"name": name, "sha256": hashlib.sha256(read_named(name, what).encode()).hexdigest()}]
    return [asdict(file) for file in sources.fingerprint(recipe.input.paths)]


def records(recipe: WriteRecipe, inputs: Sequence[dict[str, Any]] | None = None) -> Iterator[Item | Reject]:
    """All records of the input, in order; of dialogues those that pass `select`, each text once.

    Args:
        recipe: What to author.
        inputs: Those of its identity: every file must still have the same bytes; None: not compared.

    Raises:
        SourceError: If it cannot be read.
    """
    if recipe.input.scenarios:
        return briefs_of(recipe)
    if recipe.input.topics:
        return briefs(recipe)
    source = recipe.input
    identity = None if inputs is None else [InputFile(**each) for each in inputs]
    read = sources.read(
        source.paths, source.shape, limit=source.limit, mapping=source.mapping, roles=source.roles, identity=identity
    )
    select = Select(recipe.select)
    return map(select, mark_duplicates(read, InputConfig()))


def planned(plan: Plan[WriteIdentity], store: Store, unit: int) -> list[Item | Reject]:
    """The records of a unit.

    Raises:
        StoreError: If they are not what the plan froze.
    """
    per_part = 1 if len(plan.parts) == plan.n_units else UNITS_PER_PART
    part, place = divmod(unit, per_part)
    n = plan.unit_dialogues
    lines = _lines_of(_key(part, plan.parts[part]), plan.parts[part], _Hashable(store))[place * n : (place + 1) * n]
    return [_record(json.loads(line)) for line in lines]


@dataclass(frozen=True, eq=False)
class _Hashable:
    """A store as a key of a cache, by its URL."""

    store: Store

    def __hash__(self) -> int:
        """Of the URL."""
        return hash(self.store.url)

    def __eq__(self, other: object) -> bool:
        """True for the same URL."""
        return isinstance(other, _Hashable) and self.store.url == other.store.url


@lru_cache(maxsize=8)
def _lines_of(key: str, sha256: str, place: "_Hashable") -> list[bytes]:
    """The lines of a file of planned input."""
    store = place.store
    data = store.read(key)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise StoreError(f"{store.url}/{key} does not match {PLAN}; delete the output and run the command again")
    return data.splitlines()


def _key(unit: int, sha256: str) -> str:
    return f"input/{unit:06d}-{sha256[:12]}.jsonl"


def _plain(record: Item | Reject) -> dict[str, Any]:
    return {"is": type(record).__name__, **asdict(record)}


def _record(values: dict[str, Any]) -> Item | Reject:
    kinds: dict[str, type[Item | Reject]] = {kind.__name__: kind for kind in (Brief, Dialogue, Reject)}
    return msgspec.convert(values, kinds[values.pop("is")])


def commit_authored(
    store: Store, unit: int, results: Sequence[Written | Reject | Unanswered], plan: str, version: int = 0
) -> Marker:
    """Write dialogues and rejects of a unit, then its marker.

    A unit with a record that the server has not answered is not committed: only answers decide. It is done again, from
    the answers that are kept, by the next run.

    Args:
        store: The output.
        unit: Number of the unit.
        results: A result for each record of the unit.
        plan: Seal of the plan of the run.
        version: How often the unit was opened again; part of the names of its files.

    Returns:
        The marker that stands in the store, or one that does not stand there, with `server/` in its rejects.
    """
    kept = [result for result in results if isinstance(result, Written)]
    rejects = [result for result in results if isinstance(result, Reject)]
    open_ = [result for result in results if isinstance(result, Unanswered)]
    counts = Counter(f"{reject.stage}/{reject.reason}" for reject in rejects)
    if open_:
        counts.update(f"{SERVER}/{each.reason}" for each in open_)
        return Marker(unit, len(results), len(kept), 0, digest.to_text(0), dict(counts), plan=plan)
    lines = [f"{json.dumps(written.to_json(), ensure_ascii=False)}\n".encode() for written in kept]
    table = rejects_table(rejects)
    prefix = f"again{version}" if version else ""
    found = [
        (f"dialogues/{f'{prefix}-' if prefix else ''}{unit:06d}.jsonl", "dialogues", len(kept), b"".join(lines)),
        (data_key("rejects", unit, prefix), "rejects", len(rejects), to_parquet(table)),
    ]
    marker = Marker(
        unit=unit,
        n_records=len(results),
        n_kept=len(kept),
        n_samples=0,
        digest=digest.to_text(digest.total((*map(_hash, lines), *digest.row_hashes("rejects", table)))),
        rejects=dict(counts),
        files=tuple(_file(store, *file) for file in found if file[2]),
        finished_at=int(time.time()),
        plan=plan,
    )
    return marker if store.create(marker_key(unit), marker.to_json()) else marker_of(store, unit, plan)


SERVER = "server"
"""Stage of what the server has not answered; it is never stored."""


def _file(store: Store, key: str, table: str, n_rows: int, data: bytes) -> File:
    """Write a file. One that is there has no marker yet, so it may be of a run that asked in another way."""
    if not store.create(key, data) and store.read(key) != data:
        store.replace(key, data)
    return File(key, table, "", n_rows, 0, len(data), hashlib.sha256(data).hexdigest())


def _hash(line: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(line, digest_size=16).digest(), "little")
