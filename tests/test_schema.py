"""The contract of tables: units in the metadata, nothing null that need not be, records and rows alike."""

from dataclasses import fields
from typing import get_args, get_type_hints

import pyarrow as pa
import pytest

from datagen.records import Event, Judged, Mixing, Reject, Row, Scores, Spoken, Streams, Word
from datagen.shards.schema import CONVERSATIONS, HEAVY, REJECTS, ROWS, SCHEMAS

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
    hints = {**get_type_hints(Mixing), **get_type_hints(Scores), **get_type_hints(Judged), **get_type_hints(Spoken)}
    optional = {name for name, kind in hints.items() if type(None) in get_args(kind)}
    assert nullable == {"audio_flac", "scores", "judged", *optional}


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
