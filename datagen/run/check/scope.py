"""The scope of a check: the output, its plan, and the build from which it was flattened."""

import json
from dataclasses import dataclass
from functools import cached_property

from pydantic import ValidationError

from datagen.errors import RecipeError, StoreError
from datagen.pipeline.flatten import Flatten
from datagen.recipe import SplitsConfig, explain, sha256_of, stored
from datagen.run.check.faults import Faults
from datagen.run.reflatten import flattener
from datagen.shards import seal
from datagen.shards.identity import Identity
from datagen.shards.manifest import MANIFEST, Manifest
from datagen.shards.plan import PLAN, Plan, load_plan, records_per_unit
from datagen.shards.store import Store


@dataclass(frozen=True)
class Scope:
    """An output and the proofs of its content. The plan, which came first, goes before the manifest."""

    store: Store
    manifest: Manifest
    plan: Plan
    """Made from the manifest, without a seal, if plan.json is damaged."""
    source: Manifest | None = None
    """The build whose conversations were flattened, if it is at hand."""

    @property
    def identity(self) -> Identity:
        """All values that decide the content."""
        return self.plan.identity

    @property
    def is_flattened(self) -> bool:
        """True if the conversations are elsewhere."""
        return self.identity.conversations is not None

    @cached_property
    def flatten(self) -> Flatten | None:
        """Makes the rows; None if the recipe is not valid."""
        try:
            return flattener(self.identity)
        except (ValidationError, KeyError, TypeError, RecipeError):
            return None

    @cached_property
    def splits(self) -> SplitsConfig | None:
        """The recipe of splits; None if it is not valid."""
        try:
            return SplitsConfig.model_validate(self.identity.recipe["splits"])
        except (ValidationError, KeyError):
            return None


def scope_of(manifest: Manifest, source: Manifest | None, faults: Faults) -> Scope:
    """Read the plan of an output; report its faults and those of the identity."""
    store, plan = manifest.store, None
    try:
        data = store.read(PLAN)
        seal.refuse_broken(data, PLAN, required=True)
        plan = load_plan(store)
        if plan is not None:
            faults.compare(PLAN, json.loads(data), json.loads(plan.to_json()), "its other values")
    except StoreError as error:
        faults.add(str(error))
    if plan is None:
        n_per_unit = records_per_unit(manifest.recipe)
        plan = Plan(manifest.identity, manifest.n_records, n_per_unit, (), keep_audio=manifest.keep_audio)
    scope = Scope(store, manifest, plan, source)
    _check_identity(scope, faults)
    return scope


def _check_identity(scope: Scope, faults: Faults) -> None:
    """Values of the identity that follow from others."""
    identity, recipe = scope.identity, scope.identity.recipe
    clock, silence, vocabulary = identity.clock, identity.silence, identity.vocabulary
    place = PLAN if scope.plan.seal else MANIFEST
    try:
        stored(recipe)
    except ValidationError as error:
        faults.add(f"{place}: its recipe is not valid: {explain(error, 'recipe')}")
        return
    if identity.recipe_sha256 != sha256_of(recipe):
        faults.add(f"{place}: recipe_sha256 is not the hash of the recipe")
    if clock.hop_samples * clock.frame_rate_hz != clock.sample_rate_hz or clock.sample_rate_hz != recipe.get(
        "sample_rate_hz", clock.sample_rate_hz
    ):
        faults.add(f"{place}: its clock contradicts itself or the recipe: {clock}")
    known = len(silence.codes) == vocabulary.n_codebooks and silence.codes[0] == silence.silence_code
    known = known and all(0 <= code < size for code, size in zip(silence.codes, vocabulary.sizes, strict=True))
    if silence.assistant != recipe["flatten"]["assistant_silence"] or not known:
        faults.add(f"{place}: its silence contradicts the recipe or the codebook: {silence}")
    if not scope.is_flattened and scope.plan.unit_dialogues != records_per_unit(recipe):
        faults.add(f"{place}: its units are not those of the recipe")
