"""Human timing: summary figures from the literature, to set beside those of a build.

Ranges span what the sources give for different languages or corpora; where one gives "about" a value, the range is 15%
to both sides. Sources marked * are second-hand. No raw data stand behind them, so they are drawn as ranges, never as
distributions; W1 distances to human timing need recordings (`datagen timing fit`).

The figures are of two people. In a build they hold for the user and for gaps; docs/timing.md says which of them the
assistant gives up, and why.
"""

from collections.abc import Iterator
from dataclasses import dataclass


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
"""Of floor transfers, whoever takes the floor."""

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
    """A range as it lies in a picture of shares up to each length."""

    from_ms: float
    to_ms: float
    from_share: float
    to_share: float
    range: Range


_MEDIAN = None
_IN_PICTURES: dict[str, tuple[tuple[str, float | None], ...]] = {
    "fto": (
        ("fto_median_ms", _MEDIAN),
        ("overlap_of_transfers_share", 0),
        ("fto_below_200_share", 200),
        ("fto_below_500_share", 500),
    ),
    "gap": (("gap_median_ms", _MEDIAN),),
    "overlap": (("overlap_below_1000_share", 1000),),
}
"""Figures of a distribution, each with the length up to which it is a share."""


def marks(name: str) -> Iterator[HumanRange]:
    """What is known of a human distribution: a range of its median, or of the share up to a length.

    Args:
        name: Of a distribution: fto, gap, pause or overlap.

    >>> [(mark.from_ms, mark.to_ms, mark.from_share, mark.to_share) for mark in marks("gap")]
    [(264, 347, 0.5, 0.5)]
    >>> [(mark.from_ms, mark.to_ms, mark.from_share, mark.to_share) for mark in marks("overlap")]
    [(1000, 1000, 0.5, 1)]
    """
    for figure, at in _IN_PICTURES.get(name, ()):
        known = HUMAN[figure]
        if at is _MEDIAN:
            yield HumanRange(known.low, known.high, 0.5, 0.5, known)
        else:
            yield HumanRange(at, at, known.low, known.high, known)
