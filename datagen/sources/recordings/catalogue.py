"""Everything known of a corpus before its sound is read: recordings, speakers, transcripts, hashes."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from datagen.errors import SourceError
from datagen.recipe.recordings_config import RecordingsConfig
from datagen.records import InputFile, Voice
from datagen.sources.folders import files_below
from datagen.sources.inputs import is_data
from datagen.sources.recordings import layouts
from datagen.sources.recordings.annotations import ENDINGS, Segment, read_bytes, segments_of
from datagen.sources.recordings.annotations_json import OF_FILE
from datagen.sources.recordings.channels import channel_of, is_label
from datagen.sources.recordings.layout_of import resolved
from datagen.sources.recordings.layouts import FoundRecording, Side
from datagen.sources.recordings.sound_files import BadSoundError, SoundFile, hash_of, header

READERS = 8
"""Threads that hash sound files: disks and file systems answer several at once."""


@dataclass(frozen=True, slots=True)
class CataloguedRecording:
    """A recording with its two channels, its speakers and its transcript."""

    name: str
    sides: tuple[Side, Side]
    """With the name of each speaker."""
    sounds: tuple[SoundFile, SoundFile]
    channels: dict[str, int]
    """Side of each speaker or channel label in the transcript; empty if only the sound can tell."""

    @property
    def n_ms(self) -> int:
        """Length of the shorter channel in whole milliseconds."""
        return min(sound.n_ms for sound in self.sounds)


@dataclass(frozen=True, slots=True)
class UnusableRecording:
    """A recording that becomes a reject."""

    name: str
    reason: str
    detail: str


class Catalogue:
    """A corpus as the recipe describes it. Transcripts are kept packed, about 100 bytes per segment."""

    def __init__(self, config: RecordingsConfig) -> None:
        """Read folders, manifests and transcripts, and hash every file.

        Raises:
            SourceError: If something cannot be read or understood at all.
        """
        config = resolved(config)
        self.config, self.root = config, Path(config.path).expanduser()
        self._found = layouts.recordings(config)
        self._names = {each.name for each in self._found}
        self._packed: dict[str, list[bytes]] = {}
        self.inputs: list[InputFile] = []
        """Every file that is read, in order, with its hash."""
        if config.manifest:
            self._note(config.manifest, read_bytes(str(self.root / config.manifest)))
        self._speakers = self._table()
        self._read_transcripts()
        self._hashes = self._hash_sounds()
        self.recordings = [self._catalogued(each) for each in self._found]

    def segments(self, name: str) -> list[Segment]:
        """The transcript of a recording in order of time; empty if there is none."""
        decoder = msgspec.msgpack.Decoder(Segment)
        return sorted(
            (decoder.decode(each) for each in self._packed.get(name, ())), key=lambda s: (s.start_ms, s.end_ms)
        )

    @property
    def has_transcripts(self) -> bool:
        """True if the recipe names any."""
        return bool(self.config.transcripts)

    def voices(self) -> dict[str, Voice]:
        """Each speaker as a voice, by its name in conversations."""
        c = self.config
        found = {}
        for recording in self.recordings:
            for side in recording.sides if isinstance(recording, CataloguedRecording) else ():
                name = voice_name(c.corpus, side.speaker)
                found[name] = Voice(name, name, (c.language,), c.licence, source=c.corpus, note="recorded")
        return dict(sorted(found.items()))

    # -- transcripts --------------------------------------------------------------------------------------------------

    def _note(self, name: str, data: bytes) -> bytes:
        self.inputs.append(InputFile(name, hashlib.sha256(data).hexdigest(), len(data)))
        return data

    def _table(self) -> dict[tuple[str, int], str]:
        if not self.config.speakers:
            return {}
        name = self.config.speakers
        return layouts.speaker_table(self._note(name, read_bytes(str(self.root / name))), name)

    def _read_transcripts(self) -> None:
        by_file = {Path(side.file).stem: (each.name, side.speaker) for each in self._found for side in each.sides}
        for name in self._transcript_files():
            path = self.root / name
            stem = Path(name.removesuffix(".gz")).stem
            recording, speaker = by_file.get(stem, (stem, ""))
            for segment in segments_of(self._note(name, read_bytes(str(path))), name, recording):
                if segment.speaker == OF_FILE:
                    segment = replace(segment, speaker=speaker or "0")
                self._packed.setdefault(segment.recording, []).append(msgspec.msgpack.encode(segment))
        if self.has_transcripts and not self._names & set(self._packed):
            theirs = ", ".join(sorted(self._packed)[:3]) or "none"
            raise SourceError(
                f"input.recordings: no transcript is of a recording: transcripts name {theirs}, sound files "
                f"{', '.join(sorted(self._names)[:3])}; set `names` so that they agree"
            )

    def _transcript_files(self) -> Iterator[str]:
        for name in self.config.transcripts:
            path = self.root / name
            if not path.exists():
                raise SourceError(f"input.recordings.transcripts: {path} does not exist; check the path")
            if not path.is_dir():
                yield name
                continue
            below = sorted(each for each in files_below(path, is_data) if each.lower().endswith(ENDINGS))
            if not below:
                raise SourceError(f"input.recordings.transcripts: {path} holds no file of {', '.join(ENDINGS)}")
            yield from (f"{name.rstrip('/')}/{each}" for each in below)

    # -- sound --------------------------------------------------------------------------------------------------------

    def _hash_sounds(self) -> dict[str, tuple[str, int]]:
        names = sorted({side.file for each in self._found for side in each.sides})
        with ThreadPoolExecutor(READERS) as readers:
            found = dict(zip(names, readers.map(lambda name: hash_of(self.root / name), names), strict=True))
        self.inputs += [InputFile(name, sha256, n_bytes) for name, (sha256, n_bytes) in found.items()]
        return found

    def _catalogued(self, found: FoundRecording) -> CataloguedRecording | UnusableRecording:
        if found.fault:
            reason, _, detail = found.fault.partition(": ")
            return UnusableRecording(found.name, reason, detail)
        first, second = found.sides
        try:
            sounds = tuple(header(self.root, side.file, *self._hashes[side.file]) for side in (first, second))
        except BadSoundError as error:
            return UnusableRecording(found.name, "broken_sound", str(error))
        for side, sound in zip((first, second), sounds, strict=True):
            if side.channel >= sound.n_channels:
                detail = f"{side.file} has {sound.n_channels} channels; a recording needs one per speaker"
                return UnusableRecording(found.name, "not_two_channels", detail)
        told = {(s.speaker, s.channel) for s in self.segments(found.name)}
        speakers = {speaker for speaker, _ in told}
        if len(speakers) > 2:
            return UnusableRecording(found.name, "not_two_speakers", f"speakers {', '.join(sorted(speakers)[:5])}")
        table = {speaker: k for k in (0, 1) if (speaker := self._speakers.get((found.name, k)))}
        channels = channel_of(told, (first, second), table)
        sides = tuple(self._named(found.name, k, side, channels) for k, side in enumerate((first, second)))
        return CataloguedRecording(found.name, (sides[0], sides[1]), (sounds[0], sounds[1]), channels)

    def _named(self, recording: str, k: int, side: Side, channels: dict[str, int]) -> Side:
        """A side with its speaker: of the table, the file's name or the transcript; else one of its own."""
        told = [name for name, channel in channels.items() if channel == k and not is_label(name)]
        speaker = self._speakers.get((recording, k)) or side.speaker or (told[0] if told else f"{recording}-{'AB'[k]}")
        return replace(side, speaker=speaker)


def voice_name(corpus: str, speaker: str) -> str:
    """Name of a recorded speaker among the voices of a build.

    >>> voice_name("fisher", "1234")
    'fisher/1234'
    """
    return f"{corpus}/{speaker}"
