"""One question → one answer of a model behind an OpenAI-compatible server, however often the network must be asked.

The SDK sends; when to send, what to send again, how long to wait and how much to read is decided here, so that every
request is counted once.
"""

import asyncio
import os
from dataclasses import dataclass
from typing import Any

from datagen import seeds
from datagen.authoring.authoring_config import Llm
from datagen.authoring.dialect import Dialect, complaint
from datagen.authoring.llm_faults import LlmFault, fault_of
from datagen.authoring.llm_pace import LlmClock, LlmPace, RealClock, wait_before
from datagen.authoring.prompts import Message, as_json
from datagen.authoring.reply_cache import Answer, Cache, ReplyShelf, key_of
from datagen.authoring.spend import NOTHING, Bill, Meter, Usage, count_messages, count_tokens
from datagen.authoring.wire import Reply, TooLargeError, read_reply
from datagen.errors import DatagenError, EngineError, EngineMissingError

PROBE = "Say hello."
"""Asked where nothing else is answered, to tell a record's fault from the server's."""
_GO_ON = "all answers are kept; run the same command again to go on"
_MOST_SHOWN = 300
"""Characters of what a server says."""


class NoAnswerError(Exception):
    """A server gives no answer to this one question."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        """Reason and detail."""
        return f"{self.reason}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and which answer to it is wanted."""

    messages: tuple[Message, ...]
    name: str
    """Of the answer's type."""
    schema: dict[str, Any]
    temperature: float
    max_tokens: int
    sample: int = 0
    """Which of several independent answers, from 0."""
    attempt: int = 0
    """How many answers to it did not fit."""


class Client:
    """Asks. Use it as `async with Client(...) as client`, in one event loop."""

    def __init__(
        self,
        llm: Llm,
        shelf: ReplyShelf,
        *,
        spent: Usage = NOTHING,
        clock: LlmClock | None = None,
    ) -> None:
        """Connect to nothing yet.

        Args:
            llm: Model, server and limits.
            shelf: Where answers are kept.
            spent: What earlier runs spent, for the budget: `Cache(shelf).spent()`.
            clock: Time; of the machine if not given.

        Raises:
            EngineMissingError: If the package openai is not installed.
            EngineError: If the environment holds no key.
        """
        try:
            import httpx2
            import openai
        except ImportError as error:
            raise EngineMissingError("language models need: pip install 'duplex-datagen[llm]' (openai>=3)") from error
        self._llm, self._clock = llm, clock or RealClock()
        self._key = key_of_server(llm)
        limits = httpx2.Limits(max_connections=llm.concurrency, max_keepalive_connections=llm.concurrency)
        http = openai.DefaultAsyncHttpxClient(limits=limits, timeout=httpx2.Timeout(llm.timeout_seconds))
        self._openai = openai.AsyncOpenAI(
            api_key=self._key or "none", base_url=llm.base_url, max_retries=0, http_client=http
        )
        self.cache = Cache(shelf, llm.concurrency)
        self.meter = Meter(llm.budget, llm.prices, spent)
        self._requests = LlmPace(llm.requests_per_minute, self._clock)
        self._tokens = LlmPace(llm.tokens_per_minute, self._clock)
        self._dialect = Dialect() if llm.structured == "auto" else Dialect(form=llm.structured)
        self._proven = llm.structured != "auto"
        self._stopped: DatagenError | None = None
        self._n_answered = 0
        self.n_requests = 0
        """Requests sent by this client, those that failed included."""

    async def __aenter__(self) -> "Client":
        """The client."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close its connections, after giving up what is under way."""
        await self.cache.close()
        await self._openai.close()

    def key(self, question: Question) -> str:
        """The key under which the answer to a question is kept; says nothing of the server."""
        return key_of(self._identity(question))

    async def ask(self, question: Question) -> Answer:
        """The answer to a question, which may be a bad one; kept before it is returned.

        Raises:
            NoAnswerError: If the server gives none to this question.
            BudgetError: If there is no room for it in the budget.
            EngineError: If the server turns all requests down, such as for the key.
            StoreError: If the answer cannot be kept.
        """
        key = self.key(question)
        return await self.cache.answer(key, lambda: self._answer(question, key))

    def _identity(self, question: Question) -> dict[str, Any]:
        llm = self._llm
        return {
            "model": llm.model, "top_p": llm.top_p, "seed": llm.seed, "messages": as_json(question.messages),
            "schema": question.schema, "temperature": question.temperature, "max_tokens": question.max_tokens,
            "sample": question.sample, "attempt": question.attempt,
        }  # fmt: skip

    async def _answer(self, question: Question, key: str) -> Answer:
        """Send until there is an answer or no hope of one.

        What is turned down is tried in simpler forms; all requests take over a form in which it was then answered.
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
                simpler = self._simpler(first, dialect, error, question) if fault.then == "simpler" else None
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
        llm = self._llm
        most = self._most(question)
        self._go_on()
        async with self.meter.request(most) as bill:
            await self._requests.take(1)
            await self._tokens.take(most.tokens)
            self._go_on()
            self.n_requests += 1
            try:
                reply = await asyncio.wait_for(self._exchange(question, key, dialect), llm.timeout_seconds)
            except TooLargeError:
                bill.usage = most
                return Answer("", "too_large", "", llm.model, most)
            except Exception as error:
                self._bill_failure(error, bill, most)
                raise
            answer = self._whole(question, reply)
            bill.usage = answer.usage
            self._n_answered += 1
            return answer

    def _go_on(self) -> None:
        """Raise what stopped the run, if anything did."""
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
        """What a request may cost; nothing is counted where nothing limits it."""
        if not self.meter.limited and self._llm.tokens_per_minute is None:
            return Usage()
        return Usage(count_messages(question.messages), question.max_tokens, estimated=True)

    def _bill_failure(self, error: Exception, bill: Bill, most: Usage) -> None:
        """An answer that did not arrive may be billed all the same: it counts at its most."""
        fault = fault_of(error, self._clock)
        if fault and fault.billed:
            bill.usage = most

    def _whole(self, question: Question, reply: Reply) -> Answer:
        if reply.input_tokens is None or reply.output_tokens is None:
            usage = Usage(count_messages(question.messages), count_tokens(reply.text), estimated=True)
        else:
            usage = Usage(reply.input_tokens, reply.output_tokens)
        text, refusal = self._without_key(reply.text), self._without_key(reply.refusal)
        return Answer(text, reply.finish, refusal, self._without_key(reply.model) or self._llm.model, usage)

    def _without_key(self, text: str) -> str:
        """A server's text, which might repeat what it was sent."""
        return text.replace(self._key, "***") if self._key else text

    def _simpler(self, first: Dialect, dialect: Dialect, error: Exception, question: Question) -> Dialect | None:
        """A simpler way to ask this question, found now or by another request meanwhile; None if there is none."""
        if self._dialect != first:
            return self._dialect
        said = complaint(getattr(error, "body", None), question.messages)
        simpler = dialect.without(said, proven=self._proven)
        fixed = self._llm.structured != "auto"
        return None if simpler and fixed and simpler.form != dialect.form else simpler

    async def _wait_or_raise(self, fault: LlmFault, n_failures: int, key: str, n_before: int) -> None:
        llm = self._llm
        wait = fault.wait_seconds
        too_long = wait is not None and wait > llm.max_wait_seconds
        lasts = n_failures > llm.retries or too_long
        then = fault.when_it_lasts if fault.then == "again" and lasts else fault.then
        detail = self._without_key(fault.detail)[:_MOST_SHOWN]  # cut last: half a key is not found
        # a record is at fault only if the server answers others; `n_before` had been answered when it was first asked
        if lasts and then == "give_up" and self._n_answered == n_before and not await self._is_well():
            then = "stop"
        if too_long:
            then, detail = "stop", f"{detail}; it asks to wait {wait:.0f} s"
        if then == "stop":
            self._stopped = self._stopped or EngineError(self._advice(detail))
            raise self._stopped
        if then != "again":
            raise NoAnswerError(fault.reason, f"{detail}, sent {n_failures} times")
        if wait is not None:
            self._requests.hold(wait)
        await self._clock.sleep(max(wait or 0.0, wait_before(n_failures, key, llm.max_wait_seconds)))

    async def _is_well(self) -> bool:
        """Whether the server answers anything: three words, which cost next to nothing."""
        self.n_requests += 1
        ask = self._openai.chat.completions.create(
            model=self._llm.model,
            messages=[{"role": "user", "content": PROBE}],
            extra_headers={"Idempotency-Key": f"datagen-probe-{self.n_requests}"},
        )
        try:
            await asyncio.wait_for(ask, self._llm.timeout_seconds)
        except Exception:
            return False
        return True

    def _advice(self, detail: str) -> str:
        llm = self._llm
        mend = f"check llm.base_url, llm.model and the key in ${llm.api_key_env or '(none)'}"
        return f"{llm.base_url}, model {llm.model}: {detail}. {mend}; {_GO_ON}"


def key_of_server(llm: Llm) -> str:
    """The key from the environment, empty if the recipe names none.

    Raises:
        EngineError: If it is not there.
    """
    if not llm.api_key_env:
        return ""
    key = os.environ.get(llm.api_key_env, "").strip()
    if not key:
        raise EngineError(
            f"the environment variable {llm.api_key_env} holds no key; set it, or set llm.api_key_env to ''"
        )
    return key
