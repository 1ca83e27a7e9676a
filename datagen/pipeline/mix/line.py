"""The line behind the microphone: telephone band and codecs, by libsndfile. None of them shifts time.

`band`, `pcmu`, `pcma` and `gsm` go through a telephone: 300-3400 Hz at 8 kHz. G.711 (integer tables) and GSM (integer
arithmetic) are exact for what reaches them; filters, resampling, Opus, Vorbis and MP3 are floating point, so their
bytes are those of one kind of processor and one version of the libraries.
"""

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from datagen.engines.audio import resample
from datagen.engines.base import Audio, EngineInfo

_TELEPHONE_HZ = (300.0, 3400.0)
_WRITTEN_SAMPLES = 1 << 14
"""Samples given to an encoder at a time: libsndfile's Vorbis keeps all of one call on the stack."""


@dataclass(frozen=True)
class Codec:
    """How libsndfile names a codec, and the rate it is used at."""

    container: str
    encoding: str
    sample_rate_hz: int
    telephone: bool
    takes_compression: bool


CODECS = {
    "band": Codec("", "", 8_000, telephone=True, takes_compression=False),
    "pcmu": Codec("WAV", "ULAW", 8_000, telephone=True, takes_compression=False),
    "pcma": Codec("WAV", "ALAW", 8_000, telephone=True, takes_compression=False),
    "gsm": Codec("WAV", "GSM610", 8_000, telephone=True, takes_compression=False),
    "opus": Codec("OGG", "OPUS", 24_000, telephone=False, takes_compression=True),
    "vorbis": Codec("OGG", "VORBIS", 24_000, telephone=False, takes_compression=True),
    "mp3": Codec("MP3", "MPEG_LAYER_III", 24_000, telephone=False, takes_compression=True),
}
"""Codecs by the names a recipe uses; `band` is the telephone band without one."""


def line_info() -> EngineInfo:
    """The library behind the codecs, as manifests name engines."""
    import soundfile

    return EngineInfo("libsndfile", soundfile.__libsndfile_version__, "LGPL-2.1-or-later", "machine")


def through(channel: NDArray[np.int16], codec: Codec, compression: float, sample_rate_hz: int) -> Audio:
    """Send a channel through a line.

    Args:
        channel: int16 [n_samples].
        codec: One of `CODECS`.
        compression: From 0, best quality, to 1, smallest; for those codecs that know it.
        sample_rate_hz: Of the channel.

    Returns:
        float32 [n_samples] against full scale; a filter or codec may have raised its peak above 1.

    >>> quiet = through(np.zeros(2400, np.int16), CODECS["band"], 0, 24_000)
    >>> len(quiet), float(abs(quiet).max())
    (2400, 0.0)
    """
    audio = resample(channel.astype(np.float32) / np.float32(32768), sample_rate_hz, codec.sample_rate_hz)
    if codec.telephone:
        audio = _telephone(audio, codec.sample_rate_hz)
    if codec.encoding:
        audio = _coded(audio, codec, compression)
    audio = resample(audio, codec.sample_rate_hz, sample_rate_hz)
    heard = np.zeros(len(channel), np.float32)  # resampling there and back may be a sample short or long
    n = min(len(heard), len(audio))
    heard[:n] = audio[:n]
    return heard


def _telephone(audio: Audio, sample_rate_hz: int) -> Audio:
    """Keep the band of a telephone: Butterworth of order 4 at each edge; within the band they delay under 1 ms."""
    from scipy.signal import butter, sosfilt

    sections = butter(4, _TELEPHONE_HZ, "bandpass", fs=sample_rate_hz, output="sos").astype(np.float32)
    filtered: Audio = sosfilt(sections, audio)
    return filtered


def _coded(audio: Audio, codec: Codec, compression: float) -> Audio:
    """Encode and decode; libsndfile removes what encoders add at the front."""
    import soundfile

    file = BytesIO()
    level = compression if codec.takes_compression else None
    with soundfile.SoundFile(
        file, "w", codec.sample_rate_hz, 1, codec.encoding, None, codec.container, compression_level=level
    ) as encoder:
        for begin in range(0, len(audio), _WRITTEN_SAMPLES):
            encoder.write(np.clip(audio[begin : begin + _WRITTEN_SAMPLES], -1, 1))
    file.seek(0)
    decoded: Audio = soundfile.read(file, dtype="float32")[0]
    return decoded
