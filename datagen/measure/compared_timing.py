"""Timing to compare a build with: human figures from the literature, and distributions of a profile.

The human figures are ranges over the languages or corpora of a source; "about" a value means 15% to
both sides. Sources marked * are second-hand. There are no raw data behind them, so they are drawn
as ranges, never as distributions; a W1 distance to human timing needs recordings (`datagen timing
fit`).

The figures describe two people. In a build they hold for the user and for gaps. docs/timing.md
lists those that the assistant gives up, and why.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import yaml

from datagen.errors import RecipeError
from datagen.measure.battery import Battery, Durations
from datagen.shards.manifest import Manifest

if TYPE_CHECKING:
    from datagen.recipe import TimingConfig

MEASURED = "# measured "
"""Start of the comments of a fitted profile that hold measured distributions."""


@dataclass(frozen=True)
class Range:
    """The range of a figure in human conversation."""

    low: float
    high: float
    source: str

    def holds(self, value: float) -> bool:
        """True if a figure lies in the range, ends included.

        >>> HUMAN["gap_median_ms"].holds(300)
        True
        """
        return self.low <= value <= self.high


_LEVINSON = "Levinson & Torreira 2015*"
_HELDNER = "Heldner & Edlund 2010*"

_OFFSETS = {
    "fto_median_ms": Range(0, 300, "Stivers et al. 2009*, ten languages; CANDOR*: 80 ms"),
    "fto_below_200_share": Range(0.51, 0.55, _LEVINSON),
    "fto_below_500_share": Range(0.70, 0.82, _HELDNER),
    "overlap_of_transfers_share": Range(0.34, 0.46, f"about 40%, {_HELDNER}"),
}
"""Of floor transfers to either speaker."""

HUMAN: dict[str, Range] = {
    **_OFFSETS,
    "fto_mean_ms": Range(208, 468, "Stivers et al. 2009*: 208 ms; telephone 236-468 ms, Levinson & Torreira 2015*"),
    "fto_mode_ms": Range(100, 200, _LEVINSON),
    **{f"user_{name}": range_ for name, range_ in _OFFSETS.items()},
    "gap_median_ms": Range(264, 347, "telephone, across languages, Levinson & Torreira 2015*"),
    "overlap_mode_ms": Range(0, 50, _LEVINSON),
    "overlap_below_1000_share": Range(0.5, 1, _LEVINSON),
    "overlap_of_signal_share": Range(0, 0.05, _LEVINSON),
    "overlap_of_speech_share": Range(0.115, 0.16, "Fisher about 14%, CALLHOME about 13.5%, corpus cards*"),
    "backchannels_a_minute": Range(1.2, 4.3, "CANDOR and others*"),
}
"""By the names of `Battery.figures`."""


@dataclass(frozen=True)
class HumanRange:
    """A range as drawn in a chart of shares up to each length."""

    from_ms: float
    to_ms: float
    from_share: float
    to_share: float
    range: Range


_IN_CHARTS: dict[str, dict[str, float | None]] = {
    "fto": {
        "fto_median_ms": None,
        "overlap_of_transfers_share": 0,
        "fto_below_200_share": 200,
        "fto_below_500_share": 500,
    },
    "gap": {"gap_median_ms": None},
    "overlap": {"overlap_below_1000_share": 1000},
}
"""Figures of a distribution by name, with the length up to which they are a share; None for a median."""


def marks(name: str) -> Iterator[HumanRange]:
    """The known human ranges of fto, gap, pause or overlap: of the median, or of a share.

    >>> [(mark.from_ms, mark.to_ms, mark.from_share, mark.to_share) for mark in marks("gap")]
    [(264, 347, 0.5, 0.5)]
    >>> [(mark.from_ms, mark.to_ms, mark.from_share, mark.to_share) for mark in marks("overlap")]
    [(1000, 1000, 0.5, 1)]
    """
    for figure, at in _IN_CHARTS.get(name, {}).items():
        known = HUMAN[figure]
        if at is None:
            yield HumanRange(known.low, known.high, 0.5, 0.5, known)
        else:
            yield HumanRange(at, at, known.low, known.high, known)


@dataclass(frozen=True)
class ComparedTiming:
    """The distributions that a report compares a build with."""

    name: str
    """Name of the profile, or its file."""
    is_human: bool
    """True if they were measured in human recordings, false if a profile requests them."""
    durations: dict[str, Durations]
    """By fto, gap, pause, overlap; unknown ones are absent."""

    @property
    def title(self) -> str:
        """The name for a reader.

        >>> ComparedTiming("calls/fisher.yaml", True, {}).title
        'human recordings fisher'
        """
        return f"{'human recordings' if self.is_human else 'profile'} {Path(self.name).stem}"

    @classmethod
    def named(cls, profile: str) -> "ComparedTiming":
        """The distributions of a profile: as measured if it was fitted, else as it requests them.

        Args:
            profile: Name of a shipped profile, or path of a YAML file.

        Raises:
            RecipeError: If there is no such profile, or the file is not a profile.
        """
        from pydantic import ValidationError

        from datagen.recipe import TimingConfig, explain

        try:
            timing = TimingConfig.model_validate({"profile": profile})
        except ValidationError as error:
            raise RecipeError(f"{profile}: {explain(error, model=TimingConfig)}") from error
        found = measured_in(Path(profile)) if Path(profile).suffix in (".yaml", ".yml") else {}
        return cls(profile, bool(found), found or requested(timing))

    @classmethod
    def of_build(cls, manifest: Manifest) -> "ComparedTiming":
        """The distributions that the recipe of a build requests."""
        from datagen.recipe import stored

        timing = stored(manifest.recipe).timing
        return cls(timing.profile, False, requested(timing))


def measured(b: Battery) -> dict[str, Durations]:
    """The distributions of a build that a report compares."""
    return {"fto": b.fto, "gap": b.durations["gap"], "pause": b.durations["pause"], "overlap": b.overlap}


def measured_in(file: Path) -> dict[str, Durations]:
    """The distributions of the recordings that a profile was fitted to; none if it was not fitted."""
    from datagen.recipe.distributions import Quantiles

    lines = [line.removeprefix(MEASURED) for line in file.read_text("utf-8").splitlines() if line.startswith(MEASURED)]
    values: dict[str, tuple[float, ...]] = yaml.safe_load("\n".join(lines)) or {}
    return {
        name.removesuffix("_ms"): Durations.of(Quantiles(kind="quantiles", values=steps).spread())
        for name, steps in values.items()
    }


def requested(timing: "TimingConfig") -> dict[str, Durations]:
    """Offsets of both roles in equal numbers, and the gaps and overlaps that they make.

    Barge-ins are left out, because their number depends on the dialogues as well as on the recipe.
    """
    n = 4096
    fto = np.concatenate([timing.assistant_fto.spread(n), timing.user_fto.spread(n)])
    found = {"fto": fto, "gap": fto[fto > 0], "overlap": -fto[fto < 0]}
    if timing.hesitation.probability:
        found["pause"] = timing.hesitation.pause.spread()
    return {name: Durations.of(values) for name, values in found.items()}
