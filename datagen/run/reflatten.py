"""New shards from stored conversations: another chunk size or other tasks, and no speech."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from pydantic import ValidationError

from datagen.errors import RecipeError, ResumeError
from datagen.recipe import Recipe, explain
from datagen.run.commit import commit_rows, data_key
from datagen.run.local import end_with_driver, interrupts_held
from datagen.run.manifest import MANIFEST, Manifest, finish, markers
from datagen.run.plan import PLAN, Plan, load_plan
from datagen.run.store import open_store
from datagen.run.tables import from_parquet
from datagen.run.worker import header
from datagen.schema import streams_of
from datagen.stages.flatten import Flatten
from datagen.vocab import Vocabulary

_OF_UTTERANCES = ("role", "kind", "turn", "text_ids", "start_samples", "end_samples", "n_cut_samples")
NEEDED = [
    *("dialogue_id", "language", "split", "n_samples", "user_codes", "assistant_codes", "events"),
    *(f"utterances.list.element.{name}" for name in _OF_UTTERANCES),
]
"""What flattening reads of the conversations table; the rest stays on the disk."""


_UNIT_DIALOGUES = 256
"""Records a unit of reflattened shards, about."""


def flattener(identity: dict[str, Any]) -> Flatten:
    """The last stage of a build from its plan or manifest alone; needs no engine."""
    recipe = Recipe.model_validate(identity["recipe"])
    vocabulary = Vocabulary.from_dict(identity["vocabulary"])
    return Flatten(recipe.flatten, vocabulary, identity["clock"]["hop_samples"], identity["silence"]["silence_code"])


def reflatten(source: str, out: str, changes: dict[str, Any], n_workers: int = 1) -> Manifest:
    """Flatten the conversations of a finished build again.

    Args:
        source: Output of a finished build.
        out: Where the new shards go; another directory.
        changes: New values of the recipe's `flatten` part.
        n_workers: Processes.

    Raises:
        StoreError: If the source is unfinished or damaged.
        RecipeError: If a change is not valid.
        ResumeError: If `out` holds something else.
    """
    old, store = Manifest.load(open_store(source)), open_store(out)
    plan = _plan(old, changes)
    store.create(PLAN, plan.to_json())
    if load_plan(store) != plan:
        raise ResumeError(f"{out} holds another build; use another --out")
    left = [unit for unit, marker in enumerate(markers(store, plan.n_units)) if marker is None]
    groups = [conversations_of(old, unit) for unit in left]
    arguments = [source] * len(left), [out] * len(left), left, groups
    if n_workers == 1 or len(left) < 2:
        list(map(_run, *arguments))
    else:
        with ProcessPoolExecutor(n_workers, get_context("spawn"), end_with_driver) as pool:
            with interrupts_held():
                results = pool.map(_run, *arguments)
            list(results)
    if store.exists(MANIFEST):
        return Manifest.load(store)
    return finish(store, plan, {"url": source, "digest": old.values["digest"]})


def _plan(old: Manifest, changes: dict[str, Any]) -> Plan:
    values = old.values["recipe"]
    try:
        recipe = Recipe.model_validate({**values, "flatten": {**values["flatten"], **changes}})
    except ValidationError as error:
        raise RecipeError(explain(error)) from error
    kept = ("datagen", "data_version", "inputs", "engines", "vocabulary", "clock", "silence")
    identity = {name: old.values[name] for name in kept}
    identity |= {"recipe": recipe.identity(), "recipe_sha256": recipe.sha256(), "conversations": old.values["digest"]}
    identity["silence"] = {**identity["silence"], "assistant": recipe.flatten.assistant_silence}
    n_together = max(1, _UNIT_DIALOGUES // recipe.run.unit_dialogues)
    return Plan(identity, old.values["n_records"], n_together * recipe.run.unit_dialogues, ())


def conversations_of(old: Manifest, unit: int) -> list[str]:
    """Keys of the conversations that go into a unit: those of several units of the build, since they cost so little."""
    n_together = max(1, _UNIT_DIALOGUES // old.values["recipe"]["run"]["unit_dialogues"])
    first = unit * n_together
    return [data_key("conversations", k) for k in range(first, min(first + n_together, old.values["n_units"]))]


def _run(source: str, out: str, unit: int, keys: list[str]) -> None:
    store, origin = open_store(out), open_store(source)
    plan = load_plan(store)
    if plan is None:
        raise ResumeError(f"{out} lost its {PLAN}")
    streams = [s for key in keys for s in streams_of(from_parquet(origin.read(key), key, NEEDED))]
    commit_rows(store, unit, streams, flattener(plan.identity), header(plan))
