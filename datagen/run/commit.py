"""Commits a unit exactly once: files with names that depend only on the unit, then its marker.

The file in `conversations/` is created first and also contains the unit's rejects. Its creator
decides the unit's content: another attempt that finds the file, left by a killed or faster one,
continues from it, and all other files follow from it by integer arithmetic. So the content is
unique even if an engine is not bit-exact.
"""

import hashlib
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from typing import Any

import pyarrow as pa

from datagen.errors import StoreError
from datagen.pipeline.flatten import Flatten
from datagen.records import Reject, Row, Streams
from datagen.run.machine import processor
from datagen.shards import digest, seal
from datagen.shards.markers import marker_of
from datagen.shards.schema import conversations_table, rejects_table, rows_table, streams_of
from datagen.shards.store import Store
from datagen.shards.tables import about, from_parquet, to_parquet
from datagen.shards.unit import File, Marker, data_key, marker_key

_N_WRITERS = 8


def commit_unit(
    store: Store, unit: int, results: Sequence[Streams | Reject], flatten: Flatten, header: dict[str, Any]
) -> Marker:
    """Write all files of a unit, then its marker.

    Args:
        store: The output.
        unit: Index of the unit.
        results: A conversation or a reject for each record of the unit.
        flatten: Makes the rows.
        header: Metadata of every file, as `Plan.header` gives it.

    Returns:
        The marker in the store.
    """
    streams = [result for result in results if isinstance(result, Streams)]
    rejects = [result for result in results if isinstance(result, Reject)]
    conversations = conversations_table(streams)
    data = to_parquet(conversations, {**header, "unit": unit, "rejects": [asdict(r) for r in rejects]})
    if not store.create(data_key("conversations", unit), data):
        return _resume(store, unit, flatten, header)
    return _finish(store, unit, streams, rejects, flatten, header, *_decided(unit, conversations, data))


def found_unit(store: Store, unit: int, flatten: Flatten, header: dict[str, Any]) -> Marker | None:
    """Finish a unit from the conversations of an earlier attempt; None if there are none."""
    return _resume(store, unit, flatten, header) if store.exists(data_key("conversations", unit)) else None


def _resume(store: Store, unit: int, flatten: Flatten, header: dict[str, Any]) -> Marker:
    """Finish a unit from its conversations in the store.

    Raises:
        StoreError: If they are damaged, or those of another unit or run.
    """
    key = data_key("conversations", unit)
    data, place = store.read(key), f"{store.url}/{key}"
    try:
        seal.refuse_broken(data, place, required=True)
        conversations = from_parquet(data, place)
    except StoreError as error:
        raise StoreError(f"{error}; delete it and run the same command again") from error
    said = about(conversations)
    rejects = [Reject(**values) for values in said.pop("rejects", ())]
    if said != {**header, "unit": unit}:
        raise StoreError(f"{place} belongs to another unit or run; delete it and run the same command again")
    return _finish(
        store, unit, streams_of(conversations), rejects, flatten, header, *_decided(unit, conversations, data)
    )


def _decided(unit: int, conversations: pa.Table, data: bytes) -> tuple[list[File], list[int]]:
    """The file that decides a unit, and the hashes of its rows."""
    file = _file(data_key("conversations", unit), "conversations", "", conversations, data)
    return [file], digest.row_hashes("conversations", conversations)


def commit_rows(
    store: Store, unit: int, streams: Sequence[Streams], flatten: Flatten, header: dict[str, Any]
) -> Marker:
    """Write the rows of conversations stored elsewhere, then the unit's marker."""
    return _finish(store, unit, streams, [], flatten, header, [], [])


def _finish(
    store: Store,
    unit: int,
    streams: Sequence[Streams],
    rejects: Sequence[Reject],
    flatten: Flatten,
    header: dict[str, Any],
    files: list[File],
    hashes: list[int],
) -> Marker:
    """Write all other files of a unit from its conversations and rejects, then the marker."""
    added = added_of(streams) if files else {}  # counted by the build that has the conversations
    tables = [*row_tables([flatten(s) for s in streams]), *_reject_table(rejects)]
    with ThreadPoolExecutor(_N_WRITERS) as writers:  # a store is waited for more than worked on: once, not file by file
        files.extend(writers.map(partial(_create, store, unit, header), tables))
    for table, _, content in tables:
        hashes.extend(digest.row_hashes(table, content))
    by_reason = Counter(f"{r.stage}/{r.reason}" for r in rejects)
    marker = Marker(
        unit=unit,
        n_records=len(streams) + len(rejects),
        n_kept=len(streams),
        n_samples=sum(s.n_samples for s in streams),
        digest=digest.to_text(digest.total(hashes)),
        rejects=dict(sorted(by_reason.items())),
        notices=notices_of(streams),
        added=added,
        files=tuple(files),
        processor=processor(),
        finished_at=int(time.time()),
        plan=header["plan"],
    )
    if not store.create(marker_key(unit), marker.to_json()):
        return marker_of(store, unit, marker.plan)  # of an attempt that was faster
    return marker


def notices_of(streams: Iterable[Streams]) -> dict[str, int]:
    """Number of conversations by the reason of a fault that cost no dialogue; `cut/REASON`: cut short.

    >>> notices_of([Streams("d", cut="turn_too_long", notices=("bad_id: x", "bad_id: y"))])
    {'bad_id': 1, 'cut/turn_too_long': 1}
    """
    found = Counter[str]()
    for s in streams:
        found.update({notice.partition(":")[0] for notice in s.notices} | ({f"cut/{s.cut}"} if s.cut else set()))
    return dict(sorted(found.items()))


def added_of(streams: Iterable[Streams]) -> dict[str, int]:
    """Number of utterances by kind, and of corrections, that rules added to what the dialogues say.

    >>> from datagen.records import Spoken
    >>> said = Spoken("user"), Spoken("user", kind="filler"), Spoken("user", kind="backchannel")
    >>> added_of([Streams("d", utterances=said), Streams("e", utterances=said, scripted_by="marks")])
    {'backchannel': 1, 'filler': 1}
    """
    ruled = [s for s in streams if s.scripted_by == "rules"]
    found = Counter[str](u.kind for s in ruled for u in s.utterances if u.kind not in ("turn", "resumption"))
    found.update(event.kind for s in ruled for event in s.events if event.kind == "correction")
    return dict(sorted(found.items()))


def row_tables(rows_by_conversation: list[list[Row]]) -> Iterator[tuple[str, str, pa.Table]]:
    """Rows grouped into one table per task and split, in a fixed order."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for rows in rows_by_conversation:
        for row in rows:
            groups.setdefault((row.task, row.split), []).append(row)
    for (task, split), members in sorted(groups.items()):
        yield task, split, rows_table(members)


def _reject_table(rejects: Sequence[Reject]) -> Iterator[tuple[str, str, pa.Table]]:
    if rejects:
        yield "rejects", "", rejects_table(rejects)


def _create(store: Store, unit: int, header: dict[str, Any], made: tuple[str, str, pa.Table]) -> File:
    table, split, content = made
    key = data_key(table, unit, split)
    data = to_parquet(content, header)
    if not store.create(key, data) and (found := store.read(key)) != data:
        if not seal.is_sealed(found):
            raise StoreError(f"{store.url}/{key} is damaged; delete it and run the same command again")
        raise StoreError(
            f"{store.url}/{key} was written by another version of datagen or pyarrow; choose another --out"
        )
    return _file(key, table, split, content, data)


def _file(key: str, table: str, split: str, content: pa.Table, data: bytes) -> File:
    n_tokens = sum(content.column("n_tokens").to_pylist()) if "n_tokens" in content.column_names else 0
    return File(key, table, split, content.num_rows, n_tokens, len(data), hashlib.sha256(data).hexdigest())
