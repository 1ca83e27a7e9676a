"""Seals: every changed bit of a sealed file is found, and no file passes for another."""

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.errors import StoreError
from datagen.shards import seal
from datagen.shards.tables import about, from_parquet, to_parquet

TABLE = pa.table({"input_ids": pa.array([[1, 2, 3]] * 4, pa.list_(pa.int32())), "text": ["a", "b", "ü", "d"]})
FILES = {
    "document": seal.document({"n": 1, "text": 'a "seal": "b"', "in": {"seal": "0" * 64}}),
    "table": to_parquet(TABLE, {"unit": 3, "rejects": [{"detail": f"{seal.KEY}\x18\x40{'0' * 64}"}]}),
    "table that says nothing": to_parquet(TABLE),
}


@pytest.mark.parametrize("name", FILES)
def test_a_sealed_file_passes(name):
    assert seal.is_sealed(FILES[name])
    seal.refuse_broken(FILES[name], name, required=True)
    assert seal.sealed(FILES[name]) == FILES[name]


@pytest.mark.parametrize("name", FILES)
def test_every_bit_counts(name):
    for bit in range(8 * len(FILES[name])):
        data = bytearray(FILES[name])
        data[bit // 8] ^= 1 << bit % 8
        assert not seal.is_sealed(bytes(data)), bit


@given(st.sampled_from(list(FILES)), st.data())
def test_a_file_that_is_cut_or_longer_is_refused(name, data):
    cut = data.draw(st.integers(0, len(FILES[name]) - 1))
    for changed in (FILES[name][:cut], FILES[name] + b"\n", b" " + FILES[name]):
        with pytest.raises(StoreError, match="x is damaged: it"):
            seal.refuse_broken(changed, "x", required=True)


def test_the_seal_is_in_its_own_place_whatever_the_content_says():
    assert json.loads(FILES["document"])["in"] == {"seal": "0" * 64}
    assert about(from_parquet(FILES["table"], "x"))["rejects"][0]["detail"].endswith("0" * 64)


def test_a_file_of_earlier_versions_has_none():
    assert seal.seal_of(b'{"n": 1}') is None
    seal.refuse_broken(b'{"n": 1}', "x")
    with pytest.raises(ValueError, match="no place"):
        seal.sealed(b'{"n": 1}')


def test_reading_a_table_checks_its_seal():
    data = bytearray(FILES["table"])
    data[10] ^= 1
    with pytest.raises(StoreError, match="x is damaged: its seal does not match"):
        from_parquet(bytes(data), "x")
