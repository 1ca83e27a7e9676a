"""Speed of the feed against a plain scan and other loaders, on one core in one run, by CPU time of the process.

    python benchmarks/feed.py                  # on a build by the fake engines, made first
    python benchmarks/feed.py --out OUT        # on one of yours

litdata and MosaicML streaming are measured where they are installed: pip install --no-deps
litdata==0.2.76 lightning-utilities zstd; pip install mosaicml-streaming==0.13.0
"""

import argparse
import importlib.util
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import torch
from common import recipe_for, run_build, show, write_dialogues

from datagen.feed import Feed, Stage
from datagen.shards.manifest import Manifest
from datagen.shards.store import open_store

SEQUENCES = {"asr": (1024, 16), "tts": (1024, 16)}
"""Tokens of a sequence and sequences a batch, as in the paper's stages."""
DIALOGUE = (8192, 4)
PLAIN = ("ParquetFile.read", "read_table", "dataset scanner", "dataset scanner, all columns")
"""Ways to scan with plain pyarrow, the leanest first."""
COLUMNS = ["input_ids", "loss_mask"]
_EPOCHS = 10
"""Of a longer run: an epoch of a few files is read ahead in whole before its first batch."""


def paths(out: str, task: str) -> list[str]:
    """The train files of a task."""
    manifest = Manifest.load(open_store(out))
    return [str(Path(out) / file.key) for file in manifest.files(task, "train") if file.n_rows]


def read_table(files: list[str]) -> int:
    """Plain pyarrow, file by file."""
    return sum(len(pq.read_table(f, columns=COLUMNS, use_threads=False)["input_ids"].chunk(0).values) for f in files)


def parquet_file(files: list[str]) -> int:
    """Plain pyarrow, file by file, by its leanest call."""
    tables = (pq.ParquetFile(f).read(columns=COLUMNS, use_threads=False) for f in files)
    return sum(len(table["input_ids"].chunk(0).values) for table in tables)


def scanner(files: list[str], columns: list[str] | None) -> int:
    """The scanner of pyarrow's datasets, of some columns or all."""
    batches = ds.dataset(files).scanner(columns=columns, use_threads=False).to_batches()
    return sum(len(batch["input_ids"].values) for batch in batches)


def ready(ids: object, mask: object) -> int:
    """The least that training needs of a row: ids and labels as tensors. Rivals neither pack nor number positions."""
    tokens = torch.as_tensor(ids).long()
    return len(torch.where(torch.as_tensor(mask), tokens, -100))


def huggingface(files: list[str]) -> int:
    """Streaming by `datasets`, shuffled in a buffer."""
    rows = datasets.load_dataset("parquet", data_files=files, split="train", streaming=True, columns=COLUMNS)
    shuffled = rows.shuffle(0, buffer_size=256).with_format("numpy")
    return sum(ready(row["input_ids"], row["loss_mask"]) for row in shuffled)


def litdata_of(folder: str) -> int:
    """Streaming by litdata from its own format, shuffled."""
    import litdata

    rows = litdata.StreamingDataset(folder, shuffle=True)
    return sum(ready(row["input_ids"], row["loss_mask"]) for row in rows)


def mosaicml_of(folder: str) -> int:
    """Streaming by MosaicML from its own format, shuffled."""
    import streaming

    rows = streaming.StreamingDataset(local=folder, shuffle=True, batch_size=1)
    return sum(ready(row["input_ids"], row["loss_mask"]) for row in rows)


def write_mosaicml(files: list[str], folder: str) -> None:
    """The same rows in MosaicML's format."""
    import streaming

    columns = {"input_ids": "ndarray:int32", "loss_mask": "ndarray:uint8"}
    with streaming.MDSWriter(out=folder, columns=columns) as writer:
        for row in (row for file in files for row in rows_of(file)):
            writer.write({"input_ids": row["input_ids"], "loss_mask": row["loss_mask"].view(np.uint8)})


def halves(feed: Feed) -> float:
    """CPU time per batch in the first half of an epoch, over that in the second."""
    ends = [time.process_time()]
    ends.extend(time.process_time() for _ in feed)
    half = len(ends) // 2
    return (ends[half] - ends[0]) / half / max((ends[-1] - ends[half]) / max(len(ends) - 1 - half, 1), 1e-9)


def rows_of(file: str) -> Iterator[dict[str, np.ndarray]]:
    """Samples of a file for litdata."""
    table = pq.read_table(file, columns=COLUMNS)
    ids, mask = (table[name].combine_chunks() for name in COLUMNS)
    offsets = ids.offsets.to_numpy()
    values = ids.values.to_numpy(), mask.values.to_numpy(zero_copy_only=False)
    for begin, end in pairwise(offsets.tolist()):
        yield {name: column[begin:end] for name, column in zip(COLUMNS, values, strict=True)}


def measure(out: str, task: str, rounds: int, folder: str) -> dict[str, float]:
    """Tokens per second of every way, the median of rounds in which all ways alternate."""
    files = paths(out, task)
    n_tokens = parquet_file(files)
    max_tokens, batch_size = SEQUENCES.get(task, DIALOGUE)
    feed = Feed(out, Stage("bench", {task: 1}, max_tokens, batch_size), epochs=1)
    kept = Feed(out, Stage("bench", {task: 1}, max_tokens, batch_size), epochs=1, cache=f"{folder}-cache")
    for _ in kept:
        pass
    ways: dict[str, Callable[[], object]] = {
        "ParquetFile.read": lambda: parquet_file(files),
        "read_table": lambda: read_table(files),
        "dataset scanner": lambda: scanner(files, COLUMNS),
        "dataset scanner, all columns": lambda: scanner(files, None),
        "datagen.feed": lambda: sum(1 for _ in feed),
        "datagen.feed, from its cache": lambda: sum(1 for _ in kept),
        "datasets streaming": lambda: huggingface(files),
    }
    if importlib.util.find_spec("litdata"):
        import litdata

        for name, compression in (("litdata, compressed", "zstd"), ("litdata, raw", None)):
            litdata.optimize(
                rows_of, files, f"{folder}-{compression}", chunk_bytes="64MB", num_workers=1, compression=compression
            )
            ways[name] = partial(litdata_of, f"{folder}-{compression}")
    if importlib.util.find_spec("streaming"):
        write_mosaicml(files, f"{folder}-mosaicml")
        ways["MosaicML streaming"] = partial(mosaicml_of, f"{folder}-mosaicml")
    slow = {"datasets streaming"}
    found: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):  # the first of them only warms up: threads take memory when they first read
        for name, run in ways.items():
            if name in slow and number > 1:
                continue
            begin = time.process_time()
            run()
            if number:
                found[name].append(n_tokens / (time.process_time() - begin))
    many = Feed(out, Stage("bench", {task: 1}, max_tokens, batch_size), epochs=_EPOCHS)
    for name, whole in (("an epoch", feed), (f"{_EPOCHS} epochs", many)):
        show(f"{task}: first half of {name} / second", statistics.median(halves(whole) for _ in range(rounds)), least=1)
    return {name: statistics.median(values) for name, values in found.items()}


def memory(out: str, n_batches: int) -> tuple[float, float]:
    """The peak of this process after a tenth of a long run, and after all of it, in MB."""
    mixed = dict.fromkeys(("asr", "tts", "four_stream", "three_stream", "two_stream"), 1.0)
    peaks = []
    for number, _ in enumerate(Feed(out, Stage("long", mixed, *DIALOGUE))):
        if number in (n_batches // 10, n_batches):
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        if number == n_batches:
            return peaks[0], peaks[1]
    raise AssertionError


def main() -> None:
    """Print tokens per second by task and way, ratios, and the memory of a long run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", help="a finished build with all five tasks; by default one is made")
    parser.add_argument("--hours", type=float, default=50, help="conversation of the build that is made")
    parser.add_argument("--rounds", type=int, default=5, help="runs of which the median is shown")
    parser.add_argument("--batches", type=int, default=5000, help="batches of the run whose memory is watched")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        out = options.out
        if not out:
            write_dialogues(Path(name) / "in.jsonl", options.hours)
            run_build(recipe_for("fake", Path(name) / "in.jsonl", "run.unit_dialogues=32"), Path(name) / "out")
            out = str(Path(name) / "out")
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        torch.set_num_threads(1)
        pa.set_cpu_count(1)
        early, late = memory(out, options.batches)
        show(f"peak after {options.batches // 10:,} batches of 32,768 tokens", early, "MB")
        show(f"peak after {options.batches:,}, against that", late / early, most=1.05)
        for task in ("asr", "tts", "four_stream", "three_stream", "two_stream"):
            report(task, measure(out, task, options.rounds, str(Path(name) / task)))


def report(task: str, rates: dict[str, float]) -> None:
    """Print what was measured of a task."""
    for name, rate in rates.items():
        show(f"{task}: {name}", rate / 1e6, "M tokens/s")
    ours = {name: rates[name] for name in ("datagen.feed", "datagen.feed, from its cache")}
    for name, own in ours.items():
        for other in (other for other in rates if other not in ours):
            show(f"{task}: {name[8:]} / {other}", own / rates[other], least=0.9 if other in PLAIN else 1)


if __name__ == "__main__":
    main()
