"""Replies off the network: one JSON body, or a stream of server-sent events. All of it is data of unknown quality."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel, Field, ValidationError, ValidatorFunctionWrapHandler, field_validator

from datagen.authoring.reply_cache import Finish
from datagen.engines.remote.faults import BrokenReplyError

MAX_ANSWER_BYTES = 2_000_000
"""A longer answer is not read to its end."""
_MAX_STREAM_BYTES = 64 * MAX_ANSWER_BYTES
"""A stream wraps every few letters in some 200 bytes."""
_FINISH: dict[str, Finish] = {"length": "length", "content_filter": "content_filter"}


class TooLargeError(Exception):
    """An answer is longer than any request allows."""


class HttpResponse(Protocol):
    """A response whose body is not read yet."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Its headers."""
        ...

    def iter_bytes(self) -> AsyncIterator[bytes]:
        """Its body, piece by piece."""
        ...


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    text: str
    finish: Finish
    refusal: str
    model: str
    input_tokens: int | None
    output_tokens: int | None
    called: bool = False
    """True if the text is the arguments of a function that was called."""


class _Function(BaseModel):
    arguments: str | None = None


class _Call(BaseModel):
    function: _Function | None = None


class _Content(BaseModel):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None

    @property
    def arguments(self) -> str:
        """Arguments of the first call of a function: an answer in the form `tools`."""
        first = (self.tool_calls or [_Call()])[0].function
        return (first.arguments if first else None) or ""


class _Choice(BaseModel):
    message: _Content | None = None
    delta: _Content | None = None
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int = Field(ge=0, lt=1 << 40)
    completion_tokens: int = Field(0, ge=0, lt=1 << 40)


class _Body(BaseModel):
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None

    @field_validator("usage", mode="wrap")
    @classmethod
    def _usage_or_none(cls, value: Any, check: ValidatorFunctionWrapHandler) -> _Usage | None:
        """An answer is good even if what it cost is not said well: then it is estimated."""
        try:
            found: _Usage | None = check(value)
        except ValidationError:
            return None
        return found


async def read_reply(response: HttpResponse) -> Reply:
    """Read a reply of either kind, whichever was requested.

    Raises:
        TooLargeError: As soon as there is too much of it.
        BrokenReplyError: If it broke off, holds an error, or is not of the protocol.
    """
    gathered = _Gathered()
    if response.headers.get("content-type", "").startswith("text/event-stream"):
        await _read_stream(response, gathered)
    else:
        data = bytearray()
        async for piece in response.iter_bytes():
            data += piece
            if len(data) > MAX_ANSWER_BYTES:
                raise TooLargeError
        gathered.add(_parsed(bytes(data)))
    return gathered.reply()


def reply_of(data: bytes) -> Reply:
    """The reply in a whole body.

    Raises:
        TooLargeError: If there is too much of it.
        BrokenReplyError: If it holds an error, or is not of the protocol.
    """
    gathered = _Gathered()
    gathered.add(_parsed(data))
    return gathered.reply()


class _Gathered:
    """The reply as read so far."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.refusal = self.model = ""
        self.called = False
        self.finish: Finish | None = None
        self.usage: _Usage | None = None
        self._n_bytes = 0

    def add(self, body: _Body) -> None:
        """One body, or one event of a stream."""
        if body.error:
            raise BrokenReplyError(f"the server reports an error within its reply: {body.error}")
        self.model = body.model or self.model
        self.usage = body.usage or self.usage
        for choice in (body.choices or [])[:1]:
            content = choice.message or choice.delta or _Content()
            text = content.content or ""
            if content.arguments:  # words beside a call are no part of the answer
                self.text, text, self.called = self.text if self.called else [], content.arguments, True
            self.text.append(text)
            self.refusal += content.refusal or ""
            self._n_bytes += len(text.encode("utf-8", "surrogatepass")) + len(content.refusal or "")
            if self._n_bytes > MAX_ANSWER_BYTES:
                raise TooLargeError
            if choice.finish_reason:
                self.finish = _FINISH.get(choice.finish_reason, "stop")

    def reply(self) -> Reply:
        if self.finish is None:
            raise BrokenReplyError("the reply broke off: it does not say why it ended")
        n_input, n_output = (self.usage.prompt_tokens, self.usage.completion_tokens) if self.usage else (None, None)
        return Reply("".join(self.text), self.finish, self.refusal, self.model, n_input, n_output, self.called)


async def _read_stream(response: HttpResponse, gathered: _Gathered) -> None:
    try:
        async for line in _lines(response):
            name, _, value = line.partition(b":")
            if name == b"data" and (value := value.strip()) == b"[DONE]":
                gathered.finish = gathered.finish or "stop"
                return
            if name == b"data" and value:
                gathered.add(_parsed(value))
    except (TooLargeError, BrokenReplyError):
        raise
    except Exception:
        if gathered.finish is None:  # else only the end of the stream is missing, and the answer is whole
            raise


async def _lines(response: HttpResponse) -> AsyncIterator[bytes]:
    rest, n_bytes = b"", 0
    async for piece in response.iter_bytes():
        n_bytes += len(piece)
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line.rstrip(b"\r")
        if n_bytes > _MAX_STREAM_BYTES or len(rest) > MAX_ANSWER_BYTES:
            raise TooLargeError
    if rest:
        yield rest


def _parsed(data: bytes) -> _Body:
    try:
        return _Body.model_validate_json(data)
    except ValidationError as error:
        kind = error.errors(include_url=False, include_input=False, include_context=False)[0]["type"]
        raise BrokenReplyError(f"the reply is not of the protocol ({kind})") from None
