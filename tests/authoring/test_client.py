"""The client: many at a time, nothing asked twice, limits and budget kept, spending counted."""

import asyncio
import sys

import pytest

pytest.importorskip("openai", reason="needs the extra llm")
from hypothesis import given
from hypothesis import strategies as st

from datagen.authoring.authored import Written
from datagen.authoring.authoring_config import Budget, Prices
from datagen.authoring.llm_client import Client, Question
from datagen.authoring.prompts import Message
from datagen.authoring.reply_cache import Cache, Memory
from datagen.authoring.spend import Meter, Usage, count_messages
from datagen.engines.remote.pace import Pace
from datagen.errors import BudgetError, EngineError, EngineMissingError, StoreError
from datagen.records import Dialogue, Turn
from datagen.shards.seal import sealed
from datagen.shards.store import LocalStore
from tests.authoring.conftest import TALK, FakeClock, ask_with, llm, recipe, write
from tests.authoring.server import KEY, Fault

TASKS = ("spoken", "script", "follow_up", "judge")


def talks(n: int) -> list[Dialogue]:
    """Dialogues that differ."""
    turns = (
        Turn("user", "What does the word number {} mean?"),
        Turn("assistant", "It is what you say after {} when you count."),
    )
    return [
        Dialogue(f"t{k}", tuple(Turn(t.role, t.text.format(k)) for t in turns), "x", "en", k) for k in range(n)
    ]  # fmt: skip


def question(text: str = "<data>\n{}\n</data> Rate the assistant", **values) -> Question:
    messages = (Message("system", "You rate."), Message("user", text))
    return Question(messages, "ScoreAnswer", {"type": "object"}, **{"temperature": 0.5, "max_tokens": 100, **values})


@pytest.mark.parametrize("stream", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_256_requests_are_under_way_at_once(server, stream):
    server.barrier = 256  # nobody is answered before all of them are there
    found = write(recipe(server, "spoken", llm=llm(server, concurrency=256, stream=stream)), talks(300))
    assert all(isinstance(item, Written) for item in found)
    assert (server.most_under_way, server.n_calls) == (256, 300)


def test_no_more_are_under_way_than_the_recipe_says(server):
    server.barrier = 3
    write(recipe(server, "spoken", llm=llm(server, concurrency=3)), talks(9))
    assert server.most_under_way == 3


def test_results_depend_on_neither_order_nor_company(server):
    items = talks(4)
    together = write(recipe(server, *TASKS), items)
    alone = [write(recipe(server, *TASKS), [item])[0] for item in reversed(items)]
    assert [item.to_json() for item in together] == [item.to_json() for item in reversed(alone)]


def test_what_was_answered_is_not_asked_again(server, tmp_path):
    first = write(recipe(server, *TASKS), [TALK], LocalStore(tmp_path))
    n = server.n_calls
    again = write(recipe(server, *TASKS, llm=llm(server, stream=True, concurrency=2)), [TALK], LocalStore(tmp_path))
    assert (server.n_calls, n) == (4, 4)
    assert [item.to_json() for item in again] == [item.to_json() for item in first]


def test_bad_answers_are_kept_too(server, tmp_path):
    server.faults = lambda ask: Fault(text="no") if "Your last answer" not in ask.question else None
    for _ in range(2):
        (found,) = write(recipe(server, "spoken"), [TALK], LocalStore(tmp_path))
        assert found.written_by[0].attempt == 1
    assert server.n_calls == 2


def test_one_question_is_asked_once_however_many_wait(server):
    server.barrier = 2
    twins = [Dialogue(name, TALK.turns, "x", "en", 0) for name in ("a", "b", "c")]
    found = write(recipe(server, "spoken"), [*twins, *talks(1)])
    assert server.n_calls == 2
    assert len({item.turns for item in found[:3]}) == 1


@pytest.mark.parametrize(
    "other",
    [
        question("other"), question(sample=1), question(attempt=1), question(temperature=0.6), question(max_tokens=101),
        Question(question().messages, "ScoreAnswer", {}, 0.5, 100),
    ],
)  # fmt: skip
def test_all_that_decides_an_answer_is_in_its_key(server, other):
    async def keys():
        async with Client(llm(server), Memory()) as one, Client(llm(server, seed=7), Memory()) as two:
            return one.key(question()), one.key(other), two.key(question())

    assert len(set(asyncio.run(keys()))) == 3


def test_how_a_server_is_asked_is_not_in_the_key(server):
    async def keys():
        values = {"stream": True, "concurrency": 3, "retries": 1, "structured": "text", "timeout_seconds": 9}
        async with Client(llm(server), Memory()) as one, Client(llm(server, **values), Memory()) as two:
            return one.key(question()), two.key(question())

    assert len(set(asyncio.run(keys()))) == 1


def test_a_request_carries_all_that_was_asked_for(server):
    asked = llm(server, top_p=0.9, seed=5)
    ask_with(lambda: Client(asked, Memory()), question(), question(sample=1))
    one, two = (ask.body for ask in server.asks)
    assert (one["model"], one["temperature"], one["top_p"], one["max_tokens"]) == ("writer", 0.5, 0.9, 100)
    assert one["response_format"]["json_schema"] == {
        "name": "ScoreAnswer",
        "strict": True,
        "schema": {"type": "object"},
    }
    assert one["seed"] != two["seed"]
    assert server.asks[0].headers["authorization"] == f"Bearer {KEY}"


def test_sending_again_carries_the_same_idempotency_key(server):
    server.honours_keys = True
    dropped = []
    server.faults = lambda ask: Fault(drop=True) if ask.count == 0 and not dropped.append(1) else None
    write(recipe(server, "spoken"), [TALK])
    assert (server.n_calls, list(server.paid.values())) == (2, [1])


def test_an_answer_is_kept_before_it_is_used(server):
    class Broken(Memory):
        def create(self, key, data):
            raise StoreError("disk full")

    with pytest.raises(StoreError, match="disk full"):
        write(recipe(server, "spoken"), [TALK], Broken())


def test_of_two_writers_the_first_answer_counts(server):
    class Late(Memory):
        """Another process keeps its answer between our look and our write."""

        def create(self, key, data):
            super().create(key, sealed(data.replace(b"Well", b"Now")))
            return super().create(key, data)

    (found,) = write(recipe(server, "spoken"), [TALK], Late())
    assert all(turn.text.startswith("Now, ") for turn in found.turns)


def test_a_damaged_answer_names_its_file(server):
    shelf = Memory()
    write(recipe(server, "spoken"), [TALK], shelf)
    (name,) = shelf.keys("answers")
    shelf._files[name] = b"{}"
    with pytest.raises(StoreError, match=name):
        write(recipe(server, "spoken"), [TALK], shelf)


@pytest.mark.parametrize("stream", [False, True])
def test_spending_is_what_the_server_says(server, stream):
    shelf = Memory()
    (answer,), asking = ask_with(lambda: Client(llm(server, stream=stream), shelf), question())
    characters = sum(len(message["content"]) for message in server.asks[0].body["messages"])
    assert answer.usage == Usage(characters // 4, len(answer.text) // 4)
    assert asking.meter.spent == Cache(shelf).spent() == answer.usage
    assert answer.model == "writer-0613"


@pytest.mark.parametrize("stream", [False, True])
def test_where_a_server_does_not_say_tokens_are_counted(server, stream):
    server.usage = False
    (answer,), _ = ask_with(lambda: Client(llm(server, stream=stream), Memory()), question())
    assert answer.usage.estimated
    assert answer.usage.input == count_messages(question().messages)


BUDGETS = {
    "tokens": Budget(tokens=5000),
    "money": Budget(money=0.004),
}
PRICES = Prices(input_per_million=1, output_per_million=1)


@pytest.mark.parametrize("name", BUDGETS)
def test_a_budget_stops_cleanly_and_more_of_it_goes_on(server, name):
    shelf, items = Memory(), talks(12)
    small = llm(server, budget=BUDGETS[name], prices=PRICES, max_tokens=200, concurrency=4)
    with pytest.raises(BudgetError, match=r"raise llm\.budget and run the same command again"):
        write(recipe(server, "spoken", llm=small), items, shelf)
    n, spent = server.n_calls, Cache(shelf).spent()
    assert 0 < n < 12
    assert len(list(shelf.keys("answers"))) == n
    assert spent.tokens <= 5000
    with pytest.raises(BudgetError):  # what was spent before counts
        write(recipe(server, "spoken", llm=small), items, shelf, spent=spent)
    assert server.n_calls == n
    large = small.model_copy(update={"budget": Budget(tokens=100_000)})
    assert all(
        isinstance(item, Written) for item in write(recipe(server, "spoken", llm=large), items, shelf, spent=spent)
    )
    assert server.n_calls == 12


def test_a_request_waits_for_those_under_way_before_it_finds_no_room():
    """Answers cost less than they may: what they leave is used."""

    async def run():
        meter = Meter(Budget(tokens=100), Prices())
        order = []

        async def ask(name, most, used, wait=None):
            async with meter.request(Usage(0, most)) as bill:
                order.append(f"{name} starts")
                if wait:
                    await wait.wait()
                bill.usage = Usage(0, used)
            order.append(f"{name} ends")

        go = asyncio.Event()
        first = asyncio.create_task(ask("first", 80, 10, go))
        await asyncio.sleep(0)
        second = asyncio.create_task(ask("second", 80, 30))
        await asyncio.sleep(0)
        assert order == ["first starts"]
        go.set()
        await asyncio.gather(first, second)
        assert meter.spent == Usage(0, 40)
        with pytest.raises(BudgetError, match="40 tokens spent"):
            await ask("third", 61, 0)
        with pytest.raises(BudgetError):
            await ask("fourth", 1, 0)

    asyncio.run(run())


@pytest.mark.parametrize(("fault", "counts"), [(Fault(drop=True), True), (Fault(status=500), False)])
def test_what_may_be_billed_without_an_answer_counts_at_its_most(server, fault, counts):
    server.faults = lambda ask: fault if ask.count == 0 else None
    asked = llm(server, budget=Budget(tokens=10_000))
    (answer,), asking = ask_with(lambda: Client(asked, Memory(), clock=FakeClock()), question())
    most = count_messages(question().messages) + 100
    assert asking.meter.spent.tokens == answer.usage.tokens + (most if counts else 0)


@given(st.lists(st.tuples(st.integers(1, 50), st.floats(0, 20)), min_size=2, max_size=40), st.integers(20, 200))
def test_no_minute_holds_more_than_the_limit_and_one_piece(pieces, limit):
    async def run():
        clock = FakeClock()
        pace, starts = Pace(limit, clock), []
        for n, idle in pieces:
            await pace.take(n)
            starts.append((clock.now(), n))
            clock.time += idle
        return starts

    starts = asyncio.run(run())
    for k, (start, _) in enumerate(starts):
        within = [m for later, m in starts[k:] if later < start + 60 - 1e-6]
        assert sum(within) <= limit + within[-1]


def test_requests_are_paced_by_their_number_and_their_tokens(server):
    for limits, seconds in (({"requests_per_minute": 60}, 1.0), ({"tokens_per_minute": 6000}, None)):
        clock = FakeClock()
        asked = llm(server, concurrency=1, **limits)
        questions = [question(sample=k) for k in range(3)]
        ask_with(lambda asked=asked, clock=clock: Client(asked, Memory(), clock=clock), *questions)
        expected = seconds or (count_messages(questions[0].messages) + 100) / 100
        assert clock.waits == [pytest.approx(expected)] * 2


def test_nothing_is_counted_or_awaited_without_limits(server):
    clock = FakeClock()
    ask_with(lambda: Client(llm(server), Memory(), clock=clock), question(), question(sample=1))
    assert clock.waits == []


class FrozenClock(FakeClock):
    """Time that does not pass: every wait that is asked for is seen."""

    async def sleep(self, seconds):
        self.waits.append(seconds)


def test_a_server_that_asks_to_wait_is_left_alone_by_all(server):
    server.faults = lambda ask: Fault(status=429, headers=(("retry-after", "9"),)) if server.n_calls == 1 else None
    clock = FrozenClock()
    ask_with(lambda: Client(llm(server), Memory(), clock=clock), question(), question(sample=1))
    assert clock.waits == [9.0, 9.0, pytest.approx(9.05)]  # before it is sent again, then each request


@pytest.mark.parametrize("concurrency", [1, 5])
def test_once_stopped_no_more_is_sent_or_awaited(server, concurrency):
    server.faults = lambda ask: Fault(status=403)
    clock = FakeClock()
    slow = llm(server, concurrency=concurrency, requests_per_minute=1)
    with pytest.raises(EngineError):
        write(recipe(server, "spoken", llm=slow), talks(20), clock=clock)
    assert server.n_calls <= concurrency
    assert len(clock.waits) < concurrency


def test_without_the_package_there_is_a_line_to_install_it(server, monkeypatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(EngineMissingError, match=r"pip install .*\[llm\]"):
        Client(llm(server), Memory())
