"""Audio in the reply of a speech server, and everything else that must not pass for it."""

import re
from io import BytesIO

import numpy as np

from datagen.engines.base import Audio
from datagen.engines.remote.faults import BrokenReplyError

_TEXT = re.compile(r"text/|application/(\w+\+)?(json|xml)", re.IGNORECASE)
_MOST_READ = 2000
"""Bytes of a reply that is not audio; errors show fewer."""
_UNKNOWN_BYTES = 0x7FFF_0000
"""A WAV header that states at least this, or 0, was written before the length was known."""


def audio_of(data: bytes, content_type: str, is_pcm: bool, rate_hz: int, max_seconds: float) -> Audio:
    """The audio of a reply, channels mixed: float32 [n_samples] at `rate_hz`, neither empty nor silent.

    Args:
        data: The body: WAV, FLAC, MP3 or Ogg; or raw 16-bit little-endian samples of one channel.
        content_type: As the server states it.
        is_pcm: True for raw samples, which do not state their rate.
        rate_hz: Required rate. Audio is not resampled: a server that changes its rate is at fault.
        max_seconds: Longest audio.

    Raises:
        BrokenReplyError: If it is anything else; describes it.
    """
    if not data:
        raise BrokenReplyError("the answer is empty")
    if _TEXT.match(content_type):
        raise BrokenReplyError(f"the answer is no audio but {content_type}: {_beginning(data)}")
    audio, found_hz = (_pcm(data), rate_hz) if is_pcm else _decoded(data)
    if found_hz != rate_hz:
        raise BrokenReplyError(f"the audio has {found_hz} Hz, not {rate_hz}; set sample_rate_hz to that")
    if not len(audio):
        raise BrokenReplyError("the audio is empty")
    if len(audio) > max_seconds * rate_hz:
        raise BrokenReplyError(f"the audio has {len(audio) / rate_hz:.0f} s; more than {max_seconds:g} s is a runaway")
    if not np.isfinite(audio).all():
        raise BrokenReplyError("the audio holds numbers that are no sound")
    if not audio.any():
        raise BrokenReplyError("the audio is silent")
    return audio


def _beginning(data: bytes) -> str:
    return data[:_MOST_READ].decode("utf-8", "replace")


def _pcm(data: bytes) -> Audio:
    if len(data) % 2:
        raise BrokenReplyError("the audio breaks off inside a sample")
    return np.asarray(np.frombuffer(data, "<i2") / 32768, np.float32)


def _decoded(data: bytes) -> tuple[Audio, int]:
    import soundfile

    try:
        with soundfile.SoundFile(BytesIO(_with_length(data))) as file:
            n_stated, rate_hz = file.frames, file.samplerate
            audio = file.read(dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        raise BrokenReplyError(f"the answer is no audio that can be read: {_beginning(data)}") from error
    if len(audio) < n_stated < 1 << 40:  # a stream's header states the largest number
        raise BrokenReplyError(f"the audio breaks off after {len(audio)} of {n_stated} samples")
    return np.ascontiguousarray(audio.mean(axis=1, dtype=np.float32)), int(rate_hz)


def _with_length(data: bytes) -> bytes:
    """A WAV file whose header states its length; anything else unchanged.

    Raises:
        BrokenReplyError: If the header states more than there is, which libsndfile would accept in silence.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return data
    at = 12
    while at + 8 <= len(data):
        n_bytes, begin = int.from_bytes(data[at + 4 : at + 8], "little"), at + 8
        if data[at : at + 4] == b"data":
            n_there = len(data) - begin
            if 0 < n_bytes < _UNKNOWN_BYTES:
                if n_bytes > n_there:
                    raise BrokenReplyError(f"the audio breaks off after {n_there} of {n_bytes} bytes")
                return data
            return data[: at + 4] + n_there.to_bytes(4, "little") + data[begin:]
        at = begin + n_bytes + n_bytes % 2
    raise BrokenReplyError("the audio breaks off in its header")
