"""Edges of speech whose transcript has times of words alone, moved to where its sound begins and ends.

Aligners place a word inside its sound: a closure before it and the fading of its last sound are
missing, some 30 to 80 ms at each edge (benchmarks/recordings.py). Two such edges turn an overlap of
100 ms into a gap. An edge moves only while the sound next to it is clearly speech, by its level
against that of the speaker's words and against the silence around them.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from datagen.clock import ms_to_samples
from datagen.engines.base import Audio
from datagen.pipeline.recorded.piece import Piece

_STEP_MS = 10
_FARTHEST_MS = 100
"""An edge moves no farther."""
_BELOW_SPEECH_DB = 30
"""Sound that is quieter than the words by more than this is none of them."""
_ABOVE_SILENCE_DB = 10
"""Speech is louder than the silence around it by this."""
_SILENT_DB = -120.0


def sounding(pieces: Sequence[Piece], channel: Audio, rate_hz: int) -> list[Piece]:
    """Pieces that begin and end with their sound, if the edges are those of words; the words stay.

    Args:
        pieces: Of one speaker, in order, apart.
        channel: float32 [n_samples], the speaker's.
        rate_hz: Sample rate of the channel.
    """
    step = ms_to_samples(_STEP_MS, rate_hz)
    levels = _levels(channel, step)
    is_loud = levels > _threshold(levels, pieces, step)
    found = list[Piece]()
    for k, piece in enumerate(pieces):
        if piece.is_by_words:
            least = found[-1].end if found else 0
            most = pieces[k + 1].start if k + 1 < len(pieces) else len(channel)
            piece = replace(
                piece,
                start=max(piece.start - _n_loud(is_loud[: piece.start // step][::-1]) * step, least),
                end=min(piece.end + _n_loud(is_loud[-(-piece.end // step) :]) * step, most),
            )
        found.append(piece)
    return found


def _levels(channel: Audio, step: int) -> NDArray[np.float64]:
    """Level of each whole step in dB against full scale: float64 [n_samples // step]."""
    steps = channel[: len(channel) // step * step].reshape(-1, step).astype(np.float64)
    power = np.maximum(np.square(steps).mean(axis=1), 10 ** (_SILENT_DB / 10))
    return np.asarray(10 * np.log10(power), np.float64)


def _threshold(levels: NDArray[np.float64], pieces: Sequence[Piece], step: int) -> float:
    """The level from which on sound next to a word belongs to it."""
    inside = np.zeros(len(levels), np.bool_)
    for piece in pieces:
        inside[piece.start // step : -(-piece.end // step)] = True
    speech = float(np.median(levels[inside])) if inside.any() else 0.0
    silence = float(np.median(levels[~inside])) if not inside.all() else _SILENT_DB
    return max(speech - _BELOW_SPEECH_DB, silence + _ABOVE_SILENCE_DB)


def _n_loud(is_loud: NDArray[np.bool_]) -> int:
    """Number of loud steps at the beginning, at most those of `_FARTHEST_MS`.

    >>> _n_loud(np.array([True, True, False, True])), _n_loud(np.ones(50, np.bool_)), _n_loud(np.ones(0, np.bool_))
    (2, 10, 0)
    """
    near = is_loud[: _FARTHEST_MS // _STEP_MS]
    return len(near) if near.all() else int(np.argmin(near))
