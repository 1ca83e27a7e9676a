"""A task of a build as Hugging Face `datasets`."""

import glob
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from datagen.inspect.as_arrow import batches
from datagen.records import SPLITS
from datagen.shards.bucket import is_url
from datagen.shards.manifest import Manifest
from datagen.shards.schema import ROWS, rows_schema
from datagen.shards.store import inside, open_store
from datagen.shards.tables import from_parquet

if TYPE_CHECKING:
    import datasets


def dataset(
    url: str, manifest: Manifest, task: str, n_files: int | None = None
) -> "datasets.DatasetDict | datasets.IterableDatasetDict":
    """The rows of a task by split, those files that the manifest names.

    Of a local build `datasets` makes a memory-mapped copy in its cache, once. One in an object store is streamed, with
    a shard per file, so that several workers of a loader share it.

    Args:
        url: Output of the build.
        manifest: Its manifest.
        task: The task.
        n_files: Only the first files of each split; None: all.
    """
    import datasets

    splits = [split for split in SPLITS if split in manifest.tables[task]]
    keys = {split: [file.key for file in islice(manifest.files(task, split), n_files)] for split in splits}
    if is_url(url):
        features = datasets.Features.from_arrow_schema(rows_schema(task, manifest.row_codebooks))
        streams = {
            split: datasets.IterableDataset.from_generator(
                _examples, features, gen_kwargs={"url": url, "task": task, "split": split, "keys": keys[split]}
            )
            for split in splits
        }
        return datasets.IterableDatasetDict(streams)
    files = {
        split: [glob.escape(str(Path(url).absolute() / inside(key, url))) for key in keys[split]] for split in splits
    }
    return datasets.load_dataset("parquet", data_files=files, features=_features(manifest, task))


def _features(manifest: Manifest, task: str) -> "datasets.Features":
    """The columns of the rows, as their version has them.

    Without them `datasets` would follow the files' own metadata, which can turn a column into
    pictures or sound at any path or URL.
    """
    import datasets

    first = next(manifest.files(task)).key
    names = from_parquet(manifest.store.open(first), first).column_names
    known = rows_schema(task, manifest.row_codebooks)
    return datasets.Features.from_arrow_schema(pa.schema([field for field in known if field.name in names]))


def _examples(url: str, task: str, split: str, keys: list[str]) -> Iterator[dict[str, Any]]:
    """The rows of files; `datasets` deals the list among the workers of a loader."""
    store = open_store(url)
    for batch in batches(store, Manifest.load(store), task, split, ROWS.names, keys):
        yield from batch.to_pylist()
