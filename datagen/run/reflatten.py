"""New shards from stored conversations: another chunk size or other tasks, without new speech."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from pydantic import ValidationError
from typing_extensions import override

from datagen.errors import RecipeError, ResumeError
from datagen.pipeline.flatten import Flatten
from datagen.recipe import FlattenConfig, LimitsConfig, explain, sha256_of
from datagen.records import Streams
from datagen.run.commit import commit_rows
from datagen.run.finish import finish
from datagen.run.job import Engine, Job, Watcher, WholeUnits, WorkerPool, settled
from datagen.run.run_job import run_job
from datagen.shards import seal
from datagen.shards.identity import Identity
from datagen.shards.manifest import MANIFEST, FlattenedFrom, Manifest
from datagen.shards.plan import PLAN, Plan, load_plan, records_per_unit
from datagen.shards.schema import streams_of
from datagen.shards.store import Store, open_store
from datagen.shards.tables import fetched, groups_of
from datagen.shards.unit import Marker, data_key

_OF_UTTERANCES = (
    *("role", "kind", "turn", "text_ids", "start_samples", "end_samples", "n_cut_samples"),
    *("spoken_ids", "rest_codes", "rest_start_frames", "id_starts_samples"),
)
NEEDED = [
    *("dialogue_id", "language", "split", "n_samples", "user_codes", "assistant_codes", "events"),
    *("system_ids", "voice_prompt", "tool_calls"),
    *(f"utterances.list.element.{name}" for name in _OF_UTTERANCES),
]
"""The columns of the conversations table that flattening reads."""

_UNIT_DIALOGUES = 256
"""Approximate number of records per unit of flattened shards."""

_SINCE_8 = 8
"""Data version in which conversations have `id_starts_samples`, and may have prompts."""

_VERSION_3 = {
    "interrupted_text": "heard",
    "half_duplex": "heard",
    "alignment_takes": "heard",
    "max_canned_share": 1,
}
"""Values that reproduce data version 3, for recipe keys added since."""


def _settings(recipe: dict[str, Any]) -> dict[str, Any]:
    """The `flatten` section of a stored recipe; missing newer keys get the older behaviour."""
    return {**_VERSION_3, **recipe["flatten"]}


def flattener(of: Identity) -> Flatten:
    """The last stage of a build from its plan or manifest alone; needs no engine."""
    recipe = FlattenConfig.model_validate(_settings(of.recipe))
    return Flatten(recipe, of.vocabulary, of.clock.hop_samples, of.silence.codes)


def reflatten(
    source: str, out: str, changes: dict[str, Any], n_workers: int = 0, watcher: Watcher | None = None
) -> Manifest:
    """Flatten the conversations of a finished build again.

    Args:
        source: Output of a finished build.
        out: Directory of the new shards, different from the source.
        changes: New values of the recipe's `flatten` section.
        n_workers: Number of processes; with 0 the work is done in this one.
        watcher: Receives reports of progress.

    Raises:
        StoreError: If the source is unfinished or damaged.
        RecipeError: If a change is not valid.
        ResumeError: If `out` contains something else.
    """
    return run_job(ReflattenJob(source, changes), out, n_workers, watcher)


class ReflattenJob(Job[Manifest, Identity]):
    """A flattening of stored conversations."""

    limits = LimitsConfig()

    def __init__(self, source: str, changes: dict[str, Any]) -> None:
        self._source, self._old, self._changes = source, Manifest.load(open_store(source)), changes

    @override
    def plan(self, store: Store) -> Plan:
        wanted = _plan(self._old, self._changes)
        standing = settled(store, wanted.identity, lambda: wanted)
        if standing != wanted:
            raise ResumeError(
                f"{store.url} was divided into other units by another version of datagen; use another --out"
            )
        return standing

    @override
    def pools(self, out: str, n_workers: int, engine: Engine) -> list[WorkerPool]:
        return [WorkerPool(_Flattener, (self._source, out))]

    @override
    def complete(self, store: Store) -> bool:
        return store.exists(MANIFEST)

    @override
    def finish(self, store: Store, plan: Plan) -> Manifest:
        if self.complete(store):
            return Manifest.load(store)
        return finish(store, plan, FlattenedFrom(self._source, self._old.digest), self._old.reproducible)


def _plan(old: Manifest, changes: dict[str, Any]) -> Plan:
    try:
        flatten = FlattenConfig.model_validate({**_settings(old.recipe), **changes})
    except ValidationError as error:
        raise RecipeError(explain(error, "flatten", FlattenConfig)) from error
    _refuse_absent(old, flatten)
    if old.encoded:
        refuse_not_kept(flatten)
    recipe = {**old.recipe, "flatten": flatten.model_dump(mode="json")}
    identity = replace(
        old.identity,
        recipe=recipe,
        recipe_sha256=sha256_of(recipe),
        conversations=old.digest,
        silence=replace(old.silence, assistant=flatten.assistant_silence),
    )
    flattener(identity)  # refuses what its rows cannot hold
    before = load_plan(old.store)
    moved = before.moved if before else {}  # a check compares splits with the plan
    return Plan(identity, old.n_records, _units_together(old) * records_per_unit(old.recipe), (), moved=moved)


def _refuse_absent(old: Manifest, flatten: FlattenConfig) -> None:
    """Refuse settings that need what the conversations of a build lack.

    Raises:
        RecipeError: Names the setting, and how to get them.
    """
    if flatten.text_alignment == "words" and old.data_version < _SINCE_8:
        raise RecipeError(
            f"flatten.text_alignment is words; conversations of data version {old.data_version} lack the times of ids: "
            "build them again"
        )
    if flatten.system_prompt and old.data_version < _SINCE_8:
        raise RecipeError(
            f"flatten.system_prompt: conversations of data version {old.data_version} have no token ids of system "
            "prompts; build them again"
        )
    if flatten.voice_prompt and not old.recipe.get("voices", {}).get("prompts"):
        raise RecipeError(
            "flatten.voice_prompt: these conversations have no voice prompts; build them again with voices.prompts"
        )


def refuse_not_kept(flatten: FlattenConfig) -> None:
    """Refuse what kept audio lacks in a build that was encoded from it: whole takes, and sentences of voice prompts.

    Raises:
        RecipeError: If a value requests them; names it.
    """
    for name in ("alignment_takes", "half_duplex"):
        if getattr(flatten, name) == "whole":
            raise RecipeError(
                f"flatten.{name} is 'whole', but kept audio holds only what is heard of an interrupted turn; set "
                f"{name}=heard, or build with this tokenizer, from kept takes if there are any (datagen build --takes)"
            )
    if flatten.voice_prompt:
        raise RecipeError(
            "flatten.voice_prompt is true, but kept audio holds no voice prompts; set flatten.voice_prompt=false, or "
            "build with this tokenizer"
        )


def _units_together(old: Manifest) -> int:
    """Number of units of a build that are flattened as one, because flattening is cheap."""
    return max(1, _UNIT_DIALOGUES // records_per_unit(old.recipe))


def conversations_of(old: Manifest, unit: int) -> list[str]:
    """Keys of the conversations of a build that go into a unit of flattened shards."""
    n_together = _units_together(old)
    first = unit * n_together
    return [data_key("conversations", k) for k in range(first, min(first + n_together, old.n_units))]


def _together(groups: Iterable[list[Streams]]) -> Iterator[list[Streams]]:
    """Conversations of several row groups as one, but no more than a unit of flattened shards usually has."""
    found: list[Streams] = []
    for streams in groups:
        if found and len(found) + len(streams) > _UNIT_DIALOGUES:
            yield found
            found = []
        found += streams
    yield found


class _Flattener(WholeUnits):
    """A worker whose units are conversations to flatten."""

    doing = "flattening"

    def __init__(self, source: str, out: str) -> None:
        self._origin, self._store = open_store(source), open_store(out)
        self._old, plan = Manifest.load(self._origin), load_plan(self._store)
        if plan is None:
            raise ResumeError(f"{out} lost its {PLAN}")
        self._flatten, self._header = flattener(plan.identity), plan.header()

    def run(self, unit: int) -> Marker:
        """Flatten and commit a unit."""
        groups = (streams for key in conversations_of(self._old, unit) for streams in self._groups(key))
        return commit_rows(self._store, unit, _together(groups), self._flatten, self._header)

    def _groups(self, key: str) -> Iterator[list[Streams]]:
        """The conversations of a file, a row group at a time."""
        with fetched(self._origin, key) as data:
            seal.refuse_broken(data, key)
            for table in groups_of(data, key, NEEDED):
                yield streams_of(table)
