"""Annotations of two-party recordings: RTTM, CTM, Lhotse supervisions and CSV, each also as .gz.

    RTTM     SPEAKER recording channel start duration <NA> <NA> speaker <NA> <NA>; other lines are
             skipped
    CTM      recording channel start duration word [confidence]; the channel is the speaker
    Lhotse   {"recording_id": ..., "start": ..., "duration": ..., "speaker": ..., "text": ...} per
             line; without a speaker, the channel is the speaker
    CSV      recording,speaker,start,end[,text]; the first line names the columns

Times are in seconds. The ending of the name determines the format, or else the first line.
"""

import csv
import gzip
import json
import math
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datagen.errors import SourceError
from datagen.faults import cannot
from datagen.measure.battery import IPU_SILENCE_MS, SpeakerTimes
from datagen.measure.intervals import Intervals, backchannels, bridge, intervals

RATE_HZ = 1000
"""Recordings are measured in milliseconds, so one sample is 1 ms."""
_MAX_BACKCHANNEL_WORDS = 3
"""As in CANDOR (Reece et al. 2023*)."""


@dataclass(frozen=True, slots=True)
class Segment:
    """An annotated stretch of speech."""

    recording: str
    speaker: str
    start_ms: int
    end_ms: int
    n_words: int | None
    """None if the annotation holds no text."""


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


def _recording(name: str, *speakers: list[Segment]) -> CorpusRecording:
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


def _speaker(own: Intervals, other: Intervals, segments: list[Segment], first_ms: int) -> SpeakerTimes:
    """Separate a speaker's backchannels by the rule of `backchannels`, and by their words if known."""
    short = backchannels(own, other, RATE_HZ)
    n_words = np.zeros(len(own), np.int64)
    for segment in segments:
        ipu = np.searchsorted(own[:, 0], segment.start_ms - first_ms, "right") - 1
        n_words[max(int(ipu), 0)] += segment.n_words or 0
    short &= n_words <= _MAX_BACKCHANNEL_WORDS
    return SpeakerTimes(own[~short], own[short])


def segments(path: str) -> Iterator[Segment]:
    """All segments of a file.

    Raises:
        SourceError: If the file cannot be read or understood.
    """
    lines = _lines(path)
    parse = _FORMATS[_format(path, lines)]
    for segment in parse(path, lines):
        if segment.end_ms > segment.start_ms:
            yield segment


def _lines(path: str) -> list[str]:
    try:
        data = Path(path).read_bytes()
        return (gzip.decompress(data) if path.endswith(".gz") else data).decode("utf-8-sig").splitlines()
    except OSError as error:
        raise SourceError(cannot("read", path, error)) from error
    except (EOFError, zlib.error, UnicodeDecodeError) as error:
        raise SourceError(f"{path} is damaged or not UTF-8 text ({error}); convert it to UTF-8") from error


def _format(path: str, lines: list[str]) -> str:
    ending = Path(path.removesuffix(".gz")).suffix.lower()
    if ending in _ENDINGS:
        return _ENDINGS[ending]
    first = next((line.strip() for line in lines if line.strip() and not _is_comment(line)), "")
    fields = first.split()
    if first.startswith("{"):
        return "lhotse"
    if "," in first and {"recording", "start"} <= set(first.replace(" ", "").split(",")):
        return "csv"
    if fields and fields[0] in _RTTM_TYPES:
        return "rttm"
    if len(fields) in (5, 6) and all(_number(text) is not None for text in fields[2:4]):
        return "ctm"
    raise SourceError(
        f"{path}: not RTTM, CTM, Lhotse supervisions (JSON Lines) or CSV with the column `recording`; convert it"
    )


def _rttm(path: str, lines: list[str]) -> Iterator[Segment]:
    for number, line in enumerate(lines, 1):
        fields = line.split()
        if not fields or _is_comment(line) or fields[0] != "SPEAKER":
            continue
        place = f"{path}, line {number}"
        if len(fields) < 8:
            raise SourceError(f"{place}: {len(fields)} fields; a SPEAKER line in RTTM has 10")
        yield _segment(place, fields[1], fields[7], fields[3], duration=fields[4])


def _ctm(path: str, lines: list[str]) -> Iterator[Segment]:
    for number, line in enumerate(lines, 1):
        fields = line.split()
        if not fields or _is_comment(line):
            continue
        place = f"{path}, line {number}"
        if len(fields) not in (5, 6):
            raise SourceError(f"{place}: {len(fields)} fields; CTM has recording, channel, start, duration, word")
        yield _segment(place, fields[0], fields[1], fields[2], duration=fields[3], text=fields[4])


def _lhotse(path: str, lines: list[str]) -> Iterator[Segment]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        try:
            values = json.loads(line)
        except ValueError as error:
            raise SourceError(f"{place}: not valid JSON ({error})") from error
        if not isinstance(values, dict):
            raise SourceError(f"{place}: a supervision is a JSON object, not {type(values).__name__}")
        missing = [name for name in ("recording_id", "start", "duration") if name not in values]
        if missing:
            raise SourceError(f"{place}: field {missing[0]!r} is missing; is it a manifest of supervisions?")
        speaker = values.get("speaker") or str(values.get("channel", ""))
        recording, text = str(values["recording_id"]), values.get("text")
        yield _segment(place, recording, str(speaker), values["start"], duration=values["duration"], text=text)


def _csv(path: str, lines: list[str]) -> Iterator[Segment]:
    rows = csv.DictReader(lines, skipinitialspace=True)
    missing = [name for name in ("recording", "speaker", "start", "end") if name not in (rows.fieldnames or ())]
    if missing:
        raise SourceError(
            f"{path}, line 1: column {missing[0]!r} is missing; the columns are recording,speaker,start,end"
        )
    for row in rows:
        place = f"{path}, line {rows.line_num}"
        if any(row[name] is None for name in ("speaker", "start", "end")):
            raise SourceError(f"{place}: the line has fewer fields than there are columns")
        yield _segment(place, row["recording"], row["speaker"], row["start"], end=row["end"], text=row.get("text"))


def _segment(
    place: str, recording: str, speaker: str, start: Any, *, duration: Any = None, end: Any = None, text: Any = None
) -> Segment:
    """A checked segment.

    Raises:
        SourceError: If a time is not a number or is negative, or the end lies before the start.
    """
    start_ms = _ms(place, "start", start)
    end_ms = _ms(place, "end", end) if duration is None else start_ms + _ms(place, "duration", duration)
    if end_ms < start_ms:
        raise SourceError(f"{place}: end {end} is before start {start}")
    return Segment(recording, speaker, start_ms, end_ms, None if text is None else len(str(text).split()))


def _ms(place: str, field: str, value: Any) -> int:
    seconds = _number(value)
    if seconds is None or seconds < 0:
        raise SourceError(f"{place}: {field} is {str(value)[:40]!r}, must be a number of seconds, at least 0")
    return round(seconds * 1000)


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith((";;", "#"))


_RTTM_TYPES = {"SPEAKER", "SPKR-INFO", "LEXEME", "NON-LEX", "NON-SPEECH", "NOSCORE", "SEGMENT", "SU", "FILLER", "EDIT"}
_FORMATS: dict[str, Callable[[str, list[str]], Iterator[Segment]]] = {
    "rttm": _rttm,
    "ctm": _ctm,
    "lhotse": _lhotse,
    "csv": _csv,
}
_ENDINGS = {".rttm": "rttm", ".ctm": "ctm", ".jsonl": "lhotse", ".csv": "csv"}
