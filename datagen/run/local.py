"""Run units in processes of this machine."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import Any

from datagen.run.warden import Notice, Warden
from datagen.shards.unit import Marker

Done = Callable[[Marker], None]
_AWAKE_SECONDS = 0.5


def run_local(
    make: Callable[..., object],
    arguments: tuple[Any, ...],
    units: Iterable[int],
    n_workers: int,
    attempts: int,
    done: Done,
    notice: Notice,
) -> None:
    """Run units to their end, each in one of several processes.

    Args:
        make: Makes a worker in its process; importable.
        arguments: What `make` is called with.
        units: Indices of the units to run.
        n_workers: Processes.
        attempts: How often a worker may die on one unit, and then on one dialogue.
        done: Called in this thread with the marker of each unit as it ends, in any order.
        notice: Told of workers that died, in other threads.

    Raises:
        DatagenError: As a worker raised it. All processes are ended then.
    """
    queue = iter(units)
    turn = threading.Lock()
    ended: SimpleQueue[Marker | BaseException | None] = SimpleQueue()

    def next_unit() -> int | None:
        with turn:
            return next(queue, None)

    def keep(warden: Warden) -> None:
        try:
            while (unit := next_unit()) is not None:
                ended.put(warden.unit(unit))
        except BaseException as error:  # it is raised where `done` is called
            ended.put(error)
        else:
            ended.put(None)

    with _crew([Warden(make, arguments, attempts, notice) for _ in range(n_workers)], keep):
        n_left = n_workers
        while n_left:
            match _next(ended):
                case None:
                    n_left -= 1
                case Marker() as marker:
                    done(marker)
                case BaseException() as error:
                    raise error


def _next(ended: "SimpleQueue[Marker | BaseException | None]") -> Marker | BaseException | None:
    """The next thing in a queue, awake now and then: a signal that comes just before a wait does not end it."""
    while True:
        with suppress(Empty):
            return ended.get(timeout=_AWAKE_SECONDS)


@contextmanager
def _crew(wardens: list[Warden], keep: Callable[[Warden], None]) -> Iterator[None]:
    """A thread for each warden; at the end, however it comes, all processes are gone."""
    threads = [threading.Thread(target=keep, args=(warden,), daemon=True) for warden in wardens]
    try:
        for thread in threads:
            thread.start()
        yield
    finally:
        for warden in wardens:
            warden.stop()
        for thread in threads:
            if thread.ident is not None:
                thread.join()
        for warden in wardens:
            warden.close()
