"""Can a listener tell what the assistant must stop for from what it must ignore?"""

import re
from collections import Counter
from collections.abc import Iterable, Set
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from datagen.audit.finding import Example, Finding, Verdict
from datagen.audit.talk import AuditedConversation
from datagen.records import Event
from datagen.seeds import digest, rng
from datagen.text.phrases import HAN

_LIMIT = 0.9
"""Short of 1 because within half a second "Okay." and "Okay, got it.", or some asides, cannot be told apart."""
_N_LEAST = 15
"""Fewest events of each label."""
_N_MOST = 6000
_N_WORDS = 250
_N_FOLDS = 5
_N_SHUFFLES = 3
_SYLLABLE_MS = 300
"""What breaks off sooner has hardly been a syllable."""
_BREATH_MS = 300
"""Silence between pieces of a turn that is no end of the sound."""
_WEIGHT_DECAY = 0.1
_IGNORED = frozenset(
    (
        *("backchannel", "false_start", "aside", "laughter", "cough", "noise_burst", "other_talker"),
        *("failed_barge_in", "overlapping_start"),  # data version 3
    )
)
_UNIT = re.compile(rf"[{HAN}]|[^\W\d_]+(?:['’][^\W\d_]+)*|\d+")


@dataclass(frozen=True, slots=True)
class _Start:
    must_stop: bool
    kind: str
    reaction_ms: float
    """From the start to the assistant's stop, of a barge-in."""
    heard_ms: float
    """How long the sound lasts."""
    words: tuple[tuple[str, float], ...]
    """Words with their starts, in ms from the start."""
    example: Example

    @property
    def phrase(self) -> str:
        """What is kept apart from the data that the classifier learns from: all that is said, or where a sound is.

        Listener tokens are words that everybody knows, so of these it is the conversation.
        """
        if self.kind == "backchannel":
            return self.example.dialogue_id
        return " ".join(units_of(self.words)) or self.example.text


@dataclass
class MustStop:
    """A logistic regression on what is heard until the assistant has to decide.

    An assistant that stops some time after a barge-in begins has heard that much of it. What it must ignore is heard
    for as long, by the times of barge-ins drawn at random. The classifier sees the words that have begun by then, how
    long the sound has lasted, whether it goes on, and whether it is one of words, or of those of listener tokens alone.
    It is tried on phrases that it has not seen, so it cannot learn a list by heart; listener tokens, which are few in
    any language, on other conversations. By chance: the same with labels shuffled.
    """

    _starts: list[_Start] = field(default_factory=list)

    def add(self, talk: AuditedConversation) -> None:
        """Read the user's starts in the assistant's speech."""
        for event in talk.events:
            if event.role != "user":
                continue
            if event.kind == "barge_in" and talk.cut_by(event):
                self._starts.append(_start(talk, event, must_stop=True))
            elif event.kind in _IGNORED and _in_speech(talk, event):
                self._starts.append(_start(talk, event, must_stop=False))

    def finding(self) -> Finding:
        """Balanced accuracy on phrases that the classifier has not seen."""
        name = "must_stop_from_must_ignore"
        meaning = "User starts that the assistant must stop for can be told from those to ignore by words and length."
        starts = sorted(self._starts, key=lambda s: digest("audit", s.example.dialogue_id))[:_N_MOST]
        labels = np.array([s.must_stop for s in starts], np.bool_)
        n_least = int(min(labels.sum(), (~labels).sum())) if len(labels) else 0
        if n_least < _N_LEAST:
            verdict: Verdict = "not enough data" if n_least else "not applicable"
            return Finding(name, meaning, None, len(starts), None, _LIMIT, verdict, at_least=True)
        reactions = np.array([s.reaction_ms for s in starts if s.must_stop])
        features = _features(starts, labels, reactions)
        folds = np.array([digest("audit", "fold", s.phrase) % _N_FOLDS for s in starts])
        guesses = crossed(features, labels, folds)
        score = balanced(guesses, labels)
        random = rng(0, "audit", "must_stop")
        shuffled = [random.permutation(labels) for _ in range(_N_SHUFFLES)]
        chance = float(np.mean([balanced(crossed(features, each, folds), each) for each in shuffled]))
        rest = _LIMIT * (1 - _LIMIT)
        error = float(np.sqrt(rest / labels.sum() + rest / (~labels).sum()) / 2)
        wrong = [s for s, guess in zip(starts, guesses, strict=True) if guess != s.must_stop]
        counts = Counter(s.kind for s in starts)
        missed = Counter(s.kind for s in wrong)
        return Finding(
            name,
            meaning,
            score,
            len(starts),
            chance,
            _LIMIT,
            "pass" if score >= _LIMIT - error else "fail",
            tuple(s.example for s in wrong[:8]),
            {
                "decision_ms": float(np.median(reactions)),
                **{f"missed_{kind}": missed[kind] / counts[kind] for kind in sorted(counts)},
            },
            at_least=True,
        )


def _features(starts: list[_Start], labels: NDArray[np.bool_], reactions: NDArray[np.float64]) -> NDArray[np.float64]:
    """What is heard of each start by the time of its decision."""
    drawn = rng(0, "audit", "decision").choice(reactions, len(starts))
    decisions = np.where(labels, [s.reaction_ms for s in starts], drawn)
    tokens = frozenset(unit for s in starts if s.kind == "backchannel" for unit in units_of(s.words))
    seen = [described(s.words, s.heard_ms, ms, tokens) for s, ms in zip(starts, decisions, strict=True)]
    return matrix(seen, [s.phrase for s in starts])


def _in_speech(talk: AuditedConversation, event: Event) -> bool:
    """Whether the assistant holds the floor and speaks when the event starts."""
    return any(u.role == "assistant" and u.start_samples <= event.start_samples < u.end_samples for u in talk.floor)


def _start(talk: AuditedConversation, event: Event, must_stop: bool) -> _Start:
    parts = talk.interrupting(event) if must_stop else []
    if not must_stop and 0 <= event.utterance < len(talk.streams.utterances):
        parts = [(event.utterance, talk.streams.utterances[event.utterance])]
    zero = event.start_samples
    words = tuple((w.text, talk.ms(w.start_samples - zero)) for _, u in parts for w in u.words)
    end = parts[0][1].end_samples if parts else event.end_samples
    for _, u in parts[1:]:
        if talk.ms(u.start_samples - end) < _BREATH_MS:
            end = u.end_samples
    text = f"{event.kind} at {talk.ms(zero) / 1000:.1f} s: {' '.join(u.said for _, u in parts)[:60]!r}"
    reaction = talk.ms(event.end_samples - zero)
    return _Start(must_stop, event.kind, reaction, talk.ms(end - zero), words, Example(talk.id, text))


def units_of(words: Iterable[tuple[str, float]], before_ms: float = np.inf) -> list[str]:
    """The words, in Chinese the characters, that begin before a time, lowercase."""
    return [unit.lower() for text, start in words if start < before_ms for unit in _UNIT.findall(text)]


def described(
    words: tuple[tuple[str, float], ...], heard_ms: float, decision_ms: float, tokens: Set[str]
) -> dict[str, float]:
    """What is heard of a start by the time of the decision, as named features.

    Args:
        words: With their starts, in ms.
        heard_ms: How long the sound lasts.
        decision_ms: The time.
        tokens: Words of listener tokens.

    >>> described((("Mm,", 0.0), ("hm", 200.0)), 350.0, 500.0, {"mm", "hm", "yeah"})
    {'length': 0.35, 'ended': 1.0, 'n_words': 0.5, 'listener': 1.0, 'word mm': 1.0, 'word hm': 1.0, 'all mm hm': 1.0}
    """
    units = units_of(words, decision_ms)
    ended = heard_ms < decision_ms
    found = {"length": min(heard_ms, decision_ms) / 1000, "ended": float(ended), "n_words": len(units) / 4}
    if ended and heard_ms < _SYLLABLE_MS:
        found["brief"] = 1.0
    if not words:
        found["no_words"] = 1.0
    if units and set(units) <= tokens:
        found["listener"] = 1.0
    for unit in units[:6]:
        found[f"word {unit}"] = 1.0
    if ended:
        found[f"all {' '.join(units[:6])}"] = 1.0
    return found


def matrix(described: list[dict[str, float]], phrases: list[str]) -> NDArray[np.float64]:
    """Named features as columns, the most frequent ones, with one of ones: [n, n_features + 1].

    Those of one phrase alone teach nothing about others and are left out.
    """
    counts = Counter(
        name for name, _ in {(name, p) for each, p in zip(described, phrases, strict=True) for name in each}
    )
    names = {name: k for k, (name, n) in enumerate(counts.most_common(_N_WORDS)) if n > 1}
    found = np.zeros((len(described), len(names) + 1))
    found[:, -1] = 1
    for row, each in enumerate(described):
        for name, value in each.items():
            if name in names:
                found[row, names[name]] = value
    return found


def crossed(features: NDArray[np.float64], labels: NDArray[np.bool_], folds: NDArray[np.int64]) -> NDArray[np.bool_]:
    """What a logistic regression on the other folds says of each row."""
    guesses = np.zeros(len(labels), np.bool_)
    for fold in range(_N_FOLDS):
        here = folds == fold
        if here.any() and 0 < labels[~here].sum() < (~here).sum():
            guesses[here] = features[here] @ fitted(features[~here], labels[~here]) > 0
    return guesses


def fitted(features: NDArray[np.float64], labels: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Weights of a logistic regression in which both labels weigh alike, by Newton's method with a small decay."""
    n, weights = labels.sum(), np.zeros(features.shape[1])
    importance = np.where(labels, 0.5 / n, 0.5 / (len(labels) - n))
    for _ in range(8):
        chance = 1 / (1 + np.exp(-np.clip(features @ weights, -30, 30)))
        slope = features.T @ (importance * (chance - labels)) + _WEIGHT_DECAY * weights
        curve = (features * (importance * np.maximum(chance * (1 - chance), 1e-6))[:, None]).T @ features
        weights -= np.linalg.solve(curve + _WEIGHT_DECAY * np.eye(len(weights)), slope)
    return weights


def balanced(guesses: NDArray[np.bool_], labels: NDArray[np.bool_]) -> float:
    """Mean of the shares of both labels that are guessed right.

    >>> balanced(np.array([True, True, False]), np.array([True, False, False]))
    0.75
    """
    return float(((guesses & labels).sum() / labels.sum() + (~guesses & ~labels).sum() / (~labels).sum()) / 2)
