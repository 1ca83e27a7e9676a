"""What a terminal shows of a build: while it runs, and at its end."""

import time
from collections import Counter
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from datagen.clock import samples_to_ms
from datagen.run.status import Status
from datagen.shards.bucket import is_url
from datagen.shards.manifest import Manifest
from datagen.shards.plan import Plan
from datagen.shards.unit import Marker

_console = Console(highlight=False)


class BuildProgress:
    """A watcher that paints units done, hours made, speed, time left and rejects by reason."""

    def __init__(self, out: str) -> None:
        """Show progress of a build into `out`."""
        self._out, self._rejects = out, Counter[str]()
        self._rate = self._made_ms = 0.0
        self._n_before = 0
        self._began = time.monotonic()
        self._bar = Bar(
            SpinnerColumn(), BarColumn(28), MofNCompleteColumn(), TextColumn("units"), _Speed(self), console=_console
        )
        self._task = self._bar.add_task("build", total=None)
        self._live = Live(self, console=_console, refresh_per_second=4, transient=True)

    def __enter__(self) -> "BuildProgress":
        """Begin to paint."""
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop painting."""
        self._live.stop()

    def __rich__(self) -> Group:
        """The bar, and the rejects below it."""
        worst = ", ".join(f"{reason} {count}" for reason, count in self._rejects.most_common(4))
        return Group(self._bar, Text(f"  rejects: {worst}" if worst else "", style="dim", overflow="ellipsis"))

    def planned(self, plan: Plan, n_done: int) -> None:
        """Show what is there already. Hours and rejects are those of this run; `datagen status` adds up all."""
        self._rate = plan.identity.clock.sample_rate_hz
        self._n_before, self._began = n_done, time.monotonic()
        self._bar.update(self._task, total=plan.n_units, completed=n_done)
        already = f", {n_done} units done before" if n_done else ""
        line = f"[bold]{escape(self._out)}[/]: {plan.n_records} records in {plan.n_units} units{already}"
        _console.print(line, soft_wrap=True)

    def unit_done(self, marker: Marker) -> None:
        """Show one more unit."""
        self._bar.advance(self._task)
        self._rejects.update(marker.rejects)
        self._made_ms += samples_to_ms(marker.n_samples, int(self._rate))

    def notice(self, line: str) -> None:
        """Show what went wrong and was mended."""
        _console.print(f"[yellow]{escape(line)}[/]", soft_wrap=True)

    def speed(self, done: float, total: float | None) -> str:
        """Hours made, speed against real time, and time left."""
        seconds = max(time.monotonic() - self._began, 1e-9)
        n_now = done - self._n_before
        if not n_now or not total:
            return "planning and loading engines ..." if total is None else "first units under way ..."
        left_s = seconds / n_now * (total - done)
        hours, speed = self._made_ms / 3_600_000, self._made_ms / 1000 / seconds
        return f"{hours:.2f} h of conversation, {speed:.0f}x realtime, {_clock(left_s)} left"

    def summarize(self, manifest: Manifest) -> None:
        """Say what was made and what to do with it."""
        seconds = time.monotonic() - self._began
        made_s = self._made_ms / 1000
        speed = f" in {_clock(seconds)}, {made_s / seconds:.0f}x realtime" if made_s else ""
        _console.print(f"[green]Done[/]: {manifest.hours * 60:.1f} minutes of conversation{speed}")
        print_summary(manifest, self._out)


class _Speed(ProgressColumn):
    def __init__(self, progress: BuildProgress) -> None:
        super().__init__()
        self._progress = progress

    def render(self, task: Task) -> Text:
        """The line behind the bar."""
        return Text(self._progress.speed(task.completed, task.total), style="cyan")


def _clock(seconds: float) -> str:
    """Seconds as a person reads them.

    >>> _clock(5.2), _clock(3725)
    ('5 s', '1:02:05')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def print_status(status: Status) -> None:
    """How far a build is, in a few lines."""
    share = f"{100 * status.n_units_done / max(status.n_units, 1):.1f}%"
    _console.print(f"[bold]{escape(status.url)}[/]: {status.n_units_done} of {status.n_units} units done, {share}")
    reasons = _by_count(status.rejects)
    lines = [
        f"made   {status.n_conversations} conversations, {status.hours:.2f} hours",
        f"       {status.n_rejects} records rejected{f': {reasons}' if reasons else ''}",
    ]
    if status.last_unit_at is not None:
        age = _clock(max(time.time() - status.last_unit_at, 0))
        speed = f"{status.realtime:.0f}x realtime lately" if status.realtime is not None else "not known yet"
        lines.append(f"speed  {speed}; the last unit was done {age} ago")
    if not status.finished and status.hours_left is not None:
        at_speed = f", {_clock(status.seconds_left)} at that speed" if status.seconds_left is not None else ""
        lines.append(
            f"left   {status.n_units - status.n_units_done} units, about {status.hours_left:.2f} hours{at_speed}"
        )
    finished = "finished: the manifest is there" if status.finished else "no manifest yet: the same command goes on"
    _console.print("\n".join([*lines, finished]), markup=False, soft_wrap=True)


def _by_count(rejects: dict[str, int]) -> str:
    """Rejects, the most frequent reason first.

    >>> _by_count({"select/code": 2, "select/too_short": 5})
    'select/too_short 5, select/code 2'
    """
    return ", ".join(f"{reason} {count}" for reason, count in sorted(rejects.items(), key=lambda r: -r[1]))


def print_summary(manifest: Manifest, out: str) -> None:
    """A table of what an output holds, rejects by reason, and what to do next."""
    table = Table("table", "split", "rows", "tokens", "MB", box=None, pad_edge=False, header_style="bold")
    for name, splits in manifest.tables.items():
        for split, n in splits.items():
            table.add_row(
                name,
                split,
                f"{n.n_rows:,}",
                f"{n.n_tokens:,}" if n.n_tokens else "",
                f"{n.n_bytes / 1e6:.2f}",
            )
    _console.print(table)
    kept, n_rejects = manifest.n_conversations, manifest.n_rejects
    reasons = _by_count(manifest.rejects)
    _console.print(f"{kept} dialogues kept, {n_rejects} rejected{f': {reasons}' if reasons else ''}", soft_wrap=True)
    _console.print(f"digest {manifest.digest}\n")
    tasks, out = manifest.tasks, escape(out)
    if tasks:
        best = "three_stream" if "three_stream" in tasks else tasks[0]
        _console.print(f"Next:  datagen show {out} --task {best}     look at a training row", soft_wrap=True)
        _console.print(f"       datagen check {out}     verify every file", soft_wrap=True)
        if not is_url(out):
            _console.print(f'       datasets.load_dataset("{out}", "{best}")     in Python', soft_wrap=True)
