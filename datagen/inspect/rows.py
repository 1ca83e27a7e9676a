"""One training row in readable parts: chunks of the streamed tasks, runs of the others."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from itertools import groupby, islice
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from datagen import records
from datagen.clock import ceil_div
from datagen.inspect.html import inert, render
from datagen.records import TRANSFERS
from datagen.shards.given import moved_back, without_given
from datagen.shards.layout import ChunkLayout
from datagen.shards.manifest import Manifest
from datagen.shards.vocab import SPECIALS, Vocabulary

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from datagen.engines.base import TextTokenizer

_SILENT = {"<|speech_silence|>", "<|text_silence|>"}
_STREAMED = ("three_stream", "two_stream", "parallel")
_SHOWN_CODES = 6
_HTML_CHUNKS = 60
"""Chunks that a notebook shows; all are in `Row.chunks`."""
_PRINTED_CHUNKS = 60
_REST_COLUMNS = 45
"""Characters that time, text and marks need at least beside the codes."""
_STYLES = {"text": "green", "special": "magenta", "speech": "cyan", "unused": "red"}
_LEGEND = "speech: one cell or number per frame, its first code; · silence; green: text; dim: the user's, not learned"
_LEGEND_OF_RUNS = "numbers: the first codes of a stretch of speech, and their count; green: text; dim: not learned"
_BLOCK = re.compile(r"(?=<\|so[st]\|>)")
"""Places within special tokens at which text or speech begins."""


class OpenedBuild(Protocol):
    """The part of an opened build that its rows use."""

    @property
    def manifest(self) -> Manifest:
        """Its manifest."""
        ...

    @property
    def sample_rate_hz(self) -> int:
        """Samples per second of all times in samples."""
        ...

    @property
    def vocabulary(self) -> Vocabulary:
        """The ranges of token ids."""
        ...

    @property
    def text_tokenizer(self) -> "TextTokenizer":
        """The text tokenizer that made the ids."""
        ...


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk of `three_stream` or `two_stream`, or that many columns of `parallel`."""

    start_samples: int
    """Its beginning in the conversation."""
    user: tuple[int | None, ...]
    """Speech codes of the user, of each frame that of the first codebook; None is silence."""
    text: str
    """Text of the assistant, control characters spelled out; empty if no text is due."""
    assistant: tuple[int | None, ...]
    """Speech codes of the assistant; None is silence."""
    marks: tuple[str, ...]
    """Ends of the user's turns, and events but floor transfers."""
    text_ids: tuple[int, ...] = ()
    """Text ids of the assistant."""


@dataclass(frozen=True, slots=True)
class TokenRun:
    """Neighbouring tokens of a row that are of one kind and learned or not."""

    kind: str
    """`text`, `special`, `speech` or `unused`."""
    learned: bool
    shown: str
    """Readable text, control characters spelled out."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class StoredRow(records.Row):
    """A training row of a build: all columns, and a painting of it for terminals and notebooks.

    Example:
        >>> row = output.row("three_stream", 0)  # doctest: +SKIP
        >>> print(row); row.input_ids, [chunk.text for chunk in row.chunks()]  # doctest: +SKIP
    """

    output: "OpenedBuild" = field(kw_only=True)

    @classmethod
    def of(cls, output: "OpenedBuild", row: records.Row) -> "StoredRow":
        """A stored row of a build."""
        return cls(**{field.name: getattr(row, field.name) for field in fields(row)}, output=output)

    @property
    def is_streamed(self) -> bool:
        """True if it is made of chunks."""
        return self.task in _STREAMED

    @property
    def layout(self) -> ChunkLayout:
        """Places of the streams in a chunk of `three_stream` or `two_stream`."""
        manifest = self.output.manifest
        return ChunkLayout.of(manifest.recipe["flatten"], manifest.row_codebooks, self.task)

    @property
    def _step(self) -> int:
        """Positions per chunk."""
        return self.layout.n_speech if self.task == "parallel" else self.layout.width

    @property
    def n_chunks(self) -> int:
        """Chunks; 0 if the task has none."""
        if not self.is_streamed:
            return 0
        return ceil_div(self.n_tokens if self.task == "parallel" else len(self.bare_ids), self._step)

    @property
    def bare_ids(self) -> NDArray[np.int32]:
        """The row without the tokens that the model is given: its chunks or turns."""
        return without_given(self.input_ids, self.given_starts, self.given_lengths)

    def given(self) -> list[tuple[int, str]]:
        """Given tokens: the chunk before which they stand, and their text; codes of a voice prompt counted.

        Empty for tasks without chunks.
        """
        shown = list[tuple[int, str]]()
        places = moved_back(self.given_starts, self.given_starts[1:], self.given_lengths[:-1])
        for start, n, at in zip(self.given_starts, self.given_lengths, places, strict=True):
            ids, v = self.input_ids[start : start + n], self.output.vocabulary
            text = self._text([token for token in ids.tolist() if v.kind(token) == "text"])
            n_codes = int((v.codes(ids) >= 0).sum())
            voice = f"{n_codes} codes of the assistant's voice" if n_codes else ""
            shown.append((int(at) // self._step, " + ".join(filter(None, (text, voice)))))
        return shown if self.is_streamed else []

    def chunks(self) -> Iterator[Chunk]:
        """Chunks in order; none of a task that has none."""
        step, n_speech, hop = self._step, self.layout.n_speech, self.output.manifest.clock.hop_samples
        marks, bare_ids = marks_of(self, step), self.bare_ids
        for index in range(self.n_chunks):
            user, text, assistant = self._streams(bare_ids[..., index * step : (index + 1) * step])
            text_ids = tuple(token for token in text.tolist() if self.output.vocabulary.kind(token) == "text")
            yield Chunk(
                start_samples=(self.start_frames + index * n_speech) * hop,
                user=_codes(user),
                text=self._text(text_ids),
                assistant=_codes(assistant),
                marks=tuple(marks.get(index, ())),
                text_ids=text_ids,
            )

    def _streams(self, ids: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
        """The user's first codes, text ids, and the assistant's first codes of a chunk; -1 is silence."""
        if self.task == "parallel":
            text, assistant, user = ids[0], ids[1], ids[1 + len(ids) // 2]
            return user, text, assistant
        layout, codes = self.layout, self.output.vocabulary.codes(ids)
        k = layout.n_codebooks
        return codes[layout.user][::k], ids[layout.text], codes[layout.assistant][::k]

    def runs(self) -> Iterator[TokenRun]:
        """The row as runs of text, special tokens and speech."""
        kind = self.output.vocabulary.kind
        tokens = zip(self.input_ids.tolist(), self.loss_mask.tolist(), strict=True)
        for (name, learned), run in groupby(tokens, key=lambda token: (kind(token[0]), token[1])):
            yield TokenRun(name, learned, self._shown(name, [token for token, _ in run]))

    def blocks(self) -> Iterator[list[TokenRun]]:
        """The runs in lines for a reader: each begins where text or speech is opened, as a turn does."""
        block = list[TokenRun]()
        for run in self.runs():
            for k, part in enumerate(_BLOCK.split(run.shown) if run.kind == "special" else [run.shown]):
                if k and any(held.kind != "special" for held in block):
                    yield block
                    block = []
                if part:
                    block.append(TokenRun(run.kind, run.learned, part))
        yield block

    def _shown(self, kind: str, ids: list[int]) -> str:
        if kind == "text":
            return self._text(ids)
        if kind == "special":
            return "".join(self._special(token) for token in ids)
        codes = self.output.vocabulary.codes(np.array(ids, np.int32)).tolist()
        rest = f" ... {len(codes)} codes" if len(codes) > _SHOWN_CODES else ""
        return " ".join(map(str, codes[:_SHOWN_CODES])) + rest

    def _text(self, ids: Sequence[int]) -> str:
        """The text of ids, with control characters spelled out so that data cannot steer a terminal."""
        return inert(self.output.text_tokenizer.decode(ids)) if ids else ""

    def _special(self, token: int) -> str:
        name = SPECIALS[token - self.output.vocabulary.special_offset]
        return "·" if name in _SILENT else name

    @property
    def title(self) -> str:
        """One line about it."""
        learned = int(self.loss_mask.sum())
        return f"{inert(self.row_id)}  {inert(self.split)}  {self._length}, {learned:,} of them learned"

    @property
    def _length(self) -> str:
        if self.input_ids.ndim == 1:
            return f"{len(self.input_ids):,} tokens"
        return f"{len(self.input_ids)} streams x {self.n_tokens:,} columns, {self.input_ids.size:,} tokens"

    def __str__(self) -> str:
        return painted(self)

    def __repr__(self) -> str:
        return f"Row({self.row_id!r}, {inert(self.split)}, {self._length})"

    def _repr_html_(self) -> str:
        return render("row", row=self, n_most=_HTML_CHUNKS)


def _codes(codes: NDArray[np.int32]) -> tuple[int | None, ...]:
    return tuple(None if code < 0 else code for code in codes.tolist())


def marks_of(row: records.Row, width: int) -> dict[int, list[str]]:
    """Marks of each chunk of a row: ends of the user's turns, and events but floor transfers.

    Args:
        row: Of a streamed task.
        width: Positions per chunk.
    """
    given = row.given_starts, row.given_lengths
    events = zip(row.event_kinds, row.event_roles, moved_back(row.event_starts, *given).tolist(), strict=True)
    named = [(position, "user ends") for position in moved_back(row.user_turn_ends, *given).tolist()]
    named += [(position, event_name(kind, role)) for kind, role, position in events if kind not in TRANSFERS]
    marks: dict[int, list[str]] = {}
    for position, name in sorted(named):
        marks.setdefault(position // width, []).append(name)
    return marks


def event_name(kind: str, role: str) -> str:
    """The readable name of an event.

    >>> event_name("barge_in", "assistant"), event_name("false_start", "user")
    ('barge-in (assistant)', 'false start')
    """
    return kind.replace("barge_in", "barge-in").replace("_", " ") + (" (assistant)" if role == "assistant" else "")


def event_meaning(kind: str) -> str:
    """The meaning of an event for a reader, without marks of code; empty for an unknown kind.

    >>> event_meaning("got_it")
    'a barge-in that signals understanding, so that the other moves on; same times as its barge-in'
    """
    named = re.sub(r"`(\w+_\w+)`", lambda found: event_name(found[1], ""), records.EVENTS.get(kind, ""))
    return re.sub(r"`([^`]+)`", r"“\1”", named)


def paint(row: StoredRow, n_chunks: int, codes: bool) -> None:
    """Print a row; speech as coloured cells, or as numbers with `codes` or without colour."""
    from datagen.terminal import console

    to = console()
    for part in _parts(row, n_chunks, codes or not to.is_terminal, to.width):
        to.print(part)


def painted(row: StoredRow) -> str:
    """A row as `print` shows it, in colours on a terminal."""
    from datagen.terminal import console

    to = console()
    with to.capture() as captured:
        for part in _parts(row, _PRINTED_CHUNKS, not to.is_terminal, to.width):
            to.print(part)
    return captured.get().rstrip("\n")


def _parts(row: StoredRow, n_chunks: int, codes: bool, width: int) -> "Iterator[Text | Table]":
    from rich.text import Text

    yield Text(row.title)
    for chunk, text in row.given():
        yield Text(f"given before chunk {chunk}: {text}", style="magenta")
    if row.is_streamed:
        yield _chunks(row, n_chunks, codes, width)
        if row.n_chunks > n_chunks:
            yield Text(f"... {row.n_chunks - n_chunks} more chunks; --chunks {row.n_chunks} paints all")
    else:
        yield _blocks(row)
    yield Text(_LEGEND if row.is_streamed else _LEGEND_OF_RUNS, style="dim")


def _blocks(row: StoredRow) -> "Table":
    """A table of the blocks of a row without chunks, and whether a model learns something of each."""
    from rich.table import Table
    from rich.text import Text

    table = Table("loss", "tokens", box=None, header_style="bold", padding=(0, 2, 0, 0))
    for block in row.blocks():
        shown = [(run.shown, _STYLES[run.kind] + ("" if run.learned else " dim")) for run in block]
        learned = any(run.learned for run in block)
        table.add_row("learned" if learned else "", Text("  ").join(Text(text, style) for text, style in shown))
    return table


def _chunks(row: StoredRow, n_chunks: int, codes: bool, width: int) -> "Table":
    """A table of chunks: time, user speech, assistant text, assistant speech, marks."""
    from rich.table import Table
    from rich.text import Text

    table = Table("s", "user speech", "assistant text", "assistant speech", "", box=None, header_style="bold")
    n_cells = row.layout.n_speech * (5 if codes else 1)
    for column in (table.columns[1], table.columns[3]):
        column.no_wrap = 2 * n_cells + _REST_COLUMNS <= width  # else codes, like text, continue on a second line
    for chunk in islice(row.chunks(), n_chunks):
        table.add_row(
            f"{chunk.start_samples / row.output.sample_rate_hz:6.1f}",
            Text.assemble(*_speech(chunk.user, codes, learned=False)),
            Text(chunk.text, style="green") if chunk.text else Text("·", style="magenta"),
            Text.assemble(*_speech(chunk.assistant, codes, learned=True)),
            Text(", ".join(chunk.marks), style="bold yellow"),
        )
    return table


def _speech(stream: tuple[int | None, ...], codes: bool, learned: bool) -> Iterator[tuple[str, str]]:
    """Speech codes with their styles, the same code in the same colour; a dot where the stream is silent."""
    for code in stream:
        if code is None:
            yield "   · " if codes else "·", "magenta"
        elif codes:
            yield f"{code:>4} ", "cyan" if learned else "cyan dim"
        else:
            yield "█", f"color({16 + code * 97 % 216})"
