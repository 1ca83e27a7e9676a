"""Pictures of a report: floor-transfer offsets, and how long gaps, pauses and overlaps are. Needs the extra `plots`."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from datagen.errors import DatagenError, EngineMissingError
from datagen.timing.durations import Durations
from datagen.timing.fit import measured
from datagen.timing.stored import Measured

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK, _PALE = "#333333", "#9a9a9a"
_COLOURS = {"user": "#c8553d", "assistant": "#2a6f97", "both": "#4a7c59"}
_FTO_MS = (-1500, 2500)
_BIN_MS = 100
_LONGEST_MS = {"gap": 3000, "pause": 3000, "overlap": 2000}


def draw(found: Measured, compared: tuple[str, dict[str, Durations]] | None, directory: Path) -> list[Path]:
    """Draw `fto.png` and `durations.png`.

    Args:
        found: What was measured.
        compared: Name and distributions of a reference profile.
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


def _offsets(found: Measured, compared: tuple[str, dict[str, Durations]] | None) -> "Figure":
    """Histogram of the offsets by who takes the floor, the reference as a line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4))
    axes = figure.add_subplot()
    battery, edges = found.battery, np.arange(_FTO_MS[0], _FTO_MS[1] + 1, _BIN_MS)
    parts = [(name, battery.durations[f"fto_{name}"]) for name in ("assistant", "user")]
    heights = [_counts(durations, edges) / max(battery.fto.n, 1) for _, durations in parts]
    below = np.zeros(len(edges) - 1)
    for (name, durations), height in zip(parts, heights, strict=True):
        label = f"to the {name} (n = {durations.n:,})"
        axes.bar(edges[:-1], height, _BIN_MS * 0.92, below, align="edge", color=_COLOURS[name], label=label)
        below += height
    if compared and "fto" in compared[1]:
        name, reference = compared[0], compared[1]["fto"]
        shares = _counts(reference, edges) / max(reference.n, 1)
        axes.stairs(shares, edges, color=_INK, linewidth=1.4, label=f"reference: {Path(name).stem}")
    median = battery.fto.median()
    if median is not None:
        axes.axvline(median, color=_INK, linewidth=1, linestyle=":", label=f"median {median:.0f} ms")
    axes.axvline(0, color=_PALE, linewidth=0.8, zorder=0)
    axes.set_xlim(*_FTO_MS)
    axes.set_xlabel("floor-transfer offset in ms: left of 0 overlap, right of 0 gap")
    axes.set_ylabel(f"share of transfers per {_BIN_MS} ms")
    axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    n_outside = battery.fto.n - round(float(below.sum()) * battery.fto.n)
    _finish(axes, f"Floor transfers ({n_outside} beyond the picture)" if n_outside else "Floor transfers")
    return figure


def _durations(found: Measured, compared: tuple[str, dict[str, Durations]] | None) -> "Figure":
    """Shares of gaps, pauses and overlaps up to each length, the reference as a second line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.6), layout="constrained")
    for axes, (name, longest) in zip(figure.subplots(1, 3, sharey=True), _LONGEST_MS.items(), strict=True):
        ours = measured(found.battery)[name]
        _ecdf(axes, ours, longest, _COLOURS["both"], f"here (n = {ours.n:,})")
        if compared and name in compared[1]:
            _ecdf(axes, compared[1][name], longest, _INK, f"reference: {Path(compared[0]).stem}")
        axes.set_xlim(0, longest)
        axes.set_ylim(0, 1.02)
        axes.set_xlabel(f"length of a {name} in ms" if name != "overlap" else "length of an overlap in ms")
        axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        _finish(axes, f"{name.capitalize()}s")
    figure.axes[0].set_ylabel("share up to this length")
    return figure


def _ecdf(axes: "Axes", durations: Durations, longest: int, colour: str, label: str) -> None:
    values, counts = durations.sorted()
    if len(values):
        steps = np.cumsum(counts) / durations.n
        axes.step(
            np.r_[0, values, max(longest, values[-1])], np.r_[0, steps, 1], where="post", color=colour, label=label
        )


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
