"""The LLM score: judged several times, failures told, agreement as others compute it."""

import asyncio
import json

import pytest

pytest.importorskip("openai", reason="needs the extra llm")

from datagen.authoring.judge import DialogueText, JudgedDialogue, agreement, judge, krippendorff_alpha
from datagen.authoring.llm_client import Client
from datagen.authoring.reply_cache import Memory
from datagen.records import FLOOR, Turn
from tests.authoring.conftest import FakeClock, key, llm, server
from tests.authoring.server import Fault
from tests.run.builds import made, read
from tests.test_cli import Cli

__all__ = ["key", "server"]
TALKS = [
    DialogueText("a", "en", (Turn("user", "how big is mars"), Turn("assistant", "about half as wide as earth"))),
    DialogueText("b", "zh", (Turn("user", "火星有多大"), Turn("assistant", "宽度大约是地球的一半"))),
]


def judged(server, n_repeats=3, shelf=None):
    asked = llm(server, temperature=0.8)

    async def run():
        async with Client(asked, shelf or Memory(), clock=FakeClock()) as client:
            return await judge(TALKS, client, asked, n_repeats)

    return asyncio.run(run())


def test_every_dialogue_is_judged_as_often_as_asked(server):
    found = judged(server)
    assert [(item.id, item.scores, item.failures) for item in found] == [("a", (6, 6, 6), ()), ("b", (6, 6, 6), ())]
    assert len(server.paid) == 6
    assert {ask.body["temperature"] for ask in server.asks} == {0.8}
    assert {json.dumps(ask.data) for ask in server.asks} == {
        json.dumps([{"turn": k, "role": t.role, "text": t.text} for k, t in enumerate(talk.turns)]) for talk in TALKS
    }


def test_judging_again_costs_nothing(server):
    shelf = Memory()
    assert judged(server, 2, shelf) == judged(server, 2, shelf)
    assert server.n_calls == 4


def test_a_judging_that_fails_is_told(server):
    server.faults = lambda ask: Fault(text='{"reason": "x", "score": 11}') if "mars" in ask.question else None
    failed, good = judged(server)
    assert (failed.scores, len(failed.failures), good.scores) == ((), 3, (6, 6, 6))
    assert "wrong_schema" in failed.failures[0]
    assert agreement([failed, good]).n_failures == 3


def test_agreement():
    found = agreement(
        [JudgedDialogue("a", (7, 7, 8), ()), JudgedDialogue("b", (2, 4), ()), JudgedDialogue("c", (9,), ())]
    )
    assert found.mean == pytest.approx((22 / 3 + 3 + 9) / 3)
    assert found.deviation == pytest.approx(((2 / 9) ** 0.5 + 1) / 2)
    assert (found.exact, found.within_one) == (1 / 4, 3 / 4)
    assert found.table()["n_scores"] == 6


def test_agreement_of_nothing():
    found = agreement([JudgedDialogue("a", (), (), ("refused",)), JudgedDialogue("b", (), ())])
    assert found.table() == {
        "n_dialogues": 0, "n_scores": 0, "n_failures": 1, "mean": None, "deviation": None, "exact": None,
        "within_one": None, "alpha": None,
    }  # fmt: skip
    assert agreement([JudgedDialogue("a", (5,), ())]).alpha is None


def test_alpha_is_what_the_package_krippendorff_gives():
    """krippendorff 0.9.0, level of measurement interval; values are missing, and units have 1 to 4 of them."""
    units = [(1, 2, 3), (5, 5), (9, 8, 9, 7), (2,), (4, 4, 6), (10, 9)]
    assert krippendorff_alpha(units) == pytest.approx(0.8994252873563219, abs=1e-12)


# -- the command ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return made(tmp_path_factory.mktemp("build"), n=9)[0]


@pytest.fixture
def recipe_file(server, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: mine\nwrite:\n  input: {paths: [x.jsonl]}\n  tasks: [script]\n"
        f"  llm: {{model: judge, base_url: '{server.url}', api_key_env: TEST_LLM_KEY}}\n"
    )
    return path


def test_the_command_rates_what_was_spoken_in_a_split(server, built, recipe_file, tmp_path, capsys, monkeypatch):
    run = Cli(capsys, monkeypatch)
    command = (
        "evaluate",
        "texts",
        built,
        "--judge",
        recipe_file,
        "--split",
        "train",
        "--answers",
        tmp_path / "answers",
    )
    found = json.loads(run.ok(*command, "--json", "--rows", "2", "--repeats", "2", "--set", "llm.temperature=0.7"))
    assert [each["scores"] for each in found["dialogues"]] == [[6, 6], [6, 6]]
    assert found["agreement"]["n_scores"] == 4
    assert {ask.body["temperature"] for ask in server.asks} == {0.7}
    rows = {row["dialogue_id"]: row for row in read(built, "conversations")}
    expected = {
        " ".join(u["said"] for u in rows[each["id"]]["utterances"] if u["kind"] in FLOOR and u["said"])
        for each in found["dialogues"]
    }
    assert {" ".join(turn["text"] for turn in ask.data) for ask in server.asks} == expected
    assert [turn["role"] for turn in server.asks[0].data][:2] == ["user", "assistant"]
    said = " ".join(run.ok(*command, "--rows", "2", "--repeats", "2", "--set", "llm.temperature=0.7").split())
    assert "2 dialogues rated" in said
    assert "6 6" in said
    assert "n scores 4, n failures 0, mean 6.00" in said
    assert len(server.paid) == 4, "answers that were kept are not paid again"


def test_the_command_needs_a_judge_and_a_split_with_conversations(built, recipe_file, capsys, monkeypatch):
    run = Cli(capsys, monkeypatch)
    assert run.run("evaluate", "texts", built)[0] == run.run("evaluate", "dialogue", built)[0] == 2
    assert "no nonesuch conversations" in run.fails(
        "evaluate", "texts", built, "--judge", recipe_file, "--split", "nonesuch"
    )
