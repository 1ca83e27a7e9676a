"""Do events and settings that a row is labelled with show in anything that is heard or said?"""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from datagen.audit.finding import Example, Finding, Verdict, share, verdict
from datagen.audit.talk import AuditedConversation
from datagen.records import Event
from datagen.shards.chunks import speaks

_AUDIBLE = frozenset(
    (
        *("backchannel", "false_start", "aside", "laughter", "cough", "noise_burst", "other_talker"),
        *("failed_barge_in", "overlapping_start"),  # data version 3
    )
)
"""Hard negatives that sound."""
_LIMITS = {
    "barge_ins_that_cut_nothing": 0.0,
    "utterances_not_heard": 0.0,
    "inaudible_hard_negatives": 0.1,
    "turn_ends_already_answered": 0.0,
    "events_out_of_order": 0.0,
    "settings_of_nothing": 0.0,
}
"""The largest share of each that passes. A sound may be drowned by noise once in a while; the rest are accidents."""
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
"""Fields of `mixing` that say how, and those that say whether."""
_MOST_CODES = 0.995
"""Share of silent frames whose codes, the frequent ones first, count as those of silence."""


@dataclass
class EventsWithoutTrace:
    """Counts labels that nothing stored bears out; a share for each kind, the worst of which is the score."""

    _n: Counter[str] = field(default_factory=Counter)
    _found: Counter[str] = field(default_factory=Counter)
    _examples: dict[str, list[Example]] = field(default_factory=dict)

    def add(self, talk: AuditedConversation) -> None:
        """Check all labels of a conversation."""
        for event in talk.events:
            what = f"{event.kind} of the {event.role} at {talk.ms(event.start_samples) / 1000:.1f} s"
            if event.kind == "barge_in":
                self._see("barge_ins_that_cut_nothing", talk, talk.cut_by(event) is None, what)
            if 0 <= event.utterance < len(talk.streams.utterances):
                u = talk.streams.utterances[event.utterance]
                self._see("utterances_not_heard", talk, u.end_samples <= u.start_samples, what)
        self._sounds(talk)
        self._turn_ends(talk)
        starts = [e.start_samples for e in talk.streams.events]
        self._see("events_out_of_order", talk, starts != sorted(starts), "events are not in order of time")
        for setting, whether in _SETTINGS.items():
            if setting in talk.mixing and whether in talk.mixing:
                value, happened = talk.mixing[setting], talk.mixing[whether]
                is_set, nothing = value is not None, happened is None or happened in ("", [], ())
                self._see("settings_of_nothing", talk, is_set and nothing, f"{setting} is {value}, {whether} is empty")

    def _see(self, what: str, talk: AuditedConversation, is_fault: bool, text: str) -> None:
        self._n[what] += 1
        if is_fault:
            self._found[what] += 1
            self._examples.setdefault(what, []).append(Example(talk.id, f"{what.replace('_', ' ')}: {text}"))

    def _sounds(self, talk: AuditedConversation) -> None:
        """Hard negatives whose every code is one of those that the silent user has anyway."""
        events = [e for e in talk.events if e.kind in _AUDIBLE and e.role == "user"]
        if not events or not talk.user_silent.any():
            return
        usual = usual_codes(talk.streams.user_codes[talk.user_silent])
        voice = speaks(talk.streams, "user", talk.clocks.hop_samples)
        for event in events:
            frames = _frames(talk, event)
            if event.kind in ("noise_burst", "other_talker") and voice[frames].any():
                continue  # the user's own voice covers it
            codes = talk.streams.user_codes[frames]
            text = f"{event.kind} at {talk.ms(event.start_samples) / 1000:.1f} s"
            self._see("inaudible_hard_negatives", talk, bool(np.isin(codes, usual).all()), text)

    def _turn_ends(self, talk: AuditedConversation) -> None:
        """Positions of user_turn_ends at which the assistant has begun to speak more than a frame before."""
        hop, task = talk.clocks.hop_samples, "three_stream" if "three_stream" in talk.rows else "two_stream"
        n_text = talk.clocks.n_text if task == "three_stream" else 0
        width = 2 * talk.clocks.n_speech + n_text
        for row in talk.rows.get(task, ()):
            for position in row.user_turn_ends.tolist():
                chunk, slot = divmod(position, width)
                frame = row.start_frames + chunk * talk.clocks.n_speech + slot - (width - talk.clocks.n_speech)
                speaking = [
                    u
                    for u in talk.floor
                    if u.role == "assistant" and u.start_samples < (frame - 1) * hop and u.end_samples > frame * hop
                ]
                text = f"{row.row_id} at {talk.ms(frame * hop) / 1000:.1f} s"
                self._see("turn_ends_already_answered", talk, bool(speaking), text)

    def finding(self) -> Finding:
        """The kind of label with the largest share above its limit."""
        shares = {what: share(self._found[what], self._n[what]) for what in _LIMITS}
        verdicts = {what: verdict(shares[what], self._n[what], limit) for what, limit in _LIMITS.items()}
        failed = [what for what, found in verdicts.items() if found == "fail"]
        worst = max(failed or _LIMITS, key=lambda what: (shares[what] or 0.0) - _LIMITS[what])
        overall: Verdict = "fail" if failed else "pass" if self._n.total() else "not applicable"
        return Finding(
            "events_without_trace",
            "A label or setting has nothing to show for it in what is heard or said; the worst kind's share.",
            shares[worst],
            self._n[worst],
            None,
            _LIMITS[worst],
            overall,
            tuple(each for what in failed for each in self._examples[what][:2]),
            {what: value for what, value in shares.items() if value is not None},
        )


def usual_codes(codes: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """The most frequent codes that together make up nearly all of some frames.

    >>> usual_codes(np.array([3] * 990 + [4] * 9 + [5], np.uint16)).tolist()
    [3, 4]
    """
    values, counts = np.unique(codes, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    n_needed = int(np.searchsorted(np.cumsum(counts[order]), _MOST_CODES * len(codes))) + 1
    return np.asarray(values[order[:n_needed]], np.uint16)


def _frames(talk: AuditedConversation, event: Event) -> slice:
    hop = talk.clocks.hop_samples
    return slice(event.start_samples // hop, max(-(-event.end_samples // hop), event.start_samples // hop + 1))
