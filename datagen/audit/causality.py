"""Predictors of future information in tokens: interruptions, unheard words, unfinished questions."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from datagen.audit.audited import GENERIC, AuditedConversation, ends_sentence
from datagen.audit.finding import Example, Finding, first, judged, share, standard_error
from datagen.records import FLOOR, Event, Spoken
from datagen.shards.vocab import Vocabulary
from datagen.text.phrases import time_at
from datagen.text.references import content, words_of

_INTERRUPTION_MARGIN = 0.1
_FEWEST_INTERRUPTIONS = 8
_REFERENCE_LIMIT = 0.03
_FEWEST_CUTS = 5
_OF_TURNS = ("four_stream", "interleaved", "chat")
_EARLY_MS = 300
"""Longest time by which an answer may begin before the user's end (see timing.md); one frame is allowed on top."""


@dataclass(frozen=True, slots=True)
class _Turn:
    interrupted: bool
    last_id: int
    """Last text id if the stream has ended by then, else -1."""
    example: Example


@dataclass
class InterruptionFromText:
    """Predicts an interruption if the text so far has ended in mid-sentence.

    Reads the text slots from the turn's first chunk to the chunk before the barge-in; in a turn
    without one, to the chunk before its last. Turns that were not cut show which ids end a sentence.
    """

    _turns: list[_Turn] = field(default_factory=list)
    _finals: Counter[int] = field(default_factory=Counter)

    def add(self, talk: AuditedConversation) -> None:
        """Read the turns of the assistant."""
        if not talk.clocks.n_text or "three_stream" not in talk.rows:
            return
        barged = dict[int, int]()
        for event in talk.events:
            if (event.kind, event.role) == ("barge_in", "user") and (cut := talk.cut_by(event)):
                barged[cut[0]] = event.start_samples
        for index, u in enumerate(talk.streams.utterances):
            if u.role == "assistant" and u.kind in FLOOR and len(u.text_ids) and u.end_samples > u.start_samples:
                if not u.n_cut_samples and ends_sentence(u.said):
                    self._finals[int(u.text_ids[-1])] += 1
                self._look(talk, u, barged.get(index))

    def _look(self, talk: AuditedConversation, u: Spoken, barge_in: int | None) -> None:
        chunk = talk.clocks.hop_samples * talk.clocks.n_speech
        moment = u.end_samples - 1 if barge_in is None else barge_in
        chunks = range(u.start_samples // chunk, moment // chunk)
        seen = [talk.text_slots[k] for k in chunks if k in talk.text_slots]
        if not seen or (u.n_cut_samples and barge_in is None):
            return
        ids = np.concatenate(seen)
        texts = ids[ids >= 0]
        last = int(texts[-1]) if len(texts) and ids[-1] < 0 else -1
        where = f"{talk.ms(moment) / 1000:.1f} s: text ended with {u.said[-40:]!r}, then: {u.unsaid[:40]!r}"
        self._turns.append(_Turn(barge_in is not None, last, Example(talk.id, where)))

    def finding(self) -> Finding:
        """Precision of the prediction against the share of turns that are interrupted."""
        marked = [t for t in self._turns if t.last_id >= 0 and not self._finals[t.last_id]]
        hits = [t for t in marked if t.interrupted]
        n, n_interrupted = len(self._turns), sum(t.interrupted for t in self._turns)
        base = share(n_interrupted, n) or 0.0
        precision = share(len(hits), len(marked)) if marked else base
        recall, alarms = len(hits) / max(n_interrupted, 1), (len(marked) - len(hits)) / max(n - n_interrupted, 1)
        beyond = (precision or 0.0) > base + _INTERRUPTION_MARGIN + standard_error(base, len(marked))
        return Finding(
            "interruption_from_text",
            "'The assistant's text has ended in mid-sentence' predicts that the user is about to barge in.",
            precision if n else None,
            n,
            base if n else None,
            min(base + _INTERRUPTION_MARGIN, 1.0) if n else None,
            judged(beyond and recall - alarms > _INTERRUPTION_MARGIN / 2, n_interrupted, _FEWEST_INTERRUPTIONS),
            first([t.example for t in hits]),
            {"recall": recall, "false_alarms": alarms, "n_interrupted": n_interrupted, "n_predicted": len(marked)},
        )


@dataclass(frozen=True, slots=True)
class _Cut:
    language: str
    new: frozenset[str]
    """Content words of the interrupting turn that nobody has said before."""
    rest: frozenset[str]
    """Content words that were left unsaid."""
    later: frozenset[str]
    """Words of the user's later turns that only the unheard rest contained by then."""
    example: Example


@dataclass
class UnheardReferences:
    """Looks in the user's turns for content words that only the unheard rest of a cut turn contains.

    Chance is the share of turns with a word from the rest of another conversation's cut turn.
    """

    _cuts: list[_Cut] = field(default_factory=list)

    def add(self, talk: AuditedConversation) -> None:
        """Read the user's barge-ins that cut a turn, apart from generic ones, which refer to nothing."""
        for event in talk.events:
            if (event.kind, event.role) != ("barge_in", "user") or talk.families(event) & GENERIC:
                continue
            cut, parts = talk.cut_by(event), talk.interrupting(event)
            if cut and parts and all(u.kind != "insert" for _, u in parts) and cut[1].unsaid:
                self._cuts.append(_cut(talk, event, cut[1].unsaid))

    def finding(self) -> Finding:
        """Share of cut turns to whose rest the user refers."""
        found = [c for c in self._cuts if c.new & c.rest or c.later]
        n, others = len(self._cuts), self._cuts[1:] + self._cuts[:1]
        by_chance = [bool(a.new & b.rest) for a, b in zip(self._cuts, others, strict=True) if a.language == b.language]
        return Finding.of_share(
            "unheard_references",
            "After cutting a turn short, the user uses a content word that only its unheard rest contains.",
            len(found),
            n,
            _REFERENCE_LIMIT,
            chance=share(sum(by_chance), len(by_chance)) if n > 1 else None,
            n_least=_FEWEST_CUTS,
            examples=[c.example for c in found],
            figures={"in_the_interruption": sum(bool(c.new & c.rest) for c in found) / max(n, 1)},
        )


def _cut(talk: AuditedConversation, event: Event, unsaid: str) -> _Cut:
    """The references of a barge-in and of the turns after it."""
    language, utterances = talk.language, talk.streams.utterances
    indices = {index for index, _ in talk.interrupting(event)}
    before = [u for k, u in enumerate(utterances) if k not in indices and u.start_samples < event.end_samples]
    known = words_of((u.said for u in before), language)
    rest = words_of([unsaid], language) - known
    new = words_of((utterances[k].said for k in indices), language) - known
    heard, later = known | new, set[str]()
    for k, u in enumerate(utterances):
        if k not in indices and u.start_samples >= event.end_samples:
            words = words_of([u.said], language)
            if u.role == "user":
                later |= words & (rest - heard)
            heard |= words
    said = " ".join(utterances[k].said for k in sorted(indices))
    text = f"{', '.join(sorted((new & rest) | later))}: unheard {unsaid[:80]!r}, then {said[:80]!r}"
    return _Cut(language, frozenset(new), frozenset(rest), frozenset(later), Example(talk.id, text))


@dataclass(frozen=True, slots=True)
class _Answer:
    early_ms: float
    """From its start to the user's end; negative after a gap."""
    word_ms: float | None
    """From the start of the user's last content word to the user's end."""
    example: Example

    def too_early(self, word_ms: float | None, frame_ms: float) -> bool:
        return self.early_ms > _EARLY_MS + frame_ms or (word_ms is not None and self.early_ms > max(word_ms, 0.0))


@dataclass
class EarlyAnswers:
    """Looks for answers that begin before the user's last content word, or 300 ms before the end.

    Chance is the share of early answers if each offset is given to the next answer's turn.
    """

    _answers: list[_Answer] = field(default_factory=list)
    _frame_ms: float = 0.0

    def add(self, talk: AuditedConversation) -> None:
        """Read the changes of the floor from the user to the assistant where it does not cut the user."""
        self._frame_ms = talk.ms(talk.clocks.hop_samples)
        for user, assistant in pairwise(talk.turns):
            if user[0].role == "user" and not user[-1].n_cut_samples:
                end = max(u.end_samples for u in user)
                word = last_content(user, talk.language)
                early = talk.ms(end - assistant[0].start_samples)
                text = f"{early:.0f} ms early: {user[-1].said[-60:]!r} answered by {assistant[0].said[:60]!r}"
                before = None if word is None else talk.ms(end - word)
                self._answers.append(_Answer(early, before, Example(talk.id, text)))

    def finding(self) -> Finding:
        """Share of answers that begin too early."""
        found = [a for a in self._answers if a.too_early(a.word_ms, self._frame_ms)]
        n, others = len(self._answers), self._answers[1:] + self._answers[:1]
        by_chance = sum(a.too_early(b.word_ms, self._frame_ms) for a, b in zip(self._answers, others, strict=True))
        before_word = sum(a.word_ms is not None and a.early_ms > a.word_ms for a in self._answers)
        return Finding.of_share(
            "early_answers",
            f"An answer begins before the user's last content word, or over {_EARLY_MS} ms before the user's end.",
            len(found),
            n,
            0.0,
            chance=share(by_chance, n) if n > 1 else None,
            examples=first([a.example for a in sorted(found, key=lambda a: -a.early_ms)]),
            figures={
                "before_the_end": sum(a.early_ms > 0 for a in self._answers) / max(n, 1),
                "before_the_last_word": before_word / max(n, 1),
                "earliest_ms": max((a.early_ms for a in self._answers), default=0.0),
            },
        )


def last_content(pieces: list[Spoken], language: str) -> int | None:
    """Start of a turn's last content word in samples; None if there is none, or no word has a time."""
    for u in reversed(pieces):
        if found := content(u.said, language):
            try:
                return time_at(u.words, u.said, found[-1][1]) if u.words else None
            except ValueError:  # words spelled differently from the text, as in builds made elsewhere
                return u.words[-1].start_samples
    return None


@dataclass
class HalfTexts:
    """Looks in rows of turns for the heard part of a turn that was cut in mid-sentence."""

    _n: int = 0
    _found: list[Example] = field(default_factory=list)

    def add(self, talk: AuditedConversation) -> None:
        """Compare the texts of a conversation's rows with the heard parts of its cut turns."""
        rows = [row for task in _OF_TURNS for row in talk.rows.get(task, ())]
        if not rows:
            return
        cut: dict[tuple[int, ...], str] = {}
        for pieces in talk.turns:
            said, unsaid = pieces[-1].said, pieces[-1].unsaid
            if unsaid and ends_sentence(f"{said} {unsaid}") and not ends_sentence(said):
                for n in range(1, len(pieces) + 1):
                    ids = np.concatenate([p.text_ids for p in pieces[-n:]])
                    cut[tuple(ids.tolist())] = f"{said[-60:]!r}, of which {unsaid[:60]!r} is missing"
        cut.pop((), None)
        for text in row_texts(np.concatenate([row.input_ids for row in rows]), talk.clocks.vocabulary):
            self._n += 1
            if (missing := cut.get(tuple(text.tolist()))) is not None:
                self._found.append(Example(talk.id, missing))

    def finding(self) -> Finding:
        """Share of texts that stop in mid-sentence."""
        meaning = "A text of a row of turns stops in mid-sentence where an interruption cut its turn."
        return Finding.of_share("half_texts", meaning, len(self._found), self._n, 0.0, examples=first(self._found))


def row_texts(ids: NDArray[np.int32], vocabulary: Vocabulary) -> list[NDArray[np.int32]]:
    """The texts between `<|sot|>` and `<|eot|>`, in order, without the speech between them.

    >>> v = Vocabulary(10, 20, 40, 4)
    >>> ids = np.array([v["<|sot|>"], 3, 4, v["<|eot|>"], 41, v["<|sot|>"], 41, v["<|eot|>"], v["<|sot|>"], 5])
    >>> [text.tolist() for text in row_texts(ids, v)]
    [[3, 4], []]
    """
    ids = ids[(ids < vocabulary.n_text) | np.isin(ids, (vocabulary["<|sot|>"], vocabulary["<|eot|>"]))]
    begins, ends = np.flatnonzero(ids == vocabulary["<|sot|>"]), np.flatnonzero(ids == vocabulary["<|eot|>"])
    after = np.searchsorted(ends, begins)
    return [ids[begin + 1 : ends[at]] for begin, at in zip(begins, after, strict=True) if at < len(ends)]
