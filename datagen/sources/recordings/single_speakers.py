"""Corpora of single speakers: each utterance is a conversation in which the user alone speaks.

Reasons of rejects: broken_sound, no_sound, no_transcript, not_one_channel, bad_segment,
duplicate_id, low_confidence.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from math import gcd
from pathlib import Path
from typing import Literal

from datagen.clock import ms_to_samples
from datagen.errors import SourceError
from datagen.recipe.recordings_config import RecordingsConfig
from datagen.records import Dialogue, InputFile, Recorded, RecordedChannel, Reject, Transcribed, Voice
from datagen.sources.recordings.catalogue import READERS, voice_name
from datagen.sources.recordings.sound_files import BadSoundError, SoundFile, hash_of, header
from datagen.sources.recordings.talks import STAGE

Sex = Literal["female", "male", ""]
NOBODY = RecordedChannel("", "", 0, 1)
"""The channel of an assistant that was not recorded."""
MOST_SHOWN = 20
"""Faults of files that an error lists."""
_LATE_MS = 100
"""A segment may end this much after its sound: times and lengths are rounded."""


@dataclass(frozen=True, slots=True)
class CorpusUtterance:
    """An utterance of a corpus of single speakers."""

    id: str
    speaker: str
    part: str
    """Part of the corpus, such as test-clean."""
    split: str
    """Split that its part belongs to; empty: none."""
    file: str
    """Path below the folder of the corpus."""
    text: str
    place: str
    """Its place for rejects."""
    start_ms: int = 0
    end_ms: int | None = None
    """None: the end of the file."""


@dataclass(frozen=True, slots=True)
class UnusableUtterance:
    """A record of a corpus that becomes a reject."""

    id: str
    reason: str
    detail: str


class SpeechCorpus(ABC):
    """A corpus of single speakers. Its sound is hashed when `inputs` is first needed."""

    def __init__(self, config: RecordingsConfig) -> None:
        """Read the lists of its files.

        Raises:
            SourceError: If the folder cannot be read as such a corpus; lists all faults.
        """
        self.config, self.root = config, Path(config.path).expanduser()
        self._hashes: dict[str, tuple[str, int]] = {}
        self._last: tuple[str, SoundFile | BadSoundError] | None = None
        self.splits: dict[str, dict[str, str]] = {}
        """Splits that the corpus has for a speaker, each with a part, of the utterances planned so far."""
        self.n_of_parts = Counter[str]()
        """Utterances of each part planned so far."""

    @abstractmethod
    def utterances(self) -> Iterator[CorpusUtterance | UnusableUtterance]:
        """All utterances of the parts of the recipe, in order."""

    @abstractmethod
    def sound_names(self) -> list[str]:
        """The sound files of these, in order."""

    @abstractmethod
    def speakers(self) -> Iterable[tuple[str, Sex]]:
        """Their speakers, with the sex if it is known."""

    @abstractmethod
    def texts(self) -> list[InputFile]:
        """The files that are no sound, with their hashes."""

    def sounds(self) -> list[InputFile]:
        """The sound files as inputs, with their hashes."""
        return [InputFile(name, *self._hashes[name]) for name in self.sound_names()]

    @cached_property
    def inputs(self) -> list[InputFile]:
        """Every file that is read, with its hash."""
        names = self.sound_names()
        with ThreadPoolExecutor(READERS) as readers:
            self._hashes = dict(zip(names, readers.map(lambda name: hash_of(self.root / name), names), strict=True))
        return [*self.texts(), *self.sounds()]

    def voices(self) -> dict[str, Voice]:
        """Each speaker as a voice, by its name in conversations."""
        c = self.config
        named = ((voice_name(c.corpus, speaker), sex) for speaker, sex in self.speakers())
        found = {
            name: Voice(name, name, (c.language,), c.licence, sex, source=c.corpus, note="recorded")
            for name, sex in named
        }
        return dict(sorted(found.items()))

    def conversations(self, sample_rate_hz: int) -> Iterator[Dialogue | Reject]:
        """The utterances as conversations without turns, or rejects, in order."""
        for number, found in enumerate(self.utterances()):
            if isinstance(found, CorpusUtterance):
                try:
                    yield self._conversation(found, number, sample_rate_hz)
                    continue
                except BadSoundError as error:
                    reason, _, detail = str(error).partition(": ")
                    found = UnusableUtterance(found.id, reason, f"{found.place}: {detail}")
            yield Reject(number, found.id, self.config.corpus, STAGE, found.reason, found.detail)

    def _conversation(self, u: CorpusUtterance, number: int, rate: int) -> Dialogue:
        sound = self._sound(u.file)
        if u.start_ms >= sound.n_ms or (u.end_ms or 0) > sound.n_ms + _LATE_MS:
            raise BadSoundError(
                f"bad_segment: it lasts from {u.start_ms / 1000} to {(u.end_ms or 0) / 1000} s, and {u.file} has "
                f"{sound.n_ms / 1000} s"
            )
        step = rate // gcd(rate, sound.sample_rate_hz)
        first = ms_to_samples(u.start_ms, rate) // step * step
        whole = -(-sound.n_samples * rate // sound.sample_rate_hz)
        last = whole if u.end_ms is None else min(ms_to_samples(u.end_ms, rate), whole)
        start = ms_to_samples(u.start_ms, rate) - first
        self.splits.setdefault(u.speaker, {}).setdefault(u.split, u.part)
        self.n_of_parts[u.part] += 1
        c = self.config
        channel = RecordedChannel(u.speaker, u.file, 0, sound.sample_rate_hz, sound.sha256)
        return Dialogue(
            u.id,
            (),
            c.corpus,
            c.language,
            number,
            recorded=Recorded(Path(u.file).stem, c.corpus, c.licence, channel, NOBODY, first, last - first),
            transcript=(Transcribed("user", start, last - first, u.text),),
        )

    def _sound(self, name: str) -> SoundFile:
        """The header of a sound file; that of the last one is kept, because recordings have many segments."""
        if self._last is None or self._last[0] != name:
            self._last = name, self._header(name)
        if isinstance(self._last[1], BadSoundError):
            raise self._last[1]
        return self._last[1]

    def _header(self, name: str) -> SoundFile | BadSoundError:
        try:
            sound = header(self.root, name, *self._hashes.get(name, ("", 0)))
        except (BadSoundError, OSError) as error:
            return BadSoundError(f"broken_sound: {error}")
        if sound.n_channels != 1:
            return BadSoundError(f"not_one_channel: {name} has {sound.n_channels} channels")
        return sound


def known_parts(wanted: Iterable[str], there: Iterable[str], corpus: str) -> None:
    """Check that the parts of a recipe are there.

    Raises:
        SourceError: If not; says which are.
    """
    parts = sorted({*there})
    if missing := [part for part in wanted if part not in parts]:
        raise SourceError(
            f"input.recordings.parts: {corpus} has no {', '.join(missing)} here; it has {', '.join(parts) or 'none'}"
        )
