"""Wrong reactions of the assistant to an event, made from the same takes, placed otherwise.

    talks_on        the user takes the floor, and the assistant says the rest of its interrupted take
    answers_pause   the user pauses within a turn, and the assistant begins the answer that it gave later
    stops           the assistant falls silent at something that claims no floor, such as `mm-hm`

A wrong reaction is a conversation that is the same up to a frame. It needs no TTS: the rest of an
interrupted take and all other speech are stored as codes. Where the assistant falls silent, it does
so at the end of a word and the end of a frame, without a fade.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from datagen.clock import ceil_div
from datagen.records import FLOOR, HARD_NEGATIVES, Event, Role, Spoken, Streams
from datagen.seeds import rng

REACTIONS = ("talks_on", "answers_pause", "stops")
IGNORED = frozenset(kind for kind, role in HARD_NEGATIVES if role == "user") - {"hesitation", "waiting", "user_silent"}
"""Kinds of the user's events at which a speaking assistant must not stop."""
_HORIZON_S = 4.0
"""Longest time for which both reactions are compared."""
_LEAST_S = 0.4
"""Shortest time for which they must differ."""
_STOP_S = 0.2, 0.6
"""Time from the start of an event to a wrong stop, which comes at the end of the next word."""


@dataclass(frozen=True)
class Sounds:
    """The values of a build by which reactions are placed."""

    sample_rate_hz: int
    hop_samples: int
    silence_codes: tuple[int, ...]

    def frames(self, seconds: float) -> int:
        """A time in frames, rounded up.

        >>> Sounds(24_000, 1_920, (0,)).frames(0.4)
        5
        """
        return ceil_div(round(seconds * self.sample_rate_hz), self.hop_samples)


@dataclass(frozen=True)
class WrongReaction:
    """A conversation with a wrong reaction."""

    reaction: str
    """One of REACTIONS."""
    event: int
    """Index in `events`."""
    streams: Streams
    """The conversation. Only its speech codes, and times and ids of utterances are those of the wrong reaction."""
    first: int
    """The first frame that differs."""
    last: int
    """The frame at which the comparison ends: both are about the same event until there."""


def wrong_reactions(streams: Streams, sounds: Sounds) -> Iterator[WrongReaction]:
    """All wrong reactions for which a conversation has the takes, in the order of its events.

    Args:
        streams: The conversation.
        sounds: Values of its build.
    """
    for index, event in enumerate(streams.events):
        if event.role != "user" or not event.placed or (make := _makers(event.kind)) is None:
            continue
        found = make(streams, event, sounds)
        if found and found[1] - found[0].first >= sounds.frames(_LEAST_S):
            placed, last = found
            yield WrongReaction(placed.reaction, index, _with(streams, placed, sounds), placed.first, last)


@dataclass(frozen=True)
class _Placed:
    """An utterance of the assistant as it is placed for a wrong reaction."""

    reaction: str
    index: int
    spoken: Spoken
    first: int
    """The first frame that differs."""
    codes: NDArray[np.uint16]
    """The assistant's codes from there on, [n_frames, n_codebooks]; silence follows."""


_Maker = Callable[[Streams, Event, Sounds], tuple[_Placed, int] | None]


def _makers(kind: str) -> _Maker | None:
    if kind == "barge_in":
        return _talks_on
    if kind == "hesitation":
        return _answers_pause
    return _stops if kind in IGNORED else None


def _talks_on(streams: Streams, event: Event, sounds: Sounds) -> tuple[_Placed, int] | None:
    """The rest of the take that the user interrupts."""
    found = next(
        (
            (k, u)
            for k, u in enumerate(streams.utterances)
            if _is_floor(u, "assistant") and u.end_samples == event.end_samples and len(u.rest_codes)
        ),
        None,
    )
    if found is None:
        return None
    index, u = found
    codes = _frames(u.rest_codes, sounds)
    first = _rest_first(u, sounds)
    last = min(first + len(codes), _end(streams, first, index, sounds, ("assistant",)))
    return _Placed("talks_on", index, _whole(u, sounds), first, codes), last


def _answers_pause(streams: Streams, event: Event, sounds: Sounds) -> tuple[_Placed, int] | None:
    """The answer to the turn, begun in a pause of it: after the gap of the answer if that fits, else half-way."""
    floor = [(k, u) for k, u in enumerate(streams.utterances) if u.kind in FLOOR and u.end_samples > u.start_samples]
    own = [(k, u) for k, u in floor if u.role == "assistant" and u.end_samples > event.start_samples]
    if not own or own[0][1].start_samples < event.end_samples:
        return None
    index, u = own[0]
    turn_end = max(v.end_samples for _, v in floor if v.role == "user" and v.start_samples < u.start_samples)
    pause, gap = event.end_samples - event.start_samples, u.start_samples - turn_end
    first = (event.start_samples + (gap if 0 < gap < pause else pause // 2)) // sounds.hop_samples
    before = u.start_samples // sounds.hop_samples
    earlier, whole = (before - first) * sounds.hop_samples, _whole(u, sounds)
    moved = replace(whole, start_samples=whole.start_samples - earlier, end_samples=whole.end_samples - earlier)
    heard = _frames(streams.assistant_codes, sounds)[before : _rest_first(u, sounds)]
    codes = np.concatenate([heard, _frames(u.rest_codes, sounds)])
    last = min(first + len(codes), before, _end(streams, first, index, sounds, ("assistant",)))
    return _Placed("answers_pause", index, moved, first, codes), last


def _stops(streams: Streams, event: Event, sounds: Sounds) -> tuple[_Placed, int] | None:
    """The utterance during which the event happens, cut at the end of a word."""
    found = next(
        (
            (k, u)
            for k, u in enumerate(streams.utterances)
            if _is_floor(u, "assistant") and u.start_samples <= event.start_samples < u.end_samples
        ),
        None,
    )
    if found is None:
        return None
    index, u = found
    chance = rng(0, streams.dialogue_id, "wrong stop", event.kind, event.start_samples)
    at = event.start_samples + round(chance.uniform(*_STOP_S) * sounds.sample_rate_hz)
    stop = next((word.end_samples for word in u.words if word.end_samples >= at), u.end_samples)
    if any(
        _is_floor(v, "user") and v.start_samples < stop and event.start_samples < v.end_samples
        for v in streams.utterances
    ):
        return None  # the user speaks by right by then, so stopping may be right
    first = ceil_div(stop, sounds.hop_samples)
    last = min(ceil_div(u.end_samples, sounds.hop_samples), _end(streams, first, index, sounds, ("user", "assistant")))
    n_said = int(np.searchsorted(u.id_starts_samples, stop - u.start_samples))
    cut = replace(
        u,
        text_ids=_ids(u)[:n_said],
        spoken_ids=_ids(u),
        end_samples=stop,
        n_cut_samples=u.n_cut_samples + u.end_samples - stop,
        id_starts_samples=u.id_starts_samples[:n_said],
    )
    return _Placed("stops", index, cut, first, np.zeros((0, len(sounds.silence_codes)), np.uint16)), last


def _with(streams: Streams, placed: _Placed, sounds: Sounds) -> Streams:
    """A conversation with an utterance placed anew, after which the assistant begins nothing else."""
    channel = _frames(streams.assistant_codes, sounds).copy()
    channel[placed.first :] = sounds.silence_codes
    n = min(len(placed.codes), len(channel) - placed.first)
    channel[placed.first : placed.first + n] = placed.codes[:n]
    since = placed.first * sounds.hop_samples
    unheard = (
        replace(u, end_samples=u.start_samples) if u.role == "assistant" and u.start_samples >= since else u
        for u in streams.utterances
    )
    utterances = tuple(placed.spoken if k == placed.index else u for k, u in enumerate(unheard))
    calls = tuple(call for call in streams.tool_calls if call.start_samples < since)
    return replace(streams, assistant_codes=channel.reshape(-1), utterances=utterances, tool_calls=calls)


def _end(streams: Streams, first: int, index: int, sounds: Sounds, roles: tuple[Role, ...]) -> int:
    """The frame at which a comparison from a frame on ends, at the latest when one of some roles takes the floor."""
    starts = (
        u.start_samples // sounds.hop_samples
        for k, u in enumerate(streams.utterances)
        if k != index and u.role in roles and _is_floor(u, u.role)
    )
    n_frames = len(streams.assistant_codes) // len(sounds.silence_codes)
    return min([*(start for start in starts if start >= first), first + sounds.frames(_HORIZON_S), n_frames])


def _is_floor(u: Spoken, role: str) -> bool:
    return u.role == role and u.kind in FLOOR and u.end_samples > u.start_samples


def _frames(codes: NDArray[np.uint16], sounds: Sounds) -> NDArray[np.uint16]:
    return codes.reshape(-1, len(sounds.silence_codes))


def _ids(u: Spoken) -> NDArray[np.int32]:
    """Ids of its whole text."""
    return u.spoken_ids if len(u.spoken_ids) else u.text_ids


def _rest_first(u: Spoken, sounds: Sounds) -> int:
    """The frame from which its rest replaces its codes; the end of an utterance without a rest."""
    end = ceil_div(u.end_samples, sounds.hop_samples)
    return end if u.rest_start_frames is None or not len(u.rest_codes) else u.rest_start_frames


def _whole(u: Spoken, sounds: Sounds) -> Spoken:
    """An utterance as if it had not been interrupted. Times of words that nobody heard are spread evenly."""
    if not len(u.rest_codes):
        return replace(u, n_cut_samples=0)
    end = max(u.end_samples, (_rest_first(u, sounds) + len(_frames(u.rest_codes, sounds))) * sounds.hop_samples)
    n_unheard = len(_ids(u)) - len(u.id_starts_samples)
    spread = np.linspace(u.end_samples, end, n_unheard, endpoint=False) - u.start_samples
    return replace(
        u,
        text_ids=_ids(u),
        spoken_ids=_ids(u)[:0],
        end_samples=end,
        n_cut_samples=0,
        rest_codes=u.rest_codes[:0],
        rest_start_frames=None,
        id_starts_samples=np.concatenate([u.id_starts_samples, spread.astype(np.int32)]),
    )
