"""Does an interruption refer to words that nobody has heard?"""

from dataclasses import dataclass, field

from datagen.audit.finding import Example, Finding, share, verdict
from datagen.audit.talk import GENERIC, AuditedConversation
from datagen.records import Event
from datagen.text.references import words_of

_LIMIT = 0.03
_N_LEAST = 5


@dataclass(frozen=True, slots=True)
class _Cut:
    language: str
    new: frozenset[str]
    """Content words of the interrupting turn that nobody has said before."""
    rest: frozenset[str]
    """Content words of what was left unsaid."""
    later: frozenset[str]
    """Words of the user's following turns that only the unheard rest had when they were said."""
    example: Example


@dataclass
class UnheardReferences:
    """Looks for content words of the user's turns that only the unheard rest of a cut turn contains.

    By chance, a turn has a word of the rest of another conversation's cut turn: that share is measured.
    """

    _cuts: list[_Cut] = field(default_factory=list)

    def add(self, talk: AuditedConversation) -> None:
        """Read the barge-ins of the user that cut a turn; generic ones refer to nothing and are left out."""
        for event in talk.events:
            if (event.kind, event.role) != ("barge_in", "user") or talk.families(event) & GENERIC:
                continue
            cut, parts = talk.cut_by(event), talk.interrupting(event)
            if cut and parts and all(u.kind != "insert" for _, u in parts) and cut[1].unsaid:
                self._cuts.append(_cut(talk, event, cut[1].unsaid))

    def finding(self) -> Finding:
        """Share of cut turns whose rest is referred to."""
        found = [c for c in self._cuts if c.new & c.rest or c.later]
        n, others = len(self._cuts), self._cuts[1:] + self._cuts[:1]
        by_chance = [bool(a.new & b.rest) for a, b in zip(self._cuts, others, strict=True) if a.language == b.language]
        score = share(len(found), n)
        return Finding(
            "unheard_references",
            "After cutting a turn short, the user uses a content word that only its unheard rest contains.",
            score,
            n,
            share(sum(by_chance), len(by_chance)) if n > 1 else None,
            _LIMIT,
            verdict(score, n, _LIMIT, _N_LEAST),
            tuple(c.example for c in found),
            {"in_the_interruption": sum(bool(c.new & c.rest) for c in found) / max(n, 1)},
        )


def _cut(talk: AuditedConversation, event: Event, unsaid: str) -> _Cut:
    """What a barge-in and the turns after it refer to."""
    language = talk.language
    utterances = talk.streams.utterances
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
