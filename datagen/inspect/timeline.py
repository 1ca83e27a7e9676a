"""A conversation laid out in lines of twenty seconds, two lanes each, for drawing."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datagen.clock import samples_to_ms
from datagen.inspect.rows import event_name
from datagen.inspect.sound import Sound
from datagen.records import CHANNEL, TRANSFERS, Role, Streams

LINE_S = 20
_WIDTH = 1000
"""Of a line, in units of the drawing."""
_BINS = 500
_QUIETEST = 0.1
"""Peak below which a conversation is not drawn larger."""
_LABEL_ROWS = 2
_CHARACTER = 5.6
"""Width of a character of a label, about."""


@dataclass(frozen=True, slots=True)
class Span:
    """Something in a line, in units of the drawing."""

    x: float
    width: float
    text: str
    kind: str
    title: str = ""
    """Tooltip."""
    row: int = 0
    """Of an event: the row of its label above the lanes."""


@dataclass(frozen=True, slots=True)
class TimelineChannel:
    """One channel within a line."""

    role: Role
    utterances: tuple[Span, ...]
    wave: str
    """Points of its outline around 0, from -1 to 1, for a polygon; empty without sound."""


@dataclass(frozen=True, slots=True)
class TimelineLine:
    """Twenty seconds of a conversation."""

    start_s: int
    lanes: tuple[TimelineChannel, ...]
    events: tuple[Span, ...]
    ticks: tuple[tuple[float, str], ...]
    """Place and label of each second."""


def lines_of(streams: Streams, sample_rate_hz: int, sound: Sound | None) -> Iterator[TimelineLine]:
    """The lines of a conversation, with the outline of its sound if there is one."""
    n_line = LINE_S * sample_rate_hz
    n_lines = -(-streams.n_samples // n_line)
    waves = _waves(sound, n_lines) if sound else None
    for index in range(n_lines):
        begin = index * n_line
        lanes = (
            TimelineChannel(
                role, tuple(_utterances(streams, sample_rate_hz, role, begin)), _outline(waves, index, CHANNEL[role])
            )
            for role in ("user", "assistant")
        )
        seconds = range(min(LINE_S, -(-(streams.n_samples - begin) // sample_rate_hz)) + 1)
        ticks = tuple((s * _WIDTH / LINE_S, str(index * LINE_S + s) if s % 2 == 0 else "") for s in seconds)
        yield TimelineLine(index * LINE_S, tuple(lanes), tuple(_events(streams, sample_rate_hz, begin)), ticks)


def _utterances(streams: Streams, sample_rate_hz: int, role: Role, begin: int) -> Iterator[Span]:
    for u in streams.utterances:
        if u.role == role and u.end_samples > u.start_samples:
            place = _place(u.start_samples, u.end_samples, begin, LINE_S * sample_rate_hz)
            if place:
                unsaid = f" [not heard: {u.unsaid}]" if u.unsaid else ""
                about = ", ".join(filter(None, (u.kind, u.voice, u.style.words if u.style else "")))
                title = f"{_seconds(u.start_samples, sample_rate_hz)} {about}: {u.said}{unsaid}"
                yield Span(*place, u.said, u.kind, title)


def _events(streams: Streams, sample_rate_hz: int, begin: int) -> Iterator[Span]:
    """Events of a line. A label that would cover another stands in the next row; if all are taken, it is left out."""
    free = [0.0] * _LABEL_ROWS
    for event in sorted(streams.events, key=lambda event: event.start_samples):
        place = _place(event.start_samples, event.end_samples, begin, LINE_S * sample_rate_hz)
        if place and event.placed and event.kind not in TRANSFERS:
            name = event_name(event.kind, event.role)
            row = next((k for k in range(_LABEL_ROWS) if free[k] <= place[0]), None)
            if row is not None:
                free[row] = place[0] + _CHARACTER * (len(name) + 1)
            label = name if row is not None else ""
            yield Span(*place, label, event.kind, f"{_seconds(event.start_samples, sample_rate_hz)} {name}", row or 0)


def _seconds(samples: int, sample_rate_hz: int) -> str:
    return f"{samples_to_ms(samples, sample_rate_hz) / 1000:.2f} s"


def _place(start: int, end: int, begin: int, n_line: int) -> tuple[float, float] | None:
    """Left edge and width of what lies in a line.

    >>> _place(30, 60, 0, 40), _place(30, 60, 40, 40), _place(30, 60, 80, 40)
    ((750.0, 250.0), (0.0, 500.0), None)
    """
    left, right = max(start - begin, 0), min(end - begin, n_line)
    if right < left or left >= n_line or right <= 0:
        return None
    return round(left * _WIDTH / n_line, 1), round((right - left) * _WIDTH / n_line, 1)


def _waves(sound: Sound, n_lines: int) -> NDArray[np.float32]:
    """Peaks of all lines, the loudest 1: float32 [n_lines, _BINS, n_channels]."""
    n_line = LINE_S * sound.rate_hz
    padded = np.zeros((n_lines * n_line, sound.samples.shape[1]), np.int16)
    padded[: len(sound.samples)] = sound.samples[: len(padded)]
    peaks = Sound(padded, sound.rate_hz).peaks(n_lines * _BINS)
    found: NDArray[np.float32] = peaks / max(float(peaks.max(initial=0)), _QUIETEST)
    return found.reshape(n_lines, _BINS, -1)


def _outline(waves: NDArray[np.float32] | None, line: int, channel: int) -> str:
    if waves is None:
        return ""
    peaks, step = waves[line, :, channel], _WIDTH / _BINS
    upper = [f"{k * step:g},{-peak:.2f}" for k, peak in enumerate(peaks)]
    lower = [f"{k * step:g},{peak:.2f}" for k, peak in reversed(list(enumerate(peaks)))]
    return " ".join(upper + lower)
