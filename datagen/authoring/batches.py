"""Questions through a server's files and batches: slower than live calls, and often at half the price.

Questions that come within a short time make one batch. Its number is noted before anybody waits for it, so a run that
is killed finds its answers again, and pays for none of them twice.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from datagen.authoring.reply_cache import ReplyShelf
from datagen.authoring.wire import Reply, reply_of
from datagen.engines.remote.faults import BrokenReplyError
from datagen.engines.remote.pace import CallClock

_FOLDER = "batches"
_ENDPOINT = "/v1/chat/completions"
_QUIET_SECONDS = 2.0
"""No new question for that long, and the batch is sent."""
_OVER = ("completed", "failed", "expired", "cancelled")


class BatchItemError(Exception):
    """A server did not answer one question of a batch.

    Attributes:
        status_code: As for a live call; 0 if the batch ended before it.
        body: The server's error.
        code: The server's code, if any.
    """

    def __init__(self, status: int, error: Any) -> None:
        super().__init__(f"status {status}: {error}")
        inner = error.get("error", error) if isinstance(error, Mapping) else error
        self.status_code, self.body = status, inner
        self.code = inner.get("code") if isinstance(inner, Mapping) else None


@dataclass
class _Asked:
    """A question that waits for its batch."""

    body: dict[str, Any]
    reply: "asyncio.Future[Reply]"


class Batches:
    """Collects questions, sends them as batches, and hands out the answers."""

    def __init__(self, openai: Any, shelf: ReplyShelf, most: int, poll_seconds: float, clock: CallClock) -> None:
        """Send nothing yet.

        Args:
            openai: The client of the server.
            shelf: Where the numbers of batches are noted.
            most: Most questions per batch.
            poll_seconds: Time between two looks at a batch.
            clock: Time.
        """
        self._openai, self._shelf, self._most, self._clock = openai, shelf, most, clock
        self._poll_seconds = poll_seconds
        self._waiting: dict[str, _Asked] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._collecting: asyncio.Task[None] | None = None
        self._noted: dict[str, list[str]] | None = None
        self._results: dict[str, asyncio.Future[dict[str, dict[str, Any]]]] = {}

    async def exchange(self, name: str, body: dict[str, Any]) -> Reply:
        """The reply to a request.

        Args:
            name: The request's name; the same for the same request.
            body: The request.

        Raises:
            BatchItemError: If the server did not answer it.
            BrokenReplyError: If the reply is not of the protocol.
        """
        if self._noted is None:
            self._noted = await asyncio.to_thread(self._read_noted)
        for batch in self._noted.pop(name, ()):
            lines = await self._result(batch)
            if name in lines:
                return _reply(lines[name])
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[name] = _Asked(body, reply)
        if self._collecting is None or self._collecting.done():
            self._collecting = self._started(self._collect())
        return await reply

    async def close(self) -> None:
        """Give up waiting. Batches under way continue on the server, and a later run finds them."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _started(self, work: Any) -> "asyncio.Task[None]":
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _collect(self) -> None:
        """Send what waits as soon as nothing new comes, or it is enough for a batch."""
        while self._waiting:
            n = 0
            while n < len(self._waiting) < self._most:
                n = len(self._waiting)
                await self._clock.sleep(min(_QUIET_SECONDS, self._poll_seconds))
            names = list(self._waiting)[: self._most]
            self._started(self._send({name: self._waiting.pop(name) for name in names}))

    async def _send(self, asked: dict[str, _Asked]) -> None:
        try:
            batch = await self._created(asked)
            lines = await self._result(batch)
        except BaseException as error:
            for each in asked.values():
                if not each.reply.done():
                    each.reply.cancel() if isinstance(error, asyncio.CancelledError) else each.reply.set_exception(
                        error
                    )
            if not isinstance(error, Exception):
                raise
            return
        for name, each in asked.items():
            if each.reply.done():
                continue
            try:
                each.reply.set_result(_reply(lines[name]) if name in lines else _missing())
            except (BatchItemError, BrokenReplyError) as error:
                each.reply.set_exception(error)

    async def _created(self, asked: dict[str, _Asked]) -> str:
        """Create a batch, and note its number."""
        lines = (
            json.dumps({"custom_id": name, "method": "POST", "url": _ENDPOINT, "body": each.body}, ensure_ascii=True)
            for name, each in asked.items()
        )
        data = "".join(f"{line}\n" for line in lines).encode()
        file = await self._openai.files.create(file=("questions.jsonl", data), purpose="batch")
        batch = await self._openai.batches.create(input_file_id=file.id, endpoint=_ENDPOINT, completion_window="24h")
        note = json.dumps({"batch": batch.id, "names": list(asked)}).encode()
        await asyncio.to_thread(self._shelf.create, f"{_FOLDER}/{_safe(batch.id)}.json", note)
        return str(batch.id)

    async def _result(self, batch: str) -> dict[str, dict[str, Any]]:
        """The lines of a batch once it is over, by name; whoever asks first waits for all."""
        if batch not in self._results:
            self._results[batch] = asyncio.ensure_future(self._awaited(batch))
        return await asyncio.shield(self._results[batch])

    async def _awaited(self, batch: str) -> dict[str, dict[str, Any]]:
        while (found := await self._openai.batches.retrieve(batch)).status not in _OVER:
            await self._clock.sleep(self._poll_seconds)
        lines: dict[str, dict[str, Any]] = {}
        for file in filter(None, (found.output_file_id, found.error_file_id)):
            text = (await self._openai.files.content(file)).text
            for line in text.splitlines():
                value = json.loads(line)
                lines[str(value["custom_id"])] = value
        if not lines and found.status == "failed":
            raise BatchItemError(400, {"message": f"the batch failed: {found.errors}"})
        return lines

    def _read_noted(self) -> dict[str, list[str]]:
        """The batches of each request of earlier runs."""
        found: dict[str, list[str]] = {}
        for key in self._shelf.keys(_FOLDER):
            note = json.loads(self._shelf.read(key))
            for name in note["names"]:
                found.setdefault(name, []).append(note["batch"])
        return found


def _missing() -> Reply:
    raise BatchItemError(0, {"message": "the batch ended before this question"})


def _reply(line: dict[str, Any]) -> Reply:
    """The reply in a line of a batch.

    Raises:
        BatchItemError: If the server did not answer.
    """
    response = line.get("response") or {}
    status = int(response.get("status_code") or 0)
    if status != 200:
        raise BatchItemError(status, line.get("error") or response.get("body") or {})
    return reply_of(json.dumps(response.get("body")).encode())


def _safe(name: str) -> str:
    """A server's name for a batch as a file name.

    >>> _safe("batch_a/../b")
    'batch_a____b'
    """
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name)[:100]
