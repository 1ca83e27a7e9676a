"""`datagen sources`: what is detected, three records as understood, and rejects with an example and a fix."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from datagen.cli import app
from datagen.sources.advice import FIXES, fix_of
from datagen.sources.fields import UnfitError
from datagen.sources.shapes import Shapes

TALK = [{"role": "user", "content": "Which tram stops here?"}, {"role": "assistant", "content": "Line four does."}]
RECORDS: list[Any] = [
    {"id": "a", "messages": [{"role": "system", "content": "Be\x1b[2J kind."}, *TALK], "language": "English"},
    *({"instruction": "How often does it come?", "output": f"Every {n} minutes, I think."} for n in "234"),
    {"messages": [TALK[0], {"role": "narrator", "content": "x"}]},
    {"messages": [*TALK, TALK[0], {"role": "assistant", "tool_calls": [1], "content": None}]},
    {"instruction": "Hi", "output": "Yes."},
]


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["sources", *arguments], catch_exceptions=False)


@pytest.fixture
def chats(tmp_path: Path) -> str:
    (tmp_path / "chat.jsonl").write_text("\n".join(map(json.dumps, RECORDS)))
    return str(tmp_path / "chat.jsonl")


def test_it_shows_shapes_samples_and_rejects(chats: str) -> None:
    found = run(chats)
    assert found.exit_code == 0
    for part in (
        "chat.jsonl: jsonl, 7 records, 5 kept",
        "shapes: messages 2, alpaca 4",
        "a (messages, en)",
        r"Be\u001b[2J kind.",
        "assistant  Line four does.",
        "rejected: 1 source/unknown_role, such as chat-4: chat.jsonl, line 5: messages[1].role",
        "to fix: give each name its role: --set ",
        "rejected: 1 select/too_few_words, such as chat-6",
        "noted: 1 bad_language, such as a: language is 'English', understood as en",
        "shortened: 1 at a tool_call",
    ):
        assert part in found.stdout
    assert found.stdout.count("(messages") + found.stdout.count("(alpaca") == 3


def test_json_has_the_same_in_full(chats: str) -> None:
    (found,) = json.loads(run(chats, "--json").stdout)
    assert (found["n_records"], found["n_kept"], found["is_whole"]) == (7, 5, True)
    assert found["shapes"] == {"messages": 2, "alpaca": 4} and len(found["samples"]) == 3
    assert found["samples"][0]["turns"][0] == {"role": "user", "text": "Which tram stops here?"}
    assert found["rejects"]["source/unknown_role"]["count"] == 1
    assert (found["cuts"], found["notices"]["bad_language"]["count"]) == ({"tool_call": 1}, 1)


def test_settings_and_a_limit_apply(chats: str) -> None:
    (found,) = json.loads(run(chats, "--json", "--set", "input.roles={Narrator: assistant}").stdout)
    assert "source/unknown_role" not in found["rejects"]
    (found,) = json.loads(run(chats, "--json", "--limit", "2").stdout)
    assert (found["n_records"], found["is_whole"]) == (2, False)
    assert "the first 2 records" in run(chats, "--limit", "2").stdout


def test_a_recipe_says_what_to_read_and_to_keep(chats: str, tmp_path: Path) -> None:
    recipe = tmp_path / "own.yaml"
    recipe.write_text(f"name: own\ninput: {{paths: [{json.dumps(chats)}], shape: alpaca}}\nselect: {{min_words: 1}}\n")
    (found,) = json.loads(run(str(recipe), "--json").stdout)
    assert (found["n_kept"], found["shapes"]) == (4, {"alpaca": 4})
    assert run("quickstart", "--limit", "5").exit_code == 0


def test_an_input_of_which_nothing_is_kept_fails(tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").write_text('{"a": 1}')
    (tmp_path / "broken.json").write_text("[{]")
    found = run(str(tmp_path / "none.jsonl"), str(tmp_path / "broken.json"))
    assert found.exit_code == 1
    assert "describe it under input.mapping" in found.stdout and "error: " in found.stdout
    assert "broken JSON" in found.stdout


def test_wrong_arguments_are_errors(tmp_path: Path, chats: str) -> None:
    (tmp_path / "empty.yaml").write_text("name: x\n")
    for arguments, says in (
        ([str(tmp_path / "nonesuch")], "no such file"),
        ([str(tmp_path / "empty.yaml")], "no input.paths"),
        (["quickstart", chats], "give it alone"),
        ([chats, "--set", "input.mapping={}"], "input.mapping"),
    ):
        found = run(*arguments)
        assert found.exit_code == 1 and says in found.stderr


def test_each_reason_of_reading_has_a_fix() -> None:
    from datagen import sources

    doc = " ".join((sources.__doc__ or "").split())
    reasons = doc.partition("Reasons of rejects: ")[2].partition(". Notices")[0].split()
    assert len(reasons) > 15 and all(map(fix_of, reasons)) and all(FIXES.values())


LINES = [{"speaker": "user", "line": "Which tram stops here?"}, {"speaker": "assistant", "line": "Line four does."}]


@pytest.mark.parametrize("key", ["turns", "talk"])
def test_a_known_shape_whose_text_has_another_name_gets_an_option_that_reads_it(tmp_path: Path, key: str) -> None:
    chats = tmp_path / "chat.jsonl"
    chats.write_text(json.dumps({"id": "a", key: LINES}))
    (found,) = json.loads(run(str(chats), "--json").stdout)
    rejected = found["rejects"]["source/bad_text"]
    assert rejected["fix"] == f"read it with --set 'input.mapping={{turns: {key}, role: speaker, text: line}}'"
    assert rejected["example"].endswith(f"{key}[0].text is null, not text")
    (option,) = shlex.split(rejected["fix"].removeprefix("read it with --set "))
    (found,) = json.loads(run(str(chats), "--json", "--set", option).stdout)
    assert found["n_kept"] == 1
    assert found["samples"][0]["turns"][1] == {"role": "assistant", "text": "Line four does."}


@pytest.mark.parametrize(
    "turns",
    [
        [{"role": "user", "content": None, "id": "a question"}, {"role": "assistant", "content": "Line four does."}],
        [{"role": "user", "content": 4, "id": "a question"}, {"role": "assistant", "content": 4, "id": "an answer"}],
        [{"role": "user"}, {"role": "assistant"}],
    ],
)
def test_no_other_name_is_offered_where_a_text_is_known_or_none_is_there(tmp_path: Path, turns: list[Any]) -> None:
    (tmp_path / "chat.jsonl").write_text(json.dumps({"messages": turns}))
    (found,) = json.loads(run(str(tmp_path / "chat.jsonl"), "--json").stdout)
    assert found["rejects"]["source/bad_text"]["fix"] == FIXES["bad_text"]


def test_a_build_rejects_such_a_record_without_advice(tmp_path: Path) -> None:
    with pytest.raises(UnfitError) as found:
        Shapes("auto").read({"turns": LINES})
    assert found.value.detail == "turns[0].text is null, not text"
