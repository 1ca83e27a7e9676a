"""Charts as SVG: the timing of a build against a reference and human ranges, and their elements.

Colours are classes of the report's style sheet, so a chart follows its theme and runs nothing.
`write_charts` writes charts as files with colours of their own.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import count, takewhile
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from datagen.errors import DatagenError
from datagen.faults import cannot
from datagen.measure.battery import Battery, Durations
from datagen.measure.compared_timing import ComparedTiming, marks, measured

_WIDTH, _HEIGHT = 380, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 20, 12, 38
_N_TICKS = 4
_FTO_MS, _BIN_MS = (-1500, 2500), 100
_SPANS_MS = {"fto": _FTO_MS, "gap": (0, 3000), "pause": (0, 3000), "overlap": (0, 2000)}
_HEADINGS = {"fto": "Offsets", "gap": "Gaps", "pause": "Pauses", "overlap": "Overlaps"}
_N_POINTS = 61
_HEAD, _LINE = 40, 16
"""Heights of a file's heading and of a line of its key."""
_STYLE = """
svg { background: #ffffff; font: 11.5px system-ui, sans-serif; } text { fill: #5a636d; }
.heading { fill: #1f2429; font-size: 14px; font-weight: 600; } [class^="curve"] { fill: none; stroke-width: 2; }
.grid { stroke: #e3e0d9; } .zero { stroke: #5a636d; stroke-dasharray: 2 3; }
.human { fill: #e6e1f2; } .human-range { stroke: #6a5aa0; stroke-width: 6; opacity: 0.6; }
.fill-user { fill: #b4472d; } .fill-assistant { fill: #24658f; } .curve-here { stroke: #3f7052; }
.curve-reference { stroke: #5a636d; stroke-width: 1.6; stroke-dasharray: 5 3; }
.curve-1 { stroke: #3f7052; } .curve-2 { stroke: #24658f; } .curve-3 { stroke: #b4472d; }
.dashed { stroke-dasharray: 5 3; }
"""

Floats = NDArray[np.float64]


def _tag(name: str, inside: Markup | str | None = None, /, **attributes: Any) -> Markup:
    """An element; `class_` stands for `class`, and `_` for `-` in names of attributes.

    >>> str(_tag("text", "a < b", class_="tick", text_anchor="end"))
    '<text class="tick" text-anchor="end">a &lt; b</text>'
    """
    opening = Markup("<") + name
    for key, value in attributes.items():
        opening += Markup(' {}="{}"').format(key if key == "viewBox" else key.rstrip("_").replace("_", "-"), value)
    return opening + (Markup("/>") if inside is None else Markup(">{}</{}>").format(inside, name))


@dataclass(frozen=True)
class Axis:
    """A range of values along one side."""

    low: float
    high: float
    label: str
    show: Callable[[float], str]
    log: bool = False

    def share(self, value: float) -> float:
        """Position of a value, 0 at `low` and 1 at `high`."""
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


def axes(title: str, x: Axis, y: Axis, *layers: Markup) -> Markup:
    """Two axes and the layers on them, with a title for screen readers."""
    parts = list(layers)
    for tick in reversed(y.ticks()):
        at = _y(y, tick)
        parts.insert(0, _tag("text", y.show(tick), class_="tick", x=_LEFT - 6, y=at + 4, text_anchor="end"))
        parts.insert(0, _tag("line", class_="grid", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=at, y2=at))
    for tick in x.ticks():
        place = {"x": _x(x, tick), "y": _HEIGHT - _BOTTOM + 16}
        parts.append(_tag("text", x.show(tick), class_="tick", **place, text_anchor="middle"))
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(_tag("text", x.label, class_="axis", x=middle, y=_HEIGHT - 5, text_anchor="middle"))
    return _picture("chart", title, _WIDTH, _HEIGHT, *parts)


def _picture(kind: str, title: str, width: int, height: int, *parts: Markup, **more: str) -> Markup:
    view = {"viewBox": f"0 0 {width} {height}", **more}
    return _tag("svg", Markup("").join(parts), class_=kind, **view, role="img", aria_label=title)


def rule(x: Axis, value: float, name: str) -> Markup:
    """A vertical line at a value of x."""
    return _tag("line", class_=name, x1=_x(x, value), x2=_x(x, value), y1=_TOP, y2=_HEIGHT - _BOTTOM)


def stroke(x: Axis, y: Axis, start: tuple[float, float], end: tuple[float, float], source: str) -> Markup:
    """A range as a thick stroke between two points, with its source as a tooltip."""
    places = {"x1": _x(x, start[0]), "y1": _y(y, start[1]), "x2": _x(x, end[0]), "y2": _y(y, end[1])}
    return _tag("line", _tag("title", source), class_="human-range", **places)


def bars(x: Axis, y: Axis, edges: Floats, stacks: Sequence[tuple[str, Floats]]) -> Markup:
    """Stacked bars between edges."""
    found, below = Markup(""), np.zeros(len(edges) - 1)
    for name, heights in stacks:
        for left, right, low, height in zip(edges[:-1], edges[1:], below, heights, strict=True):
            if height > 0:
                at, top, bottom = _x(x, left), _y(y, low + height), _y(y, low)
                width = round(max(_x(x, right) - at - 0.8, 0.5), 1)
                found += _tag("rect", class_=name, x=at, y=top, width=width, height=round(bottom - top, 1))
        below = below + heights
    return found


def line(x: Axis, y: Axis, name: str, xs: Floats, ys: Floats) -> Markup:
    """A line through points."""
    points = " ".join(f"{_x(x, a)},{_y(y, b)}" for a, b in zip(xs, ys, strict=True))
    return _tag("polyline", class_=name, points=points)


def dot(x: Axis, y: Axis, name: str, at: tuple[float, float], title: str) -> Markup:
    """A point, with a title as a tooltip."""
    return _tag("circle", _tag("title", title), class_=name, cx=_x(x, at[0]), cy=_y(y, at[1]), r=4)


def span(title: str, value: float, low: float, high: float) -> Markup:
    """A value as a dot against its human range."""
    width, height = 120, 18
    reach = max(high, value) - min(low, value) or 1
    left, right = min(low, value) - reach * 0.15, max(high, value) + reach * 0.15

    def x(at: float) -> float:
        return round((at - left) / (right - left) * width, 1)

    inside = "inside" if low <= value <= high else "outside"
    range_ = {"x": x(low), "y": 4, "width": max(round(x(high) - x(low), 1), 2)}
    return _picture(
        "chart",
        title,
        width,
        height,
        _tag("line", class_="track", x1=0, x2=width, y1=9, y2=9),
        _tag("rect", class_="human", **range_, height=10, rx=3),
        _tag("circle", class_=f"dot {inside}", cx=x(value), cy=9, r=5),
    )


def strip(title: str, shares: Iterable[tuple[str, float]]) -> Markup:
    """Shares that add up to one, side by side."""
    found, at = Markup(""), 0.0
    for name, share in shares:
        found += _tag("rect", class_=name, x=round(at * 600, 2), y=0, width=round(share * 600, 2), height=14)
        at += share
    return _picture("strip", title, 600, 14, found, preserveAspectRatio="none")


@dataclass(frozen=True)
class Chart:
    """A chart with its heading and its key."""

    heading: str
    svg: Markup
    key: tuple[tuple[str, str], ...] = ()
    """Class and meaning of each series."""
    note: str = ""

    def file(self) -> str:
        """The chart as a file, with heading, note, key and colours."""
        place = f'y="{_HEAD}" width="{_WIDTH}" height="{_HEIGHT}"'
        parts = [
            _tag("style", Markup(_STYLE)),  # noqa: S704 a constant
            _tag("text", self.heading, class_="heading", x=_LEFT, y=18),
            _tag("text", self.note, x=_LEFT, y=34),
            Markup(str(self.svg).replace('class="chart"', place, 1)),  # noqa: S704 our own
        ]
        height = _HEAD + _HEIGHT
        for kind, meaning in self.key:
            height += _LINE
            sample = {"x1": _LEFT, "x2": _LEFT + 14, "y1": height - 8, "y2": height - 8}
            box = {"x": _LEFT, "y": height - 13, "width": 14, "height": 10}
            parts.append(_tag("line", class_=kind, **sample) if "curve" in kind else _tag("rect", class_=kind, **box))
            parts.append(_tag("text", meaning, x=_LEFT + 22, y=height - 4))
        size = {"xmlns": "http://www.w3.org/2000/svg", "width": 2 * _WIDTH, "height": 2 * (height + 8)}
        return str(_tag("svg", Markup("").join(parts), **size, viewBox=f"0 0 {_WIDTH} {height + 8}")) + "\n"


def ready_for_charts(directory: Path) -> None:
    """Make the directory of `write_charts` and try a file in it, before the measuring that charts need.

    Raises:
        DatagenError: If nothing can be written there.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise DatagenError(cannot("write", directory, error)) from error


def write_charts(battery: Battery, reference: ComparedTiming, directory: Path) -> None:
    """Write the timing charts as SVG files named by their headings, such as `floor-transfers.svg`.

    Raises:
        DatagenError: If a file cannot be written.
    """
    for chart in (floor_transfers(battery, reference), *lengths(battery, reference), *human_ranges(battery)):
        path = directory / f"{chart.heading.lower().replace(' ', '-')}.svg"
        try:
            directory.mkdir(parents=True, exist_ok=True)
            path.write_text(chart.file(), "utf-8")
        except OSError as error:
            raise DatagenError(cannot("write", path, error)) from error


def percent(share: float) -> str:
    """A share on an axis.

    >>> percent(0.05), percent(0.025)
    ('5%', '2.5%')
    """
    return f"{share * 100:.3g}%"


def floor_transfers(battery: Battery, reference: ComparedTiming) -> Chart:
    """Histogram of offsets by the speaker who takes the floor, and a reference."""
    edges = np.arange(_FTO_MS[0], _FTO_MS[1] + 1, _BIN_MS).astype(np.float64)
    n = max(battery.fto.n, 1)
    parts = [(f"fill-{name}", _counts(battery.durations[f"fto_{name}"], edges) / n) for name in ("assistant", "user")]
    theirs = reference.durations["fto"]
    curve = _counts(theirs, edges) / max(theirs.n, 1)
    top = max(float(np.max(parts[0][1] + parts[1][1])), float(np.max(curve)), 0.01)
    x, y = Axis(*_FTO_MS, "offset in ms: left of 0 overlap, right of 0 gap", _plain), Axis(0, top, "", percent)
    middle = edges[:-1] + _BIN_MS / 2
    svg = axes(
        f"Histogram of floor-transfer offsets, beside {reference.title}",
        x,
        y,
        bars(x, y, edges, parts),
        line(x, y, "curve-reference", middle, curve),
        rule(x, 0, "zero"),
    )
    n_beyond = battery.fto.n - round(sum(float(heights.sum()) for _, heights in parts) * n)
    key = (
        ("fill-assistant", "to the assistant"),
        ("fill-user", "to the user"),
        ("curve-reference", reference.title),
    )
    here = battery.fto.median()
    note = [f"{battery.fto.n:,} transfers", f"median {here:.0f} ms" if here is not None else ""]
    note.append(f"{n_beyond:,} beyond the picture" if n_beyond else "")
    return Chart("Floor transfers", svg, key, ", ".join(filter(None, note)))


def lengths(battery: Battery, reference: ComparedTiming) -> list[Chart]:
    """Shares of offsets, gaps, pauses and overlaps up to each length, with a reference."""
    return [_shares(name, measured(battery)[name], reference) for name in _SPANS_MS]


def human_ranges(battery: Battery) -> list[Chart]:
    """Shares of offsets, gaps and overlaps up to each length, with published ranges of human conversation."""
    return [_shares(name, measured(battery)[name]) for name in _SPANS_MS if list(marks(name))]


def _shares(name: str, ours: Durations, reference: ComparedTiming | None = None) -> Chart:
    """Shares up to each length with a reference, or else with published human ranges."""
    measure = "offset" if name == "fto" else "length"
    x, y = Axis(*_SPANS_MS[name], f"{measure} in ms", _plain), Axis(0, 1, "", percent)
    layers, key = [], [("curve-here", "here")]
    if reference and name in reference.durations:
        layers.append(line(x, y, "curve-reference", *_ecdf(reference.durations[name], x)))
        key.append(("curve-reference", reference.title))
    if ours.n:
        layers.append(line(x, y, "curve-here", *_ecdf(ours, x)))
    heading = _HEADINGS[name]
    if not reference:
        known = marks(name)
        layers += [stroke(x, y, (m.from_ms, m.from_share), (m.to_ms, m.to_share), m.range.source) for m in known]
        key, heading = [*key, ("human", "human, published ranges")], f"{heading} and human ranges"
    svg = axes(f"{heading}: share up to each {measure}", x, y, *layers)
    return Chart(heading, svg, tuple(key), f"{ours.n:,}; share up to each {measure}")


def _ecdf(durations: Durations, x: Axis) -> tuple[Floats, Floats]:
    values, counts = durations.sorted()
    grid = np.linspace(x.low, x.high, _N_POINTS)
    reached = np.r_[0, np.cumsum(counts)]
    return grid, reached[np.searchsorted(values, grid, "right")] / max(durations.n, 1)


def _counts(durations: Durations, edges: Floats) -> Floats:
    values, counts = durations.sorted()
    return np.histogram(values, edges, weights=counts)[0].astype(np.float64)


_plain: Callable[[float], str] = "{:,.0f}".format
