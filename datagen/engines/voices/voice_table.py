"""A voice bank as a table: one row a recording."""

import csv
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from datagen.engines.base import Voice
from datagen.engines.voices.recordings import Recording, sex_of

COLUMNS = ("name", "path", "speaker", "sex", "language", "transcript", "licence", "note")
"""Only `path` must be there. Several rows of one name are several recordings of one voice."""


def read(file: Path, languages: tuple[str, ...], licence: str) -> tuple[list[Recording], list[str]]:
    """The recordings of a CSV (or, by its ending, TSV) file in order of its rows, and what is wrong with others.

    Args:
        file: Its paths are relative to the folder it lies in.
        languages: Where the column `language` is empty; several languages of a row are parted by spaces.
        licence: Where the column `licence` is empty.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.DictReader(lines, dialect="excel-tab" if file.suffix.lower() == ".tsv" else "excel")
            header, cells = rows.fieldnames or [], list(rows)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        return [], [f"{file.name} is no table in UTF-8: {error}"]
    if unknown := sorted(set(header) - set(COLUMNS)):
        return [], [f"{file.name}: no column {unknown[0]!r} is known; they are {', '.join(COLUMNS)}"]
    if "path" not in header:
        return [], [f"{file.name}: the column path is missing"]
    found, faults = [], []
    for number, row in enumerate(cells, 2):
        values = {name: (row.get(name) or "").strip() for name in COLUMNS}
        wrong = list(_faults(row, values, file.parent))
        faults += [f"{file.name} line {number}: {fault}" for fault in wrong]
        if not wrong:
            found.append(_recording(values, file.parent, languages, licence))
    faults += _contradictions(found)
    return found, faults


def write(file: Path, voices: Sequence[tuple[Voice, Path, str]]) -> None:
    """Write a table of voices, each with its recording and what is said in it."""
    with file.open("w", encoding="utf-8", newline="") as lines:
        rows = csv.writer(lines, dialect="excel-tab" if file.suffix.lower() == ".tsv" else "excel", lineterminator="\n")
        rows.writerow(COLUMNS)
        for voice, path, transcript in voices:
            source = Path(os.path.relpath(path, file.parent)).as_posix()
            languages = " ".join(voice.languages)
            cells = [voice.name, source, voice.speaker, voice.sex, languages, transcript, voice.licence, voice.note]
            rows.writerow(cells)


def _faults(row: dict[str, str], values: dict[str, str], folder: Path) -> Iterator[str]:
    if None in row:
        yield "has more cells than the header; quote a cell that holds the separator"
    elif not values["path"]:
        yield "path is empty"
    elif not (folder / values["path"]).is_file():
        yield f"there is no file {values['path']}"
    if sex_of(values["sex"]) is None:
        yield f"sex is {values['sex']!r}; write female, male or nothing"


def _contradictions(found: list[Recording]) -> Iterator[str]:
    """Voices of which several rows say different things."""
    told: dict[str, tuple[object, ...]] = {}
    for recording in found:
        said = (recording.speaker, recording.sex, recording.languages, recording.licence)
        if told.setdefault(recording.voice, said) != said:
            yield f"{recording.source}: another row says something else of {recording.voice}; make them agree"


def _recording(values: dict[str, str], folder: Path, languages: tuple[str, ...], licence: str) -> Recording:
    stem = Path(values["path"]).stem
    name = values["name"] or values["speaker"] or stem
    return Recording(
        name,
        values["speaker"] or name,
        folder / values["path"],
        _source(values["path"], folder),
        tuple(values["language"].split()) or languages,
        values["licence"] or licence,
        sex=sex_of(values["sex"]) or "",
        transcript=values["transcript"],
        note=values["note"],
    )


def _source(path: str, folder: Path) -> str:
    """A path as provenance names it: within the table's folder, else no more than the file's name.

    Nothing of where a bank lies on a machine is told, so a bank that was moved is the same bank.

    >>> [_source(path, Path("/bank")) for path in ("a/../b/x.wav", "/bank/x.wav", "../x.wav")]
    ['b/x.wav', 'x.wav', 'x.wav']
    """
    top = Path(os.path.normpath(folder.absolute()))
    file = Path(os.path.normpath(top / path))
    return file.relative_to(top).as_posix() if file.is_relative_to(top) else file.name
