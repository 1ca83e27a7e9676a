"""A task of a build as Hugging Face `datasets`."""

import glob
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datagen.inspect.as_arrow import batches
from datagen.records import SPLITS
from datagen.shards.bucket import is_url
from datagen.shards.manifest import Manifest
from datagen.shards.schema import ROWS
from datagen.shards.store import open_store

if TYPE_CHECKING:
    import datasets


def dataset(url: str, manifest: Manifest, task: str) -> "datasets.DatasetDict | datasets.IterableDatasetDict":
    """The rows of a task by split, those files that the manifest names.

    Of a local build `datasets` makes a memory-mapped copy in its cache, once. One in an object store is streamed.
    """
    import datasets

    splits = [split for split in SPLITS if split in manifest.tables[task]]
    if is_url(url):
        features = datasets.Features.from_arrow_schema(ROWS)
        streams = {
            split: datasets.IterableDataset.from_generator(
                _examples, features, gen_kwargs={"url": url, "task": task, "split": split}
            )
            for split in splits
        }
        return datasets.IterableDatasetDict(streams)
    files = {
        split: [glob.escape(str(Path(url).absolute() / file.key)) for file in manifest.files(task, split)]
        for split in splits
    }
    return datasets.load_dataset("parquet", data_files=files)


def _examples(url: str, task: str, split: str) -> Iterator[dict[str, Any]]:
    store = open_store(url)
    for batch in batches(store, Manifest.load(store), task, split, ROWS.names):
        yield from batch.to_pylist()
