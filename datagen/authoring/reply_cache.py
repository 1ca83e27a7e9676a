"""Answers by content: a question that was answered is never asked again, by this run or a later one.

An answer is one JSON file `answers/ab/abcd….json` in the output, made whole or not at all, and stored before it is
used. A process that is killed between a server's reply and the end of that write has paid for an answer that is lost:
of each process at most those under way, `llm.concurrency`. Every request carries its key as `Idempotency-Key`, so a
server or gateway that knows the header bills even those once.
"""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Literal, Protocol

from datagen.authoring.spend import Usage
from datagen.errors import StoreError
from datagen.shards import seal

_FORMAT = 1
_N_READERS = 32
_READ_AHEAD = 1024
Finish = Literal["stop", "length", "content_filter", "too_large"]


class ReplyShelf(Protocol):
    """Storage of answers; every `datagen.shards.store.Store` is one."""

    def create(self, key: str, data: bytes) -> bool:
        """Write a file whole unless it is there."""
        ...

    def read(self, key: str) -> bytes:
        """The content of a file."""
        ...

    def exists(self, key: str) -> bool:
        """True if the file is there."""
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """All files below a folder."""
        ...


class Memory:
    """A shelf that lasts as long as the process, for use in notebooks."""

    def __init__(self) -> None:
        """Start empty."""
        self._files: dict[str, bytes] = {}

    def create(self, key: str, data: bytes) -> bool:
        """Keep a file unless it is there."""
        return self._files.setdefault(key, data) is data

    def read(self, key: str) -> bytes:
        """Find a file."""
        return self._files[key]

    def exists(self, key: str) -> bool:
        """Look for a file."""
        return key in self._files

    def keys(self, prefix: str) -> Iterator[str]:
        """All files below a folder."""
        return iter(sorted(key for key in self._files if key.startswith(f"{prefix}/")))


@dataclass(frozen=True, slots=True)
class Answer:
    """Reply of a model, good or not."""

    text: str
    finish: Finish
    """Why it ended; `too_large`: it was not read to its end, and no text is kept."""
    refusal: str
    """The server's field of that name."""
    model: str
    """As the server names it."""
    usage: Usage

    @property
    def sha256(self) -> str:
        """Hash of the text."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()


def key_of(question: dict[str, Any]) -> str:
    """The key of a question: a hash of all that decides its answer.

    >>> key_of({"model": "m", "sample": 0}) == key_of({"sample": 0, "model": "m"}), len(key_of({}))
    (True, 64)
    """
    return hashlib.sha256(json.dumps([_FORMAT, question], sort_keys=True).encode()).hexdigest()


class Cache:
    """Kept answers. Concurrent calls with one question share one request."""

    def __init__(self, shelf: ReplyShelf, concurrency: int = 1) -> None:
        """Answers on a shelf; `concurrency` of them may be requested or not yet kept."""
        self._shelf, self._slots = shelf, asyncio.Semaphore(concurrency)
        self._asked: dict[str, asyncio.Future[Answer]] = {}
        self.n_found = 0
        """Answers that were there."""

    async def answer(self, key: str, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer to a question, from the shelf if it is there, else asked and kept.

        Raises:
            StoreError: If it cannot be read or kept.
        """
        if under_way := self._asked.get(key):
            return await asyncio.shield(under_way)
        future = self._asked[key] = asyncio.ensure_future(self._answer(key, ask))
        future.add_done_callback(lambda _: self._asked.pop(key, None))
        return await asyncio.shield(future)

    async def _answer(self, key: str, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        found = await asyncio.to_thread(self._find, key)
        if found:
            self.n_found += 1
            return found
        async with self._slots:  # until it is kept, so that no more are lost than these
            answer = await ask()
            # what is on the shelf counts: another process may have been first
            return await asyncio.to_thread(self._keep, key, answer)

    def slot(self) -> asyncio.Semaphore:
        """Room for a request whose answer is not kept; use it as `async with`."""
        return self._slots

    async def close(self) -> None:
        """Cancel open requests."""
        futures = list(self._asked.values())
        for future in futures:
            future.cancel()
        await asyncio.gather(*futures, return_exceptions=True)

    def spent(self) -> Usage:
        """Cost of all answers on the shelf."""
        return sum((answer.usage for answer in self.all()), Usage())

    def all(self) -> Iterator[Answer]:
        """All answers on the shelf."""
        keys = self._shelf.keys("answers")
        with ThreadPoolExecutor(_N_READERS) as readers:  # a store may be far away
            while some := list(islice(keys, _READ_AHEAD)):
                yield from readers.map(lambda key: _parsed(self._shelf.read(key), key), some)

    def _find(self, key: str) -> Answer | None:
        name = _name(key)
        return _parsed(self._shelf.read(name), name) if self._shelf.exists(name) else None

    def _keep(self, key: str, answer: Answer) -> Answer:
        name = _name(key)
        if self._shelf.create(name, seal.document({"key": key, **asdict(answer)}, ascii=True)):
            return answer
        return _parsed(self._shelf.read(name), name)


def _name(key: str) -> str:
    return f"answers/{key[:2]}/{key}.json"


def _parsed(data: bytes, name: str) -> Answer:
    try:
        seal.refuse_broken(data, name)
        values = json.loads(data)
        values.pop("seal", None)
        if _name(values.pop("key")) != name:
            raise ValueError("it answers another question")
        return Answer(**{**values, "usage": Usage(**values["usage"])})
    except (ValueError, TypeError, KeyError, StoreError) as error:
        raise StoreError(f"{name} contains no valid answer: {error}; remove it to request the answer again") from error
