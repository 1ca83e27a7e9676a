"""What comes with a dialogue whose script somebody wrote: where things happen, how it was judged, who wrote it."""

from dataclasses import dataclass
from typing import Literal

MarkKind = Literal["barge_in", "hesitation", "backchannel"]
MARK_KINDS: tuple[MarkKind, ...] = ("barge_in", "hesitation", "backchannel")
ScriptedBy = Literal["rules", "marks"]


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happens at a place in a turn."""

    kind: MarkKind
    turn: int
    """Index of the turn in which it happens."""
    word: int
    """How many units of the turn's spoken text (`text.phrases.units`: words, Chinese characters) come before it."""
    role: Literal["user", "assistant"]
    """Who does it: the interrupter, the one who hesitates, the listener."""
    text: str = ""
    """What is said: the filler of a hesitation (empty: a silent pause), a backchannel. Empty for a barge-in: the next
    turn is what is said, and the turn after that how the other goes on."""
    why: str = ""
    """The writer's reason."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A judge's scores of a dialogue as training data, 1 (worst) to 10 (best); None where not asked."""

    spokenness: int | None = None
    coherence: int | None = None
    safety: int | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Which task, prompt, model and answer a part of a dialogue comes from."""

    task: str
    prompt: str
    version: int
    """Of the prompt."""
    prompt_sha256: str
    model: str
    answer_sha256: str
    attempt: int = 0
    """0 if the first answer was good."""
