"""Sound for a page: small files that every browser plays, and waveforms to draw."""

from base64 import b64encode
from io import BytesIO

import numpy as np

from datagen.inspect import Sound

RATE_HZ = 24_000
"""Of all sound in a page."""
PEAK_MS = 20
"""A waveform has one value for so long."""
_COMPRESSION = 0.7
"""Of libsndfile for MP3; with an average bit rate it comes to 64 kbit/s in stereo."""


def mp3(sound: Sound) -> bytes:
    """Compress stereo sound to MP3 of `RATE_HZ`.

    With an average bit rate, unlike a low constant one, the file says how much silence its encoder put before and
    behind the sound, so that decoders take it off again and playing time is conversation time.
    """
    import soundfile

    samples = sound.samples
    if sound.rate_hz != RATE_HZ:
        import soxr

        samples = soxr.resample(samples, sound.rate_hz, RATE_HZ)
    file = BytesIO()
    how = {"format": "MP3", "bitrate_mode": "AVERAGE", "compression_level": _COMPRESSION}
    with soundfile.SoundFile(file, "w", RATE_HZ, samples.shape[1], "MPEG_LAYER_III", **how) as out:
        out.write(samples)
    return file.getvalue()


def waves(sound: Sound) -> list[str]:
    """The waveform of each channel: base64 of one byte for every `PEAK_MS`, 255 the loudest of all.

    >>> import base64
    >>> quiet_then_loud = np.repeat(np.int16([[3277, 0], [16384, 8192]]), 480, axis=0)
    >>> [list(base64.b64decode(text)) for text in waves(Sound(quiet_then_loud, 24_000))]
    [[51, 255], [0, 128]]
    """
    peaks = sound.peaks(-(-len(sound.samples) * 1000 // (sound.rate_hz * PEAK_MS)))
    scaled = np.rint(peaks * (255 / max(float(peaks.max(initial=0)), 1e-6))).astype(np.uint8)
    return [b64encode(scaled[:, channel].tobytes()).decode() for channel in range(scaled.shape[1])]
