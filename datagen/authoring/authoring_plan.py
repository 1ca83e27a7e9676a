"""What is to be written, frozen before anything is asked: the records in units, and the identity of the run.

As a build's plan (`datagen.run.plan`), with one file of `input/` a unit.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import msgspec

from datagen import __version__, sources
from datagen.authoring.authored import Brief, Item
from datagen.authoring.authoring import prompts_of
from datagen.authoring.authoring_config import WriteRecipe
from datagen.authoring.topics import briefs, read_topics
from datagen.errors import SourceError, StoreError
from datagen.pipeline.select import Select
from datagen.recipe import InputConfig
from datagen.records import Dialogue, Reject
from datagen.run.repeats import mark_duplicates
from datagen.shards.plan import PLAN, Plan, read_plan, refuse_another
from datagen.shards.store import Store

_FORMAT = 1
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


def hashes(recipe: WriteRecipe) -> dict[str, str]:
    """SHA-256 of each prompt that a recipe can need."""
    return {f"{name}.{language}": prompt.sha256 for (name, language), prompt in prompts_of(recipe).items()}


def _inputs(recipe: WriteRecipe) -> list[dict[str, Any]]:
    if recipe.input.topics:
        return [{"name": recipe.input.topics, "sha256": hashlib.sha256(read_topics(recipe).encode()).hexdigest()}]
    return [asdict(file) for file in sources.fingerprint(recipe.input.paths)]


def records(recipe: WriteRecipe) -> Iterator[Item | Reject]:
    """All records of the input, in order; of dialogues those that can be spoken, as `select` says, each text once.

    Raises:
        SourceError: If it cannot be read.
    """
    if recipe.input.topics:
        return briefs(recipe)
    read = sources.read(recipe.input.paths, recipe.input.shape, limit=recipe.input.limit)
    select = Select(recipe.select)
    return map(select, mark_duplicates(read, InputConfig()))


def plan_writing(recipe: WriteRecipe, store: Store) -> Plan[WriteIdentity]:
    """Plan a run, or find the plan of the one to resume.

    Raises:
        ResumeError: If the output belongs to another run; says which value differs.
        SourceError: If the input cannot be read or holds no record.
    """
    wanted = identity(recipe)
    plan = read_plan(store, WriteIdentity)
    if plan is None:
        n_records, shas, left = 0, list[str](), records(recipe)
        while batch := list(islice(left, recipe.unit_records)):
            data = "".join(f"{json.dumps(_plain(record), ensure_ascii=True)}\n" for record in batch).encode()
            shas.append(hashlib.sha256(data).hexdigest())
            store.create(_key(len(shas) - 1, shas[-1]), data)
            n_records += len(batch)
        if not n_records:
            raise SourceError("there is nothing to write from: the input holds no record")
        store.create(PLAN, Plan(wanted, n_records, recipe.unit_records, tuple(shas)).to_json())
        plan = read_plan(store, WriteIdentity)  # that of another driver, if it was faster
    if plan is None:
        raise StoreError(f"{store.url}: {PLAN} vanished while planning")
    refuse_another(store, plan, wanted)
    return plan


def planned(plan: Plan[WriteIdentity], store: Store, unit: int) -> list[Item | Reject]:
    """The records of a unit.

    Raises:
        StoreError: If they are not what the plan froze.
    """
    key = _key(unit, plan.parts[unit])
    data = store.read(key)
    if hashlib.sha256(data).hexdigest() != plan.parts[unit]:
        raise StoreError(f"{store.url}/{key} is not what {PLAN} froze; delete the output and write anew")
    return [_record(json.loads(line)) for line in data.splitlines()]


def _key(unit: int, sha256: str) -> str:
    return f"input/{unit:06d}-{sha256[:12]}.jsonl"


def _plain(record: Item | Reject) -> dict[str, Any]:
    return {"is": type(record).__name__, **asdict(record)}


def _record(values: dict[str, Any]) -> Item | Reject:
    kinds: dict[str, type[Item | Reject]] = {kind.__name__: kind for kind in (Brief, Dialogue, Reject)}
    return msgspec.convert(values, kinds[values.pop("is")])
