"""The check of a finished output against its manifest: finds lost, doubled, damaged or inconsistent data."""

import hashlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
import pyarrow as pa

from datagen import DATA_VERSION
from datagen.errors import StoreError
from datagen.pipeline.flatten import Flatten
from datagen.pipeline.script.script import split_of
from datagen.recipe import SplitsConfig
from datagen.records import Row, Streams
from datagen.run.reflatten import conversations_of, flattener
from datagen.shards import digest
from datagen.shards.laws import conversation_faults
from datagen.shards.manifest import Manifest
from datagen.shards.schema import CONVERSATIONS, REJECTS, ROWS, rows_table, streams_of
from datagen.shards.store import Store
from datagen.shards.tables import from_parquet
from datagen.shards.unit import File, unit_of

_MAX_FAULTS = 100
_NO_TASKS = ("conversations", "rejects")


@dataclass
class Report:
    """The result of a check."""

    digest: str = ""
    n_files: int = 0
    n_rows: int = 0
    faults: list[str] = field(default_factory=list)
    """One line per fault, with its place; empty if there is none."""


class _Seen:
    """Sums over all files: one byte per record, about 70 bytes per dialogue."""

    def __init__(self, n_records: int) -> None:
        self.records = np.zeros(n_records, np.uint8)
        """Occurrences of each record, at most 255."""
        self.strangers: set[int] = set()
        """Records that are not in the input."""
        self.n_records = 0
        self.n_dialogues = 0
        self.dialogues: set[bytes] = set()
        """Hashes of the ids found; 64 bits make the chance of a clash in a million 1 in 37 million."""
        self.speakers: dict[str, set[str]] = {}
        self.digest = 0

    def record(self, index: int) -> None:
        """Count a record found in conversations or rejects."""
        self.n_records += 1
        if not 0 <= index < len(self.records):
            self.strangers.add(index)
        elif self.records[index] < 255:
            self.records[index] += 1

    def again(self, dialogue_id: str) -> bool:
        """Count a conversation; True if its dialogue was counted before."""
        self.n_dialogues += 1
        mark = hashlib.blake2b(dialogue_id.encode(), digest_size=8).digest()
        if mark in self.dialogues:
            return True
        self.dialogues.add(mark)
        return False


def check(store: Store, conversations: Store | None = None) -> Report:
    """Check a finished output, one unit at a time.

    Args:
        store: The output.
        conversations: The output with the conversations, if this one was flattened from it.

    Raises:
        StoreError: If there is no manifest, it is damaged, or it is of another data version.
    """
    manifest = Manifest.load(store)
    if manifest.data_version != DATA_VERSION:
        raise StoreError(
            f"{store.url} has data version {manifest.data_version}, but this datagen checks version {DATA_VERSION}; "
            f"check it with the datagen that made it ({manifest.datagen}). All other commands read it"
        )
    report, seen = Report(), _Seen(manifest.n_records)
    origin = Manifest.load(conversations) if conversations else None
    for fault in _faults(store, manifest, seen, report, conversations, origin):
        report.faults.append(fault)
        if len(report.faults) == _MAX_FAULTS:
            report.faults.append("... and more; stopped counting")
            break
    return report


def _faults(
    store: Store, manifest: Manifest, seen: _Seen, report: Report, elsewhere: Store | None, origin: Manifest | None
) -> Iterator[str]:
    yield from _strays(store, manifest)
    flatten = flattener(manifest)
    for unit, files in groupby(manifest.files(), lambda file: unit_of(file.key)):
        tables: dict[tuple[str, str], list[pa.Table]] = {}
        for file in files:
            report.n_files += 1
            table = yield from _read(store, file, seen)
            if table is not None:
                tables.setdefault((file.table, file.split), []).append(table)
                report.n_rows += table.num_rows
        streams = yield from _streams(tables.get(("conversations", ""), ()))
        if elsewhere and origin and unit is not None:
            keys = conversations_of(origin, unit)
            streams = [s for key in keys for s in streams_of(from_parquet(elsewhere.read(key), key))]
        yield from _unit_faults(manifest, seen, streams)
        if streams or not manifest.origin:
            yield from _row_faults(flatten, streams, tables)
    yield from _total_faults(manifest, seen)
    report.digest = digest.to_text(seen.digest)
    if report.digest != manifest.digest:
        yield f"content digest is {report.digest}, the manifest says {manifest.digest}"


def _streams(tables: Sequence[pa.Table]) -> Generator[str, None, list[Streams]]:
    """Yield a fault per conversation with a value outside its type; return the other conversations."""
    found: list[Streams] = []
    for table in tables:
        for index in range(table.num_rows):
            row = table.slice(index, 1)
            try:
                found.extend(streams_of(row))
            except StoreError as error:
                yield f"conversation {row['dialogue_id'][0].as_py()!r}: {error}"
    return found


def _strays(store: Store, manifest: Manifest) -> Iterator[str]:
    """Files that look like data but are not in the manifest, table by table to hold few names."""
    for table in sorted({*manifest.tables, *_NO_TASKS}):
        named = {file.key for file in manifest.files(table)}
        yield from (f"{key}: not in the manifest" for key in store.keys(table) if key not in named)


def _read(store: Store, file: File, seen: _Seen) -> Generator[str, None, pa.Table | None]:
    """Yield the faults of a file; return its table, or None if it cannot be used."""
    try:
        data = store.read(file.key)
        if len(data) != file.n_bytes or hashlib.sha256(data).hexdigest() != file.sha256:
            yield f"{file.key}: its bytes are not those the manifest was written for"
        table = from_parquet(data, file.key)
    except StoreError as error:
        yield str(error)
        return None
    schema = {"conversations": CONVERSATIONS, "rejects": REJECTS}.get(file.table, ROWS)
    if not table.schema.equals(schema):
        yield f"{file.key}: its schema is not that of {file.table}"
        return None
    if table.num_rows != file.n_rows:
        yield f"{file.key}: {table.num_rows} rows, the manifest says {file.n_rows}"
    if "n_tokens" in table.column_names and sum(table.column("n_tokens").to_pylist()) != file.n_tokens:
        yield f"{file.key}: its rows do not have the {file.n_tokens} tokens of the manifest"
    seen.digest = digest.total((seen.digest, *digest.row_hashes(file.table, table)))
    if file.table in _NO_TASKS:
        for record in table.column("record").to_pylist():
            seen.record(record)
    return table


def _unit_faults(manifest: Manifest, seen: _Seen, streams: list[Streams]) -> Iterator[str]:
    hop, n_codes = manifest.clock.hop_samples, manifest.vocabulary.codebook_size
    splits = SplitsConfig.model_validate(manifest.recipe["splits"])
    for s in streams:
        if seen.again(s.dialogue_id):
            yield f"dialogue {s.dialogue_id!r} is there more than once"
        for u in s.utterances:
            if u.role == "user":
                speaker = manifest.voices[u.voice].speaker if u.voice in manifest.voices else u.voice
                seen.speakers.setdefault(speaker, set()).add(s.split)
        if s.split != (wanted := split_of(s.group, splits)):
            yield f"conversation {s.dialogue_id!r} is in {s.split}, its group {s.group!r} is dealt to {wanted}"
        yield from (f"conversation {s.dialogue_id!r}: {fault}" for fault in conversation_faults(s, hop, n_codes))


def _row_faults(
    flatten: Flatten, streams: list[Streams], tables: dict[tuple[str, str], list[pa.Table]]
) -> Iterator[str]:
    """Rows that differ from a fresh flattening of the conversations: ids, masks, positions and splits."""
    rows: list[Row] = []
    for s in streams:
        rows.extend((yield from _flattened(flatten, s)))
    places = {(row.task, row.split) for row in rows} | {place for place in tables if place[0] not in _NO_TASKS}
    for task, split in sorted(places):
        made = rows_table([row for row in rows if (row.task, row.split) == (task, split)])
        names = made.column("row_id").to_pylist()
        wanted = dict(zip(names, digest.row_hashes(task, made), strict=True))
        for table in tables.get((task, split), ()):
            for name, found in zip(table.column("row_id").to_pylist(), digest.row_hashes(task, table), strict=True):
                if wanted.pop(name, None) != found:
                    yield f"{task} row {name!r} in {split} is not what flattening its conversation gives"
        yield from (f"{task} row {name!r} in {split} is missing" for name in wanted)


def _flattened(flatten: Flatten, s: Streams) -> Generator[str, None, list[Row]]:
    """Yield the reason if a conversation cannot be flattened; return its rows, if any."""
    try:
        return flatten(s)
    except (ValueError, IndexError, KeyError) as error:
        yield f"conversation {s.dialogue_id!r}: cannot be flattened ({error})"
        return []


def _total_faults(manifest: Manifest, seen: _Seen) -> Iterator[str]:
    if not manifest.origin:
        n_rejects = seen.n_records - seen.n_dialogues
        if seen.n_dialogues != manifest.n_conversations:
            yield f"n_conversations is {seen.n_dialogues}, the manifest says {manifest.n_conversations}"
        if n_rejects != manifest.n_rejects:
            yield f"n_rejects is {n_rejects}, the manifest says {manifest.n_rejects}"
        for record in np.flatnonzero(seen.records != 1).tolist():
            count = seen.records[record]
            yield f"record {record} of the input: {count} times in conversations and rejects, must be once"
        yield from (f"record {record} is not in the input" for record in sorted(seen.strangers))
    if not manifest.recipe["splits"]["share_voices"]:
        several = ((speaker, sorted(found)) for speaker, found in sorted(seen.speakers.items()) if len(found) > 1)
        yield from (f"user voice {speaker!r} is in splits {found}" for speaker, found in several)
