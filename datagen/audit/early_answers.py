"""Does an answer begin before the words that it answers?"""

from dataclasses import dataclass, field
from itertools import pairwise

from datagen.audit.finding import Example, Finding, first, share, verdict
from datagen.audit.talk import AuditedConversation, turns
from datagen.records import Spoken
from datagen.text.phrases import time_at
from datagen.text.references import content

_EARLY_MS = 300
"""How long before the end of the user's turn an answer may begin; timing.md says why. One frame is allowed on top."""
_LIMIT = 0.0


@dataclass(frozen=True, slots=True)
class _Answer:
    early_ms: float
    """From its start to the user's end; negative after a gap."""
    word_ms: float | None
    """From the start of the user's last content word to the user's end."""
    example: Example


@dataclass
class EarlyAnswers:
    """Looks for answers that begin before the user's last content word, or more than 300 ms before the user's end.

    By chance, answers with the same offsets follow other turns: that share is measured.
    """

    _answers: list[_Answer] = field(default_factory=list)
    _frame_ms: float = 0.0

    def add(self, talk: AuditedConversation) -> None:
        """Read the changes of the floor from the user to the assistant; not of turns that it cuts."""
        self._frame_ms = talk.ms(talk.clocks.hop_samples)
        runs = turns(talk)
        for user, assistant in pairwise(runs):
            if user[0].role == "user" and not user[-1].n_cut_samples:
                end = max(u.end_samples for u in user)
                word = last_content(user, talk.language)
                early = talk.ms(end - assistant[0].start_samples)
                text = f"{early:.0f} ms early: {user[-1].said[-60:]!r} answered by {assistant[0].said[:60]!r}"
                before = None if word is None else talk.ms(end - word)
                self._answers.append(_Answer(early, before, Example(talk.id, text)))

    def finding(self) -> Finding:
        """Share of answers that begin too early."""
        found = [a for a in self._answers if self._too_early(a.early_ms, a.word_ms)]
        n, score = len(self._answers), share(len(found), len(self._answers))
        others = self._answers[1:] + self._answers[:1]
        by_chance = sum(self._too_early(a.early_ms, b.word_ms) for a, b in zip(self._answers, others, strict=True))
        found.sort(key=lambda a: -a.early_ms)
        return Finding(
            "early_answers",
            f"An answer begins before the user's last content word, or over {_EARLY_MS} ms before the user's end.",
            score,
            n,
            share(by_chance, n) if n > 1 else None,
            _LIMIT,
            verdict(score, n, _LIMIT),
            first([a.example for a in found]),
            {
                "before_the_end": sum(a.early_ms > 0 for a in self._answers) / max(n, 1),
                "before_the_last_word": sum(a.word_ms is not None and a.early_ms > a.word_ms for a in self._answers)
                / max(n, 1),
                "earliest_ms": max((a.early_ms for a in self._answers), default=0.0),
            },
        )

    def _too_early(self, early_ms: float, word_ms: float | None) -> bool:
        return early_ms > _EARLY_MS + self._frame_ms or (word_ms is not None and early_ms > max(word_ms, 0.0))


def last_content(pieces: list[Spoken], language: str) -> int | None:
    """When the last content word of a turn begins, in samples; None if it has none, or no word has a time."""
    for u in reversed(pieces):
        if found := content(u.said, language):
            place = found[-1][1]
            try:
                return time_at(u.words, u.said, place) if u.words else None
            except ValueError:  # words of another spelling than the text, as of a foreign build
                return u.words[-1].start_samples
    return None
