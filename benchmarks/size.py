"""Bytes per token on disk, mask included, as built and in other Parquet layouts, read back and compared."""

import argparse
import shutil
import time
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
from common import recipe_for, run_build, show, write_dialogues

from datagen.shards.manifest import Manifest
from datagen.shards.store import open_store
from datagen.shards.tables import _leaves, from_parquet, to_parquet

_IDS, _MASK = "input_ids.list.element", "loss_mask.list.element"


@dataclass(frozen=True)
class Layout:
    """One way to write a table."""

    name: str
    ids: str = "BYTE_STREAM_SPLIT"
    """Encoding of `input_ids`, or DICTIONARY."""
    mask: str = "PLAIN"
    level: int = 3
    dictionary: bool = True
    """For all other columns."""
    statistics: bool = True
    arrow_schema: bool = True
    """Store the Arrow schema with the units of fields, as base64 in the footer."""
    header_in_schema: bool = True
    """The `datagen` header lies in the Arrow schema as well as in the footer; else in the footer alone."""
    rows: int | None = None
    """Rows per row group; None: all."""
    options: dict[str, Any] = field(default_factory=dict)

    def write(self, table: pa.Table) -> bytes:
        """The file."""
        others = [leaf for leaf in _leaves(table.schema) if leaf not in (_IDS, _MASK)] if self.dictionary else []
        encodings = {_MASK: self.mask} if self.mask != "PLAIN" else {}
        if self.ids == "DICTIONARY":
            others.append(_IDS)
        else:
            encodings[_IDS] = self.ids
        header = table.schema.metadata
        if not self.header_in_schema:
            table = table.replace_schema_metadata(None)
        file = BytesIO()
        with pq.ParquetWriter(
            file,
            table.schema,
            compression="zstd",
            compression_level=self.level,
            use_dictionary=others,
            column_encoding=encodings,
            write_statistics=self.statistics,
            store_schema=self.arrow_schema,
            **self.options,
        ) as writer:
            writer.write_table(table, row_group_size=self.rows)
            if header and not self.header_in_schema:
                writer.add_key_value_metadata(header)
        return file.getvalue()


_LEAN = {"dictionary": False, "statistics": False, "header_in_schema": False}
LAYOUTS = (
    Layout("ids plain", ids="PLAIN"),
    Layout("ids dictionary", ids="DICTIONARY"),
    Layout("ids delta", ids="DELTA_BINARY_PACKED"),
    Layout("ids byte split"),
    Layout("  mask RLE", mask="RLE"),
    Layout("  zstd 1", level=1),
    Layout("  zstd 9", level=9),
    Layout("  8 rows a row group", rows=8),
    Layout("  data pages v2", options={"data_page_version": "2.0"}),
    Layout("  pages of 64 KiB", options={"data_page_size": 1 << 16}),
    Layout("  no dictionaries elsewhere", dictionary=False),
    Layout("  no statistics", statistics=False),
    Layout("  header in the footer alone", header_in_schema=False),
    Layout("  these three", **_LEAN),
    Layout("    zstd 5, mask RLE", level=5, mask="RLE", **_LEAN),
    Layout("    zstd 5, mask RLE, no Arrow schema", level=5, mask="RLE", arrow_schema=False, **_LEAN),
    Layout("    zstd 9, mask RLE, no Arrow schema", level=9, mask="RLE", arrow_schema=False, **_LEAN),
    Layout("    zstd 19, mask RLE, no Arrow schema", level=19, mask="RLE", arrow_schema=False, **_LEAN),
)


def n_tokens(tables: list[pa.Table]) -> int:
    """Tokens in tables of rows."""
    return sum(sum(table.column("n_tokens").to_pylist()) for table in tables)


def as_built(manifest: Manifest) -> None:
    """Figures of the manifest, per task and split, and for all."""
    total_bytes = total_tokens = 0
    for task in manifest.tasks:
        files = list(manifest.files(task))
        n_bytes, tokens = sum(f.n_bytes for f in files), sum(f.n_tokens for f in files)
        total_bytes, total_tokens = total_bytes + n_bytes, total_tokens + tokens
        show(f"{task}, as built ({len(files)} files)", n_bytes / tokens, "bytes/token", most=1.6)
    show("all tasks, as built", total_bytes / total_tokens, "bytes/token", most=1.6)


def read_back(layout: Layout, table: pa.Table, folder: Path) -> None:
    """Plain pyarrow and `datasets` must give the same rows."""
    file = folder / "check.parquet"
    file.write_bytes(layout.write(table))
    if not pq.read_table(file).cast(table.schema).equals(table):
        raise SystemExit(f"{layout.name}: pyarrow reads something else")
    cache = folder / "cache"
    read = datasets.Dataset.from_parquet(str(file), cache_dir=str(cache), keep_in_memory=True)
    for name in ("row_id", "input_ids", "loss_mask"):
        if list(read[name]) != table.column(name).to_pylist():
            raise SystemExit(f"{layout.name}: datasets reads something else in {name}")
    shutil.rmtree(cache, ignore_errors=True)


def compare(tables: list[pa.Table], folder: Path, times: int) -> None:
    """Size and speed of every layout on the same tables."""
    tokens = n_tokens(tables)
    print(f"{tokens / 1e6:.1f} M tokens, CPU time")
    print(f"{'layout':<38} {'bytes/token':>11} {'write Mtok/s':>12} {'read Mtok/s':>11}")
    ways = [("datagen.shards.tables.to_parquet", to_parquet), *((layout.name, layout.write) for layout in LAYOUTS)]
    for name, write in ways:
        files = [write(table) for table in tables]
        took_write = min(_cpu(lambda write=write: [write(t) for t in tables]) for _ in range(times))  # type: ignore[misc]
        took_read = min(_cpu(lambda files=files: [from_parquet(f, "") for f in files]) for _ in range(times))  # type: ignore[misc]
        size = sum(map(len, files)) / tokens
        print(f"{name:<38} {size:11.3f} {tokens / took_write / 1e6:12.1f} {tokens / took_read / 1e6:11.1f}", flush=True)
    for layout in LAYOUTS:
        read_back(layout, tables[0], folder)
    print(
        f"all {len(LAYOUTS)} layouts read back the same by pyarrow {pa.__version__} and datasets {datasets.__version__}"
    )


def _cpu(run: Any) -> float:
    begin = time.process_time()
    run()
    return time.process_time() - begin


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=2, help="conversation to build")
    parser.add_argument("--times", type=int, default=5, help="runs of which the fastest is shown")
    parser.add_argument("--build", type=Path, help="measure this finished build instead")
    options = parser.parse_args()
    datasets.disable_progress_bars()
    with TemporaryDirectory() as name:
        folder = Path(name)
        out = options.build or folder / "build"
        if not options.build:
            source = folder / "dialogues.jsonl"
            write_dialogues(source, options.hours)
            run_build(recipe_for("omniflatten", source), out)
        store = open_store(str(out))
        manifest = Manifest.load(store)
        as_built(manifest)
        tables: dict[str, list[pa.Table]] = {}
        for file in manifest.files():
            if file.table in manifest.tasks and file.split == "train":
                table = from_parquet(store.read(file.key), file.key)
                tables.setdefault(file.table, []).append(table)
        for task, parts in tables.items():
            footers = sum(pq.ParquetFile(pa.BufferReader(to_parquet(part))).metadata.serialized_size for part in parts)
            share = footers / n_tokens(parts)
            print(f"{task}, train: {n_tokens(parts) // len(parts):,} tokens a file, footers {share:.3f} bytes/token")
        print()
        compare([part for parts in tables.values() for part in parts], folder, options.times)


if __name__ == "__main__":
    main()
