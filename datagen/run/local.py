"""Run units in processes of this machine."""

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import Any

from datagen.errors import EngineError
from datagen.run.commit import Marker
from datagen.run.worker import Worker

_worker: Worker | None = None
_MAX_DEADLY = 3
"""Units that killed a worker twice, once alone in it, after which a build stops."""

Done = Callable[[Marker], None]


def run_local(worker_arguments: tuple[dict[str, Any], str], units: Iterable[int], n_workers: int, done: Done) -> None:
    """Run units to their end, in this process if one worker is asked for.

    Args:
        worker_arguments: Recipe values and output, as `Worker.open` takes them.
        units: Indices of the units to run.
        n_workers: Processes.
        done: Called here with the marker of each unit as it ends, in any order.

    Raises:
        EngineError: If a unit kills its worker again when it has one to itself; all others are done first.
    """
    if n_workers == 1:
        worker = Worker.open(*worker_arguments)
        for unit in units:
            done(worker.run(unit))
        return
    left, deadly = sorted(units), list[int]()
    while left and len(deadly) < _MAX_DEADLY:
        finished, suspects = _run_pool(worker_arguments, left, n_workers, done)
        for unit in suspects:  # a worker died; which of them was it?
            alone, _ = _run_pool(worker_arguments, [unit], 1, done)
            if not alone:
                deadly.append(unit)
        left = [unit for unit in left if unit not in finished and unit not in suspects]
    if deadly:
        raise EngineError(
            f"units {deadly} kill their worker, and what they hold is not built (out of memory?). "
            "Everything else so far is kept; run the same command again to go on"
        )


def _run_pool(
    worker_arguments: tuple[dict[str, Any], str], units: list[int], n_workers: int, done: Done
) -> tuple[set[int], list[int]]:
    """Run units until all are done or a worker dies; tells which are done, and which were under way at its death."""
    finished: set[int] = set()
    begun: list[int] = []
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    pool = ProcessPoolExecutor(n_workers, get_context("spawn"), _start, worker_arguments)
    try:
        queue = iter(units)
        running: set[Future[Marker]] = set()
        while True:
            for unit in queue:
                begun.append(unit)
                with interrupts_held():
                    running.add(pool.submit(_run, unit))
                if len(running) == 2 * n_workers:
                    break
            if not running:
                return finished, []
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                marker = future.result()
                finished.add(marker.unit)
                done(marker)
    except BrokenProcessPool:
        return finished, [unit for unit in begun if unit not in finished]
    finally:
        _end(pool)


def _end(pool: ProcessPoolExecutor) -> None:
    """Stop at once: whatever is unfinished is made again, whole, by the next run."""
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join()


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Let Ctrl-C wait while processes are started. It never comes to them: it is the driver's to handle."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # new processes inherit it
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        signal.signal(signal.SIGINT, before)
    if pressed:
        signal.raise_signal(signal.SIGINT)


def end_with_driver() -> None:
    """Have this process end when its driver does, however that died: nobody wants what it would still make."""

    def watch() -> None:
        driver = parent_process()
        if driver is not None:
            driver.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _start(recipe: dict[str, Any], url: str) -> None:
    end_with_driver()
    global _worker
    _worker = Worker.open(recipe, url)


def _run(unit: int) -> Marker:
    if _worker is None:
        raise RuntimeError("the worker was not started")
    return _worker.run(unit)
