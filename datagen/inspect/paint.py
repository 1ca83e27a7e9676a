"""A training row painted in a terminal: one line per chunk, one column per stream."""

from collections.abc import Iterator
from itertools import islice

from rich.table import Table
from rich.text import Text

from datagen.inspect.rows import StoredRow
from datagen.terminal import console

_STYLES = {"text": "green", "special": "magenta", "speech": "cyan", "unused": "red"}
_PRINTED_CHUNKS = 60
_LEGEND = "speech: a cell or number a code; · silence; green: text; magenta: special tokens; dim: not learned"


def paint(row: StoredRow, n_chunks: int, codes: bool) -> None:
    """Print a row; speech as coloured cells, or as numbers with `codes` or without colour."""
    to = console()
    for part in _parts(row, n_chunks, codes or not to.is_terminal):
        to.print(part)


def painted(row: StoredRow) -> str:
    """A row as `print` shows it, in colours on a terminal."""
    to = console()
    with to.capture() as captured:
        for part in _parts(row, _PRINTED_CHUNKS, not to.is_terminal):
            to.print(part)
    return captured.get().rstrip("\n")


def _parts(row: StoredRow, n_chunks: int, codes: bool) -> Iterator[Text | Table]:
    yield Text(row.title)
    if row.is_streamed:
        yield _chunks(row, n_chunks, codes)
        if row.n_chunks > n_chunks:
            yield Text(f"... {row.n_chunks - n_chunks} more chunks; --chunks {row.n_chunks} paints all")
    else:
        runs = [(f"{run.shown}  ", _STYLES[run.kind] + ("" if run.learned else " dim")) for run in row.runs()]
        yield Text.assemble(*runs)
    yield Text(_LEGEND, style="dim")


def _chunks(row: StoredRow, n_chunks: int, codes: bool) -> Table:
    """A table of chunks: time, user speech, assistant text, assistant speech, marks."""
    table = Table("s", "user speech", "assistant text", "assistant speech", "", box=None, header_style="bold")
    for chunk in islice(row.chunks(), n_chunks):
        table.add_row(
            f"{chunk.start_samples / row.output.sample_rate_hz:6.1f}",
            _speech(chunk.user, codes, learned=False),
            Text(chunk.text, style="green") if chunk.text else Text("·", style="magenta"),
            _speech(chunk.assistant, codes, learned=True),
            Text(", ".join(chunk.marks), style="bold yellow"),
        )
    return table


def _speech(stream: tuple[int | None, ...], codes: bool, learned: bool) -> Text:
    """Speech codes, the same code in the same colour; a dot where the stream is silent."""
    painted = Text()
    for code in stream:
        if code is None:
            painted.append("   · " if codes else "·", style="magenta")
        elif codes:
            painted.append(f"{code:>4} ", style="cyan" if learned else "cyan dim")
        else:
            painted.append("█", style=f"color({16 + code * 97 % 216})")
    return painted
