"""A fake S3 server that pretends to hold millions of objects, 1 MB each, and the memory that listing them takes."""

import random
import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from scale import PLACES, made_up_marker, made_up_plan
from soak_processes import apart, serving

from datagen.run.status import status
from datagen.shards.markers import missing
from datagen.shards.plan import PLAN
from datagen.shards.store import Store, open_store
from datagen.shards.unit import data_key, marker_key, unit_of
from tests.stores import BUCKET, s3_environment

MOST_MB = 256
"""Memory that a listing may take, however long it is."""
_N_BYTES = 1_000_000
"""Size of each object."""
_FOLDER = "pretended"
_PER_PAGE = 1000
_READ_STATUS_UNITS = 20_000
"""Units of the build whose status is read: each is a request."""


class Names:
    """The sorted names of all objects of a build, computed from their numbers."""

    def __init__(self, n_units: int) -> None:
        """Names of a build with a file in every place and a marker per unit."""
        self._n_units = n_units
        patterns = [data_key(table, 0, split) for table, split in PLACES]
        self._starts = sorted(f"{_FOLDER}/{key}" for key in (*patterns, marker_key(0)))

    def __len__(self) -> int:
        return self._n_units * len(self._starts)

    def __getitem__(self, index: int) -> str:
        """Name number `index`.

        >>> Names(10)[0], Names(10)[10], len(Names(10))
        ('pretended/asr/test-000000.parquet', 'pretended/asr/train-000000.parquet', 180)
        """
        if not 0 <= index < len(self):
            raise IndexError(index)
        group, unit = divmod(index, self._n_units)
        return self._starts[group].replace("000000", f"{unit:06d}")

    def range(self, prefix: str) -> tuple[int, int]:
        """First and last + 1 of the names that begin with a prefix."""
        return bisect_left(self, prefix), bisect_left(self, prefix + "\U0010ffff")


def page(names: Names, query: dict[str, list[str]]) -> bytes:
    """The answer to a listing."""

    def value(name: str, default: str = "") -> str:
        return query.get(name, [default])[0]

    first, end = names.range(value("prefix"))
    if value("continuation-token"):
        first = max(first, int(value("continuation-token")))
    elif value("start-after"):
        first = max(first, bisect_left(names, value("start-after") + "\0"))
    last = min(end, first + int(value("max-keys", str(_PER_PAGE))))
    size = f'<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>"0"</ETag><Size>{_N_BYTES}</Size>'
    items = "".join(f"<Contents><Key>{names[k]}</Key>{size}</Contents>" for k in range(first, last))
    more = (
        f"<IsTruncated>true</IsTruncated><NextContinuationToken>{last}</NextContinuationToken>"
        if last < end
        else "<IsTruncated>false</IsTruncated>"
    )
    return f'<?xml version="1.0" encoding="UTF-8"?><ListBucketResult>{more}{items}</ListBucketResult>'.encode()


class PretendedS3(ThreadingHTTPServer):
    """The fake server: listings of a large build, its plan and its markers, and nothing else."""

    daemon_threads = True

    def __init__(self, n_units: int) -> None:
        """A server on a free port."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.names, self.n_units, self.plan = Names(n_units), n_units, made_up_plan(n_units)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: PretendedS3

    def do_GET(self) -> None:
        """Answer a listing, or a read of the plan or of a marker."""
        parts = urlsplit(self.path)
        if "list-type" in parts.query:
            self._send(200, page(self.server.names, parse_qs(parts.query)))
            return
        key = unquote(parts.path).split(f"/{_FOLDER}/", 1)[-1]
        unit = unit_of(key) if key.startswith("units/") else None
        if key == PLAN:
            self._send(200, self.server.plan.to_json())
        elif unit is not None and unit < self.server.n_units:
            self._send(200, made_up_marker(unit, self.server.plan.seal).to_json())
        else:
            self._send(404, b"<Error><Code>NoSuchKey</Code></Error>")

    do_HEAD = do_GET

    def _send(self, code: int, data: bytes) -> None:
        if code == 200 and self.headers["Range"]:  # a read requests a range, and the answer has the whole length
            code, whole = 206, len(data)
            first, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
            data = data[int(first) : int(last or whole) + 1]
            self.send_response(code)
            self.send_header("Content-Range", f"bytes {first}-{int(first) + len(data) - 1}/{whole}")
        else:
            self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("ETag", '"0"')
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def _serve(n_units: int, tell: Callable[[str], None]) -> None:
    with PretendedS3(n_units) as server:
        tell(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever).run()


@dataclass
class Round:
    """Memory of each reading of the pretended build."""

    n: int
    blows: Counter[str] = field(default_factory=Counter)
    digest: str = ""
    faults: list[str] = field(default_factory=list)


def _keys(store: Store) -> int:
    return sum(1 for _ in store.keys(""))


def _missing(store: Store) -> int:
    n_units = sum(1 for _ in store.keys("units"))
    return n_units - len(missing(store, n_units))


def _status(store: Store) -> int:
    return status(store).n_units_done


def _peak_mb(work: Callable[[Store], int], endpoint: str) -> tuple[int, float]:
    """The number that the work counts, and by how many MB it raises the peak of its process."""
    import os

    os.environ.update(s3_environment(endpoint))
    store = open_store(f"s3://{BUCKET}/{_FOLDER}")
    next(iter(store.keys("units/none")), None)
    before = _high_water_mb()
    return work(store), _high_water_mb() - before


def _high_water_mb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


class Listing:
    """The campaign."""

    unit = "objects"
    spared = ()

    def __init__(self, base: Path) -> None:
        """Nothing is prepared."""
        self._base = base

    def round(self, folder: Path, chance: random.Random, n_most: int, deadline: float) -> Round:  # noqa: ARG002
        """List `n_most` objects in full and their markers alone, and read the status of a smaller build."""
        found, n_units = Round(n_most), max(1, n_most // (len(PLACES) + 1))
        works = ((_keys, n_units), (_missing, n_units), (_status, min(n_units, _READ_STATUS_UNITS)))
        for work, n in works:
            if time.monotonic() > deadline:
                found.faults.append("time was up")
                break
            wanted = n * (len(PLACES) + 1) if work is _keys else n
            with serving(folder / "server.log", lambda tell, n=n: _serve(n, tell)) as (endpoint, _):
                counted, peak_mb = apart(folder / "log", _peak_mb, work, endpoint)
            name = work.__name__.strip("_")
            found.blows[f"{name}: number"] = counted
            found.blows[f"{name}: MB above the start"] = round(peak_mb)
            if counted != wanted:
                found.faults.append(f"{name} counts {counted} of {wanted}")
            if peak_mb > MOST_MB:
                found.faults.append(f"{name} of {wanted:,} takes {peak_mb:,.0f} MB, more than {MOST_MB}")
        return found

    def close(self) -> None:
        """Nothing is to be ended."""


def campaign(name: str, base: Path) -> Listing:  # noqa: ARG001
    """The only one of this file."""
    return Listing(base)
