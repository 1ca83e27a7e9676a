"""Annotations of recordings in JSON: segments with text and words, in four shapes.

    {"recording": ..., "segments": [{"speaker": ..., "start": ..., "end": ..., "text": ...,
                                     "words": [[word, start, end], ...]}, ...]}   or a list of them
    [{"session_id": ..., "speaker": ..., "start_time": ..., "end_time": ..., "words": text,
      "word_alignment": [[word, start, end], ...]}, ...]                           SegLST
    {"metadata:transcript": [{"start": ..., "end": ..., "transcript": ...,
                              "words": [{"word": ..., "start": ..., "end": ...}]}], ...}
                                                   Seamless Interaction: one file per speaker, whose
                                                   name names recording and speaker
    {"alignments": [[word, [start, end], speaker], ...]}                           moshi

A word may also be {"word" or "text": ..., "start": ..., "end": ...}. Only `recording`, text and
words may be absent.
"""

import json
from collections.abc import Iterator
from typing import Any

from datagen.errors import SourceError

OF_FILE = "\0"
"""Speaker of a segment that its file's name names."""
_SHAPES = "segments, session_id (SegLST), metadata:transcript or alignments"


def json_segments(path: str, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The segments of a file: a place for errors, and fields as in `annotations`.

    Raises:
        SourceError: If the file is no JSON, of no known shape, or a field is missing.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{path}: not valid JSON ({error})") from error
    for number, each in enumerate(value if isinstance(value, list) else [value]):
        place = f"{path}, item {number}" if isinstance(value, list) else path
        if not isinstance(each, dict):
            raise SourceError(f"{place}: it must be a JSON object, not {type(each).__name__}")
        yield from _of_object(place, each)


def _of_object(place: str, value: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    if "session_id" in value:
        yield place, _seglst(place, value)
    elif "alignments" in value:
        for number, item in enumerate(_list(place, value, "alignments")):
            yield f"{place}, alignment {number}", _alignment(f"{place}, alignment {number}", item)
    else:
        key = next((key for key in ("segments", "metadata:transcript") if key in value), "")
        if not key:
            raise SourceError(f"{place}: no known shape of a transcript; it needs {_SHAPES}")
        for number, item in enumerate(_list(place, value, key)):
            here = f"{place}, {key} {number}"
            if not isinstance(item, dict):
                raise SourceError(f"{here}: it must be a JSON object, not {type(item).__name__}")
            yield here, _told(here, item, value.get("recording"), OF_FILE if key.startswith("metadata") else None)


def _told(place: str, item: dict[str, Any], recording: Any, speaker: str | None) -> dict[str, Any]:
    _need(place, item, ("start", "end", *(() if speaker else ("speaker",))))
    return {
        "recording": recording,
        "speaker": speaker or item["speaker"],
        "channel": item.get("channel"),
        "start": item["start"],
        "end": item["end"],
        "text": item.get("text", item.get("transcript")),
        "words": [_word(place, word) for word in _list(place, item, "words")] if item.get("words") else None,
    }


def _seglst(place: str, item: dict[str, Any]) -> dict[str, Any]:
    _need(place, item, ("speaker", "start_time", "end_time"))
    return {
        "recording": item["session_id"],
        "speaker": item["speaker"],
        "start": item["start_time"],
        "end": item["end_time"],
        "text": item.get("words"),
        "words": [_word(place, word) for word in item.get("word_alignment") or ()],
    }


def _alignment(place: str, item: Any) -> dict[str, Any]:
    if not (isinstance(item, list) and len(item) == 3 and isinstance(item[1], list) and len(item[1]) == 2):
        raise SourceError(f"{place}: it must be [word, [start, end], speaker]")
    word, (start, end), speaker = item
    return {"speaker": speaker, "start": start, "end": end, "text": word, "words": [(word, start, end, None)]}


def _word(place: str, word: Any) -> tuple[Any, Any, Any, Any]:
    if isinstance(word, list) and len(word) >= 3:
        return word[0], word[1], word[2], None
    if isinstance(word, dict):
        text = word.get("word", word.get("text"))
        if text is not None and "start" in word and "end" in word:
            return text, word["start"], word["end"], None
    raise SourceError(f"{place}: a word must be [word, start, end] or have word, start and end")


def _list(place: str, value: dict[str, Any], key: str) -> list[Any]:
    found = value[key]
    if not isinstance(found, list):
        raise SourceError(f"{place}: {key} must be a list, not {type(found).__name__}")
    return found


def _need(place: str, item: dict[str, Any], names: tuple[str, ...]) -> None:
    missing = [name for name in names if name not in item]
    if missing:
        raise SourceError(f"{place}: field {missing[0]!r} is missing")
