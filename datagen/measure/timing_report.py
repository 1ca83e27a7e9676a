"""The timing report of a build, as JSON and as tables in a terminal."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from rich.markup import escape
from rich.table import Table

from datagen.evaluate.scores import ms, percent
from datagen.measure.battery import Battery, Durations
from datagen.measure.compared_timing import HUMAN, ComparedTiming, measured
from datagen.measure.crosscheck import Detector, cross_check
from datagen.measure.timelines import Measured, conversations
from datagen.records import Streams
from datagen.shards.manifest import Manifest
from datagen.shards.store import Store
from datagen.terminal import console, table

VERSION = 2
"""Version of the shape of `as_json`."""
_SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)


def measure(store: Store, manifest: Manifest, tell: Callable[[int], object] = lambda _: None) -> Measured:
    """Measure the stored timelines of a build, one file at a time; calls `tell` with 1 after each conversation."""
    found = Measured(Battery(manifest.clock.sample_rate_hz))
    for streams in conversations(store, manifest):
        found.add(streams)
        tell(1)
    return found


def hear(
    store: Store,
    manifest: Manifest,
    detectors: dict[str, Detector],
    n_most: int,
    tell: Callable[[int], object] = lambda _: None,
) -> list[dict[str, Any]]:
    """Run the voice check on the first conversations of a build; empty if it kept no audio.

    Calls `tell` with 1 after each conversation.
    """
    recipe = manifest.recipe
    if not n_most or not manifest.has_audio:
        return []
    margin_ms = recipe["speak"]["trim_margin_ms"]

    def counted() -> Iterator[Streams]:
        for streams in conversations(store, manifest, with_audio=True):
            yield streams
            tell(1)

    return cross_check(counted(), detectors, n_most, margin_ms)


def as_json(
    found: Measured, manifest: Manifest, voice: list[dict[str, Any]], compared: ComparedTiming | None = None
) -> dict[str, Any]:
    """A report as plain values; docs/timing.md describes the shape.

    Args:
        found: The measured timelines.
        manifest: Of the build.
        voice: Result of `hear`.
        compared: The reference; by default the timing that the build's own recipe requests.
    """
    from datagen.recipe import stored

    battery, recipe = found.battery, stored(manifest.recipe)
    compared = compared or ComparedTiming.of_build(manifest)
    durations = {"fto": battery.fto, **battery.durations, "overlap": battery.overlap}
    ours = measured(battery)
    return {
        "version": VERSION,
        "recipe": recipe.name,
        "profile": recipe.timing.profile,
        "n_conversations": battery.n_conversations,
        "hours": battery.minutes / 60,
        "figures": {name: _figure(name, value) for name, value in battery.figures().items()},
        "parts_share": {part: n / battery.n_samples for part, n in battery.parts.items() if battery.n_samples},
        "durations": {name: _spread(values) for name, values in durations.items()},
        "placement": found.placement.figures(recipe.timing),
        "events": _events(found),
        "reference": {
            "name": compared.name,
            "human": compared.is_human,
            "w1_ms": {what: ours[what].w1(theirs) for what, theirs in compared.durations.items()},
        },
        "voice": voice,
    }


def _figure(name: str, value: float | None) -> dict[str, Any]:
    human = HUMAN.get(name)
    return {
        "value": value,
        "human": human and {"low": human.low, "high": human.high, "source": human.source},
        "inside": human.holds(value) if human and value is not None else None,
    }


def _spread(durations: Durations) -> dict[str, Any]:
    values = durations.quantiles(_SHARES) if durations.n else [None] * len(_SHARES)
    return {
        "n": durations.n,
        "mean_ms": durations.mean(),
        "quantiles_ms": {f"{share:g}": value for share, value in zip(_SHARES, values, strict=True)},
    }


def _events(found: Measured) -> list[dict[str, Any]]:
    names = sorted({(kind, role) for kind, role, _ in found.events})
    return [
        {
            "kind": kind,
            "role": role,
            "n": found.events[kind, role, True],
            "n_without_room": found.events[kind, role, False],
            "a_minute": found.events[kind, role, True] / found.battery.minutes,
        }
        for kind, role in names
    ]


def show_report(report: dict[str, Any], out: str) -> None:
    """Print a report as tables, with the human range of each figure."""
    printer = console()
    printer.print(
        f"[bold]{escape(out)}[/]: {report['n_conversations']} conversations, {report['hours']:.2f} h, "
        f"recipe {escape(report['recipe'])}, profile {escape(report['profile'])}\n"
    )
    printer.print(_figure_table(report["figures"]))
    for title, shown in (
        ("placed against requested", _placement_table(report["placement"])),
        ("events", _event_table(report["events"])),
        ("detected against placed, within 60 ms", _voice_table(report["voice"])),
    ):
        if shown.row_count:
            printer.print(f"\n[bold]{title}[/]")
            printer.print(shown)
    reference = report["reference"]
    title = ComparedTiming(reference["name"], reference["human"], {}).title
    distances = ", ".join(f"{name} {ms(w1)}" for name, w1 in reference["w1_ms"].items())
    printer.print(f"\n[bold]W1 to {escape(title)}[/]: {distances}")


def _figure_table(figures: dict[str, Any]) -> Table:
    shown = table(["", "here", "human", "", "source"])
    for name, figure in figures.items():
        human = figure["human"]
        scope = f"{number(name, human['low'])} to {number(name, human['high'])}" if human else ""
        mark = {True: "[green]in[/]", False: "[yellow]out[/]", None: ""}[figure["inside"]]
        source = f"[dim]{human['source']}[/]" if human else ""
        shown.add_row(words(name), number(name, figure["value"]), scope, mark, source)
    return shown


def _placement_table(placement: dict[str, Any]) -> Table:
    shown = table(["offset", "n", "W1 to the drawn offsets", "W1 to the recipe's distribution", "by chance"])
    for name, figures in placement.items():
        if figures["n"]:
            distances = (figures.get(f"w1_{to}_ms") for to in ("to_drawn", "to_recipe", "by_chance"))
            shown.add_row(words(name), f"{figures['n']:,}", *map(ms, distances))
    return shown


def _event_table(events: list[dict[str, Any]]) -> Table:
    shown = table(["event", "by", "n", "per minute", "had no room"])
    for event in events:
        counts = (f"{event['n']:,}", f"{event['a_minute']:.2f}", f"{event['n_without_room']:,}")
        shown.add_row(escape(words(event["kind"])), escape(event["role"]), *counts)
    return shown


def _voice_table(voice: list[dict[str, Any]]) -> Table:
    shown = table(["detector", "channel", "conversations", "starts", "ends", "of the detected ones"])
    for row in voice:
        channel = f"{row['channel']}, {'clean' if row['clean'] else 'noisy'}"
        shares = (percent(row[name]) for name in ("onsets_share", "offsets_share", "explained_share"))
        shown.add_row(row["detector"], channel, f"{row['n_conversations']:,}", *shares)
    return shown


def number(name: str, value: float | None) -> str:
    """A figure in the unit that its name ends in."""
    if value is None:
        return "-"
    if name.endswith("_share"):
        return percent(value)
    return f"{value:.0f} ms" if name.endswith("_ms") else f"{value:.2f}"


def words(name: str) -> str:
    """A name for a reader, without its unit.

    >>> words("fto_below_200_share"), words("user_fto"), words("gaps_a_minute")
    ('FTO below 200 ms', 'user FTO', 'gaps per minute')
    """
    plain = name.removesuffix("_ms").removesuffix("_share").replace("barge_in", "barge-in").replace("_", " ")
    plain = re.sub(r"below \d+$", r"\g<0> ms", plain.replace(" a minute", " per minute"))
    return plain.replace("fto", "FTO").replace("ipu", "IPU")
