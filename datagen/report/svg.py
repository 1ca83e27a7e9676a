"""Charts as SVG for a page: colours are classes of its style sheet, so they follow its theme, and nothing runs."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import count, takewhile

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

_WIDTH, _HEIGHT = 380, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 20, 12, 38
_N_TICKS = 4

Series = tuple[str, NDArray[np.float64], NDArray[np.float64]]
"""Class of the style sheet, and the x and y of its points."""


@dataclass(frozen=True)
class Axis:
    """A range of values along one side."""

    low: float
    high: float
    label: str
    show: Callable[[float], str]
    log: bool = False

    def share(self, value: float) -> float:
        """Where a value lies, 0 at `low` and 1 at `high`."""
        if self.log:
            return math.log(value / self.low, self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """A few round values of the range.

        >>> Axis(0, 2500, "", str).ticks(), Axis(1, 4096, "", str, log=True).ticks()
        ([0, 1000, 2000], [1, 10, 100, 1000])
        """
        if self.log:
            powers = (10**k for k in count(int(np.ceil(np.log10(self.low)))))
            return list(takewhile(lambda power: power <= self.high, powers))
        step = _round_step((self.high - self.low) / _N_TICKS)
        first = int(np.ceil(self.low / step))
        return [k * step for k in range(first, int(np.floor(self.high / step + 1e-9)) + 1)]


def _round_step(least: float) -> float:
    """The smallest of 1, 2, 2.5, 5, 10, ... that is at least `least`.

    >>> _round_step(625), _round_step(0.03)
    (1000, 0.05)
    """
    power = 10 ** int(np.floor(np.log10(least)))
    step: float = next(m for m in (1, 2, 2.5, 5, 10) if m * power >= least * (1 - 1e-9)) * power
    return round(step, 12)


def _x(axis: Axis, value: float) -> float:
    return round(_LEFT + axis.share(value) * (_WIDTH - _LEFT - _RIGHT), 1)


def _y(axis: Axis, value: float) -> float:
    return round(_HEIGHT - _BOTTOM - axis.share(value) * (_HEIGHT - _TOP - _BOTTOM), 1)


def chart(title: str, x: Axis, y: Axis, *layers: Markup) -> Markup:
    """A chart: axes and what lies on them, with a title for those who do not see it."""
    bottom = _HEIGHT - _BOTTOM
    grid = Markup("").join(
        Markup('<line class="grid" x1="{}" x2="{}" y1="{y}" y2="{y}"/>').format(_LEFT, _WIDTH - _RIGHT, y=_y(y, tick))
        + Markup('<text class="tick" x="{}" y="{}" text-anchor="end">{}</text>').format(
            _LEFT - 6, _y(y, tick) + 4, y.show(tick)
        )
        for tick in y.ticks()
    )
    ticks = Markup("").join(
        Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>').format(
            _x(x, tick), bottom + 16, x.show(tick)
        )
        for tick in x.ticks()
    )
    labels = Markup('<text class="axis" x="{}" y="{}" text-anchor="middle">{}</text>').format(
        (_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 5, x.label
    )
    return _svg(title, _WIDTH, _HEIGHT, grid, *layers, ticks, labels)


def _svg(title: str, width: int, height: int, *parts: Markup) -> Markup:
    opening = Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(width, height, title)
    return opening + Markup("").join(parts) + Markup("</svg>")


def band(x: Axis, low: float, high: float) -> Markup:
    """A range of x, behind everything."""
    left, right = _x(x, max(low, x.low)), _x(x, min(high, x.high))
    return Markup('<rect class="human" x="{}" y="{}" width="{}" height="{}"/>').format(
        left, _TOP, round(max(right - left, 1), 1), _HEIGHT - _TOP - _BOTTOM
    )


def rule(x: Axis, value: float, name: str) -> Markup:
    """A line across the chart at a value of x."""
    return Markup('<line class="{}" x1="{x}" x2="{x}" y1="{}" y2="{}"/>').format(
        name, _TOP, _HEIGHT - _BOTTOM, x=_x(x, value)
    )


def stroke(x: Axis, y: Axis, start: tuple[float, float], end: tuple[float, float], source: str) -> Markup:
    """A range as a thick stroke from one point to another, with the source that a pointer on it shows."""
    opening = Markup('<line class="human-range" x1="{}" y1="{}" x2="{}" y2="{}">')
    places = (_x(x, start[0]), _y(y, start[1]), _x(x, end[0]), _y(y, end[1]))
    return opening.format(*places) + Markup("<title>{}</title></line>").format(source)


def bars(x: Axis, y: Axis, edges: NDArray[np.float64], stacks: Sequence[tuple[str, NDArray[np.float64]]]) -> Markup:
    """Bars between edges, one stack on the other."""
    found, below = Markup(""), np.zeros(len(edges) - 1)
    for name, heights in stacks:
        for left, right, low, height in zip(edges[:-1], edges[1:], below, heights, strict=True):
            if height > 0:
                at, top, bottom = _x(x, left), _y(y, low + height), _y(y, low)
                width = round(max(_x(x, right) - at - 0.8, 0.5), 1)
                found += Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>').format(
                    name, at, top, width, round(bottom - top, 1)
                )
        below = below + heights
    return found


def line(x: Axis, y: Axis, series: Series) -> Markup:
    """A line through points."""
    name, xs, ys = series
    points = " ".join(f"{_x(x, a)},{_y(y, b)}" for a, b in zip(xs, ys, strict=True))
    return Markup('<polyline class="{}" points="{}"/>').format(name, points)


def span(title: str, value: float, low: float, high: float) -> Markup:
    """A value as a dot beside the range in which it lies in human conversation."""
    width, height = 120, 18
    reach = max(high, value) - min(low, value) or 1
    left, right = min(low, value) - reach * 0.15, max(high, value) + reach * 0.15

    def x(at: float) -> float:
        return round((at - left) / (right - left) * width, 1)

    inside = "inside" if low <= value <= high else "outside"
    return _svg(
        title,
        width,
        height,
        Markup('<line class="track" x1="0" x2="{}" y1="9" y2="9"/>').format(width),
        Markup('<rect class="human" x="{}" y="4" width="{}" height="10" rx="3"/>').format(
            x(low), max(round(x(high) - x(low), 1), 2)
        ),
        Markup('<circle class="dot {}" cx="{}" cy="9" r="5"/>').format(inside, x(value)),
    )


def strip(title: str, shares: Iterable[tuple[str, float]]) -> Markup:
    """Shares that add up to one, side by side."""
    found, at = Markup(""), 0.0
    for name, share in shares:
        found += Markup('<rect class="{}" x="{}" y="0" width="{}" height="14"/>').format(
            name, round(at * 600, 2), round(share * 600, 2)
        )
        at += share
    opening = Markup('<svg class="strip" viewBox="0 0 600 14" preserveAspectRatio="none" role="img" aria-label="{}">')
    return opening.format(title) + found + Markup("</svg>")
