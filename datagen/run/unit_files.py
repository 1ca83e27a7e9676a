"""The files of a unit while it is committed: conversations, then what follows from them, then the marker."""

import contextlib
import hashlib
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datagen.errors import StoreError
from datagen.pipeline.flatten import Flatten
from datagen.records import Reject, Row, Streams
from datagen.run.machine import processor
from datagen.shards import digest, seal
from datagen.shards.markers import marker_of
from datagen.shards.schema import CONVERSATIONS, conversations_table, rejects_table, rows_table, streams_of
from datagen.shards.store import Store
from datagen.shards.tables import Sealed, TableFile, footer_of, groups_of
from datagen.shards.unit import File, Marker, data_key, marker_key

_N_WRITERS = 8
_READ_BYTES = 1 << 22


class UnitFiles:
    """The files of a unit: that of its conversations, which decides, those that follow, and the marker."""

    def __init__(self, store: Store, unit: int, header: dict[str, Any], *, on_disk: bool = False) -> None:
        self._store, self._unit, self._header, self._on_disk = store, unit, header, on_disk
        self._open = contextlib.ExitStack()
        self._key = data_key("conversations", unit)
        self._conversations = memoryview(b"")
        self._files = list[File]()
        self.hashes = list[int]()

    def __enter__(self) -> "UnitFiles":
        return self

    def __exit__(self, *_: object) -> None:
        self._conversations = memoryview(b"")  # or it could not be closed
        self._open.close()

    def decide(self, tables: Iterable[pa.Table], rejects: Sequence[Reject]) -> bool:
        """Create the file of conversations; False if another attempt has done so.

        Args:
            tables: Conversations, in order; each becomes a row group, unless it is empty.
            rejects: All rejects of the unit, complete when the tables are.
        """
        made = self._new(CONVERSATIONS)
        for table in filter(len, tables):
            made.add(table)
        if not made.n_rows:
            made.add(conversations_table([]))
        sealed = made.file.end({**self._header, "unit": self._unit, "rejects": [asdict(r) for r in rejects]})
        if not self._store.create(self._key, sealed.data):
            return False
        self._conversations = sealed.data
        self._files.append(_entry(self._key, "conversations", "", made, sealed))
        return True

    def found(self, conversations: memoryview) -> None:
        """Continue from the conversations of another attempt."""
        self._conversations = conversations
        n_rows = footer_of(conversations, self._key).num_rows
        sha256 = hashlib.sha256(conversations).hexdigest()
        self._files.append(File(self._key, "conversations", "", n_rows, 0, len(conversations), sha256))

    def decided(self) -> Iterator[list[Streams]]:
        """The conversations as decided, a row group at a time; adds their hashes."""
        for table in groups_of(self._conversations, f"{self._store.url}/{self._key}"):
            self.hashes.extend(digest.row_hashes("conversations", table))
            yield streams_of(table)

    def finish(self, groups: Iterable[Sequence[Streams]], rejects: Sequence[Reject], flatten: Flatten) -> Marker:
        """Write all other files of the unit from its conversations and rejects, then the marker."""
        has_conversations = bool(self._files)
        counts, tables = _Counts(), dict[tuple[str, str], _OpenFile]()
        for streams in groups:
            counts.add(streams, counts_added=has_conversations)
            for task, split, table in row_tables([flatten(s) for s in streams]):
                self._add(tables, task, split, table)
        followers = sorted(tables.items())
        if rejects:
            self._add(tables, "rejects", "", rejects_table(rejects))
            followers.append((("rejects", ""), tables["rejects", ""]))
        self._create(followers)
        marker = Marker(
            unit=self._unit,
            n_records=counts.n_kept + len(rejects),
            n_kept=counts.n_kept,
            n_samples=counts.n_samples,
            digest=digest.to_text(digest.total(self.hashes)),
            rejects=dict(sorted(Counter(f"{r.stage}/{r.reason}" for r in rejects).items())),
            notices=dict(sorted(counts.notices.items())),
            added=dict(sorted(counts.added.items())),
            files=tuple(self._files),
            processor=processor(),
            finished_at=int(time.time()),
            plan=self._header["plan"],
        )
        if not self._store.create(marker_key(self._unit), marker.to_json()):
            return marker_of(self._store, self._unit, marker.plan)  # of an attempt that was faster
        return marker

    def _new(self, schema: pa.Schema) -> "_OpenFile":
        made = _OpenFile(schema, on_disk=self._on_disk)
        self._open.enter_context(made.file)
        return made

    def _add(self, files: dict[tuple[str, str], "_OpenFile"], table: str, split: str, content: pa.Table) -> None:
        """Add rows to the file of a table and split."""
        if (table, split) not in files:
            files[table, split] = self._new(content.schema)
        files[table, split].add(content)
        self.hashes.extend(digest.row_hashes(table, content))

    def _create(self, files: Sequence[tuple[tuple[str, str], "_OpenFile"]]) -> None:
        """Write files to the store, several at a time: it is waited for more than worked on."""
        with ThreadPoolExecutor(_N_WRITERS) as writers:
            self._files.extend(writers.map(lambda each: self._follow(*each), files))

    def _follow(self, place: tuple[str, str], made: "_OpenFile") -> File:
        table, split = place
        key = data_key(table, self._unit, split)
        sealed = made.file.end(self._header)
        if not self._store.create(key, sealed.data) and _sha256_of(self._store, key) != sealed.sha256:
            if not seal.is_sealed(self._store.read(key)):
                raise StoreError(f"{self._store.url}/{key} is damaged; delete it and run the same command again")
            raise StoreError(
                f"{self._store.url}/{key} was written by another version of datagen or pyarrow; choose another --out"
            )
        return _entry(key, table, split, made, sealed)


class _OpenFile:
    """A file of a table and split that is being written."""

    def __init__(self, schema: pa.Schema, *, on_disk: bool) -> None:
        self.file, self.n_rows, self.n_tokens = TableFile(schema, on_disk=on_disk), 0, 0

    def add(self, table: pa.Table) -> None:
        """Write rows as a row group."""
        self.file.add(table)
        self.n_rows += table.num_rows
        if "n_tokens" in table.column_names:
            self.n_tokens += pc.sum(table.column("n_tokens")).as_py() or 0


def _entry(key: str, table: str, split: str, made: _OpenFile, sealed: Sealed) -> File:
    return File(key, table, split, made.n_rows, made.n_tokens, len(sealed.data), sealed.sha256)


def _sha256_of(store: Store, key: str) -> str:
    hashed = hashlib.sha256()
    with store.open(key) as file:
        while data := file.read(_READ_BYTES):
            hashed.update(data)
    return hashed.hexdigest()


@dataclass
class _Counts:
    """Sums over the conversations of a unit."""

    n_kept: int = 0
    n_samples: int = 0
    notices: Counter[str] = field(default_factory=Counter)
    added: Counter[str] = field(default_factory=Counter)

    def add(self, streams: Sequence[Streams], *, counts_added: bool) -> None:
        """Count conversations.

        Args:
            streams: The conversations.
            counts_added: If true, also what the recipe added to them, which the build that has them counts.
        """
        self.n_kept += len(streams)
        self.n_samples += sum(s.n_samples for s in streams)
        self.notices.update(notices_of(streams))
        self.added.update(added_of(streams) if counts_added else {})


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
