"""The predictor that should succeed: a listener can tell barge-ins from what to ignore."""

import re
from collections import Counter
from collections.abc import Iterable, Set
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from datagen.audit.audited import AuditedConversation
from datagen.audit.finding import Example, Finding, judged
from datagen.audit.labels import HARD_NEGATIVES
from datagen.records import Event
from datagen.seeds import digest, rng
from datagen.text.phrases import HAN

_LIMIT = 0.9
"""Below 1 because within half a second "Okay." and "Okay, got it." cannot be told apart."""
_N_LEAST = 15
"""Fewest events per label."""
_N_MOST = 6000
_N_WORDS = 250
_N_FOLDS = 5
_N_SHUFFLES = 3
_SYLLABLE_MS = 300
"""A shorter sound is hardly a syllable."""
_BREATH_MS = 300
"""A shorter silence between pieces of a turn does not end the sound."""
_WEIGHT_DECAY = 0.1
_UNIT = re.compile(rf"[{HAN}]|[^\W\d_]+(?:['’][^\W\d_]+)*|\d+")


@dataclass(frozen=True, slots=True)
class _Start:
    must_stop: bool
    kind: str
    reaction_ms: float
    """From the start of a barge-in to the assistant's stop."""
    heard_ms: float
    """Length of the sound."""
    words: tuple[tuple[str, float], ...]
    """Words with their starts, in ms from the start."""
    example: Example

    @property
    def phrase(self) -> str:
        """The unit kept out of the training data of the classifier: the words, or the sound's place.

        Listener tokens are words that everybody knows, so for them it is the conversation.
        """
        if self.kind == "backchannel":
            return self.example.dialogue_id
        return " ".join(units_of(self.words)) or self.example.text


@dataclass
class MustStop:
    """A logistic regression on the sound up to the time at which the assistant has to decide.

    By the time an assistant stops for a barge-in, it has heard that much of it. Events to ignore
    are heard for a time drawn at random from those of barge-ins. The features are the words that
    have begun by then, the length of the sound, whether it continues, and whether it holds words,
    or only those of listener tokens. The classifier is tested on phrases that it has not seen; for
    listener tokens, which are few in any language, on other conversations. Chance is its score with
    shuffled labels.
    """

    _starts: list[_Start] = field(default_factory=list)

    def add(self, talk: AuditedConversation) -> None:
        """Read the user's starts during the assistant's speech."""
        for event in talk.events:
            if event.role != "user":
                continue
            if event.kind == "barge_in" and talk.cut_by(event):
                self._starts.append(_start(talk, event, must_stop=True))
            elif event.kind in HARD_NEGATIVES and _in_speech(talk, event):
                self._starts.append(_start(talk, event, must_stop=False))

    def finding(self) -> Finding:
        """Balanced accuracy on phrases that the classifier has not seen."""
        name = "must_stop_from_must_ignore"
        meaning = "User starts that the assistant must stop for can be told from those to ignore by words and length."
        starts = sorted(self._starts, key=lambda s: digest("audit", s.example.dialogue_id))[:_N_MOST]
        labels = np.array([s.must_stop for s in starts], np.bool_)
        n_least = int(min(labels.sum(), (~labels).sum())) if len(labels) else 0
        if n_least < _N_LEAST:
            verdict = judged(False, n_least, _N_LEAST)
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
    """Features of each start at the time of its decision."""
    drawn = rng(0, "audit", "decision").choice(reactions, len(starts))
    decisions = np.where(labels, [s.reaction_ms for s in starts], drawn)
    tokens = frozenset(unit for s in starts if s.kind == "backchannel" for unit in units_of(s.words))
    seen = [described(s.words, s.heard_ms, ms, tokens) for s, ms in zip(starts, decisions, strict=True)]
    return matrix(seen, [s.phrase for s in starts])


def _in_speech(talk: AuditedConversation, event: Event) -> bool:
    """True if the assistant holds the floor and speaks when the event starts."""
    return any(u.role == "assistant" and u.start_samples <= event.start_samples < u.end_samples for u in talk.floor)


def _start(talk: AuditedConversation, event: Event, must_stop: bool) -> _Start:
    parts = talk.interrupting(event) if must_stop else []
    if not must_stop and (own := talk.utterance(event)):
        parts = [(event.utterance, own)]
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
    """The lowercase words (in Chinese, characters) that begin before a time."""
    return [unit.lower() for text, start in words if start < before_ms for unit in _UNIT.findall(text)]


def described(
    words: tuple[tuple[str, float], ...], heard_ms: float, decision_ms: float, tokens: Set[str]
) -> dict[str, float]:
    """Named features of a start at the time of the decision.

    Args:
        words: Words with their starts, in ms.
        heard_ms: Length of the sound.
        decision_ms: Time of the decision.
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
    """The most frequent features as columns, and a column of ones: [n, n_features + 1].

    Features that occur in a single phrase are left out, because they say nothing about others.
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
    """Prediction for each row by a logistic regression on the other folds."""
    guesses = np.zeros(len(labels), np.bool_)
    for fold in range(_N_FOLDS):
        here = folds == fold
        if here.any() and 0 < labels[~here].sum() < (~here).sum():
            guesses[here] = features[here] @ fitted(features[~here], labels[~here]) > 0
    return guesses


def fitted(features: NDArray[np.float64], labels: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Weights of a class-balanced logistic regression, by Newton's method with a small decay."""
    n, weights = labels.sum(), np.zeros(features.shape[1])
    importance = np.where(labels, 0.5 / n, 0.5 / (len(labels) - n))
    for _ in range(8):
        chance = 1 / (1 + np.exp(-np.clip(features @ weights, -30, 30)))
        slope = features.T @ (importance * (chance - labels)) + _WEIGHT_DECAY * weights
        curve = (features * (importance * np.maximum(chance * (1 - chance), 1e-6))[:, None]).T @ features
        weights -= np.linalg.solve(curve + _WEIGHT_DECAY * np.eye(len(weights)), slope)
    return weights


def balanced(guesses: NDArray[np.bool_], labels: NDArray[np.bool_]) -> float:
    """Balanced accuracy: mean of the shares of both labels that are predicted correctly.

    >>> balanced(np.array([True, True, False]), np.array([True, False, False]))
    0.75
    """
    return float(((guesses & labels).sum() / labels.sum() + (~guesses & ~labels).sum() / (~labels).sum()) / 2)
