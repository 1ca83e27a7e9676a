"""JSON that holds its records in another way than an array or lines."""

import json

import pytest

from datagen.records import Dialogue
from datagen.sources import read
from datagen.sources.nested import Nest, nest_of

TURNS = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]
TALK = {"messages": TURNS}
SMALL = 300


def found(tmp_path, name, data, **options):
    (tmp_path / name).write_text(data if isinstance(data, str) else json.dumps(data))
    return [
        (item.id, item.turns[0].text) if isinstance(item, Dialogue) else item.reason
        for item in read(str(tmp_path / name), **options)
    ]


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("n", [1, 2, 50])
def test_an_object_of_dialogues_by_id_is_many_records(tmp_path, indent, n):
    talks = {f"d-{k}": TALK | {"goal": "bus"} for k in range(n)}
    data = json.dumps(talks, indent=indent)
    for most in (SMALL, 1 << 20):  # the object may be larger than a record
        assert found(tmp_path, "x.json", data, max_record_bytes=most) == [(f"d-{k}", "Hi") for k in range(n)]


def test_the_key_is_the_id_and_a_dialogue_may_be_a_list(tmp_path):
    data = {"a": TALK | {"id": "other"}, "b": TURNS, "c": "no dialogue"}
    assert found(tmp_path, "x.json", {key: data[key] for key in "ab"}) == [("a", "Hi"), ("b", "Hi")]
    assert found(tmp_path, "x.json", data) == ["unknown_shape"]


@pytest.mark.parametrize("key", ["data", "conversations", "dialogues"])
@pytest.mark.parametrize("n", [1, 40])
def test_a_list_in_an_object_is_many_records(tmp_path, key, n):
    for record, most in ((TALK, SMALL), (TALK, 1 << 20), (TURNS, SMALL)):
        data = {"version": 1, "meta": {"n": [2, 3]}, key: [record] * n, "license": "]"}
        assert found(tmp_path, "x.json", data, max_record_bytes=most) == [(f"x-{k}", "Hi") for k in range(n)]


@pytest.mark.parametrize(
    "record",
    [
        TALK,
        {"conversations": TURNS},
        {"conversations": [{"human": "Hi", "assistant": "Hello."}]},
        {"data": ["Hi", "Hello."]},
        {"data": TURNS},
        {"conversations": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]},
        {"instruction": "Hi", "output": "Hello."},
        {"chat": {"turn_1": {"Human": "Hi", "MOSS": "Hello."}}},
        {"d-1": 1},
        {},
    ],
)
def test_a_record_is_no_nest_of_records(record):
    assert nest_of(json.dumps(record).encode(), 1000) is None
    assert nest_of(json.dumps({"id": 1} | record).encode(), 1000) is None


def test_the_beginning_decides():
    data = json.dumps({"v": 1, "data": [TALK] * 9}).encode()
    assert nest_of(data[:120], 1000) == Nest(True, data.index(b"["))
    assert nest_of(b"{", 1000) is None and nest_of(b"", 1000) is None


def test_a_list_of_turns_is_one_dialogue(tmp_path):
    assert found(tmp_path, "x.json", TURNS) == [("x-0", "Hi")]
    assert found(tmp_path, "x.json", [TURNS, TURNS]) == [("x-0", "Hi"), ("x-1", "Hi")]
    assert found(tmp_path, "x.jsonl", f"{json.dumps(TURNS)}\n" * 2) == [("x-0", "Hi"), ("x-1", "Hi")]


def test_a_huge_dialogue_among_others_is_one_reject(tmp_path):
    huge = {"messages": TURNS, "note": "x" * 2000}
    for data in ({"a": TALK, "b": huge, "c": TALK}, {"data": [TALK, huge, TALK]}):
        items = found(tmp_path, "x.json", data, max_record_bytes=SMALL)
        assert [item if isinstance(item, str) else "kept" for item in items] == ["kept", "record_too_large", "kept"]
    assert found(tmp_path, "x.json", json.dumps(huge, indent=1), max_record_bytes=SMALL) == ["record_too_large"]


@pytest.mark.parametrize("end", ["\n", "", "\n\n"])
def test_records_over_several_lines_are_read_under_either_name(tmp_path, end):
    text = "\n".join(json.dumps(TALK, indent=2) for _ in range(3)) + end
    for name in ("x.jsonl", "x.json"):
        assert [item[1] for item in found(tmp_path, name, text)] == ["Hi"] * 3


def test_a_broken_first_line_does_not_make_a_file_one_of_records_over_several_lines(tmp_path):
    line = json.dumps(TALK)
    assert found(tmp_path, "x.jsonl", f"{line[:20]}\n{line}\n{line}") == ["broken_json", ("x-1", "Hi"), ("x-2", "Hi")]
    assert found(tmp_path, "x.jsonl", line[:20]) == ["broken_json"]


def test_a_dialogue_that_is_not_unicode_costs_itself_alone(tmp_path):
    data = json.dumps({"a": TALK, "b": TALK, "c": TALK}).encode().replace(b"Hi", b"\xff", 1)
    (tmp_path / "x.json").write_bytes(data)
    items = list(read(str(tmp_path / "x.json")))
    assert [getattr(item, "reason", "kept") for item in items] == ["invalid_unicode", "kept", "kept"]
