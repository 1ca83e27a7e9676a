"""A file of kept takes: a few are read without the rest, and each is compared with its own hash.

Its metadata lists the key and the hash of each row, in row groups of about one dialogue. The proof of a
file, which its file of keys holds, is the SHA-256 of that list. A file without the list, as earlier versions
wrote it, is read whole; its proof is the SHA-256 of its bytes.
"""

import hashlib
import json
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from datagen.errors import StoreError
from datagen.records import StoredTake
from datagen.shards import digest
from datagen.shards.schema import TAKES, decode, table_of
from datagen.shards.store import Store
from datagen.shards.tables import from_parquet, to_parquet

_GROUP_ROWS = 8
"""Takes that are read together."""
_DAMAGE = (StoreError, pa.ArrowException, OSError, ValueError, KeyError, TypeError, AttributeError, IndexError)
_META = b"datagen"
Listed = list[tuple[str, str]]
"""Key and hash of each row, 32 hexadecimal digits each."""


def encoded(takes: Sequence[StoredTake]) -> tuple[bytes, bytes]:
    """The file of some takes, and its proof."""
    table = table_of(TAKES, takes)
    listed = list(zip([take.key for take in takes], _hashes(table), strict=True))
    return to_parquet(table, {"rows": listed}, group_rows=_GROUP_ROWS), _proof(listed)


def keys_and_proof(data: bytes, name: str) -> tuple[list[str], bytes]:
    """The keys of a file's takes in the order of its rows, and the proof of the file, 32 bytes.

    Args:
        data: The file.
        name: Its name, for messages.

    Raises:
        StoreError: If it is damaged, or its rows are not those that it lists.
    """
    table = from_parquet(data, name)
    keys = [str(key) for key in table.column("key").to_pylist()]
    listed = _listed((table.schema.metadata or {}).get(_META, b""))
    if listed is None:
        return keys, hashlib.sha256(data).digest()
    if listed != list(zip(keys, _hashes(table), strict=True)):
        raise StoreError(f"{name}: its takes are not those that it lists")
    return keys, _proof(listed)


class TakeFile:
    """The takes of a file, by key."""

    def __init__(self, store: Store, key: str, proof: str) -> None:
        """Open a file.

        Args:
            store: The output with the file.
            key: The name of the file.
            proof: Its proof, hexadecimal.

        Raises:
            StoreError: If it is missing or damaged, or has another proof.
        """
        self._store, self._key = store, key
        self._group, self._table = -1, TAKES.empty_table()
        try:
            with store.open(key).detach() as source:
                self._about = pq.ParquetFile(source).metadata
            listed = _listed((self._about.metadata or {}).get(_META, b""))
            if listed is None:
                self._table = _whole(store.read(key), key, proof)
                listed = [(str(key), "") for key in self._table.column("key").to_pylist()]
            elif _proof(listed).hex() != proof:
                raise StoreError(f"{key} has another proof than its file of keys")
        except _DAMAGE as error:
            raise StoreError(f"{key} is damaged: {error}") from error
        self._rows = {key: (row, row_hash) for row, (key, row_hash) in enumerate(listed)}

    def find(self, key: str) -> StoredTake | None:
        """The take of a key; None if there is none, or it is damaged."""
        row, row_hash = self._rows.get(key, (-1, ""))
        if row < 0:
            return None
        try:
            found = self._read(row) if row_hash else self._table.slice(row, 1)
            if row_hash and _hashes(found) != [row_hash]:
                return None
            (stored,) = decode(StoredTake, found)
        except _DAMAGE:
            return None
        return stored

    def _read(self, row: int) -> pa.Table:
        """A row, and its neighbours for the next call."""
        group, place = divmod(row, self._about.row_group(0).num_rows)
        if group != self._group:
            with self._store.open(self._key).detach() as source:
                file = pq.ParquetFile(source, metadata=self._about, pre_buffer=True)
                self._table, self._group = file.read_row_group(group, use_threads=False), group
        return self._table.slice(place, 1)


def _whole(data: bytes, name: str, sha256: str) -> pa.Table:
    if hashlib.sha256(data).hexdigest() != sha256:
        raise StoreError(f"{name} has another hash than its file of keys")
    return from_parquet(data, name)


def _hashes(table: pa.Table) -> list[str]:
    return [digest.to_text(value) for value in digest.row_hashes("takes", table)]


def _listed(metadata: bytes) -> Listed | None:
    """Keys and hashes of a file's rows from its metadata; None if it has none."""
    rows = json.loads(metadata or b"{}").get("rows")
    return None if rows is None else [(str(key), str(row_hash)) for key, row_hash in rows]


def _proof(listed: Listed) -> bytes:
    return hashlib.sha256(bytes.fromhex("".join(key + row_hash for key, row_hash in listed))).digest()
