"""The digest knows content alone: neither order, nor chunks, nor files. Tables and bytes come back as they were."""

import hashlib
import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.errors import StoreError
from datagen.pipeline.pipeline import Pipeline
from datagen.records import (
    Dialogue,
    Event,
    Judged,
    Mark,
    Mixing,
    Origin,
    Reject,
    Row,
    Scores,
    Spoken,
    Streams,
    Turn,
    Word,
)
from datagen.shards.digest import row_hashes, total
from datagen.shards.schema import (
    CONVERSATIONS,
    REJECTS,
    ROWS,
    conversations_table,
    input_table,
    records_of,
    rejects_table,
    rows_table,
    streams_of,
)
from datagen.shards.store import LocalStore
from datagen.shards.tables import about, from_parquet, to_parquet
from tests.conftest import make_recipe
from tests.run.builds import fake, worker

text = st.text(st.characters(codec="utf-8"), max_size=12)
samples = st.integers(0, 2**40)
role = st.sampled_from(["user", "assistant"])
words = st.lists(st.builds(Word, text, samples, samples), max_size=3).map(tuple)
ids = st.lists(st.integers(0, 2**31 - 1), max_size=6).map(lambda values: np.array(values, np.int32))
codes = st.lists(st.integers(0, 2**16 - 1), max_size=6).map(lambda values: np.array(values, np.uint16))
level = st.floats(-90, 90)
scores = st.builds(
    Scores,
    *[level] * 5,
    st.none() | level,
    st.none() | level,
    st.none() | st.integers(0, 9),
    st.none() | text,
    st.none() | level,
    st.lists(text, max_size=2).map(tuple),
)
rest = {"spoken_ids": ids, "rest_codes": codes, "rest_start_frames": st.none() | st.integers(0, 2**31 - 1)}
told = [role, *[text] * 5, ids, *[samples] * 3, st.integers(0, 9), words]
spoken = st.builds(Spoken, *told, scores=st.none() | scores, **rest)
mixing = st.builds(Mixing, text, st.none() | level, level, level)
event = st.builds(Event, text, role, samples, samples)
number = st.integers(0, 2**31 - 1)
score = st.none() | st.integers(1, 10)
judged = st.none() | st.builds(Judged, score, score, score)
origins = st.lists(st.builds(Origin, text, text, number, text, text, text, number), max_size=2).map(tuple)
marks = st.builds(Mark, st.sampled_from(["barge_in", "hesitation", "backchannel"]), number, number, role, text, text)
streams = st.builds(
    Streams,
    *[text, samples, text, text, text, samples, codes, codes],
    st.lists(spoken, max_size=3).map(tuple),
    st.lists(event, max_size=2).map(tuple),
    mixing,
    st.none() | st.binary(max_size=9),
    st.sampled_from(["rules", "marks"]),
    judged,
    origins,
)
records = st.builds(
    Dialogue,
    *[text, st.lists(st.builds(Turn, role, text), max_size=3).map(tuple), text, text, samples],
    st.lists(marks, max_size=3).map(tuple),
    judged,
    origins,
) | st.builds(Reject, samples, text, text, text.filter(bool), text, text)


def plain(s: Streams) -> dict[str, object]:
    return conversations_table([s]).to_pylist()[0]


def rest_of(u: Spoken) -> tuple[object, ...]:
    return u.spoken_ids.tolist(), u.rest_codes.tolist(), u.rest_codes.dtype, u.rest_start_frames


@given(st.lists(streams, max_size=4))
@settings(max_examples=40, deadline=None)
def test_conversations_come_back_from_bytes_as_they_were(batch):
    data = to_parquet(conversations_table(batch), {"a": 1})
    table = from_parquet(data, "f")
    back = streams_of(table)
    assert [plain(s) for s in back] == [plain(s) for s in batch]
    for s, was in zip(back, batch, strict=True):
        assert s.user_codes.dtype == was.user_codes.dtype == np.uint16
        assert np.array_equal(s.user_codes, was.user_codes)
        assert np.array_equal(s.assistant_codes, was.assistant_codes)
        assert [u.text_ids.tolist() for u in s.utterances] == [u.text_ids.tolist() for u in was.utterances]
        assert [u.scores for u in s.utterances] == [u.scores for u in was.utterances]
        assert [rest_of(u) for u in s.utterances] == [rest_of(u) for u in was.utterances]
        assert (s.events, s.mixing, s.audio_flac) == (was.events, was.mixing, was.audio_flac)
        assert (s.scripted_by, s.judged, s.written_by) == (was.scripted_by, was.judged, was.written_by)
    assert to_parquet(conversations_table(back), {"a": 1}) == data
    assert table.schema.equals(CONVERSATIONS)


@given(st.lists(streams, min_size=2, max_size=4), st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_order_chunks_and_files_do_not_show(batch, chance):
    whole = total(row_hashes("t", conversations_table(batch)))
    mixed = list(batch)
    chance.shuffle(mixed)
    cut = chance.randint(0, len(mixed))
    parts = [conversations_table(mixed[:cut]), conversations_table(mixed[cut:])]
    assert total(h for part in parts for h in row_hashes("t", part)) == whole
    chunked = pa.concat_tables(parts)
    assert total(row_hashes("t", chunked)) == whole
    assert total(row_hashes("t", chunked.select(chunked.column_names[::-1]))) == whole
    assert total(row_hashes("t", from_parquet(to_parquet(chunked), "f"))) == whole


def row(**changes: object) -> Row:
    values = {
        "task": "tts",
        "row_id": "d#tts#0",
        "dialogue_id": "d",
        "language": "en",
        "split": "train",
        "input_ids": np.array([1, 2, 3], np.int32),
        "loss_mask": np.array([False, True, True]),
        "start_frames": 0,
        "n_frames": 9,
        "n_text_tokens": 1,
        "n_late_text_tokens": 0,
        "n_dropped_text_tokens": 0,
        "n_pad_tokens": 0,
        "user_turn_ends": np.array([2], np.int32),
        "barge_ins": np.zeros(0, np.int32),
        "event_kinds": ("gap",),
        "event_roles": ("user",),
        "event_starts": np.array([1], np.int32),
        "event_ends": np.array([2], np.int32),
    }
    return Row(**{**values, **changes})


def hash_of(table: pa.Table, kind: str = "t") -> int:
    (found,) = row_hashes(kind, table)
    return found


OTHER = {
    "input_ids": np.array([1, 2, 4], np.int32),
    "loss_mask": np.array([True, True, True]),
    "user_turn_ends": np.zeros(0, np.int32),
    "barge_ins": np.array([2], np.int32),
    "event_kinds": ("overlap",),
    "event_roles": ("assistant",),
    "event_starts": np.array([2], np.int32),
    "event_ends": np.array([3], np.int32),
    "given_starts": np.array([0], np.int32),
    "given_lengths": np.array([1], np.int32),
}


@pytest.mark.parametrize("name", [name for name in ROWS.names if name != "n_tokens"])
def test_any_cell_of_a_row_changes_its_hash(name):
    value = getattr(row(), name)
    other = OTHER[name] if name in OTHER else value + ("x" if isinstance(value, str) else 1)
    assert hash_of(rows_table([row(**{name: other})])) != hash_of(rows_table([row()]))


REJECT = Reject(3, "d", "s", "select", "code", "turn 1", "Traceback")


@pytest.mark.parametrize("name", REJECTS.names)
def test_any_cell_of_a_reject_but_the_traceback_changes_its_hash(name):
    values = rejects_table([REJECT]).to_pylist()[0]
    values[name] = 4 if name == "record" else "other"
    changed = hash_of(pa.Table.from_pylist([values], schema=REJECTS)) != hash_of(rejects_table([REJECT]))
    assert changed == (name != "traceback")


def one_conversation() -> dict[str, object]:
    u = Spoken("user", "v", "t", "t", "t", "", np.array([7], np.int32), 0, 9, 0, 0, (Word("t", 0, 9),))
    zeros = np.zeros(2, np.uint16)
    events = (Event("barge_in", "user", 1, 2),)
    return plain(Streams("d", 0, "s", "en", "train", 1920, zeros, zeros, (u,), events, Mixing("", None, 0.0, 0.0)))


def plain_origin() -> dict[str, object]:
    names = ("task", "prompt", "prompt_sha256", "model", "answer_sha256")
    return {**dict.fromkeys(names, "x"), "version": 1, "attempt": 0}


@pytest.mark.parametrize("name", CONVERSATIONS.names)
def test_any_cell_of_a_conversation_changes_its_hash(name):
    values, was = one_conversation(), one_conversation()
    other = {"user_codes": [0, 1], "assistant_codes": [1, 0], "utterances": [], "events": [], "audio_flac": b"x"}
    other["judged"] = {"spokenness": 1, "coherence": None, "safety": None}
    other["written_by"] = [plain_origin()]
    side = {"speaker": "a", "file": "x.wav", "channel": 0, "sample_rate_hz": 8000, "sha256": ""}
    other["recorded"] = {"recording": "x", "corpus": "c", "licence": "", "user": side, "assistant": side}
    other |= {"system_ids": [1], "voice_prompt": {"voice": "v", "text": "t", "codes": [1]}}
    call = {"call": "{}", "result": "", "call_ids": [1], "result_ids": [], "start_samples": 0, "end_samples": 1}
    other["tool_calls"] = [{"utterance": 0, **call, "cancelled": True}]
    mixing = {**was["mixing"], "snr_db": 0.0}
    values[name] = {**other, "mixing": mixing}.get(name, 77 if isinstance(was[name], int) else "other")
    tables = [pa.Table.from_pylist([v], schema=CONVERSATIONS) for v in (values, was)]
    assert hash_of(tables[0]) != hash_of(tables[1])


def test_a_word_deep_inside_changes_the_hash():
    values, was = one_conversation(), one_conversation()
    values["utterances"][0]["words"][0]["end_samples"] = 8
    tables = [pa.Table.from_pylist([v], schema=CONVERSATIONS) for v in (values, was)]
    assert hash_of(tables[0]) != hash_of(tables[1])


def test_cells_do_not_run_into_each_other():
    tables = [pa.table({"a": [a], "b": [b]}) for a, b in (("xy", "z"), ("x", "yz"))]
    assert hash_of(tables[0]) != hash_of(tables[1])


def test_the_tables_name_is_part_of_the_hash():
    table = rows_table([row()])
    assert hash_of(table, "three_stream") != hash_of(table, "two_stream")


def test_a_slice_hashes_as_if_it_were_all():
    table = rows_table([row(), row(row_id="b", input_ids=OTHER["input_ids"]), row(row_id="c")])
    assert row_hashes("t", table.slice(1, 1)) == row_hashes("t", table)[1:2]


def test_the_hash_is_that_of_the_format_document():
    """Computed here by the words of docs/format.md, for readers without our code."""
    table = rows_table([row()])
    cells = {
        "row_id": b"d#tts#0",
        "dialogue_id": b"d",
        "language": b"en",
        "input_ids": np.array([1, 2, 3], "<i4").tobytes(),
        "loss_mask": b"\0\1\1",
        "n_tokens": b"3",
        "start_frames": b"0",
        "n_frames": b"9",
        "n_text_tokens": b"1",
        "n_late_text_tokens": b"0",
        "n_dropped_text_tokens": b"0",
        "n_pad_tokens": b"0",
        "user_turn_ends": np.array([2], "<i4").tobytes(),
        "barge_ins": b"",
        "event_kinds": b'["gap"]',
        "event_roles": b'["user"]',
        "event_starts": np.array([1], "<i4").tobytes(),
        "event_ends": np.array([2], "<i4").tobytes(),
        "given_starts": b"",
        "given_lengths": b"",
    }
    data = b"".join(f"{name}:{len(cells[name])}:".encode() + cells[name] for name in sorted(cells))
    wanted = hashlib.blake2b(b"tts" + data, digest_size=16).digest()
    assert row_hashes("tts", table) == [int.from_bytes(wanted, "little")]


def test_equal_tables_are_equal_bytes(tmp_path):
    """Also those of a real unit, made twice from scratch."""
    runs = [worker(fake(tmp_path), LocalStore(tmp_path / name)).run(0) for name in "ab"]
    assert runs[0] == runs[1]  # sizes and hashes of all files


@pytest.mark.parametrize("damage", [b"", b"PAR1", b"x" * 1000])
def test_damaged_bytes_are_named(damage):
    with pytest.raises(StoreError, match="the file is damaged"):
        from_parquet(damage, "the file")


def test_what_a_file_says_of_itself_comes_back():
    said = {"b": [1, {"ü": None}], "a": "\ud800"}
    table = from_parquet(to_parquet(rows_table([row()]), said), "f")
    assert about(table) == said
    assert about(rows_table([row()])) == {}
    assert json.loads(table.schema.metadata[b"datagen"]) == said
    assert table.schema.field("n_tokens").metadata[b"unit"] == b"tokens"


def test_no_rows_are_a_table_too():
    for table in (rows_table([]), conversations_table([]), rejects_table([]), input_table([])):
        back = from_parquet(to_parquet(table), "f")
        assert back.schema.equals(table.schema)
        assert row_hashes("t", back) == []
    assert streams_of(conversations_table([])) == []


def test_planned_records_come_back_as_they_were():
    turns = (Turn("user", "a\u202e"), Turn("assistant", ""))
    talk = Dialogue("d", turns, "s", "", 5, system="Be kind.", cut="tool_call", notices=("bad_id: x",))
    rejected = Reject(6, "e", "s", "source", "broken_json", "x")
    assert records_of(input_table([talk, rejected])) == [talk, rejected]


@given(st.lists(records, max_size=4))
@settings(max_examples=50, deadline=None)
def test_any_planned_records_come_back_as_they_were(batch):
    assert records_of(from_parquet(to_parquet(input_table(batch)), "f")) == batch


def test_some_columns_of_conversations_are_enough_to_flatten():
    from datagen.run.reflatten import NEEDED

    work = Pipeline(make_recipe())
    values = one_conversation()
    table = pa.Table.from_pylist([values], schema=CONVERSATIONS)
    full, light = (streams_of(from_parquet(to_parquet(table), "f", columns)) for columns in (None, NEEDED))
    rows = [rows_table([row for s in found for row in work.flatten()(s)]) for found in (full, light)]
    assert rows[0].num_rows
    assert rows[0].equals(rows[1])
