"""One question → one answer of a model behind an OpenAI-compatible server, in as many calls as it takes."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from datagen import seeds
from datagen.authoring.authoring_config import Llm
from datagen.authoring.batches import Batches, BatchItemError
from datagen.authoring.dialect import FORMS, ContextLimit, Dialect, Form, complaint, context_of, may_be_dialect
from datagen.authoring.live import Live
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
_CONTENT = ("content_filter", "content_policy_violation")
"""Codes by which a server refuses what a question is about: an answer, and no fault of the server."""
_LEAST_ANSWER = 64
"""Tokens that must be left for an answer."""
_MOST_SAMPLES = 64
_DOWN_SECONDS = 30.0
"""A server that cannot be reached is left out for that long, if there are others."""


class NoAnswerError(Exception):
    """A server does not answer this one question.

    Attributes:
        reason: A short stable name.
        detail: For people.
        decided: True if the server refused the content of the question: then it is an answer.
    """

    def __init__(self, reason: str, detail: str, *, decided: bool = False) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail, self.decided = reason, detail, decided


class _FormRefusedError(Exception):
    """A server does not take a form of requests."""


class _NoCallError(Exception):
    """A server ignored the function that it had to call."""

    status_code, body = 400, "tools are ignored"


@dataclass
class _Server:
    """One of the servers that share the requests."""

    openai: Any
    n_open: int = 0
    down_until: float = 0.0


@dataclass(frozen=True, slots=True)
class Sample:
    """Size and time of one answered request."""

    counted: int
    """Tokens of the prompt as counted here."""
    usage: Usage
    seconds: float


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

    def __init__(
        self,
        llm: Llm,
        shelf: ReplyShelf,
        *,
        spent: Usage = NOTHING,
        clock: CallClock | None = None,
        dialect: Dialect | None = None,
        fits: Callable[[Question, Answer], bool] | None = None,
        live: Live | None = None,
    ) -> None:
        """Connect to nothing yet.

        Args:
            llm: Model, server and limits.
            shelf: Where answers are kept.
            spent: Cost of earlier runs, for the budget: `Cache(shelf).spent()`.
            clock: Time; of the machine by default.
            dialect: As found before, if it was.
            fits: True for an answer of the requested type. If given, and no dialect was found before, the first
                question is sent in all forms until an answer fits, whatever the status of the others.
            live: Counts answers while they come.

        Raises:
            EngineMissingError: If the package openai is not installed.
            EngineError: If the environment holds no key.
        """
        self._llm, self._clock = llm, clock or CallClock()
        self._key = key_of_server(llm)
        self._servers = [_Server(self._http(url)) for url in (llm.base_url, *llm.more_base_urls)]
        self.cache = Cache(shelf, llm.n_open)
        self._batches = (
            Batches(self._servers[0].openai, shelf, llm.batch_requests, llm.batch_poll_seconds, self._clock)
            if llm.transport == "batch"
            else None
        )
        self.meter = Meter(llm.budget, llm.prices, spent)
        self.live = live or Live()
        self._requests = Pace(llm.requests_per_minute, self._clock)
        self._tokens = Pace(llm.tokens_per_minute, self._clock)
        self.dialect = dialect or (Dialect() if llm.structured == "auto" else Dialect(form=llm.structured))
        self._fits = None if dialect or llm.structured != "auto" else fits
        self._proven = bool(dialect) or llm.structured != "auto"
        self._finding = asyncio.Lock()
        self.context_tokens = llm.context_tokens
        """Context length as the recipe or the server states it; None if neither does."""
        self.samples: list[Sample] = []
        """Of the first answered requests of a client that finds the dialect."""
        self._probe = Probe(self._probed)
        self._stopped: DatagenError | None = None
        self._n_answered = 0
        self.n_requests = 0
        """Requests sent by this client, including those that failed."""

    def _http(self, url: str) -> Any:
        llm = self._llm
        return http_client(
            "a language model", "llm", base_url=url, key=self._key,
            timeout_seconds=llm.timeout_seconds, n_connections=llm.concurrency,
        )  # fmt: skip

    async def __aenter__(self) -> "Client":
        """The client."""
        self._loop = asyncio.get_running_loop()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Cancel open requests, then close the connections."""
        await self.cache.close()
        if self._batches:
            await self._batches.close()
        for server in self._servers:
            await server.openai.close()

    def key(self, question: Question) -> str:
        """The key under which the answer to a question is kept; it does not depend on the server."""
        llm = self._llm
        more = {"reasoning_effort": llm.reasoning_effort, "extra_body": llm.extra_body}
        return key_of({
            "model": llm.model, "top_p": llm.top_p, "seed": llm.seed, "messages": as_json(question.messages),
            "schema": question.schema, "temperature": question.temperature, "max_tokens": question.max_tokens,
            "sample": question.sample, "attempt": question.attempt,
            **{name: value for name, value in more.items() if value},
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

    async def ask_anew(self, question: Question) -> Answer:
        """A fresh answer, which is not kept: for questions that test the model.

        Raises:
            NoAnswerError: If the server does not answer this question.
            DatagenError: As `ask`.
        """
        async with self.cache.slot():
            return await self._answer(question, f"{self.key(question)}-{self.n_requests}")

    async def _answer(self, question: Question, key: str) -> Answer:
        """Send until there is an answer or no hope of one; the first question finds the dialect for all."""
        if self._fits is None or self._proven:
            return await self._sent(question, key)
        async with self._finding:
            if not self._proven:
                return await self._found(question, key)
        return await self._sent(question, key)

    async def _found(self, question: Question, key: str) -> Answer:
        """Send in all forms, from the strictest, until an answer fits. Of those that don't, the first counts."""
        assert self._fits is not None  # noqa: S101 - the caller looked
        best: tuple[Dialect, Answer] | None = None
        for form in FORMS:
            self.dialect = replace(self.dialect, form=form)
            try:
                answer = await self._sent(question, key, form if form != FORMS[-1] or best else None)
            except _FormRefusedError:
                continue
            except NoAnswerError:
                if best is None:
                    raise
                continue
            if self._fits(question, answer):
                self._proven = True
                return answer
            best = best or (self.dialect, answer)
        assert best is not None  # noqa: S101 - the last form was answered, or it raised
        self.dialect, self._proven = best[0], True
        return best[1]

    async def _sent(self, question: Question, key: str, form: Form | None = None) -> Answer:
        """Send until there is an answer or no hope of one.

        A refused question is sent in simpler forms. If one of them is answered, all requests use that form.

        Args:
            question: The question.
            key: Its key.
            form: The only form to try, while the dialect is being found.

        Raises:
            _FormRefusedError: If the server does not take that form, whatever the status of its reply.
        """
        n_failures, n_before, cut = 0, self._n_answered, False
        first = self.dialect
        dialect = replace(first, form=form) if form else first
        while True:
            try:
                answer = await self._once(question, key, dialect)
            except Exception as error:
                fault = self._fault(error)
                if limit := context_of(error):
                    self._learn_context(question, limit, fault, again=cut)
                    cut = True
                    continue
                if may_be_dialect(error, question.messages, trial=form is not None):
                    simpler = self._simpler(first, dialect, error, question)
                    if simpler and form in (None, simpler.form):
                        first, dialect = self.dialect, simpler
                        continue
                    if form and (fault.whose == "item" or n_failures):  # status 500 may be an accident: it counts twice
                        raise _FormRefusedError(fault.detail) from None
                    if fault.whose == "item":
                        fault = Fault("turned_down", fault.detail, "item")
            else:
                if self.dialect == first or form:
                    self.dialect = dialect
                self._proven = self._proven or form is None
                return answer
            n_failures += 1
            await self._wait_or_raise(fault, n_failures, key, n_before)

    def _fault(self, error: Exception) -> Fault:
        """Why a call failed.

        Raises:
            Exception: The error itself, if it comes neither from the network nor from the server.
            NoAnswerError: If the server refuses the content of the question.
        """
        fault = _own_fault(error) or fault_of(error, self._clock)
        if fault is None:
            raise error
        self.live.failed()
        if getattr(error, "code", None) in _CONTENT:
            raise NoAnswerError("refused", shown(fault.detail, self._key), decided=True) from None
        return fault

    def _learn_context(self, question: Question, found: ContextLimit, fault: Fault, *, again: bool) -> None:
        """Note the context length that a server states, so that answers fit into it.

        Raises:
            NoAnswerError: If no answer would fit.
        """
        prompt = found.prompt or count_messages(question.messages)
        self.context_tokens = found.limit or self.context_tokens
        if again or not self.context_tokens or self.context_tokens - prompt < _LEAST_ANSWER:
            raise NoAnswerError("context_length", f"{shown(fault.detail, self._key)} (prompt of about {prompt} tokens)")

    def _longest(self, question: Question) -> int:
        """Longest answer to request: as the question says, or what the context leaves."""
        if self.context_tokens is None:
            return question.max_tokens
        room = self.context_tokens - count_messages(question.messages) * 21 // 20 - _LEAST_ANSWER // 4
        return min(question.max_tokens, max(room, _LEAST_ANSWER))

    async def _once(self, question: Question, key: str, dialect: Dialect) -> Answer:
        """Send one request and read its reply."""
        most = self._most(question)
        self._raise_if_stopped()
        async with self.meter.request(most) as bill:
            await self._requests.take(1)
            await self._tokens.take(most.tokens)
            self._raise_if_stopped()
            self.n_requests += 1
            began = time.monotonic()
            try:
                patience = None if self._batches else self._llm.timeout_seconds
                reply = await asyncio.wait_for(self._exchange(question, key, dialect), patience)
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
            self.live.answered(answer.usage)
            self._n_answered += 1
            if self._fits and len(self.samples) < _MOST_SAMPLES:
                counted = count_messages(question.messages)
                self.samples.append(Sample(counted, answer.usage, time.monotonic() - began))
            if dialect.form == "tools" and not reply.called:
                raise _NoCallError
            self._check_room(answer)
            return answer

    def _check_room(self, answer: Answer) -> None:
        """Check that the context did not cut an answer.

        Raises:
            NoAnswerError: If it did.
        """
        limit = self.context_tokens
        if limit and answer.finish == "length" and answer.usage.tokens >= limit - _LEAST_ANSWER:
            raise NoAnswerError("context_length", f"prompt and answer do not fit into the server's {limit} tokens")

    def _raise_if_stopped(self) -> None:
        if self._stopped:
            raise self._stopped

    async def _exchange(self, question: Question, key: str, dialect: Dialect) -> Reply:
        body = dialect.body(question.messages, question.name, question.schema, self._longest(question))
        llm = self._llm
        if dialect.sampling:
            body["temperature"] = question.temperature
            if llm.top_p is not None:
                body["top_p"] = llm.top_p
        if dialect.seed and llm.seed is not None:
            body["seed"] = seeds.seed32(llm.seed, key) >> 1
        if dialect.effort and llm.reasoning_effort:
            body["reasoning_effort"] = llm.reasoning_effort
        if llm.stream and dialect.usage:
            body["stream_options"] = {"include_usage": True}
        headers = {"Idempotency-Key": f"datagen-{key}-{seeds.digest(repr(dialect)) & 0xFFFF:04x}"}
        if self._batches:
            return await self._batches.exchange(
                headers["Idempotency-Key"], {"model": llm.model, **body, **llm.extra_body}
            )
        more = {"extra_body": llm.extra_body} if llm.extra_body else {}
        server = self._free()
        completions = server.openai.chat.completions.with_streaming_response
        server.n_open += 1
        try:
            asked = completions.create(model=llm.model, stream=llm.stream, extra_headers=headers, **more, **body)
            async with asked as response:
                return await read_reply(response)
        except Exception as error:
            fault = fault_of(error, self._clock)
            if fault and fault.whose == "call" and len(self._servers) > 1:
                server.down_until = self._clock.now() + _DOWN_SECONDS
            raise
        finally:
            server.n_open -= 1

    def _free(self) -> _Server:
        """The server with the fewest open requests; those that failed lately only if there is no other."""
        now = self._clock.now()
        return min(self._servers, key=lambda server: (server.down_until > now, server.n_open))

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
        if self.dialect != first:
            return self.dialect
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
        ask = self._free().openai.chat.completions.create(model=model, messages=messages, extra_headers=headers)
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


def _own_fault(error: Exception) -> Fault | None:
    """Why a call failed, if its exception is not the network's."""
    if isinstance(error, _NoCallError):
        return Fault("no_call", "no function is called", "item")
    if isinstance(error, BatchItemError):
        retried = error.status_code in (0, 408, 409, 425, 429) or error.status_code >= 500
        return Fault(f"status_{error.status_code}", str(error), "call" if retried else "item")
    return None


def key_of_server(llm: Llm) -> str:
    """The key from the environment, empty if the recipe names none, or if it is not set and the server is local.

    Raises:
        EngineError: If it is not set.
    """
    key = key_in(llm.api_key_env)
    if llm.api_key_env and not key and not llm.is_local:
        raise EngineError(
            f"the environment variable {llm.api_key_env} contains no key; set it, or set llm.api_key_env to ''"
        )
    return key
