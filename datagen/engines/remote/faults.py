"""Reasons why a call to a server failed, and who is at fault: the call, its item, or the server for all items."""

import asyncio
from dataclasses import dataclass
from typing import Any, Literal

from datagen.engines.remote.pace import CallClock, retry_after

Whose = Literal["call", "item", "server"]
_BUSY = (408, 409, 425, 429, 503)
_SERVER = {
    401: "the server refuses the key",
    402: "the server requests payment",
    403: "the server does not let this key use the model",
    404: "the server has no such model or address",
    405: "the server has no such address",
}


class BrokenReplyError(Exception):
    """A reply broke off, or does not hold what the protocol demands."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a call failed."""

    reason: str
    """A short stable name."""
    detail: str
    """May hold the key, if the server repeats it: `without_key`."""
    whose: Whose = "call"
    """"call": try again; "item": it would fail again; "server": so would any other item."""
    wait_seconds: float | None = None
    """As the server requests."""
    busy: bool = False
    """True if the server has too much to do, so other calls should wait too."""
    billed: bool = False
    """True if the server may have answered, and charged for it."""


def fault_of(error: BaseException, clock: CallClock) -> Fault | None:
    """Why a call failed, by its exception; None if it comes neither from the network nor from the server."""
    import httpx2
    import openai

    if isinstance(error, (TimeoutError, asyncio.TimeoutError, openai.APITimeoutError, httpx2.TimeoutException)):
        return Fault("timeout", "no whole answer in time", billed=True)
    if isinstance(error, openai.APIStatusError):
        return _of_status(error, clock)
    if isinstance(error, BrokenReplyError):
        return Fault("broken_reply", str(error), billed=True)
    cause = error.__cause__ if isinstance(error, openai.APIConnectionError) and error.__cause__ else error
    told = str(cause) or type(cause).__name__
    if isinstance(cause, httpx2.ConnectError):
        return Fault("no_connection", f"the connection failed: {told}")
    if isinstance(cause, (httpx2.HTTPError, httpx2.StreamError, openai.OpenAIError, OSError)):
        return Fault("dropped", f"the answer broke off: {told}", billed=True)
    return None


def _of_status(error: Any, clock: CallClock) -> Fault:
    status = error.status_code
    if status in _SERVER:  # the message of 401 may show a part of the key
        detail = f"{_SERVER[status]} (status 401)" if status == 401 else f"{_SERVER[status]}: {error}"
        return Fault(f"status_{status}", detail, "server")
    if error.code == "insufficient_quota":
        return Fault(error.code, f"the account's quota is used up: {error}", "server")
    if status in _BUSY or status >= 500:
        wait = retry_after(error.response.headers, clock.unix())
        return Fault(f"status_{status}", str(error), "call", wait, busy=status in _BUSY)
    return Fault("turned_down", str(error), "item")
