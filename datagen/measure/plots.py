"""Pictures of a report: floor-transfer offsets, and how long gaps, pauses and overlaps are. Needs the extra `plots`.

A profile, or recordings, are drawn as a line; what the literature says of human timing as the ranges that it gives.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from datagen.errors import DatagenError, EngineMissingError
from datagen.measure.compared import ComparedTiming
from datagen.measure.durations import Durations
from datagen.measure.fit import measured
from datagen.measure.human import HUMAN, marks
from datagen.measure.timelines import Measured

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK, _PALE = "#333333", "#9a9a9a"
_HUMAN = "#8a6fc0"
_COLOURS = {"user": "#c8553d", "assistant": "#2a6f97", "both": "#4a7c59"}
_FTO_MS = (-1500, 2500)
_BIN_MS = 100
_SPANS_MS = {"fto": _FTO_MS, "gap": (0, 3000), "pause": (0, 3000), "overlap": (0, 2000)}
_TITLES = {"fto": "Floor transfers", "gap": "Gaps", "pause": "Pauses", "overlap": "Overlaps"}


def draw(found: Measured, compared: ComparedTiming, directory: Path) -> list[Path]:
    """Draw `fto.png` and `durations.png`.

    Args:
        found: What was measured.
        compared: The distributions to set beside it.
        directory: Where to write; made if it is not there.

    Raises:
        EngineMissingError: If matplotlib is not installed.
        DatagenError: If the files cannot be written.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise EngineMissingError("matplotlib is not installed: pip install 'duplex-datagen[plots]'") from error
    matplotlib.use("Agg")
    written = []
    for name, figure in (("fto.png", _offsets(found, compared)), ("durations.png", _durations(found, compared))):
        try:
            directory.mkdir(parents=True, exist_ok=True)
            figure.savefig(directory / name, dpi=130, bbox_inches="tight", facecolor="white")
        except OSError as error:
            raise DatagenError(f"cannot write {directory / name}: {error.strerror}") from error
        written.append(directory / name)
    return written


def _offsets(found: Measured, compared: ComparedTiming) -> "Figure":
    """Histogram of the offsets by who takes the floor, the reference as a line, the human median as a band."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4))
    axes = figure.add_subplot()
    battery, edges = found.battery, np.arange(_FTO_MS[0], _FTO_MS[1] + 1, _BIN_MS)
    parts = [(name, battery.durations[f"fto_{name}"]) for name in ("assistant", "user")]
    heights = [_counts(durations, edges) / max(battery.fto.n, 1) for _, durations in parts]
    known = HUMAN["fto_median_ms"]
    axes.axvspan(known.low, known.high, color=_HUMAN, alpha=0.18, linewidth=0, label="human median, published range")
    below = np.zeros(len(edges) - 1)
    for (name, durations), height in zip(parts, heights, strict=True):
        label = f"to the {name} (n = {durations.n:,})"
        axes.bar(edges[:-1], height, _BIN_MS * 0.92, below, align="edge", color=_COLOURS[name], label=label)
        below += height
    if "fto" in compared.durations:
        reference = compared.durations["fto"]
        shares = _counts(reference, edges) / max(reference.n, 1)
        axes.stairs(shares, edges, color=_INK, linewidth=1.4, label=compared.title)
    median = battery.fto.median()
    if median is not None:
        axes.axvline(median, color=_INK, linewidth=1, linestyle=":", label=f"median here, {median:.0f} ms")
    axes.axvline(0, color=_PALE, linewidth=0.8, zorder=0)
    axes.set_xlim(*_FTO_MS)
    axes.set_xlabel("floor-transfer offset in ms: left of 0 overlap, right of 0 gap")
    axes.set_ylabel(f"share of transfers per {_BIN_MS} ms")
    axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    n_outside = battery.fto.n - round(float(below.sum()) * battery.fto.n)
    _finish(axes, f"Floor transfers ({n_outside} beyond the picture)" if n_outside else "Floor transfers")
    return figure


def _durations(found: Measured, compared: ComparedTiming) -> "Figure":
    """Shares of offsets, gaps, pauses and overlaps up to each length, the reference as a second line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 3.6), layout="constrained")
    for axes, (name, (shortest, longest)) in zip(figure.subplots(1, 4, sharey=True), _SPANS_MS.items(), strict=True):
        ours = measured(found.battery)[name]
        _human(axes, name)
        _ecdf(axes, ours, (shortest, longest), _COLOURS["both"], f"here (n = {ours.n:,})")
        if name in compared.durations:
            _ecdf(axes, compared.durations[name], (shortest, longest), _INK, compared.title)
        axes.set_xlim(shortest, longest)
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("offset in ms" if name == "fto" else "length in ms")
        axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        _finish(axes, _TITLES[name])
    figure.axes[0].set_ylabel("share up to this length")
    return figure


def _human(axes: "Axes", name: str) -> None:
    """What is published of human timing, as thick strokes: a range of the median, or of the share up to a length."""
    for k, mark in enumerate(marks(name)):
        label = "human, published ranges" if not k else None
        xs, ys = (mark.from_ms, mark.to_ms), (mark.from_share, mark.to_share)
        axes.plot(xs, ys, color=_HUMAN, linewidth=5, alpha=0.7, solid_capstyle="butt", label=label, zorder=3)


def _ecdf(axes: "Axes", durations: Durations, span: tuple[int, int], colour: str, label: str) -> None:
    values, counts = durations.sorted()
    if len(values):
        steps = np.cumsum(counts) / durations.n
        xs = np.r_[min(span[0], values[0]), values, max(span[1], values[-1])]
        axes.step(xs, np.r_[0, steps, 1], where="post", color=colour, label=label)


def _counts(durations: Durations, edges: NDArray[np.int64]) -> NDArray[np.float64]:
    values, counts = durations.sorted()
    return np.histogram(values, edges, weights=counts)[0].astype(np.float64)


def _finish(axes: "Axes", title: str) -> None:
    axes.set_title(title, loc="left", color=_INK, fontsize=11)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=8.5)
