"""Rows of `asr` and `tts`: one per utterance."""

from collections.abc import Iterator

import numpy as np

from datagen import seeds
from datagen.pipeline.flatten.row_format import RowFormat, row_of
from datagen.records import KINDS, Row
from datagen.shards.chunks import ChunkedConversation, joined

_CANNED = frozenset(KINDS) - {"turn", "resumption"}
"""Kinds of utterances whose words come from a list, not from the dialogue."""


def rows(f: RowFormat, talk: ChunkedConversation, task: str) -> Iterator[Row]:
    """Rows `[ASR][SOS] speech [EOS][SOT] text [EOT]` and the reverse for TTS, one per utterance.

    An utterance too long for a row has none: a cut one would pair speech with text of other words.
    """
    v, r = f.vocabulary, f.recipe
    roles = r.asr_roles if task == "asr" else r.tts_roles
    found = [u.whole() if r.alignment_takes == "whole" else u for u in talk.utterances]
    fitting = {
        index: u
        for index, u in enumerate(found)
        if u.role in roles and len(u.ids) and len(u.ids) + u.speech.size + 5 <= r.max_alignment_tokens
    }
    n_canned = sum(u.kind in _CANNED for u in fitting.values())
    share = kept_share(n_canned, len(fitting) - n_canned, r.max_canned_share)
    for index, u in fitting.items():
        if u.kind in _CANNED and seeds.fraction("canned", talk.streams.dialogue_id, index) >= share:
            continue
        speech = [v["<|sos|>"]], u.speech, [v["<|eos|>"]]
        text = [v["<|sot|>"]], u.ids, [v["<|eot|>"]]
        prompt, target = (speech, text) if task == "asr" else (text, speech)
        ids = joined([v[f"<|{task}|>"]], *prompt, *target)
        mask = np.arange(len(ids)) >= len(ids) - target[1].size - 1  # the target and its end marker
        yield row_of(talk, task, index, ids=ids, mask=mask, frames=(u.first, u.last), n_text=len(u.ids))


def kept_share(n_canned: int, n_others: int, most: float) -> float:
    """Probability of keeping a canned utterance, so that canned ones stay below a share of all kept.

    A function of one conversation: the share holds in expectation, not in each conversation.

    Args:
        n_canned: Number of canned utterances.
        n_others: Number of other utterances, all of which are kept.
        most: Largest share of canned ones among the kept utterances, from 0 to 1.

    >>> kept_share(38, 19, 0.05), kept_share(1, 19, 0.05), kept_share(3, 0, 0.05), kept_share(3, 0, 1)
    (0.026315789473684213, 1.0, 0.0, 1.0)
    """
    if n_canned * (1 - most) <= n_others * most:
        return 1.0
    return n_others * most / (n_canned * (1 - most))
