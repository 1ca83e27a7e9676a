"""How people time their conversations: summary figures of the literature, to set beside a build's.

Marked * are second-hand. Ranges span what the sources give for different languages or corpora; where one gives "about"
a value, the range is 15% to both sides. No raw data stand behind them, so distances of distributions (W1) are measured
to a profile instead.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Range:
    """Where a figure lies among people."""

    low: float
    high: float
    source: str

    def holds(self, value: float) -> bool:
        """Whether a figure lies in the range, ends included.

        >>> PEOPLE["gap_median_ms"].holds(300)
        True
        """
        return self.low <= value <= self.high


_LEVINSON = "Levinson & Torreira 2015*"
_HELDNER = "Heldner & Edlund 2010*"

PEOPLE: dict[str, Range] = {
    "fto_median_ms": Range(0, 300, "Stivers et al. 2009*, ten languages; CANDOR*: 80 ms"),
    "fto_mean_ms": Range(208, 468, "Stivers et al. 2009*: 208 ms; telephone 236-468 ms, Levinson & Torreira 2015*"),
    "fto_mode_ms": Range(100, 200, _LEVINSON),
    "fto_below_200_share": Range(0.51, 0.55, _LEVINSON),
    "fto_below_500_share": Range(0.70, 0.82, _HELDNER),
    "gap_median_ms": Range(264, 347, "telephone, across languages, Levinson & Torreira 2015*"),
    "overlap_mode_ms": Range(0, 50, _LEVINSON),
    "overlap_below_1000_share": Range(0.5, 1, _LEVINSON),
    "overlap_of_signal_share": Range(0, 0.05, _LEVINSON),
    "overlap_of_speech_share": Range(0.115, 0.16, "Fisher about 14%, CALLHOME about 13.5%, corpus cards*"),
    "overlap_of_transfers_share": Range(0.34, 0.46, f"about 40%, {_HELDNER}"),
    "backchannels_a_minute": Range(1.2, 4.3, "CANDOR and others*"),
}
"""By the names of `Battery.figures`."""
