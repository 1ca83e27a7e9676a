"""Bytes to raw records: the reader of each format, below compression and encoding, in bounded memory."""

import lzma
from collections.abc import Iterator
from typing import IO

from datagen.errors import SourceError, StoreError
from datagen.sources.archives import archived
from datagen.sources.csv_text import csv_rows
from datagen.sources.fields import Raw
from datagen.sources.inputs import Content, Source, notice
from datagen.sources.json_text import json_file, json_lines
from datagen.sources.unpacked import in_utf8, unpacked


def records(file: Source, stream: IO[bytes], shape: str, split: str, max_bytes: int) -> Iterator[Raw]:
    """Read all records of one input.

    Args:
        file: What to read.
        stream: Its raw bytes, from their beginning; read once, unless they are Parquet or a zip archive.
        shape: Shape that its records are to have, or "auto".
        split: Split of a Hugging Face data set.
        max_bytes: Larger records are not read.

    Raises:
        SourceError: If it cannot be read, or holds no record and was named itself.
    """
    content = Content(file.place, file.format, file.packing, shape, max_bytes)
    if file.format == "hub":
        from datagen.sources.hub import hub_records  # needs datasets

        found = hub_records(file, content, split, _read)
    elif file.format == "saved":
        from datagen.sources import table_rows as tables  # needs pyarrow

        found = tables.saved_rows(content, file.path, split)
    else:
        found = _read(content, stream)
    n_records = 0
    try:
        for raw in found:
            yield raw
            n_records += 1
    except (OSError, EOFError, lzma.LZMAError) as error:
        where = f"after record {n_records - 1}" if n_records else "at all"
        fix = "check that it is complete and readable for you, and fetch or pack it again"
        raise SourceError(f"{file.place}: cannot be read {where}: {error}; {fix}") from error
    except StoreError as error:
        raise SourceError(str(error)) from None
    if not n_records and file.in_folder:
        notice(f"{file.place}: skipped, because it contains no records")
    elif not n_records:
        raise SourceError(f"{file.place}: contains no records; remove it from the inputs or add some")


def _read(content: Content, stream: IO[bytes]) -> Iterator[Raw]:
    """Records of one file of any format."""
    if content.format == "parquet":
        from datagen.sources import table_rows as tables

        return tables.parquet_rows(content, stream)
    if content.format in ("zip", "tar"):
        return archived(content, stream, content_records)
    return content_records(content, stream)


def content_records(content: Content, stream: IO[bytes]) -> Iterator[Raw]:
    """Records of a file or member that is read once from its beginning to its end.

    Raises:
        OSError: If its compression is damaged; `EOFError` or `LZMAError` likewise.
        SourceError: If its content is.
    """
    place, max_bytes = content.place, content.max_bytes
    with unpacked(stream, content.packing) as plain:
        if content.format == "arrow":
            from datagen.sources import table_rows as tables

            yield from tables.arrow_rows(content, plain)
            return
        text = in_utf8(plain)
        if content.format == "jsonl":
            yield from json_lines(place, text, max_bytes)
        elif content.format == "json":
            yield from json_file(place, text, max_bytes)
        else:
            yield from csv_rows(place, text, max_bytes, "," if content.format == "csv" else "\t")
