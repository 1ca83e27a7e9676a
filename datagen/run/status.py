"""The progress of a running, killed or finished build, read from its output alone."""

from dataclasses import dataclass, replace

from datagen.errors import StoreError
from datagen.run.blocks import kept_blocks
from datagen.shards.manifest import MANIFEST, Manifest
from datagen.shards.markers import Tally, all_but, markers, missing
from datagen.shards.plan import PLAN, Plan, load_plan, units_per_file
from datagen.shards.store import Store
from datagen.shards.unit import Marker

_RECENT_SECONDS = 900
_RECENT_UNITS = 20
"""Speed is measured over the last quarter of an hour, or over this many units if they took longer."""


@dataclass(frozen=True)
class Status:
    """The progress of a build."""

    url: str
    finished: bool
    """True if the manifest exists."""
    n_units: int
    n_units_done: int
    n_records: int
    n_conversations: int
    n_rejects: int
    rejects: dict[str, int]
    """Count by `stage/reason`."""
    hours: float
    """Hours of conversation made."""
    hours_left: float | None
    """Estimate for the remaining units, from those done; None before the first."""
    realtime: float | None = None
    """Seconds of conversation per second of recent wall time, all workers together; None if too few units are done."""
    seconds_left: float | None = None
    """Remaining time at that speed."""
    n_blocks_kept: int = 0
    """Blocks made of unfinished units, if units have several; they count in none of these sums."""
    last_unit_at: int | None = None
    """Time of the newest unit, in seconds since 1970 by its worker's clock."""


def status(store: Store) -> Status:
    """Inspect an output: its manifest if it has one, otherwise one listing and every marker once.

    Raises:
        StoreError: If no build was planned there.
    """
    plan = load_plan(store)
    if plan is None:
        raise StoreError(f"{store.url} has no {PLAN}: there is no build, or its input is still being read")
    if store.exists(MANIFEST):
        m = Manifest.load(store)
        return Status(
            url=store.url,
            finished=True,
            n_units=m.n_units,
            n_units_done=m.n_units,
            n_records=m.n_records,
            n_conversations=m.n_conversations,
            n_rejects=m.n_rejects,
            rejects=m.rejects,
            hours=m.hours,
            hours_left=0.0,
        )
    tally, recent = Tally(), _Recent()
    for marker in markers(store, all_but(missing(store, plan.n_units), plan.n_units), plan.seal):
        tally.add(marker)
        recent.add(marker)
    n_blocks = sum(1 for _ in kept_blocks(store)) if units_per_file(plan.identity.recipe) > 1 else 0
    return replace(_unfinished(store.url, plan, tally, recent), n_blocks_kept=n_blocks)


def _unfinished(url: str, plan: Plan, tally: Tally, recent: "_Recent") -> Status:
    rate_hz, n_left = plan.identity.clock.sample_rate_hz, plan.n_units - tally.n_units
    hours = tally.hours(rate_hz)
    n_units, n_samples, seconds = recent.speed()
    return Status(
        url=url,
        finished=False,
        n_units=plan.n_units,
        n_units_done=tally.n_units,
        n_records=plan.n_records,
        n_conversations=tally.n_kept,
        n_rejects=tally.n_records - tally.n_kept,
        rejects=dict(sorted(tally.rejects.items())),
        hours=round(hours, 4),
        hours_left=round(hours / tally.n_units * n_left, 4) if tally.n_units else None,
        realtime=round(n_samples / rate_hz / seconds, 1) if seconds else None,
        seconds_left=round(seconds / n_units * n_left, 1) if seconds else None,
        last_unit_at=recent.newest(),
    )


class _Recent:
    """Speed from the times at which units were finished.

    Markers come in order of units, not of time, and from many workers. All recent units except the
    oldest were finished in the wall time between the oldest and the newest of them; pauses count.
    """

    def __init__(self) -> None:
        self._units: list[tuple[int, int]] = []
        """Time of each unit, and its samples."""

    def add(self, marker: Marker) -> None:
        if marker.finished_at:
            self._units.append((marker.finished_at, marker.n_samples))

    def newest(self) -> int | None:
        return max(self._units)[0] if self._units else None

    def speed(self) -> tuple[int, int, int]:
        """Units, their samples and their time in seconds; 0 seconds if too few units are done."""
        latest_first = sorted(self._units, reverse=True)
        recent = [
            unit
            for k, unit in enumerate(latest_first)
            if k < _RECENT_UNITS or latest_first[0][0] - unit[0] <= _RECENT_SECONDS
        ]
        if len(recent) < 2:
            return 0, 0, 0
        return len(recent) - 1, sum(n for _, n in recent[:-1]), recent[0][0] - recent[-1][0]
