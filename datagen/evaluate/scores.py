"""Turn-taking scores as the OmniFlatten paper counts them (omniflatten.md), for labels and for models.

All scores are about the assistant's speech stream of a row: `silent` is bool [n_tokens], true where
a token is silence, and places are indices into it. Token K after a place is the K-th one counted
from it, so the token at the place is the first.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape

from datagen.evaluate.scored_rows import Layout, Mask, Places, full_duplex_tasks, rows
from datagen.records import HARD_NEGATIVES
from datagen.shards.manifest import Manifest
from datagen.shards.store import Store
from datagen.terminal import table

ACC_TOKENS = (1, 5, 10, 25)
"""K of Acc@K (omniflatten.md)."""
_REACTIONS = ("assistant_turn_taking", "user_turn_taking")
PATIENCE_MS = 1500
"""A later response is a failure (omniflatten.md)."""


def tokens_until(wanted: Mask, at: Places) -> Places:
    """Number of tokens from each place to the next wanted one, itself being 1; 0 if there is none.

    >>> tokens_until(np.array([False, False, True, False]), np.array([0, 2, 3])).tolist()
    [3, 1, 0]
    """
    hits = np.flatnonzero(wanted)
    following = np.searchsorted(hits, at)
    found = following < len(hits)
    first = hits[np.minimum(following, len(hits) - 1)] if len(hits) else np.zeros(len(at), np.int64)
    return np.where(found, first - at + 1, 0)


@dataclass
class Responses:
    """Acc@K and response times over many rows, for one kind of reaction."""

    frame_ms: float
    """Length of a speech token."""
    n: int = 0
    n_early: int = 0
    """Events before which the reaction had begun without cause; they count as failures."""
    at: Counter[int] = field(default_factory=Counter)
    """Events whose K-th token is wanted, by K."""
    within: Counter[int] = field(default_factory=Counter)
    """Events with a wanted token among the first K, by K."""
    tokens: Counter[int] = field(default_factory=Counter)
    """Events by the tokens until the reaction, if it came within the patience."""

    def add(self, wanted: Mask, at: Places) -> None:
        """Count the events of a row.

        Args:
            wanted: bool [n_tokens]: speaking tokens for turn ends, silent ones for barge-ins.
            at: Place of each event. If the row ends before its K-th token, it counts as failed at K.
        """
        took = tokens_until(wanted, at)
        self.n += len(at)
        for k in ACC_TOKENS:
            there = at + k - 1 < len(wanted)
            self.at[k] += int(wanted[at[there] + k - 1].sum())
            self.within[k] += int(((took > 0) & (took <= k)).sum())
        self.tokens.update(took[(took > 0) & (took * self.frame_ms <= PATIENCE_MS)].tolist())

    def add_one(self, wanted: Mask, at: int, n_lead: int) -> None:
        """Count one event, as a failure if one of the `n_lead` tokens before it is wanted already.

        >>> responses = Responses(frame_ms=40)
        >>> for stream in ([False, False, True], [True, False, True]):
        ...     responses.add_one(np.array(stream), at=1, n_lead=1)
        >>> responses.n, responses.n_early, responses.within[5]
        (2, 1, 1)
        """
        if wanted[max(at - n_lead, 0) : at].any():
            self.n += 1
            self.n_early += 1
        else:
            self.add(wanted, np.array([at]))

    @property
    def sum_ms(self) -> float:
        """Sum of the response times of the successes."""
        return sum(k * n for k, n in self.tokens.items()) * self.frame_ms

    def merge(self, other: "Responses") -> None:
        """Count the events of another one too."""
        self.n += other.n
        self.n_early += other.n_early
        for mine, theirs in ((self.at, other.at), (self.within, other.within), (self.tokens, other.tokens)):
            mine.update(theirs)

    def table(self) -> dict[str, Any]:
        """Shares by K, response times of the successes in milliseconds, and the number of failures."""
        n_reached = self.tokens.total()
        times_ms = np.repeat(sorted(self.tokens), [self.tokens[k] for k in sorted(self.tokens)]) * self.frame_ms
        return {
            "n": self.n,
            "n_early": self.n_early,
            "acc_at": {str(k): self.at[k] / self.n if self.n else None for k in ACC_TOKENS},
            "acc_within": {str(k): self.within[k] / self.n if self.n else None for k in ACC_TOKENS},
            "response_ms": {
                "mean": float(times_ms.mean()) if n_reached else None,
                "median": float(np.median(times_ms)) if n_reached else None,
                "p95": float(np.quantile(times_ms, 0.95)) if n_reached else None,
            },
            "n_failures": self.n - n_reached,
        }


def swayed(silent: Mask, starts: Places, ends: Places) -> Mask:
    """True for hard negatives during which a speaking assistant stopped or a silent one started.

    The first token of the event tells what it was doing, because nobody can have reacted by then.

    Args:
        silent: bool [n_tokens].
        starts: Place of the first token at or after each event's start, within the stream.
        ends: The same for its end; at most the length of the stream.

    >>> stream = np.array([False, False, True, True])
    >>> swayed(stream, np.array([0, 1, 2]), np.array([2, 3, 4])).tolist()
    [False, True, False]
    """
    during = [silent[start:end] for start, end in zip(starts, ends, strict=True)]
    return np.array([len(part) > 0 and bool((part != part[0]).any()) for part in during], np.bool_)


def hard_negatives(layout: Layout, row: dict[str, Any]) -> tuple[list[str], Places, Places]:
    """Kinds of the events that must change nothing in a row, and places of their starts and ends."""
    events = list(zip(row["event_kinds"], row["event_roles"], strict=True))
    hard = [k for k, event in enumerate(events) if event in HARD_NEGATIVES]
    starts, ends = (layout.places(row[name])[hard] for name in ("event_starts", "event_ends"))
    return [events[k][0] for k in hard], starts, ends


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
        """Start without events."""
        self.user_turn_ends, self.barge_ins = Responses(self.layout.frame_ms), Responses(self.layout.frame_ms)

    @classmethod
    def merged(cls, layout: Layout, parts: Iterable["TurnScores"]) -> "TurnScores":
        """The scores of all parts together."""
        found = cls(layout)
        for part in parts:
            found.n_rows += part.n_rows
            found.user_turn_ends.merge(part.user_turn_ends)
            found.barge_ins.merge(part.barge_ins)
            found.hard_negatives.update(part.hard_negatives)
            found.n_swayed.update(part.n_swayed)
        return found

    def add(self, row: dict[str, Any]) -> None:
        """Count a row with its own assistant stream."""
        self.add_stream(row, self.layout.silent(row["input_ids"]))

    def add_stream(self, row: dict[str, Any], silent: Mask) -> None:
        """Count a row with another assistant stream: bool [n_chunks x n_speech]."""
        self.n_rows += 1
        self.user_turn_ends.add(~silent, self.layout.places(row["user_turn_ends"]))
        self.barge_ins.add(silent, self.layout.places(row["barge_ins"]))
        self.add_hard_negatives(row, silent)

    def add_hard_negatives(self, row: dict[str, Any], silent: Mask) -> None:
        """Count the events of a row that must change nothing."""
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


def oracle(store: Store, manifest: Manifest) -> dict[str, Any]:
    """Score the labels of a build against its own assistant streams, by task, one file at a time.

    A model that predicts every token right scores exactly that, so this is the delay of the labels.

    Raises:
        DatagenError: If the build has no rows of a full-duplex task.
    """
    found = {}
    for task in full_duplex_tasks(manifest):
        scores = TurnScores(Layout.of(manifest, task))
        for row in rows(store, manifest, task):
            scores.add(row)
        found[task] = scores.table()
    return found


def show_scores(printer: Console, title: str, found: dict[str, Any]) -> None:
    """Print what `TurnScores.table` returns."""
    printer.print(f"[bold]{escape(title)}[/]: {found['n_rows']} rows, a chunk is {found['chunk_ms']:.0f} ms")
    shares = (f"{how}@{k}" for how in ("at", "in") for k in ACC_TOKENS)
    shown = table(["", "n", "early", *shares, "mean ms", "median", "p95", "a chunk later", "failures"])
    for name in _REACTIONS:
        shown.add_row(name.replace("_", " "), *_responses(found[name], found["chunk_ms"]))
    printer.print(shown)
    for kind, counts in found["hard_negatives"].items():
        words = kind.replace("_", " ")
        printer.print(f"hard negative {words}: {counts['n_errors']} of {counts['n']} change what the assistant does")
    printer.print()


def _responses(scores: dict[str, Any], chunk_ms: float) -> list[str]:
    shares = [percent(share) for how in ("acc_at", "acc_within") for share in scores[how].values()]
    times = scores["response_ms"]
    later = None if times["mean"] is None else times["mean"] + chunk_ms
    counts = (f"{scores['n']:,}", f"{scores['n_early']:,}")
    return [*counts, *shares, *(ms(time) for time in (*times.values(), later)), f"{scores['n_failures']:,}"]


def percent(share: float | None) -> str:
    """A share for a table.

    >>> percent(0.125), percent(None)
    ('12.5%', '-')
    """
    return "-" if share is None else f"{share:.1%}"


def ms(value: float | None) -> str:
    """Milliseconds for a table."""
    return "-" if value is None else f"{value:.1f} ms"
