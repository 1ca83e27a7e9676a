"""Where commands print tables."""

import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

_PIPED_WIDTH = 160


def console(piped_width: int = _PIPED_WIDTH) -> Console:
    """Standard output: as wide as the terminal, or of one width wherever it is piped to."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else piped_width)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table of plain text: whatever lies in a cell, it neither colours nor moves anything.

    >>> table(["voice"], [["[red]a"]]).row_count
    1
    """
    made = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        made.add_row(*(Text("".join(c if c.isprintable() else "?" for c in cell)) for cell in row))
    return made
