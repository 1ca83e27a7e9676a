"""A server that speaks chat completions over real sockets, with scripted answers and every fault. It counts calls."""

import asyncio
import contextlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

KEY = "sk-test-7d1f0c55aa0943e2"
_INVALID = (
    "1 validation error:\n  {'type': 'literal_error', 'loc': ('body', 'response_format', 'type'), 'msg': "
    "\"Input should be 'text' or 'json_object'\", 'input': '%s', 'ctx': {'expected': \"'text' or 'json_object'\"}}\n\n"
    '  File "/venv/llama_cpp/server/app.py", line 337, in create_chat_completion\n    POST /v1/chat/completions'
)
FORMS = ("json_schema", "json_object_schema", "json_object", "tools", "text")


@dataclass(frozen=True)
class Ask:
    """A request as it came."""

    body: dict[str, Any]
    headers: dict[str, str]
    count: int
    """How often a request with this Idempotency-Key came before."""

    @property
    def key(self) -> str:
        return self.headers["idempotency-key"]

    @property
    def question(self) -> str:
        """The last message."""
        return self.body["messages"][-1]["content"]

    @property
    def data(self) -> Any:
        """What stands between the marks of the last message."""
        return json.loads(self.question.split("<data>")[1].split("</data>")[0])


@dataclass(frozen=True)
class Fault:
    """How one request goes wrong. Without a status, the answer or how it is sent is bad."""

    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: Any = None
    drop: bool = False
    """The connection closes in mid-answer."""
    hang: bool = False
    """Nothing is ever sent."""
    trickle: bool = False
    """Something is sent again and again, and never an answer."""
    endless: bytes = b""
    """An answer that begins so, and never ends."""
    text: str | None = None
    finish: str = "stop"
    refusal: str | None = None
    raw: bytes | None = None
    """The body, whatever it is."""


Answers = Callable[[Ask], str]
Faults = Callable[[Ask], Fault | None]


@dataclass
class Batch:
    """Questions that came as a file."""

    lines: list[dict[str, Any]]
    n_looks: int = 0


@dataclass
class Server:
    """A running server; attributes may be changed while it runs."""

    answers: Answers
    faults: Faults = lambda ask: None
    forms: tuple[str, ...] = FORMS
    """Forms of answers that it understands."""
    is_llama_server: bool = False
    """True to speak as llama.cpp's server b11434, which ignores the function to call: its answer has words like a
    call."""
    n_loading: int = 0
    """Requests that it refuses at first, because its model is still being loaded."""
    unknown_form: int = 400
    """Status of its reply to a form that it does not understand; llama-cpp-python answers 500."""
    context: int = 0
    """Its context in tokens of four characters; 0: no limit."""
    models: dict[str, Any] = field(default_factory=dict)
    """What it says about its model."""
    keyless: bool = False
    batch_faults: Faults = lambda ask: None
    """Faults of single questions of a batch."""
    batch_down: bool = False
    """Batches can be created, and not be looked at."""
    honours_keys: bool = False
    """Whether a request with a known Idempotency-Key is answered again without being paid."""
    usage: bool = True
    barrier: int = 0
    """Answer no one before so many are under way."""
    asks: list[Ask] = field(default_factory=list)
    paid: Counter[str] = field(default_factory=Counter)
    """Answers written, by Idempotency-Key."""
    most_under_way: int = 0
    url: str = ""
    on_reply: Callable[[int], None] = lambda n: None
    """Called after each whole reply with how many there were."""
    n_replies: int = 0

    batches: dict[str, "Batch"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._files: dict[str, bytes] = {}
        self._written: dict[str, str] = {}
        self._under_way = 0
        self._seen: Counter[str] = Counter()
        self._full = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def n_calls(self) -> int:
        return len(self.asks)

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            while await self._one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def close(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *fields = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (f.partition(":") for f in fields)}
        data = await reader.readexactly(int(headers.get("content-length", 0)))
        if not line.split()[1].endswith("/chat/completions"):
            return await self._batch(line, data, writer)
        body = json.loads(data)
        self._under_way += 1
        self.most_under_way = max(self.most_under_way, self._under_way)
        try:
            return await self._answer(line, headers, body, writer)
        finally:
            self._under_way -= 1

    async def _answer(self, line: str, headers: dict[str, str], body: Any, writer: asyncio.StreamWriter) -> bool:
        if line.split()[1] != "/v1/chat/completions":
            return await _send(writer, 404, b"{}")
        if not self.keyless and headers.get("authorization") != f"Bearer {KEY}":
            said = {"error": {"message": f"Incorrect API key provided: {headers.get('authorization')}"}}
            return await _send(writer, 401, json.dumps(said).encode())
        ask = Ask(body, headers, self._seen[headers["idempotency-key"]])
        self._seen[ask.key] += 1
        self.asks.append(ask)
        if refused := self._refused(body):
            return await _send(writer, *refused)
        if self._under_way >= self.barrier:
            self._full.set()
        await self._full.wait()
        return await self._faulty(ask, body, writer)

    def _refused(self, body: Any) -> tuple[int, bytes] | None:
        """The reply to a form that the server does not know, or to a prompt that is too long."""
        form = _form(body)
        if form not in self.forms:
            said = {"error": {"message": f"{form} of response_format is not supported", "code": None}}
            if self.unknown_form >= 500:  # as llama-cpp-python 0.2.62 puts it
                said = {"error": {"message": _INVALID % form, "type": "internal_server_error", "param": None}}
            return self.unknown_form, json.dumps(said).encode()
        n_prompt = _usage(body, "")["prompt_tokens"]
        if self.n_loading:  # as llama.cpp's server begins
            self.n_loading -= 1
            said = {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}
            return 503, json.dumps(said).encode()
        if self.context and n_prompt + 1 > self.context and self.is_llama_server:
            said = f"request ({n_prompt} tokens) exceeds the available context size ({self.context} tokens), "
            fault = {"code": 400, "message": f"{said}try increasing it", "type": "exceed_context_size_error"}
            return 400, json.dumps({"error": {**fault, "n_prompt_tokens": n_prompt, "n_ctx": self.context}}).encode()
        if self.context and n_prompt + 1 > self.context:
            said = f"This model's maximum context length is {self.context} tokens. However, you requested {n_prompt}"
            said += f" tokens ({n_prompt} in the messages, 0 in the completion)."
            fault = {"error": {"message": said, "param": "messages", "code": "context_length_exceeded"}}
            return 400, json.dumps(fault).encode()
        return None

    async def _faulty(self, ask: Ask, body: Any, writer: asyncio.StreamWriter) -> bool:
        """The answer, or a fault."""
        fault = self.faults(ask) or Fault()
        if fault.hang:
            await asyncio.Event().wait()
        if fault.endless:
            return await _endless(writer, fault)
        if fault.trickle:
            return await _trickle(writer)
        if fault.status:
            return await _send(writer, fault.status, json.dumps(fault.body or {}).encode(), fault.headers)
        if fault.raw is not None:
            return await _send(writer, 200, fault.raw, fault.headers, n_missing=100 if fault.drop else 0)
        text = self._text(ask, fault)
        if self.is_llama_server and "tools" in body:
            text = f'{{"name": "{body["tool_choice"]["function"]["name"]}", "arguments": {text}}}'
            body = {name: value for name, value in body.items() if name != "tools"}
        finished = await (_stream if body.get("stream") else _whole)(writer, text, fault, body, self.usage)
        self.n_replies += 1
        self.on_reply(self.n_replies)
        return finished

    async def _batch(self, line: str, data: bytes, writer: asyncio.StreamWriter) -> bool:
        """Files and batches; a batch is answered as soon as it is looked at."""
        method, path, _ = line.split()
        parts = path.removeprefix("/v1/").split("/")
        if method == "POST" and parts == ["files"]:
            name = f"file-{len(self._files)}"
            self._files[name] = b"\n".join(
                each.strip() for each in data.split(b"\n") if each.startswith(b'{"custom_id"')
            )
            return await _send(writer, 200, json.dumps({"id": name, "object": "file"}).encode())
        if method == "POST" and parts == ["batches"]:
            name = f"batch-{len(self.batches)}"
            lines = [json.loads(each) for each in self._files[json.loads(data)["input_file_id"]].splitlines()]
            self.batches[name] = Batch(lines)
            return await _send(writer, 200, json.dumps(_state(name, "validating")).encode())
        if parts[0] == "batches":
            if self.batch_down:
                return await _send(writer, 401, b"{}")
            batch = self.batches[parts[1]]
            batch.n_looks += 1
            if batch.n_looks < 2:
                return await _send(writer, 200, json.dumps(_state(parts[1], "in_progress")).encode())
            if parts[1] not in self._files:
                self._files[parts[1]] = "\n".join(json.dumps(self._line(each)) for each in batch.lines).encode()
            return await _send(writer, 200, json.dumps(_state(parts[1], "completed", parts[1])).encode())
        if parts[0] == "files" and parts[2:] == ["content"]:
            return await _send(writer, 200, self._files[parts[1]])
        return await _send(writer, 404, b"{}")

    def _line(self, line: dict[str, Any]) -> dict[str, Any]:
        """The answer to a question of a batch."""
        ask = Ask(line["body"], {"idempotency-key": line["custom_id"]}, 0)
        fault = self.batch_faults(ask)
        if fault:
            return {"custom_id": ask.key, "response": {"status_code": fault.status, "body": fault.body}, "error": None}
        text = self._text(ask, Fault())
        reply = {"choices": [{"message": {"content": text}, "finish_reason": "stop"}], "usage": _usage(ask.body, text)}
        reply["model"] = f"{ask.body['model']}-0613"
        return {"custom_id": ask.key, "response": {"status_code": 200, "body": reply}, "error": None}

    def _text(self, ask: Ask, fault: Fault) -> str:
        if self.honours_keys and ask.key in self._written:
            return self._written[ask.key]
        self.paid[ask.key] += 1
        text = self._written[ask.key] = self.answers(ask) if fault.text is None else fault.text
        return text


async def _send(
    writer: asyncio.StreamWriter, status: int, data: bytes, headers: tuple = (), n_missing: int = 0
) -> bool:
    fields = {"content-type": "application/json", **dict(headers), "content-length": str(len(data) + n_missing)}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    writer.write(f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + data)
    await writer.drain()
    return not n_missing


async def _trickle(writer: asyncio.StreamWriter) -> bool:
    writer.write(b"HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        _chunk(writer, b": still here\n\n")
        await writer.drain()
        await asyncio.sleep(0.02)


async def _endless(writer: asyncio.StreamWriter, fault: Fault) -> bool:
    head = "".join(f"{name}: {value}\r\n" for name, value in fault.headers)
    writer.write(f"HTTP/1.1 200 X\r\n{head}transfer-encoding: chunked\r\n\r\n".encode())
    _chunk(writer, fault.endless)
    while True:
        _chunk(writer, b"x" * 65_536)
        await writer.drain()


def _state(name: str, status: str, output: str | None = None) -> dict[str, Any]:
    """A batch as the protocol shows it."""
    return {
        "id": name, "object": "batch", "status": status, "endpoint": "/v1/chat/completions", "created_at": 0,
        "input_file_id": "x", "completion_window": "24h", "output_file_id": output, "error_file_id": None,
    }  # fmt: skip


def _form(body: Any) -> str:
    """The form of answers that a request asks for."""
    if "tools" in body:
        return "tools"
    asked = body.get("response_format", {})
    return "json_object_schema" if "schema" in asked else asked.get("type", "text")


def _usage(body: Any, text: str) -> dict[str, int]:
    """Four characters a token."""
    n_in, n_out = sum(len(m["content"]) for m in body["messages"]) // 4, len(text) // 4
    return {"prompt_tokens": n_in, "completion_tokens": n_out, "total_tokens": n_in + n_out}


async def _whole(writer: asyncio.StreamWriter, text: str, fault: Fault, body: Any, usage: bool) -> bool:
    finish = fault.finish
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if fault.refusal else text,
        "refusal": fault.refusal,
    }
    if "tools" in body and not fault.refusal:
        called = {"name": body["tool_choice"]["function"]["name"], "arguments": text}
        finish = "tool_calls" if finish == "stop" else finish
        message |= {"content": None, "tool_calls": [{"id": "c", "type": "function", "function": called}]}
    reply: dict[str, Any] = {
        "id": "x", "object": "chat.completion", "created": 0, "model": f"{body['model']}-0613",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
    }  # fmt: skip
    if usage:
        reply["usage"] = _usage(body, text)
    data = json.dumps(reply).encode()
    if not fault.drop:
        return await _send(writer, 200, data)
    writer.write(f"HTTP/1.1 200 X\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n".encode())
    writer.write(data[: len(data) // 2])
    await writer.drain()
    return False


async def _stream(writer: asyncio.StreamWriter, text: str, fault: Fault, body: Any, usage: bool) -> bool:
    writer.write(b"HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    piece = max(len(text) // 7, 1)
    pieces = [text[k : k + piece] for k in range(0, len(text), piece)]
    events: list[Any] = [{"delta": {"role": "assistant", "content": ""}}]
    field_name = "refusal" if fault.refusal else "content"
    events += [{"delta": {field_name: p}} for p in ([fault.refusal] if fault.refusal else pieces)]
    events.append({"delta": {}, "finish_reason": fault.finish})
    if fault.drop:
        events = events[: len(events) // 2]
    for event in events:
        chunk = {
            "object": "chat.completion.chunk",
            "model": f"{body['model']}-0613",
            "choices": [{"index": 0, **event}],
        }
        _chunk(writer, f": comment\r\ndata: {json.dumps(chunk)}\n\n".encode())
        await writer.drain()
    if fault.drop:
        return False
    if usage and body.get("stream_options", {}).get("include_usage"):
        _chunk(writer, f"data: {json.dumps({'choices': [], 'usage': _usage(body, text)})}\n\n".encode())
    _chunk(writer, b"data: [DONE]\n\n")
    writer.write(b"0\r\n\r\n")
    await writer.drain()
    return True


def _chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


@contextlib.contextmanager
def serving(answers: Answers, **options: Any) -> Iterator[Server]:
    """A server on a free port, in a thread of its own."""
    loop, ready = asyncio.new_event_loop(), threading.Event()
    found: list[Server] = []

    async def start() -> asyncio.Server:
        server = Server(answers, **options)
        listening = await asyncio.start_server(server.connection, "127.0.0.1", 0, backlog=2048, limit=1 << 24)
        server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
        found.append(server)
        return listening

    def run() -> None:
        asyncio.set_event_loop(loop)
        listening = loop.run_until_complete(start())
        ready.set()
        loop.run_forever()
        listening.close()
        loop.run_until_complete(found[0].close())
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait()
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
