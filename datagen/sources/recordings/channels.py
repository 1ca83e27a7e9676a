"""Finding out which channel a speaker of a transcript is on."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datagen.sources.recordings.annotations import Segment
from datagen.sources.recordings.layouts import Side
from datagen.sources.recordings.sound_files import WINDOW_MS, window_powers

_LABELS: tuple[Mapping[str, int], ...] = (
    {"0": 0, "1": 1},
    {"1": 0, "2": 1},
    {"a": 0, "b": 1},
    {"left": 0, "right": 1},
    {"l": 0, "r": 1},
)
"""Names of channels; the first set that fits counts."""
_LEAST_DB = 6
"""Smallest difference of levels that tells whose channel it is (our choice)."""


def is_label(name: str) -> bool:
    """True for a name that only says which channel it is.

    >>> is_label("A"), is_label("2"), is_label("ann")
    (True, True, False)
    """
    return any(name.lower() in labels for labels in _LABELS)


def channel_of(labelled: set[tuple[str, str]], sides: Sequence[Side], table: Mapping[str, int]) -> dict[str, int]:
    """The side of each speaker of a transcript; empty if only the sound can tell.

    Args:
        labelled: Speaker and channel label of every segment.
        sides: The two channels, with their labels and speakers.
        table: Sides by speaker, from the table of speakers.

    >>> sides = Side("a.wav", 0, "0"), Side("a.wav", 1, "1")
    >>> channel_of({("ann", "1"), ("bob", "2")}, sides, {}), channel_of({("B", "1"), ("A", "1")}, sides, {})
    ({'ann': 0, 'bob': 1}, {'A': 0, 'B': 1})
    >>> channel_of({("ann", "0"), ("bob", "0")}, sides, {})
    {}
    """
    speakers = sorted({speaker for speaker, _ in labelled})
    by_file = {side.speaker: k for k, side in enumerate(sides) if side.speaker}
    for known in (by_file, table):
        if speakers and set(speakers) <= set(known):
            return {speaker: known[speaker] for speaker in speakers}
    labels = {speaker: {label for each, label in labelled if each == speaker} for speaker in speakers}
    own = {side.label: k for k, side in enumerate(sides)}
    singles = {speaker: next(iter(found)) for speaker, found in labels.items() if len(found) == 1}
    for names in (singles if len(singles) == len(speakers) else {}, {speaker: speaker for speaker in speakers}):
        if names and len(set(names.values())) == len(speakers):
            for known in (own, *_LABELS):
                if {name.lower() for name in names.values()} <= set(known):
                    return {speaker: known[name.lower()] for speaker, name in names.items()}
    return {}


def by_level(root: Path, sides: Sequence[Side], segments: Sequence[Segment]) -> dict[str, int]:
    """The side of each of two speakers by the level of the channels while each speaks alone.

    Returns:
        Empty if the levels differ too little to tell.

    Raises:
        BadSoundError: If the sound is damaged.
    """
    speakers = sorted({segment.speaker for segment in segments})
    if len(speakers) != 2:
        return {}
    powers = [window_powers(root, side.file, side.channel) for side in sides]
    n_windows = min(map(len, powers))
    talks = [_talks([s for s in segments if s.speaker == speaker], n_windows) for speaker in speakers]
    alone = talks[0] & ~talks[1], talks[1] & ~talks[0]
    if not (alone[0].any() and alone[1].any()):
        return {}
    levels = [[float(power[:n_windows][mask].mean()) + 1e-20 for power in powers] for mask in alone]
    score_db = 10 * np.log10(levels[0][0] / levels[0][1] * levels[1][1] / levels[1][0])
    if abs(score_db) < 2 * _LEAST_DB:
        return {}
    return {speakers[0]: 0, speakers[1]: 1} if score_db > 0 else {speakers[0]: 1, speakers[1]: 0}


def _talks(segments: Sequence[Segment], n_windows: int) -> NDArray[np.bool_]:
    mask = np.zeros(n_windows, np.bool_)
    for segment in segments:
        mask[segment.start_ms // WINDOW_MS : -(-segment.end_ms // WINDOW_MS)] = True
    return mask
