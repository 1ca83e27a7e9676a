"""Painting a training row in a terminal: one line a chunk, one column a stream, text beside it."""

import json
import sys
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from datagen.build import Build
from datagen.engines.base import TextTokenizer
from datagen.errors import DatagenError
from datagen.recipe import Recipe
from datagen.run.manifest import Manifest
from datagen.run.store import Store, open_store
from datagen.run.tables import from_parquet
from datagen.vocab import SPECIALS, Vocabulary

_STYLES = {"text": "green", "special": "magenta", "speech": "cyan", "unused": "red"}
_PIPED_WIDTH = 160
_SILENT = {"<|speech_silence|>", "<|text_silence|>"}


def read_row(store: Store, manifest: Manifest, task: str, index: int) -> dict[str, Any]:
    """Row `index` of a task, counted over all its files in the manifest's order.

    Raises:
        DatagenError: If there is no such task or row.
    """
    if task not in manifest.tasks:
        raise DatagenError(f"{store.url} has no rows of task {task!r}; it has {', '.join(manifest.tasks)}")
    left = index
    for file in manifest.files(task):
        if left < file.n_rows:
            row: dict[str, Any] = from_parquet(store.read(file.key), file.key).slice(left, 1).to_pylist()[0]
            return {**row, "split": file.split}
        left -= file.n_rows
    raise DatagenError(f"{task} has {index - left} rows; --row counts from 0")


def paint(out: str, task: str, index: int, n_chunks: int, codes: bool) -> None:
    """Print a row of a finished output; speech as coloured cells, or as numbers if asked for or without colour."""
    store = open_store(out)
    manifest = Manifest.load(store)
    row = read_row(store, manifest, task, index)
    console = Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=_PIPED_WIDTH)
    console.print(
        Text(f"{row['row_id']}  {row['split']}  {row['n_tokens']:,} tokens, {sum(row['loss_mask']):,} of them learned")
    )
    recipe = Recipe.model_validate(manifest.values["recipe"])
    vocabulary = Vocabulary.from_dict(manifest.values["vocabulary"])
    painter = _Painter(vocabulary, Build(recipe).text_tokenizer, codes or not console.is_terminal)
    if task in ("three_stream", "two_stream"):
        flat = recipe.flatten
        n_text = flat.text_chunk_tokens if task == "three_stream" else 0
        hop_ms = 1000 / manifest.values["clock"]["frame_rate_hz"]
        console.print(painter.chunks(row, flat.speech_chunk_tokens, n_text, hop_ms, n_chunks))
        total = row["n_tokens"] // (2 * flat.speech_chunk_tokens + n_text)
        if total > n_chunks:
            console.print(f"... {total - n_chunks} more chunks; --chunks {total} paints all")
    else:
        console.print(painter.runs(row))
    console.print(
        "[dim]speech: a cell or number a code; · silence; green: text; magenta: special tokens; dim: not learned[/]"
    )


class _Painter:
    def __init__(self, vocabulary: Vocabulary, tokenizer: TextTokenizer, codes: bool) -> None:
        self._vocabulary, self._tokenizer, self._codes = vocabulary, tokenizer, codes

    def chunks(self, row: dict[str, Any], n_speech: int, n_text: int, hop_ms: float, n_chunks: int) -> Table:
        """A table of chunks: time, marks, user speech, assistant text, assistant speech."""
        width = 2 * n_speech + n_text
        table = Table("s", "user speech", "assistant text", "assistant speech", box=None, header_style="bold")
        marks = {p // width: "user ends" for p in row["user_turn_ends"]} | {
            p // width: "barge-in" for p in row["barge_ins"]
        }
        table.add_column("")
        for chunk in range(min(row["n_tokens"] // width, n_chunks)):
            ids = row["input_ids"][chunk * width : (chunk + 1) * width]
            seconds = (row["start_frames"] + chunk * n_speech) * hop_ms / 1000
            table.add_row(
                f"{seconds:6.1f}",
                self._speech(ids[:n_speech], learned=False),
                self._text(ids[n_speech : n_speech + n_text]),
                self._speech(ids[n_speech + n_text :], learned=True),
                Text(marks.get(chunk, ""), style="bold yellow"),
            )
        return table

    def runs(self, row: dict[str, Any]) -> Text:
        """A row as runs of text, special tokens and speech."""
        painted, at, ids = Text(), 0, row["input_ids"]
        while at < len(ids):
            kind, learned = self._vocabulary.kind(ids[at]), row["loss_mask"][at]
            end = at
            while end < len(ids) and self._vocabulary.kind(ids[end]) == kind and row["loss_mask"][end] == learned:
                end += 1
            run = ids[at:end]
            if kind == "text":
                shown = self._plain(run)
            elif kind == "special":
                shown = "".join(self._special(token) for token in run)
            else:
                codes = [token - self._vocabulary.speech_offset for token in run]
                shown = " ".join(map(str, codes[:6])) + (f" ... {len(codes)} codes" if len(codes) > 6 else "")
            painted.append(f"{shown}  ", style=_STYLES[kind] + ("" if learned else " dim"))
            at = end
        return painted

    def _speech(self, ids: list[int], learned: bool) -> Text:
        """Speech tokens, the same code in the same colour; a dot where the stream is silent."""
        painted = Text()
        for token in ids:
            code = token - self._vocabulary.speech_offset
            if self._vocabulary.kind(token) != "speech":
                painted.append("   · " if self._codes else "·", style="magenta")
            elif self._codes:
                painted.append(f"{code:>4} ", style="cyan" if learned else "cyan dim")
            else:
                painted.append("█", style=f"color({16 + code * 97 % 216})")
        return painted

    def _text(self, ids: list[int]) -> Text:
        words = [token for token in ids if self._vocabulary.kind(token) == "text"]
        return Text(self._plain(words), style="green") if words else Text("·", style="magenta")

    def _plain(self, ids: list[int]) -> str:
        """The text of ids, with control characters spelled out so that data cannot steer the terminal."""
        return json.dumps(self._tokenizer.decode(ids), ensure_ascii=False)[1:-1]

    def _special(self, token: int) -> str:
        name = SPECIALS[token - self._vocabulary.special_offset]
        return "·" if name in _SILENT else name
