"""Printing a report and an oracle's scores in a terminal."""

import json
import sys
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_PIPED_WIDTH = 160


def _console() -> Console:
    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=_PIPED_WIDTH)


def print_json(values: dict[str, Any]) -> None:
    """Print plain values as JSON."""
    print(json.dumps(values, indent=1, ensure_ascii=False))


def _table(*headings: str) -> Table:
    return Table(*headings, header_style="bold", box=None, pad_edge=False)


def show_report(report: dict[str, Any], out: str) -> None:
    """Print a report as tables, people's range beside each figure."""
    console = _console()
    console.print(
        f"[bold]{escape(out)}[/]: {report['n_conversations']} conversations, {report['hours']:.2f} h, "
        f"recipe {escape(report['recipe'])}, profile {escape(report['profile'])}\n"
    )
    console.print(_figures(report["figures"]))
    for title, table in (
        ("placed against asked for", _placement(report["placement"])),
        ("events", _events(report["events"])),
        ("heard against placed, within 60 ms", _voice(report["voice"])),
    ):
        if table.row_count:
            console.print(f"\n[bold]{title}[/]")
            console.print(table)
    if report["reference"]:
        distances = ", ".join(f"{name} {_ms(w1)}" for name, w1 in report["reference"]["w1_ms"].items())
        console.print(f"\n[bold]W1 to {escape(report['reference']['profile'])}[/]: {distances}")


def _figures(figures: dict[str, Any]) -> Table:
    table = _table("", "here", "people", "", "source")
    for name, figure in figures.items():
        people, inside = figure["people"], figure["inside"]
        scope = f"{number(name, people['low'])} to {number(name, people['high'])}" if people else ""
        mark = {True: "[green]in[/]", False: "[yellow]out[/]", None: ""}[inside]
        source = f"[dim]{people['source']}[/]" if people else ""
        table.add_row(words(name), number(name, figure["value"]), scope, mark, source)
    return table


def _placement(placement: dict[str, Any]) -> Table:
    table = _table("offset", "n", "W1 to what was drawn", "W1 to the recipe's distribution", "that by chance")
    for name, figures in placement.items():
        if figures["n"]:
            distances = (figures.get(f"w1_{to}_ms") for to in ("to_drawn", "to_recipe", "by_chance"))
            table.add_row(words(name), f"{figures['n']:,}", *map(_ms, distances))
    return table


def _events(events: list[dict[str, Any]]) -> Table:
    table = _table("event", "by", "n", "a minute", "had no room")
    for event in events:
        row = (words(event["kind"]), event["role"], f"{event['n']:,}", f"{event['a_minute']:.2f}")
        table.add_row(*row, f"{event['n_without_room']:,}")
    return table


def _voice(voice: list[dict[str, Any]]) -> Table:
    table = _table("detector", "channel", "conversations", "starts", "ends", "of what is detected")
    for row in voice:
        channel = f"{row['channel']}, {'clean' if row['clean'] else 'noisy'}"
        shares = (_percent(row[name]) for name in ("onsets_share", "offsets_share", "explained_share"))
        table.add_row(row["detector"], channel, f"{row['n_conversations']:,}", *shares)
    return table


def show_oracle(scores: dict[str, Any], out: str) -> None:
    """Print the scores of a perfect model by task."""
    console = _console()
    for task, found in scores.items():
        console.print(f"[bold]{escape(out)} {task}[/]: {found['n_rows']} rows, a chunk is {found['chunk_ms']:.0f} ms")
        table = _table("", "n", *(f"{how}@{k}" for how in ("at", "in") for k in (1, 5, 10, 25)))
        for column in ("mean ms", "median", "p95", "a chunk later", "failures"):
            table.add_column(column)
        for name in ("assistant_turn_taking", "user_turn_taking"):
            table.add_row(words(name), *_responses(found[name], found["chunk_ms"]))
        console.print(table)
        for kind, counts in found["hard_negatives"].items():
            console.print(
                f"hard negative {words(kind)}: {counts['n_errors']} of {counts['n']} change what the assistant does"
            )
        console.print()


def _responses(scores: dict[str, Any], chunk_ms: float) -> list[str]:
    shares = [_percent(share) for how in ("acc_at", "acc_within") for share in scores[how].values()]
    times = scores["response_ms"]
    later = None if times["mean"] is None else times["mean"] + chunk_ms
    return [f"{scores['n']:,}", *shares, *(_ms(time) for time in (*times.values(), later)), f"{scores['n_failures']:,}"]


def number(name: str, value: float | None) -> str:
    """A figure in the unit its name ends in."""
    if value is None:
        return "-"
    if name.endswith("_share"):
        return _percent(value)
    return f"{value:.0f} ms" if name.endswith("_ms") else f"{value:.2f}"


def words(name: str) -> str:
    """A name as a person reads it, without its unit.

    >>> words("fto_below_200_share"), words("user_fto")
    ('FTO below 200', 'user FTO')
    """
    plain = name.removesuffix("_ms").removesuffix("_share").replace("barge_in", "barge-in").replace("_", " ")
    return plain.replace("fto", "FTO").replace("ipu", "IPU")


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} ms"
