"""Runs units in threads of this process, each of which uses a worker."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import Protocol

from datagen.run.pieces import Deal
from datagen.shards.unit import Block, Marker

Done = Callable[[Marker], None]
"""A function that receives the marker of a unit that has ended."""
Kept = Callable[[Block], None]
"""A function that receives a block of a unit, made and kept."""
_AWAKE_SECONDS = 0.5


class Hand(Protocol):
    """Makes units for the threads that call it."""

    def unit(self, unit: int) -> Marker:
        """Make and commit a unit."""
        ...

    def stop(self) -> None:
        """End running work at once, from any thread; may be called twice."""
        ...

    def close(self) -> None:
        """Release the worker's resources once no caller waits for it; may be called twice."""
        ...


def run_local(
    hands: Sequence[Hand],
    blocks: Sequence[Block],
    done: Done,
    kept: Kept = lambda _: None,
    *,
    patient: bool = False,
    shares: bool = False,
) -> None:
    """Run units to their end.

    Args:
        hands: One per thread; threads may share one.
        blocks: The blocks of the units to run, of which units of one block have one.
        done: Called in this thread with the marker of each unit as it ends, in any order.
        kept: Called in this thread with each block that ends, if its unit has several.
        patient: If true, after an error the other threads run until their next error or the end of
            the units.
        shares: If true, hands are `Sharer`s, which work on the last blocks together.

    Raises:
        DatagenError: As raised by a worker. All workers are then stopped.
    """
    deal = Deal(blocks, len(hands), shares=shares)
    ended: SimpleQueue[Marker | Block | BaseException | None] = SimpleQueue()

    def keep(hand: Hand) -> None:
        try:
            for each in deal.work(hand):
                ended.put(each)
        except BaseException as error:  # it is raised where `done` is called
            ended.put(error)
        else:
            ended.put(None)

    with _crew(hands, keep):
        n_left, failed = len(hands), None
        while n_left:
            match _next(ended):
                case Marker() as marker:
                    done(marker)
                case Block() as block:
                    kept(block)
                case error:
                    failed, n_left = failed or error, n_left - 1
                    if failed and not patient:
                        raise failed
        if failed:
            raise failed


def _next(ended: "SimpleQueue[Marker | Block | BaseException | None]") -> Marker | Block | BaseException | None:
    """The next item of a queue; wakes periodically to handle signals that came before the wait."""
    while True:
        with suppress(Empty):
            return ended.get(timeout=_AWAKE_SECONDS)


@contextmanager
def _crew(hands: Sequence[Hand], keep: Callable[[Hand], None]) -> Iterator[None]:
    """Start a thread for each hand; all have ended on exit, also after an error."""
    threads = [threading.Thread(target=keep, args=(hand,), daemon=True) for hand in hands]
    try:
        for thread in threads:
            thread.start()
        yield
    finally:
        for hand in hands:
            hand.stop()
        for thread in threads:
            if thread.ident is not None:
                thread.join()
        for hand in hands:
            hand.close()
