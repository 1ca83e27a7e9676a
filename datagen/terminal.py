"""Terminal output of commands: the console, tables and JSON."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

_PIPED_WIDTH = 160


def console(piped_width: int = _PIPED_WIDTH) -> Console:
    """Standard output: as wide as the terminal, or of a fixed width in a pipe."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else piped_width)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]] = ()) -> Table:
    """A table without lines. Text in `rows` neither colours nor moves anything.

    >>> table(["voice"], [["[red]a"]]).row_count
    1
    """
    made = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        made.add_row(*(Text("".join(c if c.isprintable() else "?" for c in cell)) for cell in row))
    return made


def print_json(values: Any) -> None:
    """Print plain values as JSON."""
    print(json.dumps(values, indent=1, ensure_ascii=False))
