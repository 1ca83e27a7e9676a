"""Long work shows itself: a bar in a terminal, a line now and then elsewhere, and the time of the whole command."""

import io
import sys
import threading
import time

import pytest
from rich.console import Console

from datagen.cli import bar
from datagen.cli.bar import Bar
from datagen.cli.progress import JobProgress
from datagen.run.board import WorkerState


class Lines(io.StringIO):
    """A file that can be waited for."""

    def __init__(self, terminal: bool = False) -> None:
        super().__init__()
        self._terminal, self.written = terminal, threading.Event()

    def isatty(self) -> bool:
        return self._terminal

    def write(self, text: str) -> int:
        n = super().write(text)
        if text.strip():
            self.written.set()
        return n


def printer(file: Lines) -> Console:
    return Console(file=file, width=200, force_terminal=file.isatty())


def test_without_a_terminal_a_line_is_printed_now_and_then():
    file = Lines()
    with Bar("audit out", printer=printer(file), every_s=0.01) as shown:
        tell = shown.part("conversations", 4, 2.0)
        for _ in range(2):
            tell(1)
        file.written.clear()
        assert file.written.wait(30)
    lines = file.getvalue().splitlines()
    assert any(line.startswith("audit out: conversations, 1.00 of 2.00 h, ") and "x realtime" in line for line in lines)
    assert lines[-1].startswith("audit out took ")


def test_short_work_without_a_terminal_says_nothing():
    file = Lines()
    with Bar("check out", printer=printer(file)) as shown:
        shown.part("units", 1)(1)
    assert file.getvalue() == ""


def test_in_a_terminal_a_bar_is_painted_and_removed():
    file = Lines(terminal=True)
    with Bar("report [red]out", printer=printer(file)) as shown:
        shown.part("reading", 10, 5.0)(5)
        shown._live.refresh()
        assert "report [red]out: reading, 2.50 of 5.00 h" in file.getvalue()
    assert "\x1b[2K" in file.getvalue()
    assert "report [red]out took " in file.getvalue().splitlines()[-1]


def test_a_failure_has_no_time():
    file = Lines(terminal=True)
    with pytest.raises(ValueError, match="no"), Bar("check out", printer=printer(file)):
        raise ValueError("no")
    assert "took" not in file.getvalue()


def test_the_reported_time_is_that_of_the_whole_command(monkeypatch):
    """Not that of the bar, which begins after packages are loaded and work is planned."""
    module = sys.modules["datagen.cli.app"]  # the package has an application of that name
    monkeypatch.setattr(module, "_START_S", time.monotonic() - 3600)
    file = Lines(terminal=True)
    with Bar("check out", printer=printer(file)):
        pass
    assert "check out took 1:0" in file.getvalue()
    assert bar.clock(3600) == "1:00:00"


def test_the_workers_of_a_cluster_are_shown_in_lines_and_below_the_bar():
    file = Lines()
    shown = JobProgress("out")
    shown.printer = printer(file)
    shown.workers([WorkerState("node-a", 71, "speak", (4,), 65.0, 2)])
    shown.print_state()
    assert file.getvalue().splitlines()[-1] == "  node-a 71 (speak): unit 4 for 1:05, 2 done"
    printer(file).print(shown.__rich__())
    assert file.getvalue().splitlines()[-1].rstrip() == "  node-a 71 (speak): unit 4 for 1:05, 2 done"
