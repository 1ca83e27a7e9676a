"""Ends a command on Ctrl-C, SIGTERM and SIGHUP, so that it removes its temporary files and decides nothing more.

A signal can arrive while a library calls Python back, and some libraries then swallow its exception
and fail in another way. So a signal is remembered too, and `raise_if_ended` raises it again where
such a failure would otherwise decide something.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ENDS = (signal.SIGTERM, signal.SIGHUP)


class EndedError(KeyboardInterrupt):
    """The process was requested to end."""

    def __init__(self, number: int) -> None:
        """By a signal."""
        super().__init__(f"ended by {signal.Signals(number).name}")


_ended = 0
"""The signal that requested the end; 0 if none did."""


def raise_on_signals() -> None:
    """From now on, SIGINT, SIGTERM and SIGHUP raise an `EndedError` in the main thread.

    Of SIGTERM and SIGHUP only the first does: a second must not stop the removal of temporary
    files. A signal that is ignored, as SIGHUP is under nohup, stays ignored.
    """
    for each in _ENDS:
        if signal.getsignal(each) == signal.SIG_DFL:
            signal.signal(each, _end)
    if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


@contextmanager
def remembered() -> Iterator[None]:
    """Remember Ctrl-C while something is done, also where no command has called `raise_on_signals`."""
    global _ended
    here = threading.current_thread() is threading.main_thread()
    if not here or signal.getsignal(signal.SIGINT) != signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if _ended == signal.SIGINT:
            _ended = 0


def exit_status() -> int:
    """The exit status of a process that a signal has requested to end; 0 if none has."""
    return 128 + _ended if _ended else 0


def raise_if_ended() -> None:
    """Raise a signal again that a library may have swallowed.

    Raises:
        EndedError: If one has arrived.
    """
    if _ended:
        raise EndedError(_ended)


def _end(number: int, _: FrameType | None) -> None:
    global _ended
    _ended = number
    if number != signal.SIGINT:
        for each in _ENDS:
            signal.signal(each, signal.SIG_IGN)
    raise EndedError(number)
