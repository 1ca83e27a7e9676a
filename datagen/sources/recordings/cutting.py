"""Cutting a long recording into conversations where both speakers are silent."""

from datagen.intervals import Intervals

Span = tuple[int, int]
"""[start, end) in milliseconds."""


def silences(speech: Intervals, n_ms: int, least_ms: float) -> list[Span]:
    """Silences of at least `least_ms` between stretches of speech, edges of the recording left out.

    Args:
        speech: Speech of anybody in milliseconds, in order and apart; from `intervals.bridge`.
        n_ms: Length of the recording.
        least_ms: Shortest silence.

    >>> from datagen.intervals import intervals
    >>> silences(intervals([(100, 500), (900, 1200), (1300, 1900)]), 3000, 300)
    [(500, 900)]
    """
    ends, starts = speech[:-1, 1].tolist(), speech[1:, 0].tolist()
    return [(a, b) for a, b in zip(ends, starts, strict=True) if b - a >= least_ms and b < n_ms]


def cut(quiet: list[Span], n_ms: int, longest_ms: float, shortest_ms: float) -> list[Span]:
    """Parts of a recording, each ending in the middle of a silence.

    A part ends in the longest silence of the second half of its permitted length, or else of the
    first half. Without any it lasts until the next silence, so it may be longer than permitted.

    Args:
        quiet: Silences of both speakers, in order.
        n_ms: Length of the recording.
        longest_ms: Permitted length of a part.
        shortest_ms: Least length of a part.

    >>> cut([(900, 1100), (1800, 2600), (3000, 3100)], 4000, 2500, 500)
    [(0, 2200), (2200, 4000)]
    >>> cut([(3000, 3200)], 4000, 1000, 500)
    [(0, 3100), (3100, 4000)]
    """
    found, first = list[Span](), 0
    while n_ms - first > longest_ms:
        left = [(a, b) for a, b in quiet if (a + b) // 2 - first >= shortest_ms]
        inside = [(a, b) for a, b in left if (a + b) // 2 - first <= longest_ms]
        late = [(a, b) for a, b in inside if (a + b) // 2 - first >= longest_ms / 2]
        choice = max(late or inside, key=lambda span: span[1] - span[0], default=left[0] if left else None)
        if choice is None:
            break
        middle = (choice[0] + choice[1]) // 2
        found.append((first, middle))
        first = middle
    return [*found, (first, n_ms)]
