"""How long audio is cut for a model that hears at most 30 s at a time."""

from dataclasses import dataclass
from itertools import pairwise

from datagen.clock import ceil_div

WINDOW_S = 29
"""Longest stretch a model hears at once. From 30 s on s3tokenizer cuts for itself, and loses up to 2 s of codes."""
CONTEXT_S = 2
"""What a window hears beyond the frames that are kept of it, where there is a neighbour."""


@dataclass(frozen=True)
class Window:
    """Frames [start, end) that a model hears, of which [first, last) are kept."""

    start: int
    end: int
    first: int
    last: int


def windows(n_frames: int, frame_rate_hz: int) -> list[Window]:
    """Cut `n_frames` so that every frame is kept once, in order, and no window is longer than `WINDOW_S`.

    The kept parts differ by one frame at most; cuts depend on the number of frames alone. No place need be quiet: the
    frames at a cut are heard with `CONTEXT_S` on both sides, the half of the overlap that s3tokenizer itself takes.

    >>> windows(500, 25)
    [Window(start=0, end=500, first=0, last=500)]
    >>> windows(1000, 25)
    [Window(start=0, end=550, first=0, last=500), Window(start=450, end=1000, first=500, last=1000)]
    >>> windows(0, 25)
    []
    """
    if n_frames <= WINDOW_S * frame_rate_hz:
        return [Window(0, n_frames, 0, n_frames)] if n_frames else []
    context = CONTEXT_S * frame_rate_hz
    n_windows = ceil_div(n_frames, WINDOW_S * frame_rate_hz - 2 * context)
    edges = [n_frames * k // n_windows for k in range(n_windows + 1)]
    return [
        Window(max(first - context, 0), min(last + context, n_frames), first, last) for first, last in pairwise(edges)
    ]
