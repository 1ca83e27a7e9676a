"""Two channels of sound: to play in a notebook, and to write in any format."""

from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from datagen.errors import DatagenError
from datagen.faults import cannot
from datagen.records import CHANNEL

Channel = Literal["user", "assistant", "both"]
_CONTAINERS = {"ogg": ("OGG", "VORBIS"), "opus": ("OGG", "OPUS"), "aif": ("AIFF", None)}
"""Endings that are no name of a format of libsndfile, and which format and codec they stand for."""
_LOUDEST = 32767


@dataclass(frozen=True, eq=False, repr=False)
class Sound:
    """Sound of one or two channels; of a conversation, left the user, right the assistant.

    >>> sound = Sound(np.zeros((48_000, 2), np.int16), 24_000)
    >>> sound, sound.channel("user").samples.shape
    (Sound(2.0 s, 2 channels, 24000 Hz), (48000, 1))
    """

    samples: NDArray[np.int16]
    """int16 [n_samples, n_channels]."""
    rate_hz: int

    @classmethod
    def of_flac(cls, flac: bytes, name: str) -> "Sound":
        """The sound of a FLAC file.

        Raises:
            DatagenError: If it is damaged; says the name.
        """
        import soundfile

        try:
            samples, rate_hz = soundfile.read(BytesIO(flac), dtype="int16", always_2d=True)
        except (soundfile.LibsndfileError, RuntimeError) as error:
            raise DatagenError(f"{name} is damaged: {error}; build it again") from error
        return cls(samples, int(rate_hz))

    @classmethod
    def of_floats(cls, samples: NDArray[np.float32], rate_hz: int) -> "Sound":
        """Floats from -1 to 1 [n_samples, n_channels] rounded to 16 bits; what is louder is clipped."""
        return cls(np.rint(np.clip(samples, -1, 1) * _LOUDEST).astype(np.int16), rate_hz)

    @property
    def seconds(self) -> float:
        """Length."""
        return len(self.samples) / self.rate_hz

    def channel(self, name: Channel) -> "Sound":
        """The user's channel, the assistant's, or both."""
        if name == "both":
            return self
        index = CHANNEL[name]
        return Sound(self.samples[:, index : index + 1], self.rate_hz)

    def peaks(self, n_bins: int) -> NDArray[np.float32]:
        """Loudest sample, 0 to 1, of equally many samples each: float32 [n_bins, n_channels].

        >>> Sound(np.array([[0, 1], [-32768, 0]], np.int16), 1).peaks(2).round(2).tolist()
        [[0.0, 0.0], [1.0, 0.0]]
        """
        edges = np.linspace(0, len(self.samples), n_bins, endpoint=False).astype(np.int64)
        if not len(self.samples):
            return np.zeros((n_bins, self.samples.shape[1]), np.float32)
        high = np.maximum.reduceat(self.samples, edges).astype(np.float32)
        low = np.minimum.reduceat(self.samples, edges).astype(np.float32)
        return np.asarray(np.maximum(np.abs(high), np.abs(low)) / 32768, np.float32)

    def encode(self, suffix: str) -> bytes:
        """The bytes of a file of a format, named by its ending such as `wav`, `flac`, `opus` or `mp3`.

        libsndfile writes the common formats, ffmpeg the others, such as `m4a`, if it is installed.

        Raises:
            DatagenError: If neither knows the format, or it does not take this sound; says how to fix it.
        """
        import soundfile

        ending = suffix.lower().lstrip(".")
        if not ending:
            raise DatagenError(
                "cannot write a file without an extension; add one that names the format, such as .wav or .mp3"
            )
        container, codec = _CONTAINERS.get(ending, (ending.upper(), None))
        if container not in soundfile.available_formats() or container == "RAW":
            return self._by_ffmpeg(ending)
        file = BytesIO()
        try:
            soundfile.write(file, self.samples, self.rate_hz, format=container, subtype=codec)
        except (soundfile.LibsndfileError, TypeError, ValueError) as error:
            raise DatagenError(f"cannot write {self.rate_hz} Hz as .{ending}: {error}; use .wav or .flac") from error
        return file.getvalue()

    def _by_ffmpeg(self, ending: str) -> bytes:
        from shutil import which

        if not which("ffmpeg"):
            raise DatagenError(
                f"cannot write .{ending}: libsndfile does not support it, and ffmpeg is not installed; "
                "install ffmpeg, or use .wav, .flac, .ogg, .opus or .mp3"
            )
        from pydub import AudioSegment
        from pydub.exceptions import CouldntEncodeError

        names = {"m4a": "ipod", "aac": "adts", "wma": "asf"}
        segment = AudioSegment(
            self.samples.tobytes(), sample_width=2, frame_rate=self.rate_hz, channels=self.samples.shape[1]
        )
        file = BytesIO()
        try:
            segment.export(file, format=names.get(ending, ending))
        except CouldntEncodeError as error:
            raise DatagenError(
                f"cannot write .{ending}: neither libsndfile nor ffmpeg supports it; use .wav, .flac or .mp3"
            ) from error
        return file.getvalue()

    def write(self, path: str | Path) -> None:
        """Write a file in the format of its ending.

        Raises:
            DatagenError: If it cannot be written; names it.
        """
        target = Path(path)
        try:
            target.write_bytes(self.encode(target.suffix))
        except DatagenError as error:
            raise DatagenError(f"{target.name}: {error}") from error
        except OSError as error:
            raise DatagenError(cannot("write", target, error)) from error

    def __repr__(self) -> str:
        n = self.samples.shape[1]
        return f"Sound({self.seconds:.1f} s, {n} channel{'s' if n != 1 else ''}, {self.rate_hz} Hz)"

    @property
    def data_url(self) -> str:
        """As an MP3 that a page holds in itself."""
        return f"data:audio/mpeg;base64,{b64encode(self.encode('mp3')).decode()}"

    def _repr_html_(self) -> str:
        return f'<audio controls preload="metadata" src="{self.data_url}"></audio>'
