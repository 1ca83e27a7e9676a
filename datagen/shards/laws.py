"""The laws of time and tokens that every stored conversation keeps.

- No time is negative or outside the conversation, and no role overlaps itself.
- Words lie within their utterance; said and unsaid text together are the scripted text.
- Every event lies at its utterance; no utterance is cut or left out without an event.
- Only events of recordings are derived.
- A call of a tool begins where the words before it end; the assistant says nothing before its result.
- A barge-in leaves words of the other unsaid, unless it is derived; a marked one starts at the end of a word.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from datagen.clock import ceil_div
from datagen.records import EVENTS, FAMILIES, FLOOR, KINDS, Event, Spoken, Streams, Word
from datagen.text.phrases import places, units

_BEFORE = frozenset(("gap", "hesitation", "user_silent", "waiting"))
"""Events that end where their utterance starts."""
_FROM_START = frozenset(("overlapping_end", "barge_in", "competition", *FAMILIES))
"""Events that begin where their utterance starts."""
_BESIDE = frozenset(("backchannel", "false_start", "failed_barge_in", "aside"))
_WHOLE = _BESIDE | {"prompt", "call_held", "call_cancelled"}
"""Events as long as their utterance."""


def conversation_faults(s: Streams, hop: int, sizes: Sequence[int]) -> Iterator[str]:
    """The violations of the laws of time and tokens in one conversation.

    Args:
        s: The conversation.
        hop: Samples per frame.
        sizes: Number of codes of each codebook.
    """
    if len(s.user_codes) != len(s.assistant_codes):
        yield f"{len(s.user_codes)} user codes, {len(s.assistant_codes)} assistant codes"
    if len(s.user_codes) * hop != s.n_samples * len(sizes):
        yield f"{len(s.user_codes)} codes of {hop} samples are not {s.n_samples} samples of {len(sizes)} codebooks"
    for codes in (s.user_codes, s.assistant_codes):
        yield from _outside(codes, sizes)
    ends = {"user": 0, "assistant": 0}
    for index, u in enumerate(s.utterances):
        if u.start_samples < ends[u.role]:
            yield f"utterance {index}: the {u.role} overlaps itself"
        ends[u.role] = u.end_samples
        yield from (f"utterance {index}: {fault}" for fault in _utterance_faults(u, s.n_samples))
        yield from (f"utterance {index}: {fault}" for fault in _rest_faults(u, hop, sizes))
    for event in s.events:
        yield from (f"event {event.kind}: {fault}" for fault in _event_faults(event, s))
    yield from _unnoted(s)
    yield from _call_faults(s)
    if s.voice_prompt is not None:
        yield from _outside(s.voice_prompt.codes, sizes, " of its voice prompt")
    if s.scripted_by == "marks":
        yield from _beside_words(s)


def _utterance_faults(u: Spoken, n_samples: int) -> Iterator[str]:
    if u.kind not in KINDS:
        yield f"{u.kind!r} is no kind of utterance"
    if not 0 <= u.start_samples <= u.end_samples <= n_samples:
        yield "it lies outside the conversation"
    at = u.start_samples
    for word in u.words:
        if not at <= word.start_samples <= word.end_samples <= u.end_samples:
            yield f"word {word.text!r} lies outside it or before the word before"
        at = word.start_samples
    try:
        places(u.words, u.said)
    except ValueError as error:
        yield f"{len(u.words)} word times for {len(u.said.split())} words: {error}"
    starts, n_ids = u.id_starts_samples, len(u.spoken_ids) or len(u.text_ids)
    if len(starts) > n_ids:
        yield f"{len(starts)} ids with a start of {n_ids} ids"
    if len(starts) and not (
        starts[0] >= 0 and (np.diff(starts) >= 0).all() and starts[-1] < u.end_samples - u.start_samples
    ):
        yield "the starts of its ids are not in order within it"
    if "".join(f"{u.said} {u.unsaid}".split()) != "".join(u.spoken.split()):  # Chinese is cut within its only word
        yield "said and unsaid together are not what was scripted"


def _outside(codes: NDArray[np.uint16], sizes: Sequence[int], of: str = "") -> Iterator[str]:
    """Codes that their codebook does not have."""
    for codebook, size in enumerate(sizes):
        found = codes[codebook :: len(sizes)]
        if len(found) and int(found.max()) >= size:
            yield f"code {int(found.max())}{of} is outside the codebook of {size}"


def _rest_faults(u: Spoken, hop: int, sizes: Sequence[int]) -> Iterator[str]:
    """Faults in the codes of the part of a take that was cut."""
    if not len(u.rest_codes):
        return
    if u.kind not in FLOOR or not u.n_cut_samples or u.rest_start_frames is None:
        yield "it has the rest of a take and was not cut"
        return
    if not u.start_samples // hop <= u.rest_start_frames <= u.end_samples // hop:
        yield f"its rest begins in frame {u.rest_start_frames}, outside it"
    n_frames = ceil_div(u.end_samples + u.n_cut_samples, hop) - u.rest_start_frames
    if len(u.rest_codes) != n_frames * len(sizes):
        yield f"{len(u.rest_codes)} codes are not the {n_frames} frames of its rest"
    yield from _outside(u.rest_codes, sizes, " of its rest")


def _call_faults(s: Streams) -> Iterator[str]:
    """Faults of calls of tools, of their events, and of an answer before a result."""
    noted = sorted((e.utterance, e.start_samples, e.end_samples) for e in s.events if e.kind == "tool_call")
    if noted != sorted((c.utterance, c.start_samples, c.end_samples) for c in s.tool_calls):
        yield "the events tool_call are not its calls of tools"
    for k, call in enumerate(s.tool_calls):
        if not 0 <= call.utterance < len(s.utterances) or s.utterances[call.utterance].role != "assistant":
            yield f"call {k}: utterance {call.utterance} is none of the assistant"
            continue
        u = s.utterances[call.utterance]
        if u.end_samples != call.start_samples or call.end_samples < call.start_samples:
            yield f"call {k}: it does not begin where utterance {call.utterance} ends"
        if call.cancelled and (call.result or len(call.result_ids)):
            yield f"call {k}: it was cancelled and has a result"
        later = (u for u in s.utterances if u.role == "assistant" and u.end_samples > u.start_samples)
        if any(call.start_samples < u.end_samples and u.start_samples < call.end_samples for u in later):
            yield f"call {k}: the assistant speaks before its result"


def _event_faults(e: Event, s: Streams) -> Iterator[str]:
    if e.kind not in EVENTS:
        yield "that is no kind of event"
    if e.derived and s.scripted_by != "recorded":
        yield "it is derived, and the conversation is no recording"
    if not 0 <= e.start_samples <= e.end_samples <= s.n_samples:
        yield "it lies outside the conversation"
    if not -1 <= e.utterance < len(s.utterances):
        yield f"there is no utterance {e.utterance}"
    elif e.placed and e.utterance >= 0:
        u = s.utterances[e.utterance]
        starts, ends = e.start_samples == u.start_samples, e.end_samples == u.end_samples
        meets = e.end_samples == u.start_samples
        inside = u.start_samples <= e.start_samples and e.end_samples <= u.end_samples
        apart = (e.kind in _BEFORE and not meets) or (e.kind in _FROM_START and not starts)
        apart |= (e.kind == "correction" and not inside) or (e.kind == "barge_in" and e.end_samples > u.end_samples)
        if apart or (e.kind in _WHOLE and not (starts and ends)):
            yield f"it does not lie where utterance {e.utterance} does"


def _unnoted(s: Streams) -> Iterator[str]:
    """Utterances that are cut, or overlapping ones that are left out, without an event."""
    beside = Counter(e.utterance for e in s.events if e.kind in _BESIDE)
    placed = {e.utterance for e in s.events if e.kind in _BESIDE and e.placed}
    stops = {(e.role, e.end_samples) for e in s.events if e.kind == "barge_in" and e.placed and not e.derived}
    cuts = {(u.role, u.end_samples) for u in s.utterances if u.unsaid and u.kind in FLOOR}
    for role, end in stops:
        if not any(cut != role and at == end for cut, at in cuts):
            yield f"event barge_in of the {role}: it leaves no word unsaid"
    for index, u in enumerate(s.utterances):
        if u.kind not in FLOOR:
            if beside[index] != 1 or (index in placed) != (u.end_samples > u.start_samples):
                yield f"utterance {index}: no event says whether its {u.kind} is heard"
        elif u.n_cut_samples and not any(role != u.role and end == u.end_samples for role, end in stops):
            yield f"utterance {index}: it is cut where no barge-in ends"


def _beside_words(s: Streams) -> Iterator[str]:
    """Barge-ins that do not start at the end of a word.

    Within a word is allowed in Chinese without a time per character.
    """
    for e in s.events:
        if e.kind == "barge_in" and e.placed and 0 <= e.utterance < len(s.utterances):
            other = next((u for u in reversed(s.utterances[: e.utterance]) if u.kind in FLOOR), None)
            silent_before = other is not None and e.start_samples == other.start_samples  # words without sound
            if other is None or not (
                silent_before or any(_ends_at(word, e.start_samples, other) for word in other.words)
            ):
                yield f"event barge_in: utterance {e.utterance} does not start where a word of the other ends"


def _ends_at(word: Word, samples: int, u: Spoken) -> bool:
    follows = u.spoken[len(u.said) : len(u.said) + 1]
    is_part = bool(u.unsaid) and not follows.isspace() and word == u.words[-1]
    inside = word.start_samples < samples < word.end_samples and (is_part or len(units(word.text)) > 1)
    return inside or word.end_samples == samples
