"""What flows from stage to stage, in flow order.

    Dialogue → Script → Takes → Timeline → Conversation → Streams → Row,  or Reject at any step

All are frozen; times are integer samples at the conversation's sample rate unless a name says otherwise.
"""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from datagen.errors import EngineError
from datagen.events import EVENTS as EVENTS
from datagen.events import FAMILIES as FAMILIES
from datagen.events import FLOOR as FLOOR
from datagen.events import HARD_NEGATIVES as HARD_NEGATIVES
from datagen.events import KINDS as KINDS
from datagen.events import WRITTEN as WRITTEN
from datagen.events import Kind as Kind
from datagen.marks import Judged as Judged
from datagen.marks import Mark as Mark
from datagen.marks import Origin as Origin
from datagen.marks import ScriptedBy as ScriptedBy

SPLITS = ("train", "validation", "test")
Role = Literal["user", "assistant"]
CHANNEL: dict[Role, int] = {"user": 0, "assistant": 1}
"""Audio row of each role in a conversation."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn as written."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A conversation as text. Turns alternate, the first is the user's and none is empty."""

    id: str
    turns: tuple[Turn, ...]
    source: str = ""
    """Name of the file or data set it came from."""
    language: str = ""
    """ISO 639-1 code; empty until known."""
    record: int = 0
    """Place among all records of the input, from 0."""
    marks: tuple[Mark, ...] = ()
    """Where people barge in, hesitate and show that they listen, if a writer says so."""
    judged: Judged | None = None
    written_by: tuple[Origin, ...] = ()
    """In the order of writing; empty if no model wrote it."""
    group: str = ""
    """Id of the dialogue that names the cluster of near-duplicates it is in, which share a split; empty: its own."""

    @property
    def has_marks(self) -> bool:
        """Whether a writer said what happens in it, and be it nothing."""
        return bool(self.marks) or any(origin.task == "script" for origin in self.written_by)


@dataclass(frozen=True, slots=True)
class BargeIn:
    """An utterance starts inside the other's utterance before it and takes the floor; the other leaves words unsaid."""

    at_characters: int
    """Place in the interrupted utterance's spoken text: it starts when the text up to there has been said, or later."""
    reaction_samples: int
    """How long the other continues; less where it would finish otherwise."""
    delay_samples: int = 0
    """From that place to the start; less where the other would finish otherwise."""
    finish_word: bool = False
    """True if the other ends the word it is in."""
    competition: bool = False
    """True if the other does not yield at first; the reaction is then as long as that takes."""
    family: str = ""
    """What it says, one of FAMILIES; empty for the assistant's."""


@dataclass(frozen=True, slots=True)
class Within:
    """An utterance that overlaps the other's utterance before it, and that nobody yields to."""

    at_characters: int
    """Place in the other's spoken text, in characters from its beginning."""
    delay_samples: int
    """Start, from the time at which that place is spoken; may be negative."""
    give_up_samples: int | None = None
    """Time after which it is given up; None if it is said to its end."""


@dataclass(frozen=True, slots=True)
class PartOf:
    """The longer take of which an utterance is a piece: a turn with hesitations is synthesized as one take."""

    text: str
    """Text of the one TTS call: the pieces of the turn in a row, repeated words included."""
    first: int
    """Start of the piece in `text`, in characters; 0 for the first piece."""
    last: int
    """End of the piece: it says `text[first:last]`."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """Words of one voice without a scripted pause, and their scripted time after the utterance before."""

    role: Role
    text: str
    """As written; empty for what the dialogue does not hold, and for all but the first piece of a turn."""
    spoken: str
    """Normalized (verbalized) text."""
    voice: str
    offset_samples: int
    """Scripted start minus the end of the floor-holder's utterance before: the floor-transfer offset, or a pause.

    Used too if there is no room for a barge-in, unused with `within`."""
    barge_in: BargeIn | None = None
    kind: Kind = "turn"
    turn: int = 0
    """Index of the dialogue's turn of which it is a part, or during which it is heard."""
    within: Within | None = None
    """Where a backchannel, attempt or aside is heard; none for what holds the floor."""
    event: str = ""
    """Event that the time before it is, or that it is itself, if that is not plain from the kinds."""
    correction: tuple[int, int] | None = None
    """Where in `spoken` a value is replaced: from the wrong one's first character to the right one's last."""
    part_of: PartOf | None = None
    """The take it is cut from; none if it is a take of its own."""


@dataclass(frozen=True, slots=True)
class SpeechLine:
    """A voice, its words, and the occasion: another occasion is another take, so none is heard twice."""

    voice: str
    text: str
    occasion: tuple[str | int, ...] = ()
    """Names the occasion for ever: the dialogue's id, the purpose, and the place in the dialogue."""
    is_token: bool = False
    """True for a short token, whose takes differ more from occasion to occasion."""


@dataclass(frozen=True, slots=True)
class Script:
    """A dialogue with spoken text, voices and all that will happen."""

    dialogue: Dialogue
    split: str
    utterances: tuple[Utterance, ...]
    scripted_by: ScriptedBy = "rules"
    babble: tuple[SpeechLine, ...] = ()
    """One line per talker of the babble; empty if there is none."""
    other_talkers: tuple[SpeechLine, ...] = ()
    """Sentences of other talkers; they repeat in turn over a long conversation."""


@dataclass(frozen=True, slots=True)
class Word:
    """A spoken word and its time within the audio it belongs to, in samples."""

    text: str
    start_samples: int
    end_samples: int


@dataclass(frozen=True, slots=True)
class Scores:
    """What was measured on a take before it was used. `datagen.pipeline.verify` says how."""

    ms_per_syllable: float
    longest_pause_ms: float
    tail_ms: float
    clipped_share: float
    floor_db: float
    error_rate: float | None = None
    """Of words, or of characters in Chinese; None if no recognizer listened."""
    letter_error_rate: float | None = None
    n_repeated: int | None = None
    heard: str | None = None
    mos: float | None = None
    faults: tuple[str, ...] = ()
    """What was wrong with the takes before this one, a word each."""


class TakeFault(NamedTuple):
    """What is wrong with a take."""

    kind: str
    """One of a few words, to be counted."""
    detail: str


@dataclass(frozen=True, slots=True)
class LineTake:
    """One line as synthesized and checked, silence at both ends trimmed."""

    audio: NDArray[np.float32]
    words: tuple[Word, ...]
    attempt: int
    """0 if the first seed gave it."""
    trimmed_samples: int
    """Silence removed at both ends together; counted with the first piece if the take is cut."""
    scores: Scores | None = None


@dataclass(frozen=True, slots=True)
class Take(LineTake):
    """The audio of one utterance: the take of its line, or a piece of it, cut out between two words."""

    utterance: Utterance = field(kw_only=True)

    @classmethod
    def of(cls, utterance: Utterance, take: LineTake) -> "Take":
        """The take of a line as that of an utterance."""
        return cls(take.audio, take.words, take.attempt, take.trimmed_samples, take.scores, utterance=utterance)


@dataclass(frozen=True, slots=True)
class Clip:
    """A line of somebody in the background, as synthesized."""

    line: SpeechLine
    audio: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Takes:
    """A script, one take per utterance, and the speech of people in the background."""

    script: Script
    takes: tuple[Take, ...]
    babble: tuple[Clip, ...] = ()
    """As in the script, each talker at a pace of its own."""
    other_talkers: tuple[Clip, ...] = ()
    """As in the script; the mix changes them."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A take in time. Audio, words and text all end at `end_samples`; what was cut is `unsaid`."""

    take: Take
    start_samples: int
    end_samples: int
    words: tuple[Word, ...]
    """Words said, in conversation time."""
    said: str
    unsaid: str
    n_cut_samples: int
    """Samples of the take that are not heard."""

    @property
    def utterance(self) -> Utterance:
        """The utterance of the take."""
        return self.take.utterance

    @property
    def is_heard(self) -> bool:
        """True if any of the take is heard."""
        return self.end_samples > self.start_samples


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, or was scripted to, and who did it."""

    kind: str
    """One of EVENTS."""
    role: Role
    start_samples: int
    end_samples: int
    utterance: int = -1
    """Index of the utterance that did it or ended it; -1 if none."""
    placed: bool = True
    """False if there was no room: what was scripted did not happen, or not quite as drawn."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """All takes of a conversation placed in time."""

    takes: Takes
    placed: tuple[Placed, ...]
    events: tuple[Event, ...]
    n_samples: int


@dataclass(frozen=True, slots=True)
class Mixing:
    """How the user's channel came to sound as it does, and how levels were set. None or empty: it did not happen."""

    noise: str
    """Kind of noise, empty if none."""
    snr_db: float | None
    user_gain_db: float
    assistant_gain_db: float
    babble: tuple[str, ...] = ()
    """Voices of the babble."""
    babble_snr_db: float | None = None
    other_talkers: tuple[str, ...] = ()
    """Voices of the other talkers, one an event `other_talker`."""
    other_talkers_db: float | None = None
    """Level of the other talkers against the user's speech."""
    bursts: tuple[str, ...] = ()
    """Kinds of the noise bursts, one an event `noise_burst`."""
    bursts_db: float | None = None
    """Level of the bursts against the user's speech."""
    vocal_sounds: tuple[str, ...] = ()
    """The user's laughter and coughs, in order of time, one per event `laughter` or `cough`."""
    vocal_sounds_db: float | None = None
    """Their level against the user's speech."""
    aside_db: float | None = None
    """Level of words to somebody else against the user's speech."""
    aside_cutoff_hz: float | None = None
    """Above it such words are dull, for the user is turned away."""
    room: int | None = None
    """Number of the room."""
    rt60_ms: float | None = None
    """Its reverberation time as asked for."""
    distance_db: float | None = None
    cutoff_hz: float | None = None
    """Where the talker's distance makes speech dull."""
    drift_db: float | None = None
    """From the quietest to the loudest."""
    drift_period_samples: int | None = None
    echo_delay_samples: int | None = None
    echo_gain_db: float | None = None
    """Of the echo against the assistant's channel."""
    line: str = ""
    """Codec of the line, `band` for a telephone's band alone, empty for none."""
    compression: float | None = None
    """Of a codec that knows it: 0 best, 1 smallest."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """Two-channel audio of a timeline: int16 [2, n_samples], row 0 the user."""

    timeline: Timeline
    audio: NDArray[np.int16]
    mixing: Mixing
    events: tuple[Event, ...] = ()
    """Sounds in the user's channel that are nobody's turn, in order of time: `noise_burst`, `other_talker`, `laughter`,
    `cough`."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """An utterance as it ended up in the conversation, with all that training formats need."""

    role: Role
    voice: str
    text: str
    spoken: str
    said: str
    unsaid: str
    text_ids: NDArray[np.int32]
    """Ids of `said`."""
    start_samples: int
    end_samples: int
    n_cut_samples: int
    attempt: int
    words: tuple[Word, ...]
    kind: Kind = "turn"
    turn: int = 0
    """Index of the dialogue's turn of which it is a part, or during which it is heard."""
    offset_samples: int = 0
    """As scripted; see `Utterance`."""
    scores: Scores | None = None
    """Of its take, before anything was cut."""
    spoken_ids: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    """Ids of `spoken`; empty if nothing is unsaid: they are those of `text_ids` then."""
    rest_codes: NDArray[np.uint16] = field(default_factory=lambda: np.zeros(0, np.uint16))
    """Codes of the take from frame `rest_start_frames` on, clean, if it holds the floor and was cut; else empty."""
    rest_start_frames: int | None = None
    """Frame of the conversation in which the fade-out begins; the take's codes before it are those of the channel."""


@dataclass(frozen=True, slots=True)
class Streams:
    """A conversation as tokens: one row of the `conversations` table. Training formats are functions of it."""

    dialogue_id: str
    record: int
    source: str
    language: str
    split: str
    n_samples: int
    user_codes: NDArray[np.uint16]
    assistant_codes: NDArray[np.uint16]
    utterances: tuple[Spoken, ...]
    events: tuple[Event, ...]
    mixing: Mixing
    audio_flac: bytes | None = None
    """The audio as stereo FLAC, if the recipe keeps it."""
    scripted_by: ScriptedBy = "rules"
    judged: Judged | None = None
    """Scores of the dialogue."""
    written_by: tuple[Origin, ...] = ()
    group: str = ""
    """What its split is dealt by: its dialogue's id, or that of the cluster of near-duplicates it is in."""


@dataclass(frozen=True, slots=True)
class Row:
    """One training sequence."""

    task: str
    row_id: str
    dialogue_id: str
    language: str
    split: str
    input_ids: NDArray[np.int32]
    loss_mask: NDArray[np.bool_]
    start_frames: int
    """Frame of the conversation at which the row begins."""
    n_frames: int
    n_text_tokens: int
    n_late_text_tokens: int
    """Text tokens that stand in a chunk after the one in which their utterance's speech ended."""
    n_dropped_text_tokens: int
    """Text tokens that were still pending when the assistant was interrupted, or whose turn is too long for a row."""
    n_pad_tokens: int
    """Tokens added to fill the last chunk or to let late text finish."""
    user_turn_ends: NDArray[np.int32]
    """Positions in `input_ids` of the first assistant speech token at or after each end of a user's turn that the
    assistant answers, and has not begun to answer before."""
    barge_ins: NDArray[np.int32]
    """Positions in `input_ids` of the first assistant speech token at or after each start of a user's barge-in that
    cut the assistant short."""
    event_kinds: tuple[str, ...]
    """Kind of each event that begins in the row, in order of time; see EVENTS."""
    event_roles: tuple[str, ...]
    """Who did it."""
    event_starts: NDArray[np.int32]
    """Positions in `input_ids` of the first assistant speech token at or after each event's start."""
    event_ends: NDArray[np.int32]
    """Same for its end; the length of the row if it ends later."""


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that did not become data, and why."""

    record: int
    dialogue_id: str
    source: str
    stage: str
    reason: str
    """A short stable name to count by, such as `too_many_words`."""
    detail: str
    """For a person: what was found where."""
    traceback: str = field(default="", compare=False)
    """Of an unforeseen exception only; not part of the content digest."""


Item = Dialogue | Script | Takes | Timeline | Conversation
"""What a stage before `encode` receives."""


def dialogue_of(item: Item) -> Dialogue:
    """The dialogue an item was made from.

    >>> dialogue_of(Script(Dialogue("d1", ()), "train", ())).id
    'd1'
    """
    match item:
        case Dialogue():
            return item
        case Conversation():
            return dialogue_of(item.timeline)
        case Timeline():
            return item.takes.script.dialogue
        case Takes():
            return item.script.dialogue
        case Script():
            return item.dialogue


def reject(item: Item, stage: str, reason: str, detail: str, traceback: str = "") -> Reject:
    """The reject of an item at a stage.

    >>> reject(Dialogue("d1", (), record=3), "select", "code", "turn 2 holds a code block").record
    3
    """
    dialogue = dialogue_of(item)
    return Reject(dialogue.record, dialogue.id, dialogue.source, stage, reason, detail, traceback)


# -- what a plan and a manifest say of a build -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InputFile:
    """An input as it was when a build was planned."""

    name: str
    sha256: str
    """Of the file's bytes; empty for a hub data set."""
    n_bytes: int
    revision: str = ""
    """The commit of a hub data set; `hf:name@commit` reads just this."""


BitExact = Literal["machine", "all", "no"]
""""machine": the same bytes on one kind of processor; "all": on every one; "no": never promised."""

WordTimes = Literal["model", "estimated"]
"""Source of word times: the model's own durations, or letters spread over the audio (`word_times.spread`)."""


@dataclass(frozen=True)
class EngineInfo:
    """An engine as a manifest describes it.

    Raises:
        EngineError: If `bit_exact` is an unknown word.
    """

    name: str
    version: str
    licence: str
    bit_exact: BitExact
    word_times: WordTimes | None = field(default=None, repr=False)
    """Of a TTS, in plans and manifests; engines leave it out. Not in the repr, which is part of the keys of takes."""

    def __post_init__(self) -> None:
        """Refuse an unknown promise: the worth of a digest rests on it."""
        if self.bit_exact not in get_args(BitExact):
            known = ", ".join(get_args(BitExact))
            raise EngineError(f"engine {self.name}: bit_exact is {self.bit_exact!r}; it must be one of {known}")


@dataclass(frozen=True)
class Voice:
    """A voice, its provenance and who may have it."""

    name: str
    speaker: str
    """Voices of one speaker go to one split."""
    languages: tuple[str, ...]
    """ISO 639-1 codes of the languages that it speaks well enough to be used."""
    licence: str
    sex: Literal["female", "male", ""] = ""
    source: str = ""
    """The engine's own voice, or the reference recording, that it was made from."""
    source_sha256: str = ""
    """Of the reference recording's bytes, hexadecimal."""
    note: str = ""
    """A remark for users, such as an accent."""
