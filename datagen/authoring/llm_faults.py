"""What a failed request means: send it again, ask in another form, give the record up, or stop the run."""

import asyncio
from dataclasses import dataclass
from typing import Any, Literal

from datagen.authoring.llm_pace import LlmClock, retry_after
from datagen.authoring.wire import BrokenReplyError

Then = Literal["again", "simpler", "give_up", "stop"]
_AGAIN = frozenset((408, 409, 425, 429))
_STOP = {
    401: "the server turns the key down",
    402: "the server asks for payment",
    403: "the server does not let this key use the model",
    404: "the server knows no such model or address",
    405: "the server knows no such address",
}
_OF_THE_RECORD = ("context_length_exceeded", "content_filter", "content_policy_violation", "string_above_max_length")


@dataclass(frozen=True, slots=True)
class LlmFault:
    """Why a request failed, and what to do then."""

    reason: str
    """A short stable name."""
    detail: str
    then: Then
    when_it_lasts: Literal["give_up", "stop"] = "give_up"
    """After the last time it is sent again: whether the record is at fault, or the server for all records."""
    billed: bool = False
    """Whether the answer may have been written, and paid for."""
    wait_seconds: float | None = None
    """As the server asks."""


def fault_of(error: Exception, clock: LlmClock) -> LlmFault | None:
    """What an exception of a request means; None if it is not the network's or the server's."""
    import httpx2
    import openai

    if isinstance(error, (TimeoutError, asyncio.TimeoutError, openai.APITimeoutError, httpx2.TimeoutException)):
        return LlmFault("timeout", "no whole answer came in time", "again", billed=True)
    if isinstance(error, openai.APIStatusError):
        return _of_status(error.status_code, error.body, error.response.headers.get("retry-after"), clock)
    if isinstance(error, openai.APIConnectionError):
        cause = type(error.__cause__).__name__
        lost = isinstance(error.__cause__, httpx2.ConnectError)
        return LlmFault(
            "no_connection" if lost else "dropped", f"the connection failed ({cause})", "again",
            "stop" if lost else "give_up", billed=not lost,
        )  # fmt: skip
    if isinstance(error, BrokenReplyError):
        return LlmFault("broken_reply", str(error), "again", billed=True)
    if isinstance(error, (httpx2.HTTPError, httpx2.StreamError, OSError)):
        return LlmFault("dropped", f"the connection broke off ({type(error).__name__})", "again", billed=True)
    return None


def _of_status(status: int, body: object, header: str | None, clock: LlmClock) -> LlmFault:
    code, message = _said(body)
    detail = f"status {status}: {message}" if message else f"status {status}"
    if status == 404 and "response_format" in message:  # a gateway has no model that takes it
        return LlmFault("turned_down", detail, "simpler")
    if status in _STOP:  # the message may show a part of the key
        return LlmFault(f"status_{status}", f"{_STOP[status]} (status {status})", "stop")
    if code == "insufficient_quota":
        return LlmFault(code, "the account's quota is used up", "stop")
    if status in _AGAIN or status >= 500:
        lasting: Literal["give_up", "stop"] = "stop" if status == 429 else "give_up"
        return LlmFault(f"status_{status}", detail, "again", lasting, wait_seconds=retry_after(header, clock.unix()))
    if status in (400, 415, 422) and code not in _OF_THE_RECORD:
        return LlmFault("turned_down", detail, "simpler")
    return LlmFault("turned_down", detail, "give_up")


def _said(body: Any) -> tuple[str, str]:
    """Code and message of an error's body, of whatever shape."""
    error = body.get("error", body) if isinstance(body, dict) else body
    if isinstance(error, dict):
        return str(error.get("code") or ""), str(error.get("message") or error.get("detail") or error)
    return "", str(error or "")
