"""The LLM score: judged several times, failures told, agreement as others compute it."""

import asyncio
import json

import pytest

pytest.importorskip("openai", reason="needs the extra llm")

from datagen.authoring.llm_client import Client
from datagen.authoring.reply_cache import Memory
from datagen.evaluate.judge import DialogueText, JudgedDialogue, agreement, judge, krippendorff_alpha
from datagen.records import Turn
from tests.authoring.conftest import FakeClock, key, llm, server
from tests.authoring.server import Fault

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
