"""A pretended Hugging Face Hub on this machine: the calls that an upload of a data set makes, and no others.

Written after what huggingface_hub's client sends: create a repository, list its tree, check the
metadata of a card, ask how files are to be sent, store large files by Git LFS, commit. It never was
compared with the real Hub.
"""

import base64
import hashlib
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import yaml

TOKEN = "hf_" + "t" * 34
"""The only token that it takes."""
SIZES = {"n<1K", "1K<n<10K"}
CATEGORIES = {"automatic-speech-recognition", "text-to-speech", "audio-to-audio"}


@dataclass
class Hub:
    """State of the server: repositories with the bytes of their files, and a log."""

    url: str = ""
    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: dict[str, bool] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    """Large files by SHA-256."""
    commits: list[list[str]] = field(default_factory=list)
    """Paths of each commit."""
    stored: Counter[str] = field(default_factory=Counter)
    """Uploads of each large file."""
    n_requests: int = 0
    counting: threading.Lock = field(default_factory=threading.Lock, repr=False)
    n_stores_left: int = 10**9
    """Large files that it still takes; then it refuses, as for a token that has expired."""

    def tree(self, name: str) -> list[dict[str, Any]]:
        return [entry(path, data) for path, data in sorted(self.repositories[name].items())]


def blob_id(data: bytes) -> str:
    """Git's name of a file."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def is_large(path: str) -> bool:
    return path.endswith(".parquet")


def entry(path: str, data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "file", "path": path, "size": len(data), "oid": blob_id(data)}
    if is_large(path):
        found["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
    return found


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_PUT(self) -> None:
        self._handle()

    def _handle(self) -> None:
        self.hub.n_requests += 1
        body = self._body()
        path = self.path.split("?")[0]
        if self.command == "PUT":
            self._store(path.rsplit("/", 1)[-1], body)
        elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._answer(401, {"error": "Invalid credentials"})
        elif path == "/api/repos/create":
            self._create(json.loads(body))
        elif path == "/api/validate-yaml":
            self._answer(200, validated(json.loads(body)["content"]))
        elif path.endswith("/objects/batch"):
            self._answer(200, {"objects": [self._action(each) for each in json.loads(body)["objects"]]})
        else:
            user, name, call = (*path.split("/"), "")[3:6]
            self._in_repository(f"{user}/{name}", call, body)

    def _body(self) -> bytes:
        """The whole body, sent at once or in chunks."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _create(self, wanted: dict[str, Any]) -> None:
        name = wanted.get("organization", "ann") + "/" + wanted["name"].split("/")[-1]
        status = 409 if name in self.hub.repositories else 200
        if status == 200:
            self.hub.repositories[name] = {".gitattributes": b"*.parquet filter=lfs\n"}
            self.hub.private[name] = wanted.get("private", False) or wanted.get("visibility") == "private"
        self._answer(status, {"url": f"{self.hub.url}/datasets/{name}", "id": name, "name": name})

    def _in_repository(self, name: str, call: str, body: bytes) -> None:
        files = self.hub.repositories.get(name)
        if files is None:
            self._answer(404, {"error": "Repository not found"}, ("X-Error-Code", "RepoNotFound"))
        elif call == "tree":
            self._answer(200, self.hub.tree(name))
        elif call == "preupload":
            wanted = [each["path"] for each in json.loads(body)["files"]]
            self._answer(200, {"files": [preupload(path, files) for path in wanted]})
        elif call == "commit":
            lines = [json.loads(line) for line in body.splitlines() if line.strip()]
            self._commit(name, [line["value"] for line in lines if line["key"] != "header"])

    def _commit(self, name: str, wanted: list[dict[str, Any]]) -> None:
        files = self.hub.repositories[name]
        for each in wanted:
            is_regular = "content" in each
            files[each["path"]] = base64.b64decode(each["content"]) if is_regular else self.hub.objects[each["oid"]]
        self.hub.commits.append([each["path"] for each in wanted])
        oid = hashlib.sha1(repr(self.hub.commits).encode()).hexdigest()
        url = f"{self.hub.url}/datasets/{name}/commit/{oid}"
        self._answer(200, {"success": True, "commitOid": oid, "commitUrl": url})

    def _action(self, wanted: dict[str, Any]) -> dict[str, Any]:
        if wanted["oid"] in self.hub.objects:
            return wanted
        return {**wanted, "actions": {"upload": {"href": f"{self.hub.url}/lfs/{wanted['oid']}", "header": {}}}}

    def _store(self, oid: str, body: bytes) -> None:
        with self.hub.counting:  # files come in several connections at once
            self.hub.n_stores_left -= 1
            refused = self.hub.n_stores_left < 0 or hashlib.sha256(body).hexdigest() != oid
        if refused:
            self._answer(403, {"error": "refused"})
            return
        self.hub.stored[oid] += 1
        self.hub.objects[oid] = body
        self._answer(200, {})

    def _answer(self, status: int, body: Any, *headers: tuple[str, str]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


def preupload(path: str, files: dict[str, bytes]) -> dict[str, Any]:
    """The way in which a file is to be sent, and the file of that name that is there."""
    there = entry(path, files[path]) if path in files else {}
    oid = there.get("lfs", {}).get("oid") or there.get("oid")
    return {"path": path, "uploadMode": "lfs" if is_large(path) else "regular", "shouldIgnore": False, "oid": oid}


def validated(card: str) -> dict[str, Any]:
    """Faults of a card's metadata, of those that a card of ours could have."""
    front = yaml.safe_load(card.split("---\n")[1])
    faults = [f"{key} is missing" for key in ("license", "language", "pretty_name", "configs") if not front.get(key)]
    faults += [f"size {each}" for each in front["size_categories"] if each not in SIZES]
    faults += [f"category {each}" for each in front["task_categories"] if each not in CATEGORIES]
    return {"errors": [{"message": fault} for fault in faults], "warnings": []}


@contextmanager
def pretended_hub() -> Iterator[Hub]:
    """Run the server on a free port of this machine."""
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        hub.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()
