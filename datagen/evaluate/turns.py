"""Turn-taking scores from a stream of assistant speech tokens, as the OmniFlatten paper counts (omniflatten.md).

Everything is about the assistant's speech stream of one row: `silent` is bool [n_tokens], true where a token is
silence, and places are indices into it. Token K after a place is the K-th from it on; the token at the place is the
first.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Places = NDArray[np.int64]

ACC_TOKENS = (1, 5, 10, 25)
"""K of Acc@K (omniflatten.md)."""
PATIENCE_MS = 1500
"""No success by then is a failure (omniflatten.md)."""


def places(positions: NDArray[np.integer[Any]], n_speech: int, width: int) -> Places:
    """From positions in `input_ids` of a row to places in its assistant speech stream.

    Args:
        positions: Of assistant speech tokens, or the length of the row; int [n].
        n_speech: Assistant speech tokens a chunk; they are its last.
        width: Tokens a chunk.

    >>> places(np.array([12, 21, 34, 44]), 10, 22).tolist()
    [0, 9, 10, 20]
    """
    chunk, slot = np.divmod(np.asarray(positions, np.int64), width)
    return np.asarray(chunk * n_speech + np.maximum(slot - (width - n_speech), 0), np.int64)


def tokens_until(wanted: Mask, at: Places) -> Places:
    """How many tokens it takes from each place until one is as wanted, the place itself being 1; 0 if none is.

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
    """Events before which it was already so, without cause: they count as failures."""
    at: Counter[int] = field(default_factory=Counter)
    """Events whose K-th token is as wanted, by K."""
    within: Counter[int] = field(default_factory=Counter)
    """Events of which one of the first K tokens is as wanted, by K."""
    tokens: Counter[int] = field(default_factory=Counter)
    """Events by the tokens they took; only those that took no longer than the patience."""

    def add(self, wanted: Mask, at: Places) -> None:
        """Count the events of a row.

        Args:
            wanted: bool [n_tokens]; speaking tokens for turn ends, silent ones for barge-ins.
            at: Place of each event. One whose row ends before a K-th token counts as failed at that K.
        """
        took = tokens_until(wanted, at)
        self.n += len(at)
        for k in ACC_TOKENS:
            there = at + k - 1 < len(wanted)
            self.at[k] += int(wanted[at[there] + k - 1].sum())
            self.within[k] += int(((took > 0) & (took <= k)).sum())
        self.tokens.update(took[(took > 0) & (took * self.frame_ms <= PATIENCE_MS)].tolist())

    def add_one(self, wanted: Mask, at: int, n_lead: int) -> None:
        """Count one event; none of the `n_lead` tokens before it may be as wanted yet.

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

    def table(self) -> dict[str, Any]:
        """The scores: shares by K, response times in milliseconds over the successes, and the failures."""
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
    """Which hard negatives changed what the assistant does: a speaking one stopped, or a silent one started.

    What it was doing is told by the first token of the event, in which nobody can have reacted yet.

    Args:
        silent: bool [n_tokens].
        starts: Place of the first token at or after each event's start, within the stream.
        ends: The same for its end; the length of the stream if it lies behind.

    >>> stream = np.array([False, False, True, True])
    >>> swayed(stream, np.array([0, 1, 2]), np.array([2, 3, 4])).tolist()
    [False, True, False]
    """
    found = np.zeros(len(starts), np.bool_)
    for k, (start, end) in enumerate(zip(starts, ends, strict=True)):
        during = silent[start:end]
        if len(during):
            found[k] = not during.all() if during[0] else bool(during.any())
    return found
