"""What the speech server and the LLM client share: who is at fault, and a pace that holds tasks as it holds threads."""

import asyncio

import pytest

pytest.importorskip("openai")
import httpx2
import openai

from datagen.engines.remote.faults import BrokenReplyError, Fault, fault_of
from datagen.engines.remote.pace import CallClock, Pace
from datagen.errors import EngineError

REQUEST = httpx2.Request("POST", "http://127.0.0.1/v1")


def refused(status: int, headers: dict[str, str] | None = None, **body: str) -> Fault:
    response = httpx2.Response(status, request=REQUEST, headers=headers or {})
    found = fault_of(openai.APIStatusError(f"it is {status}", response=response, body=body), CallClock())
    assert found
    return found


@pytest.mark.parametrize(
    ("statuses", "whose", "busy"),
    [
        ((408, 409, 425, 429, 503), "call", True),
        ((500, 502, 504, 529), "call", False),
        ((400, 413, 415, 422, 451), "item", False),
        ((401, 402, 403, 404, 405), "server", False),
    ],
)
def test_a_status_says_who_is_at_fault(statuses, whose, busy):
    for status in statuses:
        found = refused(status)
        assert (found.whose, found.busy, found.billed) == (whose, busy, False)
        assert f"it is {status}" in found.detail or status == 401  # which may show a part of the key
    assert "it is" not in refused(401).detail


def test_a_used_up_quota_is_the_servers_and_a_wait_is_as_requested():
    assert refused(429, code="insufficient_quota").whose == "server"
    assert refused(429, {"retry-after": "7"}).wait_seconds == 7
    assert refused(400, {"retry-after": "7"}).wait_seconds is None


@pytest.mark.parametrize(
    ("error", "reason", "billed"),
    [
        (TimeoutError(), "timeout", True),
        (openai.APITimeoutError(REQUEST), "timeout", True),
        (httpx2.ConnectError("refused"), "no_connection", False),
        (httpx2.ReadError("reset"), "dropped", True),
        (BrokenReplyError("half"), "broken_reply", True),
        (ConnectionResetError(), "dropped", True),
    ],
)
def test_a_broken_connection_is_the_calls_fault(error, reason, billed):
    found = fault_of(error, CallClock())
    assert found
    assert (found.reason, found.whose, found.billed) == (reason, "call", billed)
    assert fault_of(EngineError("ours"), CallClock()) is None


class SteppingClock(CallClock):
    """Time that passes only while somebody waits."""

    def __init__(self) -> None:
        self.time, self.waits = 100.0, []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.time += seconds
        if len(self.waits) == 1:
            self.hold()

    def hold(self) -> None:
        """Replaced by a test: what another task does meanwhile."""


def test_a_task_that_waits_already_is_held_too():
    clock = SteppingClock()
    pace = Pace(60, clock)
    clock.hold = lambda: pace.hold(7)

    async def run():
        await pace.take(1)
        await pace.take(1)

    asyncio.run(run())
    assert clock.waits == [1, 7]
