"""Prosody of speakers, and of renderings of one short token that differ each time."""

from dataclasses import dataclass

import numpy as np

_F0 = 0.08
"""Share by which the pitch of a token is higher or lower: about 1.4 semitones, well within one voice."""
_F0_RANGE = 0.4
"""Natural logarithm of the most that melody is stretched or flattened."""
_PACE = 0.12
_LEVEL_DB = 3.0


@dataclass(frozen=True)
class Prosody:
    """Factors on the prosody of a voice."""

    f0: float = 1.0
    """On the mean F0."""
    f0_range: float = 1.0
    """Exponent on F0 relative to its mean: flatter below 1, livelier above."""
    pace: float = 1.0
    """On the speaking rate."""


@dataclass(frozen=True)
class Rendering(Prosody):
    """One utterance, relative to what the voice does anyway."""

    amplitude: float = 1.0


@dataclass(frozen=True)
class Variant(Prosody):
    """A speaker, relative to the one that a network was trained on."""

    vtl: float = 1.0
    """Factor on all formants: below 1 for a longer vocal tract."""
    tilt_db: float = 0.0
    """Spectral tilt, dB per octave from 500 Hz up."""


def drawn(rng: np.random.Generator) -> Rendering:
    """A rendering of a short token; each property is uniform within its limits.

    >>> one, two = (drawn(np.random.default_rng(seed)) for seed in (1, 2))
    >>> abs(one.f0 - 1) <= 0.08, abs(one.pace - 1) <= 0.12, one == two
    (True, True, False)
    """
    f0, f0_range, pace, level = (float(x) for x in 2 * rng.random(4) - 1)
    return Rendering(
        f0=1 + _F0 * f0,
        f0_range=float(np.exp(_F0_RANGE * f0_range)),
        pace=1 + _PACE * pace,
        amplitude=10 ** (_LEVEL_DB * level / 20),
    )
