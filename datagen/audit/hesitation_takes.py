"""Is the word before a hesitation drawn out like the last word of a sentence?"""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from datagen.audit.finding import Example, Finding, Verdict
from datagen.audit.talk import AuditedConversation
from datagen.records import Event, Spoken, Word
from datagen.text.phrases import count_letters

_LIMIT = 1.4
_N_LEAST = 10


@dataclass
class HesitationsAsEndings:
    """Compares the time per letter of words before a pause with that of the speaker's words within a phrase.

    By chance, a word is as long as the one before it, which no pause follows: that ratio is measured.
    """

    _inner: dict[str, list[tuple[float, int]]] = field(default_factory=lambda: defaultdict(list))
    """Time in milliseconds and letters of words within utterances, by voice."""
    _before: list[tuple[str, float, str, str]] = field(default_factory=list)
    """Voice, ms per letter, word and dialogue of words before a pause."""
    _control: list[tuple[str, float]] = field(default_factory=list)
    _final: list[tuple[str, float]] = field(default_factory=list)

    def add(self, talk: AuditedConversation) -> None:
        """Read the words of the user's turns and those before its hesitations."""
        paused = set[int]()
        for event in talk.events:
            if (event.kind, event.role) == ("hesitation", "user") and (found := _before(talk, event)):
                index, u, word = found
                paused.add(index)
                if rate := _rate(talk, word):
                    self._before.append((u.voice, rate, word.text, talk.id))
                    if len(u.words) > 1 and (control := _rate(talk, u.words[-2])):
                        self._control.append((u.voice, control))
        for index, u in enumerate(talk.streams.utterances):
            if u.kind == "turn" and u.role == "user" and len(u.words) > 2:
                self._inner[u.voice] += [(talk.ms(_length(w)), count_letters(w.text)) for w in u.words[:-2]]
                if index not in paused and not u.n_cut_samples and (rate := _rate(talk, u.words[-1])):
                    self._final.append((u.voice, rate))

    def finding(self) -> Finding:
        """Mean ratio of words before a pause."""
        totals = {voice: np.sum(words, axis=0) for voice, words in self._inner.items()}
        usual = {voice: float(ms / n_letters) for voice, (ms, n_letters) in totals.items() if ms and n_letters}
        ratios = [rate / usual[voice] for voice, rate, _, _ in self._before if voice in usual]
        control = [rate / usual[voice] for voice, rate in self._control if voice in usual]
        final = [rate / usual[voice] for voice, rate in self._final if voice in usual]
        examples = sorted(
            ((rate / usual[voice], word, id_) for voice, rate, word, id_ in self._before if voice in usual),
            reverse=True,
        )
        score = float(np.mean(ratios)) if ratios else None
        chance = float(np.mean(control)) if control else None
        beyond = score is not None and score > _LIMIT and score > _LIMIT * (chance or 1.0)
        verdict: Verdict = "fail" if beyond else "pass"
        if len(ratios) < _N_LEAST:
            verdict = "not enough data" if ratios else "not applicable"
        return Finding(
            "hesitations_as_endings",
            "The word before a hesitation is longer per letter than the speaker's words within a phrase (1: alike).",
            score,
            len(ratios),
            chance,
            _LIMIT,
            verdict,
            tuple(Example(id_, f"{word!r}: {ratio:.1f} times as long") for ratio, word, id_ in examples[:3])
            if verdict == "fail"
            else (),
            {"sentence_ends": float(np.mean(final))} if final else {},
        )


def _before(talk: AuditedConversation, event: Event) -> tuple[int, Spoken, Word] | None:
    """The last word that its speaker said before a hesitation, fillers left out, and its utterance."""
    found = None
    for index, u in enumerate(talk.streams.utterances):
        ends = u.role == event.role and u.kind == "turn" and u.words and u.end_samples <= event.start_samples
        if ends:
            found = (index, u, u.words[-1])
    return found


def _length(word: Word) -> int:
    return word.end_samples - word.start_samples


def _rate(talk: AuditedConversation, word: Word) -> float:
    """Milliseconds per letter; 0 without letters."""
    n = count_letters(word.text)
    return talk.ms(_length(word)) / n if n else 0.0
