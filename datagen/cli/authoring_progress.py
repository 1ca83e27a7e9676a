"""Terminal output of an authoring run: progress by answers, because a unit may take an hour."""

import shlex
import time
from collections import Counter
from typing import TYPE_CHECKING

from typing_extensions import override

from datagen.cli.app import program, seconds_since_start
from datagen.cli.bar import clock
from datagen.cli.progress import JobProgress, say
from datagen.shards.bucket import is_url

if TYPE_CHECKING:
    from datagen.authoring.author import Summary
    from datagen.authoring.authoring_config import Prices
    from datagen.authoring.live import Live


class AuthoringProgress(JobProgress):
    """Shows answers, retries, rejects by reason, tokens, money and time left."""

    def __init__(self, out: str, live: "Live", prices: "Prices") -> None:
        super().__init__(out)
        self._so_far, self._prices = live, prices

    @override
    def state(self) -> tuple[float | None, str]:
        """The share of records that are done, and a line about them."""
        live = self._so_far
        if not live.n_left:
            return super().state()
        parts = [f"{live.n_records} of {live.n_left} records", f"{live.n_answers} answers"]
        if live.n_unfit:
            parts.append(f"{live.n_unfit} unfit")
        if live.n_failed:
            parts.append(f"{live.n_failed} failed requests")
        if live.rejects:
            parts.append("rejects: " + ", ".join(f"{reason} {n}" for reason, n in live.rejects.most_common(4)))
        parts.append(f"{live.usage.tokens:,} tokens")
        if self._prices.known:
            parts.append(f"{live.usage.money(self._prices):,.2f} in the currency of llm.prices")
        left = live.seconds_left()
        parts.append(f"for {clock(time.monotonic() - live.began)}" if left is None else f"{clock(left)} left")
        return live.n_records / live.n_left, ", ".join(parts)

    def authored(self, found: "Summary") -> None:
        """Report what a run made, what it cost, and what to do with it."""
        say(f"[green]Done[/]: {found.n_kept} of {found.n_records} records kept in {clock(seconds_since_start())}")
        for reason, n in Counter(found.rejects).most_common():
            say(f"  rejected: {reason} {n}")
        if found.near_duplicates:
            say(f"  {found.near_duplicates:.1%} of the dialogues nearly repeat another")
        if found.agreement and found.agreement.within_one is not None:
            near, n = found.agreement.within_one, found.agreement.n_dialogues
            say(f"  two wordings of the judge differ by at most 1 in {near:.0%} of {n} scores of kept dialogues")
        usage = found.usage
        cost = f", {usage.money(self._prices):,.4f} in the currency of llm.prices" if self._prices.known else ""
        about = "about " if usage.estimated else ""
        say(f"{found.n_answers} answers, {about}{usage.input:,} tokens in and {usage.output:,} out{cost}")
        say(f"digest {found.digest}\n")
        folder = f"{self.out.rstrip('/')}/dialogues" + ("/" if is_url(self.out) else "")
        say(f"Next:  {program()} build RECIPE --input {shlex.quote(folder)}", markup=False)
