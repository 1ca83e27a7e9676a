"""A conversation for any format: its sound at the wanted rates, and its segments."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from datagen.errors import DatagenError
from datagen.export.augment import at_speed, noisy, scaled, swapped, with_noise
from datagen.export.convention import Convention
from datagen.export.ogg import with_serial
from datagen.export.segments import Segment, segments
from datagen.inspect import Sound, StoredConversation
from datagen.records import CHANNEL, SPLITS, Role

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_NAME_CHARACTERS = 40


def file_name(dialogue_id: str) -> str:
    """A safe and unique file name for an id: its plain characters and a hash.

    >>> file_name("../../x"), file_name("tea")
    ('x-358ee4953c66a869', 'tea-ba6587c1bb84c490')
    """
    plain = _UNSAFE.sub("_", dialogue_id).strip("_-")[:_NAME_CHARACTERS]
    return f"{plain or 'id'}-{blake2b(dialogue_id.encode('utf-8', 'surrogatepass'), digest_size=8).hexdigest()}"


@dataclass(frozen=True, eq=False)
class ExportClip:
    """A conversation and its sound, which is made on access."""

    talk: StoredConversation
    """As it is exported: augmented, if the convention says so."""
    convention: Convention
    _origin: StoredConversation | None = None
    """As it was built; None: `talk` is."""

    @classmethod
    def of(cls, talk: StoredConversation, convention: Convention) -> "ExportClip":
        """A conversation with its kept or its decoded sound.

        Raises:
            DatagenError: If its split is none of the known ones.
        """
        if talk.split not in SPLITS:  # it becomes the name of a folder
            raise DatagenError(
                f"{talk.output.url}: conversation {talk.dialogue_id!r} is in no known split, but in {talk.split!r}; "
                f"run `datagen check {talk.output.url}`"
            )
        return cls(_augmented(talk, convention), convention, talk)

    @cached_property
    def name(self) -> str:
        """Name of its files without ending, safe for every file system."""
        return file_name(self.talk.dialogue_id)

    @property
    def split(self) -> str:
        """Its split."""
        return self.talk.split

    @cached_property
    def segments(self) -> list[Segment]:
        """Its utterances as the convention lists them."""
        return segments(self.talk.streams, self.convention)

    @cached_property
    def _built(self) -> Sound:
        talk = self._origin or self.talk
        return _augmented_sound(talk.decoded if self.convention.decoded else talk.audio, self.talk, self.convention)

    def sound(self, role: Role) -> Sound:
        """A speaker's channel at the wanted rate."""
        channel = self._built.channel(role)
        return Sound(resampled(channel.samples, channel.rate_hz, self.rate_hz(role)), self.rate_hz(role))

    def stereo(self, order: Sequence[Role]) -> Sound:
        """Both channels in an order, at one rate.

        Raises:
            DatagenError: If the convention has a rate for each.
        """
        rate_hz = self.convention.one_rate_hz(self._built.rate_hz)
        samples = self._built.samples[:, [CHANNEL[role] for role in order]]
        return Sound(resampled(samples, self._built.rate_hz, rate_hz), rate_hz)

    def stereo_file(self) -> bytes:
        """A sound file of both channels, left the user: the kept file if nothing of it changes."""
        c = self.convention
        is_kept = not (c.decoded or c.augments) and c.codec == "flac"
        if is_kept and {c.rate_hz(role, self._sample_rate_hz) for role in CHANNEL} == {self._sample_rate_hz}:
            return self.talk.flac
        return self.encoded(self.stereo(("user", "assistant")))

    def rate_hz(self, role: Role) -> int:
        """Sample rate of a speaker's sound."""
        return self.convention.rate_hz(role, self._built.rate_hz)

    @cached_property
    def _sample_rate_hz(self) -> int:
        return self.talk.sample_rate_hz

    def at(self, samples: int) -> float:
        """A time of the conversation in seconds."""
        return samples / self._sample_rate_hz

    def encoded(self, sound: Sound) -> bytes:
        """A sound file in the convention's format; the same bytes for the same sound."""
        return encoded(sound, self.convention.codec)


def _augmented(talk: StoredConversation, convention: Convention) -> StoredConversation:
    """A conversation with everything but its sound augmented."""
    streams = talk.streams
    if convention.swap:
        streams = swapped(streams)
    if convention.speed != 1:
        streams = at_speed(streams, convention.speed)
    if convention.noise_db is not None:
        streams = with_noise(streams, convention.noise_db)
    return replace(talk, streams=streams)


def _augmented_sound(sound: Sound, talk: StoredConversation, convention: Convention) -> Sound:
    """The sound of an augmented conversation, at the rate at which it was built."""
    samples, rate_hz = sound.samples, sound.rate_hz
    if convention.swap:
        samples = np.ascontiguousarray(samples[:, ::-1])
    if convention.speed != 1:
        n = scaled(len(samples), convention.speed)
        samples = resampled(samples, rate_hz * convention.speed, rate_hz, n)
    if convention.noise_db is not None:
        samples = noisy(samples, rate_hz, talk.streams, convention.noise_db)
    return Sound(samples, rate_hz)


def encoded(sound: Sound, codec: str) -> bytes:
    """A sound file; the same bytes for the same sound."""
    data = sound.encode(codec)
    return with_serial(data, 1) if codec == "opus" else data


def resampled(samples: NDArray[np.int16], from_hz: float, to_hz: float, n: int | None = None) -> NDArray[np.int16]:
    """Sound at another sample rate, with the length rounded to whole samples.

    Args:
        samples: int16 [n_samples, n_channels].
        from_hz: Its sample rate.
        to_hz: The wanted one.
        n: Number of samples that it should have; by default as many as the rates say.

    >>> resampled(np.zeros((48_000, 1), np.int16), 24_000, 22_050).shape
    (44100, 1)
    """
    if from_hz == to_hz:
        return samples
    import soxr

    n = round(len(samples) * to_hz / from_hz) if n is None else n
    # as floats: soxr dithers integers with a seed that is the time
    made: NDArray[np.float32] = soxr.resample(samples.astype(np.float32), from_hz, to_hz)[:n]
    made = np.pad(made, ((0, n - len(made)), (0, 0)))
    return np.rint(np.clip(made, -32768, 32767)).astype(np.int16)
