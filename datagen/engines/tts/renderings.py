"""How one person says the same short token in another way each time."""

from dataclasses import dataclass

import numpy as np

_F0 = 0.08
"""Share by which the pitch of a token is higher or lower: about 1.4 semitones, well within one voice."""
_F0_RANGE = 0.4
"""Natural logarithm of the most that melody is stretched or flattened."""
_PACE = 0.12
_LEVEL_DB = 3.0


@dataclass(frozen=True)
class Rendering:
    """Factors on what a voice does anyway."""

    f0: float = 1.0
    """On the mean F0."""
    f0_range: float = 1.0
    """Exponent on F0 relative to its mean."""
    pace: float = 1.0
    """On the speaking rate."""
    amplitude: float = 1.0


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
