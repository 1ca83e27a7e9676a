"""Sound for a page: small files that every browser plays, and waveforms to draw."""

from base64 import b64encode
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 24_000
"""Of all sound in a page."""
PEAK_MS = 20
"""A waveform has one value for so long."""
_KBPS = 64
_COMPRESSION = 0.7
"""Of libsndfile for MP3; with an average bit rate it comes to 64 kbit/s at 24,000 Hz in stereo."""


def mp3(audio: NDArray[np.float32], rate_hz: int) -> bytes:
    """Compress stereo sound, float32 [n_samples, 2], to MP3 of `RATE_HZ`.

    With an average bit rate, unlike a constant one, the file says how much silence its encoder put before and behind
    the sound, so that decoders take it off again and playing time is conversation time.
    """
    import soundfile

    if rate_hz != RATE_HZ:
        import soxr

        audio = soxr.resample(audio, rate_hz, RATE_HZ)
    file = BytesIO()
    with soundfile.SoundFile(
        file,
        "w",
        RATE_HZ,
        2,
        "MPEG_LAYER_III",
        format="MP3",
        bitrate_mode="AVERAGE",
        compression_level=_COMPRESSION,
    ) as out:
        out.write(np.clip(audio, -1, 1))
    return file.getvalue()


def peaks(audio: NDArray[np.float32], rate_hz: int) -> list[str]:
    """The waveform of each channel: base64 of one byte for every `PEAK_MS`, 255 the loudest of both.

    >>> import base64
    >>> quiet_then_loud = np.repeat(np.float32([[0.1, 0], [0.5, 0.25]]), 480, axis=0)
    >>> [list(base64.b64decode(text)) for text in peaks(quiet_then_loud, 24_000)]
    [[51, 255], [0, 128]]
    """
    width = rate_hz * PEAK_MS // 1000
    n = -(-len(audio) // width)
    padded = np.zeros((n * width, 2), np.float32)
    padded[: len(audio)] = np.abs(audio)
    highest = padded.reshape(n, width, 2).max(axis=1)
    scaled = np.rint(highest * (255 / max(float(highest.max(initial=0)), 1e-6))).astype(np.uint8)
    return [b64encode(scaled[:, channel].tobytes()).decode() for channel in (0, 1)]
