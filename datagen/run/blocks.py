"""Blocks of a unit: each is made and kept as a whole, until all are there and the unit is committed.

A unit of `run.units_per_file` blocks has one file per table and split. So that it need not be made in
one go, each block is kept in a file of conversations and rejects, like that of a unit: the first attempt that
creates it decides its content. When the unit is committed, its marker is written, and only then are
its blocks removed. So whatever dies, a unit has its blocks or its marker.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from datagen.errors import StoreError
from datagen.pipeline.flatten import Flatten
from datagen.records import Reject
from datagen.run.commit import Result, commit_blocks, decided_rejects, found_unit, sorted_out
from datagen.shards.markers import marker_of
from datagen.shards.plan import Plan, blocks_of
from datagen.shards.schema import conversations_table
from datagen.shards.store import Store
from datagen.shards.tables import from_parquet, to_parquet
from datagen.shards.unit import BLOCKS, Block, Marker, block_of, marker_key


def left_blocks(store: Store, plan: Plan, units: Sequence[int]) -> list[Block]:
    """The blocks to make, in order; of a unit whose blocks are all kept, the last one, which ends in its commit."""
    kept: dict[int, set[int]] = {}
    for unit, index in kept_blocks(store):
        kept.setdefault(unit, set()).add(index)
    found = list[Block]()
    for unit in units:
        blocks = blocks_of(plan, unit)
        found += [block for block in blocks if block.index not in kept.get(unit, ())] or blocks[-1:]
    return found


def kept_blocks(store: Store) -> Iterator[tuple[int, int]]:
    """Unit and place of each kept block, from one listing."""
    return (found for key in store.keys(BLOCKS) if (found := block_of(key)))


def has_block(store: Store, block: Block) -> bool:
    """True if a block is kept, or its unit is finished."""
    return store.exists(block.key) or store.exists(marker_key(block.unit))


def has_all(store: Store, blocks: Sequence[Block]) -> bool:
    """True if all blocks of a unit are kept, or it is finished."""
    there = {*store.keys(blocks[0].key.rpartition("/")[0])}
    return all(block.key in there for block in blocks) or store.exists(marker_key(blocks[0].unit))


def keep_block(store: Store, block: Block, results: Sequence[Result], header: dict[str, Any]) -> None:
    """Keep the results of a block, unless another attempt has done so."""
    streams, rejects = sorted_out(results)
    said = {**header, "unit": block.unit, "block": block.index, "rejects": [asdict(r) for r in rejects]}
    store.create(block.key, to_parquet(conversations_table(streams), said))
    if store.exists(marker_key(block.unit)):  # another attempt at the unit was faster, and has removed its blocks
        store.remove(block.key)


def join_blocks(store: Store, blocks: Sequence[Block], flatten: Flatten, header: dict[str, Any]) -> Marker:
    """Commit a unit whose blocks are all kept, and remove them.

    Raises:
        StoreError: If one is missing or damaged.
    """
    unit = blocks[0].unit
    try:
        marker = _finished(store, unit, header) or found_unit(store, unit, flatten, header)
        if marker is None:
            tables = (_kept(store, block, header) for block in blocks)
            marker = commit_blocks(store, unit, tables, flatten, header)
    except StoreError:  # is a block missing because another attempt was faster?
        marker = _finished(store, unit, header)
        if marker is None:
            raise
    for block in blocks:
        store.remove(block.key)
    return marker


def _finished(store: Store, unit: int, header: dict[str, Any]) -> Marker | None:
    return marker_of(store, unit, header["plan"]) if store.exists(marker_key(unit)) else None


def remove_blocks(store: Store) -> None:
    """Remove what is left of blocks when all units are committed."""
    for key in list(store.keys(BLOCKS)):
        if block_of(key):
            store.remove(key)


def _kept(store: Store, block: Block, header: dict[str, Any]) -> tuple[pa.Table, list[Reject]]:
    """The conversations and rejects of a kept block.

    Raises:
        StoreError: If it is missing or damaged, or that of another run.
    """
    place, data = f"{store.url}/{block.key}", store.read(block.key)
    rejects = decided_rejects(data, place, {**header, "unit": block.unit, "block": block.index}, "block")
    return from_parquet(data, place, is_hashed=True).replace_schema_metadata(None), rejects
