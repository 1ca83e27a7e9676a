"""The manifest and the dataset card: written last, so their existence means the build is complete."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from datagen.errors import StoreError
from datagen.shards.index import IndexPart, read_part
from datagen.shards.store import Store
from datagen.shards.unit import File

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Manifest:
    """What a finished build holds and how it was made."""

    values: dict[str, Any]
    store: Store = field(repr=False, compare=False)
    """Where it lies."""

    def files(self, table: str = "", split: str = "") -> Iterator[File]:
        """Data files in order of units: all, or those of a table, or of one split of it. Read as they are asked for."""
        for part in self.values["index"]:
            for file in read_part(self.store, IndexPart(**part)):
                if table in ("", file.table) and split in ("", file.split):
                    yield file

    @property
    def tasks(self) -> list[str]:
        """Tasks that have rows."""
        return sorted(self.values["tables"].keys() - {"conversations", "rejects"})

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
            manifest = cls(json.loads(store.read(MANIFEST)), store)
            for part in manifest.values["index"]:
                IndexPart(**part)  # proves that the entries are whole
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{store.url}/{MANIFEST} is damaged ({error})") from error
        return manifest
