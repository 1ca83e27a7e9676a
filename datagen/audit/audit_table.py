"""Findings as a table of a terminal, and as JSON."""

from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape

from datagen.audit.finding import Finding
from datagen.shards.manifest import Manifest
from datagen.terminal import table

_COLUMNS = ("predictor", "verdict", "score", "by chance", "limit", "n", "what it means")


def as_json(findings: list[Finding]) -> list[dict[str, Any]]:
    """All fields of all findings."""
    return [asdict(finding) for finding in findings]


def cells(finding: Finding) -> tuple[str, ...]:
    """A finding as a line of a table."""
    sign = "≥ " if finding.at_least else ""
    limit = "" if finding.limit is None else sign + number(finding.limit)
    name = finding.name.replace("_", " ")
    return (
        name,
        finding.verdict,
        number(finding.score),
        number(finding.chance),
        limit,
        f"{finding.n:,}",
        finding.meaning,
    )


def number(value: float | None) -> str:
    """A score for a table: a share in percent, a ratio above 1 unchanged.

    >>> number(0.123), number(0.0027), number(2.31), number(None)
    ('12.3%', '0.27%', '2.31', '–')
    """
    if value is None:
        return "–"
    return f"{value:.2f}" if value > 1 else f"{value:.2%}" if 0 < value < 0.01 else f"{value:.1%}"


def show(findings: list[Finding], printer: Console) -> None:
    """Print a table, then examples and figures of what failed."""
    printer.print(table(_COLUMNS, map(cells, findings)))
    for finding in findings:
        if finding.verdict == "fail":
            printer.print(f"\n[bold]{escape(finding.name.replace('_', ' '))}[/]")
            figures = ", ".join(f"{name.replace('_', ' ')} {figure(value)}" for name, value in finding.figures.items())
            printer.print(escape(figures), style="dim")
            printer.print(table(("dialogue", "example"), ((e.dialogue_id, e.text) for e in finding.examples)))


def title(manifest: Manifest, n_most: int) -> str:
    """What is audited, and how much of it is read."""
    n = manifest.n_conversations
    read = f"{n:,} conversations" if n <= n_most else f"about {n_most:,} of {n:,} conversations, all texts for twins"
    return f"{manifest.store.url}: {read}, {manifest.hours:,.2f} h\n"


def figure(value: float) -> str:
    """A further figure: a share, a time or a count.

    >>> figure(0.25), figure(3.0), figure(1160.4)
    ('0.25', '3', '1,160')
    """
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"
