"""What a speech server sent: audio, or something else that must not pass for it."""

import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from io import BytesIO

import numpy as np

from datagen.engines.base import Audio
from datagen.errors import EngineError

_TEXT = re.compile(r"text/|application/(\w+\+)?(json|xml)", re.IGNORECASE)
_TOLD = 80
_UNKNOWN_BYTES = 0x7FFF_0000
"""A WAV header that promises as much, or nothing, was written before its writer knew."""


def audio_of(data: bytes, content_type: str, is_pcm: bool, rate_hz: int, max_seconds: float) -> Audio:
    """The audio of an answer, channels mixed: float32 [n_samples] at `rate_hz`, neither empty nor silent.

    Args:
        data: The body: WAV, FLAC, MP3 or Ogg; or raw 16-bit little-endian samples of one channel.
        content_type: As the server says.
        is_pcm: Whether it is raw samples, whose rate nobody can see.
        rate_hz: What the audio must have. It is not resampled: a server that sends one rate now and another then
            is at fault, and whoever expects another rate should say so.
        max_seconds: Longest audio.

    Raises:
        EngineError: If it is anything else; says what.
    """
    if not data:
        raise EngineError("the answer is empty")
    if _TEXT.match(content_type):
        raise EngineError(f"the answer is no audio but {content_type[:_TOLD]}: {_beginning(data)}")
    audio, found_hz = (_pcm(data), rate_hz) if is_pcm else _decoded(data)
    if found_hz != rate_hz:
        raise EngineError(f"the audio has {found_hz} Hz, not {rate_hz}; set sample_rate_hz to what the server sends")
    if not len(audio):
        raise EngineError("the audio is empty")
    if len(audio) > max_seconds * rate_hz:
        raise EngineError(f"the audio has {len(audio) / rate_hz:.0f} s; more than {max_seconds:g} s is a runaway")
    if not np.isfinite(audio).all():
        raise EngineError("the audio holds numbers that are no sound")
    if not audio.any():
        raise EngineError("the audio is silent")
    return audio


def asked_wait(headers: Mapping[str, str]) -> float | None:
    """How many seconds a server asks to wait (Retry-After, RFC 9110), or None if it does not say; finite, at least 0.

    >>> [asked_wait({"retry-after": said}) for said in ("1.5", "Fri, 31 Dec 1999 23:59:59 GMT")]
    [1.5, 0.0]
    >>> {asked_wait({"retry-after": said}) for said in ("soon", "nan", "inf", "-1", "", f"1 Jan {10**20} 00:00 GMT")}
    {None}
    """
    said = headers.get("retry-after", "")
    try:
        seconds = float(said)
    except ValueError:
        pass
    else:
        return seconds if math.isfinite(seconds) and seconds >= 0 else None
    try:
        return max(parsedate_to_datetime(said).timestamp() - time.time(), 0.0)
    except (TypeError, ValueError, OverflowError):
        return None


def _beginning(data: bytes) -> str:
    text = data[: 2 * _TOLD].decode("utf-8", "replace")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_TOLD]


def _pcm(data: bytes) -> Audio:
    if len(data) % 2:
        raise EngineError("the audio breaks off inside a sample")
    return np.asarray(np.frombuffer(data, "<i2") / 32768, np.float32)


def _decoded(data: bytes) -> tuple[Audio, int]:
    import soundfile

    try:
        with soundfile.SoundFile(BytesIO(_whole(data))) as file:
            n_promised, rate_hz = file.frames, file.samplerate
            audio = file.read(dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        raise EngineError(f"the answer is no audio that can be read: {_beginning(data)}") from error
    if len(audio) < n_promised < 1 << 40:  # a stream's header promises all there can be
        raise EngineError(f"the audio breaks off after {len(audio)} of {n_promised} samples")
    return np.ascontiguousarray(audio.mean(axis=1, dtype=np.float32)), int(rate_hz)


def _whole(data: bytes) -> bytes:
    """A WAV file whose header says how much is in it; anything else as it is.

    Raises:
        EngineError: If the header promises more than there is, which libsndfile would read in silence.
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
                    raise EngineError(f"the audio breaks off after {n_there} of {n_bytes} bytes")
                return data
            return data[: at + 4] + n_there.to_bytes(4, "little") + data[begin:]
        at = begin + n_bytes + n_bytes % 2
    raise EngineError("the audio breaks off in its header")
