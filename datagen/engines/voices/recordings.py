"""Recordings of a directory of voices: their speakers and transcripts.

Three corpora are known by the names of their files, wherever the files lie:

    LibriSpeech  103-1240-0006.flac         speaker 103; transcripts in *.trans.txt, sexes in SPEAKERS.TXT
    AISHELL      BAC009S0764W0122.wav       speaker S0764
    3D-Speaker   3D_SPK_00001_001_Device03_Distance00_Dialect00.wav; transcripts in *transcri*, by utterance or segment

A file of another name belongs to the speaker its folder is named after; one that lies at the top is a speaker of its
own. A transcript may also lie beside its file, in NAME.txt; tables of transcripts go by the names of utterances, which
no two recordings of a corpus share.
"""

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
    files = sorted(file for file in directory.rglob("*") if file.is_file())
    transcripts, sexes = _Transcripts(files), _sexes(directory)
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
            raise EngineError(f"{first} and {second}: they contradict each other about {file.name}; correct one")
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
