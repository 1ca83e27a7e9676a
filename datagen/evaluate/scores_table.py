"""Printing turn-taking scores in a terminal."""

import json
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table


def print_json(values: dict[str, Any]) -> None:
    """Print plain values as JSON."""
    print(json.dumps(values, indent=1, ensure_ascii=False))


def table_of(*headings: str) -> Table:
    """A table without lines."""
    return Table(*headings, header_style="bold", box=None, pad_edge=False)


def show_scores(printer: Console, title: str, found: dict[str, Any]) -> None:
    """Print what `datagen.evaluate.scores.Scores` counted."""
    printer.print(f"[bold]{escape(title)}[/]: {found['n_rows']} rows, a chunk is {found['chunk_ms']:.0f} ms")
    table = table_of("", "n", "early", *(f"{how}@{k}" for how in ("at", "in") for k in (1, 5, 10, 25)))
    for column in ("mean ms", "median", "p95", "a chunk later", "failures"):
        table.add_column(column)
    for name in ("assistant_turn_taking", "user_turn_taking"):
        table.add_row(name.replace("_", " "), *_responses(found[name], found["chunk_ms"]))
    printer.print(table)
    for kind, counts in found["hard_negatives"].items():
        words = kind.replace("_", " ")
        printer.print(f"hard negative {words}: {counts['n_errors']} of {counts['n']} change what the assistant does")
    printer.print()


def _responses(scores: dict[str, Any], chunk_ms: float) -> list[str]:
    shares = [percent(share) for how in ("acc_at", "acc_within") for share in scores[how].values()]
    times = scores["response_ms"]
    later = None if times["mean"] is None else times["mean"] + chunk_ms
    counts = (f"{scores['n']:,}", f"{scores['n_early']:,}")
    return [*counts, *shares, *(ms(time) for time in (*times.values(), later)), f"{scores['n_failures']:,}"]


def percent(share: float | None) -> str:
    """A share as people read it.

    >>> percent(0.125), percent(None)
    ('12.5%', '-')
    """
    return "-" if share is None else f"{share:.1%}"


def ms(value: float | None) -> str:
    """Milliseconds as people read them."""
    return "-" if value is None else f"{value:.1f} ms"
