"""Recordings to planned conversations: parts of stated length, in each of which a side is the assistant.

Ids are `RECORDING.PART.SIDE`: PART counts from 0000, and SIDE is the assistant's channel, A the
first and B the second.

Reasons of rejects: broken_sound, not_two_files, not_two_channels, not_two_speakers,
ambiguous_recording, not_a_file, transform, no_transcript, unknown_channels, too_short, one_sided,
too_long.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from math import gcd, lcm

from datagen.clock import ms_to_samples
from datagen.intervals import Intervals, bridge, intervals
from datagen.recipe.recordings_config import RecordingsConfig
from datagen.records import (
    Dialogue,
    Recorded,
    RecordedChannel,
    Reject,
    Role,
    Transcribed,
    Word,
)
from datagen.sources.recordings.annotations import Segment
from datagen.sources.recordings.catalogue import Catalogue, CataloguedRecording, UnusableRecording
from datagen.sources.recordings.channels import by_level
from datagen.sources.recordings.cutting import Span, cut, silences
from datagen.sources.recordings.sound_files import BadSoundError, sounding, window_powers

STAGE = "source"
_SIDES = "AB"


def conversations(catalogue: Catalogue, sample_rate_hz: int) -> Iterator[Dialogue | Reject]:
    """The conversations of a corpus in order, each without turns, or rejects of what cannot be used.

    Args:
        catalogue: The corpus.
        sample_rate_hz: Sample rate of the conversations.
    """
    number = count()
    for recording in catalogue.recordings:
        if isinstance(recording, UnusableRecording):
            yield _reject(catalogue, number, recording.name, recording.reason, recording.detail)
            continue
        try:
            yield from _Parts(catalogue, recording, sample_rate_hz, number).conversations()
        except BadSoundError as error:
            yield _reject(catalogue, number, recording.name, "broken_sound", str(error))


def _reject(catalogue: Catalogue, number: Iterator[int], id: str, reason: str, detail: str) -> Reject:
    return Reject(next(number), id, catalogue.config.corpus, STAGE, reason, detail)


@dataclass(frozen=True)
class _Parts:
    """The parts of one recording."""

    catalogue: Catalogue
    recording: CataloguedRecording
    rate: int
    number: Iterator[int]
    """Numbers of the records of the input."""

    @property
    def config(self) -> RecordingsConfig:
        return self.catalogue.config

    def conversations(self) -> Iterator[Dialogue | Reject]:
        segments = self.catalogue.segments(self.recording.name)
        if not segments and (self.catalogue.has_transcripts or self.config.recognizer is None):
            detail = (
                "no transcript has a segment of it" if self.catalogue.has_transcripts else "there are no transcripts"
            )
            yield self._reject("", "no_transcript", f"{detail}; set recognizer to read recordings without one")
            return
        channels = self.recording.channels or by_level(self.catalogue.root, self.recording.sides, segments)
        if segments and not channels:
            names = ", ".join(sorted({segment.speaker for segment in segments}))
            yield self._reject("", "unknown_channels", f"nothing says which channels {names} are on; set `speakers`")
            return
        sides = [[s for s in segments if channels[s.speaker] == k] for k in (0, 1)]
        for part, span in enumerate(self._spans(sides if segments else None)):
            yield from self._part(part, span, sides, bool(segments))

    def _reject(self, suffix: str, reason: str, detail: str) -> Reject:
        return _reject(self.catalogue, self.number, f"{self.recording.name}{suffix}", reason, detail)

    def _spans(self, sides: Sequence[Sequence[Segment]] | None) -> list[Span]:
        """Parts that end where both are silent: by the transcript, or by the level of both channels."""
        n_ms = self.recording.n_ms
        if sides is not None:
            speech = intervals((s.start_ms, min(s.end_ms, n_ms)) for side in sides for s in side)
        else:
            speech = intervals(tuple(pair) for k in (0, 1) for pair in self._sounding(k).tolist())
        quiet = silences(bridge(speech, 1), n_ms, self.config.cut_silence_ms)
        return cut(quiet, n_ms, 1000 * self.config.segment_seconds, 1000 * self.config.min_segment_seconds)

    def _sounding(self, k: int) -> Intervals:
        side = self.recording.sides[k]
        return sounding(window_powers(self.catalogue.root, side.file, side.channel))

    def _part(
        self, part: int, span: Span, sides: Sequence[Sequence[Segment]], has_transcript: bool
    ) -> Iterator[Dialogue | Reject]:
        """The conversations of one part, or its reject."""
        config, first = self.config, self._aligned(span[0])
        n_samples = ms_to_samples(span[1], self.rate) - first
        seconds, inside = (span[1] - span[0]) / 1000, [_within(side, span) for side in sides]
        fault: tuple[str, str] | None = None
        if seconds < config.min_segment_seconds:
            fault = "too_short", f"{seconds:.1f} s, less than min_segment_seconds ({config.min_segment_seconds:g})"
        elif seconds > 2 * config.segment_seconds:
            fault = "too_long", f"{seconds:.1f} s without a silence of both of {config.cut_silence_ms:g} ms"
        elif has_transcript and not all(inside):
            fault = "one_sided", f"only one speaker speaks from {span[0] / 1000:.1f} to {span[1] / 1000:.1f} s"
        if fault:
            yield self._reject(f".{part:04d}", *fault)
            return
        for assistant in {"either": (0, 1), "first": (0,), "second": (1,)}[config.assistant]:
            roles: dict[Role, int] = {"user": 1 - assistant, "assistant": assistant}
            said = [_transcribed(s, role, first, n_samples, self.rate) for role, k in roles.items() for s in inside[k]]
            yield Dialogue(
                f"{self.recording.name}.{part:04d}.{_SIDES[assistant]}",
                (),
                config.corpus,
                config.language,
                next(self.number),
                recorded=self._recorded(roles, first, n_samples),
                transcript=tuple(sorted(said, key=lambda t: (t.start_samples, t.end_samples))),
            )

    def _aligned(self, ms: int) -> int:
        """The last sample at or before a time that is a whole sample in both files, too."""
        steps = (self.rate // gcd(self.rate, sound.sample_rate_hz) for sound in self.recording.sounds)
        step = lcm(*steps)
        return ms_to_samples(ms, self.rate) // step * step

    def _recorded(self, roles: dict[Role, int], first: int, n_samples: int) -> Recorded:
        channels = {
            role: RecordedChannel(
                side.speaker,
                side.file,
                side.channel,
                self.recording.sounds[k].sample_rate_hz,
                self.recording.sounds[k].sha256,
            )
            for role, k in roles.items()
            for side in [self.recording.sides[k]]
        }
        config = self.config
        return Recorded(
            self.recording.name,
            config.corpus,
            config.licence,
            channels["user"],
            channels["assistant"],
            first,
            n_samples,
        )


def _within(segments: Sequence[Segment], span: Span) -> list[Segment]:
    """Segments whose middle lies in a part."""
    return [s for s in segments if span[0] <= (s.start_ms + s.end_ms) // 2 < span[1]]


def _transcribed(segment: Segment, role: Role, first: int, n_samples: int, rate: int) -> Transcribed:
    """A segment in the time of its conversation, cut to it."""

    def at(ms: int) -> int:
        return min(max(ms_to_samples(ms, rate) - first, 0), n_samples)

    words = tuple(Word(w.text, at(w.start_ms), at(w.end_ms)) for w in segment.words)
    return Transcribed(role, at(segment.start_ms), at(segment.end_ms), segment.text or "", words)
