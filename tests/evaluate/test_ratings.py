"""Replies rated by a scripted judge, through the command: repeats, agreement, what it answers and when it fails."""

import json
from itertools import count

import pytest
from typer.testing import CliRunner

pytest.importorskip("openai", reason="needs the extra llm")

from datagen.authoring.reply_cache import Cache
from datagen.cli import app
from datagen.engines.base import ASR, EngineInfo
from datagen.evaluate.replies import TOKENS, TRUTH
from datagen.evaluate.tables import Document
from datagen.shards.store import LocalStore
from tests.authoring.conftest import key, server
from tests.authoring.server import Fault
from tests.run.builds import made

__all__ = ["key", "server"]


class Words(ASR):
    """A fake recognizer that makes the same words of all sound."""

    info, sample_rate_hz, languages = EngineInfo("words", "1", "none", "all"), 24_000, ("en",)

    def transcribe(self, audio, language):
        return "sure the apples"


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> str:
    return str(made(tmp_path_factory.mktemp("ratings"), "flatten.tasks=[two_stream]", n=24)[0])


@pytest.fixture
def evaluate(server, tmp_path, monkeypatch):
    """Runs `evaluate` with the server as the judge."""
    monkeypatch.setattr("datagen.engines.load.asr", lambda name, options: Words())
    recipe = tmp_path / "judge.yaml"
    llm = {"model": "judge", "base_url": server.url, "api_key_env": "TEST_LLM_KEY", "attempts": 2}
    recipe.write_text(json.dumps({"name": "j", "input": {"paths": ["x.jsonl"]}, "tasks": ["judge"], "llm": llm}))

    def run(command: str, out: str, *more: str):
        line = ["evaluate", command, out, "--split", "train", "--judge", str(recipe), *more]
        return CliRunner(env={"COLUMNS": "1000"}).invoke(app, line)

    return run


def rating(score: int) -> str:
    return json.dumps({"reason": "Because.", "score": score})


def table(found):
    assert found.exit_code == 0, found.stderr
    return Document.of_json(found.stdout.encode(), "stdout").tables[-1]


def test_replies_are_rated_often_and_compared_with_the_words_of_the_build(evaluate, server, out):
    turn = count()
    server.answers = lambda ask: rating((3 if "sure the apples" in ask.question else 8) + next(turn) % 2)
    found = table(evaluate("dialogue", out, "--repeats", "4", "--json"))
    n = found.cell(TRUTH, "score").n
    assert n > 2
    assert len(server.paid) == 2 * n * 4
    assert 8 <= found.cell(TRUTH, "score").value <= 9
    assert -6 <= found.cell(TOKENS, "minus ground truth").value <= -4
    assert (found.cell(TRUTH, "minus ground truth").value, found.cell(TRUTH, "agreement (alpha)").n) == (0, n)
    assert found.cell(TRUTH, "agreement (alpha)").value is not None
    assert (found.cell(TRUTH, "failed").value, found.cell(TRUTH, "failed").n) == (0, 4 * n)


def test_a_rating_is_about_the_question_and_the_reply(evaluate, server, out):
    evaluate("dialogue", out, "--rows", "2", "--repeats", "1")
    asked = [ask.question for ask in server.asks]
    assert len(asked) == 4
    assert all("Tell me about" in question for question in asked)
    assert ["sure the apples" in question for question in asked] == [False, False, True, True]


def test_kept_answers_are_not_paid_for_twice(evaluate, server, out, tmp_path):
    answers = ("--answers", str(tmp_path / "answers"), "--json")
    turn = count()
    server.faults = lambda ask: Fault(401) if next(turn) == 7 else None
    assert evaluate("dialogue", out, *answers).exit_code == 1
    assert server.paid
    server.faults = lambda ask: None
    first = table(evaluate("dialogue", out, *answers))
    assert max(server.paid.values()) == 1
    n_calls = server.n_calls
    assert table(evaluate("dialogue", out, *answers)) == first
    assert server.n_calls == n_calls


def test_a_budget_is_that_of_all_runs_with_the_same_answers(evaluate, server, out, tmp_path):
    answers = ("--answers", str(tmp_path / "answers"))
    limit = ("--set", "llm.budget.tokens=6000", "--set", "llm.max_tokens=200")
    first = evaluate("dialogue", out, *answers, *limit)
    assert first.exit_code == 1 and "the budget is used up" in first.stderr
    n_calls = server.n_calls
    assert n_calls > 0
    assert evaluate("dialogue", out, *answers, *limit).exit_code == 1
    assert server.n_calls == n_calls
    lost = evaluate("dialogue", out, *limit)
    assert lost.exit_code == 1 and "--answers DIR" in lost.stderr and "All answers are kept" not in lost.stderr


def test_a_budget_is_that_of_the_whole_command(evaluate, server, out, tmp_path):
    """The words of the build, which are rated first, leave too little for the other rows."""
    assert evaluate("dialogue", out, "--answers", str(tmp_path)).exit_code == 0
    spent = Cache(LocalStore(tmp_path)).spent().tokens
    n_calls = server.n_calls
    limit = ("--set", f"llm.budget.tokens={spent * 3 // 4}", "--set", "llm.max_tokens=100")
    assert evaluate("dialogue", out, *limit).exit_code == 1
    assert server.n_calls - n_calls > n_calls // 2


@pytest.mark.parametrize("command", ["dialogue", "texts"])
@pytest.mark.parametrize(
    ("fault", "reason"),
    [(Fault(401), "401"), (Fault(text="banana"), "not one JSON object"), (Fault(refusal="No."), "refus")],
)
def test_a_judge_that_rates_nothing_is_an_error_with_its_reason(evaluate, server, out, command, fault, reason):
    server.faults = lambda ask: fault
    found = evaluate(command, out)
    assert found.exit_code == 1
    assert reason in found.stderr and "Traceback" not in found.stderr


def test_a_judge_without_a_key_is_an_error_before_anything_runs(evaluate, server, out, monkeypatch):
    monkeypatch.delenv("TEST_LLM_KEY")
    monkeypatch.setattr("datagen.engines.load.asr", None)  # nothing is decoded or recognized
    found = evaluate("dialogue", out)
    assert found.exit_code == 1 and "TEST_LLM_KEY" in found.stderr
    assert server.n_calls == 0


def test_failed_ratings_are_counted_and_named(evaluate, server, out):
    server.answers = lambda ask: rating(7)
    server.faults = lambda ask: Fault(refusal="I cannot say.") if "sure the apples" in ask.question else None
    found = table(evaluate("dialogue", out, "--repeats", "2", "--json"))
    n = found.cell(TRUTH, "score").n
    assert (found.cell(TRUTH, "failed").value, found.cell(TOKENS, "failed").value) == (0, 1)
    assert (found.cell(TOKENS, "score").n, found.cell(TOKENS, "failed").n) == (0, 2 * n)
    assert found.notes[-1].startswith(f"{2 * n} ratings gave no score: {2 * n} x refus")
    assert found.cell(TRUTH, "agreement (alpha)").value is None  # all alike


def test_a_measure_that_fails_is_in_the_tables_and_in_the_status(evaluate, server, out, tmp_path):
    server.faults = lambda ask: Fault(refusal="No.")
    found = evaluate("all", out, "--rows", "2", "--to", str(tmp_path / "all.json"))
    assert found.exit_code == 1
    assert "failed, dialogue: the judge gave no score" in found.stderr
    assert "left out, asr:" in found.stderr
    tables = Document.of_json((tmp_path / "all.json").read_bytes(), "all.json").tables
    assert tables[0].name == "turns_assistant" and tables[0].rows
    assert (tables[-1].name, tables[-1].rows) == ("dialogue", ())
    assert "the judge gave no score" in found.stdout
    server.faults = lambda ask: None
    assert evaluate("all", out, "--rows", "2").exit_code == 0
