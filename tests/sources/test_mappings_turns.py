"""Turns of records of any shape: labels, parts, tools, prompts, notices; and hostile records of every shape."""
# ruff: noqa: E501  (tables of records are read by line)

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datagen.recipe.mapping_config import MappingConfig
from datagen.records import Dialogue, Reject
from datagen.sources import SHAPES, read
from datagen.sources.fields import Raw, UnfitError, language
from datagen.sources.inputs import Source
from datagen.sources.mappings import several
from datagen.sources.mappings.detection import detected, fitting
from datagen.sources.mappings.labels import split
from datagen.sources.mappings.roles import Said
from datagen.sources.mappings.table import TABLE
from datagen.sources.shapes import Shapes, alternating

U, A = "user", "assistant"
Q1, A1, Q2, A2 = "Which tram stops here?", "Line four does.", "How often?", "Every eight minutes."
CHAT = [{"role": role, "content": text} for role, text in [(U, Q1), (A, A1), (U, Q2), (A, A2)]]
CALL = {"role": A, "content": None, "tool_calls": [{"id": "c"}]}
RESULT = {"role": "tool", "content": "{}"}


def one(tmp_path: Any, record: Any, **options: Any) -> Any:
    (tmp_path / "x.jsonl").write_text(json.dumps(record), "utf-8")
    (found,) = read(str(tmp_path / "x.jsonl"), **options)
    return found


def said(item: Any) -> list[tuple[str, str]]:
    assert isinstance(item, Dialogue), item
    return [(turn.role, turn.text) for turn in item.turns]


TALK = [(U, Q1), (A, A1), (U, Q2), (A, A2)]

# -- labels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "text", "turns"),
    [
        (U, "### Human: Hi", [(U, "Hi")]),
        (U, "USER: Hi", [(U, "Hi")]),
        (U, "**User:** Hi", [(U, "Hi")]),
        (U, "[|Human|] Hi", [(U, "Hi")]),
        (U, "<|user|>Hi", [(U, "Hi")]),
        (A, "AI Assistant: Hi", [(A, "Hi")]),
        (A, "Answer: 42", [(A, "42")]),
        (U, "Q: Who?", [(U, "Who?")]),
        (U, "Human：Hi\nAssistant：Hello.\nHuman：Bye\nAssistant：", [(U, "Hi"), (A, "Hello."), (U, "Bye")]),
        (U, "User: Hi? Assistant: Hello. User: Bye", [(U, "Hi?"), (A, "Hello."), (U, "Bye")]),
        (U, "问：去哪？答：回家。问：现在？", [(U, "去哪？"), (A, "回家。"), (U, "现在？")]),
        (U, "用户: 去哪\n助手: 回家\n用户: 好", [(U, "去哪"), (A, "回家"), (U, "好")]),
        (U, "Customer: Hi\nAgent: Hello.\nCustomer: Bye", [(U, "Hi"), (A, "Hello."), (U, "Bye")]),
        (A, "It does.\nHuman: When?\nAssistant: At nine.", [(A, "It does."), (U, "When?"), (A, "At nine.")]),
    ],
)
def test_labels_are_split_and_never_spoken(role: Any, text: str, turns: Any) -> None:
    assert split(role, text, "f") == turns


@pytest.mark.parametrize(
    ("role", "text"),
    [
        (U, "Speaker A: Hi"),
        (U, "Speaker 1: Hi\nSpeaker 2: Hello."),
        (U, "Assistant: Hello."),
        (A, "User: Hi"),
        (A, "Customer: Hi\nAgent: Hello."),
        (U, "Human: Hi\nAssistant: Hello."),
        (U, "Human: Hi\nHuman: again\nAssistant: Hello.\nHuman: Bye"),
        (U, "Human:\nAssistant: Hello.\nHuman: Bye"),
        (U, "Continue this talk:\nHuman: Hi\nAssistant:"),
    ],
)
def test_labels_that_do_not_alternate_are_a_reject(role: Any, text: str) -> None:
    with pytest.raises(UnfitError) as error:
        split(role, text, "messages[0].content")
    assert error.value.reason == "role_labels" and "messages[0].content" in error.value.detail


@pytest.mark.parametrize(
    "text",
    [
        "At 9:30: the human asked the assistant: who is it?",
        "My doctor: she is kind. My agent: not so.",
        "Model: T-800. What is it?",
        "Patient: John, 45",
        "a: one\nb: two",
        "The answer: nine.",
        "I said User: no.",
        "https://example.org",
        "Username: bob",
        "She asked me. Answer: yes.",
        "Speaker: on",
        "Question of the day? Answer me: yes",
    ],
)
@pytest.mark.parametrize("role", [U, A])
def test_ordinary_colons_are_text(role: Any, text: str) -> None:
    assert split(role, text, "f") == [(role, text)]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(["Human:", "Assistant：", "\n", ". ", "Hi", "Q:", "A:", "Speaker B:", " ", "### ", "?"]),
        max_size=20,
    ).map("".join)
)
def test_split_turns_alternate_from_and_to_the_role(text: str) -> None:
    try:
        turns = split(U, text.strip(), "f")
    except UnfitError as error:
        assert error.reason == "role_labels"
        return
    assert not turns or [role for role, _ in turns] == [U, A] * (len(turns) // 2) + [U]
    kept = "".join("".join(said for _, said in turns).split())
    rest = iter(text)
    assert all(char in rest for char in kept)  # in order, and nothing else


@pytest.mark.parametrize("piece", [":", "[|", ". \t", "Human ", "\nUser:", "? A:", " " * 9 + ":", "<eoh> "])
def test_labels_and_marks_take_linear_time(piece: str) -> None:
    code = (
        "import resource, sys\n"
        "from datagen.sources.shapes import Shapes\nfrom datagen.sources.fields import UnfitError\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (30, 30))\n"
        "text = sys.argv[1] * ((1 << 18) // len(sys.argv[1]))\n"
        "for key, record in {'auto': {'prompt': 'Human' + text, 'completion': text},"
        " 'moss_002': {'plain_text': '[Human]: a' + text + '[MOSS]: b' + text}}.items():\n"
        "    try: Shapes(key).read(record)\n"
        "    except UnfitError: pass\n"
    )  # a process with a limit of its processor time must end by itself; a quadratic rule needs many times that
    assert subprocess.run([sys.executable, "-c", code, piece], check=False).returncode == 0


# -- parts, tools and prompts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ({"type": "text", "text": A1}, A1),
        ({"type": "output_text", "text": A1}, A1),
        ({"type": "text", "value": A1}, A1),
        ({"type": "text", "text": None, "value": A1}, A1),
        ({"text": A1}, A1),
    ],
)
def test_text_parts_are_spoken_and_reasoning_is_not(tmp_path: Any, part: Any, text: str) -> None:
    thought = [
        {"type": "reasoning", "value": "x"},
        {"type": "thinking", "thinking": "x"},
        {"text": "x", "thought": True},
    ]
    record = {"messages": [CHAT[0], {"role": A, "content": [thought[0], part, *thought[1:]]}]}
    assert said(one(tmp_path, record)) == [(U, Q1), (A, text)]
    assert said(one(tmp_path, {"messages": [CHAT[0], {"role": A, "content": part}]})) == [(U, Q1), (A, text)]


IMAGE = {"type": "image_url", "image_url": "x"}


@pytest.mark.parametrize(
    ("messages", "kept", "cut"),
    [
        ([*CHAT, CALL, RESULT, *CHAT[:2]], TALK, "tool_call"),
        ([*CHAT[:3], CALL, RESULT, CHAT[3]], TALK[:2], "tool_call"),
        ([CHAT[0], CALL, RESULT, CHAT[1]], TALK[:2], "tool_call"),
        ([CHAT[0], CALL, RESULT, CHAT[1], CHAT[2], CALL, RESULT, CHAT[3]], TALK[:2], "tool_call"),
        ([CHAT[0], {**CALL, "content": A1}, RESULT, CHAT[3]], TALK[:2], "tool_call"),
        ([*CHAT[:2], {"role": U, "content": [{"type": "text", "text": Q2}, IMAGE]}, CHAT[3]], TALK[:2], "not_text"),
        ([*CHAT[:2], {"role": U, "content": [{"type": "tool_result", "content": "x"}]}], TALK[:2], "tool_call"),
        (
            [CHAT[0], {"role": A, "content": [{"type": "tool_use"}, {"type": "text", "text": A1}]}],
            TALK[:2],
            "tool_call",
        ),
        (CHAT, TALK, ""),
    ],
)
def test_a_tool_or_an_image_ends_the_dialogue_before_it(tmp_path: Any, messages: Any, kept: Any, cut: str) -> None:
    found = one(tmp_path, {"messages": messages})
    assert (said(found), found.cut) == (kept, cut)


def test_an_image_at_the_beginning_is_a_reject(tmp_path: Any) -> None:
    found = one(tmp_path, {"messages": [{"role": U, "content": [{"type": "text", "text": Q1}, IMAGE]}, CHAT[1]]})
    assert isinstance(found, Reject) and found.reason == "not_text" and "content[1]" in found.detail


@pytest.mark.parametrize(
    ("fields", "prompt"),
    [
        ({"system": "Be kind."}, "Be kind."),
        (
            {"system_prompt": "Be kind.", "messages": [{"role": "system", "content": "And brief."}, *CHAT]},
            "Be kind.\nAnd brief.",
        ),
        ({"system": [{"type": "text", "text": "Be kind."}, IMAGE]}, "Be kind."),
        ({"system": "x", "messages": [{"role": "system", "content": "x"}, *CHAT]}, "x"),
        ({"system": ""}, ""),
        ({"messages": [{"role": "system", "content": [IMAGE]}, *CHAT]}, ""),
    ],
)
def test_system_prompts_are_kept(tmp_path: Any, fields: Any, prompt: str) -> None:
    found = one(tmp_path, {"messages": CHAT, **fields})
    assert (said(found), found.system, found.notices) == (TALK, prompt, ())


def test_a_prompt_that_is_no_text_costs_a_notice(tmp_path: Any) -> None:
    found = one(tmp_path, {"messages": CHAT, "system": 5})
    assert (found.system, found.notices) == ("", ("bad_system: system is a number, not text",))
    assert one(tmp_path, {"messages": CHAT, "system": "\ud800"}).notices[0].startswith("bad_system: system has half")


def test_an_assistant_called_system_is_hinted_at(tmp_path: Any) -> None:
    record = {"messages": [{"role": "user" if i % 2 == 0 else "system", "content": t} for i, (_, t) in enumerate(TALK)]}
    found = one(tmp_path, record)
    assert found.reason == "no_turns" and "input.roles" in found.detail
    assert said(one(tmp_path, record, roles={"System": "assistant"})) == TALK


@pytest.mark.parametrize("label", [False, "false", "False"])
def test_only_false_is_undesirable(tmp_path: Any, label: Any) -> None:
    assert one(tmp_path, {"messages": CHAT, "label": label}).reason == "undesirable"
    assert one(tmp_path, {"instruction": Q1, "output": A1, "kto_tag": label}).reason == "undesirable"
    for other in (True, 0, 1, "spam", None, []):
        assert said(one(tmp_path, {"messages": CHAT, "label": other})) == TALK


@pytest.mark.parametrize(
    ("given", "code", "is_noted"),
    [
        ("en", "en", False),
        ("zh-CN", "zh", False),
        ("EN_us", "en", False),
        (None, "", False),
        ("", "", False),
        ("eng", "en", True),
        ("cmn", "zh", True),
        ("English", "en", True),
        ("Chinese (Simplified)", "zh", True),
        ("Deutsch", "de", True),
        ("中文", "zh", True),
        ("en_US.UTF-8", "en", True),
        ("cmn-Hans", "zh", True),
        ("Klingon", "", True),
        ("e" * 10_000, "", True),
        (5, "", True),
        (["en"], "", True),
    ],
)
def test_languages_are_understood(tmp_path: Any, given: Any, code: str, is_noted: bool) -> None:
    found = one(tmp_path, {"messages": CHAT, "language": given})
    assert (found.language, bool(found.notices)) == (code, is_noted)
    assert all(n.startswith("bad_language: language is ") and len(n) < 160 and n.isprintable() for n in found.notices)
    assert language(given, "lang")[0] == code


def test_turns_of_pieces_may_be_empty_or_begin_anywhere() -> None:
    with pytest.raises(UnfitError, match="no_turns"):
        alternating([])
    assert len(alternating([Said(A, "x", "a"), Said(U, "y", "b"), Said(U, "", "c"), Said(A, "z", "d")]).turns) == 2


# -- hostile records of every shape ----------------------------------------------------------------------------------

ROLES = [U, A, "human", "gpt", "tool", "system", "sys", "Ann", "USER", "SYSTEM", "User 1:", "", 0, 1, None]
leaves = (
    st.sampled_from(
        [None, True, False, 0, -1, 2**70, 1.5, "", " ", "Hi", "Hello.", "[", "[]", "{}", '["a","b"]', "\ud800"]
    )
    | st.sampled_from(ROLES)
    | st.sampled_from(
        ["Human: a\nAssistant: b\nHuman: c", "### Human: a### Assistant: b", "Q: a\nA: b", "<s>[INST] a [/INST] b</s>"]
    )
    | st.text(max_size=6)
)
KEYS = sorted(
    {
        step
        for m in TABLE.values()
        for path in (*m.turns, *m.role, *m.text, *m.user, *m.assistant, *m.history, *m.answer, *m.candidates, *m.speakers)
        for step in path.split(".")
        if not step.startswith("-")
    }
    | {"rows", "replies", "rank", "deleted", "id", "language", "label", "type", "tool_calls", "turn_1", "message_tree_id"}
    | {"message_id", "parent_id", "conv_id", "system", "prefix", "data", "marks", "scores"}
)  # fmt: skip
anything = st.recursive(
    leaves,
    lambda below: (
        st.lists(below, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), below, max_size=4)
    ),
    max_leaves=14,
)
parts = st.lists(
    st.fixed_dictionaries({"type": st.sampled_from(["text", "reasoning", "tool_use", "image", None, 3])}, optional={"text": leaves, "value": leaves}),
    max_size=3,
)  # fmt: skip


def likely(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """Records that nearly have a shape."""
    m: MappingConfig = TABLE[name]
    words = leaves | parts
    fields = dict.fromkeys((*m.text, *m.user, *m.assistant, *m.tool), words) | {key: st.sampled_from(ROLES) for key in m.role}  # fmt: skip
    turn = st.fixed_dictionaries({}, optional=fields) if fields else leaves
    turns = st.lists(turn | leaves, max_size=5) | turn | anything
    if m.replies:
        turns = st.recursive(turn, lambda below: st.builds(lambda t, r: {**t, m.replies: r} if isinstance(t, dict) else t, turn, st.lists(below, max_size=3)), max_leaves=6)  # fmt: skip
    record: dict[str, Any] = {path.split(".")[0]: turns for path in (*m.turns, *m.history, *m.answer, *m.candidates)}
    record |= {path.split(".")[0]: st.lists(st.sampled_from(ROLES), max_size=5) | leaves for path in m.speakers}
    record |= {path.split(".")[0]: anything for path in (*m.system, *m.id, *m.language, *m.label)}
    if not m.turns:
        record |= fields
    if m.rows:
        record |= {
            key: st.sampled_from(["a", "b", 1, None]) for key in (*m.rows.group, m.rows.id, m.rows.parent) if key
        }
    return st.fixed_dictionaries({}, optional=record)


RECORDS = st.one_of(anything, *map(likely, TABLE), st.dictionaries(st.text(max_size=4), likely("messages"), max_size=3))


def laws(records: list[Any], shape: str) -> None:
    """Each record gives exactly one dialogue or reject with a reason, and no exception."""
    from datagen.sources import Maker

    maker, file = Maker(Shapes(shape)), Source("x.jsonl", "x", "jsonl")
    raws = [Raw(record, f"line {k}") for k, record in enumerate(records)]
    found = list(several.records(raws, shape, 1 << 20))
    assert len(found) >= len(raws) or any(m.rows for m in ([TABLE[shape]] if shape != "auto" else TABLE.values()))
    for k, raw in enumerate(found):
        if isinstance(raw.value, dict):
            assert fitting(raw.value, "auto") == detected(raw.value, "auto")  # the outline decides nothing by itself
        item = maker.make(raw, file, k, f"x-{k}")
        if isinstance(item, Reject):
            assert item.reason.isidentifier() and (item.detail + item.dialogue_id).isprintable()
            assert len(item.detail) < 600
            continue
        assert [t.role for t in item.turns] == [U, A] * (len(item.turns) // 2) and item.turns
        assert all(t.text and t.text == t.text.strip() and t.text.encode() for t in item.turns)
        assert item.id.isprintable() and item.system.encode() is not None
        assert all(notice.isprintable() and ": " in notice for notice in item.notices)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(RECORDS, min_size=1, max_size=3), st.sampled_from(["auto", "auto", *SHAPES]))
def test_any_record_of_any_shape_gives_one_item(records: list[Any], shape: str) -> None:
    laws(records, shape)


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(RECORDS, min_size=1, max_size=3), st.sampled_from(["auto", *SHAPES]))
def test_ten_thousand_records_of_any_shape_give_one_item_each(records: list[Any], shape: str) -> None:
    laws(records, shape)
