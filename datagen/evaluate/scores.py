"""Turn-taking scores over many rows, of labels as of models."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from datagen.evaluate.scored_rows import Layout
from datagen.evaluate.turns import Mask, Places, Responses, swayed
from datagen.records import HARD_NEGATIVES


@dataclass
class TurnScores:
    """Scores over the rows of one task."""

    layout: Layout
    n_rows: int = 0
    user_turn_ends: Responses = field(init=False)
    barge_ins: Responses = field(init=False)
    hard_negatives: Counter[str] = field(default_factory=Counter)
    n_swayed: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Start at nothing."""
        self.user_turn_ends, self.barge_ins = Responses(self.layout.frame_ms), Responses(self.layout.frame_ms)

    def add(self, row: dict[str, Any]) -> None:
        """Count a row: its ids, positions and events."""
        self.add_stream(row, self.layout.silent(row["input_ids"]))

    def add_stream(self, row: dict[str, Any], silent: Mask) -> None:
        """Count a row as if its assistant stream were silent where is said; bool [n_chunks x n_speech]."""
        self.n_rows += 1
        self.user_turn_ends.add(~silent, self.layout.places(row["user_turn_ends"]))
        self.barge_ins.add(silent, self.layout.places(row["barge_ins"]))
        self.add_hard_negatives(row, silent)

    def add_hard_negatives(self, row: dict[str, Any], silent: Mask) -> None:
        """Count what must change nothing."""
        kinds, starts, ends = hard_negatives(self.layout, row)
        found = swayed(silent, starts, ends)
        self.hard_negatives.update(kinds)
        self.n_swayed.update(kind for kind, was in zip(kinds, found, strict=True) if was)

    def table(self) -> dict[str, Any]:
        """All scores, as `datagen timing oracle --json` prints them."""
        return {
            "n_rows": self.n_rows,
            "chunk_ms": self.layout.chunk_ms,
            "assistant_turn_taking": self.user_turn_ends.table(),
            "user_turn_taking": self.barge_ins.table(),
            "hard_negatives": {
                kind: {"n": n, "n_errors": self.n_swayed[kind]} for kind, n in sorted(self.hard_negatives.items())
            },
        }


def hard_negatives(layout: Layout, row: dict[str, Any]) -> tuple[list[str], Places, Places]:
    """What must change nothing in a row: kinds, places of their starts, and of their ends."""
    events = list(zip(row["event_kinds"], row["event_roles"], strict=True))
    hard = [k for k, event in enumerate(events) if event in HARD_NEGATIVES]
    starts, ends = (layout.places(row[name])[hard] for name in ("event_starts", "event_ends"))
    return [events[k][0] for k in hard], starts, ends
