"""Augmented conversations: roles exchanged, another speed, or noise in the user's channel.

Sound, utterances, words and events change together. Codes of speech do not fit the new sound, so they
are gone; formats of tokens refuse augmentation.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from datagen.errors import DatagenError
from datagen.records import CHANNEL, Event, Mixing, Role, Spoken, StoredCall, Streams, Word
from datagen.seeds import rng
from datagen.shards.chunks import speaks

_OTHER: dict[Role, Role] = {"user": "assistant", "assistant": "user"}
_EITHER = frozenset(
    ("gap", "overlapping_end", "overlap", "barge_in", "competition", "next_turn", "backchannel", "false_start")
) | {"hesitation", "correction", "failed_barge_in"}
"""Kinds of events that either speaker may cause."""
_T = TypeVar("_T", Spoken, Word, Event, StoredCall)
_NO_CODES = np.zeros(0, np.uint16)
_WINDOW_S = 0.02
_QUIETEST = 1e-6


def augmentation(settings: list[str]) -> dict[str, object]:
    """Values of a convention from `swap`, `speed=FACTOR` and `noise=DB`.

    Raises:
        DatagenError: If one has another form.

    >>> augmentation(["swap", "speed=0.9", "noise=15"])
    {'swap': True, 'speed': 0.9, 'noise_db': 15.0}
    """
    found: dict[str, object] = {}
    for setting in settings:
        name, _, text = setting.partition("=")
        try:
            value = float(text) if text else None
        except ValueError:
            value = None
        if setting == "swap":
            found["swap"] = True
        elif name == "speed" and value is not None and 0.5 <= value <= 2:
            found["speed"] = value
        elif name == "noise" and value is not None and -10 <= value <= 60:
            found["noise_db"] = value
        else:
            raise DatagenError(f"--augment {setting!r}: write swap, speed=0.5 to 2, or noise=-10 to 60 (dB)")
    return found


def cannot_swap(streams: Streams) -> str:
    """The reason for which the speakers of a conversation cannot exchange roles; empty if they can.

    >>> cannot_swap(Streams("tea", system="Be brief."))
    "a prompt or a tool belongs to the assistant's role"
    """
    if streams.system or streams.voice_prompt or streams.tool_calls:
        return "a prompt or a tool belongs to the assistant's role"
    if replace(streams.mixing, user_gain_db=0.0, assistant_gain_db=0.0) != Mixing():
        return "the user's channel has noise or other sounds, which an assistant must not learn to make"
    if any(event.kind not in _EITHER for event in streams.events):
        return "an event that only one role may cause"
    return ""


def swapped(streams: Streams) -> Streams:
    """A conversation with the roles exchanged in its utterances and events."""
    mixing = streams.mixing
    return _without_codes(
        replace(
            streams,
            dialogue_id=f"{streams.dialogue_id}~swap",
            utterances=tuple(replace(u, role=_OTHER[u.role]) for u in streams.utterances),
            events=tuple(replace(event, role=_OTHER[event.role]) for event in streams.events),
            mixing=replace(mixing, user_gain_db=mixing.assistant_gain_db, assistant_gain_db=mixing.user_gain_db),
        )
    )


def at_speed(streams: Streams, speed: float) -> Streams:
    """A conversation with all its times at another speed.

    Args:
        streams: The conversation.
        speed: Above 1 it is faster.

    >>> at_speed(Streams("tea", n_samples=48_000), 0.8).n_samples
    60000
    """

    def at(samples: int) -> int:
        return scaled(samples, speed)

    mixing = streams.mixing
    period, delay = mixing.drift_period_samples, mixing.echo_delay_samples
    return _without_codes(
        replace(
            streams,
            dialogue_id=f"{streams.dialogue_id}~speed{speed:g}",
            n_samples=at(streams.n_samples),
            utterances=tuple(_utterance_at(u, at) for u in streams.utterances),
            events=tuple(_between(event, at) for event in streams.events),
            tool_calls=tuple(_between(call, at) for call in streams.tool_calls),
            mixing=replace(
                mixing,
                drift_period_samples=None if period is None else at(period),
                echo_delay_samples=None if delay is None else at(delay),
            ),
        )
    )


def scaled(samples: int, speed: float) -> int:
    """A number of samples at another speed.

    >>> scaled(9, 0.9)
    10
    """
    return round(samples / speed)


def _utterance_at(u: Spoken, at: Callable[[int], int]) -> Spoken:
    return replace(
        _between(u, at),
        n_cut_samples=at(u.n_cut_samples),
        offset_samples=at(u.offset_samples),
        words=tuple(_between(word, at) for word in u.words),
        id_starts_samples=np.array([at(start) for start in u.id_starts_samples.tolist()], np.int32),
    )


def _between(record: _T, at: Callable[[int], int]) -> _T:
    return replace(record, start_samples=at(record.start_samples), end_samples=at(record.end_samples))


def _without_codes(streams: Streams) -> Streams:
    return replace(
        streams,
        user_codes=_NO_CODES,
        assistant_codes=_NO_CODES,
        utterances=tuple(replace(u, rest_codes=_NO_CODES, rest_start_frames=None) for u in streams.utterances),
        voice_prompt=None,
    )


def with_noise(streams: Streams, snr_db: float) -> Streams:
    """A conversation whose user's channel gets noise of a level; nothing else of it changes.

    >>> with_noise(Streams("tea"), 15).dialogue_id
    'tea~noise15'
    """
    return _without_codes(replace(streams, dialogue_id=f"{streams.dialogue_id}~noise{snr_db:g}"))


def noisy(samples: NDArray[np.int16], rate_hz: int, streams: Streams, snr_db: float) -> NDArray[np.int16]:
    """The sound of a conversation with generated noise in the user's channel.

    The kind of noise and the noise itself are drawn by a key of the dialogue. If it becomes too loud for 16 bits, it
    is clipped.

    Args:
        samples: int16 [n_samples, 2], left the user.
        rate_hz: Its sample rate.
        streams: The conversation, in the times of the sound.
        snr_db: Level of the user's speech against the noise.
    """
    from datagen.engines.noise.noise import GeneratedNoise

    chance = rng(0, streams.dialogue_id, "augment", "noise")
    supply, user = GeneratedNoise(rate_hz), samples[:, CHANNEL["user"]].astype(np.float32)
    window = round(_WINDOW_S * rate_hz)
    heard = speaks(streams, "user", window)
    windows = user[: len(heard) * window].reshape(len(heard), window)[heard]
    level = _rms(windows) if len(windows) else 0.0
    noise = supply.take(str(chance.choice(supply.kinds())), chance, len(user))
    made = user + noise * np.float32(level * 10 ** (-snr_db / 20) / max(_rms(noise), _QUIETEST))
    found = samples.copy()
    found[:, CHANNEL["user"]] = np.rint(np.clip(made, -32768, 32767)).astype(np.int16)
    return found


def _rms(samples: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
