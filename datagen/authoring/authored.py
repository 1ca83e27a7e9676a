"""The brief of a dialogue, and the dialogue that a language model authors."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from datagen.records import Dialogue, Judged, Mark, Origin, Reject, Role, Turn
from datagen.text.language import detect_language
from datagen.text.phrases import units

OTHER: dict[Role, Role] = {"user": "assistant", "assistant": "user"}
_MOST_DETAIL = 4000


@dataclass(frozen=True, slots=True)
class Brief:
    """Topic, persona and style of a dialogue to author. None of its texts is trusted."""

    id: str
    topic: str
    language: str
    persona: str = ""
    style: str = ""
    sample: int = 0
    """Which of several dialogues on the same brief, from 0."""
    source: str = ""
    record: int = 0
    """Place among all briefs of the input, from 0."""
    situation: str = ""
    """Event before the call, or its place."""


@dataclass(frozen=True, slots=True)
class Written:
    """A dialogue during and after the tasks."""

    id: str
    language: str
    turns: tuple[Turn, ...]
    marks: tuple[Mark, ...] = ()
    scores: dict[str, int] = field(default_factory=dict)
    """By the judge, 1 to 10: spokenness, coherence, safety."""
    reasons: dict[str, str] = field(default_factory=dict)
    """The judge's, by score."""
    scores_again: dict[str, int] = field(default_factory=dict)
    """By a second wording of the judge's prompt, of a share of the dialogues; empty: not judged again."""
    written_by: tuple[Origin, ...] = ()
    brief: Brief | None = None
    source: str = ""
    record: int = 0
    sample: int = 0
    system: str = ""
    """The system prompt of an existing dialogue; no task reads or changes it."""
    added: tuple[int, ...] = ()
    """Turns that interruptions brought with them; not stored."""

    def to_json(self) -> dict[str, Any]:
        """The record that a build reads, in our own shape.

        >>> Written("d", "en", (Turn("user", "Hi."),), (Mark("hesitation", 0, 0, "user", "um"),)).to_json()["marks"]
        [{'kind': 'hesitation', 'turn': 0, 'word': 0, 'role': 'user', 'text': 'um', 'why': ''}]
        """
        record: dict[str, Any] = {"id": self.id, "language": self.language}
        if self.brief:
            record |= {name: getattr(self.brief, name) for name in ("topic", "persona", "style")}
            if self.brief.situation:
                record["situation"] = self.brief.situation
        if self.system:
            record["system"] = self.system
        record["turns"] = [{"role": turn.role, "text": turn.text} for turn in self.turns]
        if styles := [{"turn": k, **asdict(turn.style)} for k, turn in enumerate(self.turns) if turn.style]:
            record["styles"] = styles
        record["marks"] = [asdict(mark) for mark in self.marks]
        record["scores"], record["reasons"] = dict(self.scores), dict(self.reasons)
        if self.scores_again:
            record["scores_again"] = dict(self.scores_again)
        record["written_by"] = [asdict(origin) for origin in self.written_by]
        return record

    def split(self, turn: int) -> tuple[str, str]:
        """The part of a turn that is said, and the part that an interruption cuts off.

        >>> turns = (Turn("user", "Go on."), Turn("assistant", "First, boil the water."), Turn("user", "Done."))
        >>> talk = Written("d", "en", turns, (Mark("barge_in", 1, 2, "user"),))
        >>> talk.split(1), talk.split(2)
        (('First, boil', 'the water.'), ('Done.', ''))
        """
        text = self.turns[turn].text
        for mark in self.marks:
            if mark.kind == "barge_in" and mark.turn == turn:
                end = units(text)[mark.word - 1].end
                return text[:end], text[end:].strip()
        return text, ""

    def by(self, origin: Origin) -> "Written":
        """The same with one more origin."""
        return replace(self, written_by=(*self.written_by, origin))


Item = Dialogue | Brief


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A record that is not decided, because the server gave no answer to one of its questions."""

    record: int
    dialogue_id: str
    source: str
    reason: str
    detail: str


def begun(item: Item) -> Written:
    """A record before its first task: a brief has no turns yet; a missing language is detected.

    >>> begun(Brief("b-0", "tea", "en", sample=2)).turns
    ()
    """
    if isinstance(item, Brief):
        return Written(
            item.id, item.language, (), brief=item, source=item.source, record=item.record, sample=item.sample
        )
    language = item.language or detect_language("\n".join(turn.text for turn in item.turns))
    scores = {name: score for name, score in asdict(item.judged or Judged()).items() if score is not None}
    return Written(
        item.id, language, item.turns, item.marks, scores, written_by=item.written_by,
        source=item.source, record=item.record, system=item.system,
    )  # fmt: skip


def rejected(item: Item, reason: str, detail: str, answer: str = "") -> Reject:
    """The reject of a record, with the last answer as far as it fits.

    >>> rejected(Brief("b-0", "tea", "en"), "broken_json", "no object", "Sure! Here").detail
    'no object; last answer: Sure! Here'
    """
    if answer:
        detail = f"{detail}; last answer: {answer}"
    cut = detail if len(detail) <= _MOST_DETAIL else detail[: _MOST_DETAIL - 1] + "…"
    return Reject(item.record, item.id, item.source, "write", reason, cut)
