"""Does a half-duplex row pair a text that stops in mid-sentence with its cut speech?"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from datagen.audit.finding import Example, Finding, first, share, verdict
from datagen.audit.talk import AuditedConversation, ends_sentence, turns
from datagen.shards.vocab import Vocabulary

_LIMIT = 0.0


@dataclass
class HalfTexts:
    """Looks in four_stream for texts that are the heard part of a turn which ends in mid-sentence."""

    _n: int = 0
    _found: list[Example] = field(default_factory=list)

    def add(self, talk: AuditedConversation) -> None:
        """Compare the texts of a conversation's rows with the heard parts of its cut turns."""
        rows = talk.rows.get("four_stream")
        if not rows:
            return
        cut: dict[tuple[int, ...], str] = {}
        for pieces in turns(talk):
            said, unsaid = pieces[-1].said, pieces[-1].unsaid
            if unsaid and ends_sentence(f"{said} {unsaid}") and not ends_sentence(said):
                for n in range(1, len(pieces) + 1):
                    ids = np.concatenate([p.text_ids for p in pieces[-n:]])
                    cut[tuple(ids.tolist())] = f"{said[-60:]!r}, of which {unsaid[:60]!r} is missing"
        cut.pop((), None)
        ids = np.concatenate([row.input_ids for row in rows])
        for text in texts(ids, talk.clocks.vocabulary):
            self._n += 1
            if (missing := cut.get(tuple(text.tolist()))) is not None:
                self._found.append(Example(talk.id, missing))

    def finding(self) -> Finding:
        """Share of texts that stop in mid-sentence."""
        score = share(len(self._found), self._n)
        return Finding(
            "half_texts",
            "A text of four_stream, which has no interruptions, stops in mid-sentence where one cut its turn.",
            score,
            self._n,
            None,
            _LIMIT,
            verdict(score, self._n, _LIMIT),
            first(self._found),
        )


def texts(ids: NDArray[np.int32], vocabulary: Vocabulary) -> list[NDArray[np.int32]]:
    """The texts between `<|sot|>` and `<|eot|>`, in order.

    >>> v = Vocabulary(10, 20, 40, 4)
    >>> [t.tolist() for t in texts(np.array([v["<|sot|>"], 3, 4, v["<|eot|>"], 41, v["<|sot|>"], v["<|eot|>"]]), v)]
    [[3, 4], []]
    """
    begins, ends = np.flatnonzero(ids == vocabulary["<|sot|>"]), np.flatnonzero(ids == vocabulary["<|eot|>"])
    found = []
    for begin in begins.tolist():
        at = int(np.searchsorted(ends, begin))
        if at < len(ends):
            found.append(ids[begin + 1 : int(ends[at])])
    return found
