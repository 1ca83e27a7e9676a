"""Predictors that test labels: for a trace in sound or words, and for natural hesitations."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from datagen.audit.audited import AuditedConversation
from datagen.audit.finding import Example, Finding, Verdict, judged, share, verdict
from datagen.records import Event, Spoken, Word
from datagen.shards.chunks import speaks
from datagen.text.phrases import count_letters

OLD_NEGATIVES = ("failed_barge_in", "overlapping_start")
"""Hard negatives of data version 3."""
HARD_NEGATIVES = frozenset(
    ("backchannel", "false_start", "aside", "laughter", "cough", "noise_burst", "other_talker", *OLD_NEGATIVES)
)
"""Audible events that must change nothing."""
_LIMITS = {
    "barge_ins_that_cut_nothing": 0.0,
    "utterances_not_heard": 0.0,
    "inaudible_hard_negatives": 0.1,
    "turn_ends_already_answered": 0.0,
    "events_out_of_order": 0.0,
    "settings_of_nothing": 0.0,
}
"""The largest share of each that passes. Noise may mask a sound now and then."""
_SETTINGS = {
    "snr_db": "noise",
    "babble_snr_db": "babble",
    "other_talkers_db": "other_talkers",
    "bursts_db": "bursts",
    "rt60_ms": "room",
    "echo_gain_db": "echo_delay_samples",
    "compression": "line",
    "vocal_sounds_db": "vocal_sounds",
}
"""Fields of `mixing` with a level or degree, and the fields without which they mean nothing."""
_MOST_CODES = 0.995
"""Share of silent frames whose codes, the frequent ones first, count as those of silence."""
_RATIO_LIMIT = 1.4
_FEWEST_HESITATIONS = 10


@dataclass
class EventsWithoutTrace:
    """Counts labels without any trace in the stored data, by kind; the worst share is the score."""

    _n: Counter[str] = field(default_factory=Counter)
    _found: Counter[str] = field(default_factory=Counter)
    _examples: dict[str, list[Example]] = field(default_factory=dict)

    def add(self, talk: AuditedConversation) -> None:
        """Check all labels of a conversation."""
        for event in talk.events:
            what = f"{event.kind} of the {event.role} at {talk.ms(event.start_samples) / 1000:.1f} s"
            if event.kind == "barge_in" and not event.derived:  # of a recording nobody knows what was left unsaid
                self._see("barge_ins_that_cut_nothing", talk, talk.cut_by(event) is None, what)
            if u := talk.utterance(event):
                self._see("utterances_not_heard", talk, u.end_samples <= u.start_samples, what)
        self._sounds(talk)
        self._turn_ends(talk)
        starts = [e.start_samples for e in talk.streams.events]
        self._see("events_out_of_order", talk, starts != sorted(starts), "events are not in order of time")
        for setting, needed in _SETTINGS.items():
            if setting in talk.mixing and needed in talk.mixing:
                value = talk.mixing[setting]
                is_empty = talk.mixing[needed] in (None, "", [], ())
                text = f"{setting} is {value}, {needed} is empty"
                self._see("settings_of_nothing", talk, value is not None and is_empty, text)

    def _see(self, what: str, talk: AuditedConversation, is_fault: bool, text: str) -> None:
        self._n[what] += 1
        if is_fault:
            self._found[what] += 1
            self._examples.setdefault(what, []).append(Example(talk.id, f"{what.replace('_', ' ')}: {text}"))

    def _sounds(self, talk: AuditedConversation) -> None:
        """Check for hard negatives whose every code also occurs while the user is silent."""
        events = [e for e in talk.events if e.kind in HARD_NEGATIVES and e.role == "user"]
        if not events or not talk.user_silent.any():
            return
        hop = talk.clocks.hop_samples
        usual = usual_codes(talk.user_codes[talk.user_silent])
        voice = speaks(talk.streams, "user", hop)
        for event in events:
            begin = event.start_samples // hop
            frames = slice(begin, max(-(-event.end_samples // hop), begin + 1))
            if event.kind in ("noise_burst", "other_talker") and voice[frames].any():
                continue  # the user's own voice covers it
            codes = talk.user_codes[frames]
            text = f"{event.kind} at {talk.ms(event.start_samples) / 1000:.1f} s"
            self._see("inaudible_hard_negatives", talk, bool(np.isin(codes, usual).all()), text)

    def _turn_ends(self, talk: AuditedConversation) -> None:
        """Check for user_turn_ends at which the assistant has spoken for more than a frame."""
        hop, task = talk.clocks.hop_samples, "three_stream" if "three_stream" in talk.rows else "two_stream"
        layout = talk.clocks.layout(task)
        for row in talk.rows.get(task, ()):
            for frame in (row.start_frames + layout.frames(row.user_turn_ends)).tolist():
                speaking = any(
                    u.role == "assistant" and u.start_samples < (frame - 1) * hop and u.end_samples > frame * hop
                    for u in talk.floor
                )
                text = f"{row.row_id} at {talk.ms(frame * hop) / 1000:.1f} s"
                self._see("turn_ends_already_answered", talk, speaking, text)

    def finding(self) -> Finding:
        """The kind of label whose share exceeds its limit most."""
        shares = {what: share(self._found[what], self._n[what]) for what in _LIMITS}
        verdicts = {what: verdict(shares[what], self._n[what], limit) for what, limit in _LIMITS.items()}
        failed = [what for what, found in verdicts.items() if found == "fail"]
        worst = max(failed or _LIMITS, key=lambda what: (shares[what] or 0.0) - _LIMITS[what])
        return Finding(
            "events_without_trace",
            "A label or setting leaves no trace in sound or words; share of the worst kind.",
            shares[worst],
            self._n[worst],
            None,
            _LIMITS[worst],
            judged(bool(failed), self._n.total()),
            tuple(each for what in failed for each in self._examples[what][:2]),
            {what: value for what, value in shares.items() if value is not None},
        )


def usual_codes(codes: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """The most frequent codes that together make up nearly all frames.

    >>> usual_codes(np.array([3] * 990 + [4] * 9 + [5], np.uint16)).tolist()
    [3, 4]
    """
    values, counts = np.unique(codes, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    n_needed = int(np.searchsorted(np.cumsum(counts[order]), _MOST_CODES * len(codes))) + 1
    return np.asarray(values[order[:n_needed]], np.uint16)


@dataclass
class HesitationsAsEndings:
    """Compares the time per letter of words before a pause with the speaker's words within phrases.

    Chance is that ratio for the word before, which no pause follows.
    """

    _inner: dict[str, list[tuple[float, int]]] = field(default_factory=lambda: defaultdict(list))
    """Milliseconds and letters of words within utterances, by voice."""
    _before: list[tuple[str, float, str, str]] = field(default_factory=list)
    """Voice, milliseconds per letter, word and dialogue of words before a pause."""
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
                inner = [(talk.ms(w.end_samples - w.start_samples), count_letters(w.text)) for w in u.words[:-2]]
                self._inner[u.voice] += inner
                if index not in paused and not u.n_cut_samples and (rate := _rate(talk, u.words[-1])):
                    self._final.append((u.voice, rate))

    def finding(self) -> Finding:
        """Mean ratio of words before a pause."""
        totals = {voice: np.sum(words, axis=0) for voice, words in self._inner.items()}
        usual = {voice: float(ms / n_letters) for voice, (ms, n_letters) in totals.items() if ms and n_letters}
        known = [(rate / usual[voice], word, id_) for voice, rate, word, id_ in self._before if voice in usual]
        control = [rate / usual[voice] for voice, rate in self._control if voice in usual]
        final = [rate / usual[voice] for voice, rate in self._final if voice in usual]
        score = float(np.mean([ratio for ratio, _, _ in known])) if known else None
        chance = float(np.mean(control)) if control else None
        beyond = (score or 0.0) > _RATIO_LIMIT * max(chance or 1.0, 1.0)
        result: Verdict = judged(beyond, len(known), _FEWEST_HESITATIONS)
        longest = sorted(known, reverse=True)[: 3 if result == "fail" else 0]
        return Finding(
            "hesitations_as_endings",
            "The word before a hesitation is longer per letter than the speaker's words within a phrase (1: alike).",
            score,
            len(known),
            chance,
            _RATIO_LIMIT,
            result,
            tuple(Example(id_, f"{word!r}: {ratio:.1f} times as long") for ratio, word, id_ in longest),
            {"sentence_ends": float(np.mean(final))} if final else {},
        )


def _before(talk: AuditedConversation, event: Event) -> tuple[int, Spoken, Word] | None:
    """The speaker's last word before a hesitation, fillers left out, and its utterance."""
    found = None
    for index, u in enumerate(talk.streams.utterances):
        if u.role == event.role and u.kind == "turn" and u.words and u.end_samples <= event.start_samples:
            found = (index, u, u.words[-1])
    return found


def _rate(talk: AuditedConversation, word: Word) -> float:
    """Milliseconds per letter; 0 without letters."""
    n = count_letters(word.text)
    return talk.ms(word.end_samples - word.start_samples) / n if n else 0.0
