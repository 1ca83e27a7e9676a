"""The end of a build: index, recipe and card, then the manifest, which marks it as complete."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice

from datagen.errors import StoreError
from datagen.recipe import stored
from datagen.records import BitExact, EngineInfo
from datagen.shards import digest
from datagen.shards.card import CARD, CardFigures, card
from datagen.shards.manifest import MANIFEST, FlattenedFrom, IndexPart, Manifest, Reproducible, Sums, write_part
from datagen.shards.markers import Tally, markers, missing
from datagen.shards.plan import PLAN, I, Plan
from datagen.shards.store import Store

_WEAKEST_FIRST: tuple[BitExact, ...] = ("no", "machine", "all")

_UNITS_PER_PART = 256
"""Units per file of the index, and markers in memory when a build ends."""


def finish(
    store: Store, plan: Plan, origin: FlattenedFrom | None = None, promised: Reproducible | None = None
) -> Manifest:
    """Write index, recipe, card and manifest from the markers, which are read as a stream.

    Args:
        store: The output.
        plan: Its plan.
        origin: The build whose conversations were flattened, if they come from another.
        promised: Reproducibility of that build's digest; by default from the engines and markers.

    Raises:
        StoreError: If a unit has no marker; only markers prove that units are complete.
    """
    tally, index = gathered(store, plan)
    manifest = manifest_of(plan, tally, index, origin, promised, store)
    files = beside(manifest, store.read(PLAN))
    manifest = replace(manifest, beside={key: hashlib.sha256(data).hexdigest() for key, data in files.items()})
    for key in ("recipe.yaml", CARD):
        store.replace(key, files[key])
    store.create(MANIFEST, manifest.to_json())
    return manifest


def gathered(store: Store, plan: Plan[I]) -> tuple[Tally, list[IndexPart]]:
    """Sums over all units, and the index of their files, which is written here.

    Raises:
        StoreError: If a unit has no marker; only markers prove that units are complete.
    """
    if left := missing(store, plan.n_units):
        raise StoreError(
            f"{store.url}: unit {left[0]} of {plan.n_units} is not done; run the same command again to resume"
        )
    tally, index = Tally(), list[IndexPart]()
    found = markers(store, range(plan.n_units), plan.seal)
    while batch := list(islice(found, _UNITS_PER_PART)):
        for marker in batch:
            tally.add(marker)
        index.append(write_part(store, len(index), [file for marker in batch for file in marker.files]))
    return tally, index


def manifest_of(
    plan: Plan,
    tally: Tally,
    index: Sequence[IndexPart],
    origin: FlattenedFrom | None,
    promised: Reproducible | None,
    store: Store,
) -> Manifest:
    """The manifest of an output, without the hashes of the files beside it.

    Args:
        plan: The plan.
        tally: Sums over all units.
        index: The files of the index.
        origin: As in `finish`.
        promised: As in `finish`.
        store: The output.
    """
    tables = {
        table: {split: Sums(**sums) for split, sums in sorted(splits.items())}
        for table, splits in sorted(tally.tables.items())
    }
    return Manifest(
        **vars(plan.identity),
        n_records=tally.n_records,
        n_conversations=tally.n_kept,
        n_rejects=tally.n_records - tally.n_kept,
        rejects=dict(sorted(tally.rejects.items())),
        keep_audio=plan.keep_audio,
        notices=dict(sorted(tally.notices.items())),
        added=dict(sorted(tally.added.items())),
        hours=round(tally.hours(plan.identity.clock.sample_rate_hz), 4),
        n_units=plan.n_units,
        digest=digest.to_text(tally.digest),
        tables=tables,
        reproducible=promised or reproducible(plan.identity.engines, tally.processors),
        index=tuple(index),
        origin=origin,
        store=store,
    )


def beside(manifest: Manifest, plan: bytes, figures: CardFigures | None = None) -> dict[str, bytes]:
    """The files of an output whose hashes its manifest holds: plan, recipe and card.

    Args:
        manifest: The manifest, with or without these hashes.
        plan: The content of plan.json.
        figures: Additions of `datagen card` to the card.
    """
    recipe = stored(manifest.recipe).to_yaml().encode()
    return {PLAN: plan, "recipe.yaml": recipe, CARD: card(manifest, figures).encode()}


def reproducible(engines: Mapping[str, EngineInfo], processors: Mapping[str, int]) -> Reproducible:
    """The reproducibility of a digest: the promise of the weakest engine, and the processors used.

    Args:
        engines: Engines by kind.
        processors: Number of units by kind of processor.

    >>> tone, qwen2 = EngineInfo("tone", "4", "", "machine"), EngineInfo("qwen2", "1", "", "all")
    >>> reproducible({"tts": tone, "text_tokenizer": qwen2}, {"x86_64 Haswell": 3})
    Reproducible(promise='machine', because=('tts tone',), processors={'x86_64 Haswell': 3})
    """
    promises = {info.bit_exact for info in engines.values()}
    promise: BitExact = next((each for each in _WEAKEST_FIRST if each in promises), "all")
    weakest = (f"{kind} {info.name}" for kind, info in sorted(engines.items()) if info.bit_exact == promise)
    return Reproducible(promise, tuple(weakest) if promise != "all" else (), dict(sorted(processors.items())))
