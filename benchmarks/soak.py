"""A soak: kills, faults of a store and flipped bits by the thousand; one digest, and nothing left behind.

    python benchmarks/soak.py                          all campaigns, hours
    python benchmarks/soak.py --only build --kills 20  one of them, shortly

Results are appended to a file of JSON lines, one per round. A soak that was stopped resumes there:
rounds of the same seed count.
"""

import argparse
import importlib
import json
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Protocol

from soak_processes import Soaked, adopt_orphans, cpu_seconds, leftovers

KILLS = 1000
RAY_KILLS = 40
FAULTS = 10_000
LISTED = 5_000_000
FLIPS = 500
FLIPS_BETWEEN = 200
_MOST_EMPTY = 50
"""Rounds in which nothing was hit, one after the other, after which a campaign is given up."""
_DEFAULT_LOG = "out/soak.jsonl"


class Round(Protocol):
    """The result of a round."""

    blows: Counter[str]
    digest: str
    faults: list[str]

    @property
    def n(self) -> int:
        """Number of kills, faults or flips."""
        ...


class Running(Protocol):
    """A campaign under way."""

    unit: str
    spared: tuple[int, ...]
    """Processes of its servers."""

    def round(self, folder: Path, chance: random.Random, n_most: int, deadline: float) -> Round:
        """At most `n_most` blows in an empty folder, and what they did."""
        ...

    def close(self) -> None:
        """End its servers."""
        ...


@dataclass(frozen=True)
class Campaign:
    """A kind of blows and the number of them."""

    name: str
    n: int
    module: str
    """Imported when the campaign begins, because Ray, servers and torch are slow to import."""

    def open(self, base: Path) -> Running:
        """Begin in an empty base folder."""
        made: Running = importlib.import_module(self.module).campaign(self.name, base)
        return made


@dataclass(frozen=True)
class Line:
    """A line of the log: one round."""

    campaign: str
    seed: int
    round: int
    n: int
    unit: str
    digest: str
    seconds: float
    cpu_seconds: float
    blows: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def campaigns(options: argparse.Namespace) -> list[Campaign]:
    """All campaigns with their sizes; `--kills` scales the first ones."""
    from soak_kills import JOBS

    kills = [Campaign(name, max(1, round(share * options.kills)), "soak_kills") for name, (share, _) in JOBS.items()]
    return [
        *kills,
        Campaign("ray", options.ray_kills, "soak_ray"),
        Campaign("store", options.faults, "soak_store"),
        Campaign("listing", options.listed, "soak_listing"),
        Campaign("flips", options.flips, "soak_flips"),
        Campaign("flips_between", options.flips_between, "soak_flips"),
        Campaign("manifest", 1, "soak_flips"),
    ]


def lines(log: Path) -> Iterator[Line]:
    """The lines of a log; one that a killed soak left half written is skipped."""
    for line in log.read_text("utf-8").splitlines() if log.exists() else ():
        try:
            yield Line(**json.loads(line))
        except (ValueError, TypeError):
            continue


def soak(campaign: Campaign, options: argparse.Namespace, deadline: float) -> None:
    """Run rounds until the campaign has its number of blows, or time is up."""
    done = [line for line in lines(options.log) if (line.campaign, line.seed) == (campaign.name, options.seed)]
    n, k = sum(line.n for line in done), len(done)
    if n >= campaign.n or time.monotonic() > deadline:
        return
    base = Path(mkdtemp(prefix=f"soak-{campaign.name}-", dir=options.folder))
    running: Running | None = None
    failed, n_empty = False, 0
    try:
        running = campaign.open(base)
        while n < campaign.n and time.monotonic() < deadline:
            line = _round(running, campaign, base / f"round-{k}", options, k, campaign.n - n, deadline)
            with options.log.open("a", encoding="utf-8") as log:
                print(json.dumps(asdict(line)), file=log)
            _say(line, n, campaign.n)
            n, k, failed = n + line.n, k + 1, failed or bool(line.faults)
            n_empty = 0 if line.n else n_empty + 1
            if n_empty == _MOST_EMPTY:
                break
    finally:
        if running:
            running.close()
        for name in leftovers(seconds=5):
            print(f"  ended: {name}", file=sys.stderr)
        if not (failed and options.keep):
            shutil.rmtree(base, ignore_errors=True)


def _round(
    running: Running, campaign: Campaign, folder: Path, options: argparse.Namespace, k: int, n: int, deadline: float
) -> Line:
    folder.mkdir()
    begin, cpu = time.perf_counter(), cpu_seconds()
    blows, digest, faults, n_done = Counter[str](), "", list[str](), 0
    try:
        found = running.round(folder, random.Random(f"{options.seed} {campaign.name} {k}"), n, deadline)
        blows, digest, faults, n_done = found.blows, found.digest, found.faults, found.n
    except Soaked as error:
        faults = [f"the round broke off: {error}"]
    faults += [f"a process is left: {name}" for name in leftovers(running.spared)]
    if faults and options.keep:
        faults = [*faults, f"kept in {folder}"]
    else:
        shutil.rmtree(folder, ignore_errors=True)
    seconds = time.perf_counter() - begin
    used = cpu_seconds() - cpu
    return Line(
        campaign.name,
        options.seed,
        k,
        n_done,
        running.unit,
        digest,
        round(seconds, 2),
        round(used, 2),
        dict(sorted(blows.items())),
        faults,
    )


def _say(line: Line, n_before: int, n: int) -> None:
    print(
        f"{line.campaign}: round {line.round}, {n_before + line.n} of {n} {line.unit}, {line.seconds:.1f} s", flush=True
    )
    for fault in line.faults:
        print(f"  FAULT {fault}", flush=True)


def table(found: list[Line]) -> str:
    """One row per campaign.

    >>> print(table([Line("build", 0, k, 5, "kills", "ab", 1.0, 2.0) for k in range(2)]))
    campaign        rounds   number            digests  faults       s   CPU s  CPU s each
    build                2       10 kills            1       0       2       4        0.40
    """
    rows = [
        f"{'campaign':<15} {'rounds':>6} {'number':>8} {'':<10} {'digests':>7} {'faults':>7} {'s':>7} {'CPU s':>7} "
        f"{'CPU s each':>11}"
    ]
    for name in dict.fromkeys(line.campaign for line in found):
        its = [line for line in found if line.campaign == name]
        n, cpu = sum(line.n for line in its), sum(line.cpu_seconds for line in its)
        digests = len({line.digest for line in its if line.digest})
        n_faults, seconds = sum(len(line.faults) for line in its), sum(line.seconds for line in its)
        rows.append(
            f"{name:<15} {len(its):>6} {n:>8,} {its[-1].unit:<10} {digests:>7} {n_faults:>7} {seconds:>7,.0f} "
            f"{cpu:>7,.0f} {cpu / max(n, 1):>11.2f}"
        )
    return "\n".join(rows)


def blows(found: list[Line]) -> str:
    """Blows by kind over all campaigns."""
    sums = Counter[str]()
    for line in found:
        sums.update({f"{line.campaign} {name}": n for name, n in line.blows.items()})
    return "\n".join(f"{name:<60} {n:>7,}" for name, n in sorted(sums.items()))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", metavar="NAME", help="one campaign; may be given again")
    parser.add_argument("--minutes", type=float, default=1e6, help="begin no round after that time")
    parser.add_argument("--seed", type=int, default=0, help="of all chance")
    parser.add_argument("--kills", type=int, default=KILLS, help="over all kinds of work but Ray")
    parser.add_argument("--ray-kills", type=int, default=RAY_KILLS, help="on a Ray cluster")
    parser.add_argument("--faults", type=int, default=FAULTS, help="of an object store")
    parser.add_argument("--listed", type=int, default=LISTED, help="objects in the pretended listing")
    parser.add_argument("--flips", type=int, default=FLIPS, help="bits flipped in a finished build")
    parser.add_argument("--flips-between", type=int, default=FLIPS_BETWEEN, help="bits flipped before a resume")
    parser.add_argument("--log", type=Path, default=Path(_DEFAULT_LOG), help="file of JSON lines to append to")
    parser.add_argument("--folder", type=Path, help="where to work; by default a temporary folder")
    parser.add_argument("--keep", action="store_true", help="keep the folders of rounds with faults")
    parser.add_argument("--blows", action="store_true", help="print the kinds of blows too")
    options = parser.parse_args()
    options.log.parent.mkdir(parents=True, exist_ok=True)
    return options


def main() -> None:
    """Run the campaigns and print the table; exit status 1 if there are faults."""
    options = _options()
    adopt_orphans()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))  # folders and children are cleaned up
    known = campaigns(options)
    wanted: list[Any] = options.only or [campaign.name for campaign in known]
    if unknown := set(wanted) - {campaign.name for campaign in known}:
        raise SystemExit(f"no campaign {min(unknown)!r}; there are {', '.join(c.name for c in known)}")
    deadline = time.monotonic() + 60 * options.minutes
    for campaign in known:
        if campaign.name in wanted:
            soak(campaign, options, deadline)
    found = [line for line in lines(options.log) if line.seed == options.seed and line.campaign in wanted]
    print(f"\n{table(found)}")
    if options.blows:
        print(f"\n{blows(found)}")
    sys.exit(any(line.faults for line in found))


if __name__ == "__main__":
    main()
