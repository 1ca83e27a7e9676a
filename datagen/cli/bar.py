"""Long work while it runs: a bar in a terminal, and elsewhere a line every 30 seconds."""

import threading
import time
from abc import ABC, abstractmethod
from types import TracebackType
from typing import TYPE_CHECKING

from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text
from typing_extensions import Self, override

from datagen.cli.app import seconds_since_start
from datagen.terminal import console

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

EVERY_S = 30.0
"""Seconds between two lines where there is no terminal."""
_WIDTH = 28


class LongWork(ABC):
    """Work that shows itself while it runs."""

    def __init__(self, printer: "Console", every_s: float = EVERY_S) -> None:
        """Prepare to show the work.

        Args:
            printer: The terminal or file to write to.
            every_s: Seconds between two lines in a file.
        """
        self.printer, self._every_s = printer, every_s
        self._over, self._spinner = threading.Event(), Spinner("dots")
        self._live = Live(self, console=printer, refresh_per_second=4, transient=True)
        self._lines = threading.Thread(target=self._print_lines, daemon=True)
        self.has_terminal = printer.file.isatty()
        self.n_lines = 0
        """Lines printed so far where there is no terminal."""

    @abstractmethod
    def state(self) -> tuple[float | None, str]:
        """The share that is done, from 0 to 1 or None if unknown, and a line about it."""

    def __enter__(self) -> Self:
        """Begin to show."""
        self._live.start() if self.has_terminal else self._lines.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop showing."""
        self._over.set()
        self._live.stop() if self.has_terminal else self._lines.join()

    def _print_lines(self) -> None:
        while not self._over.wait(self._every_s):
            self.n_lines += 1
            self.print_state()

    def print_state(self) -> None:
        """Print the line where there is no terminal."""
        self.printer.print(Text(self.state()[1]), soft_wrap=True)

    def __rich__(self) -> "RenderableType":
        """Spinner, bar and line."""
        share, line = self.state()
        bar = ProgressBar(1.0, share or 0.0, _WIDTH, pulse=share is None)
        row = Table.grid(padding=(0, 1))
        row.add_row(self._spinner, bar, Text(line, style="cyan", overflow="ellipsis", no_wrap=True))
        return row


class Bar(LongWork):
    """Progress of one command through its parts, on standard error: hours done, speed, time left.

    Hours are the share of the items that are done, of all hours.

    Example:
        >>> with Bar("audit out/mine", 40.0) as bar:  # doctest: +SKIP
        ...     audit(manifest, tell=bar.part("conversations", 800))
    """

    def __init__(
        self, what: str, hours: float = 0.0, printer: "Console | None" = None, every_s: float = EVERY_S
    ) -> None:
        """Prepare a bar; its parts follow.

        Args:
            what: The command and its build.
            hours: Hours of conversation in the build; 0 to show items instead.
            printer: Standard error by default.
            every_s: Seconds between two lines where there is no terminal.
        """
        super().__init__(printer or console(stderr=True), every_s)
        self._what, self.hours = what, hours
        self._part, self._total, self._part_hours, self._done = "starting", 0.0, 0.0, 0.0
        self._began = time.monotonic()

    def part(self, name: str, total: float = 0, hours: float | None = None) -> Self:
        """Begin the next part, and return the function that counts its items.

        Args:
            name: The part, as "conversations".
            total: Number of items; 0 if unknown.
            hours: Hours of sound that the items have together; by default those of the build.
        """
        self._part, self._total, self._done = name, total, 0.0
        self._part_hours = self.hours if hours is None else hours
        self._began = time.monotonic()
        return self

    def __call__(self, n: float = 1) -> None:
        """Count finished items."""
        self._done += n

    @override
    def state(self) -> tuple[float | None, str]:
        seconds = time.monotonic() - self._began
        share = min(self._done / self._total, 1.0) if self._total else None
        return share, f"{self._what}: {self._part}{pace(share, self._total, self._part_hours, seconds)}"

    @override
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop showing; report the time of the whole command if it was watched."""
        super().__exit__(kind, error, trace)
        if error is None and (self.has_terminal or self.n_lines):
            self.printer.print(Text(f"{self._what} took {clock(seconds_since_start())}"), soft_wrap=True)


def pace(share: float | None, n: float, hours: float, seconds: float) -> str:
    """Amount done, speed against realtime, and time left.

    Args:
        share: Share that is done, 0 to 1; None if unknown.
        n: Number of items.
        hours: Hours of conversation in all of them; 0 if unknown.
        seconds: Wall time so far.

    >>> pace(0.25, 8, 2.0, 9.0), pace(0.5, 8, 0, 9.0), pace(0.0, 8, 2.0, 9.0), pace(None, 0, 0, 70)
    (', 0.50 of 2.00 h, 200x realtime, 27 s left', ', 4 of 8, 9 s left', ', 0.00 of 2.00 h, for 9 s', ', for 1:10')
    """
    if share is None:
        return f", for {clock(seconds)}"
    done = f", {share * hours:.2f} of {hours:.2f} h" if hours else f", {share * n:,.0f} of {n:,.0f}"
    if not share:
        return f"{done}, for {clock(seconds)}"
    speed = f", {share * hours * 3600 / max(seconds, 1e-9):,.0f}x realtime" if hours else ""
    return f"{done}{speed}, {clock(seconds / share * (1 - share))} left"


def clock(seconds: float) -> str:
    """Seconds for a reader.

    >>> clock(5.2), clock(3725)
    ('5 s', '1:02:05')
    """
    if round(seconds) < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
