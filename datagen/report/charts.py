"""The charts of a report: floor transfers and lengths beside a reference, use of codes, lengths of rows."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from datagen.measure.battery import Battery
from datagen.measure.compared import ComparedTiming
from datagen.measure.durations import Durations
from datagen.measure.fit import measured
from datagen.measure.human import HUMAN, marks
from datagen.report.svg import Axis, band, bars, chart, line, rule, stroke
from datagen.report.tokens import CodeUse, TaskSums

_FTO_MS, _BIN_MS = (-1500, 2500), 100
_SPANS_MS = {"fto": _FTO_MS, "gap": (0, 3000), "pause": (0, 3000), "overlap": (0, 2000)}
_HEADINGS = {"fto": "Offsets", "gap": "Gaps", "pause": "Pauses", "overlap": "Overlaps"}
_N_POINTS = 61
_N_BINS = 30


@dataclass(frozen=True)
class Chart:
    """A chart with its heading and its key."""

    heading: str
    svg: Markup
    key: tuple[tuple[str, str], ...] = ()
    """Class and meaning of what is drawn."""
    note: str = ""


def percent(share: float) -> str:
    """A share on an axis.

    >>> percent(0.05), percent(0.025)
    ('5%', '2.5%')
    """
    return f"{share * 100:.3g}%"


def thousands(n: float) -> str:
    """A count on an axis.

    >>> thousands(500), thousands(2000), thousands(12500)
    ('500', '2k', '12.5k')
    """
    return f"{n / 1000:g}k" if n >= 1000 else f"{n:g}"


def floor_transfers(battery: Battery, reference: ComparedTiming) -> Chart:
    """Offsets of floor transfers by who takes the floor, with a reference as a line and the human median as a band."""
    edges = np.arange(_FTO_MS[0], _FTO_MS[1] + 1, _BIN_MS).astype(np.float64)
    n = max(battery.fto.n, 1)
    parts = [(f"fill-{name}", _counts(battery.durations[f"fto_{name}"], edges) / n) for name in ("assistant", "user")]
    asked = reference.durations["fto"]
    line_ = _counts(asked, edges) / max(asked.n, 1)
    top = max(float(np.max(parts[0][1] + parts[1][1])), float(np.max(line_)), 0.01)
    x, y = Axis(*_FTO_MS, "offset in ms: left of 0 overlap, right of 0 gap", _plain), Axis(0, top, "", percent)
    median, middle = HUMAN["fto_median_ms"], edges[:-1] + _BIN_MS / 2
    svg = chart(
        f"Histogram of floor-transfer offsets, beside {reference.title}",
        x,
        y,
        band(x, median.low, median.high),
        bars(x, y, edges, parts),
        line(x, y, ("curve-reference", middle, line_)),
        rule(x, 0, "zero"),
    )
    n_beyond = battery.fto.n - round(sum(float(heights.sum()) for _, heights in parts) * n)
    key = (
        ("fill-assistant", "to the assistant"),
        ("fill-user", "to the user"),
        ("curve-reference", reference.title),
        ("human", "human median, published range"),
    )
    note = f"{battery.fto.n:,} transfers" + (f", {n_beyond:,} beyond the picture" if n_beyond else "")
    return Chart("Floor transfers", svg, key, note)


def lengths(battery: Battery, reference: ComparedTiming) -> list[Chart]:
    """Shares of offsets, gaps, pauses and overlaps up to each length, beside a reference and human ranges."""
    return [_shares(name, measured(battery)[name], reference) for name in _SPANS_MS]


def _shares(name: str, ours: Durations, reference: ComparedTiming) -> Chart:
    measure = "offset" if name == "fto" else "length"
    x, y = Axis(*_SPANS_MS[name], f"{measure} in ms", _plain), Axis(0, 1, "", percent)
    layers, key = [], [("curve-here", "here")]
    if name in reference.durations:
        layers.append(line(x, y, ("curve-reference", *_ecdf(reference.durations[name], x))))
        key.append(("curve-reference", reference.title))
    if ours.n:
        layers.append(line(x, y, ("curve-here", *_ecdf(ours, x))))
    known = list(marks(name))
    layers += [stroke(x, y, (m.from_ms, m.from_share), (m.to_ms, m.to_share), m.range.source) for m in known]
    if known:
        key.append(("human", "human, published ranges"))
    svg = chart(f"{_HEADINGS[name]}: share up to each {measure}", x, y, *layers)
    return Chart(_HEADINGS[name], svg, tuple(key), f"{ours.n:,}; share up to each {measure}")


def code_use(channels: dict[str, CodeUse]) -> Chart:
    """How much of each channel its most frequent codes make up."""
    size = max(len(use.counts) for use in channels.values())
    x = Axis(1, max(size, 2), "most frequent codes", thousands, log=True)
    y = Axis(0, 1, "", percent)
    ranks = np.unique(np.geomspace(1, size, _N_POINTS).astype(np.int64))
    layers = []
    for name, use in channels.items():
        reached = np.cumsum(np.sort(use.counts)[::-1]) / max(int(use.counts.sum()), 1)
        layers.append(line(x, y, (f"curve-{name}", ranks.astype(np.float64), reached[ranks - 1])))
    svg = chart("Share of speech tokens that the most frequent codes make up", x, y, *layers)
    key = tuple((f"curve-{name}", name) for name in channels)
    return Chart("Codes by frequency", svg, key, "share of speech tokens they make up")


def row_lengths(task: str, sums: TaskSums) -> Chart:
    """How long the rows of a task are."""
    longest = max(sums.lengths)
    edges = np.linspace(0, longest, min(_N_BINS, longest) + 1)
    values = np.array(sorted(sums.lengths))
    counts, _ = np.histogram(values, edges, weights=[sums.lengths[int(value)] for value in values])
    x = Axis(0, longest, "tokens", thousands)
    y = Axis(0, float(counts.max()) / sums.n_rows, "", percent)
    svg = chart(
        f"Histogram of the lengths of {task} rows", x, y, bars(x, y, edges, [("fill-here", counts / sums.n_rows)])
    )
    return Chart(task, svg, (), f"{sums.n_rows:,} rows by length")


def _ecdf(durations: Durations, x: Axis) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    values, counts = durations.sorted()
    grid = np.linspace(x.low, x.high, _N_POINTS)
    reached = np.r_[0, np.cumsum(counts)]
    return grid, reached[np.searchsorted(values, grid, "right")] / max(durations.n, 1)


def _counts(durations: Durations, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    values, counts = durations.sorted()
    return np.histogram(values, edges, weights=counts)[0].astype(np.float64)


_plain: Callable[[float], str] = "{:,.0f}".format
