"""Is the same take heard in two conversations?"""

from collections import defaultdict
from dataclasses import dataclass, field
from math import gcd

from datagen.audit.finding import Example, Finding, Verdict, first, share, standard_error
from datagen.audit.talk import AuditedConversation
from datagen.seeds import digest

_MARGIN = 0.002
_N_LEAST = 20


@dataclass(frozen=True, slots=True)
class _Take:
    talk: int
    length: int
    """Samples."""
    timing: int
    """Hash of the length, of the durations of its words, and of what was measured on the take, if that is stored."""


@dataclass
class EqualWaveforms:
    """Finds utterances of one voice and text whose words last equally long to the sample in two conversations.

    Where a build stores what was measured on its takes (noise floor, tail, longest pause), that must be equal too.

    By chance, two takes have equal lengths as often as they differ by exactly one step of the engine's clock, or, if
    an engine times words by their letters alone, as often as two voices do: both shares are measured.
    """

    _takes: dict[int, dict[str, list[_Take]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    """By hash of role and text, then by voice."""
    _texts: dict[int, str] = field(default_factory=dict)
    _ids: list[tuple[str, str]] = field(default_factory=list)
    """Dialogue and split of each conversation."""
    _step: int = 0

    def add(self, talk: AuditedConversation) -> None:
        """Keep the fingerprints of all utterances that are heard to their end."""
        self._ids.append((talk.id, talk.streams.split))
        for u in talk.streams.utterances:
            length = u.end_samples - u.start_samples
            if length > 0 and not u.n_cut_samples and u.spoken:
                key = digest(u.role, u.spoken)
                durations = tuple(w.end_samples - w.start_samples for w in u.words)
                measured = u.scores and (u.scores.floor_db, u.scores.tail_ms, u.scores.longest_pause_ms)
                timing = hash((length, durations, measured))
                self._takes[key][u.voice].append(_Take(len(self._ids) - 1, length, timing))
                self._texts.setdefault(key, u.spoken[:60])
                self._step = gcd(self._step, length)

    def finding(self) -> Finding:
        """Share of utterances whose waveform is heard in another conversation too."""
        n = n_repeated = n_equal = n_across = n_near = n_others = n_alike = 0
        examples: list[Example] = []
        for key, voices in self._takes.items():
            timings = {voice: {take.timing for take in takes} for voice, takes in voices.items()}
            for voice, takes in voices.items():
                n += len(takes)
                equal, lengths = _talks_by(takes)
                for take in takes:
                    others = equal[take.timing] - {take.talk}
                    n_equal += bool(others)
                    n_across += any(self._ids[k][1] != self._ids[take.talk][1] for k in others)
                    n_repeated += any(other.talk != take.talk for other in takes)
                    steps = (take.length - self._step, take.length + self._step)
                    n_near += sum(bool(lengths.get(length, set()) - {take.talk}) for length in steps)
                    n_others += len(voices) > 1
                    n_alike += any(take.timing in timings[other] for other in voices if other != voice)
                examples += self._example(f"{voice}: {self._texts[key]!r}", max(equal.values(), key=len))
        by_step = n_near / 2 / max(n, 1)
        by_letters = n_alike / max(n_others, 1) * n_repeated / max(n, 1)
        return _judged(share(n_equal, n), n, max(by_step, by_letters), examples, n_across / max(n, 1))

    def _example(self, text: str, talks: set[int]) -> list[Example]:
        if len(talks) < 2:
            return []
        ids = [self._ids[k][0] for k in sorted(talks)]
        return [Example(ids[0], f"{text} in {len(ids)} conversations: {', '.join(ids[:3])}")]


def _talks_by(takes: list[_Take]) -> tuple[dict[int, set[int]], dict[int, set[int]]]:
    """Conversations of takes by their timing, and by their length."""
    timings, lengths = defaultdict[int, set[int]](set), defaultdict[int, set[int]](set)
    for take in takes:
        timings[take.timing].add(take.talk)
        lengths[take.length].add(take.talk)
    return timings, lengths


def _judged(score: float | None, n: int, chance: float, examples: list[Example], across: float) -> Finding:
    """Fails beyond chance, a small margin and twice the standard error."""
    limit = min(chance + _MARGIN, 1.0)
    beyond = score is not None and score > limit + 2 * standard_error(limit, n)
    verdict: Verdict = "fail" if beyond else "pass"
    if n < _N_LEAST:
        verdict = "not enough data" if n else "not applicable"
    return Finding(
        "equal_waveforms",
        "An utterance has one waveform in two conversations: same voice, text, lengths of all words and levels.",
        score,
        n,
        chance if n else None,
        limit if n else None,
        verdict,
        first(examples) if beyond else (),
        {"across_splits": across},
    )
