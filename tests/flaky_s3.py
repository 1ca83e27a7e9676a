"""An HTTP proxy that breaks calls on their way to an S3 server, by plan."""

import http.client
import re
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from datagen.seeds import rng

BEFORE = ("500", "503", "409", "403", "reset", "hang")
"""Faults that keep a call from the server."""
AFTER = ("500 after", "reset after", "hang after", "half")
"""Faults of the answer alone: what was asked is done. Besides: `short`, a cut answer that says nothing of the cut, and
`stale`, the answer that the same listing got before."""

Plan = Callable[[str, str, int], str]
"""The fault of the n-th call (from 0) of a method on a path, or nothing."""

_FOLDER = re.compile(r"\btests(/|%2F)\d+")
_CODES = {"500": "InternalError", "503": "SlowDown", "409": "ConditionalRequestConflict", "403": "ExpiredToken"}


def at_random(share: float, *faults: str, seed: int = 0) -> Plan:
    """A share of all calls fails, keyed: the same calls whatever their order and whatever folder the test was given."""

    def plan(method: str, path: str, n: int) -> str:
        chance = rng(seed, "flaky", method, _FOLDER.sub("", path), n)
        return str(chance.choice(faults)) if chance.random() < share else ""

    return plan


class FlakyS3(ThreadingHTTPServer):
    """The proxy; `plan` may be changed at any time."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.endpoint = f"http://127.0.0.1:{self.server_port}"
        self.upstream = urlsplit(upstream).netloc
        self.plan: Plan = lambda method, path, n: ""
        self.faults: Counter[str] = Counter()
        """Faults that happened; an empty one is a call that went well."""
        self.lists: dict[str, tuple[int, list[tuple[str, str]], bytes]] = {}
        """The last true answer to each listing."""
        self._calls: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def fault(self, method: str, path: str) -> str:
        """What is to happen to this call."""
        with self._lock:
            found = self.plan(method, path, self._calls[method, path])
            self._calls[method, path] += 1
            self.faults[found] += 1
        return found

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is what these tests are about."""


@contextmanager
def flaky(upstream: str) -> Iterator[FlakyS3]:
    """A running proxy."""
    with FlakyS3(upstream) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FlakyS3

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.server.fault(self.command, self.path)
        if fault in BEFORE:
            self._fail(fault)
            return
        before = self.server.lists.get(self.path) if fault == "stale" else None
        status, headers, data = before or self._forward(body)
        if "list-type=2" in self.path:
            self.server.lists[self.path] = status, headers, data
        if fault == "short":
            data = data[: len(data) // 2]
        if fault in ("", "half", "short", "stale"):
            self._send(status, headers, data, half=fault == "half")
        else:
            self._fail(fault.removesuffix(" after"))

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _answer

    def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        upstream = http.client.HTTPConnection(self.server.upstream)
        try:
            upstream.request(self.command, self.path, body, dict(self.headers))
            answer = upstream.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            upstream.close()

    def _send(self, status: int, headers: list[tuple[str, str]], data: bytes, half: bool) -> None:
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in ("connection", "transfer-encoding", "date", "server", "content-length"):
                self.send_header(name, value)
        length = dict(headers).get("Content-Length", "0") if self.command == "HEAD" else len(data)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if half else data)
        self.close_connection = half

    def _fail(self, fault: str) -> None:
        if fault in _CODES:
            xml = f"<Error><Code>{_CODES[fault]}</Code><Message>planned</Message></Error>".encode()
            self._send(int(fault), [], xml, half=False)
            return
        if fault == "hang":
            self.connection.recv(1)  # until the client loses patience
        else:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""
