"""The records that stages exchange, in flow order.

    Dialogue → Script → Takes → Timeline → Conversation → Streams → Row,  or Reject at any step

All records are frozen. Times are integer samples at the conversation's sample rate unless a name
states another unit. Arrow schemas, JSON schemas and decoding are derived from the stored records
(`datagen.shards.schema`): fields are columns in the same order, `X | None` is nullable, and `unit`
states the unit. Fields that a reader may omit, or that an older version lacks, have defaults.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NamedTuple, get_args

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from datagen.errors import EngineError

SPLITS = ("train", "validation", "test")
Role = Literal["user", "assistant"]
CHANNEL: dict[Role, int] = {"user": 0, "assistant": 1}
"""Audio row of each role in a conversation."""

Kind = Literal["turn", "filler", "insert", "resumption", "backchannel", "attempt", "aside"]
KINDS: dict[Kind, str] = {
    "turn": "holds the floor: a turn of the dialogue, or a piece of one",
    "filler": "a sound within the speaker's own turn, such as `um`; holds the floor and says nothing",
    "insert": "holds the floor with words that the dialogue does not have: a generic interruption, the word that ends "
    "a wait, a question to a silent user",
    "resumption": "the assistant continues its turn after an insert, in words of that turn",
    "backchannel": "a short listener token, such as `mm-hm`; claims no floor, and nobody yields to it",
    "attempt": "a start that is given up, in a build within about a syllable; claims no floor",
    "aside": "a word to somebody else in the room; claims no floor",
}
"""Kinds of utterances. Several utterances of one speaker may follow each other."""
FLOOR: frozenset[Kind] = frozenset(("turn", "filler", "insert", "resumption"))
"""Kinds of utterances that hold the floor."""
WRITTEN: frozenset[Kind] = frozenset(("turn", "filler"))
"""Kinds of utterances that make up the turns of the dialogue; half-duplex formats contain no others."""

EVENTS = {
    "gap": "the floor changes after a silence: from the end of the other's turn to the start of the speaker's own",
    "overlapping_end": "the floor changes while the other finishes its last words: from the start to the other's end",
    "barge_in": "the speaker starts inside the other's turn and takes the floor; the other stops with words unsaid: "
    "from the start to the other's stop",
    "competition": "a barge-in to which the other does not yield at once; same times as its `barge_in`",
    "next_turn": "a barge-in with the next turn of the dialogue; same times as its `barge_in`",
    "repeat_request": "a barge-in that asks to repeat the last words; same times as its `barge_in`",
    "wait_request": "a barge-in that asks to wait; same times as its `barge_in`",
    "stop_request": "a barge-in that asks to stop; same times as its `barge_in`",
    "got_it": "a barge-in that signals understanding, so that the other moves on; same times as its `barge_in`",
    "waiting": "the assistant was asked to wait: from its stop to the word that ends the wait",
    "correction": "the speaker replaces a value just said, as in `at three, no, at four`: from the first to the second",
    "false_start": "the speaker starts and breaks off within about a syllable; the other continues",
    "failed_barge_in": "the speaker starts inside the other's turn, says more than a syllable and stops first; the "
    "other continues. Only in recordings",
    "aside": "a word to somebody else in the room; the other continues",
    "backchannel": "a listener token; the other continues",
    "hesitation": "a pause inside the speaker's own turn, fillers included: from the last word before to the first "
    "after it",
    "user_silent": "the user says nothing for long where a turn is due: from the assistant's end to the next speech",
    "prompt": "the assistant asks whether the silent user is still there",
    "tool_call": "the assistant calls a tool, which nobody hears: from the end of its words before the call to the "
    "result, or to the user's word that cancels it",
    "call_cancelled": "the user cancels a call of a tool during the wait: from the user's start to its end",
    "call_held": "the user asks to wait during the wait for a tool: from the user's start to its end",
    "laughter": "the user laughs; no words",
    "cough": "the user coughs or clears the throat",
    "noise_burst": "a sudden noise in the user's channel",
    "other_talker": "somebody else's voice in the user's channel",
}
"""Kinds of events and the meaning of their times.

The role of an event is the speaker who causes it: who starts, pauses or is silent.
"""

MarkKind = Literal["barge_in", "hesitation", "backchannel"]
MARK_KINDS: tuple[MarkKind, ...] = get_args(MarkKind)
ScriptedBy = Literal["rules", "marks", "recorded"]

FAMILIES = ("next_turn", "repeat_request", "wait_request", "stop_request", "got_it")
"""Families of a user's barge-in; each is an event in addition to its `barge_in`."""

HARD_NEGATIVES = frozenset(
    (
        ("backchannel", "user"),
        ("false_start", "user"),
        ("aside", "user"),
        ("laughter", "user"),
        ("cough", "user"),
        ("hesitation", "user"),
        ("waiting", "user"),
        ("user_silent", "user"),
        ("noise_burst", "user"),
        ("other_talker", "user"),
    )
)
"""Events, by kind and role, to which the assistant must not react.

A speaking assistant continues, and a silent one stays silent.
"""

TRANSFERS = frozenset(("gap", "overlapping_end", "overlap"))
"""Kinds of events that only record the timing of a change of the floor.

`overlap` is an `overlapping_end` of data version 3.
"""


def unit(text: str, bits: int = 32, **limits: Any) -> Meta:
    """The unit or meaning of a stored value, for schemas and their readers.

    Args:
        text: The unit, as in the metadata of the column.
        bits: Width of an integer column.
        limits: Limits of valid values, such as `ge=0`.
    """
    return Meta(description=text, extra={"unit": text, "bits": bits}, **limits)


Samples = Annotated[int, unit("samples", 64)]
Tokens = Annotated[int, unit("tokens")]
Decibels = Annotated[float, unit("dB")]
AgainstSpeech = Annotated[float, unit("dB against the user's speech")]
TokenIds = Annotated[NDArray[np.int32], unit("token ids")]
Codes = Annotated[NDArray[np.uint16], unit("speech codes, frame by frame; of each frame the first codebook first")]
Positions = Annotated[NDArray[np.int32], unit("positions in input_ids")]
RecordNumber = Annotated[int, unit("place among all records of the input", 64)]
Attempt = Annotated[int, unit("0 = first")]
Language = Annotated[str, unit("ISO 639-1")]
GroupId = Annotated[str, unit("id of a dialogue; near-duplicates have the same and share a split")]
OfReject = Annotated[str, unit("set if the record is a reject")]
Score = Annotated[int, unit("1 to 10", ge=1, le=10)]


@dataclass(frozen=True, slots=True)
class Mark:
    """An event marked at a place in a turn."""

    kind: MarkKind
    turn: Annotated[int, unit("index of the turn", ge=0)]
    word: Annotated[int, unit("units of the turn before it: words, Chinese characters", ge=0)]
    """Counted in the turn's spoken text by `text.phrases.units`; 0 only for a hesitation."""
    role: Annotated[Role, Meta(description="Who interrupts, hesitates or listens")]
    text: Annotated[str, Meta(description="A hesitation's filler, if any, or a listener's words", max_length=200)] = ""
    """Empty for a barge-in: the next turn has its words, and the other continues in the turn after."""
    why: Annotated[str, Meta(description="The writer's reason", max_length=1000)] = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """A judge's scores of a dialogue as training data, 1 (worst) to 10 (best); None: no score."""

    spokenness: Score | None = None
    coherence: Score | None = None
    safety: Score | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """The task, prompt, model and answer that a part of a dialogue comes from."""

    task: str
    prompt: str
    version: Annotated[int, unit("of the prompt", ge=0)]
    prompt_sha256: str
    model: str
    answer_sha256: str
    attempt: Annotated[int, unit("0 = first", ge=0)] = 0


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool inside an assistant's turn. It is text for a program; nobody says it."""

    before: Annotated[str, unit("words of the turn before the call; empty: none")]
    call: Annotated[str, unit("the call, a line of JSON per tool")]
    result: Annotated[str, unit("the tool's answer")]


CALL_MARKS = "<tool_call>", "</tool_call>"
"""Text around a call in the assistant's text, as in the chat template of Qwen2.5; plain text, no special ids."""


def marked_call(call: str) -> str:
    r"""A call between its marks; an end mark inside it is escaped as in JSON.

    >>> print(marked_call('{"name": "</tool_call>"}'))
    <tool_call>{"name": "\u003c/tool_call>"}</tool_call>
    """
    begin, end = CALL_MARKS
    return begin + call.replace(end, "\\u003c" + end[1:]) + end


Pace = Literal["", "slow", "fast"]
Emotion = Literal["", "happy", "sad", "angry", "surprised", "afraid", "disgusted", "calm"]
EMOTIONS: tuple[Emotion, ...] = get_args(Emotion)[1:]
PACES: tuple[Pace, ...] = get_args(Pace)[1:]
StylePart = Literal["emotion", "pace", "whisper", "laughter"]
STYLE_PARTS: tuple[StylePart, ...] = get_args(StylePart)


@dataclass(frozen=True, slots=True)
class Style:
    """The manner in which words are said. Values are from closed sets, so that none is an instruction to an engine.

    >>> Style(emotion="happy", whisper=True).parts
    ('emotion', 'whisper')
    """

    emotion: Annotated[Emotion, unit("one of EMOTIONS; empty: as usual")] = ""
    pace: Annotated[Pace, unit("slow or fast; empty: as usual")] = ""
    whisper: Annotated[bool, unit("true: it is whispered")] = False
    laughter: Annotated[bool, unit("true: it is said laughing")] = False

    @property
    def parts(self) -> tuple[StylePart, ...]:
        """The parts that differ from the usual manner."""
        return tuple(part for part in STYLE_PARTS if getattr(self, part))

    @property
    def words(self) -> str:
        """The style for people.

        >>> Style("happy", "fast", whisper=True).words
        'happy, fast, whispered'
        """
        named = self.emotion, self.pace, "whispered" if self.whisper else "", "laughing" if self.laughter else ""
        return ", ".join(filter(None, named))

    def only(self, parts: Collection[str]) -> "Style | None":
        """The style with these parts alone; None if nothing is left of it.

        >>> Style("happy", "slow").only(("pace",)), Style("sad").only(())
        (Style(emotion='', pace='slow', whisper=False, laughter=False), None)
        """
        left = {part: getattr(self, part) for part in self.parts if part in parts}
        return Style(**left) if left else None


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn as written."""

    role: Role
    text: str
    """Its words; of a turn with calls, those after the last call."""
    calls: tuple[ToolCall, ...] = field(default=(), repr=False)
    """Calls of tools before `text`, in order; only the assistant has any."""
    style: Style | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Word:
    """A spoken word and its time within the audio it belongs to."""

    text: str
    start_samples: Samples
    end_samples: Samples


@dataclass(frozen=True, slots=True)
class RecordedChannel:
    """The channel of one speaker in a recording."""

    speaker: str
    """Name within the corpus; no speaker is in two splits."""
    file: Annotated[str, unit("path below input.recordings.path")]
    channel: Annotated[int, unit("channel of the file, from 0", ge=0)]
    sample_rate_hz: Annotated[int, unit("Hz, of the file", ge=1)]
    sha256: Annotated[str, unit("of the file's bytes, hexadecimal")] = ""


WordSource = Literal["transcript", "aligned", "estimated"]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A stretch of a recording, and measurements of it."""

    recording: str
    corpus: str
    licence: str
    user: RecordedChannel
    assistant: RecordedChannel
    """Without a file, if the user alone was recorded."""
    start_samples: Annotated[int, unit("samples of the conversation's rate, from the start of the recording", 64)]
    n_samples: Annotated[int, unit("samples of each channel, before they are cut to whole frames", 64)]
    overlap_share: Annotated[float, unit("of speech time")] | None = None
    """Time in which both speak, as a share of the time in which anybody does."""
    user_cross_talk_db: Annotated[float, unit("dB against its source")] | None = None
    """Level at which the assistant's voice is in the user's channel; None: too little speech to tell."""
    assistant_cross_talk_db: Annotated[float, unit("dB against its source")] | None = None
    words_by: Annotated[WordSource, unit("transcript, aligned or estimated")] = "transcript"
    """Source of the word times."""

    @property
    def has_assistant(self) -> bool:
        """False if the user alone was recorded, as in LibriSpeech."""
        return bool(self.assistant.file)


@dataclass(frozen=True, slots=True)
class Transcribed:
    """A stretch of one speaker's speech in a transcript, in the time of the conversation."""

    role: Role
    start_samples: Samples
    end_samples: Samples
    text: str = ""
    """Empty if the transcript holds times only."""
    words: tuple[Word, ...] = ()
    """Empty if the transcript has no times of words."""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A conversation as text. Turns alternate, the user's is first, and none is empty.

    A recording has no turns yet: its transcript becomes utterances when its sound is read.
    """

    id: str
    turns: tuple[Turn, ...]
    source: str = ""
    """Name of its file or data set."""
    language: str = ""
    """ISO 639-1 code; empty until known."""
    record: int = 0
    """Place among all records of the input, from 0."""
    marks: tuple[Mark, ...] = ()
    """Barge-ins, hesitations and backchannels that came with the dialogue, if any."""
    judged: Judged | None = None
    written_by: tuple[Origin, ...] = ()
    """Origins in order of authoring; empty if no language model was involved."""
    group: str = ""
    """Id of the dialogue that names its cluster of near-duplicates; empty: its own id.

    The dialogues of a cluster share a split.
    """
    split: str = ""
    """Split that the plan chose for its group, because too few were dealt to it; empty: dealt by hash."""
    system: str = ""
    """Instruction of the system or developer; nobody says it."""
    cut: str = ""
    """Reason for which the record continues after the last turn, such as `tool_call`; empty: it does not."""
    notices: tuple[str, ...] = ()
    """Faults of the record that cost no turn, each `reason: detail`, such as an unusable id."""
    recorded: Recorded | None = None
    """Set if it is a recording."""
    transcript: tuple[Transcribed, ...] = ()
    """Transcript of a recording; empty if there is none."""

    @property
    def has_marks(self) -> bool:
        """True if its events were marked, even if there are none."""
        return bool(self.marks) or any(origin.task == "script" for origin in self.written_by)


@dataclass(frozen=True, slots=True)
class BargeIn:
    """A barge-in: it starts inside the other's preceding utterance, which is left unfinished."""

    at_characters: int
    """Place in the interrupted utterance's spoken text; the barge-in starts there or later."""
    reaction_samples: int
    """Time for which the other continues; shortened if it would otherwise finish."""
    delay_samples: int = 0
    """Time from that place to the start; shortened if the other would otherwise finish."""
    finish_word: bool = False
    """True if the other finishes its current word."""
    competition: bool = False
    """True if the other yields late; the reaction then includes that time."""
    family: str = ""
    """Its family, one of FAMILIES; empty for barge-ins of the assistant."""


@dataclass(frozen=True, slots=True)
class Within:
    """Place of an utterance inside the other's preceding utterance, to which nobody yields."""

    at_characters: int
    """Place in the other's spoken text, in characters from its beginning."""
    delay_samples: int
    """Start relative to the time at which that place is spoken; may be negative."""
    give_up_samples: int | None = None
    """Time after which it breaks off; None if it is said to its end."""


@dataclass(frozen=True, slots=True)
class PartOf:
    """The longer take that contains an utterance: a turn with hesitations is synthesized as one take."""

    text: str
    """Text of the TTS call: all pieces of the turn in order, including repeated words."""
    first: int
    """Start of the piece in `text`, in characters; 0 for the first piece."""
    last: int
    """End of the piece, which is `text[first:last]`."""


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A call of a tool after an utterance of the assistant."""

    call: str
    result: str
    wait_samples: int
    """The tool's own time, from the written call to the result."""
    call_samples: int = 0
    """Time in which the text stream writes the call; it begins no earlier than the end of that utterance."""
    text_samples: int = 0
    """Time in which it writes the words of that utterance and the call; it begins with the utterance."""
    cancelled: bool = False
    """True if the user cancels it: there is neither a result nor an answer."""

    def result_at(self, start_samples: int, end_samples: int) -> int:
        """Time of the result of a call after an utterance with these times, in samples.

        >>> PlannedCall("c", "r", 100, call_samples=20, text_samples=50).result_at(0, 40)
        160
        """
        return max(start_samples + self.text_samples, end_samples + self.call_samples) + self.wait_samples


@dataclass(frozen=True, slots=True)
class Utterance:
    """Words of one voice without a scripted pause, and their scripted timing."""

    role: Role
    text: str
    """Text in the dialogue; empty for words that are not in it, and after the first piece of a turn."""
    spoken: str
    """Normalized (verbalized) text."""
    voice: str
    offset_samples: int
    """Scripted start minus the end of the preceding utterance on the floor.

    This is the floor-transfer offset, or a pause within a turn. Also used if there is no room for a
    barge-in; unused with `within`.
    """
    barge_in: BargeIn | None = None
    kind: Kind = "turn"
    turn: int = 0
    """Index of the turn of the dialogue that it belongs to or overlaps."""
    within: Within | None = None
    """Place of a backchannel, attempt or aside; None if the utterance holds the floor."""
    event: str = ""
    """Event of the utterance or of the time before it, if the kinds do not determine it."""
    correction: tuple[int, int] | None = None
    """Place of a correction in `spoken`: from the wrong value's start to the right one's end."""
    part_of: PartOf | None = None
    """The take from which it is cut; None if it has its own."""
    style: Style | None = None
    """Its manner; an engine follows the parts that it declares."""
    call: PlannedCall | None = None
    """The call of a tool after it. The next utterance of the assistant does not begin before its result."""


@dataclass(frozen=True, slots=True)
class SpeechLine:
    """A voice, its words, and the occasion. Every occasion has its own take, so no take occurs twice."""

    voice: str
    text: str
    occasion: tuple[str | int, ...] = ()
    """Permanent key of the occasion: the dialogue's id, the purpose, and the place in the dialogue."""
    is_token: bool = False
    """True for a short token, whose takes vary more between occasions."""
    style: Style | None = None
    """The parts of its style that the engine follows."""


@dataclass(frozen=True, slots=True)
class Script:
    """A dialogue with normalized text, voices and all scripted events."""

    dialogue: Dialogue
    split: str
    utterances: tuple[Utterance, ...]
    scripted_by: ScriptedBy = "rules"
    babble: tuple[SpeechLine, ...] = ()
    """One line per talker of the babble; empty without babble."""
    other_talkers: tuple[SpeechLine, ...] = ()
    """Sentences of other talkers; in a long conversation they repeat in order."""
    voice_prompt: SpeechLine | None = None
    """Sentence of the assistant's voice outside the conversation, if the recipe has such prompts."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Measurements of a take; see `datagen.pipeline.verify`."""

    ms_per_syllable: Annotated[float, unit("ms of speech, pauses left out")]
    longest_pause_ms: Annotated[float, unit("ms")]
    tail_ms: Annotated[float, unit("ms after the last loud sound")]
    clipped_share: Annotated[float, unit("of samples")]
    floor_db: Annotated[float, unit("dB, quietest windows against loud ones")]
    error_rate: Annotated[float, unit("errors a word; Chinese: a character")] | None = None
    """None without a recognizer."""
    letter_error_rate: Annotated[float, unit("errors a letter")] | None = None
    n_repeated: Annotated[int, unit("words")] | None = None
    heard: str | None = None
    mos: Annotated[float, unit("1 to 5")] | None = None
    faults: tuple[str, ...] = ()
    """The fault of each failing take before this one, one word each."""


class TakeFault(NamedTuple):
    """The fault of a take."""

    kind: str
    """A short stable name to count by."""
    detail: str


@dataclass(frozen=True, slots=True)
class LineTake:
    """One line, synthesized and checked, with silence at both ends trimmed."""

    audio: NDArray[np.float32]
    words: tuple[Word, ...]
    attempt: int
    """Number of failed attempts before it."""
    trimmed_samples: int
    """Silence removed at both ends in total; counted with the first piece if the take is cut."""
    scores: Scores | None = None


@dataclass(frozen=True, slots=True)
class Take(LineTake):
    """The audio of one utterance: the take of its line, or a piece of it, cut between two words."""

    utterance: Utterance = field(kw_only=True)

    @classmethod
    def of(cls, utterance: Utterance, take: LineTake) -> "Take":
        """The take of an utterance from that of its line."""
        return cls(take.audio, take.words, take.attempt, take.trimmed_samples, take.scores, utterance=utterance)


@dataclass(frozen=True, slots=True)
class Clip:
    """The synthesized line of a talker in the background."""

    line: SpeechLine
    audio: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Takes:
    """A script, one take per utterance, and the speech of talkers in the background."""

    script: Script
    takes: tuple[Take, ...]
    babble: tuple[Clip, ...] = ()
    """In the order of the script, each talker at a different pace."""
    other_talkers: tuple[Clip, ...] = ()
    """In the order of the script; the mix changes them."""
    voice_prompt: Clip | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """A take in time. Audio, words and text all end at `end_samples`; `unsaid` is the text after it."""

    take: Take
    start_samples: int
    end_samples: int
    words: tuple[Word, ...]
    """Audible words, in conversation time."""
    said: str
    unsaid: str
    n_cut_samples: int
    """Inaudible samples of the take."""

    @property
    def utterance(self) -> Utterance:
        """The utterance of the take."""
        return self.take.utterance

    @property
    def is_heard(self) -> bool:
        """True if any part of the take is audible."""
        return self.end_samples > self.start_samples


@dataclass(frozen=True, slots=True)
class Event:
    """An event that happened or was scripted, and the role that caused it."""

    kind: str
    """One of EVENTS; older versions have others."""
    role: Role
    start_samples: Samples
    end_samples: Samples
    utterance: Annotated[int, unit("index in utterances, -1 if none")] = -1
    """The utterance that caused or ended it."""
    placed: Annotated[bool, unit("false: it was scripted and did not fit")] = True
    """False if there was no room, so that the event did not happen, or not quite as drawn."""
    derived: Annotated[bool, unit("true: inferred from the times of a recording")] = False
    """True if nobody scripted it: it follows from when the speakers of a recording speak."""


@dataclass(frozen=True, slots=True)
class PlacedCall:
    """A call of a tool in time."""

    utterance: Annotated[int, unit("index of the utterance after which it is made")]
    call: str
    result: str
    start_samples: Samples
    end_samples: Samples
    """Time of the result, or of the user's word that cancels the call."""
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Timeline:
    """All takes of a conversation placed in time."""

    takes: Takes
    placed: tuple[Placed, ...]
    events: tuple[Event, ...]
    n_samples: int
    channels: NDArray[np.float32] | None = None
    """Both channels of a recording, float32 [2, n_samples]; None: digital silence around the takes."""
    calls: tuple[PlacedCall, ...] = ()
    """Calls of tools, in order."""


@dataclass(frozen=True, slots=True)
class Mixing:
    """Sounds and effects in the user's channel, and levels. None or empty: absent."""

    noise: str = ""
    """Kind of noise."""
    snr_db: Decibels | None = None
    user_gain_db: Decibels = 0.0
    assistant_gain_db: Decibels = 0.0
    babble: Annotated[tuple[str, ...], unit("voices")] = ()
    babble_snr_db: Decibels | None = None
    other_talkers: Annotated[tuple[str, ...], unit("voices, one an event other_talker")] = ()
    other_talkers_db: AgainstSpeech | None = None
    bursts: Annotated[tuple[str, ...], unit("kinds, one an event noise_burst")] = ()
    bursts_db: AgainstSpeech | None = None
    vocal_sounds: Annotated[tuple[str, ...], unit("laughter and coughs of the user, one per event")] = ()
    """In chronological order, one per event `laughter` or `cough`."""
    vocal_sounds_db: AgainstSpeech | None = None
    aside_db: Annotated[float, unit("dB against the user's speech, of words to somebody else")] | None = None
    aside_cutoff_hz: Annotated[float, unit("above it such words fall by 6 dB per octave")] | None = None
    """Asides sound dull because the user turns away from the microphone."""
    room: Annotated[int, unit("number")] | None = None
    rt60_ms: Annotated[float, unit("ms")] | None = None
    """Requested reverberation time of the room."""
    distance_db: Decibels | None = None
    cutoff_hz: Annotated[float, unit("Hz")] | None = None
    """Low-pass cutoff that represents the talker's distance."""
    drift_db: Annotated[float, unit("dB, quietest to loudest")] | None = None
    drift_period_samples: Samples | None = None
    echo_delay_samples: Samples | None = None
    echo_gain_db: Annotated[float, unit("dB against the assistant's channel")] | None = None
    line: Annotated[str, unit("codec, empty for none")] = ""
    """Codec of the line; `band` is telephone bandwidth without a codec."""
    compression: Annotated[float, unit("0 best, 1 smallest")] | None = None
    """Compression of the codec, if it has such a setting."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """Two-channel audio of a timeline: int16 [2, n_samples], row 0 the user."""

    timeline: Timeline
    audio: NDArray[np.int16]
    mixing: Mixing
    events: tuple[Event, ...] = ()
    """Sounds in the user's channel outside any turn, in chronological order: `noise_burst`,
    `other_talker`, `laughter`, `cough`."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """An utterance in the conversation, with all values that training formats need."""

    role: Role
    voice: str = ""
    text: str = ""
    spoken: str = ""
    said: str = ""
    unsaid: str = ""
    text_ids: TokenIds = field(default_factory=lambda: np.zeros(0, np.int32))
    """Ids of `said`."""
    start_samples: Samples = 0
    end_samples: Samples = 0
    n_cut_samples: Samples = 0
    attempt: Attempt = 0
    words: tuple[Word, ...] = ()
    kind: str = "turn"
    """One of KINDS; older versions may have others."""
    turn: Annotated[int, unit("index of the dialogue's turn")] = 0
    """The turn that it belongs to or overlaps."""
    offset_samples: Samples = 0
    """Scripted offset; see `Utterance`."""
    scores: Scores | None = None
    """Scores of its whole take."""
    spoken_ids: Annotated[NDArray[np.int32], unit("token ids; empty: those of text_ids")] = field(
        default_factory=lambda: np.zeros(0, np.int32)
    )
    """Ids of `spoken` if a part of it is unsaid."""
    rest_codes: Annotated[NDArray[np.uint16], unit("speech codes of what was cut; empty: nothing")] = field(
        default_factory=lambda: np.zeros(0, np.uint16)
    )
    """Clean codes of the take from frame `rest_start_frames`, if it holds the floor and was cut."""
    rest_start_frames: Annotated[int, unit("frames of the conversation")] | None = None
    """Frame in which the fade-out begins; before it, the channel contains the take's codes."""
    id_starts_samples: Annotated[NDArray[np.int32], unit("samples after start_samples; one per id")] = field(
        default_factory=lambda: np.zeros(0, np.int32)
    )
    """Start of the word of each id of `spoken_ids`, or of `text_ids` if those are empty.

    Up to the last word that begins before `end_samples`, even if it counts as unsaid.
    """
    style: Style | None = None
    """Its scripted manner; `styles` of the voice engine says which parts are followed."""


@dataclass(frozen=True, slots=True)
class VoicePrompt:
    """A sentence of the assistant's voice that nobody hears in the conversation, for the head of rows."""

    voice: str
    text: str
    codes: Codes
    """Clean codes at the assistant's level; uint16 [n_frames]."""


@dataclass(frozen=True, slots=True)
class StoredCall:
    """A call of a tool, which nobody hears."""

    utterance: Annotated[int, unit("index in utterances; it is made after this one")]
    call: Annotated[str, unit("the call, a line of JSON per tool")] = ""
    result: Annotated[str, unit("the tool's answer; empty if it was cancelled")] = ""
    call_ids: Annotated[NDArray[np.int32], unit("token ids of the call between its marks")] = field(
        default_factory=lambda: np.zeros(0, np.int32)
    )
    result_ids: Annotated[NDArray[np.int32], unit("token ids of the result")] = field(
        default_factory=lambda: np.zeros(0, np.int32)
    )
    start_samples: Samples = 0
    end_samples: Samples = 0
    """Time of the result, or of the user's word that cancels the call."""
    cancelled: Annotated[bool, unit("true: the user cancelled it; no result, no answer")] = False


@dataclass(frozen=True, slots=True)
class Streams:
    """A conversation as tokens: one row of the `conversations` table.

    Training formats are computed from it alone.
    """

    dialogue_id: str
    record: RecordNumber = -1
    source: str = ""
    language: Language = ""
    split: str = ""
    n_samples: Annotated[int, unit("samples of each channel", 64)] = 0
    user_codes: Codes = field(default_factory=lambda: np.zeros(0, np.uint16))
    assistant_codes: Codes = field(default_factory=lambda: np.zeros(0, np.uint16))
    utterances: tuple[Spoken, ...] = ()
    events: tuple[Event, ...] = ()
    mixing: Mixing = Mixing()
    audio_flac: Annotated[bytes, unit("stereo FLAC file, left the user")] | None = None
    """Only if the recipe keeps it."""
    scripted_by: Annotated[ScriptedBy, unit("rules, marks or recorded")] = "rules"
    judged: Judged | None = None
    written_by: tuple[Origin, ...] = ()
    group: GroupId = ""
    system: Annotated[str, unit("instruction of the system, never spoken")] = ""
    cut: Annotated[str, unit("why the dialogue was cut before its end; empty: whole")] = ""
    """A reason such as `tool_call` or `turn_too_long`."""
    notices: Annotated[tuple[str, ...], unit("reason: detail of faults that cost no turn")] = ()
    """For example text that nobody says and that was dropped."""
    recorded: Recorded | None = None
    """Origin of a recorded conversation; None if it is synthetic."""
    system_ids: Annotated[NDArray[np.int32], unit("token ids of system")] = field(
        default_factory=lambda: np.zeros(0, np.int32)
    )
    voice_prompt: VoicePrompt | None = None
    """None if the recipe has no voice prompts."""
    tool_calls: tuple[StoredCall, ...] = ()
    """Calls of tools, in order."""


@dataclass(frozen=True, slots=True)
class Row:
    """One training sequence. The name of its file contains its task and split."""

    task: str
    row_id: str
    dialogue_id: str
    language: Language
    split: str
    input_ids: TokenIds
    loss_mask: Annotated[NDArray[np.bool_], unit("true: learn this token")]
    start_frames: Annotated[int, unit("frames of the conversation")]
    """Frame of the conversation at which the row begins."""
    n_frames: Annotated[int, unit("frames")]
    n_text_tokens: Tokens
    n_late_text_tokens: Tokens
    """Text tokens in chunks after the one in which their utterance's speech ended."""
    n_dropped_text_tokens: Tokens
    """Text tokens pending when the assistant was interrupted, or of a turn too long for a row."""
    n_pad_tokens: Tokens
    """Tokens that pad the last chunk or make room for late text."""
    user_turn_ends: Positions
    """First assistant speech token at or after each end of a user turn that the assistant answers.

    Only if the answer has not begun before.
    """
    barge_ins: Positions
    """First assistant speech token at or after each start of a user barge-in.

    Only for barge-ins that cut the assistant short.
    """
    event_kinds: tuple[str, ...]
    """Kind of each event that begins in the row, in chronological order; see EVENTS."""
    event_roles: tuple[str, ...]
    """Role of the event."""
    event_starts: Positions
    """First assistant speech token at or after each event's start."""
    event_ends: Positions
    """The same for its end; the length of the row if it ends later."""
    given_starts: Positions = field(default_factory=lambda: np.zeros(0, np.int32))
    """Starts of token blocks that the model is given and never learns: prompts at the head, results of tools."""
    given_lengths: Annotated[NDArray[np.int32], unit("tokens")] = field(default_factory=lambda: np.zeros(0, np.int32))
    """Their lengths. Without them the row is its chunks or turns alone."""

    @property
    def n_tokens(self) -> int:
        """Length of the row; of `parallel`, its columns."""
        return int(self.input_ids.shape[-1])


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that did not become data, and the reason."""

    record: RecordNumber
    dialogue_id: str
    source: str
    stage: str
    reason: str
    """A short stable name to count by, such as `too_many_words`."""
    detail: str
    """The fault and its place, for people."""
    traceback: str = field(default="", compare=False)
    """Traceback of an unexpected exception; not part of the content digest."""


@dataclass(frozen=True, slots=True)
class InputRecord:
    """A record of planned input: a dialogue or a reject. One row of the `input` table."""

    record: RecordNumber
    dialogue_id: str
    source: str
    language: Annotated[str, unit("ISO 639-1 if known")] = ""
    turns: tuple[Turn, ...] = ()
    stage: OfReject = ""
    reason: OfReject = ""
    detail: OfReject = ""
    marks: tuple[Mark, ...] = ()
    judged: Judged | None = None
    written_by: tuple[Origin, ...] = ()
    system: Annotated[str, unit("instruction of the system, never spoken")] = ""
    cut: Annotated[str, unit("why the record continues after the last turn, such as tool_call; empty: whole")] = ""
    notices: Annotated[tuple[str, ...], unit("reason: detail of faults that cost no turn")] = ()
    recorded: Recorded | None = None
    transcript: tuple[Transcribed, ...] = ()


@dataclass(frozen=True, slots=True)
class Grouped:
    """The group of a record of planned input that has near-duplicates."""

    record: RecordNumber
    group: GroupId


@dataclass(frozen=True, slots=True)
class StoredTake:
    """A kept take: one row of the `takes` table."""

    key: Annotated[str, unit("hash of engine, options, seed, voice, text")]
    text: Annotated[str, unit("as spoken")]
    voice: str
    seed: Annotated[int, unit("given to the engine", 64)]
    attempt: Attempt
    trimmed_samples: Samples
    n_samples: Samples
    exponent: Annotated[int, unit("audio = FLAC's 16-bit integers x 2 ** -exponent")]
    words: tuple[Word, ...]
    scores: Scores | None
    audio_flac: Annotated[bytes, unit("mono FLAC file")]


Item = Dialogue | Script | Takes | Timeline | Conversation
"""Input of a stage before `encode`."""


def dialogue_of(item: Item) -> Dialogue:
    """The dialogue from which an item was made.

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
    """An input at the time of planning."""

    name: str
    sha256: str
    """Hash of the file's bytes; empty for a hub data set."""
    n_bytes: int
    revision: str = ""
    """The commit of a hub data set; `hf:name@commit` reads exactly this one."""


BitExact = Literal["machine", "all", "no"]
""""machine": the same bytes on one kind of processor; "all": on every kind; "no": not promised."""

WordTimes = Literal["model", "estimated"]
"""Source of word times: the model's own durations, or letters spread over the audio (`word_times.spread`)."""


@dataclass(frozen=True)
class EngineInfo:
    """An engine as a manifest describes it.

    Raises:
        EngineError: If `bit_exact` is not one of the known values.
    """

    name: str
    version: str
    licence: str
    bit_exact: BitExact
    word_times: WordTimes | None = field(default=None, repr=False)
    """Word times of a TTS, in plans and manifests; engines omit it.

    Not in the repr, which is part of the keys of takes.
    """
    lineage: str | None = field(default=None, repr=False)
    """Models and data that its weights were made of; None if it has none, or they are unknown."""
    styles: tuple[StylePart, ...] | None = field(default=None, repr=False)
    """Parts of styles that a TTS follows, in plans and manifests; engines omit it."""

    def __post_init__(self) -> None:
        """Check `bit_exact`, on which the meaning of a digest depends."""
        if self.bit_exact not in get_args(BitExact):
            known = ", ".join(get_args(BitExact))
            raise EngineError(f"engine {self.name}: bit_exact is {self.bit_exact!r}; it must be one of {known}")


@dataclass(frozen=True)
class Voice:
    """A voice and its provenance."""

    name: str
    speaker: str
    """The person or model that it sounds like; shades of one synthetic speaker are voices of one speaker."""
    languages: tuple[str, ...]
    """ISO 639-1 codes of the languages that it speaks well enough."""
    licence: str
    sex: Literal["female", "male", ""] = ""
    source: str = ""
    """Its source: the engine's own voice, or a reference recording."""
    source_sha256: str = ""
    """Hash of the reference recording's bytes, hexadecimal."""
    note: str = ""
    """A remark for users, such as an accent."""
