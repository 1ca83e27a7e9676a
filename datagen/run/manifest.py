"""The manifest and the dataset card: written last, so their existence means the build is complete."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import jinja2
import yaml

from datagen.errors import StoreError
from datagen.recipe import Recipe
from datagen.run import digest
from datagen.run.commit import File, Marker, marker_key
from datagen.run.plan import Plan
from datagen.run.store import Store
from datagen.units import samples_to_ms

MANIFEST = "manifest.json"
_SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Manifest:
    """What a finished build holds and how it was made."""

    values: dict[str, Any]

    @property
    def files(self) -> tuple[File, ...]:
        """All data files, in order of table, split and unit."""
        return tuple(File(**values) for values in self.values["files"])

    def table(self, name: str, split: str = "") -> list[File]:
        """Files of a table, of one split or of all."""
        return [file for file in self.files if file.table == name and split in ("", file.split)]

    @property
    def tasks(self) -> list[str]:
        """Tasks that have rows."""
        return sorted({file.table for file in self.files} - {"conversations", "rejects"})

    @classmethod
    def load(cls, store: Store) -> "Manifest":
        """Read the manifest of an output.

        Raises:
            StoreError: If the build is unfinished, or the manifest damaged.
        """
        if not store.exists(MANIFEST):
            hint = (
                "the build is unfinished: run `datagen build` again to go on"
                if store.exists("plan.json")
                else "no build is there"
            )
            raise StoreError(f"{store.url} has no {MANIFEST}; {hint}")
        try:
            manifest = cls(json.loads(store.read(MANIFEST)))
            manifest.files  # noqa: B018  (proves that the entries are whole)
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{store.url}/{MANIFEST} is damaged ({error})") from error
        return manifest


def markers(store: Store, n_units: int) -> Iterator[Marker | None]:
    """The marker of each unit in order, None where it is missing."""
    there = set(store.keys("units"))
    for unit in range(n_units):
        key = marker_key(unit)
        yield Marker.from_json(store.read(key), key) if key in there else None


def finish(store: Store, plan: Plan, origin: dict[str, Any] | None = None) -> Manifest:
    """Write recipe, card and manifest from the markers.

    Args:
        store: The output.
        plan: Its plan.
        origin: For shards flattened anew, the build whose conversations they come from.

    Raises:
        StoreError: If a unit has no marker: success is judged from markers, not from what an engine said.
    """
    found: list[Marker] = []
    for unit, marker in enumerate(markers(store, plan.n_units)):
        if marker is None:
            raise StoreError(
                f"{store.url}: unit {unit} of {plan.n_units} is not done; run the same command again to go on"
            )
        found.append(marker)
    values = {**plan.identity, **summary(found, plan), **({"from": origin} if origin else {})}
    store.replace("recipe.yaml", Recipe.model_validate(plan.identity["recipe"]).to_yaml().encode())
    manifest = Manifest(values)
    store.replace("README.md", card(manifest).encode())
    store.create(MANIFEST, json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False).encode())
    return manifest


def summary(found: Iterable[Marker], plan: Plan) -> dict[str, Any]:
    """Counts, files and content digest of a build from its markers."""
    found = list(found)
    rejects: dict[str, int] = {}
    for marker in found:
        for reason, count in marker.rejects.items():
            rejects[reason] = rejects.get(reason, 0) + count
    files = sorted((file for marker in found for file in marker.files), key=lambda f: (f.table, f.split, f.key))
    rate = plan.identity["clock"]["sample_rate_hz"]
    return {
        "n_records": sum(marker.n_records for marker in found),
        "n_conversations": sum(marker.n_kept for marker in found),
        "n_rejects": sum(marker.n_records - marker.n_kept for marker in found),
        "rejects": dict(sorted(rejects.items())),
        "hours": round(samples_to_ms(sum(marker.n_samples for marker in found), rate) / 3_600_000, 4),
        "n_units": plan.n_units,
        "digest": digest.to_text(digest.total(int(marker.digest, 16) for marker in found)),
        "tables": _tables(files),
        "files": [asdict(file) for file in files],
    }


def _tables(files: Iterable[File]) -> dict[str, dict[str, dict[str, int]]]:
    """Rows, tokens and bytes by table and split."""
    tables: dict[str, dict[str, dict[str, int]]] = {}
    for file in files:
        sums = tables.setdefault(file.table, {}).setdefault(
            file.split or "all", {"n_rows": 0, "n_tokens": 0, "n_bytes": 0}
        )
        for name in sums:
            sums[name] += getattr(file, name)
    return tables


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
