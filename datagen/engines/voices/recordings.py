"""Recordings of a voice bank, from a directory or a table: their speakers and transcripts.

Three corpora are known by the names of their files, wherever the files lie:

    LibriSpeech  103-1240-0006.flac         speaker 103; transcripts in *.trans.txt, sexes in SPEAKERS.TXT
    AISHELL      BAC009S0764W0122.wav       speaker S0764
    3D-Speaker   3D_SPK_00001_001_Device03_Distance00_Dialect00.wav; transcripts in *transcri*, by utterance or segment

A file of another name belongs to the speaker its folder is named after; one that lies at the top is a speaker of its
own. A transcript may also lie beside its file, in NAME.txt; tables of transcripts go by the names of utterances, which
no two recordings of a corpus share.
"""

import csv
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from datagen.engines.audio import AUDIO_SUFFIXES, read_audio
from datagen.engines.base import Audio, Voice
from datagen.errors import EngineError

Sex = Literal["female", "male", ""]
_SEXES: dict[str, Sex] = {"f": "female", "female": "female", "m": "male", "male": "male", "": ""}


@dataclass(frozen=True)
class Recording:
    """One file that may become the reference of a voice."""

    voice: str
    speaker: str
    path: Path
    source: str
    """Its path as provenance names it: relative to the bank."""
    languages: tuple[str, ...]
    licence: str
    sex: Sex = ""
    transcript: str = ""
    note: str = ""
    last: bool = False
    """True if it is used only where the speaker has nothing else, as a dialect is."""


@dataclass(frozen=True)
class _Corpus:
    """A corpus known by the names of its files."""

    name: re.Pattern[str]
    voice: str
    languages: tuple[str, ...]
    licence: str


_CORPORA = (
    _Corpus(re.compile(r"(?P<speaker>\d+)-\d+-\d+"), "libri-{}", ("en",), "CC-BY-4.0"),
    _Corpus(re.compile(r"BAC009(?P<speaker>S\d{4})W\d{4}"), "aishell-{}", ("zh",), "Apache-2.0"),
    _Corpus(
        re.compile(r"(?P<speaker>\w+?)_(?P<segment>\d+)_(Device(?P<device>\d+)_)?Distance\d+_Dialect(?P<dialect>\d+)"),
        "{}",
        ("zh",),
        "unknown: see 3dspeaker.github.io",
    ),
)
_TABLES = (".txt", ".tsv", ".csv", ".scp", "")
"""Endings of tables of transcripts: recordings and archives have such names too."""
_STANDARD_MANDARIN = "00"
_STEREO_DEVICE = "09"
"""3D-Speaker's own recipes leave out Device09."""


def sex_of(text: str) -> Sex | None:
    """A speaker's sex as a table states it, or None if the word is unknown.

    >>> sex_of(" F "), sex_of("male"), sex_of(""), sex_of("unknown")
    ('female', 'male', '', None)
    """
    return _SEXES.get(text.strip().lower())


def find(directory: Path, languages: tuple[str, ...], licence: str) -> list[Recording]:
    """All recordings of a directory and the folders in it, in order of their names.

    Args:
        directory: Of one of the layouts above.
        languages: What speakers of unknown corpora speak.
        licence: Of recordings of unknown corpora.

    Raises:
        EngineError: If two tables say different things of one utterance.
    """
    files = sorted(file for file in directory.rglob("*") if file.is_file() and not _hidden(file, directory))
    transcripts, sexes = _Transcripts(files), _sexes(directory)
    found = (
        _recording(file, directory, languages, licence, transcripts, sexes)
        for file in files
        if file.suffix.lower() in AUDIO_SUFFIXES
    )
    return [recording for recording in found if recording]


def _hidden(file: Path, directory: Path) -> bool:
    """True for a file or folder whose name begins with a dot, such as the `._NAME` of some systems."""
    return any(part.startswith(".") for part in file.relative_to(directory).parts)


def _recording(
    file: Path,
    directory: Path,
    languages: tuple[str, ...],
    licence: str,
    transcripts: "_Transcripts",
    sexes: Mapping[str, Sex],
) -> Recording | None:
    source = file.relative_to(directory).as_posix()
    for corpus in _CORPORA:
        if match := corpus.name.fullmatch(file.stem):
            break
    else:
        speaker = file.stem if file.parent == directory else file.parent.name
        return Recording(speaker, speaker, file, source, languages, licence, transcript=transcripts.of(file))
    told = match.groupdict()
    if told.get("device") == _STEREO_DEVICE:
        return None
    voice, dialect = corpus.voice.format(told["speaker"]), told.get("dialect") or _STANDARD_MANDARIN
    return Recording(
        voice,
        voice,
        file,
        source,
        corpus.languages,
        corpus.licence,
        sex=sexes.get(told["speaker"], ""),
        transcript=transcripts.of(file, file.stem, f"{told['speaker']}_{told.get('segment')}"),
        note="" if dialect == _STANDARD_MANDARIN else f"dialect {dialect} of 3D-Speaker",
        last=dialect != _STANDARD_MANDARIN,
    )


class _Transcripts:
    """Transcripts by the place of a recording, or by the name of its utterance in a table."""

    def __init__(self, files: Sequence[Path]) -> None:
        """Read all transcripts among the files of a bank."""
        places = {file.with_suffix("") for file in files if file.suffix.lower() in AUDIO_SUFFIXES}
        self._beside: dict[Path, str] = {}
        self._told: dict[str, dict[str, Path]] = {}
        for file in files:
            if file.suffix.lower() == ".txt" and file.with_suffix("") in places:
                self._beside[file.with_suffix("")] = " ".join(_text(file).split())
            elif _is_table(file):
                for name, text in _pairs(file):
                    self._told.setdefault(name, {}).setdefault(text, file)

    def of(self, file: Path, *names: str) -> str:
        """Transcript of a recording whose utterance has one of these names; empty if unknown.

        Raises:
            EngineError: If two tables contradict each other.
        """
        if beside := self._beside.get(file.with_suffix("")):
            return beside
        texts = next((self._told[name] for name in names if name in self._told), {})
        if len(texts) > 1:
            first, second, *_ = texts.values()
            raise EngineError(f"{first} and {second} contradict each other about {file.name}; correct one of them")
        return next(iter(texts), "")


def _is_table(file: Path) -> bool:
    name = file.name.lower()
    named = name.endswith(".trans.txt") or "transcri" in name or name == "text"
    return named and file.suffix.lower() in _TABLES


def _pairs(file: Path) -> Iterator[tuple[str, str]]:
    """Name and text of each line, apart by a space, tab or comma."""
    for line in _text(file).splitlines():
        name, _, text = re.sub(r"[\s,]+", " ", line.strip(), count=1).partition(" ")
        if text:
            yield name, text.strip()


def _sexes(directory: Path) -> dict[str, Sex]:
    """LibriSpeech's table of speakers (`ID | F or M | ...`), which lies above its subsets."""
    found: dict[str, Sex] = {}
    for folder in (directory.parent, directory):
        file = folder / "SPEAKERS.TXT"
        if file.is_file():
            for line in _text(file).splitlines():
                speaker, *more = (cell.strip() for cell in line.split("|"))
                if more and not speaker.startswith(";"):
                    found[speaker] = sex_of(more[0]) or ""
    return found


def _text(file: Path) -> str:
    return file.read_text("utf-8-sig", errors="replace")


@dataclass(frozen=True)
class ReferenceRecording:
    """One recording of one speaker. `datagen.engines.voices` reads whole directories of them."""

    voice: Voice
    path: Path
    transcript: str
    """Its words; empty if unknown."""

    def audio(self, rate_hz: int) -> Audio:
        """The recording, mixed to mono: float32 [n_samples] at `rate_hz`.

        Raises:
            EngineError: If it cannot be read any more.
        """
        return read_audio(self.path, rate_hz)


COLUMNS = ("name", "path", "speaker", "sex", "language", "transcript", "licence", "note")
"""Only `path` must be there. Several rows of one name are several recordings of one voice."""


def read_table(file: Path, languages: tuple[str, ...], licence: str) -> tuple[list[Recording], list[str]]:
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
        return [], [f"{file.name} is no table in UTF-8: {error}; check the path and the file"]
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
            found.append(_of_row(values, file.parent, languages, licence))
    faults += _contradictions(found)
    return found, faults


def write_rows(file: Path, voices: Sequence[tuple[Voice, Path, str]]) -> None:
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


def _of_row(values: dict[str, str], folder: Path, languages: tuple[str, ...], licence: str) -> Recording:
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

    The folder of a bank is not part of it, so a bank that was moved is the same bank.

    >>> [_source(path, Path("/bank")) for path in ("a/../b/x.wav", "/bank/x.wav", "../x.wav")]
    ['b/x.wav', 'x.wav', 'x.wav']
    """
    top = Path(os.path.normpath(folder.absolute()))
    file = Path(os.path.normpath(top / path))
    return file.relative_to(top).as_posix() if file.is_relative_to(top) else file.name
