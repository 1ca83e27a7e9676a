"""Does the assistant's text stream know that an interruption is coming?"""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from datagen.audit.finding import Example, Finding, Verdict, first, share, standard_error
from datagen.audit.talk import AuditedConversation, ends_sentence, text_slots
from datagen.records import FLOOR, Spoken

_MARGIN = 0.1
_N_LEAST = 8


@dataclass(frozen=True, slots=True)
class _Turn:
    interrupted: bool
    last_id: int
    """Last text id if the stream has ended before the moment looked at, else -1."""
    example: Example


@dataclass
class InterruptionFromText:
    """Predicts an interruption where the text so far has ended without the end of a sentence.

    Looks at the text slots from the turn's first chunk up to the chunk before the barge-in; of a turn that nobody
    interrupts, up to the chunk before its last. Which ids end a sentence is learned from turns that were not cut.
    """

    _turns: list[_Turn] = field(default_factory=list)
    _finals: Counter[int] = field(default_factory=Counter)

    def add(self, talk: AuditedConversation) -> None:
        """Read the turns of the assistant."""
        if not talk.clocks.n_text or "three_stream" not in talk.rows:
            return
        slots, barged = text_slots(talk), dict[int, int]()
        for event in talk.events:
            if (event.kind, event.role) == ("barge_in", "user") and (cut := talk.cut_by(event)):
                barged[cut[0]] = event.start_samples
        for index, u in enumerate(talk.streams.utterances):
            if u.role == "assistant" and u.kind in FLOOR and len(u.text_ids) and u.end_samples > u.start_samples:
                if not u.n_cut_samples and ends_sentence(u.said):
                    self._finals[int(u.text_ids[-1])] += 1
                self._look(talk, u, barged.get(index), slots)

    def _look(
        self, talk: AuditedConversation, u: Spoken, barge_in: int | None, slots: dict[int, NDArray[np.int32]]
    ) -> None:
        chunk = talk.clocks.hop_samples * talk.clocks.n_speech
        moment = u.end_samples - 1 if barge_in is None else barge_in
        seen = [slots[k] for k in range(u.start_samples // chunk, moment // chunk) if k in slots]
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
        base = share(n_interrupted, n)
        precision = share(len(hits), len(marked)) if marked else base
        recall, alarms = len(hits) / max(n_interrupted, 1), (len(marked) - len(hits)) / max(n - n_interrupted, 1)
        return Finding(
            "interruption_from_text",
            "'The assistant's text has ended in mid-sentence' predicts that the user is about to barge in.",
            precision,
            n,
            base,
            None if base is None else min(base + _MARGIN, 1.0),
            self._verdict(precision, base, len(marked), recall - alarms, n_interrupted),
            first([t.example for t in hits]),
            {"recall": recall, "false_alarms": alarms, "n_interrupted": n_interrupted, "n_predicted": len(marked)},
        )

    @staticmethod
    def _verdict(
        precision: float | None, base: float | None, n_marked: int, lift: float, n_interrupted: int
    ) -> Verdict:
        if precision is None or base is None or not n_interrupted:
            return "not applicable"
        if n_interrupted < _N_LEAST:
            return "not enough data"
        beyond = precision > base + _MARGIN + standard_error(base, n_marked)
        return "fail" if beyond and lift > _MARGIN / 2 else "pass"
