"""The check of a unit: its files against index and marker, records against the plan, rows against flattening."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa

from datagen.errors import StoreError
from datagen.pipeline.flatten import Flatten
from datagen.pipeline.splits import split_of
from datagen.records import Reject, Row, Streams
from datagen.run.check.faults import Faults
from datagen.run.check.names import Names
from datagen.run.check.planned import Planned, compare_planned
from datagen.run.check.scope import Scope
from datagen.run.check.sums import Sums
from datagen.run.reflatten import conversations_of
from datagen.run.unit_files import added_of, notices_of
from datagen.shards import digest, seal
from datagen.shards.laws import conversation_faults
from datagen.shards.schema import CONVERSATIONS, REJECTS, decode, rows_schema, rows_table, streams_of
from datagen.shards.tables import about, from_parquet
from datagen.shards.unit import File, Marker, data_key, marker_key

_NO_TASKS = ("conversations", "rejects")
_SCHEMAS = {"conversations": CONVERSATIONS, "rejects": REJECTS}


@dataclass(frozen=True)
class Found:
    """A data file that can be read."""

    table: pa.Table
    hashes: list[int]
    """Hash of each row."""
    file: File
    """As its bytes are, not as they are listed."""


@dataclass
class Unit:
    """The content of a unit, as far as it can be read."""

    number: int
    found: dict[str, list[Found]] = field(default_factory=dict)
    """Files by table."""
    lost: set[str] = field(default_factory=set)
    """Tables with a file that cannot be read."""
    conversations: list[pa.Table] = field(default_factory=list)
    """Of this output, or of the build that was flattened."""
    streams: list[Streams] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)


class UnitCheck:
    """Checks units, one after another."""

    def __init__(self, scope: Scope, sums: Sums, names: Names, faults: Faults) -> None:
        """A check that adds to sums, names and faults."""
        self._scope, self._sums, self._names, self._faults = scope, sums, names, faults
        self._header = scope.plan.header()
        self._planned = None if scope.is_flattened or not scope.plan.seal else Planned(scope.plan, scope.store, faults)
        self.n_files = 0
        self.n_rows = 0

    def check(self, number: int, listed: Sequence[File] | None) -> None:
        """Check a unit.

        Args:
            number: Its number.
            listed: Its files as the index has them; None if that part of the index is damaged.
        """
        marker = self._marker(number, listed)
        files = listed if listed is not None else marker.files if marker else ()
        unit = self._read(number, files)
        self._read_conversations(unit)
        self._count(unit, marker)
        self._check_records(unit)
        for s in unit.streams:
            self._check_conversation(s)
        if not self._scope.is_flattened or self._scope.source:
            self._check_rows(unit)

    def _marker(self, number: int, listed: Sequence[File] | None) -> Marker | None:
        """The marker of a unit, compared with the index; None if it is damaged or another's."""
        key, faults = marker_key(number), self._faults
        self._names.add(key)
        try:
            data = self._scope.store.read(key)
            seal.refuse_broken(data, key, required=True)
            marker = Marker.from_json(data, key)
        except StoreError as error:
            faults.add(str(error))
            return None
        if marker.unit != number:
            faults.add(f"{key}: it is the marker of unit {marker.unit}")
            return None
        if self._scope.plan.seal and marker.plan != self._scope.plan.seal:
            faults.add(f"{key}: it is the marker of another plan")
        if listed is not None and marker.files != tuple(listed):
            said, found = ({file.key: vars(file) for file in files} for files in (marker.files, listed))
            faults.compare(key, said, found, "the files of the index")
            if said == found:
                faults.add(f"{key}: its files are not in the order of the index")
        return marker

    def _read(self, number: int, files: Sequence[File]) -> Unit:
        unit = Unit(number)
        for file in files:
            self._names.add(file.key)
            self.n_files += 1
            if file.key != data_key(file.table, number, file.split):
                self._faults.add(f"{file.key}: no file of table {file.table!r} and unit {number} has this name")
            found = self._file(file, number)
            if found is None:
                unit.lost.add(file.table)
            else:
                unit.found.setdefault(file.table, []).append(found)
        return unit

    def _schema(self, table: str) -> pa.Schema:
        return _SCHEMAS.get(table) or rows_schema(table, self._scope.identity.row_codebooks)

    def _file(self, file: File, number: int) -> Found | None:
        """A data file, its faults reported; None if it cannot be read."""
        with self._faults.caught():
            data = self._scope.store.read(file.key)
            sha256 = hashlib.sha256(data).hexdigest()
            if len(data) != file.n_bytes or sha256 != file.sha256:
                self._faults.add(f"{file.key}: its bytes are not those the manifest was written for")
            if seal.seal_of(data) is None:
                raise StoreError(f"{file.key} is damaged: it has no seal; restore it from a copy")
            table = from_parquet(data, file.key)
            if not table.schema.equals(self._schema(file.table)):
                raise StoreError(f"{file.key}: its schema is not that of {file.table}")
            self.n_rows += table.num_rows
            self._check_metadata(file, table, number)
            n_tokens = sum(table.column("n_tokens").to_pylist()) if "n_tokens" in table.column_names else 0
            if table.num_rows != file.n_rows:
                self._faults.add(f"{file.key}: {table.num_rows} rows, the manifest says {file.n_rows}")
            if n_tokens != file.n_tokens:
                self._faults.add(f"{file.key}: its rows do not have the {file.n_tokens} tokens of the manifest")
            real = replace(file, n_rows=table.num_rows, n_tokens=n_tokens, n_bytes=len(data), sha256=sha256)
            return Found(table, digest.row_hashes(file.table, table), real)
        return None

    def _check_metadata(self, file: File, table: pa.Table, number: int) -> None:
        if not self._scope.plan.seal:
            return
        try:
            said = about(table)
        except ValueError:
            said = {}
        said.pop("rejects", None)
        wanted = {**self._header, "unit": number} if file.table == "conversations" else self._header
        self._faults.compare(f"{file.key}: metadata", said, wanted, "plan and name")

    def _read_conversations(self, unit: Unit) -> None:
        """Conversations and rejects of a unit, wherever they are."""
        if self._scope.source:
            for key in conversations_of(self._scope.source, unit.number):
                with self._faults.caught():
                    store = self._scope.source.store
                    unit.conversations.append(from_parquet(store.read(key), f"{store.url}/{key}"))
                    continue
                unit.lost.add("conversations")
        else:
            unit.conversations = [found.table for found in unit.found.get("conversations", ())]
        for table in unit.conversations:
            unit.streams += self._streams(table)
        for found in unit.found.get("rejects", ()):
            with self._faults.caught():
                unit.rejects += decode(Reject, found.table)

    def _streams(self, table: pa.Table) -> list[Streams]:
        """The conversations of a table; those with a value outside its type are reported and left out."""
        try:
            return streams_of(table)
        except StoreError:
            pass
        found: list[Streams] = []
        for index in range(table.num_rows):
            row = table.slice(index, 1)
            try:
                found.extend(streams_of(row))
            except StoreError as error:
                self._faults.add(f"conversation {row['dialogue_id'][0].as_py()!r}: {error}")
        return found

    def _count(self, unit: Unit, marker: Marker | None) -> None:
        """Compare the sums of a unit with its marker, and add them up."""
        counted = self._counted(unit, marker)
        if counted is None:
            if marker is None:
                self._sums.is_complete = False
            else:
                self._sums.tally.add(marker)
            return
        if marker is not None:
            names = ("n_records", "n_kept", "n_samples", "digest", "rejects", "notices", "added")
            said, found = ({name: getattr(each, name) for name in names} for each in (marker, counted))
            self._faults.compare(marker_key(unit.number), said, found, "the files of the unit")
        self._sums.tally.add(counted)

    def _counted(self, unit: Unit, marker: Marker | None) -> Marker | None:
        """The marker that the unit's files give; None if some cannot be read."""
        if unit.lost or (marker is None and self._scope.is_flattened and not self._scope.source):
            return None
        found = [each for files in unit.found.values() for each in files]
        hashes = (h for each in found for h in each.hashes)
        made = Marker(
            unit=unit.number,
            n_records=0,
            n_kept=0,
            n_samples=0,
            digest=digest.to_text(digest.total(hashes)),
            files=tuple(each.file for each in found),
            processor=marker.processor if marker else "",
        )
        if marker and self._scope.is_flattened and not self._scope.source:  # the conversations are elsewhere
            return replace(made, n_records=marker.n_kept, n_kept=marker.n_kept, n_samples=marker.n_samples)
        n_kept = sum(table.num_rows for table in unit.conversations)
        rejects = [row for each in unit.found.get("rejects", ()) for row in each.table.to_pylist()]
        return replace(
            made,
            n_records=n_kept + len(rejects),
            notices={} if self._scope.is_flattened else notices_of(unit.streams),
            added={} if self._scope.is_flattened else added_of(unit.streams),
            n_kept=n_kept,
            n_samples=sum(sum(table.column("n_samples").to_pylist()) for table in unit.conversations),
            rejects=dict(sorted(Counter(f"{r['stage']}/{r['reason']}" for r in rejects).items())),
        )

    def _check_records(self, unit: Unit) -> None:
        """Records of a unit: each once, as planned, and rejects as the conversations' file has them."""
        plan = self._scope.plan
        if self._scope.is_flattened:
            return
        for name in _NO_TASKS:
            for found in unit.found.get(name, ()):
                for record in found.table.column("record").to_pylist():
                    self._sums.record(record)
        begin = unit.number * plan.unit_dialogues
        if unit.lost & {*_NO_TASKS}:
            self._sums.unknown(begin, begin + plan.unit_dialogues)
        elif unit.found.get("conversations"):
            said = [r for each in unit.found["conversations"] for r in about(each.table).get("rejects", ())]
            rejects = [row for each in unit.found.get("rejects", ()) for row in each.table.to_pylist()]
            place = f"{data_key('conversations', unit.number)}: metadata"
            self._faults.compare(place, {"rejects": said}, {"rejects": rejects}, "the rejects of the unit")
        planned = self._planned.unit(unit.number) if self._planned else None
        if planned is not None:
            compare_planned(planned, unit.streams, unit.rejects, self._faults, unit.number, plan.n_records)

    def _check_conversation(self, s: Streams) -> None:
        """Laws of one conversation: its dialogue, split, voices, ids and times."""
        identity, place, faults = self._scope.identity, f"conversation {s.dialogue_id!r}", self._faults
        if self._sums.again(s.dialogue_id):
            faults.add(f"dialogue {s.dialogue_id!r} is there more than once")
        for number, u in enumerate(s.utterances):
            voice = identity.voices.get(u.voice)
            if voice is None:
                faults.add(f"{place}: utterance {number}: voice {u.voice!r} is not in the manifest")
            if u.role == "user":
                speaker = voice.speaker if voice and identity.kept_apart != "voices" else u.voice
                self._sums.speakers.setdefault(speaker, set()).add(s.split)
            for ids in (u.text_ids, u.spoken_ids):
                if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < identity.vocabulary.n_text:
                    faults.add(f"{place}: utterance {number}: a token id is not one of text")
        splits = self._scope.splits
        if splits and s.split != (wanted := self._scope.plan.moved.get(s.group) or split_of(s.group, splits)):
            faults.add(f"{place} is in {s.split}, its group {s.group!r} is dealt to {wanted}")
        laws = conversation_faults(s, identity.clock.hop_samples, identity.vocabulary.sizes)
        faults.add(*(f"{place}: {fault}" for fault in laws))

    def _check_rows(self, unit: Unit) -> None:
        """Rows that differ from a fresh flattening of the conversations: ids, masks, positions and splits."""
        flatten = self._scope.flatten
        if flatten is None or "conversations" in unit.lost:
            return
        rows = [row for s in unit.streams for row in self._flattened(flatten, s)]
        tasks = {name: found for name, found in unit.found.items() if name not in _NO_TASKS}
        places = {(row.task, row.split) for row in rows}
        places |= {(task, each.file.split) for task, found in tasks.items() for each in found}
        for task, split in sorted(places):
            made = rows_table([row for row in rows if (row.task, row.split) == (task, split)])
            names = made.column("row_id").to_pylist()
            wanted = dict(zip(names, digest.row_hashes(task, made), strict=True))
            for each in tasks.get(task, ()):
                if each.file.split == split:
                    self._compare_rows(each, wanted)
            if task not in unit.lost:
                self._faults.add(*(f"{task} row {name!r} in {split} is missing" for name in wanted))

    def _compare_rows(self, found: Found, wanted: dict[str, int]) -> None:
        """Report rows of a file that are not wanted; take the others from what is wanted."""
        file = found.file
        for name, hashed in zip(found.table.column("row_id").to_pylist(), found.hashes, strict=True):
            if wanted.pop(name, None) != hashed:
                self._faults.add(
                    f"{file.table} row {name!r} in {file.split} is not what flattening its conversation gives"
                )

    def _flattened(self, flatten: Flatten, s: Streams) -> list[Row]:
        """The rows of a conversation; none if it cannot be flattened, which is reported."""
        try:
            return flatten(s)
        except (ValueError, IndexError, KeyError) as error:
            self._faults.add(f"conversation {s.dialogue_id!r}: cannot be flattened ({error})")
            return []
