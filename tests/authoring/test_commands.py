"""datagen write and datagen prompts, as typed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from datagen.authoring.authoring_config import parse
from datagen.cli import app
from datagen.errors import RecipeError
from datagen.recipe import load, read_text

pytest.importorskip("openai", reason="needs the extra llm")

from tests.authoring import model


def run(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture
def settings(server, monkeypatch, tmp_path) -> list[str]:
    """The shipped recipe with its server replaced, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    values = {"llm.base_url": server.url, "llm.api_key_env": "TEST_LLM_KEY", "llm.model": "writer"}
    values |= {"dialogues.min_turns": "2", "gates": "{spokenness: 7}"}
    return [part for key, value in values.items() for part in ("--set", f"{key}={value}")]


def test_the_shipped_recipe_writes_what_it_then_reads(server, settings, tmp_path):
    found = run("write", "from_topics", "--limit", "3", *settings)
    assert found.exit_code == 0, found.output
    assert "3 of 3 records kept" in found.output
    assert "12 answers" in found.output
    assert "preflight: structured answers as json_schema" in found.output
    assert "datagen build RECIPE --input out/from_topics-written/dialogues" in found.output
    (file,) = Path("out/from_topics-written/dialogues").iterdir()
    assert str(file.parent) == load("from_topics").input.paths[0]
    assert len(file.read_text("utf-8").splitlines()) == 3
    again = run("write", "from_topics", "--limit", "3", *settings)
    assert "3 records in 1 units, 1 units done before" in again.output
    assert server.n_calls == 12 + 8, "two wordings of the judge rate four dialogues of known rank"


def test_a_run_that_keeps_nothing_fails_and_can_be_tried_again(server, settings):
    server.answers = lambda ask: model.answer(ask) if "Judge" in ask.question else "no"
    found = run("write", "from_topics", "--limit", "2", *settings)
    assert found.exit_code == 1
    assert "no dialogue is kept" in found.stderr
    assert "--retry-rejects" in found.stderr
    server.answers = model.answer
    assert run("write", "from_topics", "--limit", "2", *settings).exit_code == 1
    again = run("write", "from_topics", "--limit", "2", "--retry-rejects", "--reason", "broken_json", *settings)
    assert again.exit_code == 0, again.output
    assert "2 rejected records are opened again" in again.output
    assert "2 of 2 records kept" in again.output
    assert run("write", "from_topics", "--reason", "broken_json", *settings).exit_code == 2


def test_a_dry_run_of_a_grid_reports_its_coverage(server, settings):
    found = run("write", "from_topics", "--dry-run", "--set", "input={scenarios: {count: 240}}", *settings)
    assert found.exit_code == 0, found.output
    assert "home 20" in found.output
    assert "by language: en 240" in found.output
    assert "0.00% of the briefs nearly repeat another" in found.output


def test_a_dry_run_asks_nothing_and_writes_nothing(server, settings):
    found = run("write", "from_topics", "--dry-run", *settings)
    assert found.exit_code == 0, found.output
    assert "24 records, 96 questions" in found.output
    assert "currency" not in found.output, "prices are unknown"
    priced = ("--set", "llm.prices={input_per_million: 1, output_per_million: 2}")
    assert "in the currency of llm.prices" in run("write", "from_topics", "--dry-run", *settings, *priced).output
    assert (server.n_calls, list(Path().iterdir())) == (0, [])


def test_an_output_of_the_recipes_name_is_not_read_as_the_recipe(settings):
    Path("from_topics").mkdir()
    found = run("write", "from_topics", "--dry-run", *settings)
    assert found.exit_code == 0, found.output


def test_one_file_holds_what_is_written_and_what_is_built():
    text = read_text("from_topics")
    assert parse(text, "from_topics").name == load("from_topics").name == "from_topics"
    assert parse(text, "f", ("llm.model=other", "n_per_topic=3")).llm.model == "other"
    with pytest.raises(RecipeError, match=r"f: llm.modle: unknown key"):
        parse(text, "f", ("llm.modle=x",))


def test_a_recipe_that_writes_nothing_says_so():
    with pytest.raises(RecipeError, match="quickstart has no section `write`"):
        parse(read_text("quickstart"), "quickstart")


def test_prompts_are_listed_and_shown(tmp_path):
    listed = run("prompts").output
    assert all(name in listed for name in ("dialogue", "spoken", "script", "follow_up", "translate", "judge", "zh"))
    turns = [{"role": "user", "text": "Is <b>it</b> on? {{ 1 + 1 }}"}, {"role": "assistant", "text": "It is on now."}]
    file = tmp_path / "talk.jsonl"
    file.write_text(json.dumps({"id": "x", "language": "en", "turns": turns}) + "\n", "utf-8")
    shown = run("prompts", "show", "judge", "--dialogue", str(file), "--schema").output
    assert shown.startswith("--- system ---\n")
    assert "{{ 1 + 1 }}" in shown
    assert "<b>" not in shown
    assert '"additionalProperties": false' in shown
    assert "走廊" not in run("prompts", "show", "script", "--language", "zh").output
    unknown = run("prompts", "show", "nonesuch")
    assert unknown.exit_code == 1
    assert "no readable prompt" in unknown.stderr


def test_the_commands_load_no_client_before_it_is_needed():
    code = "import sys; sys.argv = ['datagen', 'prompts']; from datagen.cli import app; app(standalone_mode=False)"
    ask = f"{code}; print([m for m in ('openai', 'httpx2', 'pyarrow', 'torch') if m in sys.modules])"
    said = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1] == "['pyarrow']" or said.splitlines()[-1] == "[]"
