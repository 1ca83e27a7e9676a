"""Tables and chats that belong to no public format: read by themselves, or with the option that the error prints."""

import csv
import io
import json
import shlex
from typing import Any

import pytest
import yaml

from datagen.recipe import MappingConfig
from datagen.records import Dialogue, Reject
from datagen.sources import read
from datagen.sources.advice import fix_of

U, A = "user", "assistant"
Q1, A1, Q2, A2 = "Which tram stops here?", "Line four does.", "How often?", "Every eight minutes."
TALK = [(U, Q1), (A, A1), (U, Q2), (A, A2)]
TEXTS = (Q1, A1, Q2, A2)


def written(tmp_path: Any, name: str, header: tuple[str, ...], *rows: tuple[str, ...]) -> str:
    file = io.StringIO()
    csv.writer(file).writerows([header, *rows])
    (tmp_path / name).write_text(file.getvalue(), "utf-8")
    return str(tmp_path / name)


def said(item: Dialogue | Reject) -> list[tuple[str, str]]:
    assert isinstance(item, Dialogue), item
    return [(turn.role, turn.text) for turn in item.turns]


def lines(tmp_path: Any, *records: object) -> str:
    (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, records)), "utf-8")
    return str(tmp_path / "x.jsonl")


@pytest.mark.parametrize("group", ["conversation", "dialogue_id", "call_id", "session", "Chat ID"])
@pytest.mark.parametrize("role", ["role", "speaker", "who", "Sender"])
@pytest.mark.parametrize("text", ["text", "utterance", "message", "content"])
def test_a_table_of_one_row_per_turn(tmp_path, group, role, text):
    group = group if role[0].islower() else group.title()
    rows = [(f"c{k}", (U, A)[i % 2], words) for k in range(2) for i, words in enumerate(TEXTS)]
    found = list(read(written(tmp_path, "x.csv", (group, role, text), *rows)))
    assert [(item.id, said(item)) for item in found] == [("c0", TALK), ("c1", TALK)]


@pytest.mark.parametrize("field", ["turn", "time"])
@pytest.mark.parametrize("times", [("1", "2", "9", "10"), ("0:01", "0:02", "0:09", "0:10")])
def test_rows_out_of_order_are_sorted(tmp_path, field, times):
    rows = [("c", at, (U, A)[i % 2], words) for i, (at, words) in enumerate(zip(times, TEXTS, strict=True))]
    (found,) = read(written(tmp_path, "x.csv", ("call", field, "role", "text"), *rows[::-1]))
    assert said(found) == TALK


def test_names_are_two_people_and_a_notice_says_who_is_the_user(tmp_path):
    rows = [("c", ("Anna", "Ben")[i % 2], words) for i, words in enumerate(TEXTS)]
    (found,) = read(written(tmp_path, "x.csv", ("call_id", "speaker", "utterance"), *rows))
    assert said(found) == TALK
    assert found.notices == ("speaker_names: 'Anna' speaks first and is the user, 'Ben' is the assistant",)
    (three,) = read(written(tmp_path, "y.csv", ("call_id", "speaker", "utterance"), *rows, ("c", "Cem", "Hi.")))
    assert three.reason == "too_many_speakers"


def test_a_system_prompt_in_a_table_is_nobody_who_speaks(tmp_path):
    rows = [("c", "system", "Be kind."), *(("c", (U, A)[i % 2], words) for i, words in enumerate(TEXTS))]
    (found,) = read(written(tmp_path, "x.csv", ("conversation_id", "role", "content"), *rows))
    assert said(found) == TALK and found.system == "Be kind." and found.notices == ()


SIDES = [
    *((U, A), ("prompt", "response"), ("User", "Assistant"), ("Question", "Answer"), ("customer", "agent")),
    *(("human", "assistant"), ("prompt", "answer"), ("question", "reply"), ("user", "bot")),
]


@pytest.mark.parametrize("sides", SIDES)
def test_a_wide_table_is_pairs(tmp_path, sides):
    found = list(read(written(tmp_path, "x.csv", ("id", *sides), ("a", Q1, A1), ("b", Q2, A2))))
    assert [(item.id, said(item)) for item in found] == [("a", TALK[:2]), ("b", TALK[2:])]


@pytest.mark.parametrize("turns", ["messages", "conversation", "transcript"])
@pytest.mark.parametrize("fields", [("speaker", "text"), ("name", "message"), ("who", "utterance")])
def test_speakers_in_a_list_of_turns(tmp_path, turns, fields):
    record = {turns: [dict(zip(fields, ("AB"[i % 2], words), strict=True)) for i, words in enumerate(TEXTS)]}
    (found,) = read(lines(tmp_path, record))
    assert said(found) == TALK and found.notices


@pytest.mark.parametrize(
    "records",
    [
        [{"nr": 1, "talk": {"parts": [{"wer": "AB"[i % 2], "satz": words} for i, words in enumerate(TEXTS)]}}],
        [{"Anruf": 7, "Sprecher": ("Al", "Bo")[i % 2], "Satz: ganz": words} for i, words in enumerate(TEXTS)],
        [{"nr": 1, "Frage": Q1, "Antwort": A1}],
        [{"nr": 1, "qa": [{"Frage": Q1, "Antwort": A1}, {"Frage": Q2, "Antwort": A2}]}],
    ],
)
def test_the_option_that_an_error_prints_reads_the_record(tmp_path, records):
    file = lines(tmp_path, *records)
    reject = next(iter(read(file)))
    fix = fix_of(reject.reason, reject.detail)
    assert reject.reason == "unknown_shape" and fix.startswith("read it with --set ")
    _, option = shlex.split(fix.removeprefix("read it with "))
    key, _, value = option.partition("=")
    assert key == "input.mapping"
    (found,) = read(file, mapping=MappingConfig.model_validate(yaml.safe_load(value)))
    assert said(found)[:2] == TALK[:2]


def test_no_option_is_printed_that_would_not_help(tmp_path):
    (reject,) = read(lines(tmp_path, {"b": 1, "a": "x"}))
    assert "'b', 'a'" in reject.detail  # in their own order
    assert "--set" not in fix_of(reject.reason, reject.detail)


def test_an_unknown_role_prints_the_names_that_were_found(tmp_path):
    chat = [{"role": ("Kunde", "Berater")[i % 2], "content": words} for i, words in enumerate(TEXTS)]
    (reject,) = read(lines(tmp_path, {"messages": chat}))
    fix = fix_of(reject.reason, reject.detail)
    assert "--set 'input.roles={Kunde: user, Berater: assistant}'" in fix and "names: true" in fix
    (found,) = read(lines(tmp_path, {"messages": chat}), roles={"Kunde": "user", "Berater": "assistant"})
    assert said(found) == TALK
    chat[0]["role"] = "user"
    chat[2]["role"] = "user"
    (reject,) = read(lines(tmp_path, {"messages": chat}))
    fix = fix_of(reject.reason, reject.detail)
    assert "{Berater: assistant}" in fix and "names: true" not in fix


def test_a_mapping_that_does_not_fit_is_not_suggested_again(tmp_path):
    (reject,) = read(lines(tmp_path, {"messages": []}), mapping=MappingConfig(turns="talk", role="who", text="words"))
    assert "leave input.mapping" in fix_of(reject.reason, reject.detail)
