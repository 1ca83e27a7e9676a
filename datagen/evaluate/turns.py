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
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from datagen.clock import ceil_div
from datagen.evaluate.cells import Cell, ratio
from datagen.evaluate.player import Player
from datagen.evaluate.scored_rows import Layout, Mask, group_of
from datagen.evaluate.scores import ACC_TOKENS, PATIENCE_MS, Responses, TurnScores, hard_negatives, swayed
from datagen.evaluate.tables import Column, Table
from datagen.seeds import Key, rng

_LEAD_MS = {"user_turn_ends": 2000, "barge_ins": 400}
"""Time before the event from which a model runs free and must not react yet."""
_REACTIONS = (("user_turn_ends", False), ("barge_ins", True))
"""Events, and True if the reaction is silence."""
_MOST_MS = 4000
"""Longest scored part of a hard negative, such as a long silence of the user."""


def _run_start(true: Mask, at: int) -> int:
    """Start of the run of true tokens that ends just before a place; the place itself without one.

    >>> _run_start(np.array([False, True, True, False]), 3), _run_start(np.array([True, False]), 2)
    (1, 2)
    """
    others = np.flatnonzero(~true[:at])
    return int(others[-1]) + 1 if len(others) else 0


Way = Literal["teacher_forced", "unaided", "free_running"]
WAYS: tuple[Way, ...] = ("free_running", "unaided", "teacher_forced")
"""From what a model does by itself to what it does after it has read the true answer."""


def events(layout: Layout, row: dict[str, Any], name: str, true: Mask) -> Iterator[tuple[int, int, int]]:
    """Events to which the row reacts: scored from, true reaction, frames before that must not react.

    An event whose reaction comes slightly before it, as in an overlap, is scored from there.

    Args:
        layout: Of the row.
        row: A row.
        name: `user_turn_ends` or `barge_ins`.
        true: True for frames in which the row itself reacts.
    """
    n_most = int(_LEAD_MS[name] / layout.frame_ms)
    n_patience = math.ceil(PATIENCE_MS / layout.frame_ms)
    for at in layout.places(row[name]).tolist():
        begin = _run_start(true, at)
        if at - begin > n_most:
            begin, n_lead = at, 0
        else:
            n_lead = min(begin - _run_start(~true, begin), n_most)
        if (reached := np.flatnonzero(true[begin : begin + n_patience])).size:
            yield begin, begin + int(reached[0]), n_lead


def stream_scores(layout: Layout, row: dict[str, Any], silent: Mask, until_true: bool = False) -> TurnScores:
    """Scores of a whole stream in place of the row's own.

    Args:
        layout: Of the row.
        row: A row.
        silent: True where the stream is silent, of the length of the row's own.
        until_true: True to score an event only up to the row's own reaction to it.
    """
    found, truth = TurnScores(layout, n_rows=1), layout.silent(row["input_ids"])
    for name, is_silence in _REACTIONS:
        wanted, true = (silent, truth) if is_silence else (~silent, ~truth)
        for begin, end, n_lead in events(layout, row, name, true):
            getattr(found, name).add_one(wanted[: end + 1] if until_true else wanted, begin, n_lead)
    found.add_hard_negatives(row, silent)
    return found


def reactions(layout: Layout, row: dict[str, Any], silent: Mask) -> list[int | None]:
    """Frame in which a stream reacts to each event within the patience; None: too early, or not at all."""
    found: list[int | None] = []
    truth = layout.silent(row["input_ids"])
    n_patience = math.ceil(PATIENCE_MS / layout.frame_ms)
    for name, is_silence in _REACTIONS:
        wanted, true = (silent, truth) if is_silence else (~silent, ~truth)
        for begin, _, n_lead in events(layout, row, name, true):
            early = wanted[max(begin - n_lead, 0) : begin].any()
            reached = np.flatnonzero(wanted[begin : begin + n_patience])
            found.append(begin + int(reached[0]) if reached.size and not early else None)
    return found


PerRow = list[tuple[str, TurnScores]]
"""The dialogue of each row, and its scores."""


@dataclass
class Evaluation:
    """The scores of one model on one task, row by row."""

    player: Player
    seed: int = 0
    found: dict[Way, PerRow] = field(default_factory=dict)

    def add(self, row: dict[str, Any], free: bool) -> None:
        """Score a row in all ways, or without `free` in all but the slow one."""
        self._add("teacher_forced", row, TurnScores(self.player.layout))
        silence = self.player.forced(row["input_ids"], row.get("given", ()))
        self.found["teacher_forced"][-1][1].add_stream(row, silence >= 0.5)
        drawn = self._chance(row, "unaided").random(len(silence)) < silence
        self._add("unaided", row, stream_scores(self.player.layout, row, drawn, until_true=True))
        if free:
            self._add("free_running", row, self._free_scores(row))

    def _add(self, way: Way, row: dict[str, Any], scores: TurnScores) -> None:
        self.found.setdefault(way, []).append((group_of(row), scores))

    def _free_scores(self, row: dict[str, Any]) -> TurnScores:
        """Scores of what the model does around each event, after the row's own past."""
        layout = self.player.layout
        found, truth = TurnScores(layout, n_rows=1), layout.silent(row["input_ids"])
        n_patience = math.ceil(PATIENCE_MS / layout.frame_ms)
        for name, is_silence in _REACTIONS:
            for begin, _, n_lead in events(layout, row, name, truth if is_silence else ~truth):
                first, stream = self._free(row, begin - n_lead, begin + n_patience)
                getattr(found, name).add_one(stream if is_silence else ~stream, begin - first, n_lead)
        n_most = math.ceil(_MOST_MS / layout.frame_ms)
        for kind, start, end in zip(*hard_negatives(layout, row), strict=True):
            end = min(end, start + n_most)
            first, stream = self._free(row, start, end)
            was = swayed(stream, np.array([start - first]), np.array([end - first]))
            found.hard_negatives[kind] += 1
            found.n_swayed[kind] += int(was[0])
        return found

    def _free(self, row: dict[str, Any], start: int, end: int) -> tuple[int, Mask]:
        """Start and tokens of the model's own stream, from the chunk of one place until another."""
        n_speech = self.player.layout.n_speech
        n_all = len(row["input_ids"]) // self.player.layout.width
        first = max(start, 0) // n_speech
        last = min(ceil_div(end, n_speech), n_all)
        chance = self._chance(row, "free", start)
        n_chunks = max(last - first, 0)
        played = self.player.free(row["input_ids"], first, n_chunks, chance, row.get("given", ()))
        return first * n_speech, played.silent

    def _chance(self, row: dict[str, Any], *about: Key) -> np.random.Generator:
        """Random draws of a row, the same for every model, so that models meet equal luck."""
        return rng(self.seed, "evaluate", row["row_id"], *about)


def turn_taking(
    rows: Iterable[dict[str, Any]],
    player: Player,
    free: bool = True,
    seed: int = 0,
    tell: Callable[[int], object] = lambda _: None,
) -> Evaluation:
    """Score a model on full-duplex rows.

    Args:
        rows: As `scored_rows.split_rows` reads them.
        player: The model.
        free: True to run it freely too, which takes a step of the model per token.
        seed: Seed of the draws.
        tell: Called with 1 after each row.
    """
    found = Evaluation(player, seed)
    for row in rows:
        found.add(row, free)
        tell(1)
    return found


def label_scores(rows: Iterable[dict[str, Any]], layout: Layout) -> PerRow:
    """Scores of the rows' own streams, which a perfect model has: the row `ground-truth tokens`."""
    return [(group_of(row), stream_scores(layout, row, layout.silent(row["input_ids"]))) for row in rows]


def turn_tables(
    found: Mapping[str, PerRow], name: str = "turns", title: str = "tokens", cut: Collection[str] = ()
) -> list[Table]:
    """Tables of both reactions and of hard negatives.

    Args:
        found: Scores of each row of the tables.
        name: Beginning of the names of the tables.
        title: What the scores are measured from.
        cut: Rows that are scored up to the true reaction only, so that nothing is known of the K-th token after it.
    """
    made = []
    for attribute, reaction in (("user_turn_ends", "assistant turn-taking"), ("barge_ins", "user turn-taking")):
        cells = {row: _figures([(g, getattr(s, attribute)) for g, s in scores]) for row, scores in found.items()}
        short = reaction.split()[0]
        made.append(Table.of(f"{name}_{short}", f"{reaction}, from {title}", _WITHIN, cells, (_WITHIN_NOTE,)))
        whole = {row: each for row, each in cells.items() if row not in cut}
        made.append(Table.of(f"{name}_{short}_at", f"{reaction}, at the K-th token, from {title}", _AT, whole))
    return [*made, _negatives(found, name, title)]


_WITHIN = (
    *(Column(f"in@{k}", "percent", "events") for k in ACC_TOKENS),
    Column("response", "ms", "successes"),
    Column("early", "percent", "events"),
)
_AT = tuple(Column(f"at@{k}", "percent", "events") for k in ACC_TOKENS)
_WITHIN_NOTE = (
    "in@K: it reacts within K tokens. response: mean time of reactions within 1.5 s. early: it reacted before the "
    "event, which is a failure. Intervals: 95%, bootstrap over dialogues."
)


def _figures(parts: list[tuple[str, Responses]]) -> dict[str, Cell]:
    """Cells of one reaction of one system."""
    cells = {"early": ratio((g, (r.n_early, r.n)) for g, r in parts)}
    cells["response"] = ratio((g, (r.sum_ms, r.tokens.total())) for g, r in parts)
    for k in ACC_TOKENS:
        cells[f"in@{k}"] = ratio((g, (r.within[k], r.n)) for g, r in parts)
        cells[f"at@{k}"] = ratio((g, (r.at[k], r.n)) for g, r in parts)
    return cells


def _negatives(found: Mapping[str, PerRow], name: str, title: str) -> Table:
    kinds = sorted({kind for scores in found.values() for _, s in scores for kind in s.hard_negatives})
    columns = [Column(kind.replace("_", " "), "percent", "events") for kind in kinds]
    cells = {
        row: {
            kind.replace("_", " "): ratio((g, (s.n_swayed[kind], s.hard_negatives[kind])) for g, s in scores)
            for kind in kinds
        }
        for row, scores in found.items()
    }
    title = f"hard negatives that change what it does, from {title}"
    if not kinds:
        return Table(f"{name}_hard_negatives", title, (), (), ("These rows have none.",))
    return Table.of(f"{name}_hard_negatives", title, columns, cells)
