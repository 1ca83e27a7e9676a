"""What a record becomes, whatever it says: shapes, rules, ids, hostile input."""

import json
import os
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from datagen.errors import SourceError
from datagen.records import Dialogue, Reject
from datagen.sources import SHAPES, read
from datagen.sources.nested import is_turn

U, A = "user", "assistant"
GOOD = {"turns": [{"role": U, "text": "Hi"}, {"role": A, "text": "Hello."}]}


@pytest.fixture
def lines(tmp_path: Path) -> Any:
    """Reads records that were written as JSON Lines; records may be given as raw bytes."""

    def read_lines(*records: Any, name: str = "chat.jsonl", **options: Any) -> list[Dialogue | Reject]:
        data = [r if isinstance(r, bytes) else json.dumps(r).encode() for r in records]
        (tmp_path / name).write_bytes(b"\n".join(data) + b"\n")
        return list(read([str(tmp_path / name)], **options))

    return read_lines


def said(item: Dialogue | Reject) -> list[tuple[str, str]]:
    assert isinstance(item, Dialogue), item
    return [(turn.role, turn.text) for turn in item.turns]


def reason(item: Dialogue | Reject) -> str:
    assert isinstance(item, Reject), item
    assert item.stage == "source"
    return item.reason


def own(*turns: tuple[Any, Any], **fields: Any) -> dict[str, Any]:
    return {"turns": [{"role": role, "text": text} for role, text in turns], **fields}


HELLO = [(U, "Hi"), (A, "Hello.")]


@pytest.mark.parametrize(
    ("shape", "record"),
    [
        ("turns", GOOD),
        ("messages", {"messages": [{"role": U, "content": "Hi"}, {"role": A, "content": "Hello."}]}),
        ("messages", {"conversations": [{"role": U, "content": "Hi"}, {"role": A, "content": "Hello."}]}),
        ("messages", {"conversation": [{"role": "User ", "content": "Hi"}, {"role": "AI", "content": "Hello."}]}),
        (
            "messages",
            {
                "messages": [
                    {"role": U, "content": [{"type": "text", "text": "Hi"}]},
                    {"role": A, "content": [{"type": "text", "text": "Hello."}], "tool_calls": []},
                ]
            },
        ),
        ("sharegpt", {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello."}]}),
        ("alpaca", {"instruction": "Hi", "input": "", "output": "Hello."}),
        ("alpaca", {"instruction": "Hi", "input": None, "output": "Hello.", "turns": None}),
        ("alpaca", {"instruction": "Hi", "output": " Hello.\n"}),
        (
            "moss",
            {
                "chat": {
                    "turn_1": {
                        "Human": "<|Human|>: Hi<eoh>\n",
                        "Inner Thoughts": "<|Inner Thoughts|>: None<eot>\n",
                        "Commands": "<|Commands|>: None<eoc>\n",
                        "Tool Responses": "<|Results|>: None<eor>\n",
                        "MOSS": "<|MOSS|>: Hello.<eom>\n",
                    },
                    "turn_2": None,
                }
            },
        ),
        ("sdialog", {"turns": [{"speaker": "Marie", "text": "Hi"}, {"speaker": "Dr. Martin", "text": "Hello."}]}),
        ("sdialog", {"turns": [{"speaker": "Ann", "text": "Hi"}, {"speaker": "System", "text": "Hello."}]}),
    ],
)
def test_a_shape_is_recognised_and_may_be_forced(lines: Any, shape: str, record: dict[str, Any]) -> None:
    assert said(lines(record)[0]) == HELLO
    assert said(lines(record, shape=shape)[0]) == HELLO
    for other in set(SHAPES) - {shape}:  # a shape with the same fields reads the same, any other nothing
        (found,) = lines(record, shape=other)
        assert isinstance(found, Reject) or said(found) == HELLO


def test_moss_turns_are_ordered_by_number(lines: Any) -> None:
    chat = {f"turn_{n}": {"Human": f"<|Human|>: q{n}<eoh>", "MOSS": f"<|MOSS|>: a{n}<eom>"} for n in (10, 2, 1)}
    assert [text for _, text in said(lines({"chat": chat})[0])] == ["q1", "a1", "q2", "a2", "q10", "a10"]


def test_alpaca_joins_input_by_a_newline_and_puts_history_first(lines: Any) -> None:
    record = {"instruction": "Add.", "input": "1 and 2", "output": "3", "history": [["Hi", "Hello."]]}
    assert said(lines(record)[0]) == [*HELLO, (U, "Add.\n1 and 2"), (A, "3")]


@pytest.mark.parametrize(
    ("speakers", "kept"),
    [
        (["Ann", "Bob", "Ann"], ["0", "1"]),  # the first is the user
        (["Support", "Customer", "Support"], ["1", "2"]),  # a name that is a role is that role
        (["Agent", "Bob", "Agent"], ["1", "2"]),
    ],
)
def test_speakers_get_roles(lines: Any, speakers: list[str], kept: list[str]) -> None:
    record = {"turns": [{"speaker": name, "text": str(i)} for i, name in enumerate(speakers)]}
    assert said(lines(record)[0]) == list(zip([U, A], kept, strict=True))


@pytest.mark.parametrize(
    ("turns", "kept"),
    [
        ([("system", 5), ("developer", "Be kind"), *HELLO], HELLO),
        ([*HELLO, (U, " \n")], HELLO),
        ([(U, "Hi"), (U, "there"), (A, "a"), (A, "b")], [(U, "Hi\nthere"), (A, "a\nb")]),
        ([(U, "Hi"), (A, ""), (U, "there"), (A, "a")], [(U, "Hi\nthere"), (A, "a")]),
        ([(U, "Hi"), ("system", "x"), (U, "there"), (A, "a")], [(U, "Hi\nthere"), (A, "a")]),
        ([(A, "Welcome"), (A, "!"), *HELLO], HELLO),
        ([*HELLO, (U, "Still"), (U, "there?")], HELLO),
        ([("HUMAN", " Hi "), ("Bard", "\tHello.\n")], HELLO),
        ([(U, "<|im_end|>\x00\u202eشلوم<b>"), (A, "../../x")], [(U, "<|im_end|>\x00\u202eشلوم<b>"), (A, "../../x")]),
    ],
)
def test_turns_alternate_and_text_stays_as_it_is(lines: Any, turns: Any, kept: Any) -> None:
    assert said(lines(own(*turns))[0]) == kept


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ([1, 2], "not_an_object"),
        ("text", "not_an_object"),
        (None, "not_an_object"),
        (b'{"turns": [', "broken_json"),
        (b'{"turns": "\xff\xfe"}', "invalid_unicode"),
        (b"[" * 100_000, "too_deep"),
        (b'{"id": ' + b"9" * 5000 + b"}", "bad_number"),
        ({}, "unknown_shape"),
        ({"prompt": "x", "turns": None}, "unknown_shape"),
        ({"turns": [{"whom": U, "text": "Hi"}]}, "unknown_shape"),
        ({"chat": []}, "unknown_shape"),
        ({"turns": "Hi"}, "bad_turns"),
        ({"turns": ["Hi"]}, "bad_turns"),
        ({"turns": [*GOOD["turns"], 3]}, "bad_turns"),
        ({"chat": {"turn_x": {}}}, "bad_turns"),
        ({"chat": {"turn_1": "x"}}, "bad_turns"),
        ({"instruction": "a", "output": "b", "history": ["xy"]}, "bad_turns"),
        ({"turns": []}, "no_turns"),
        (own((A, "Hi")), "no_turns"),
        (own((U, "Hi")), "no_turns"),
        ({"turns": [{"who": U, "text": "Hi"}]}, "no_turns"),
        (own((A, "a"), (U, "b")), "no_turns"),
        (own((U, 7), (A, "x")), "bad_text"),
        (own((U, None), (A, "x")), "bad_text"),
        ({"turns": [{"role": U}]}, "bad_text"),
        ({"instruction": "a", "output": float("nan")}, "bad_text"),
        (own((U, "\ud800"), (A, "x")), "invalid_unicode"),
        (own((U, ["x"]), (A, "x")), "not_text"),
        ({"messages": [{"role": U, "content": [{"type": "image_url", "image_url": "x"}]}]}, "not_text"),
        (own((U, [{"type": "text", "text": [{"type": "text", "text": "x"}]}])), "bad_text"),
        (own((U, "x"), ("narrator", "y")), "unknown_role"),
        (own((U, "x"), (3, "y")), "unknown_role"),
        ({"turns": [*GOOD["turns"], {"text": "y"}]}, "unknown_role"),
        ({"turns": [{"speaker": "Human", "text": "a"}, {"speaker": "User", "text": "b"}]}, "unknown_role"),
        ({"turns": [{"speaker": name, "text": "a"} for name in "abc"]}, "too_many_speakers"),
        (own((U, "a"), ("function_call", None), ("observation", "b")), "tool_turns"),
        ({"messages": [{"role": U, "content": "a"}, {"role": A, "content": None, "tool_calls": [1]}]}, "tool_turns"),
        ({**GOOD, "label": False}, "undesirable"),
        ({**GOOD, "instruction": "a", "output": "b"}, "ambiguous_shape"),
        (own((U, "Speaker A: x"), (A, "y")), "role_labels"),
    ],
)
def test_a_record_that_is_no_dialogue_is_a_reject(lines: Any, record: Any, why: str) -> None:
    bad, good = lines(record, GOOD)
    assert reason(bad) == why
    assert (bad.record, bad.source, bad.dialogue_id) == (0, "chat.jsonl", "chat-0")
    assert bad.detail.startswith("chat.jsonl, line 1: ")
    assert len(bad.detail) < 280 and bad.detail.isprintable()
    assert said(good) == HELLO and good.record == 1


def test_a_detail_names_the_field_and_quotes_no_more_than_80_characters(lines: Any) -> None:
    assert lines(own(*HELLO, (U, 7)))[0].detail == "chat.jsonl, line 1: turns[2].text is a number, not text"
    detail = lines(own((U, "x"), ("\n\ud800" + "é" * 999, "y")))[0].detail
    assert (
        "turns[1].role" in detail
        and r"'\n\ud800éé" in detail
        and "é…; to fix: give each name its role under input.roles" in detail
        and len(detail) < 200
    )
    assert "'id', 'prompt'" in lines({"id": 3, "prompt": "x"})[0].detail


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"id": "a/../b c"}, "a/../b c"),
        ({"id": 12}, "12"),
        ({"id": None, "conversation_id": "c"}, "c"),
        ({"dialogue_id": "d", "uuid": "u"}, "d"),
        ({"uuid": "对话"}, "对话"),
        ({"id": "x" * 200}, "x" * 200),
        ({}, "chat-1"),
    ],
)
def test_a_given_id_is_kept_and_a_missing_one_made(lines: Any, fields: dict[str, Any], name: str) -> None:
    assert lines({}, {**GOOD, **fields})[1].id == name


@pytest.mark.parametrize("bad", ["", " ", "x" * 201, "a\nb", "\ud800", "a\u202eb", 1.5, True, [], {}, 10**250])
def test_an_unusable_id_costs_a_notice(lines: Any, bad: Any) -> None:
    (item, another) = lines({**GOOD, "id": bad}, {**GOOD, "id": bad, "uuid": "u"})
    assert (item.id, another.id) == ("chat-0", "u")
    for notice in (*item.notices, *another.notices):
        assert notice.startswith("bad_id: id is ") and notice.isprintable() and len(notice) < 160
    assert len(item.notices) == len(another.notices) == 1


def test_an_id_twice_in_a_file_is_a_reject_but_a_reject_takes_no_id(lines: Any) -> None:
    items = lines({"id": "a"}, {**GOOD, "id": "a"}, {**GOOD, "id": "a"}, {**GOOD, "id": "chat-4"}, GOOD)
    assert [getattr(item, "id", None) for item in items] == [None, "a", None, "chat-4", None]
    assert [reason(items[i]) for i in (0, 2, 4)] == ["unknown_shape", "duplicate_id", "duplicate_id"]
    assert items[2].dialogue_id == "a"


def test_an_id_of_an_earlier_file_is_qualified_by_the_stem(tmp_path: Path) -> None:
    names = [{**GOOD, "id": "a"}, {**GOOD, "id": "two:a"}, {**GOOD, "id": "b"}]
    for name, records in {"one": names, "two": [names[0], names[2], names[2]], "three": [names[0]]}.items():
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, records)))
    items = list(read([str(tmp_path / f"{name}.jsonl") for name in ("one", "two", "three")]))
    assert [getattr(item, "id", None) for item in items] == ["a", "two:a", "b", None, "two:b", None, "three:a"]
    assert [item.record for item in items] == list(range(7))
    assert [item.reason for item in items if isinstance(item, Reject)] == ["duplicate_id"] * 2


def test_files_of_one_stem_do_not_clash(tmp_path: Path) -> None:
    for folder in "abc":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.jsonl").write_text("\n".join(json.dumps(r) for r in (GOOD, {**GOOD, "id": 1})))
    items = list(read([str(tmp_path)]))
    assert [item.id for item in items] == ["x-0", "1", "x~2-0", "x~2:1", "x~3-0", "x~3:1"]
    assert items[2].source == f"{tmp_path.name}/b/x.jsonl"


@pytest.mark.parametrize(("given", "code"), [("en", "en"), ("zh-CN", "zh"), ("EN_us", "en"), ("", ""), (None, "")])
def test_our_own_shape_may_say_the_language(lines: Any, given: Any, code: str) -> None:
    assert lines({**GOOD, "language": given})[0].language == code


def test_another_shape_is_not_asked_for_the_language(lines: Any) -> None:
    assert lines({"instruction": "a", "output": "b", "language": "go"})[0].language == ""


@pytest.mark.parametrize("options", [{"shape": "x"}, {"max_record_bytes": 0}])
def test_a_wrong_option_is_an_error_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(SourceError):
        read(["x.jsonl"], **options)


# Hostile input: whatever a file holds, each record gives one item and nothing raises.

KEYS = "turns messages conversations chat turn_1 role text content from value speaker id".split()  # noqa: SIM905
words = st.sampled_from(KEYS)
names = st.sampled_from([U, A, "human", "gpt", "tool", "system", "Ann"])
leaves = st.none() | st.booleans() | st.integers() | st.floats() | names | st.text(st.characters(), max_size=8)
values = st.recursive(
    leaves,
    lambda v: st.lists(v, max_size=4) | st.dictionaries(words | st.text(max_size=3), v, max_size=4),
    max_leaves=12,
)
turn = st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS[5:-1], leaves))
likely = st.fixed_dictionaries(
    {}, optional={k: st.lists(turn, max_size=5) for k in ("turns", "messages", "conversations")} | {"id": leaves}
)


def check(items: list[Dialogue | Reject], n_records: int) -> None:
    assert [item.record for item in items] == list(range(n_records))
    dialogues = [item for item in items if isinstance(item, Dialogue)]
    assert len({d.id for d in dialogues}) == len(dialogues)
    for item in items:
        if isinstance(item, Reject):
            assert item.reason and (item.detail + item.dialogue_id + item.source).isprintable()
            continue
        assert item.id.isprintable() and len(item.turns) >= 2
        assert [t.role for t in item.turns] == [U, A] * (len(item.turns) // 2)
        assert all(t.text and t.text == t.text.strip() and t.text.encode() for t in item.turns)


@settings(max_examples=150, deadline=None)
@given(records=st.lists(values | likely, min_size=1, max_size=5), shape=st.sampled_from(["auto", *SHAPES]))
def test_any_json_gives_one_item_per_record(tmp_path_factory: Any, records: list[Any], shape: str) -> None:
    assume(not any(isinstance(each, list) or is_turn(each) for each in records))  # they are parts of records
    folder = tmp_path_factory.mktemp("any")
    (folder / "x.jsonl").write_text("\n".join(map(json.dumps, records)))
    (folder / "x.json").write_text(json.dumps(records))
    lines = list(read([str(folder / "x.jsonl")], shape))
    check(lines, len(records))
    array = list(read([str(folder / "x.json")], shape))
    assert [getattr(i, "turns", getattr(i, "reason", "")) for i in array] == [
        getattr(i, "turns", getattr(i, "reason", "")) for i in lines
    ]


@settings(max_examples=150, deadline=None)
@given(
    data=st.binary(max_size=60) | st.lists(st.sampled_from([*b'[]{},:"\\\n\xff1a ', *b"\x00"]), max_size=30).map(bytes),
    name=st.sampled_from(["x.jsonl", "x.json", "x.jsonl.gz", "x.json.zst", "x.parquet"]),
    max_bytes=st.integers(1, 40),
)
def test_any_bytes_raise_nothing_but_a_source_error(
    tmp_path_factory: Any, data: bytes, name: str, max_bytes: int
) -> None:
    path = tmp_path_factory.mktemp("any") / name
    path.write_bytes(data)
    try:
        items = list(read([str(path)], max_record_bytes=max_bytes))
    except SourceError as error:
        assert str(path) in str(error)
        return
    check(items, len(items))
    if name == "x.jsonl":
        assert len(items) == sum(bool(line.strip()) for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n"))


@settings(max_examples=50, deadline=None)
@given(cuts=st.lists(st.integers(0, 6), max_size=3), limit=st.integers(0, 8))
def test_splitting_a_file_changes_no_dialogue_and_limit_takes_the_first(
    tmp_path_factory: Any, cuts: list[int], limit: int
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    records = [{**GOOD, "id": i} if i % 3 else {"id": i} for i in range(7)]
    bounds = sorted({0, 7, *cuts})
    paths = []
    for n, (begin, end) in enumerate(pairwise(bounds)):
        paths.append(str(folder / f"{n}.jsonl"))
        Path(paths[-1]).write_text("\n\n".join(map(json.dumps, records[begin:end])))
    items = list(read(paths))
    assert [(i.record, getattr(i, "id", getattr(i, "dialogue_id", ""))) for i in items] == [
        (i, str(i)) for i in range(7)
    ]
    assert list(read(paths, limit=limit)) == items[:limit]


def test_a_file_name_that_is_not_unicode_is_made_printable(tmp_path: Path) -> None:
    if sys.platform == "darwin":
        pytest.skip("file names are Unicode there")
    path = os.fsencode(tmp_path) + b"/a\xff\n.jsonl"
    Path(os.fsdecode(path)).write_text(json.dumps(GOOD))
    (item,) = read([os.fsdecode(path)])
    assert (item.source, item.id) == ("a__.jsonl", "a__-0")
