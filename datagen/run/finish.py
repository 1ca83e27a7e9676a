"""The end of a build: index, recipe and card, then the manifest, whose existence means that it is complete."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from itertools import islice
from typing import Any

import jinja2
import yaml

from datagen.clock import samples_to_ms
from datagen.engines.base import BitExact
from datagen.errors import StoreError
from datagen.recipe import stored
from datagen.shards import digest
from datagen.shards.index import IndexPart, write_part
from datagen.shards.manifest import MANIFEST, Manifest
from datagen.shards.markers import Tally, markers, missing
from datagen.shards.plan import Plan
from datagen.shards.store import Store

_SPLITS = ("train", "validation", "test")
_WEAKEST_FIRST: tuple[BitExact, ...] = ("no", "machine", "all")


_UNITS_PER_PART = 256
"""Units whose files stand in one file of the index; so many markers are held at once when a build ends."""


def finish(store: Store, plan: Plan, origin: dict[str, Any] | None = None) -> Manifest:
    """Write index, recipe, card and manifest from the markers, which are read as a stream.

    Args:
        store: The output.
        plan: Its plan.
        origin: For shards flattened anew, what to say of the build whose conversations they come from.

    Raises:
        StoreError: If a unit has no marker: success is judged from markers, not from what an engine said.
    """
    if left := missing(store, plan.n_units):
        raise StoreError(
            f"{store.url}: unit {left[0]} of {plan.n_units} is not done; run the same command again to go on"
        )
    tally, index = Tally(), list[IndexPart]()
    found = markers(store, range(plan.n_units))
    while batch := list(islice(found, _UNITS_PER_PART)):
        for marker in batch:
            tally.add(marker)
        index.append(write_part(store, len(index), [file for marker in batch for file in marker.files]))
    values = {**plan.identity, **summary(tally, plan), "index": [asdict(part) for part in index], **(origin or {})}
    store.replace("recipe.yaml", stored(plan.identity["recipe"]).to_yaml().encode())
    manifest = Manifest(values, store)
    store.replace("README.md", card(manifest).encode())
    store.create(MANIFEST, json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False).encode())
    return manifest


def summary(tally: Tally, plan: Plan) -> dict[str, Any]:
    """Counts, content digest and what the digest is worth."""
    rate = plan.identity["clock"]["sample_rate_hz"]
    return {
        "n_records": tally.n_records,
        "n_conversations": tally.n_kept,
        "n_rejects": tally.n_records - tally.n_kept,
        "rejects": dict(sorted(tally.rejects.items())),
        "hours": round(samples_to_ms(tally.n_samples, rate) / 3_600_000, 4),
        "n_units": plan.n_units,
        "digest": digest.to_text(tally.digest),
        "reproducible": reproducible(plan.identity["engines"], tally.processors),
        "tables": {
            table: {split: dict(sums) for split, sums in sorted(splits.items())}
            for table, splits in sorted(tally.tables.items())
        },
    }


def reproducible(engines: Mapping[str, Mapping[str, Any]], processors: Mapping[str, int]) -> dict[str, Any]:
    """What the digest can be held against: the promise of the weakest engine, and where the units were made.

    Args:
        engines: What each engine says of itself, as in a plan.
        processors: Units by kind of processor.

    >>> tone, qwen2 = {"name": "tone", "bit_exact": "machine"}, {"name": "qwen2", "bit_exact": "all"}
    >>> reproducible({"tts": tone, "text_tokenizer": qwen2}, {"x86_64 Haswell": 3})
    {'promise': 'machine', 'because': ['tts tone'], 'processors': {'x86_64 Haswell': 3}}
    """
    promise = min((info["bit_exact"] for info in engines.values()), key=_WEAKEST_FIRST.index, default="all")
    because = [f"{kind} {info['name']}" for kind, info in sorted(engines.items()) if info["bit_exact"] == promise]
    return {
        "promise": promise,
        "because": because if promise != "all" else [],
        "processors": dict(sorted(processors.items())),
    }


def card(manifest: Manifest) -> str:
    """The dataset card: front matter for `datasets.load_dataset`, then prose for people."""
    values = manifest.values
    configs: list[dict[str, Any]] = []
    for name, splits in values["tables"].items():
        if name != "rejects":
            paths = [
                {
                    "split": "full" if split == "all" else split,  # `datasets` keeps the name `all` to itself
                    "path": f"{name}/{'' if split == 'all' else split + '-'}*.parquet",
                }
                for split in sorted(splits, key=lambda s: _SPLITS.index(s) if s in _SPLITS else 0)
            ]
            configs.append({"config_name": name, "data_files": paths})
    default = next((c for c in configs if c["config_name"] == "three_stream"), configs[-1] if configs else None)
    if default:
        default["default"] = True
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("datagen", "data"),
        autoescape=jinja2.select_autoescape(),
        keep_trailing_newline=True,
    )
    front = yaml.safe_dump({"configs": configs, "tags": ["speech", "full-duplex", "datagen"]}, sort_keys=False)
    return environment.get_template("card.md.j2").render(front=front, m=values, tasks=manifest.tasks)
