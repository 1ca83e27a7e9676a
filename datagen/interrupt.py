"""Ends a command on SIGTERM and SIGHUP as Ctrl-C does, so that it removes its temporary files."""

import signal
from types import FrameType


class EndedError(KeyboardInterrupt):
    """The process was requested to end."""

    def __init__(self, number: int) -> None:
        """By a signal."""
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.exit_status = 128 + number


def raise_on_signals() -> None:
    """From now on, SIGTERM and SIGHUP raise an `EndedError` in the main thread.

    Only the first does: a second must not stop the removal of temporary files. A signal that is ignored, as
    SIGHUP is under nohup, stays ignored.
    """
    ends = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) == signal.SIG_DFL]

    def end(number: int, _: FrameType | None) -> None:
        for each in ends:
            signal.signal(each, signal.SIG_IGN)
        raise EndedError(number)

    for each in ends:
        signal.signal(each, end)
