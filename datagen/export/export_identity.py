"""An export on disk: its plan's identity, and its manifest, written last."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import msgspec

from datagen.errors import StoreError
from datagen.export.convention import Convention
from datagen.export.selection import Selection
from datagen.shards import seal
from datagen.shards.identity import json_values
from datagen.shards.manifest import IndexPart, Sums, read_part
from datagen.shards.markers import missing
from datagen.shards.plan import read_plan
from datagen.shards.store import LocalStore, Store
from datagen.shards.unit import File

EXPORT = "export.json"
"""The manifest of an export; its existence means that the export is complete."""


@dataclass(frozen=True, kw_only=True)
class ExportIdentity:
    """All values that decide the bytes of an export."""

    datagen: str
    """Version of the package."""
    build: str
    """Digest of the build."""
    format: str
    convention: Convention
    selection: Selection
    packages: dict[str, str]
    """Versions of the packages that make the bytes."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """The content of a finished export."""

    identity: ExportIdentity
    n_conversations: dict[str, int]
    """By split."""
    hours: float
    n_units: int
    digest: str
    """Hash over the names and hashes of all files of units."""
    counts: dict[str, int]
    """Counts of all that a trainer of this format will drop or cut, by name."""
    tables: dict[str, dict[str, Sums]]
    index: tuple[IndexPart, ...]
    lists: dict[str, str]
    """SHA-256 of each list."""
    plan: str
    """Seal of the plan."""
    store: Store = field(default=LocalStore(""), repr=False, compare=False)
    """The export that contains it; not in JSON."""

    @classmethod
    def load(cls, store: Store) -> "Exported":
        """Read the manifest of an export.

        Raises:
            StoreError: If the export is unfinished, or the manifest damaged.
        """
        if not store.exists(EXPORT):
            raise StoreError(f"{store.url} has no {EXPORT}: it is no finished export")
        data, name = store.read(EXPORT), f"{store.url}/{EXPORT}"
        seal.refuse_broken(data, name, required=True)
        try:
            values = json.loads(data)
            values.pop("seal", None)
            return replace(msgspec.convert(values, cls), store=store)
        except (ValueError, AttributeError, RecursionError) as error:
            raise StoreError(f"{name} is damaged ({error}); restore it from a copy, or export again") from error

    def to_json(self) -> bytes:
        """The content of export.json."""
        values = json_values(replace(self, store=LocalStore("")))
        del values["store"]
        return seal.document(values, ascii=True)

    def files(self) -> Iterator[File]:
        """Files of units in the order of units."""
        for part in self.index:
            yield from read_part(self.store, part)


def progress(store: Store) -> tuple[int, int] | None:
    """Units done and all units of an export, finished or not; None if there is none.

    Raises:
        StoreError: If the store cannot be read.
    """
    try:
        plan = read_plan(store, ExportIdentity)
    except StoreError:
        return None  # the plan of a build, or damaged: who reads it as that of a build says so
    return None if plan is None else (plan.n_units - len(missing(store, plan.n_units)), plan.n_units)
