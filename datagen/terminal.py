"""Terminal output of commands: harmless text, the console, tables and JSON."""

import json
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any
from unicodedata import category

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_PIPED_WIDTH = 160


def printable(text: str, keep: str = "") -> str:
    r"""Text with control characters spelled out, so that data cannot steer a terminal.

    Escape sequences, breaks of a line, changes of the direction of writing and unpaired surrogates are
    spelled as in JSON.

    Args:
        text: Any text.
        keep: Control characters that stay, such as a newline.

    >>> print(printable("a\x1b[2J\u202eb"))
    a\u001b[2J\u202eb
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep or category(c) == "Zs" else json.dumps(c)[1:-1] for c in text)


def counted(n: int, noun: str) -> str:
    """A count with its noun.

    >>> counted(1, "dialogue"), counted(2, "dialogue"), counted(0, "fault")
    ('1 dialogue', '2 dialogues', '0 faults')
    """
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def console(piped_width: int | None = _PIPED_WIDTH, *, stderr: bool = False) -> "Console":
    """Standard output, or standard error: as wide as the terminal, or of a fixed width in a pipe.

    Control characters in printed text are spelled out; colours and the movements of progress bars
    are not text.
    """
    file = sys.stderr if stderr else sys.stdout
    return _harmless_console()(highlight=False, width=None if file.isatty() else piped_width, stderr=stderr)


@cache
def _harmless_console() -> "type[Console]":
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class HarmlessConsole(Console):
        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
            for segment in super().render(renderable, options):
                text, style, control = segment
                yield segment if control else Segment(printable(text, keep="\n"), style)

    return HarmlessConsole


def table(columns: Sequence[str], rows: Iterable[Sequence[str]] = ()) -> "Table":
    """A table without lines. Text in `rows` neither colours nor moves anything.

    >>> table(["voice"], [["[red]a"]]).row_count
    1
    """
    from rich.table import Table
    from rich.text import Text

    made = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        made.add_row(*(Text(printable(cell)) for cell in row))
    return made


def print_json(values: Any) -> None:
    """Print plain values as JSON."""
    print(printable(json.dumps(values, indent=1, ensure_ascii=False), keep="\n"))
