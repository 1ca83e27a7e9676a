"""How much of what is heard, recognized and spoken is a handful of words from a list?"""

from collections import Counter
from dataclasses import dataclass, field

from datagen.audit.finding import Example, Finding, first, share, verdict
from datagen.audit.talk import AuditedConversation, RowTokens
from datagen.records import Spoken

_LIMIT = 0.1
_N_LEAST = 20
_OWN = frozenset(("turn", "resumption"))
_TASKS = ("asr", "tts")


@dataclass
class CannedTokens:
    """Counts utterances that no dialogue has: listener tokens, fillers, inserts and the like, in all and in rows."""

    _heard: Counter[bool] = field(default_factory=Counter)
    _rows: dict[str, Counter[bool]] = field(default_factory=lambda: {task: Counter() for task in _TASKS})
    _texts: Counter[tuple[str, str]] = field(default_factory=Counter)
    _where: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, talk: AuditedConversation) -> None:
        """Count the utterances of a conversation, and its rows by the utterance that each was made of."""
        canned = canned_of(talk.streams.utterances)
        for u, is_canned in zip(talk.streams.utterances, canned, strict=True):
            if u.end_samples > u.start_samples:
                self._heard[is_canned] += 1
                if is_canned:
                    self._texts[u.kind, u.said] += 1
                    self._where.setdefault((u.kind, u.said), talk.id)
        for task in _TASKS:
            for row in talk.rows.get(task, ()):
                index = utterance_of(row, talk)
                if index is not None:
                    self._rows[task][canned[index]] += 1

    def finding(self) -> Finding:
        """The larger of the shares in asr and tts rows, against the share of what is heard."""
        shares = {task: share(counts[True], counts.total()) for task, counts in self._rows.items()}
        task = max(_TASKS, key=lambda name: shares[name] or 0.0)
        n, heard = self._rows[task].total(), share(self._heard[True], self._heard.total())
        examples = [
            Example(self._where[key], f"{key[0]} {key[1]!r}: {count} times")
            for key, count in self._texts.most_common(8)
        ]
        return Finding(
            "canned_tokens",
            "Rows of asr or tts hold listener tokens, fillers and the like; by chance as often as heard.",
            shares[task],
            n,
            heard,
            _LIMIT,
            verdict(shares[task], n, _LIMIT, _N_LEAST),
            first(examples),
            {**{name: value for name, value in shares.items() if value is not None}, "heard": heard or 0.0},
        )


def canned_of(utterances: tuple[Spoken, ...]) -> list[bool]:
    """Which utterances hold no words of the dialogue: by kind, or openers and prompts, which have no written text."""
    written, found = set[tuple[str, int]](), list[bool]()
    for u in utterances:
        if u.text:
            written.add((u.role, u.turn))
        found.append(u.kind not in _OWN or (u.kind == "turn" and (u.role, u.turn) not in written))
    return found


def utterance_of(row: RowTokens, talk: AuditedConversation) -> int | None:
    """Index of the utterance that a row of asr or tts was made of: it begins in the row's frame; None if none does."""
    hop = talk.clocks.hop_samples
    found = [
        index
        for index, u in enumerate(talk.streams.utterances)
        if u.end_samples > u.start_samples and u.start_samples // hop == row.start_frames
    ]
    same = [k for k in found if len(talk.streams.utterances[k].text_ids) == row.n_text_tokens]
    return next(iter(same or found), None)
