"""Runs a job's units on a Ray cluster: the same workers as `local`, placed by Ray Data.

A row is a unit, or a block of a larger one, never a dialogue. If all steps need the same resources, one
actor makes the whole block and returns only the marker, if its unit is finished. Otherwise (such as a GPU
for the voice), each group of steps has its own pool, and a block's items travel between pools through
Ray's object store. Whoever ends the last block of a unit commits it. An actor runs its
worker in a separate process (`supervise.py`), so a crashing engine is handled as on one machine.
Ray only repeats work after losing a node or an actor. It may repeat or drop a unit; markers decide
which units are finished, and a unit is committed once.
"""

import logging
import os
import pickle
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, cast

from datagen import errors
from datagen.errors import ClusterError
from datagen.faults import explained, explains
from datagen.installed import pip_install
from datagen.recipe import PoolConfig
from datagen.run.board import Board, WorkerState
from datagen.run.job import Job, WorkerPool
from datagen.run.local import Done, Hand, Kept
from datagen.run.pools import missing, room, sized
from datagen.run.supervise import Notice, Warden
from datagen.shards.unit import Block, Marker, whole_units

_PASSES = 3
"""Attempts for units that Ray loses."""
_BLOCKS_A_PASS = 20_000
"""Blocks in one Ray data set, most of them whole units: the driver's memory does not grow with the job."""
_POLL_SECONDS = 1.0
_LOOK_SECONDS = 5.0
Watch = Callable[[list[WorkerState]], None]
"""A function that receives what each worker does."""
_CONNECT_SECONDS = 10.0
_SILENT_LOOKS = 4
"""Looks after which a head that does not answer is reported; after 60 s Ray ends the driver, which says nothing."""


def run_ray(
    job: Job[Any, Any],
    out: str,
    units: Sequence[int],
    n_workers: int,
    address: str,
    done: Done,
    notice: Notice,
    watch: Watch = lambda _: None,
    kept: Kept = lambda _: None,
    blocks_of: Callable[[Sequence[int]], list[Block]] = whole_units,
) -> None:
    """Run units to their end.

    Args:
        job: The job; its pools define the resources of the workers.
        out: The output with the plan; accessible under this name from every node.
        units: Indices of the units to run.
        n_workers: Maximum number of workers of a pool without a number in the recipe; 0 to fill the
            cluster.
        address: `local`, `auto`, or the address of a cluster's head node.
        done: Called with the marker of each unit as it ends, in any order.
        notice: Called with a line on lost and repeated work.
        watch: Called every second, in another thread, with what each worker does.
        kept: Called with each block that ends, if its unit has several.
        blocks_of: Returns the blocks of units that are left to be made.

    Raises:
        ClusterError: If the cluster cannot be reached, cannot hold the job, or loses units
            repeatedly.
        DatagenError: As raised by a worker.
    """
    with cluster(address, n_workers, notice), explains("Ray"), _board(watch) as board:
        pools = job.pools(out, n_workers, "ray")
        _wait_for_room([pool.needs for pool in pools], job.limits.cluster_seconds, notice)
        blocks = blocks_of(units)
        needs = sized([pool.needs for pool in pools], n_workers, len(blocks))
        pools = [replace(pool, needs=need) for pool, need in zip(pools, needs, strict=True)]
        units_a_pass = max(_BLOCKS_A_PASS * len(units) // len(blocks), 1)
        for begin in range(0, len(units), units_a_pass):
            left = set(units[begin : begin + units_a_pass])
            for _ in range(_PASSES):
                with _ends_the_pass(notice):
                    for ended in _ended(job, blocks_of(sorted(left)), pools, board, notice):
                        if isinstance(ended, Block):
                            kept(ended)
                        elif ended.unit in left:  # two workers may end its last two blocks at once, and both commit it
                            left.discard(ended.unit)
                            done(ended)
                if not left:
                    break
                notice(f"Ray lost {len(left)} units; they are run again")
            if left:
                raise ClusterError(
                    f"Ray lost units {sorted(left)[:5]} {_PASSES} times; see its logs for the reason. "
                    "Finished units are kept; run the same command again to resume"
                )


@contextmanager
def _ends_the_pass(notice: Notice) -> Iterator[None]:
    """Let the loss of an actor that Ray Data itself needs end a pass instead of the build.

    Ray Data pins one actor per cluster to the node of the first driver of that cluster, which may be
    another build's. If that node dies, Ray Data fails, and makes a new one the next time.
    """
    from ray.exceptions import ActorUnschedulableError, RayActorError

    try:
        yield
    except (ActorUnschedulableError, RayActorError) as error:
        notice(f"Ray: {_first_line(error)}")


def _ended(
    job: Job[Any, Any], blocks: Sequence[Block], pools: Sequence[WorkerPool], board: Any, notice: Notice
) -> Iterator[Marker | Block]:
    """The blocks of larger units, and the markers of units, from the last pool as they are made.

    Raises:
        DatagenError: As raised by a worker; with lanes, after the other units have ended.
    """
    failed: Exception | None = None
    for row in _rows(job, blocks, pools, board):
        for line in row["notes"].splitlines():
            notice(line)
        if not row["error"]:
            block = _block_of(row)
            if not block.is_unit:
                yield block
            if row["marker"]:
                yield Marker.from_json(row["marker"].encode(), f"marker of unit {block.unit}")
            continue
        failed = failed or getattr(errors, row["error"], RuntimeError)(row["text"])
        if failed and not pools[0].lanes:
            raise failed
    if failed:
        raise failed


def _rows(
    job: Job[Any, Any], blocks: Sequence[Block], pools: Sequence[WorkerPool], board: Any
) -> Iterator[dict[str, Any]]:
    """The rows that come out of the last pool, one per block."""
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1  # a block that Ray gives up is missed by its marker
    context.execution_no_progress_timeout_s = job.unit_seconds + 1800
    for handler in logging.getLogger("ray.data").handlers:
        if type(handler).__name__ == "SessionFileHandler":
            continue
        handler.setLevel(logging.CRITICAL)  # what a user needs to know comes through `notice`
    rows = [asdict(block) for block in blocks]
    data: ray.data.Dataset = ray.data.from_items(rows, override_num_blocks=len(rows))
    for index, pool in enumerate(pools):
        ends = index == 0, index == len(pools) - 1
        data = data.map(
            cast(Any, UnitActor),
            fn_constructor_args=(pool.make, pool.arguments, job.limits.attempts, pool.lanes, *ends, pool.steps, board),
            num_cpus=pool.needs.cpus,
            num_gpus=pool.needs.gpus,
            compute=ray.data.ActorPoolStrategy(
                min_size=pool.needs.min_workers,
                max_size=pool.needs.max_workers,
                initial_size=_at_first(pool.needs, alone=len(pools) == 1),
                max_concurrent_calls_per_actor=max(pool.lanes, 1),
                enable_true_multi_threading=pool.lanes > 0,
            ),
        )
    yield from data.iter_rows()


class UnitActor:
    """One worker of a pool, as Ray Data calls it: a row in, a row out, never an exception."""

    def __init__(
        self,
        make: Callable[..., Any],
        arguments: tuple[Any, ...],
        attempts: int,
        lanes: int,
        first: bool,
        last: bool,
        steps: str = "",
        board: Any = None,
    ) -> None:
        self._first, self._last = first, last
        self._board, self._me = board, (socket.gethostname(), os.getpid(), steps)
        self._notes: list[str] = []
        self._warden = Warden(make, arguments, attempts, self._notes.append)
        self._hand: Hand | Exception = self._warden
        if lanes:
            try:
                self._hand = make(*arguments)
            except Exception as error:
                self._hand = error

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Run this pool's steps over a block.

        Args:
            row: The fields of a block, and from the second pool on `items` (pickled) or `error`.
        """
        block, made = _block_of(row), {"items": b"", "marker": "", "error": row.get("error", ""), "text": ""}
        if made["error"]:
            return {**asdict(block), **row}
        self._notes.clear()
        self._report("begin", block)
        try:
            made |= self._made(block, row)
        except Exception as error:
            known = explained(error) or error
            made["error"], made["text"] = type(known).__name__, str(known)
        self._report("end", block)
        return {**asdict(block), **made, "notes": "\n".join([row.get("notes", ""), *self._notes]).strip("\n")}

    def _report(self, what: str, block: Block) -> None:
        """Tell the board, which answers nothing and may be lost: it decides nothing."""
        if self._board is not None:
            with suppress(Exception):
                getattr(self._board, what).remote(*self._me, block.unit, block.index)

    def _made(self, block: Block, row: dict[str, Any]) -> dict[str, Any]:
        if isinstance(self._hand, Exception):
            raise self._hand
        if self._first and self._last:
            if block.is_unit:
                return _shown(self._hand.unit(block.unit))
            return _shown(self._warden.block(block) or self._warden.join_if_last(block))
        items = self._warden.must("records", block) if self._first else pickle.loads(row["items"])  # noqa: S301  (our own pool's)
        results = self._warden.batch(f"{block}", items)
        if self._last:
            return _shown(self._warden.keep(block, results) or self._warden.join_if_last(block))
        return {"items": pickle.dumps(results, protocol=5)}


def _block_of(row: dict[str, Any]) -> Block:
    return Block(*(int(row[each.name]) for each in fields(Block)))


def _shown(marker: Marker | None) -> dict[str, str]:
    """A marker without its files, as it travels to the driver; none if its unit is not finished."""
    return {"marker": replace(marker, files=()).to_json().decode() if marker else ""}


@contextmanager
def _board(watch: Watch) -> Iterator[Any]:
    """An actor to which workers report; what it knows is passed to `watch` every second."""
    import ray

    board: Any = cast(Any, ray).remote(num_cpus=0)(Board).remote()
    over = threading.Event()

    def look() -> None:
        while not over.wait(_POLL_SECONDS):
            with suppress(Exception):  # of a lost node or a busy cluster: the next look may succeed
                watch(ray.get(board.workers.remote(), timeout=_LOOK_SECONDS))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield board
    finally:
        over.set()
        thread.join()
        with suppress(Exception):
            ray.kill(board)


# -- the cluster ------------------------------------------------------------------------------------------------


@contextmanager
def cluster(address: str, n_workers: int, notice: Notice) -> Iterator[None]:
    """A connection to a cluster; a cluster that was started here is stopped on exit."""
    ray = _installed()
    if ray.is_initialized():  # by whoever called us
        yield
        return
    _reach(address)
    terminates = signal.getsignal(signal.SIGTERM)
    own: dict[str, Any] = (
        {"num_cpus": n_workers or os.cpu_count(), "include_dashboard": False} if address == "local" else {}
    )
    try:
        with _native_messages_aside():
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **own)
    except ConnectionError as error:
        raise _no_cluster(address, error) from error
    except Exception as error:  # Ray has no common class: time-outs, ports in use, no memory, a folder without space
        ray.shutdown()
        raise ClusterError(
            f"Ray at {address!r} does not start ({_first_line(error)}); run the same command again, with fewer "
            "--workers if this machine is busy. docs/cluster.md says where its logs are"
        ) from error
    if terminates is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, terminates)  # Ray sets its own
    try:
        head = ray.get_runtime_context().gcs_address
        with _native_messages_aside(), _ray_speaks_through(notice), head_watched(head, notice):
            yield
    finally:
        ray.shutdown()


@contextmanager
def reached(address: str, notice: Notice = lambda _: None) -> Iterator[None]:
    """A connection to a cluster that runs; of a Ray that is yet to be started, check that it is installed.

    `run_ray` uses this connection, so a command connects once.

    Args:
        address: As in `run_ray`.
        notice: As in `run_ray`.

    Raises:
        ClusterError: If the cluster cannot be reached.
    """
    if address == "local":
        _installed()
        yield
        return
    with cluster(address, 0, notice):
        yield


def _installed() -> Any:
    """The package Ray.

    Raises:
        ClusterError: If it is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise ClusterError(f"Ray is not installed: {pip_install('ray')}") from error
    return ray


def _reach(address: str) -> None:
    """Check that a cluster listens at HOST:PORT and accepts our token; Ray would try for minutes.

    Raises:
        ClusterError: If it does not.
    """
    import ray._raylet
    from ray.exceptions import AuthenticationError, RpcError

    internals: Any = ray._raylet

    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or "://" in address:
        return
    try:
        socket.create_connection((host, int(port)), _CONNECT_SECONDS).close()
        with _native_messages_aside():
            internals.GcsClient(address=address)
    except (OSError, RpcError) as error:  # RpcError: something else listens there, or a head that hangs
        raise _no_cluster(address, error) from error
    except AuthenticationError as error:
        raise ClusterError(
            f"the Ray cluster at {address!r} does not accept our token. Set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN "
            "(or ~/.ray/auth_token) to the output of `ray get-auth-token` on its head node. See docs/cluster.md"
        ) from error


@contextmanager
def head_watched(address: str, notice: Notice, every: float = _LOOK_SECONDS) -> Iterator[None]:
    """Report a head that stops answering, and one that answers again.

    Args:
        address: Host and port of the head.
        notice: Called with a line, in another thread.
        every: Seconds between looks; the head is reported after four of them.
    """
    host, _, port = address.rpartition(":")
    over = threading.Event()

    def look() -> None:
        answered, reported = time.monotonic(), False
        while not over.wait(every):
            try:
                socket.create_connection((host.strip("[]"), int(port)), every).close()
            except OSError as error:
                if not reported and time.monotonic() - answered >= every * _SILENT_LOOKS:
                    reported = True
                    notice(_silent(address, error))
            else:
                answered = time.monotonic()
                if reported:
                    reported = False
                    notice(f"the head of the cluster at {address} answers again")

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _silent(address: str, error: OSError) -> str:
    return (
        f"the head of the cluster at {address} does not answer ({_first_line(error)}). After a minute of this Ray ends "
        "this build; then start the cluster again and run the same command again to resume"
    )


def _no_cluster(address: str, error: Exception) -> ClusterError:
    return ClusterError(
        f"no Ray cluster at {address!r} ({_first_line(error)}); start one with `ray start --head`, "
        "or omit --address. See docs/cluster.md"
    )


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)


@contextmanager
def _native_messages_aside() -> Iterator[None]:
    """Redirect the output of Ray's C++ code to a temporary file, which is kept if the driver crashes."""
    log = Path(tempfile.gettempdir(), f"datagen-ray-{os.getpid()}.log")
    before, python = os.dup(2), sys.stderr
    with log.open("wb") as file, os.fdopen(before, "w", buffering=1) as terminal:
        os.dup2(file.fileno(), 2)
        if python is sys.__stderr__:
            sys.stderr = terminal
        try:
            yield
        finally:
            sys.stderr = python
            os.dup2(before, 2)
    log.unlink()


@contextmanager
def _ray_speaks_through(notice: Notice) -> Iterator[None]:
    """Turn Ray's messages about lost workers and nodes into one-line notices."""
    import ray._private.worker

    internals: Any = ray._private.worker
    said: set[str] = set()

    def hear(data: dict[str, Any], **_: object) -> None:
        for message in data["lines"]:
            line = message.strip().split(". ")[0][:200]
            if line not in said:
                said.add(line)
                notice(f"Ray: {line}")

    before = internals.print_to_stdstream
    internals.print_to_stdstream = hear
    try:
        yield
    finally:
        internals.print_to_stdstream = before


def _nodes() -> list[dict[str, float]]:
    """Cores and GPUs of each node that is alive."""
    import ray

    nodes: list[dict[str, Any]] = cast(Any, ray).nodes()
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    return [{kind: float(node.get(kind, 0)) for kind in ("CPU", "GPU")} for node in alive]


def _at_first(needs: PoolConfig, *, alone: bool) -> int:
    """Initial number of workers of a pool: as many as fit, if it is the only one."""
    most = needs.max_workers or 1
    return max(min(most, room(needs, _nodes())), needs.min_workers) if alone else needs.min_workers


def _wait_for_room(pools: Sequence[PoolConfig], seconds: float, notice: Notice) -> None:
    """Wait for nodes that may still come.

    Raises:
        ClusterError: If the pools still do not fit when the time is up; names the missing
            resources.
    """
    deadline = time.monotonic() + seconds
    if fault := missing(pools, _nodes()):
        notice(f"waiting {seconds:g} s for nodes: {fault}")
    while fault := missing(pools, _nodes()):
        if time.monotonic() > deadline:
            raise ClusterError(
                f"{fault}. Add nodes, request less in `pools` of the recipe, or wait longer for nodes "
                "(limits.cluster_seconds)"
            )
        time.sleep(_POLL_SECONDS)
