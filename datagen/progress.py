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

from datagen.bucket import is_url
from datagen.run.commit import Marker
from datagen.run.manifest import Manifest
from datagen.run.plan import Plan
from datagen.units import samples_to_ms

_console = Console(highlight=False)


class Progress:
    """A watcher that paints units done, hours made, speed, time left and rejects by reason."""

    def __init__(self, out: str) -> None:
        """Show progress of a build into `out`."""
        self._out, self._rejects = out, Counter[str]()
        self._rate = self._made_ms = self._before_ms = 0.0
        self._began = time.monotonic()
        self._bar = Bar(
            SpinnerColumn(), BarColumn(28), MofNCompleteColumn(), TextColumn("units"), _Speed(self), console=_console
        )
        self._task = self._bar.add_task("build", total=None)
        self._live = Live(self, console=_console, refresh_per_second=4, transient=True)

    def __enter__(self) -> "Progress":
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

    def planned(self, plan: Plan, done: list[Marker]) -> None:
        """Show what is there already."""
        self._rate = plan.identity["clock"]["sample_rate_hz"]
        for marker in done:
            self._count(marker)
        self._before_ms, self._began = self._made_ms, time.monotonic()
        self._bar.update(self._task, total=plan.n_units, completed=len(done))
        already = f", {len(done)} units done before" if done else ""
        line = f"[bold]{escape(self._out)}[/]: {plan.n_records} records in {plan.n_units} units{already}"
        _console.print(line, soft_wrap=True)

    def unit_done(self, marker: Marker) -> None:
        """Show one more unit."""
        self._count(marker)
        self._bar.advance(self._task)

    def notice(self, line: str) -> None:
        """Show what went wrong and was mended."""
        _console.print(f"[yellow]{escape(line)}[/]", soft_wrap=True)

    def _count(self, marker: Marker) -> None:
        self._rejects.update(marker.rejects)
        self._made_ms += samples_to_ms(marker.n_samples, int(self._rate))

    def speed(self, done: float, total: float | None) -> str:
        """Hours made, speed against real time, and time left."""
        seconds = max(time.monotonic() - self._began, 1e-9)
        made_ms = self._made_ms - self._before_ms
        if not made_ms or not total:
            return "planning and loading engines ..." if total is None else "first units under way ..."
        left_ms = self._made_ms / done * (total - done)
        left_s = left_ms / (made_ms / seconds)
        hours = self._made_ms / 3_600_000
        return f"{hours:.2f} h of conversation, {made_ms / 1000 / seconds:.0f}x realtime, {_clock(left_s)} left"

    def summarize(self, manifest: Manifest) -> None:
        """Say what was made and what to do with it."""
        seconds = time.monotonic() - self._began
        made_s = (self._made_ms - self._before_ms) / 1000
        speed = f" in {_clock(seconds)}, {made_s / seconds:.0f}x realtime" if made_s else ""
        _console.print(f"[green]Done[/]: {manifest.values['hours'] * 60:.1f} minutes of conversation{speed}")
        print_summary(manifest, self._out)


class _Speed(ProgressColumn):
    def __init__(self, progress: Progress) -> None:
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


def print_summary(manifest: Manifest, out: str) -> None:
    """A table of what an output holds, rejects by reason, and what to do next."""
    values = manifest.values
    table = Table("table", "split", "rows", "tokens", "MB", box=None, pad_edge=False, header_style="bold")
    for name, splits in values["tables"].items():
        for split, n in splits.items():
            table.add_row(
                name,
                split,
                f"{n['n_rows']:,}",
                f"{n['n_tokens']:,}" if n["n_tokens"] else "",
                f"{n['n_bytes'] / 1e6:.2f}",
            )
    _console.print(table)
    kept, n_rejects = values["n_conversations"], values["n_rejects"]
    reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(values["rejects"].items(), key=lambda r: -r[1]))
    _console.print(f"{kept} dialogues kept, {n_rejects} rejected{f': {reasons}' if reasons else ''}", soft_wrap=True)
    _console.print(f"digest {values['digest']}\n")
    tasks, out = manifest.tasks, escape(out)
    if tasks:
        best = "three_stream" if "three_stream" in tasks else tasks[0]
        _console.print(f"Next:  datagen show {out} --task {best}     look at a training row", soft_wrap=True)
        _console.print(f"       datagen check {out}     verify every file", soft_wrap=True)
        if not is_url(out):
            _console.print(f'       datasets.load_dataset("{out}", "{best}")     in Python', soft_wrap=True)
