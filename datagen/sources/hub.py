"""Data sets of the Hugging Face hub: the files of a split, each read like any other file.

The library `datasets` finds the files. It does not read them, because it holds row groups of any
size.
"""

from collections.abc import Callable, Iterator
from typing import IO

from datagen.errors import SourceError, StoreError
from datagen.sources.fields import Raw, quote
from datagen.sources.inputs import SUFFIXES, Content, HubName, Source, known_suffix

_FIX = "check name, revision, split and network"


def hub_records(
    file: Source, content: Content, split: str, read: Callable[[Content, IO[bytes]], Iterator[Raw]]
) -> Iterator[Raw]:
    """Records of a split.

    Args:
        file: The data set.
        content: Its place and the rules by which it is read.
        split: Name of the split.
        read: Reads a file.

    Raises:
        SourceError: If it cannot be found or read, or has no such split.
    """
    import fsspec

    if file.hub is None:
        return
    for url in _files(file.hub, content.place, split):
        name = url.rpartition("/")[2]
        kind = SUFFIXES[known_suffix(name)]
        inner = content._replace(place=f"{content.place}, {quote(name)}", format=kind.format, packing=kind.packing)
        try:
            with fsspec.open(url, "rb").open() as stream:
                for raw in read(inner, stream):
                    yield raw._replace(place=f"{quote(name)}, {raw.place}")
        except (SourceError, StoreError):
            raise
        except Exception as error:
            raise _unreadable(inner.place, error) from error


def _files(hub: HubName, place: str, split: str) -> list[str]:
    """URLs of the files of a split."""
    import datasets

    try:
        found = datasets.load_dataset_builder(hub.repo, hub.config, revision=hub.revision).config.data_files or {}
    except Exception as error:  # the hub client raises errors of many libraries
        raise _unreadable(place, error) from error
    if split not in found:
        raise SourceError(f"{place}: no split {split!r}; choose one of {', '.join(map(str, found)) or 'none'}")
    urls = [str(url) for url in found[split]]
    strange = next((url for url in urls if not known_suffix(url) or "::" in url), None)
    if strange:
        raise SourceError(f"{place}: {quote(strange)} is of a kind that is not read; convert the data set to Parquet")
    return urls


def _unreadable(place: str, error: Exception) -> SourceError:
    return SourceError(f"{place}: cannot be read: {type(error).__name__}: {str(error)[:300]}; {_FIX}")
