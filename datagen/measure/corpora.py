"""Recordings of two people, measured by their annotations; `datagen.sources.recordings` reads these.

One reader serves `datagen timing fit` and builds of recordings.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from datagen.intervals import Intervals, backchannels, bridge, intervals
from datagen.measure.battery import IPU_SILENCE_MS, SpeakerTimes

if TYPE_CHECKING:
    from datagen.sources.recordings.annotations import Segment

RATE_HZ = 1000
"""Recordings are measured in milliseconds, so one sample is 1 ms."""
_MAX_BACKCHANNEL_WORDS = 3
"""As in CANDOR (Reece et al. 2023*)."""


@dataclass(frozen=True)
class CorpusRecording:
    """A recording of two people, from the first word to the last."""

    name: str
    speakers: tuple[SpeakerTimes, SpeakerTimes]
    n_ms: int


def read(paths: Iterable[str], skipped: Callable[[str], None]) -> Iterator[CorpusRecording]:
    """Recordings of two speakers from files of any format; a recording may span several files.

    Args:
        paths: Files.
        skipped: Receives a message for each recording that does not have two speakers.

    Raises:
        SourceError: If a file cannot be read or understood; names file, line and field.
    """
    from datagen.sources.recordings.annotations import segments

    talks: dict[str, dict[str, list[Segment]]] = {}
    for path in paths:
        for segment in segments(path):
            talks.setdefault(segment.recording, {}).setdefault(segment.speaker, []).append(segment)
    for name, speakers in sorted(talks.items()):
        if len(speakers) == 2:
            yield _recording(name, *(speakers[speaker] for speaker in sorted(speakers)))
        else:
            skipped(
                f"recording {name!r} has {len(speakers)} speakers ({', '.join(sorted(speakers))}), not two: left out"
            )


def _recording(name: str, *speakers: list["Segment"]) -> CorpusRecording:
    first = min(segment.start_ms for segments in speakers for segment in segments)
    last = max(segment.end_ms for segments in speakers for segment in segments)
    ipus = [
        bridge(intervals((s.start_ms - first, s.end_ms - first) for s in segments), IPU_SILENCE_MS)
        for segments in speakers
    ]
    one, two = (
        _speaker(own, other, segments, first)
        for own, other, segments in ((ipus[0], ipus[1], speakers[0]), (ipus[1], ipus[0], speakers[1]))
    )
    return CorpusRecording(name, (one, two), last - first)


def _speaker(own: Intervals, other: Intervals, segments: list["Segment"], first_ms: int) -> SpeakerTimes:
    """Separate a speaker's backchannels by the rule of `backchannels`, and by their words if known."""
    short = backchannels(own, other, RATE_HZ)
    n_words = np.zeros(len(own), np.int64)
    for segment in segments:
        ipu = np.searchsorted(own[:, 0], segment.start_ms - first_ms, "right") - 1
        n_words[max(int(ipu), 0)] += segment.n_words or 0
    short &= n_words <= _MAX_BACKCHANNEL_WORDS
    return SpeakerTimes(own[~short], own[short])
