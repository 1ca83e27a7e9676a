"""LibriSpeech: a sound file per utterance, a transcript per chapter.

    PART/SPEAKER/CHAPTER/SPEAKER-CHAPTER-0000.flac
    PART/SPEAKER/CHAPTER/SPEAKER-CHAPTER.trans.txt     SPEAKER-CHAPTER-0000 WORDS IN CAPITALS
    SPEAKERS.TXT                                       ID | F or M | PART | MINUTES | NAME; optional

The folder of the recipe may be the corpus, one of its parts, or a folder above both. The words are
read in small letters, but for `I`, because text tokenizers cut capitals into many more ids.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby

from datagen.errors import SourceError, refuse
from datagen.recipe.recordings_config import RecordingsConfig
from datagen.records import InputFile
from datagen.sources.folders import files_below
from datagen.sources.recordings.annotations import read_bytes
from datagen.sources.recordings.layout_of import LIBRISPEECH_TEXT
from datagen.sources.recordings.single_speakers import (
    MOST_SHOWN,
    CorpusUtterance,
    Sex,
    SpeechCorpus,
    UnusableUtterance,
    known_parts,
)
from datagen.sources.recordings.sound_files import SUFFIXES

_UTTERANCE = re.compile(r"\d+-\d+-\d+")
_I = re.compile(r"\bi\b")
_SPLITS = {"train": "train", "dev": "validation", "test": "test"}
_SEXES: dict[str, Sex] = {"F": "female", "M": "male"}
_SPEAKERS = "SPEAKERS.TXT"


@dataclass
class _Chapter:
    """A folder of utterances that share speaker and chapter."""

    folder: str
    """Path below the corpus, with a slash at its end; empty: the corpus itself."""
    sounds: dict[str, str] = field(default_factory=dict)
    """Path of each sound file by the id of its utterance."""
    texts: list[str] = field(default_factory=list)
    """Paths of the transcripts."""


class LibriSpeech(SpeechCorpus):
    """A folder in the layout of LibriSpeech."""

    def __init__(self, config: RecordingsConfig) -> None:
        """List the files and read the transcripts."""
        super().__init__(config)
        chapters = self._chapters()
        known_parts(config.parts, (self._part(each) for each in chapters), "LibriSpeech")
        self._kept = [each for each in chapters if not config.parts or self._part(each) in config.parts]
        self._text_files: list[InputFile] = []
        self._lines: dict[str, list[str]] = {}
        faults = []
        for name in (name for each in self._kept for name in each.texts):
            try:
                self._lines[name] = self._read(name)
            except SourceError as error:
                faults.append(error)
        self._sexes: dict[str, Sex] = {}
        try:
            self._sexes = self._table()
        except SourceError as error:
            faults.append(error)
        refuse(faults[:MOST_SHOWN])

    def _chapters(self) -> list[_Chapter]:
        found: dict[str, _Chapter] = {}
        for name in sorted(files_below(self.root, lambda each: not each.startswith("."))):
            place, slash, file = name.rpartition("/")
            stem, dot, ending = file.rpartition(".")
            is_sound = _UTTERANCE.fullmatch(stem) and f"{dot}{ending}".lower() in SUFFIXES
            if not is_sound and not LIBRISPEECH_TEXT.fullmatch(file):
                continue
            chapter = found.setdefault(place, _Chapter(f"{place}{slash}"))
            if is_sound:
                chapter.sounds[stem] = name
            else:
                chapter.texts.append(name)
        if not any(each.texts for each in found.values()):
            raise SourceError(
                f"input.recordings.path: {self.config.path} holds no transcript named as LibriSpeech's, such as "
                "84-121123.trans.txt; check the path and the layout"
            )
        return list(found.values())

    def _part(self, chapter: _Chapter) -> str:
        """Name of the folder above those of speaker and chapter, which may be that of the corpus itself."""
        folder = self.root.resolve() / chapter.folder
        return folder.parents[1].name if folder.name.isdigit() and folder.parent.name.isdigit() else ""

    def _read(self, name: str) -> list[str]:
        data = read_bytes(str(self.root / name))
        self._text_files.append(InputFile(name, hashlib.sha256(data).hexdigest(), len(data)))
        try:
            return data.decode("utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise SourceError(f"{self.root / name} is not UTF-8 text ({error}); convert it") from error

    def _table(self) -> dict[str, Sex]:
        """Sexes by speaker, from the table beside the parts, if there is one."""
        places = sorted({each.folder.rsplit("/", 4)[0] for each in self._kept if each.folder.count("/") > 3})
        names = (f"{place}{_SPEAKERS}" for place in ("", *(f"{each}/" for each in places)))
        name = next((name for name in names if (self.root / name).is_file()), None)
        if name is None:
            return {}
        found, faults = dict[str, Sex](), list[SourceError]()
        for number, line in enumerate(self._read(name), 1):
            if not line.strip() or line.startswith(";"):
                continue
            speaker, sex, *_ = *(cell.strip() for cell in line.split("|")), "", ""
            if sex not in _SEXES:
                faults.append(
                    SourceError(f"{name}, line {number}: the second field is {sex[:20]!r}; it must be F or M")
                )
            else:
                found[speaker] = _SEXES[sex]
        refuse(faults[:MOST_SHOWN])
        return found

    # -- what a corpus has -----------------------------------------------------------------------------------------

    def texts(self) -> list[InputFile]:
        """The transcripts, and the table of speakers."""
        return self._text_files

    def sound_names(self) -> list[str]:
        """All sound files, with and without a transcript."""
        return [name for each in self._kept for name in each.sounds.values()]

    def sounds(self) -> list[InputFile]:
        """An input per chapter, because there are 292,367 files in all; its hash is that of names and hashes."""
        found = []
        for folder, names in groupby(self.sound_names(), lambda name: name.rpartition("/")[0]):
            digest, n_bytes = hashlib.sha256(), 0
            for name in names:
                digest.update(f"{name} {self._hashes[name][0]}\n".encode())
                n_bytes += self._hashes[name][1]
            found.append(InputFile(f"{folder}/*".lstrip("/"), digest.hexdigest(), n_bytes))
        return found

    def speakers(self) -> Iterable[tuple[str, Sex]]:
        """The speakers of all sound files."""
        ids = {name.partition("-")[0] for each in self._kept for name in each.sounds}
        return ((speaker, self._sexes.get(speaker, "")) for speaker in sorted(ids))

    def utterances(self) -> Iterator[CorpusUtterance | UnusableUtterance]:
        """The lines of all transcripts, and sound without a line."""
        seen = dict[str, str]()
        for chapter in self._kept:
            told = set[str]()
            for name in chapter.texts:
                for number, line in enumerate(self._lines[name], 1):
                    if not line.strip():
                        continue
                    found = self._utterance(chapter, f"{name}, line {number}", line, seen)
                    told.add(found.id)
                    yield found
            for id, sound in chapter.sounds.items():
                if id not in told:
                    yield UnusableUtterance(
                        id, "no_transcript", f"{sound}: no line of {chapter.folder}*.trans.txt has its id"
                    )

    def _utterance(
        self, chapter: _Chapter, place: str, line: str, seen: dict[str, str]
    ) -> CorpusUtterance | UnusableUtterance:
        id, _, text = line.strip().partition(" ")
        if not _UTTERANCE.fullmatch(id) or not text.strip():
            detail = f"{place}: {line[:60]!r} is no id and text, as in 84-121123-0000 GO ON"
            return UnusableUtterance(id[:60], "bad_segment", detail)
        if (sound := chapter.sounds.get(id)) is None:
            return UnusableUtterance(id, "no_sound", f"{place}: there is no {chapter.folder}{id}.flac")
        if before := seen.get(id):
            return UnusableUtterance(id, "duplicate_id", f"{place}: {id} is in {before}, too")
        seen[id] = place
        part = self._part(chapter)
        split = _SPLITS.get(part.partition("-")[0], "")
        return CorpusUtterance(id, id.partition("-")[0], part, split, sound, in_small_letters(text), place)


def in_small_letters(text: str) -> str:
    """A text in capitals in small letters, but for the pronoun.

    >>> in_small_letters("I THINK I'M IN PARIS")
    "I think I'm in paris"
    """
    return _I.sub("I", " ".join(text.split()).lower())
