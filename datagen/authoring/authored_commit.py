"""One unit of a run that writes: its dialogues, its rejects, its marker last.

All three follow from the answers, which are kept before they are used; so whoever writes a unit, and however often,
writes the same files.
"""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Sequence

from datagen.authoring.authored import Written
from datagen.records import Reject
from datagen.shards import digest
from datagen.shards.schema import rejects_table
from datagen.shards.store import Store
from datagen.shards.tables import to_parquet
from datagen.shards.unit import File, Marker, data_key, marker_key


def commit_writing(store: Store, unit: int, results: Sequence[Written | Reject]) -> Marker:
    """Write all files of a unit, then its marker.

    Returns:
        The marker that stands in the store.
    """
    kept = [result for result in results if isinstance(result, Written)]
    rejects = [result for result in results if isinstance(result, Reject)]
    lines = [f"{json.dumps(written.to_json(), ensure_ascii=False)}\n".encode() for written in kept]
    table = rejects_table(rejects)
    found = [
        (f"dialogues/{unit:06d}.jsonl", "dialogues", len(kept), b"".join(lines)),
        (data_key("rejects", unit), "rejects", len(rejects), to_parquet(table)),
    ]
    files = tuple(_written(store, *file) for file in found if file[2])
    marker = Marker(
        unit=unit,
        n_records=len(results),
        n_kept=len(kept),
        n_samples=0,
        digest=f"{digest.total((*map(_hash, lines), *digest.row_hashes('rejects', table))):032x}",
        rejects=dict(Counter(f"{reject.stage}/{reject.reason}" for reject in rejects)),
        files=files,
        finished_at=int(time.time()),
    )
    key = marker_key(unit)
    if store.create(key, marker.to_json()):
        return marker
    return Marker.from_json(store.read(key), key)


def _written(store: Store, key: str, table: str, n_rows: int, data: bytes) -> File:
    """Write a file unless it is there; what stands there counts."""
    if not store.create(key, data):
        data = store.read(key)
    return File(key, table, "", n_rows, 0, len(data), hashlib.sha256(data).hexdigest())


def _hash(line: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(line, digest_size=16).digest(), "little")
