"""Terminal output of a job: while it runs, and at its end."""

import shlex
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text
from typing_extensions import override

from datagen.cli.app import program, seconds_since_start
from datagen.cli.bar import LongWork, clock
from datagen.cli.worker_lines import worker_lines
from datagen.clock import samples_to_ms
from datagen.run.board import WorkerState
from datagen.run.job import Watcher
from datagen.run.status import Status
from datagen.shards.bucket import is_url
from datagen.shards.identity import Identity
from datagen.shards.manifest import Manifest
from datagen.shards.plan import Plan
from datagen.shards.unit import Block, Marker
from datagen.terminal import console, counted

_console = console(None)
say = partial(_console.print, soft_wrap=True)


class JobProgress(LongWork, Watcher):
    """Shows units done, hours made, speed, time left, and rejects by reason."""

    def __init__(self, out: str, sample_rate_hz: int = 0) -> None:
        """Prepare to show a job; that of a build names its sample rate by itself."""
        super().__init__(_console)
        self.out, self._rejects = out, Counter[str]()
        self._rate, self._n_samples = sample_rate_hz, 0
        self._n_units, self._n_done, self._n_before = 0, 0, 0
        self._began = time.monotonic()
        self._begun = dict[int, float]()
        """Share of each unfinished unit that this run has made, if units have several blocks."""
        self._workers: Sequence[WorkerState] = ()

    @override
    def __rich__(self) -> Group:
        """The bar, and below it the rejects and the workers of a cluster."""
        worst = ", ".join(f"{reason} {count}" for reason, count in self._rejects.most_common(4))
        below = [f"rejects: {worst}" if worst else "", *worker_lines(self._workers)]
        return Group(
            super().__rich__(), *(Text(f"  {line}", style="dim", overflow="ellipsis", no_wrap=True) for line in below)
        )

    @override
    def planned(self, plan: Plan[Any], n_done: int) -> None:
        """Show earlier progress. Hours and rejects are of this run; `datagen status` adds up all."""
        if isinstance(plan.identity, Identity):
            self._rate = plan.identity.clock.sample_rate_hz
        self._n_units, self._n_done, self._n_before = plan.n_units, n_done, n_done
        self._began = time.monotonic()
        already = f", {counted(n_done, 'unit')} done before" if n_done else ""
        records, units = counted(plan.n_records, "record"), counted(plan.n_units, "unit")
        say(f"[bold]{escape(self.out)}[/]: {records} in {units}{already}")

    @override
    def unit_done(self, marker: Marker) -> None:
        self._n_done += 1
        self._begun.pop(marker.unit, None)
        self._rejects.update(marker.rejects)
        self._n_samples += marker.n_samples

    @override
    def block_kept(self, block: Block) -> None:
        self._begun[block.unit] = self._begun.get(block.unit, 0) + 1 / block.n_in_unit

    @override
    def workers(self, states: Sequence[WorkerState]) -> None:
        self._workers = states

    @override
    def print_state(self) -> None:
        """The state, and a line for each worker of a cluster."""
        super().print_state()
        for line in worker_lines(self._workers):
            self.printer.print(Text(f"  {line}"), soft_wrap=True)

    @override
    def notice(self, line: str) -> None:
        say(f"[yellow]{escape(line)}[/]")

    @override
    def state(self) -> tuple[float | None, str]:
        """Units done and time left; of a build also hours made, and speed against realtime."""
        if not self._n_units:
            return None, f"{self.out}: planning and loading engines, for {clock(seconds_since_start())}"
        n_done = self._n_done + sum(self._begun.values())
        share, units = n_done / self._n_units, f"{self._n_done}/{self._n_units} units"
        seconds, n_now = max(time.monotonic() - self._began, 1e-9), n_done - self._n_before
        if not n_now:
            return share, f"{units}, first units under way, for {clock(seconds)}"
        left = f"{clock(seconds / n_now * max(self._n_units - n_done, 0))} left"
        made_s = self._made_seconds()
        made = f", {made_s / 3600:.2f} h of conversation, {made_s / seconds:.0f}x realtime" if made_s else ""
        return share, f"{units}{made}, {left}"

    def _made_seconds(self) -> float:
        return samples_to_ms(self._n_samples, self._rate) / 1000 if self._n_samples and self._rate else 0.0

    def built(self, manifest: Manifest) -> None:
        """Report what a build made and what to do with it."""
        seconds, made_s = seconds_since_start(), self._made_seconds()
        speed = f" in {clock(seconds)}, {made_s / seconds:.0f}x realtime" if made_s else ""
        say(f"[green]Done[/]: {manifest.hours * 60:.1f} minutes of conversation{speed}")
        print_summary(manifest, self.out)


def print_status(status: Status) -> None:
    """Progress of a build, in a few lines."""
    share = f"{100 * status.n_units_done / max(status.n_units, 1):.1f}%"
    say(f"[bold]{escape(status.url)}[/]: {status.n_units_done} of {counted(status.n_units, 'unit')} done, {share}")
    reasons = _by_count(status.rejects)
    lines = [
        f"made   {counted(status.n_conversations, 'conversation')}, {status.hours:.2f} hours",
        f"       {counted(status.n_rejects, 'record')} rejected{f': {reasons}' if reasons else ''}",
    ]
    if status.last_unit_at is not None:
        age = clock(max(time.time() - status.last_unit_at, 0))
        speed = f"{status.realtime:.0f}x realtime lately" if status.realtime is not None else "not known yet"
        lines.append(f"speed  {speed}; the last unit was done {age} ago")
    if status.n_blocks_kept:
        lines.append(f"       {counted(status.n_blocks_kept, 'block')} of unfinished units kept besides")
    if not status.finished and status.hours_left is not None:
        at_speed = f", {clock(status.seconds_left)} at that speed" if status.seconds_left is not None else ""
        lines.append(
            f"left   {counted(status.n_units - status.n_units_done, 'unit')}, "
            f"about {status.hours_left:.2f} hours{at_speed}"
        )
    say("\n".join([*lines, _outcome(status)]), markup=False)


def _outcome(status: Status) -> str:
    """The last line about a build: finished, ended without a result, or to be continued."""
    if status.finished:
        return "finished: the manifest is there"
    if status.n_units_done < status.n_units or status.n_conversations:
        return "no manifest yet: the same command goes on"
    see = f"{program()} rejects {shlex.quote(status.url)}"
    return f"ended: nothing kept; `{see}` shows why; after a fix, use a new --out"


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
                escape(name),
                escape(split),
                f"{n.n_rows:,}",
                f"{n.n_tokens:,}" if n.n_tokens else "",
                f"{n.n_bytes / 1e6:.2f}",
            )
    _console.print(table)
    kept, n_rejects = manifest.n_conversations, manifest.n_rejects
    reasons = escape(_by_count(manifest.rejects))
    say(f"{counted(kept, 'dialogue')} kept, {n_rejects} rejected{f': {reasons}' if reasons else ''}")
    if empty := _empty_splits(manifest):
        say(f"[yellow]no rows in {' and '.join(empty)}: all dialogues dealt there were rejected, or none was[/]")
    if manifest.notices:
        say(f"kept with a notice: {escape(_by_count(manifest.notices))}")
    if manifest.added:
        added = ", ".join(f"{kind} {n:,}" for kind, n in manifest.added.items())
        say(f"added to what the dialogues say: {escape(added)} (docs/interruptions.md)")
    say(f"digest {escape(manifest.digest)}\n")
    if manifest.tasks:
        has_talks = "conversations" in manifest.tables
        say(_next_steps(manifest.tasks, out, has_talks=has_talks, n_rejects=n_rejects), markup=False)


def _empty_splits(manifest: Manifest) -> list[str]:
    """Splits that have a share and no rows."""
    splits = manifest.recipe["splits"]
    shares = {"train": 1, "validation": splits["validation"], "test": splits["test"]}
    found = {split for task in manifest.tasks for split in manifest.tables[task]}
    return [name for name, share in shares.items() if share and name not in found] if found else []


def _next_steps(tasks: list[str], out: str, *, has_talks: bool, n_rejects: int) -> str:
    """Commands that work as printed."""
    run, place = program(), shlex.quote(out)
    best = "three_stream" if "three_stream" in tasks else tasks[0]
    steps = [f"{run} show {place} --task {best}     look at a training row"]
    if has_talks:
        steps.append(f"{run} report {place} --open     look and listen in a browser")
    if n_rejects and has_talks:
        steps.append(f"{run} rejects {place}     see why records were rejected")
    steps.append(f"{run} check {place}     verify every file")
    if not is_url(out):
        steps.append(f'datasets.load_dataset("{out}", "{best}")     in Python')
    return "Next:  " + "\n       ".join(steps)
