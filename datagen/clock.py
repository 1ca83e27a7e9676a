"""Sample, frame and chunk clocks: exact integer conversions.

Time is integers everywhere inside the package; milliseconds appear only in recipes and reports and are
turned into samples here. A frame is one speech-token step, `hop` samples long.
"""


def ms_to_samples(ms: float, sample_rate_hz: int) -> int:
    """Convert milliseconds to samples, rounding half away from zero.

    Args:
        ms: Milliseconds, may be negative or fractional.
        sample_rate_hz: Samples per second, positive.

    Returns:
        The nearest whole number of samples.

    >>> ms_to_samples(40, 24_000), ms_to_samples(-0.03125, 16_000)
    (960, -1)
    """
    scaled = ms * sample_rate_hz / 1000
    return int(scaled + 0.5) if scaled >= 0 else -int(-scaled + 0.5)


def samples_to_ms(n_samples: int, sample_rate_hz: int) -> float:
    """Convert samples to milliseconds, for recipes and reports only.

    >>> samples_to_ms(960, 24_000)
    40.0
    """
    return n_samples * 1000 / sample_rate_hz


def ceil_div(n: int, step: int) -> int:
    """Number of `step`s that cover `n`, both non-negative.

    >>> ceil_div(1919, 960), ceil_div(1920, 960), ceil_div(0, 960)
    (2, 2, 0)
    """
    return -(-n // step)


def round_up(n: int, step: int) -> int:
    """The smallest multiple of `step` that is at least `n`.

    >>> round_up(961, 960), round_up(960, 960)
    (1920, 960)
    """
    return ceil_div(n, step) * step


def plain_number(rate_hz: float) -> int | float:
    """A rate as it is stored: whole ones as integers.

    >>> plain_number(25.0), plain_number(12.5)
    (25, 12.5)
    """
    return int(rate_hz) if rate_hz == int(rate_hz) else rate_hz


def hop_samples(sample_rate_hz: int, frame_rate_hz: float) -> int:
    """Samples per frame.

    Raises:
        ValueError: If a frame is not a whole number of samples.

    >>> hop_samples(24_000, 25), hop_samples(24_000, 12.5)
    (960, 1920)
    """
    hop, rest = divmod(sample_rate_hz, frame_rate_hz)
    if rest:
        raise ValueError(f"{sample_rate_hz} Hz is not a whole number of samples at {frame_rate_hz} frames per second")
    return int(hop)
