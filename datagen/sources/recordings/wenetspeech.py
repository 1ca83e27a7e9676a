"""WenetSpeech: recordings of up to hours, and one JSON file with the segments of all of them.

    WenetSpeech.json    {"audios": [{"aid", "path", "duration", "segments":
                        [{"sid", "begin_time", "end_time", "text", "confidence", "subsets"}]}]}
    audio/...           as `path` says, Opus or any other format

Times are in seconds. The file has gigabytes, so one recording of it is in memory at a time; it is
read twice, and both times hashed. Speakers have no names: a recording counts as one.
"""

import math
import re
from collections.abc import Iterable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any, cast

from datagen.errors import SourceError
from datagen.faults import cannot
from datagen.recipe.recordings_config import RecordingsConfig
from datagen.records import InputFile
from datagen.sources.arrays import cut
from datagen.sources.fields import UnfitError
from datagen.sources.folders import open_file
from datagen.sources.json_text import parse
from datagen.sources.recordings.layout_of import WENETSPEECH_JSON
from datagen.sources.recordings.single_speakers import (
    CorpusUtterance,
    Sex,
    SpeechCorpus,
    UnusableUtterance,
    known_parts,
)
from datagen.sources.verified import HashedStream

_AUDIOS = re.compile(rb'"audios"\s*:\s*(?=\[)')
_HEAD_BYTES = 1 << 20
"""The list of recordings begins in here."""
_MOST_BYTES = 1 << 26
"""Largest recording in the JSON: 200 bytes per segment would be 300,000 of them."""
_SPLITS = {"DEV": "validation", "TEST_NET": "test", "TEST_MEETING": "test"}
_FIX = "download WenetSpeech.json again"


class WenetSpeech(SpeechCorpus):
    """A folder in the layout of WenetSpeech."""

    _json: InputFile | None = None
    """The JSON when it was read last."""

    def __init__(self, config: RecordingsConfig) -> None:
        """Read the recordings that have segments of the wanted parts."""
        super().__init__(config)
        self._sounds: dict[str, str] = {}
        """Path of each recording's sound by its id, of those that are there."""
        parts = set[str]()
        for _, audio in self._audios():
            found = {part for each in _segments(audio) for part in _parts(each)}
            parts |= found
            file = self._file(audio)
            if file and isinstance(audio.get("aid"), str) and (not config.parts or found & set(config.parts)):
                self._sounds.setdefault(audio["aid"], file)
        known_parts(config.parts, parts, "WenetSpeech")

    def _audios(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Place and value of each recording in the JSON.

        Raises:
            SourceError: If the file cannot be read, is no such JSON, or changes between two readings.
        """
        path = self.root / WENETSPEECH_JSON
        try:
            with open_file(path) as file:
                head = _AUDIOS.search(file.read(_HEAD_BYTES))
                if head is None:
                    raise SourceError(f'{path}: there is no list "audios" in its first MiB; {_FIX}')
                file.seek(0)
                hashed = HashedStream(file)
                yield from self._of_list(path, BufferedReader(hashed), head.end())
                hashed.drain()
        except OSError as error:
            raise SourceError(cannot("read", path, error)) from error
        found = InputFile(WENETSPEECH_JSON, hashed.digest.hexdigest(), hashed.n_bytes)
        if self._json not in (None, found):
            raise SourceError(f"{path} changed while the build was planned; run the same command again")
        self._json = found

    def _of_list(self, path: Path, stream: BufferedReader, at_bytes: int) -> Iterator[tuple[str, dict[str, Any]]]:
        stream.read(at_bytes)
        for number, (at, data) in enumerate(cut(stream, _MOST_BYTES, is_all=False)):
            place = f"{WENETSPEECH_JSON}, audio {number}"
            value = parse(data) if isinstance(data, bytes) else data
            if isinstance(value, UnfitError):
                raise SourceError(f"{path}, audio {number} at byte {at_bytes + at}: {value.detail}; {_FIX}")
            if not isinstance(value, dict):
                raise SourceError(f"{path}, audio {number}: it must be an object, not {type(value).__name__}; {_FIX}")
            yield place, value

    def _file(self, audio: dict[str, Any]) -> str:
        """Path of a recording below the corpus; empty if there is none."""
        path = audio.get("path")
        if not isinstance(path, str) or not path or "\0" in path:
            return ""
        file = self.root / path
        is_inside = not Path(path).is_absolute() and file.resolve().is_relative_to(self.root.resolve())
        return Path(path).as_posix() if is_inside and file.is_file() else ""

    # -- what a corpus has -----------------------------------------------------------------------------------------

    def texts(self) -> list[InputFile]:
        """The JSON."""
        return [] if self._json is None else [self._json]

    def sound_names(self) -> list[str]:
        """Sound of the recordings with wanted segments, each once."""
        return list(dict.fromkeys(self._sounds.values()))

    def speakers(self) -> Iterable[tuple[str, Sex]]:
        """The recordings, which count as a speaker each."""
        return ((name, "") for name in self._sounds)

    def utterances(self) -> Iterator[CorpusUtterance | UnusableUtterance]:
        """The segments of the wanted parts."""
        seen = set[str]()
        for place, audio in self._audios():
            aid = audio.get("aid")
            if not isinstance(aid, str) or not aid or not isinstance(audio.get("segments"), list):
                yield UnusableUtterance(
                    str(aid)[:60], "bad_segment", f"{place}: aid must be a text, and segments a list"
                )
                continue
            if aid in seen:
                yield UnusableUtterance(aid, "duplicate_id", f"{place}: another recording has the aid {aid}")
                continue
            seen.add(aid)
            yield from self._of_audio(f"{place} ({aid})", aid, audio)

    def _of_audio(self, place: str, aid: str, audio: dict[str, Any]) -> Iterator[CorpusUtterance | UnusableUtterance]:
        wanted, sids = set(self.config.parts), set[str]()
        segments = [
            (k, each) for k, each in enumerate(audio["segments"]) if not wanted or wanted.intersection(_parts(each))
        ]
        file = self._file(audio)
        if segments and not file:
            n = f"{len(segments)} segments"
            yield UnusableUtterance(aid, "no_sound", f"{place}: path {audio.get('path')!r} is no file here; it has {n}")
            return
        for k, segment in segments:
            here = f"{place}, segment {k}"
            if faults := list(_faults(segment)):
                sid = segment.get("sid") if isinstance(segment, dict) else None
                yield UnusableUtterance(str(sid or f"{aid}:{k}")[:99], "bad_segment", f"{here}: {'; '.join(faults)}")
            elif segment["sid"] in sids:
                yield UnusableUtterance(segment["sid"], "duplicate_id", f"{here}: another segment has its sid")
            else:
                sids.add(segment["sid"])
                yield self._utterance(here, aid, file, segment)

    def _utterance(
        self, place: str, aid: str, file: str, segment: dict[str, Any]
    ) -> CorpusUtterance | UnusableUtterance:
        id = segment["sid"] if segment["sid"].startswith(aid) else f"{aid}.{segment['sid']}"
        confidence = segment.get("confidence", 1)
        if confidence < self.config.min_confidence:
            detail = f"{place}: confidence {confidence:g} is less than {self.config.min_confidence:g}"
            return UnusableUtterance(id, "low_confidence", detail)
        parts = _parts(segment)
        named = [part for part in parts if not self.config.parts or part in self.config.parts]
        splits = {_SPLITS.get(part, "train") for part in parts}
        return CorpusUtterance(
            id,
            aid,
            named[0] if named else "",
            next((split for split in ("test", "validation", "train") if split in splits), ""),
            file,
            segment["text"].strip(),
            place,
            round(segment["begin_time"] * 1000),
            round(segment["end_time"] * 1000),
        )


def _segments(audio: dict[str, Any]) -> list[Any]:
    found = audio.get("segments")
    return found if isinstance(found, list) else []


def _parts(segment: Any) -> list[str]:
    """The subsets of a segment, as far as they are texts."""
    found = segment.get("subsets") if isinstance(segment, dict) else None
    return [part for part in found if isinstance(part, str)] if isinstance(found, list) else []


def _faults(segment: Any) -> Iterator[str]:
    """Everything that is wrong with a segment, by field.

    >>> list(_faults({"sid": "Y_S0", "begin_time": 2, "end_time": 1.5, "text": " "}))
    ['end_time 1.5 is not after begin_time 2', 'text must hold words']
    """
    if not isinstance(segment, dict):
        yield f"it must be an object, not {type(segment).__name__}"
        return
    if not isinstance(segment.get("sid"), str) or not segment["sid"]:
        yield "sid must be a text"
    times = [segment.get(name) for name in ("begin_time", "end_time")]
    wrong = [
        f"{name} is {str(value)[:40]!r}, must be a number of seconds"
        for name, value in zip(("begin_time", "end_time"), times, strict=True)
        if not _is_number(value) or cast(float, value) < 0
    ]
    yield from wrong
    if not wrong and round(cast(float, times[1]) * 1000) <= round(cast(float, times[0]) * 1000):
        yield f"end_time {times[1]} is not after begin_time {times[0]}"
    if not isinstance(segment.get("text"), str) or not segment["text"].strip():
        yield "text must hold words"
    if not _is_number(segment.get("confidence", 1)):
        yield "confidence must be a number"
    subsets = segment.get("subsets", [])
    if not isinstance(subsets, list) or len(_parts(segment)) != len(subsets):
        yield "subsets must be a list of texts"


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
