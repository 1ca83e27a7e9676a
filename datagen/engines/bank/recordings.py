"""Which recordings a directory of voices holds, whose they are and what is said in them.

Three corpora are known by the names of their files, wherever the files lie:

    LibriSpeech  103-1240-0006.flac         speaker 103; transcripts in *.trans.txt, sexes in SPEAKERS.TXT
    AISHELL      BAC009S0764W0122.wav       speaker S0764
    3D-Speaker   3D_SPK_00001_001_Device03_Distance00_Dialect00.wav; transcripts in *transcri*, by utterance or segment

A file of another name belongs to the speaker its folder is named after; one that lies at the top is a speaker of its
own. A transcript may also lie beside its file, in NAME.txt.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from datagen.engines.audio import AUDIO_SUFFIXES

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
    """Whether it is used only where the speaker has nothing else, as a dialect is."""


@dataclass(frozen=True)
class _Corpus:
    """What the name of a file tells."""

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
_STANDARD_MANDARIN = "00"
_STEREO_DEVICE = "09"
"""3D-Speaker's own recipes leave out Device09."""


def sex_of(text: str) -> Sex | None:
    """What a table says of a speaker's sex, or None if that is no word for it.

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
    """
    files = sorted(file for file in directory.rglob("*") if file.is_file())
    transcripts, sexes = _transcripts(files), _sexes(directory)
    found = (
        _recording(file, directory, languages, licence, transcripts, sexes)
        for file in files
        if file.suffix.lower() in AUDIO_SUFFIXES
    )
    return [recording for recording in found if recording]


def _recording(
    file: Path,
    directory: Path,
    languages: tuple[str, ...],
    licence: str,
    transcripts: Mapping[str, str],
    sexes: Mapping[str, Sex],
) -> Recording | None:
    source = file.relative_to(directory).as_posix()
    for corpus in _CORPORA:
        if match := corpus.name.fullmatch(file.stem):
            break
    else:
        speaker = file.stem if file.parent == directory else file.parent.name
        text = transcripts.get(file.stem, "")
        return Recording(speaker, speaker, file, source, languages, licence, transcript=text)
    told = match.groupdict()
    if told.get("device") == _STEREO_DEVICE:
        return None
    voice, dialect = corpus.voice.format(told["speaker"]), told.get("dialect") or _STANDARD_MANDARIN
    text = transcripts.get(file.stem) or transcripts.get(f"{told['speaker']}_{told.get('segment')}", "")
    return Recording(
        voice,
        voice,
        file,
        source,
        corpus.languages,
        corpus.licence,
        sex=sexes.get(told["speaker"], ""),
        transcript=text,
        note="" if dialect == _STANDARD_MANDARIN else f"dialect {dialect} of 3D-Speaker",
        last=dialect != _STANDARD_MANDARIN,
    )


def _transcripts(files: list[Path]) -> dict[str, str]:
    """What is said, by name of the utterance."""
    found: dict[str, str] = {}
    names = {file.stem for file in files if file.suffix.lower() in AUDIO_SUFFIXES}
    for file in files:
        lowered = file.name.lower()
        if lowered.endswith(".trans.txt") or "transcri" in lowered or lowered == "text":
            found.update(_pairs(file))
        elif file.suffix == ".txt" and file.stem in names:
            found[file.stem] = " ".join(_text(file).split())
    return found


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
