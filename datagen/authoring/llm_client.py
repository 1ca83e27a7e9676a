"""One question → one answer of a model behind an OpenAI-compatible server, in as many calls as it takes."""

import asyncio
from dataclasses import dataclass
from typing import Any

from datagen import seeds
from datagen.authoring.authoring_config import Llm
from datagen.authoring.dialect import Dialect, complaint, may_be_dialect
from datagen.authoring.prompts import Message, as_json
from datagen.authoring.reply_cache import Answer, Cache, ReplyShelf, key_of
from datagen.authoring.spend import NOTHING, Meter, Usage, count_messages, count_tokens
from datagen.authoring.wire import Reply, TooLargeError, read_reply
from datagen.engines.remote.client import http_client, key_in, shown, without_key
from datagen.engines.remote.faults import Fault, fault_of
from datagen.engines.remote.pace import CallClock, Pace, backoff
from datagen.engines.remote.probe import Probe
from datagen.errors import DatagenError, EngineError

PROBE = "Say hello."
"""Sent if nothing else is answered, to tell a record's fault from the server's."""
_FIRST_WAIT_SECONDS = 0.5
_NEVER_THE_RECORD = ("status_429", "no_connection")
"""Faults that stop the run if they last, even if the server answers others."""


class NoAnswerError(Exception):
    """A server does not answer this one question.

    Attributes:
        reason: A short stable name.
        detail: For people.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt, and which answer to it is wanted."""

    messages: tuple[Message, ...]
    name: str
    """Of the answer's type."""
    schema: dict[str, Any]
    temperature: float
    max_tokens: int
    sample: int = 0
    """Number of the independent answer, from 0."""
    attempt: int = 0
    """Answers before this one that did not fit."""


class Client:
    """Asks a model. Use it as `async with Client(...) as client`, in one event loop."""

    def __init__(self, llm: Llm, shelf: ReplyShelf, *, spent: Usage = NOTHING, clock: CallClock | None = None) -> None:
        """Connect to nothing yet.

        Args:
            llm: Model, server and limits.
            shelf: Where answers are kept.
            spent: Cost of earlier runs, for the budget: `Cache(shelf).spent()`.
            clock: Time; of the machine by default.

        Raises:
            EngineMissingError: If the package openai is not installed.
            EngineError: If the environment holds no key.
        """
        self._llm, self._clock = llm, clock or CallClock()
        self._key = key_of_server(llm)
        self._openai = http_client(
            "a language model", "llm", base_url=llm.base_url, key=self._key,
            timeout_seconds=llm.timeout_seconds, n_connections=llm.concurrency,
        )  # fmt: skip
        self.cache = Cache(shelf, llm.concurrency)
        self.meter = Meter(llm.budget, llm.prices, spent)
        self._requests = Pace(llm.requests_per_minute, self._clock)
        self._tokens = Pace(llm.tokens_per_minute, self._clock)
        self._dialect = Dialect() if llm.structured == "auto" else Dialect(form=llm.structured)
        self._proven = llm.structured != "auto"
        self._probe = Probe(self._probed)
        self._stopped: DatagenError | None = None
        self._n_answered = 0
        self.n_requests = 0
        """Requests sent by this client, including those that failed."""

    async def __aenter__(self) -> "Client":
        """The client."""
        self._loop = asyncio.get_running_loop()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Cancel open requests, then close the connections."""
        await self.cache.close()
        await self._openai.close()

    def key(self, question: Question) -> str:
        """The key under which the answer to a question is kept; it does not depend on the server."""
        llm = self._llm
        return key_of({
            "model": llm.model, "top_p": llm.top_p, "seed": llm.seed, "messages": as_json(question.messages),
            "schema": question.schema, "temperature": question.temperature, "max_tokens": question.max_tokens,
            "sample": question.sample, "attempt": question.attempt,
        })  # fmt: skip

    async def ask(self, question: Question) -> Answer:
        """The answer to a question, which may be a bad one; kept before it is returned.

        Raises:
            NoAnswerError: If the server does not answer this question.
            BudgetError: If there is no room for it in the budget.
            EngineError: If the server refuses all requests, for example because of the key.
            StoreError: If the answer cannot be kept.
        """
        key = self.key(question)
        return await self.cache.answer(key, lambda: self._answer(question, key))

    async def _answer(self, question: Question, key: str) -> Answer:
        """Send until there is an answer or no hope of one.

        A refused question is sent in simpler forms. If one of them is answered, all requests use that form.
        """
        n_failures, n_before = 0, self._n_answered
        first = dialect = self._dialect
        while True:
            try:
                answer = await self._once(question, key, dialect)
            except Exception as error:
                fault = fault_of(error, self._clock)
                if fault is None:
                    raise
                unclear = may_be_dialect(error)
                simpler = self._simpler(first, dialect, error, question) if unclear else None
                if unclear:
                    fault = Fault("turned_down", fault.detail, "item")
            else:
                if self._dialect == first:
                    self._dialect = dialect
                self._proven = True
                return answer
            if simpler:
                first, dialect = self._dialect, simpler
                continue
            n_failures += 1
            await self._wait_or_raise(fault, n_failures, key, n_before)

    async def _once(self, question: Question, key: str, dialect: Dialect) -> Answer:
        """Send one request and read its reply."""
        most = self._most(question)
        self._raise_if_stopped()
        async with self.meter.request(most) as bill:
            await self._requests.take(1)
            await self._tokens.take(most.tokens)
            self._raise_if_stopped()
            self.n_requests += 1
            try:
                reply = await asyncio.wait_for(self._exchange(question, key, dialect), self._llm.timeout_seconds)
            except TooLargeError:
                bill.usage = most
                return Answer("", "too_large", "", self._llm.model, most)
            except Exception as error:
                fault = fault_of(error, self._clock)
                if fault and fault.billed:  # an answer that did not arrive may cost the most
                    bill.usage = most
                raise
            answer = self._whole(question, reply)
            bill.usage = answer.usage
            self._n_answered += 1
            return answer

    def _raise_if_stopped(self) -> None:
        if self._stopped:
            raise self._stopped

    async def _exchange(self, question: Question, key: str, dialect: Dialect) -> Reply:
        body = dialect.body(question.messages, question.name, question.schema, question.max_tokens)
        llm = self._llm
        if dialect.sampling:
            body["temperature"] = question.temperature
            if llm.top_p is not None:
                body["top_p"] = llm.top_p
        if dialect.seed and llm.seed is not None:
            body["seed"] = seeds.seed32(llm.seed, key) >> 1
        if llm.stream and dialect.usage:
            body["stream_options"] = {"include_usage": True}
        headers = {"Idempotency-Key": f"datagen-{key}-{seeds.digest(repr(dialect)) & 0xFFFF:04x}"}
        completions = self._openai.chat.completions.with_streaming_response
        async with completions.create(model=llm.model, stream=llm.stream, extra_headers=headers, **body) as response:
            return await read_reply(response)

    def _most(self, question: Question) -> Usage:
        """The most that a request may cost; not counted if nothing limits it."""
        if not self.meter.limited and self._llm.tokens_per_minute is None:
            return NOTHING
        return Usage(count_messages(question.messages), question.max_tokens, estimated=True)

    def _whole(self, question: Question, reply: Reply) -> Answer:
        if reply.input_tokens is None or reply.output_tokens is None:
            usage = Usage(count_messages(question.messages), count_tokens(reply.text), estimated=True)
        else:
            usage = Usage(reply.input_tokens, reply.output_tokens)
        text, refusal, model = (without_key(part, self._key) for part in (reply.text, reply.refusal, reply.model))
        return Answer(text, reply.finish, refusal, model or self._llm.model, usage)

    def _simpler(self, first: Dialect, dialect: Dialect, error: Any, question: Question) -> Dialect | None:
        """A simpler form of the question, found now or by another request meanwhile; None if there is none."""
        if self._dialect != first:
            return self._dialect
        simpler = dialect.without(complaint(error.body, question.messages), proven=self._proven)
        fixed = self._llm.structured != "auto"
        return None if simpler and fixed and simpler.form != dialect.form else simpler

    async def _wait_or_raise(self, fault: Fault, n_failures: int, key: str, n_before: int) -> None:
        """Wait before the next attempt.

        Raises:
            NoAnswerError: If the record is at fault: the server answers others.
            EngineError: If the server is at fault.
        """
        llm, wait, whose = self._llm, fault.wait_seconds or 0.0, fault.whose
        detail = shown(fault.detail, self._key)
        if wait > llm.max_wait_seconds:
            whose, detail = "server", f"{detail}; it requests a wait of {wait:.0f} s"
        elif whose == "call" and n_failures > llm.retries:
            # `n_before` questions had been answered when this one was first sent
            well = fault.reason not in _NEVER_THE_RECORD and (self._n_answered > n_before or await self._is_well())
            whose = "item" if well else "server"
        if whose == "server":
            self._stopped = self._stopped or EngineError(self._advice(detail))
            raise self._stopped
        if whose == "item":
            raise NoAnswerError(fault.reason, f"{detail}, sent {n_failures} times")
        if fault.wait_seconds is not None:
            self._requests.hold(wait)
        share = 1 - seeds.fraction("wait", key, n_failures)
        await self._clock.sleep(max(wait, backoff(n_failures, share, _FIRST_WAIT_SECONDS, llm.max_wait_seconds)))

    async def _is_well(self) -> bool:
        """True if the server answers a question of two words, which costs next to nothing."""
        return await asyncio.to_thread(self._probe.illness, self._llm.model, 0) is None

    def _probed(self, model: str) -> Exception | None:
        return asyncio.run_coroutine_threadsafe(self._hello(model), self._loop).result()

    async def _hello(self, model: str) -> Exception | None:
        self.n_requests += 1
        headers = {"Idempotency-Key": f"datagen-probe-{self.n_requests}"}
        messages = [{"role": "user", "content": PROBE}]
        ask = self._openai.chat.completions.create(model=model, messages=messages, extra_headers=headers)
        try:
            await asyncio.wait_for(ask, self._llm.timeout_seconds)
        except Exception as error:
            return error
        return None

    def _advice(self, detail: str) -> str:
        llm = self._llm
        return (
            f"{llm.base_url}, model {llm.model}: {detail}. Check llm.base_url, llm.model and the key in "
            f"${llm.api_key_env or '(none)'}; all answers are kept: run the same command again to continue"
        )


def key_of_server(llm: Llm) -> str:
    """The key from the environment, empty if the recipe names none.

    Raises:
        EngineError: If it is not set.
    """
    key = key_in(llm.api_key_env)
    if llm.api_key_env and not key:
        raise EngineError(
            f"the environment variable {llm.api_key_env} contains no key; set it, or set llm.api_key_env to ''"
        )
    return key
