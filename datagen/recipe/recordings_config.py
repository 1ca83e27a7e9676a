"""The part of a recipe that reads recordings instead of dialogues: of two people, or of single speakers.

Limits are ours; docs/recordings.md says what they were tried on.
"""

import re
from typing import Literal

from pydantic import Field, model_validator

from datagen.recipe.distributions import ConfigPart
from datagen.recipe.mix_config import EngineConfig

_NAMES = {
    "stereo": r"(?:.*/)?(?P<recording>[^/]+)",
    "pairs": r"(?:.*/)?(?P<recording>[^/]+)_(?P<speaker>[^/_]+)",
}
"""The names of sound files by layout, if the recipe gives none."""
SINGLE = ("librispeech", "wenetspeech")
"""Layouts of corpora of single speakers: an utterance is a conversation in which the user alone speaks."""


class DeriveConfig(ConfigPart):
    """Rules that infer events from the times of speech; docs/timing.md has the terms."""

    ipu_silence_ms: float = Field(
        200, gt=0, le=2000, description="Shorter silences of a speaker belong to the speech around them"
    )
    hesitation_ms: float = Field(
        500, gt=0, le=10_000, description="A pause inside a speaker's own turn is a hesitation from this length on"
    )
    longest_hesitation_ms: float = Field(
        3000, gt=0, le=60_000, description="After a longer pause the same speaker begins a new turn"
    )
    barge_in_ms: float = Field(
        500,
        ge=0,
        le=10_000,
        description="Shortest overlap of a barge-in, if the transcript does not say whether the other had finished",
    )
    false_start_ms: float = Field(
        400, ge=0, le=2000, description="Longest false start; a longer one is a failed barge-in"
    )
    listener_ms: float = Field(1000, ge=0, le=5000, description="Longest listener response")
    listener_words: int = Field(3, ge=1, le=20, description="Maximum number of words of a listener response")


class RecordingLimitsConfig(ConfigPart):
    """Limits on recordings; a conversation beyond one is rejected under the name of the check."""

    max_overlap_share: float = Field(0.4, gt=0, le=1, description="too_much_overlap: both speak, of the time of speech")
    max_cross_talk_db: float = Field(
        -20, ge=-120, le=0, description="cross_talk: level of a voice in the other's channel, against its own channel"
    )
    min_level_dbfs: float = Field(-55, ge=-120, le=0, description="silent: level of a speaker's speech (RMS)")
    max_clipped_share: float = Field(0.002, ge=0, le=1, description="clipped: samples of a channel at full scale")
    min_speech_seconds: float = Field(1, ge=0, le=3600, description="one_sided: speech of each speaker")
    max_silence_seconds: float = Field(30, gt=0, le=3600, description="long_silence: time in which nobody speaks")


class RecordingsConfig(ConfigPart):
    """Recordings as input of a build: of two people, one channel each, or of single speakers."""

    path: str = Field(description="Folder of the sound files; all other names here are paths below it")
    layout: Literal["auto", "stereo", "pairs", "lhotse", "librispeech", "wenetspeech"] = Field(
        "auto",
        description="stereo: a file per recording. pairs: a mono file per speaker. lhotse: as a manifest of recordings "
        "says. librispeech, wenetspeech: corpora of single speakers. auto: lhotse if there is a manifest, a corpus "
        "of single speakers if its files are there, else stereo",
    )
    names: str = Field(
        "",
        description="Regular expression of the path of a sound file without its ending, with the group `recording` "
        "and, in pairs, `speaker`; by default NAME, and NAME_SPEAKER",
    )
    manifest: str = Field("", description="lhotse: manifest of recordings, JSON Lines, optionally .gz")
    transcripts: tuple[str, ...] = Field(
        (), description="Files, or folders of files, in RTTM, CTM, CSV, JSON or Lhotse supervisions, optionally .gz"
    )
    parts: tuple[str, ...] = Field(
        (),
        description="librispeech, wenetspeech: parts to read, such as test-clean or S; empty: all",
    )
    official_splits: bool = Field(
        True,
        description="librispeech, wenetspeech: a dev part is validation and a test part is test, and nothing else is; "
        "false: speakers are dealt by splits",
    )
    min_confidence: float = Field(
        0.95, ge=0, le=1, description="wenetspeech: low_confidence: least confidence of the text of a segment"
    )
    speakers: str = Field("", description="CSV with the columns recording,channel,speaker; channels count from 0")
    corpus: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", description="Name of the corpus")
    licence: str = Field(min_length=1, max_length=200, description="Licence of the recordings, such as CC-BY-4.0")
    language: str = Field("en", pattern=r"^[a-z]{2}$", description="Language that is spoken, ISO 639-1")
    assistant: Literal["either", "first", "second"] = Field(
        "either", description="Side that becomes the assistant; either: two conversations, one per side"
    )
    segment_seconds: float = Field(
        120, ge=5, le=3600, description="Longest conversation; a recording is cut where both are silent"
    )
    min_segment_seconds: float = Field(10, ge=1, le=3600, description="too_short: shortest conversation")
    cut_silence_ms: float = Field(300, ge=50, le=10_000, description="Shortest silence of both in which to cut")
    aligner: EngineConfig = Field(
        EngineConfig(name="estimated"), description="Forced aligner for words without times, such as {name: whisper}"
    )
    recognizer: EngineConfig | None = Field(
        None, description="Recognizer for speech without text, such as {name: whisper}; null: rejected as no_transcript"
    )
    vad: EngineConfig = Field(
        EngineConfig(name="silero"), description="Detector of speech for recordings without a transcript"
    )
    derive: DeriveConfig = DeriveConfig()
    limits: RecordingLimitsConfig = RecordingLimitsConfig()

    @model_validator(mode="after")
    def _fits(self) -> "RecordingsConfig":
        if self.layout != "auto" and (self.layout == "lhotse") != bool(self.manifest):
            raise ValueError("layout lhotse and manifest go together: set both or neither")
        if self.layout in SINGLE:
            self._check_single()
        if self.min_segment_seconds > self.segment_seconds:
            raise ValueError("min_segment_seconds is above segment_seconds")
        for name in (self.manifest, self.speakers, *self.transcripts):
            if name.startswith(("/", "~")) or ".." in name.split("/"):
                raise ValueError(f"{name!r} is not a path below `path`")
        if self.layout in ("stereo", "pairs") or (self.layout == "auto" and self.names):
            self._check_names()
        return self

    def _check_single(self) -> None:
        """Refuse what only recordings of two people have."""
        own = ("names", "manifest", "transcripts", "speakers", "recognizer")
        unused = [name for name in own if getattr(self, name)]
        if unused:
            raise ValueError(f"{', '.join(unused)}: layout {self.layout} has its own; leave out")

    def _check_names(self) -> None:
        wanted = {"recording", "speaker"} if self.layout == "pairs" else {"recording"}
        try:
            groups = set(re.compile(self.file_names).groupindex)
        except re.error as error:
            raise ValueError(f"names is no regular expression: {error}") from error
        if not wanted <= groups:
            raise ValueError(f"names lacks the groups {', '.join(sorted(wanted - groups))}, as in (?P<recording>...)")

    @property
    def file_names(self) -> str:
        """The regular expression of the sound files of `stereo` and `pairs`."""
        return self.names or _NAMES["pairs" if self.layout == "pairs" else "stereo"]
