"""What a terminal shows of a run that writes: while it runs, and at its end."""

import time
from collections import Counter
from types import TracebackType

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from datagen.authoring.author import AuthoringWatcher, Summary
from datagen.authoring.authoring_config import WriteRecipe
from datagen.authoring.authoring_plan import WriteIdentity
from datagen.shards.bucket import is_url
from datagen.shards.plan import Plan
from datagen.shards.unit import Marker
from datagen.terminal import console


class AuthoringProgress(AuthoringWatcher):
    """A watcher that paints records done, time left, and rejects by reason at the end."""

    def __init__(self, out: str) -> None:
        """Show progress of a run into `out`."""
        self._out, self._console = out, console()
        self._began = time.monotonic()
        columns = (SpinnerColumn(), BarColumn(28), MofNCompleteColumn(), TextColumn("records"), TimeRemainingColumn())
        self._bar = Bar(*columns, console=self._console, transient=True)
        self._task = self._bar.add_task("write", total=None)

    def __enter__(self) -> "AuthoringProgress":
        """Begin to paint."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop painting."""
        self._bar.stop()

    def planned(self, plan: Plan[WriteIdentity], n_done: int) -> None:
        """Show what is there already."""
        self._bar.update(self._task, total=plan.n_records, completed=min(n_done * plan.unit_dialogues, plan.n_records))
        already = f", {n_done} of {plan.n_units} units done before" if n_done else ""
        self._console.print(f"[bold]{escape(self._out)}[/]: {plan.n_records} records{already}", soft_wrap=True)

    def unit_done(self, marker: Marker) -> None:
        """Show one more unit."""
        self._bar.advance(self._task, marker.n_records)

    def notice(self, line: str) -> None:
        """Show what went wrong and was mended."""
        self._console.print(f"[yellow]{escape(line)}[/]", soft_wrap=True)

    def summarize(self, found: Summary, recipe: WriteRecipe) -> None:
        """Say what was written, what it cost, and what to do with it."""
        seconds = time.monotonic() - self._began
        self._console.print(f"[green]Done[/]: {found.n_kept} of {found.n_records} records kept, {seconds:.0f} s")
        for reason, n in Counter(found.rejects).most_common():
            self._console.print(f"  rejected: {reason} {n}")
        usage, money = found.usage, found.usage.money(recipe.llm.prices)
        cost = f", {money:,.4f} in the currency of llm.prices" if money else ""
        about = "about " if usage.estimated else ""
        self._console.print(
            f"{found.n_answers} answers, {about}{usage.input:,} tokens in and {usage.output:,} out{cost}"
        )
        self._console.print(f"digest {found.digest}\n")
        folder = f"{self._out.rstrip('/')}/dialogues" + ("/" if is_url(self._out) else "")
        self._console.print(f"Next:  datagen build RECIPE --input {escape(folder)}", soft_wrap=True)
