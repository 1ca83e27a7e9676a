"""The sound path: from mouth to microphone (distance, room, drift) and through the line (codecs).

Word times stay valid. `band`, `pcmu`, `pcma` and `gsm` have telephone bandwidth: 300-3400 Hz at
8 kHz. G.711 (integer tables) and GSM (integer arithmetic) are exact for a given input. Filters,
resampling, Opus, Vorbis and MP3 use floating point, so their bytes depend on the kind of processor
and the version of libsndfile.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from datagen.engines.audio import resample
from datagen.engines.base import Audio, EngineInfo, RoomResponse
from datagen.pipeline.levels import Segments

_N_TAPS = 8
_STEP_SAMPLES = 64
"""Samples per step of a drifting gain: inaudible as a step at swells of seconds."""
_TELEPHONE_HZ = (300.0, 3400.0)
_WRITTEN_SAMPLES = 1 << 14
"""Samples per call of an encoder: libsndfile's Vorbis keeps all samples of one call on the stack."""


def dull(audio: Audio, cutoff_hz: float, sample_rate_hz: int) -> Audio:
    """Low-pass float32 [n_samples] with 6 dB per octave above `cutoff_hz`, as air or a turned head does.

    The impulse response of one pole, truncated after a few samples; its delay is
    1 / (2 pi cutoff), some tens of microseconds.

    >>> [round(float(x), 3) for x in dull(np.ones(50, np.float32), 3000, 24_000)[[0, -1]]]
    [0.545, 1.0]
    """
    pole = np.exp(-2 * np.pi * cutoff_hz / sample_rate_hz)
    taps = pole ** np.arange(_N_TAPS)
    filtered: Audio = np.convolve(audio, (taps / taps.sum()).astype(np.float32))[: len(audio)]
    return filtered


def in_room(audio: Audio, response: RoomResponse) -> Audio:
    """Convolve float32 [n_samples] with the response of a room: float32 [n_samples + len(response.audio) - 1].

    The direct sound of sample 0 arrives at sample `response.onset_samples`.

    >>> in_room(np.array([1, 2], np.float32), RoomResponse(np.array([0, 1, 0.5], np.float32), 1, 0)).round(3).tolist()
    [0.0, 1.0, 2.5, 1.0]
    """
    from scipy.signal import oaconvolve

    wet: Audio = oaconvolve(audio, response.audio).astype(np.float32, copy=False)
    return wet


def arrived(segments: Segments, response: RoomResponse, n_samples: int) -> tuple[Segments, Sequence[Audio]]:
    """Segments as heard in a room, cut to the conversation, and the part of each to measure.

    Args:
        segments: Dry speech.
        response: Response of the room.
        n_samples: Number of samples of the conversation.

    Returns:
        Segments with their reverberation tails, which may overlap, aligned so that the direct sound
        is at the place of the dry speech; and the part of each that is as long as its dry speech.
    """
    wet_segments: Segments = []
    heard = []
    for start, audio in segments:
        wet = in_room(audio, response)
        heard.append(wet[response.onset_samples : response.onset_samples + len(audio)])
        first = start - response.onset_samples
        wet_segments.append((max(first, 0), wet[max(-first, 0) : n_samples - first]))
    return wet_segments, heard


def drifting(audio: Audio, start_samples: int, range_db: float, period_samples: float, phase: float) -> Audio:
    """Apply a gain of +- range / 2 dB that follows a sine of conversation time to float32 [n_samples].

    Args:
        audio: Speech.
        start_samples: Its start in the conversation.
        range_db: Range from the quietest to the loudest level.
        period_samples: Length of one period.
        phase: Phase at the beginning of the conversation, in [0, 1).

    >>> loud = drifting(np.ones(128, np.float32), 0, 12, period_samples=1e9, phase=0.25)
    >>> [round(float(x), 2) for x in loud[[0, -1]]]
    [2.0, 2.0]
    """
    n_steps = -(-len(audio) // _STEP_SAMPLES)
    at = start_samples + _STEP_SAMPLES * np.arange(n_steps)
    gain_db = range_db / 2 * np.sin(2 * np.pi * (at / period_samples + phase))
    gain = (10 ** (gain_db / 20)).astype(np.float32)
    n_whole = len(audio) // _STEP_SAMPLES
    moved = np.empty_like(audio)
    whole = audio[: n_whole * _STEP_SAMPLES].reshape(n_whole, _STEP_SAMPLES)
    np.multiply(whole, gain[:n_whole, None], out=moved[: whole.size].reshape(whole.shape))
    moved[whole.size :] = audio[whole.size :] * gain[-1:]
    return moved


# -- the line -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Codec:
    """Name of a codec in libsndfile, and its sample rate."""

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
"""Codecs by their names in recipes; `band` is telephone bandwidth without a codec."""


def line_info() -> EngineInfo:
    """The library of the codecs, in the form of an engine for manifests."""
    import soundfile

    return EngineInfo("libsndfile", soundfile.__libsndfile_version__, "LGPL-2.1-or-later", "machine")


def through(channel: NDArray[np.int16], codec: Codec, compression: float, sample_rate_hz: int) -> Audio:
    """Send a channel through a line.

    Args:
        channel: int16 [n_samples].
        codec: One of `CODECS`.
        compression: From 0, best quality, to 1, smallest size; for codecs that support it.
        sample_rate_hz: Sample rate of the channel.

    Returns:
        float32 [n_samples] relative to full scale; a filter or codec may raise its peak above 1.

    >>> quiet = through(np.zeros(2400, np.int16), CODECS["band"], 0, 24_000)
    >>> len(quiet), float(abs(quiet).max())
    (2400, 0.0)
    """
    audio = channel.astype(np.float32)
    audio /= np.float32(32768)
    audio = resample(audio, sample_rate_hz, codec.sample_rate_hz)
    if codec.telephone:
        audio = _telephone(audio, codec.sample_rate_hz)
    if codec.encoding:
        audio = _coded(audio, codec, compression)
    audio = resample(audio, codec.sample_rate_hz, sample_rate_hz)
    if len(audio) >= len(channel):  # resampling there and back may be a sample short or long
        return audio[: len(channel)]
    return np.pad(audio, (0, len(channel) - len(audio)))


def _telephone(audio: Audio, sample_rate_hz: int) -> Audio:
    """Limit to telephone bandwidth: Butterworth filters of order 4, with a delay under 1 ms in the band."""
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
