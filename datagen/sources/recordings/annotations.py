"""Annotations of recordings: RTTM, CTM, Lhotse supervisions, CSV and JSON, each also as .gz.

    RTTM     SPEAKER recording channel start duration <NA> <NA> speaker <NA> <NA>; other lines are
             skipped
    CTM      recording channel start duration word [confidence]; the channel is the speaker
    Lhotse   {"recording_id": ..., "start": ..., "duration": ..., "speaker": ..., "text": ...,
             "alignment": {"word": [[word, start, duration], ...]}} per line; without a speaker, the
             channel is the speaker
    CSV      recording,speaker,start,end[,text]; the first line names the columns; `stop` is read as
             `end`, `utterance` as `text`
    JSON     see `annotations_json`

Times are in seconds. The ending of the name determines the format, or else the first line. A file
that names no recording is that of the recording of its own name.
"""

import csv
import gzip
import json
import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from datagen.errors import SourceError
from datagen.faults import cannot
from datagen.sources.folders import open_file
from datagen.sources.recordings.annotations_json import json_segments

MAX_FILE_BYTES = 1 << 30
"""Larger files of annotations, unpacked, are refused; a recording of an hour has about 10,000 words."""


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word of a transcript with its times."""

    text: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Segment:
    """An annotated stretch of speech."""

    recording: str
    speaker: str
    start_ms: int
    end_ms: int
    text: str | None = None
    """None if the annotation holds no text."""
    words: tuple[TimedWord, ...] = ()
    """Empty if it holds no times of words."""
    channel: str = ""
    """Channel in the annotation, if it has one besides the speaker."""

    @property
    def n_words(self) -> int | None:
        """Number of words; None without text."""
        return None if self.text is None else len(self.text.split())


def segments(path: str, name: str = "") -> Iterator[Segment]:
    """All segments of a file that last longer than nothing.

    Args:
        path: The file.
        name: Recording of segments that name none; by default the file's own name without endings.

    Raises:
        SourceError: If the file cannot be read or understood; names file, line and field.
    """
    return segments_of(read_bytes(path), path, name)


def segments_of(data: bytes, path: str, name: str = "") -> Iterator[Segment]:
    """The segments of a file from its bytes; see `segments`."""
    text = _text(data, path)
    name = name or Path(path.removesuffix(".gz")).stem
    kind = _format(path, text)
    found = json_segments(path, text) if kind == "json" else _FORMATS[kind](path, text.splitlines())
    for raw in found:
        segment = _segment(name, *raw)
        if segment.end_ms > segment.start_ms:
            yield segment


def read_bytes(path: str) -> bytes:
    """The bytes of a file of limited size.

    Raises:
        SourceError: If it cannot be read or is too large.
    """
    try:
        with open_file(Path(path)) as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise SourceError(cannot("read", path, error)) from error
    if len(data) > MAX_FILE_BYTES:
        raise SourceError(f"{path} is larger than {MAX_FILE_BYTES >> 20} MiB; divide it into several files")
    return data


def _text(data: bytes, path: str) -> str:
    try:
        if path.endswith(".gz"):
            with gzip.open(BytesIO(data)) as file:
                data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise SourceError(
                f"{path} is larger than {MAX_FILE_BYTES >> 20} MiB unpacked; divide it into several files"
            )
        return data.decode("utf-8-sig")
    except gzip.BadGzipFile as error:
        raise SourceError(cannot("read", path, error)) from error
    except (EOFError, zlib.error, UnicodeDecodeError) as error:
        raise SourceError(f"{path} is damaged or not UTF-8 text ({error}); convert it to UTF-8") from error


def _format(path: str, text: str) -> str:
    ending = Path(path.removesuffix(".gz")).suffix.lower()
    if ending in _ENDINGS:
        return _ENDINGS[ending]
    first = next((line.strip() for line in text.splitlines() if line.strip() and not _is_comment(line)), "")
    fields = first.split()
    if first.startswith("{"):
        return "lhotse"
    if "," in first and {"recording", "start"} <= set(first.replace(" ", "").split(",")):
        return "csv"
    if fields and fields[0] in _RTTM_TYPES:
        return "rttm"
    if len(fields) in (5, 6) and all(_number(field) is not None for field in fields[2:4]):
        return "ctm"
    raise SourceError(
        f"{path}: not RTTM, CTM, Lhotse supervisions (JSON Lines) or CSV with the column `recording`; convert it"
    )


Raw = tuple[str, dict[str, Any]]
"""Place of a segment for errors, and its fields: recording, speaker, channel, start, end or duration, text, words."""


def _rttm(path: str, lines: Sequence[str]) -> Iterator[Raw]:
    for number, line in enumerate(lines, 1):
        fields = line.split()
        if not fields or _is_comment(line) or fields[0] != "SPEAKER":
            continue
        place = f"{path}, line {number}"
        if len(fields) < 8:
            raise SourceError(f"{place}: {len(fields)} fields; a SPEAKER line in RTTM has 10")
        yield (
            place,
            {
                "recording": fields[1],
                "speaker": fields[7],
                "channel": fields[2],
                "start": fields[3],
                "duration": fields[4],
            },
        )


def _ctm(path: str, lines: Sequence[str]) -> Iterator[Raw]:
    for number, line in enumerate(lines, 1):
        fields = line.split()
        if not fields or _is_comment(line):
            continue
        place = f"{path}, line {number}"
        if len(fields) not in (5, 6):
            raise SourceError(f"{place}: {len(fields)} fields; CTM has recording, channel, start, duration, word")
        recording, channel, start, duration, word = fields[:5]
        told = {"recording": recording, "speaker": channel, "channel": channel, "start": start, "duration": duration}
        yield place, {**told, "text": word, "words": [(word, start, None, duration)]}


def _lhotse(path: str, lines: Sequence[str]) -> Iterator[Raw]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise SourceError(f"{place}: not valid JSON ({error})") from error
        if not isinstance(values, dict):
            raise SourceError(f"{place}: a supervision is a JSON object, not {type(values).__name__}")
        missing = [name for name in ("recording_id", "start", "duration") if name not in values]
        if missing:
            raise SourceError(f"{place}: field {missing[0]!r} is missing; is it a manifest of supervisions?")
        channel = str(values.get("channel", ""))
        yield (
            place,
            {
                "recording": str(values["recording_id"]),
                "speaker": str(values.get("speaker") or channel),
                "channel": channel,
                "start": values["start"],
                "duration": values["duration"],
                "text": values.get("text"),
                "words": _aligned(place, values.get("alignment")),
            },
        )


def _aligned(place: str, alignment: Any) -> list[tuple[Any, Any, Any, Any]]:
    """The words of a Lhotse alignment: [symbol, start, duration, score] each, times from the recording's start."""
    words = alignment.get("word") if isinstance(alignment, dict) else None
    if words is None:
        return []
    if not isinstance(words, list) or not all(isinstance(word, list) and len(word) >= 3 for word in words):
        raise SourceError(f"{place}: alignment.word must be a list of [word, start, duration, score]")
    return [(word[0], word[1], None, word[2]) for word in words]


def _csv(path: str, lines: Sequence[str]) -> Iterator[Raw]:
    rows = csv.DictReader(lines, skipinitialspace=True)
    names = {_ALIASES.get(name, name): name for name in rows.fieldnames or ()}
    missing = [name for name in ("speaker", "start", "end") if name not in names]
    if missing or ("recording" not in names and not {"turn_id", "text"} & set(names)):
        raise SourceError(
            f"{path}, line 1: column {(missing or ['recording'])[0]!r} is missing; the columns are "
            "recording,speaker,start,end"
        )
    for row in rows:
        place = f"{path}, line {rows.line_num}"
        told = {name: row[column] for name, column in names.items() if name in _COLUMNS}
        if any(told[name] is None for name in ("speaker", "start", "end")):
            raise SourceError(f"{place}: the line has fewer fields than there are columns")
        yield place, told


def _segment(name: str, place: str, told: dict[str, Any]) -> Segment:
    """A checked segment.

    Raises:
        SourceError: If a time is not a number or is negative, or the end lies before the start.
    """
    start_ms, end_ms = _times(place, told["start"], told.get("end"), told.get("duration"))
    text, words = told.get("text"), told.get("words") or ()
    timed = tuple(TimedWord(str(word).strip(), *_times(place, *times)) for word, *times in words)
    return Segment(
        str(told.get("recording") or name),
        str(told["speaker"]),
        start_ms,
        end_ms,
        None if text is None else str(text),
        tuple(word for word in timed if word.text),
        str(told.get("channel") or ""),
    )


def _times(place: str, start: Any, end: Any = None, duration: Any = None) -> tuple[int, int]:
    start_ms = _ms(place, "start", start)
    end_ms = _ms(place, "end", end) if duration is None else start_ms + _ms(place, "duration", duration)
    if end_ms < start_ms:
        raise SourceError(f"{place}: end {end} is before start {start}")
    return start_ms, end_ms


def _ms(place: str, field: str, value: Any) -> int:
    seconds = _number(value)
    if seconds is None or seconds < 0:
        raise SourceError(f"{place}: {field} is {str(value)[:40]!r}, must be a number of seconds, at least 0")
    return round(seconds * 1000)


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number < 1e9 else None


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith((";;", "#"))


_RTTM_TYPES = {"SPEAKER", "SPKR-INFO", "LEXEME", "NON-LEX", "NON-SPEECH", "NOSCORE", "SEGMENT", "SU", "FILLER", "EDIT"}
_FORMATS: dict[str, Callable[[str, Sequence[str]], Iterator[Raw]]] = {
    "rttm": _rttm,
    "ctm": _ctm,
    "lhotse": _lhotse,
    "csv": _csv,
}
_ENDINGS = {".rttm": "rttm", ".ctm": "ctm", ".jsonl": "lhotse", ".csv": "csv", ".json": "json"}
ENDINGS = tuple(f"{ending}{packed}" for ending in _ENDINGS for packed in ("", ".gz"))
"""Endings of files that are taken for annotations in a folder."""
_ALIASES = {"stop": "end", "utterance": "text"}
_COLUMNS = ("recording", "speaker", "channel", "start", "end", "text")
