"""Printing a report and an oracle's scores in a terminal."""

from typing import Any

from rich.markup import escape
from rich.table import Table

from datagen.evaluate.scores_table import ms, percent, show_scores, table_of
from datagen.measure.compared import ComparedTiming
from datagen.terminal import console


def show_report(report: dict[str, Any], out: str) -> None:
    """Print a report as tables, the human range beside each figure."""
    printer = console()
    printer.print(
        f"[bold]{escape(out)}[/]: {report['n_conversations']} conversations, {report['hours']:.2f} h, "
        f"recipe {escape(report['recipe'])}, profile {escape(report['profile'])}\n"
    )
    printer.print(_figures(report["figures"]))
    for title, table in (
        ("placed against asked for", _placement(report["placement"])),
        ("events", _events(report["events"])),
        ("heard against placed, within 60 ms", _voice(report["voice"])),
    ):
        if table.row_count:
            printer.print(f"\n[bold]{title}[/]")
            printer.print(table)
    reference = report["reference"]
    title = ComparedTiming(reference["name"], reference["human"], {}).title
    distances = ", ".join(f"{name} {ms(w1)}" for name, w1 in reference["w1_ms"].items())
    printer.print(f"\n[bold]W1 to {escape(title)}[/]: {distances}")


def _figures(figures: dict[str, Any]) -> Table:
    table = table_of("", "here", "human", "", "source")
    for name, figure in figures.items():
        human, inside = figure["human"], figure["inside"]
        scope = f"{number(name, human['low'])} to {number(name, human['high'])}" if human else ""
        mark = {True: "[green]in[/]", False: "[yellow]out[/]", None: ""}[inside]
        source = f"[dim]{human['source']}[/]" if human else ""
        table.add_row(words(name), number(name, figure["value"]), scope, mark, source)
    return table


def _placement(placement: dict[str, Any]) -> Table:
    table = table_of("offset", "n", "W1 to what was drawn", "W1 to the recipe's distribution", "that by chance")
    for name, figures in placement.items():
        if figures["n"]:
            distances = (figures.get(f"w1_{to}_ms") for to in ("to_drawn", "to_recipe", "by_chance"))
            table.add_row(words(name), f"{figures['n']:,}", *map(ms, distances))
    return table


def _events(events: list[dict[str, Any]]) -> Table:
    table = table_of("event", "by", "n", "a minute", "had no room")
    for event in events:
        row = (words(event["kind"]), event["role"], f"{event['n']:,}", f"{event['a_minute']:.2f}")
        table.add_row(*row, f"{event['n_without_room']:,}")
    return table


def _voice(voice: list[dict[str, Any]]) -> Table:
    table = table_of("detector", "channel", "conversations", "starts", "ends", "of what is detected")
    for row in voice:
        channel = f"{row['channel']}, {'clean' if row['clean'] else 'noisy'}"
        shares = (percent(row[name]) for name in ("onsets_share", "offsets_share", "explained_share"))
        table.add_row(row["detector"], channel, f"{row['n_conversations']:,}", *shares)
    return table


def show_oracle(scores: dict[str, Any], out: str) -> None:
    """Print the scores of a perfect model by task."""
    printer = console()
    for task, found in scores.items():
        show_scores(printer, f"{out} {task}", found)


def number(name: str, value: float | None) -> str:
    """A figure in the unit its name ends in."""
    if value is None:
        return "-"
    if name.endswith("_share"):
        return percent(value)
    return f"{value:.0f} ms" if name.endswith("_ms") else f"{value:.2f}"


def words(name: str) -> str:
    """A name as a person reads it, without its unit.

    >>> words("fto_below_200_share"), words("user_fto")
    ('FTO below 200', 'user FTO')
    """
    plain = name.removesuffix("_ms").removesuffix("_share").replace("barge_in", "barge-in").replace("_", " ")
    return plain.replace("fto", "FTO").replace("ipu", "IPU")
