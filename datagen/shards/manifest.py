"""The manifest and index of a finished build, written last: their existence means it is complete.

The index has one row per data file, in order of units. It is divided into files of some units each,
so that neither its writer nor its reader ever holds all of it. The manifest contains their names
and hashes. The names contain the hash too, so two drivers that finish a build at once do not
collide.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace

import msgspec
import pyarrow as pa

from datagen.errors import StoreError
from datagen.records import BitExact
from datagen.shards import seal
from datagen.shards.identity import Identity, json_values
from datagen.shards.schema import FILES
from datagen.shards.store import LocalStore, Store
from datagen.shards.tables import from_parquet, to_parquet
from datagen.shards.unit import File

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Sums:
    """Sizes of the files of one split of a table."""

    n_rows: int
    n_tokens: int
    n_bytes: int


@dataclass(frozen=True)
class Reproducible:
    """The reproducibility of a digest: the promise of the weakest engine, and the processors used."""

    promise: BitExact
    because: tuple[str, ...]
    """The engines that limit the promise; none if all are reproducible everywhere."""
    processors: dict[str, int]
    """Units by kind of processor."""


@dataclass(frozen=True)
class FlattenedFrom:
    """The build whose conversations were flattened, or whose audio was encoded, again."""

    url: str
    digest: str


@dataclass(frozen=True)
class IndexPart:
    """One file of the index as the manifest names it."""

    key: str
    n_files: int
    n_bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Manifest(Identity):
    """The content of a finished build and how it was made.

    Example:
        >>> manifest = Manifest.load(open_store("out/quickstart"))  # doctest: +SKIP
        >>> manifest.clock.hop_samples, manifest.engines["tts"].version, manifest.hours  # doctest: +SKIP
    """

    n_records: int
    n_conversations: int
    n_rejects: int
    rejects: dict[str, int]
    """Count by `stage/reason`."""
    hours: float
    """Hours of conversation."""
    n_units: int
    digest: str
    """Order-independent hash over all rows and rejects, 32 hexadecimal digits."""
    tables: dict[str, dict[str, Sums]]
    """Sums by table and split; tables without splits have the split `all`."""
    reproducible: Reproducible
    index: tuple[IndexPart, ...]
    keep_audio: bool | None = None
    """True if conversations have their audio, as the plan decided. None before data version 7; see `has_audio`."""
    notices: dict[str, int] = field(default_factory=dict)
    """Kept conversations with a fault that cost no dialogue, by reason; `cut/REASON` for those cut short.

    Absent before data version 6.
    """
    added: dict[str, int] = field(default_factory=dict)
    """Utterances and corrections that the recipe added to what the dialogues say, by kind.

    Absent before data version 8.
    """
    beside: dict[str, str] = field(default_factory=dict)
    """SHA-256 of the other files of the output that last: plan, recipe and card. Empty before data version 5."""
    origin: FlattenedFrom | None = None
    """`from` in JSON; None unless the build was flattened from another, or encoded from its audio."""
    store: Store = field(default=LocalStore(""), repr=False, compare=False)
    """The output that contains it; not in JSON."""

    @classmethod
    def load(cls, store: Store) -> "Manifest":
        """Read the manifest of an output.

        Raises:
            StoreError: If the build is unfinished, or the manifest damaged; names the field.
        """
        if not store.exists(MANIFEST):
            hint = (
                "it is an export, which `datagen check` and the package that it was made for read"
                if store.exists("export.json")
                else "the build is unfinished: run `datagen build` again to resume it"
                if store.exists("plan.json")
                else "there is no build"
            )
            raise StoreError(f"{store.url} has no {MANIFEST}; {hint}")
        data, name = store.read(MANIFEST), f"{store.url}/{MANIFEST}"
        seal.refuse_broken(data, name)
        try:
            values = msgspec.convert(json.loads(data), dict)
            values["origin"] = values.pop("from", None)
            manifest = replace(msgspec.convert(values, cls), store=store)
        except (ValueError, RecursionError) as error:
            raise StoreError(f"{name} is damaged ({error}); restore it from a copy, or build again") from error
        seal.refuse_broken(data, name, required=manifest.data_version >= seal.SEALED_SINCE)
        return manifest

    def to_json(self) -> bytes:
        """The content of manifest.json."""
        values = json_values(replace(self, store=LocalStore("")))
        del values["store"]
        if self.origin:
            values["from"] = values.pop("origin")
        return seal.document(values)

    def files(self, table: str = "", split: str = "") -> Iterator[File]:
        """Data files in order of units, of all tables or one, of all splits or one. Read lazily.

        Raises:
            StoreError: If a part of the index does not match the manifest.
        """
        for part in self.index:
            for file in read_part(self.store, part):
                if table in ("", file.table) and split in ("", file.split):
                    yield file

    @property
    def identity(self) -> Identity:
        """Only the values that decide the content."""
        return Identity(**{each.name: getattr(self, each.name) for each in fields(Identity)})

    @property
    def has_audio(self) -> bool:
        """True if conversations have their audio."""
        return self.recipe["mix"]["keep_audio"] is True if self.keep_audio is None else self.keep_audio

    @property
    def tasks(self) -> list[str]:
        """Tasks that have rows."""
        return sorted(self.tables.keys() - {"conversations", "rejects"})


def write_part(store: Store, number: int, files: Sequence[File]) -> IndexPart:
    """Write the index of some units' files."""
    columns = {name: [getattr(file, name) for file in files] for name in FILES.names}
    data = to_parquet(pa.table(columns, schema=FILES))
    sha256 = hashlib.sha256(data).hexdigest()
    part = IndexPart(f"index/{number:05d}-{sha256[:12]}.parquet", len(files), len(data), sha256)
    store.create(part.key, data)
    return part


def read_part(store: Store, part: IndexPart) -> Iterator[File]:
    """Read a part of the index.

    Raises:
        StoreError: If it does not match the manifest.
    """
    data = store.read(part.key)
    if hashlib.sha256(data).hexdigest() != part.sha256:
        raise StoreError(f"{store.url}/{part.key} is damaged: its hash is not that in the manifest")
    for values in from_parquet(data, part.key).to_pylist():
        yield File(**values)
