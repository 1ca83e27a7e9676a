"""The contract of tables: units in the metadata, nothing null that need not be, records and rows alike."""

from dataclasses import fields, replace
from typing import get_args, get_type_hints

import numpy as np
import pyarrow as pa
import pytest

from datagen.errors import StoreError
from datagen.records import Event, Judged, Mixing, Recorded, Reject, Row, Scores, Spoken, StoredTake, Streams, Word
from datagen.shards.schema import (
    CONVERSATIONS,
    HEAVY,
    REJECTS,
    ROWS,
    SCHEMAS,
    TAKES,
    conversations_table,
    decode,
    fields_of,
    plain,
    streams_of,
    table_of,
)
from datagen.shards.tables import from_parquet, to_parquet

UNITS = {
    "_samples": b"samples",
    "n_frames": b"frames",
    "n_tokens": b"tokens",
    "_text_tokens": b"tokens",
    "_pad_tokens": b"tokens",
    "_codes": b"speech codes",
    "_db": b"dB",
    "_ids": b"token ids",
}


def all_fields(kind: pa.DataType | pa.Schema) -> list[pa.Field]:
    """Fields, those within structs and lists of structs too."""
    found = []
    for field in kind:
        found.append(field)
        inner = field.type.value_type if pa.types.is_list(field.type) else field.type
        if pa.types.is_struct(inner):
            found.extend(all_fields([inner.field(k) for k in range(inner.num_fields)]))
    return found


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_unit_in_a_name_stands_in_the_metadata_too(name):
    for field in all_fields(SCHEMAS[name]):
        unit = next((unit for suffix, unit in UNITS.items() if field.name.endswith(suffix)), None)
        said = (field.metadata or {}).get(b"unit", b"")
        assert unit is None or said.startswith(unit), field.name


def test_only_what_may_be_missing_is_nullable():
    nullable = {field.name for schema in SCHEMAS.values() for field in all_fields(schema) if field.nullable}
    records = Mixing, Scores, Judged, Spoken, Recorded
    hints = {name: kind for record in records for name, kind in get_type_hints(record).items()}
    optional = {name for name, kind in hints.items() if type(None) in get_args(kind)}
    assert nullable == {"audio_flac", "scores", "judged", "recorded", "voice_prompt", *optional}


def names(record: type) -> set[str]:
    return {field.name for field in fields(record)}


def struct(name: str) -> set[str]:
    kind = CONVERSATIONS.field(name).type
    kind = kind.value_type if pa.types.is_list(kind) else kind
    return {kind.field(k).name for k in range(kind.num_fields)}


def test_every_field_of_a_record_is_a_column():
    assert {*CONVERSATIONS.names} == names(Streams)
    assert struct("utterances") == names(Spoken)
    assert struct("events") == names(Event)
    assert struct("mixing") == names(Mixing)
    utterance = CONVERSATIONS.field("utterances").type.value_type
    word = utterance.field("words").type.value_type
    assert {word.field(k).name for k in range(word.num_fields)} == names(Word)
    assert {*REJECTS.names} == names(Reject)
    assert {*ROWS.names} == names(Row) - {"task", "split"} | {"n_tokens"}  # these stand in the file's name
    assert set(HEAVY) <= names(Streams)


def test_ids_are_int32_and_codes_uint16():
    assert ROWS.field("input_ids").type == pa.list_(pa.int32())
    assert ROWS.field("loss_mask").type == pa.list_(pa.bool_())
    assert (
        CONVERSATIONS.field("user_codes").type == CONVERSATIONS.field("assistant_codes").type == pa.list_(pa.uint16())
    )


def stored(**changes) -> pa.Table:
    """One conversation, with values of some columns changed or, by None, left out."""
    happened = (Event("gap", "user", 3, 9),)
    table = conversations_table([Streams("d", 4, "s", "en", "train", 9, events=happened, utterances=(Spoken("user"),))])
    (row,) = table.to_pylist()
    return pa.Table.from_pylist([{name: value for name, value in {**row, **changes}.items() if value is not None}])


def test_a_missing_column_has_the_default_of_its_field():
    (only_ids,) = streams_of(stored().select(["dialogue_id"]))
    codes = ("user_codes", "assistant_codes", "system_ids")
    assert plain(only_ids, skipped=codes) == plain(Streams("d"), skipped=codes)
    assert (len(only_ids.user_codes), only_ids.user_codes.dtype) == (0, np.uint16)
    (spoken,) = streams_of(stored(utterances=[{"role": "user", "text_ids": [7, 8], "end_samples": 5}]))[0].utterances
    assert (spoken.said, spoken.kind, spoken.end_samples, spoken.scores) == ("", "turn", 5, None)
    assert spoken.text_ids.tolist() == [7, 8]
    assert spoken.text_ids.dtype == np.int32


def test_columns_and_kinds_of_other_versions_are_read():
    event = {"kind": "overlap", "role": "user", "start_samples": 1, "end_samples": 2, "loudness": 3.5}
    (found,) = streams_of(stored(events=[event], utterances=[{"role": "user", "kind": "hum"}], mood="calm"))
    assert found.events == (Event("overlap", "user", 1, 2),)
    assert found.utterances[0].kind == "hum"


@pytest.mark.parametrize(
    "changes",
    [{"dialogue_id": None}, {"n_samples": "9"}, {"events": [{"kind": "gap"}]}, {"utterances": [{"role": "judge"}]}],
    ids=str,
)
def test_a_table_of_something_else_is_refused(changes):
    with pytest.raises(StoreError, match="a table of Streams is damaged or of an unknown version: "):
        streams_of(stored(**changes))


SCORED = Scores(1.0, 2.0, 3.0, 0.0, -9.0, heard="oh", faults=("cut", "slow"))
TAKE = StoredTake("ab", "oh", "v", 2**40, 1, 3, 9, 15, (Word("oh", 0, 9),), None, b"fLaC")


@pytest.mark.parametrize("scores", [(None, None), (SCORED, None), (None, SCORED), (SCORED, SCORED)], ids=str)
def test_an_absent_record_is_null_and_comes_back_absent(scores):
    takes = [replace(TAKE, scores=each) for each in scores]
    table = from_parquet(to_parquet(table_of(TAKES, takes)), "f")
    assert table.schema.equals(TAKES)
    assert table.column("scores").null_count == scores.count(None)
    assert decode(StoredTake, table) == takes


def test_a_table_of_rows_lacks_only_what_its_files_name_says():
    assert {field.name for field in fields_of(Row)} - {*ROWS.names} == {"task", "split"}
    assert ROWS.names.index("n_tokens") == ROWS.names.index("loss_mask") + 1
