"""Run units on a Ray cluster: the same workers as `local`, placed by Ray Data.

A row is a unit, never a dialogue. Where all steps need the same of a worker, one actor makes the whole unit and only
its marker comes back; where they do not (a GPU for the voice), each group of steps has a pool of its own and a unit's
items travel between them through Ray's object store. Each actor keeps its worker in a process beside it
(`warden.py`), so an engine that crashes is handled as on one machine; Ray repeats only what it lost itself: a node,
an actor. Ray may repeat a unit, or drop it: success is judged from markers, and a unit is committed once (`commit.py`).
"""

import logging
import os
import pickle
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from datagen import errors
from datagen.errors import ClusterError
from datagen.pipeline.pipeline import Pipeline
from datagen.recipe import PoolConfig, Recipe
from datagen.run.local import Done
from datagen.run.pools import missing, room, sized
from datagen.run.warden import Notice, Warden
from datagen.run.worker import Worker
from datagen.shards.unit import Marker

_PASSES = 3
"""How often units that Ray lost are given to it again."""
_UNITS_A_PASS = 20_000
"""Units in one Ray data set: the driver's memory does not grow with the build."""
_POLL_SECONDS = 1.0
_CONNECT_SECONDS = 10.0


def run_ray(
    build: Pipeline, out: str, units: Sequence[int], n_workers: int, address: str, done: Done, notice: Notice
) -> None:
    """Run units to their end.

    Args:
        build: The pipeline; its recipe says what the workers of each step need.
        out: Where the plan lies; every node must see it under this name.
        units: Indices of the units to run.
        n_workers: Most workers of a pool for which the recipe names no number; 0 for as many as there is room for.
        address: `local`, `auto`, or that of a cluster's head.
        done: Called with the marker of each unit as it ends, in any order.
        notice: Told what was lost and mended.

    Raises:
        ClusterError: If the cluster is not there, cannot hold the build, or loses units again and again.
        DatagenError: As a worker raised it.
    """
    with cluster(address, n_workers, notice):
        groups = [names for _, names in build.pools()]
        pools = [pool for pool, _ in build.pools()]
        _wait_for_room(pools, build.recipe.limits.cluster_seconds, notice)
        pools = sized(pools, n_workers, len(units))
        for begin in range(0, len(units), _UNITS_A_PASS):
            left = set(units[begin : begin + _UNITS_A_PASS])
            for _ in range(_PASSES):
                for row in _rows(build.recipe, out, sorted(left), pools, groups):
                    marker = _marker(row, notice)
                    left.discard(marker.unit)
                    done(marker)
                if not left:
                    break
                notice(f"Ray lost {len(left)} units; they are run again")
            if left:
                raise ClusterError(
                    f"Ray lost units {sorted(left)[:5]} {_PASSES} times; its logs say why. "
                    "Everything else so far is kept; run the same command again to go on"
                )


def _rows(
    recipe: Recipe, out: str, units: Sequence[int], pools: Sequence[PoolConfig], groups: Sequence[tuple[str, ...]]
) -> Iterator[dict[str, Any]]:
    """What the last pool says of each unit."""
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1  # a block that Ray gives up is missed by its marker
    context.execution_no_progress_timeout_s = recipe.run.unit_dialogues * recipe.limits.dialogue_seconds + 1800
    for handler in logging.getLogger("ray.data").handlers:
        if type(handler).__name__ == "SessionFileHandler":
            continue
        handler.setLevel(logging.CRITICAL)  # what a user needs to know comes through `notice`
    data: ray.data.Dataset = ray.data.from_items([{"unit": unit} for unit in units], override_num_blocks=len(units))
    for index, (pool, names) in enumerate(zip(pools, groups, strict=True)):
        data = data.map(
            cast(Any, UnitActor),
            fn_constructor_args=(recipe.dump(), out, names, index == 0, index == len(groups) - 1),
            num_cpus=pool.cpus,
            num_gpus=pool.gpus,
            compute=ray.data.ActorPoolStrategy(
                min_size=pool.min_workers,
                max_size=pool.max_workers,
                initial_size=_at_first(pools, index),
            ),
        )
    yield from data.iter_rows()


class UnitActor:
    """One worker of a pool, as Ray Data calls it: a row in, a row out, never an exception."""

    def __init__(self, recipe: dict[str, Any], out: str, names: tuple[str, ...], first: bool, last: bool) -> None:
        """Take the recipe, the output, the steps of this pool, and whether it is the first and the last one."""
        self._first, self._last = first, last
        self._notes: list[str] = []
        attempts = Recipe.model_validate(recipe).limits.attempts
        self._warden = Warden(Worker.open, (recipe, out, names), attempts, self._notes.append)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Run this pool's steps over a unit.

        Args:
            row: `unit`, and from the second pool on `items` (pickled) or `error`.
        """
        unit, made = int(row["unit"]), {"items": b"", "marker": "", "error": row.get("error", ""), "text": ""}
        if made["error"]:
            return {"unit": unit, **row}
        self._notes.clear()
        try:
            if self._first and self._last:
                made["marker"] = _shown(self._warden.unit(unit))
            else:
                items = self._warden.records(unit) if self._first else pickle.loads(row["items"])  # noqa: S301  (our own pool's)
                results = self._warden.batch(f"unit {unit}", items)
                if self._last:
                    made["marker"] = _shown(self._warden.commit(unit, results))
                else:
                    made["items"] = pickle.dumps(results, protocol=5)
        except Exception as error:
            made["error"], made["text"] = type(error).__name__, str(error)
        return {"unit": unit, **made, "notes": "\n".join([row.get("notes", ""), *self._notes]).strip("\n")}


def _shown(marker: Marker) -> str:
    """A marker without its files, as it travels to the driver."""
    return replace(marker, files=()).to_json().decode()


def _marker(row: dict[str, Any], notice: Notice) -> Marker:
    """The marker in a row.

    Raises:
        DatagenError: If the row tells of one.
    """
    for line in row["notes"].splitlines():
        notice(line)
    if row["error"]:
        raise getattr(errors, row["error"], RuntimeError)(row["text"])
    return Marker.from_json(row["marker"].encode(), f"marker of unit {row['unit']}")


# -- the cluster ------------------------------------------------------------------------------------------------


@contextmanager
def cluster(address: str, n_workers: int, notice: Notice) -> Iterator[None]:
    """Be connected to a cluster; one that was started here ends here."""
    try:
        import ray
    except ImportError as error:
        raise ClusterError("Ray is not installed: pip install 'duplex-datagen[ray]'") from error
    if ray.is_initialized():  # by whoever called us
        yield
        return
    _reach(address)
    own: dict[str, Any] = (
        {"num_cpus": n_workers or os.cpu_count(), "include_dashboard": False} if address == "local" else {}
    )
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **own)
    except ConnectionError as error:
        raise _no_cluster(address, error) from error
    try:
        with _native_messages_aside(), _ray_speaks_through(notice):
            yield
    finally:
        ray.shutdown()


def _reach(address: str) -> None:
    """Look whether a cluster listens at HOST:PORT and takes our token; Ray itself would try for minutes.

    Raises:
        ClusterError: If it does not.
    """
    import ray._raylet
    from ray.exceptions import AuthenticationError

    internals: Any = ray._raylet

    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or "://" in address:
        return
    try:
        socket.create_connection((host, int(port)), _CONNECT_SECONDS).close()
        with _native_messages_aside():
            internals.GcsClient(address=address)
    except OSError as error:
        raise _no_cluster(address, error) from error
    except AuthenticationError as error:
        raise ClusterError(
            f"the Ray cluster at {address!r} does not take our token. Set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN (or "
            "~/.ray/auth_token) to what `ray get-auth-token` says on its head. docs/cluster.md tells more"
        ) from error


def _no_cluster(address: str, error: OSError) -> ClusterError:
    return ClusterError(
        f"no Ray cluster at {address!r} ({str(error).splitlines()[0]}); start one with `ray start --head`, "
        "or leave --address away. docs/cluster.md tells more"
    )


@contextmanager
def _native_messages_aside() -> Iterator[None]:
    """Send what Ray's C++ side writes to the terminal to `datagen-ray-PID.log` among the temporary files.

    It stays there if that side takes the driver down; otherwise nobody needs it.
    """
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
    """Have what Ray would print of lost workers and nodes come as notices of a line each."""
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


def _at_first(pools: Sequence[PoolConfig], index: int) -> int:
    """How many workers of a pool to start with: all there is room for if nobody else wants it."""
    pool = pools[index]
    most = pool.max_workers or 1
    return pool.min_workers if len(pools) > 1 else max(min(most, room(pool, _nodes())), pool.min_workers)


def _wait_for_room(pools: Sequence[PoolConfig], seconds: float, notice: Notice) -> None:
    """Wait for nodes that may still come.

    Raises:
        ClusterError: If the pools do not fit when the time is up; says what is missing.
    """
    deadline = time.monotonic() + seconds
    if fault := missing(pools, _nodes()):
        notice(f"waiting {seconds:g} s for nodes: {fault}")
    while fault := missing(pools, _nodes()):
        if time.monotonic() > deadline:
            raise ClusterError(
                f"{fault}. Add nodes, or ask for less in `pools` of the recipe (limits.cluster_seconds waits)"
            )
        time.sleep(_POLL_SECONDS)
