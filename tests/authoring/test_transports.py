"""Several servers, and files and batches: other ways to the same answers."""

import asyncio
import json
from collections import Counter

import pytest

pytest.importorskip("openai", reason="needs the extra llm")

from datagen.authoring.author import write
from datagen.authoring.llm_client import Client, Question
from datagen.authoring.prompts import Message
from datagen.authoring.reply_cache import Memory
from datagen.errors import EngineError
from tests.authoring import model
from tests.authoring.conftest import llm
from tests.authoring.server import Fault, serving
from tests.authoring.test_lazy import of


def dialogues(out) -> list[dict]:
    lines = (line for file in sorted(out.glob("dialogues/*")) for line in file.read_text("utf-8").splitlines())
    return [json.loads(line) for line in lines]


def test_several_servers_share_the_requests(server, tmp_path):
    with serving(model.answer) as other:
        shared = llm(server, concurrency=4, more_base_urls=(other.url,))
        asked = [
            Question(
                (Message("system", "You rate."), Message("user", f"<data>{k}</data> Rate the assistant")),
                "ScoreAnswer",
                {},
                0.5,
                100,
            )
            for k in range(4)
        ]
        server.barrier = other.barrier = 2  # nobody is answered before both have two requests

        async def run() -> None:
            async with Client(shared, Memory()) as client:
                await asyncio.gather(*(client.ask(question) for question in asked))

        asyncio.run(run())
        assert (server.n_calls, other.n_calls) == (2, 2)


def test_a_server_that_fails_is_left_out(server, tmp_path):
    with serving(model.answer) as other:
        other.faults = lambda ask: Fault(status=500)
        patient = llm(server, concurrency=4, more_base_urls=(other.url,), max_wait_seconds=0.01)
        assert write(of(server, tmp_path, "spoken", llm=patient), str(tmp_path / "out")).n_kept == 4
        assert other.n_calls <= 4
        assert server.n_calls == 4


def by_batch(server, **values):
    return llm(server, transport="batch", batch_poll_seconds=0.01, concurrency=2, max_wait_seconds=0.01, **values)


def test_a_batch_gives_what_live_calls_give(server, tmp_path):
    live = write(of(server, tmp_path, "spoken", "script", "judge"), str(tmp_path / "live"))
    found = write(of(server, tmp_path, "spoken", "script", "judge", llm=by_batch(server)), str(tmp_path / "batch"))
    assert found.digest == live.digest
    assert dialogues(tmp_path / "batch") == dialogues(tmp_path / "live")
    assert server.batches
    assert sum(len(batch.lines) for batch in server.batches.values()) >= 6


def test_questions_of_a_batch_that_failed_are_asked_again(server, tmp_path):
    failed = Counter[str]()

    def once(ask):
        failed[ask.key] += 1
        return Fault(status=500) if failed[ask.key] == 1 and "21 cups" in ask.question else None

    server.batch_faults = once
    assert write(of(server, tmp_path, "spoken", llm=by_batch(server)), str(tmp_path / "out")).n_kept == 4
    assert max(server.paid.values()) == 1


def test_a_run_that_is_killed_finds_its_batches_again(server, tmp_path):
    given, out = of(server, tmp_path, "spoken", llm=by_batch(server)), tmp_path / "out"
    server.batch_down = True  # the batch is created, and then nobody can look at it
    with pytest.raises(EngineError):
        write(given, str(out))
    n_batches = len(server.batches)
    server.batch_down = False
    assert write(given, str(out)).n_kept == 4
    assert (len(server.batches), server.paid.total(), max(server.paid.values())) == (n_batches, 4, 1)
