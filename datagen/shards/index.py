"""The index: one row a data file of a finished build, in order of units.

It lies in files of its own, each of some units, so that neither who writes it nor who reads it ever holds all of
it. The manifest names them with their hashes; their own names hold the hash too, so two drivers that finish a build
at once do not collide.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from datagen.errors import StoreError
from datagen.shards.schema import FILES
from datagen.shards.store import Store
from datagen.shards.tables import from_parquet, to_parquet
from datagen.shards.unit import File


@dataclass(frozen=True)
class IndexPart:
    """One file of the index as the manifest names it."""

    key: str
    n_files: int
    n_bytes: int
    sha256: str


def write_part(store: Store, number: int, files: Sequence[File]) -> IndexPart:
    """Write the index of some units' files."""
    columns = {name: [getattr(file, name) for file in files] for name in FILES.names}
    data = to_parquet(pa.table(columns, schema=FILES))
    sha256 = hashlib.sha256(data).hexdigest()
    part = IndexPart(f"index/{number:05d}-{sha256[:12]}.parquet", len(files), len(data), sha256)
    store.create(part.key, data)
    return part


def read_part(store: Store, part: IndexPart) -> Iterator[File]:
    """Read a part of the index back.

    Raises:
        StoreError: If it is not what the manifest names.
    """
    data = store.read(part.key)
    if hashlib.sha256(data).hexdigest() != part.sha256:
        raise StoreError(f"{store.url}/{part.key} is damaged: it is not what the manifest names")
    for values in from_parquet(data, part.key).to_pylist():
        yield File(**values)
