"""A server, a clock that never waits, and recipes for it."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from datagen.authoring.authored import Item, Written
from datagen.authoring.authoring import Writer
from datagen.authoring.authoring_config import Llm, WriteRecipe
from datagen.authoring.llm_client import Client
from datagen.authoring.reply_cache import Memory, ReplyShelf
from datagen.engines.remote.pace import CallClock
from datagen.records import Dialogue, Reject, Turn
from tests.authoring import model
from tests.authoring.server import KEY, Server, serving


class FakeClock(CallClock):
    """Time that passes only while somebody waits, and then at once."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.waits: list[float] = []

    def now(self) -> float:
        return self.time

    def unix(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key where recipes say it is, and no proxy between us and the server."""
    monkeypatch.setenv("TEST_LLM_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[Server]:
    """A server whose answers are good."""
    with serving(model.answer) as running:
        yield running


@pytest.fixture
def clock() -> FakeClock:
    """A clock for one test."""
    return FakeClock()


def llm(server: Server, **values: Any) -> Llm:
    """How the server is asked."""
    return Llm(model="writer", base_url=server.url, api_key_env="TEST_LLM_KEY", **{"timeout_seconds": 30, **values})


def recipe(server: Server, *tasks: str, **values: Any) -> WriteRecipe:
    """A recipe over dialogues, or over topics if it begins with `dialogue`."""
    values = {"llm": llm(server), "dialogues": {"min_turns": 2, "max_turns": 6}, **values}
    given = {"topics": "topics.txt"} if "dialogue" in tasks else {"paths": ("x.jsonl",)}
    return WriteRecipe(name="test", input=given, tasks=tasks, **values)


TALK = Dialogue(
    "tea",
    (
        Turn("user", "How do I make good green tea at home?"),
        Turn("assistant", "Boil 1 litre of water, let it cool for five minutes, then pour it over the leaves."),
        Turn("user", "And how long should it steep?"),
        Turn("assistant", "Two minutes is plenty. Any longer and it turns bitter."),
    ),
    "talks.jsonl",
    "en",
    3,
)


def write(
    recipe: WriteRecipe, items: Sequence[Item], shelf: ReplyShelf | None = None, clock: Any = None, **options: Any
) -> list[Written | Reject]:
    """Write all items in an event loop of their own."""

    async def run() -> list[Written | Reject]:
        async with Client(recipe.llm, shelf or Memory(), clock=clock or FakeClock(), **options) as client:
            return await Writer(recipe, client).write_all(items)

    return asyncio.run(run())


def ask_with(client: Callable[[], Client], *questions: Any) -> Any:
    """Ask questions one after the other; the answers and the client."""

    async def run() -> Any:
        async with client() as asking:
            return [await asking.ask(question) for question in questions], asking

    return asyncio.run(run())
