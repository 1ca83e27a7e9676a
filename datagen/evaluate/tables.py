"""Tables of scores: rows are systems, columns are figures. As text, Markdown, HTML and JSON.

Names of rows come from users, so they are data in each of these formats.
"""

import html
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from io import StringIO
from typing import Any, Literal

import msgspec
from rich.console import Console
from rich.markup import escape

from datagen.errors import DatagenError
from datagen.evaluate.cells import EMPTY, Cell
from datagen.terminal import printable, table

_TEXT_WIDTH = 240
"""Of a file; the widest table has six figures."""
Shown = Literal["percent", "ms", "number"]
"""Formats of the values of a column."""


@dataclass(frozen=True, slots=True)
class Column:
    """A figure: its name, how it is written, and the units that n counts."""

    name: str
    shown: Shown
    of: str
    """Units of n, such as `words`."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """The figures of a system, a cell per column."""

    name: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Scores of several systems on the same units."""

    name: str
    """Short and stable, such as `asr`; unique within a document."""
    title: str
    columns: tuple[Column, ...]
    rows: tuple[TableRow, ...]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        name: str,
        title: str,
        columns: Sequence[Column],
        rows: Mapping[str, Mapping[str, Cell]],
        notes: Iterable[str] = (),
    ) -> "Table":
        """A table from the cells of each row by the name of their column; absent cells are empty.

        >>> made = Table.of("t", "T", [Column("wer", "percent", "words")], {"a": {}})
        >>> made.rows[0].cells[0].n
        0
        """
        made = (
            TableRow(row, tuple(cells.get(column.name, EMPTY) for column in columns)) for row, cells in rows.items()
        )
        return cls(name, title, tuple(columns), tuple(made), tuple(notes))

    @classmethod
    def failed(cls, name: str, reason: str) -> "Table":
        """In the place of a measure that failed.

        >>> print(Table.failed("asr", "no recognizer").markdown())
        **asr: failed**
        <BLANKLINE>
        no recognizer
        <BLANKLINE>
        """
        return cls(name, f"{name}: failed", (), (), (reason,))

    def cell(self, row: str, column: str) -> Cell:
        """The cell of a row and a column.

        Raises:
            KeyError: If there is no such row or column.
        """
        names = {each.name: k for k, each in enumerate(self.columns)}
        rows = {each.name: each.cells for each in self.rows}
        return rows[row][names[column]]

    def _texts(self) -> list[list[str]]:
        return [[row.name, *map(text_of, row.cells, self.columns)] for row in self.rows]

    def markdown(self) -> str:
        r"""The table in Markdown.

        >>> cell = Cell(0.125, 0.1, 0.15, 80, 3)
        >>> print(Table.of("t", "Words", [Column("WER", "percent", "words")], {"a|b": {"WER": cell}}).markdown())
        **Words**
        <BLANKLINE>
        | | WER (n: words) |
        |---|---|
        | a\|b | 12.5% (10 to 15, n 80) |
        <BLANKLINE>
        """
        heads = " | ".join(_marked(head_of(column)) for column in self.columns)
        lines = [f"| | {heads} |", "|---" * (len(self.columns) + 1) + "|"]
        lines += [f"| {' | '.join(map(_marked, texts))} |" for texts in self._texts()]
        parts = [f"**{_marked(self.title)}**", *["\n".join(lines)] * bool(self.columns), *map(_marked, self.notes)]
        return "\n\n".join(parts) + "\n"

    def html(self) -> str:
        """The table in HTML, without styles and scripts.

        >>> print(Table.of("t", "<T>", [Column("c", "ms", "events")], {"<b>": {}}).html())
        <table><caption>&lt;T&gt;</caption><tr><th></th><th>c (n: events)</th></tr>
        <tr><th scope="row">&lt;b&gt;</th><td>- (n 0)</td></tr></table>
        """
        heads = "".join(f"<th>{_plain(head_of(column))}</th>" for column in self.columns)
        head = f"<tr><th></th>{heads}</tr>" if self.columns else ""
        lines = [f"<table><caption>{_plain(self.title)}</caption>{head}"]
        for name, *texts in self._texts():
            cells = "".join(f"<td>{_plain(text)}</td>" for text in texts)
            lines.append(f'<tr><th scope="row">{_plain(name)}</th>{cells}</tr>')
        notes = "".join(f"\n<p>{_plain(note)}</p>" for note in self.notes)
        return "\n".join(lines) + "</table>" + notes

    def show(self, printer: Console) -> None:
        """Print the table."""
        printer.print(f"[bold]{escape(printable(self.title))}[/]")
        if self.columns:
            printer.print(table(["", *(escape(printable(head_of(each))) for each in self.columns)], self._texts()))
        for note in self.notes:
            printer.print(escape(printable(note)))
        printer.print()


def head_of(column: Column) -> str:
    """Title of a column, with the units that n counts.

    >>> head_of(Column("WER", "percent", "words"))
    'WER (n: words)'
    """
    return f"{column.name} (n: {column.of})"


def text_of(cell: Cell, column: Column) -> str:
    """A cell as text: value, interval, n.

    >>> text_of(Cell(210.0, None, None, 1200, 1), Column("response", "ms", "events"))
    '210 ms (n 1,200)'
    >>> text_of(EMPTY, Column("response", "ms", "events"))
    '- (n 0)'
    """
    if cell.value is None:
        return f"- (n {cell.n:,})"
    interval = "" if cell.low is None else f"{_bare(cell.low, column)} to {_bare(cell.high, column)}, "
    return f"{_as(cell.value, column)} ({interval}n {cell.n:,})"


def _bare(value: float | None, column: Column) -> str:
    """An end of an interval, without its unit."""
    if value is None:
        return "-"
    return f"{100 * value:.3g}" if column.shown == "percent" else _as(value, column).removesuffix(" ms")


def _as(value: float, column: Column) -> str:
    match column.shown:
        case "percent":
            return f"{value:.1%}"
        case "ms":
            return f"{value:.0f} ms"
        case _:
            return f"{value:.3f}" if value < 100 else f"{value:,.0f}"


def _marked(text: str) -> str:
    """Text that is no Markdown and stays on its line."""
    return html.escape("".join(f"\\{c}" if c in "\\|`*_[]" else c for c in printable(text)), quote=False)


def _plain(text: str) -> str:
    return html.escape(printable(text))


@dataclass(frozen=True, slots=True)
class Document:
    """Tables of one run of `datagen evaluate`, and the build that they are about."""

    build: str
    """Path or URL."""
    digest: str
    """Of the build."""
    split: str
    tables: tuple[Table, ...]

    def to_json(self) -> str:
        """The document as JSON; `of_json` reads it."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def of_json(cls, data: bytes, name: str) -> "Document":
        """Read what `to_json` wrote.

        Raises:
            DatagenError: If it is something else; names the field.
        """
        try:
            return msgspec.json.decode(data, type=cls)
        except msgspec.MsgspecError as error:
            raise DatagenError(
                f"{name} holds no scores ({error}); make it with `datagen evaluate ... --to FILE.json`"
            ) from error

    def markdown(self) -> str:
        """All tables in Markdown."""
        return "\n".join(each.markdown() for each in self.tables)

    def text(self) -> str:
        """All tables as plain text."""
        printer = Console(width=_TEXT_WIDTH, file=StringIO(), highlight=False)
        for each in self.tables:
            each.show(printer)
        return str(printer.file.getvalue())  # type: ignore[attr-defined]

    def html(self) -> str:
        """All tables in HTML."""
        return "\n".join(each.html() for each in self.tables)

    def plain(self) -> dict[str, Any]:
        """The document as plain values."""
        return asdict(self)
