"""Scores of a model's turn-taking on held-out rows (omniflatten.md, docs/training.md).

A row is scored in three ways, each harder to fool than the one before:

    teacher_forced   the model reads the row, and its likeliest choice counts, as the paper seems to
                     do; it reads the true reaction too, so a model that repeats its input does well
    unaided          the same predictions, drawn, up to the token of the true reaction only
    free_running     the row until shortly before the event, then only the user's channel; the model
                     reads its own tokens

Tokens are drawn with the model's probabilities, as such models run. The likeliest token nearly
always changes nothing, because an answer begins somewhere within half a second.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.clock import ceil_div
from datagen.errors import DatagenError
from datagen.evaluate.models import Model
from datagen.evaluate.scored_rows import Layout, Mask, full_duplex_tasks, rows
from datagen.evaluate.scores import PATIENCE_MS, TurnScores, hard_negatives, swayed
from datagen.seeds import Key, rng
from datagen.shards.manifest import Manifest
from datagen.shards.vocab import Vocabulary

_LEAD_MS = {"user_turn_ends": 2000, "barge_ins": 400}
"""Time before the event from which a model runs free and must not react yet."""
_REACTIONS = (("user_turn_ends", False), ("barge_ins", True))
"""Events, and True if the reaction is silence."""
_MOST_MS = 4000
"""Longest scored part of a hard negative, such as a long silence of the user."""
_PIECE_TOKENS = 512
"""Tokens read at once; scores of all choices are held for each."""
_CONTEXT_TOKENS = 4096
"""Longest context of a model that runs free."""


Given = tuple[int, NDArray[np.int32]]
"""Number of tokens of chunks before given tokens, and their ids."""


@dataclass(frozen=True)
class Player:
    """A model that predicts the assistant's stream of rows."""

    model: Model
    layout: Layout
    vocabulary: Vocabulary

    @cached_property
    def _codes(self) -> tuple[NDArray[np.int64], ...]:
        """Of each codebook: silence first, then all its other codes."""
        v = self.vocabulary
        every = (np.arange(begin, begin + size) for begin, size in zip(v.offsets, v.sizes, strict=True))
        return tuple(
            np.concatenate([[silence], codes[codes != silence]])
            for silence, codes in zip(self.layout.silence_ids, every, strict=False)
        )

    @cached_property
    def _texts(self) -> NDArray[np.int64]:
        return np.append(np.arange(self.vocabulary.n_text), self.vocabulary["<|text_silence|>"])

    def forced(self, ids: NDArray[np.int32], given: Sequence[Given] = ()) -> NDArray[np.float64]:
        """Probability that the first code of each frame is silence, given all true tokens before; [n_frames]."""
        self.model.restart()
        read, is_given = _with(ids, given)
        pieces = np.split(read, range(_PIECE_TOKENS, len(read), _PIECE_TOKENS))
        codes, chunk = self._codes[0], self.layout.chunk
        silence = np.concatenate([_silence(self.model.hear(piece, codes, len(piece))) for piece in pieces])
        silence = silence[~is_given]
        after = np.append(0.0, silence[:-1])  # the prediction after a token is about the next
        return after.reshape(-1, chunk.width)[:, chunk.assistant][:, :: chunk.n_codebooks].reshape(-1)

    def free(
        self,
        ids: NDArray[np.int32],
        first: int,
        n_chunks: int,
        chance: np.random.Generator,
        given: Sequence[Given] = (),
    ) -> Mask:
        """True where it is silent if it draws every token from a chunk on; bool [n_chunks x n_speech]."""
        width, n_speech, chunk_layout = self.layout.width, self.layout.n_speech, self.layout.chunk
        chunks = ids.reshape(-1, width)
        earliest = max(first - _CONTEXT_TOKENS // width, 0)
        self.model.restart()
        begin = earliest * width
        here = [(max(at - begin, 0), block) for at, block in given if at <= first * width and (not at or at >= begin)]
        heard = _with(chunks[earliest:first].reshape(-1), here)[0].astype(np.int64)
        results = {at // width: block for at, block in given if at > first * width}
        codes, texts = self._codes, self._texts
        silent = np.zeros((n_chunks, n_speech), np.bool_)
        for chunk in range(n_chunks):
            user = chunks[first + chunk, chunk_layout.user]
            heard = np.concatenate([heard, results.get(first + chunk, heard[:0]), user])
            for _ in range(chunk_layout.n_text):
                heard = texts[[_drawn(self.model.hear(heard, texts, 1), chance)]]
            for slot, codebook in np.ndindex(n_speech, len(codes)):
                choice = _drawn(self.model.hear(heard, codes[codebook], 1), chance)
                if codebook == 0:
                    silent[chunk, slot] = choice == 0
                heard = codes[codebook][[choice]]
        return silent.reshape(-1)


def _with(ids: NDArray[np.int32], given: Sequence[Given]) -> tuple[NDArray[np.int32], Mask]:
    """Ids with given tokens between them, and True where a token is given.

    >>> _with(np.array([1, 2], np.int32), [(0, np.array([7], np.int32))])[0].tolist()
    [7, 1, 2]
    """
    where = np.repeat([at for at, _ in given], [len(block) for _, block in given]).astype(np.int64)
    blocks = np.concatenate([ids[:0], *(block for _, block in given)])
    is_given = np.insert(np.zeros(len(ids), np.bool_), where, values=True)
    return np.asarray(np.insert(ids, where, blocks), ids.dtype), np.asarray(is_given, np.bool_)


def _silence(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Probability of the first choice, which is silence, among all choices.

    >>> _silence(np.log(np.array([[2, 1, 1]], np.float32))).round(6).tolist()
    [0.5]
    """
    likely = np.exp(scores - scores.max(axis=1, keepdims=True), dtype=np.float64)
    return np.asarray(likely[:, 0] / likely.sum(axis=1), np.float64)


def _drawn(scores: NDArray[np.float32], chance: np.random.Generator) -> int:
    """One of the choices, drawn by their scores (Gumbel-max)."""
    return int((scores[0] + chance.gumbel(size=scores.shape[1])).argmax())


def _run_start(true: Mask, at: int) -> int:
    """Start of the run of true tokens that ends just before a place; the place itself without one.

    >>> _run_start(np.array([False, True, True, False]), 3), _run_start(np.array([True, False]), 2)
    (1, 2)
    """
    others = np.flatnonzero(~true[:at])
    return int(others[-1]) + 1 if len(others) else 0


@dataclass
class Evaluation:
    """The scores of one model on one task."""

    player: Player
    seed: int = 0
    teacher_forced: TurnScores = field(init=False)
    unaided: TurnScores = field(init=False)
    free_running: TurnScores = field(init=False)

    def __post_init__(self) -> None:
        """Start without rows."""
        self.teacher_forced, self.unaided, self.free_running = (TurnScores(self.player.layout) for _ in range(3))

    def add(self, row: dict[str, Any], free: bool) -> None:
        """Score a row in all ways, or without `free` in all but the slow one."""
        truth = self.player.layout.silent(row["input_ids"])
        silence = self.player.forced(row["input_ids"], row.get("given", ()))
        self.teacher_forced.add_stream(row, silence >= 0.5)
        self._unaided(row, self._chance(row, "unaided").random(len(silence)) < silence, truth)
        if free:
            self._free_turns(row, truth)
            self._free_hard_negatives(row)
            self.free_running.n_rows += 1

    def _unaided(self, row: dict[str, Any], found: Mask, truth: Mask) -> None:
        for name, is_silence in _REACTIONS:
            wanted, true = (found, truth) if is_silence else (~found, ~truth)
            for begin, end, n_lead in self._events(row, name, true):
                getattr(self.unaided, name).add_one(wanted[: end + 1], begin, n_lead)
        self.unaided.add_hard_negatives(row, found)
        self.unaided.n_rows += 1

    def _free_turns(self, row: dict[str, Any], truth: Mask) -> None:
        n_patience = math.ceil(PATIENCE_MS / self.player.layout.frame_ms)
        for name, is_silence in _REACTIONS:
            for begin, _, n_lead in self._events(row, name, truth if is_silence else ~truth):
                first, stream = self._free(row, begin - n_lead, begin + n_patience)
                getattr(self.free_running, name).add_one(stream if is_silence else ~stream, begin - first, n_lead)

    def _events(self, row: dict[str, Any], name: str, true: Mask) -> Iterator[tuple[int, int, int]]:
        """Events to which the row reacts: scored from, true reaction, tokens before that must not react.

        An event whose reaction comes slightly before it, as in an overlap, is scored from there.
        """
        n_most = int(_LEAD_MS[name] / self.player.layout.frame_ms)
        n_patience = math.ceil(PATIENCE_MS / self.player.layout.frame_ms)
        for at in self.player.layout.places(row[name]).tolist():
            begin = _run_start(true, at)
            if at - begin > n_most:
                begin, n_lead = at, 0
            else:
                n_lead = min(begin - _run_start(~true, begin), n_most)
            if (reached := np.flatnonzero(true[begin : begin + n_patience])).size:
                yield begin, begin + int(reached[0]), n_lead

    def _free_hard_negatives(self, row: dict[str, Any]) -> None:
        layout = self.player.layout
        n_most = math.ceil(_MOST_MS / layout.frame_ms)
        for kind, start, end in zip(*hard_negatives(layout, row), strict=True):
            end = min(end, start + n_most)
            first, stream = self._free(row, start, end)
            was = swayed(stream, np.array([start - first]), np.array([end - first]))
            self.free_running.hard_negatives[kind] += 1
            self.free_running.n_swayed[kind] += int(was[0])

    def _free(self, row: dict[str, Any], start: int, end: int) -> tuple[int, Mask]:
        """Start and tokens of the model's own stream, from the chunk of one place until another."""
        n_speech = self.player.layout.n_speech
        n_all = len(row["input_ids"]) // self.player.layout.width
        first = max(start, 0) // n_speech
        last = min(ceil_div(end, n_speech), n_all)
        chance = self._chance(row, "free", start)
        n_chunks = max(last - first, 0)
        return first * n_speech, self.player.free(row["input_ids"], first, n_chunks, chance, row.get("given", ()))

    def _chance(self, row: dict[str, Any], *about: Key) -> np.random.Generator:
        """Random draws of a row, the same for every model, so that models meet equal luck."""
        return rng(self.seed, "evaluate", row["row_id"], *about)

    def table(self) -> dict[str, Any]:
        """All scores as plain values."""
        found = {"teacher_forced": self.teacher_forced, "unaided": self.unaided, "free_running": self.free_running}
        tables = {name: scores.table() for name, scores in found.items() if scores.n_rows}
        for name in ("assistant_turn_taking", "user_turn_taking"):  # nothing is scored after the true reaction
            tables["unaided"][name]["acc_at"] = dict.fromkeys(tables["unaided"][name]["acc_at"])
        return tables


def evaluate(
    manifest: Manifest,
    model: Model,
    task: str = "two_stream",
    split: str = "test",
    n_rows: int | None = None,
    free: bool = True,
    seed: int = 0,
    tell: Callable[[int], object] = lambda _: None,
) -> dict[str, Any]:
    """Score a model on rows of a full-duplex task.

    Args:
        manifest: Of a build.
        model: The model.
        task: `three_stream` or `two_stream`.
        split: Name of the split.
        n_rows: Number of rows to read; by default all.
        free: True to run it freely too, which takes a step of the model per token.
        seed: Seed of the draws.
        tell: Called with 1 after each row.

    Raises:
        DatagenError: If the build has no such rows.
    """
    tasks, url = full_duplex_tasks(manifest), manifest.store.url
    if task not in tasks:
        raise DatagenError(f"{url} has no full-duplex rows of {task!r}; it has {', '.join(tasks)}")
    if split not in (splits := manifest.tables[task]):
        fix = f"score one of these, as with --split {next(iter(splits))}" if splits else "add dialogues"
        raise DatagenError(f"{url} has no {split} rows of {task}; it has {', '.join(splits) or 'none'}; {fix}")
    layout = Layout.of(manifest, task)
    found = Evaluation(Player(model, layout, manifest.vocabulary), seed)
    for number, row in enumerate(rows(manifest.store, manifest, task, split)):
        if n_rows is not None and number >= n_rows:
            break
        found.add(row, free)
        tell(1)
    return found.table()
