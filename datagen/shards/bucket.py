"""A folder of an object store (S3, Google Cloud Storage or Azure) through obstore, with retries.

Credentials, endpoint and region come only from the environment variables of obstore (`AWS_*`,
`GOOGLE_*`, `AZURE_*`). Messages contain the URL, the status and the store's error code, but no
other text of obstore.
"""

import contextlib
import io
import logging
import os
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeVar

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, GenericError
from obstore.store import from_url

from datagen.errors import StoreError
from datagen.shards.bucket_faults import diagnose
from datagen.terminal import printable

PATIENCE = "DATAGEN_STORE_PATIENCE_S"
"""Environment variable: seconds for which a call is retried after a transient failure."""

_PATIENCE_S = 300.0
_FIRST_WAIT_S = 0.1
_LONGEST_WAIT_S = 20.0
_SAID_AT_TRY = 5
"""Number of failures from which a notice reports the wait."""
_TIMEOUT = "2min"
"""Timeout of one call, unless `AWS_TIMEOUT` or the like is set.

The 30 s of obstore are too short for a large file on a slow network.
"""
_PROBE = ".writing/probe"
_LISTED = 100
"""Files of a piece of a listing: fewer than in a page of any store, so that an interrupted listing can resume."""
_STREAM_BYTES = 4 << 20

_ENVIRONMENT = {
    **dict.fromkeys(("s3", "s3a"), "AWS"),
    "gs": "GOOGLE",
    **dict.fromkeys(("az", "azure", "adl", "abfs", "abfss"), "AZURE"),
}
"""Schemes, and the prefix of the environment variables of each."""
_CLIENT_OPTIONS = (
    *("allow_http", "allow_invalid_certificates", "connect_timeout", "read_timeout", "timeout"),
    *("proxy_url", "proxy_ca_certificate", "proxy_excludes"),
)
_URL = re.compile(r"(?P<scheme>[a-z0-9]+)://(?P<host>[^/]+)/?(?P<path>.*)", re.DOTALL)
_UNSETTLED = re.compile("ConditionalRequestConflict|OperationAborted")
"""Error while another writer creates the same name; the file need not exist yet."""

_NO_SUCH_RANGE = re.compile("status code: 416|InvalidRange|bytes 0--1/0")
"""The last is what Azure's emulator answers."""

_log = logging.getLogger(__name__)
_Made = TypeVar("_Made")


def is_url(place: str) -> bool:
    """True if a name is a URL rather than a path.

    >>> is_url("s3://bucket/out"), is_url("out/s3")
    (True, False)
    """
    return "://" in place


@dataclass(frozen=True, slots=True)
class Found:
    """An existing file."""

    n_bytes: int
    version: str | None
    """The store's tag of this content, if it has one."""


class Bucket:
    """Everything below a URL. Keys are relative to it; a file appears whole or not at all.

    Safe to use from several threads. Each process opens its own.
    """

    def __init__(self, url: str) -> None:
        """Create the bucket of a URL, without a request.

        Raises:
            StoreError: If the URL is not of a supported store, or contains credentials.
        """
        scheme, host, self._folder = _parts(url)
        self.url = f"{scheme}://{host}/{self._folder}".rstrip("/")
        prefix = _ENVIRONMENT[scheme]
        options: Any = {"timeout": _TIMEOUT}
        for name in _CLIENT_OPTIONS:  # obstore drops those of the environment once it is given one
            if value := os.environ.get(f"{prefix}_{name.upper()}"):
                options[name] = value
        try:  # it must not try again itself: a refused second create would look like a stranger's file
            self._store = from_url(f"{scheme}://{host}", client_options=options, retry_config={"max_retries": 0})
            self._patience_s = float(os.environ.get(PATIENCE, _PATIENCE_S))
        except (BaseError, ValueError):  # whose text may quote a key
            wrong = "the URL, the account or another variable is missing or malformed"
            raise StoreError(f"cannot open {self.url}: {wrong}; check it, {prefix}_* and {PATIENCE}") from None

    def create(self, key: str, data: bytes | memoryview) -> bool:
        """Write a file unless it exists; True if its content is known to be `data`.

        The store decides: of several simultaneous creators, one wins. If a response is lost, the
            file
        may have been written anyway, and the next attempt is then refused. So after an uncertain
        attempt, a refusal is resolved by reading: the same bytes count as written. An uncertain
        attempt can also reach the store after this call has ended; it then finds the name taken, or
        creates the same file.

        So False always means that there is a whole file to read, and True that it contains `data`.

        Raises:
            StoreError: If the store cannot be written to.
        """
        in_doubt = False

        def put() -> bool:
            nonlocal in_doubt
            try:
                # one put, of whatever size: multipart uploads know no create-if-absent
                obstore.put(self._store, self._path(key), data, mode="create", use_multipart=False)
            except AlreadyExistsError as error:
                if _UNSETTLED.search(str(error)):
                    raise
                return False
            except BaseError:
                in_doubt = True
                raise
            return True

        return self._try("write", key, put) or (in_doubt and self.read(key) == data)

    def replace(self, key: str, data: bytes | memoryview) -> None:
        """Write a file, whether or not it exists."""
        self._try("write", key, lambda: obstore.put(self._store, self._path(key), data, use_multipart=False))

    def remove(self, key: str) -> None:
        """Remove a file, if it is there."""

        def delete() -> None:
            with contextlib.suppress(FileNotFoundError):
                obstore.delete(self._store, self._path(key))

        self._try("remove", key, delete)

    def read(self, key: str) -> bytes:
        """The content of a file, as long as the store says that it is.

        It is requested as a range, because an answer to that states the length of the file as well
        as its own. So an answer that was cut on its way is noticed, and requested again.

        Raises:
            StoreError: If it is not there or cannot be read.
        """

        def whole() -> bytes:
            try:
                return self._get(key, {"range": {"offset": 0}})
            except BaseError as error:
                if not _NO_SUCH_RANGE.search(str(error)):
                    raise
            return self._get(key, {})  # it is empty, and has no first byte

        return self._try("read", key, whole)

    def read_range(self, key: str, start: int, n_bytes: int, version: str | None) -> bytes:
        """Some bytes of a file, beginning at `start`.

        Raises:
            StoreError: If it does not exist, cannot be read, or has another version now.
        """
        options = {"range": (start, start + n_bytes)} | ({"if_match": version} if version else {})
        return self._try("read", key, lambda: self._get(key, options))

    def stat(self, key: str) -> Found | None:
        """Size and version of a file, or None if it does not exist."""

        def head() -> Found | None:
            try:
                found = obstore.head(self._store, self._path(key))
            except FileNotFoundError:
                return None
            return Found(found["size"], found["e_tag"])

        return self._try("look for", key, head)

    def exists(self, key: str) -> bool:
        """True if the file exists."""
        return self.stat(key) is not None

    def keys(self, prefix: str) -> Iterator[str]:
        """All files below a folder, in the order of the store, which is that of their names."""
        yield from (key for key, _ in self.sizes(prefix))

    def sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        """All files below a folder with their sizes in bytes, in order; few of them are in memory."""
        folder, last = self._path(prefix), ""
        pages: Iterator[Sequence[Any]] | None = None

        def page() -> Sequence[Any]:  # a listing that broke off continues behind its last key: stores list in order
            nonlocal pages
            pages = pages or iter(obstore.list(self._store, folder or None, offset=last or None, chunk_size=_LISTED))
            try:
                return next(pages, ())
            except BaseException:
                pages = None
                raise

        while found := self._try("list", prefix, page):
            last = found[-1]["path"]
            yield from ((each["path"][len(self._folder) :].lstrip("/"), each["size"]) for each in found)

    def sweep(self) -> None:
        """Check that the store refuses to overwrite. There is nothing to remove: a put is atomic.

        Raises:
            StoreError: If a second create is not refused, as on servers without `If-None-Match`.
        """
        if self.create(_PROBE, b"first") and self.create(_PROBE, b"second"):
            raise StoreError(
                f"{self.url}: this store overwrites files that must not change; use one with conditional writes"
            )

    def open(self, key: str = "") -> io.BufferedReader:
        """A seekable stream over a file, or over the URL itself; reads ahead a few megabytes.

        Raises:
            StoreError: If it does not exist. Reading raises it if the store fails or the file
                changes.
        """
        found = self.stat(key)
        if found is None:
            raise StoreError(f"cannot read {self._place(key)}: there is no such file; check the name")
        return io.BufferedReader(_Stream(self, key, found), _STREAM_BYTES)

    def _get(self, key: str, options: Any) -> bytes:
        answer = obstore.get(self._store, self._path(key), options=options)
        data = bytes(answer.bytes())
        start, end = answer.range
        wanted = options.get("range", {})
        if isinstance(wanted, dict):
            wanted = (wanted.get("offset", 0), answer.meta["size"])
        if len(data) != end - start or wanted != (start, end):
            raise GenericError("kind: Interrupted (an answer of another length than announced)")
        return data

    def _path(self, key: str) -> str:
        return "/".join(part for part in (self._folder, key) if part)

    def _place(self, key: str) -> str:
        return printable(f"{self.url}/{key}" if key else self.url)

    def _try(self, verb: str, key: str, call: Callable[[], _Made]) -> _Made:
        """Retry a call, with random exponential backoff, until success, permanent failure or timeout."""
        deadline, wait_s = time.monotonic() + self._patience_s, _FIRST_WAIT_S
        for n_tries in count(1):
            try:
                return call()
            except (BaseError, FileNotFoundError, ValueError) as error:
                fault = diagnose(error)
            pause_s = random.uniform(0, wait_s)
            if n_tries >= fault.max_tries or time.monotonic() + pause_s > deadline:
                tried = f" (tried {n_tries} times)" if n_tries > 1 else ""
                raise StoreError(f"cannot {verb} {self._place(key)}: {fault.said}{tried}; {fault.fix}")
            if n_tries == _SAID_AT_TRY:
                _log.warning("cannot %s %s: %s; trying again ...", verb, self._place(key), fault.said)
            time.sleep(pause_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
        raise AssertionError


class _Stream(io.RawIOBase):
    """The bytes of a file, fetched on demand."""

    def __init__(self, bucket: Bucket, key: str, found: Found) -> None:
        self._bucket, self._key, self._found, self._at = bucket, key, found, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._found.n_bytes}[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        n_bytes = min(len(buffer), self._found.n_bytes - self._at)
        if n_bytes <= 0:
            return 0
        buffer[:n_bytes] = self._bucket.read_range(self._key, self._at, n_bytes, self._found.version)
        self._at += n_bytes
        return n_bytes


def _parts(url: str) -> tuple[str, str, str]:
    """Scheme, bucket and folder of a URL.

    >>> _parts("S3://bucket/a/b/"), _parts("abfss://c@account.dfs.core.windows.net")
    (('s3', 'bucket', 'a/b'), ('abfss', 'c@account.dfs.core.windows.net', ''))
    """
    scheme, _, rest = url.partition("://")
    match = _URL.fullmatch(f"{scheme.lower()}://{rest}")
    if not match or match["scheme"] not in _ENVIRONMENT:
        known = ", ".join(f"{each}://" for each in _ENVIRONMENT)
        raise StoreError(f"{scheme}://...: not a URL of a supported store; supported are {known}, followed by a bucket")
    account = match["host"].partition("@")
    if "?" in rest or (account[1] and (":" in account[0] or not match["scheme"].startswith("a"))):
        raise StoreError(
            f"{scheme}://...: a URL with credentials or a query would end up in manifests and logs; "
            "use the plain URL and set the environment variables in docs/stores.md"
        )
    return match["scheme"], match["host"], match["path"].strip("/")
