"""Commits a unit exactly once: files with names that depend only on the unit, then its marker.

The file in `conversations/` is created first and also contains the unit's rejects. Its creator
decides the unit's content: another attempt that finds the file, left by a killed or faster one,
continues from it, and all other files follow from it by integer arithmetic. So the content is
unique even if an engine is not bit-exact.

A unit of several blocks is read and written a block at a time, with a row group for each in every
file: no more than one block is in memory.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from datagen.errors import StoreError
from datagen.pipeline.flatten import Flatten
from datagen.records import Reject, Streams
from datagen.run.unit_files import UnitFiles
from datagen.shards import digest, seal
from datagen.shards.schema import conversations_table
from datagen.shards.store import Store
from datagen.shards.tables import about, fetched, footer_of
from datagen.shards.unit import Marker, data_key

Result = Streams | Reject


def commit_unit(store: Store, unit: int, results: Sequence[Result], flatten: Flatten, header: dict[str, Any]) -> Marker:
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
    streams, rejects = sorted_out(results)
    table = conversations_table(streams)
    with UnitFiles(store, unit, header) as files:
        if not files.decide([table], rejects):
            return _resume(store, unit, flatten, header)
        files.hashes.extend(digest.row_hashes("conversations", table))
        return files.finish([streams], rejects, flatten)


def commit_blocks(
    store: Store,
    unit: int,
    blocks: Iterable[tuple[pa.Table, Sequence[Reject]]],
    flatten: Flatten,
    header: dict[str, Any],
) -> Marker:
    """Write all files of a unit that has several blocks, then its marker.

    Args:
        store: The output.
        unit: Index of the unit.
        blocks: The conversations and rejects of each block, in order.
        flatten: Makes the rows.
        header: Metadata of every file, as `Plan.header` gives it.

    Returns:
        The marker in the store.
    """
    rejects: list[Reject] = []

    def tables() -> Iterator[pa.Table]:
        for table, more in blocks:
            rejects.extend(more)
            yield table

    with UnitFiles(store, unit, header, on_disk=True) as files:
        if not files.decide(tables(), rejects):
            return _resume(store, unit, flatten, header)
        return files.finish(files.decided(), rejects, flatten)


def sorted_out(results: Iterable[Result]) -> tuple[list[Streams], list[Reject]]:
    """Conversations and rejects, each in order."""
    streams, rejects = list[Streams](), list[Reject]()
    for result in results:
        if isinstance(result, Streams):
            streams.append(result)
        else:
            rejects.append(result)
    return streams, rejects


def found_unit(store: Store, unit: int, flatten: Flatten, header: dict[str, Any]) -> Marker | None:
    """Finish a unit from the conversations of an earlier attempt; None if there are none."""
    return _resume(store, unit, flatten, header) if store.exists(data_key("conversations", unit)) else None


def _resume(store: Store, unit: int, flatten: Flatten, header: dict[str, Any]) -> Marker:
    """Finish a unit from its conversations in the store.

    Raises:
        StoreError: If they are damaged, or those of another unit or run.
    """
    key = data_key("conversations", unit)
    place = f"{store.url}/{key}"
    with fetched(store, key) as data, UnitFiles(store, unit, header, on_disk=True) as files:
        rejects = decided_rejects(data, place, {**header, "unit": unit}, "unit")
        files.found(data)
        return files.finish(files.decided(), rejects, flatten)


def decided_rejects(data: bytes | memoryview, place: str, header: dict[str, Any], whose: str) -> list[Reject]:
    """The rejects in the file of conversations that decides a unit or a block.

    Args:
        data: The file.
        place: Its place for errors.
        header: Metadata that it must have.
        whose: `unit` or `block`.

    Raises:
        StoreError: If it is damaged, or that of another one or run.
    """
    try:
        seal.refuse_broken(data, place, required=True)
        said = about(footer_of(data, place))
    except StoreError as error:
        raise StoreError(f"{error}; delete it and run the same command again") from error
    rejects = [Reject(**values) for values in said.pop("rejects", ())]
    if said != header:
        raise StoreError(f"{place} belongs to another {whose} or run; delete it and run the same command again")
    return rejects


def commit_rows(
    store: Store, unit: int, groups: Iterable[Sequence[Streams]], flatten: Flatten, header: dict[str, Any]
) -> Marker:
    """Write the rows of conversations stored elsewhere, a row group for each group, then the unit's marker."""
    with UnitFiles(store, unit, header, on_disk=True) as files:
        return files.finish(groups, [], flatten)
