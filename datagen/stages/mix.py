"""Timeline → Conversation: int16 [2, n_samples], levels set, noise in the user's channel."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datagen import seeds
from datagen.engines.base import Audio, Loop, Noise
from datagen.recipe import Level
from datagen.recipe import Mix as MixRecipe
from datagen.records import CHANNEL, Conversation, Mixing, Reject, Role, Timeline
from datagen.units import ms_to_samples

_FULL_SCALE = 32767
_BLOCK_SAMPLES = 1 << 16
"""Samples mixed at a time: 256 KiB of float32 stay in the cache however long the conversation is."""


Segments = list[tuple[int, Audio]]
"""Where each stretch of one speaker's audio starts, in order, without overlap."""


class Mix:
    """Mix both channels. The assistant's stays clean; where it is silent it is digital silence.

    The SNR is the power of the user's speech over the time it is heard, against the power of the noise over
    the whole channel. Turning a channel down to avoid clipping turns speech and noise down alike.
    """

    def __init__(
        self, recipe: MixRecipe, noises: Sequence[Noise], sample_rate_hz: int, fade_ms: float, run_seed: int
    ) -> None:
        """Take the levels, one noise engine per source of the recipe, the clock, the fade and the seed."""
        self._recipe, self._noises, self._rate, self._seed = recipe, noises, sample_rate_hz, run_seed
        self._fade = ms_to_samples(fade_ms, sample_rate_hz)
        weights = np.cumsum([source.weight for source in recipe.noise])
        self._shares = weights / weights[-1] if len(weights) else weights

    def __call__(self, batch: Sequence[Timeline]) -> list[Conversation | Reject]:
        """Mix each conversation."""
        return [self._mix(timeline) for timeline in batch]

    def _mix(self, timeline: Timeline) -> Conversation:
        dialogue_id = timeline.takes.script.dialogue.id
        user = _Speech.of(self._segments(timeline, "user"))
        assistant = _Speech.of(self._segments(timeline, "assistant"))
        user_gain = self._gain(user, self._recipe.user_level, dialogue_id, "user")
        assistant_gain = self._gain(assistant, self._recipe.assistant_level, dialogue_id, "assistant")
        kind, snr_db, noise = self._noise(dialogue_id)
        noise_gain = noise_peak = 0.0
        if noise is not None and snr_db is not None:
            noise_gain = (
                user_gain * float(np.sqrt(user.power / power_of(noise, timeline.n_samples))) * 10 ** (-snr_db / 20)
            )
            noise_peak = _peak(noise.audio) * noise_gain
        down = self._headroom(user.peak * user_gain + noise_peak)
        user_gain, noise_gain = user_gain * down, noise_gain * down
        assistant_gain *= self._headroom(assistant.peak * assistant_gain)
        audio = np.zeros((2, timeline.n_samples), np.int16)
        if noise is None:
            _render_clean(audio[CHANNEL["user"]], user.segments, user_gain)
        else:
            _render_noisy(audio[CHANNEL["user"]], user.segments, user_gain, noise, noise_gain)
        _render_clean(audio[CHANNEL["assistant"]], assistant.segments, assistant_gain)
        return Conversation(timeline, audio, Mixing(kind, snr_db, _db(user_gain), _db(assistant_gain)))

    def _segments(self, timeline: Timeline, role: Role) -> Segments:
        """Start and audio of what one speaker is heard saying, interrupted takes faded out."""
        segments = []
        for utterance, take, placed in zip(
            timeline.takes.script.utterances, timeline.takes.takes, timeline.placed, strict=True
        ):
            if utterance.role == role and placed.end_samples > placed.start_samples:
                heard = take.audio[: placed.end_samples - placed.start_samples]
                segments.append((placed.start_samples, fade_out(heard, self._fade) if placed.n_cut_samples else heard))
        return segments

    def _gain(self, speech: "_Speech", level: Level, dialogue_id: str, role: Role) -> float:
        target = level.value.draw(seeds.rng(self._seed, dialogue_id, "mix", "level", role))
        if not speech.segments:
            return 1.0
        if level.unit == "lufs":
            return 10 ** ((target - loudness_lufs(speech.segments, self._rate)) / 20)
        return 10 ** (target / 20) / float(np.sqrt(speech.power))

    def _noise(self, dialogue_id: str) -> tuple[str, float | None, Loop | None]:
        def rng(purpose: str) -> np.random.Generator:
            return seeds.rng(self._seed, dialogue_id, "mix", purpose)

        if not self._noises or rng("noise").random() >= self._recipe.noise_probability:
            return "", None, None
        engine = self._noises[int(np.searchsorted(self._shares, rng("source").random(), "right"))]
        kinds = engine.kinds()
        kind = kinds[int(rng("kind").integers(len(kinds)))]
        return kind, self._recipe.snr_db.draw(rng("snr")), engine.take(kind, rng("offset"))

    def _headroom(self, peak: float) -> float:
        """Gain that brings a peak under the limit; 1 if it is already."""
        limit = 10 ** (self._recipe.peak_dbfs / 20)
        return min(1.0, limit / peak) if peak else 1.0


@dataclass(frozen=True)
class _Speech:
    """What one speaker is heard saying, with its power and peak."""

    segments: Segments
    power: float
    peak: float

    @classmethod
    def of(cls, segments: Segments) -> "_Speech":
        energy, peak = 0.0, 0.0
        for _, audio in segments:  # both in one pass, while the audio is in the cache
            energy += _energy(audio)
            peak = max(peak, _peak(audio))
        n_samples = sum(len(audio) for _, audio in segments)
        return cls(segments, max(energy / max(n_samples, 1), 1e-20), peak)


def fade_out(audio: Audio, n_fade: int) -> Audio:
    """A copy of float32 [n_samples] whose last `n_fade` samples fall to silence as a raised cosine.

    >>> [round(float(x), 2) for x in fade_out(np.ones(4, np.float32), 2)]
    [1.0, 1.0, 0.85, 0.15]
    """
    n_fade = min(n_fade, len(audio))
    faded = audio.copy()
    if n_fade:
        ramp = 0.5 + 0.5 * np.cos(np.pi * (np.arange(n_fade) + 0.5) / n_fade)
        faded[len(faded) - n_fade :] *= ramp.astype(np.float32)
    return faded


def power_of(loop: Loop, n_samples: int) -> float:
    """Mean square of the first `n_samples` heard of a loop; positive even for silence.

    >>> power_of(Loop(np.array([1, 3], np.float32), start_samples=1), 3)
    6.333333333333333
    """
    n_rounds, rest = divmod(n_samples, len(loop.audio))
    energy = n_rounds * _energy(loop.audio) if n_rounds else 0.0
    energy += sum(_energy(piece) for piece in _pieces(loop, 0, rest))
    return max(energy / max(n_samples, 1), 1e-20)


def _pieces(loop: Loop, begin: int, end: int) -> Iterator[Audio]:
    """What is heard of a loop in [begin, end), at most one round, without copying."""
    start = (loop.start_samples + begin) % len(loop.audio)
    n = end - begin
    yield loop.audio[start : start + n]
    if start + n > len(loop.audio):
        yield loop.audio[: start + n - len(loop.audio)]


def _energy(audio: Audio) -> float:
    return float(np.dot(audio, audio))


def _peak(audio: Audio) -> float:
    return max(float(audio.max()), -float(audio.min()))


def _db(gain: float) -> float:
    return round(20 * float(np.log10(gain)), 3) if gain > 0 else float("-inf")


def loudness_lufs(segments: Segments, sample_rate_hz: int) -> float:
    """Loudness of a speaker's segments joined, by ITU-R BS.1770-4 (pyloudnorm)."""
    import pyloudnorm

    speech = np.concatenate([audio for _, audio in segments])
    n_least = int(0.4 * sample_rate_hz) + 1  # one gating block
    return float(pyloudnorm.Meter(sample_rate_hz).integrated_loudness(np.resize(speech, max(len(speech), n_least))))


def _render_clean(channel: NDArray[np.int16], segments: Segments, gain: float) -> None:
    """Write gain x speech into `channel`, int16 [n_samples], which holds zeros; segments do not overlap."""
    for start, audio in segments:
        channel[start : start + len(audio)] = np.rint(audio * np.float32(gain * _FULL_SCALE))


def _render_noisy(channel: NDArray[np.int16], segments: Segments, gain: float, noise: Loop, noise_gain: float) -> None:
    """Write gain x speech + noise_gain x noise into `channel`, int16 [n_samples]."""
    buffer = np.empty(_BLOCK_SAMPLES, np.float32)
    for begin in range(0, len(channel), _BLOCK_SAMPLES):
        end = min(begin + _BLOCK_SAMPLES, len(channel))
        block = buffer[: end - begin]
        _lay(block, noise, begin, np.float32(noise_gain * _FULL_SCALE))
        for start, audio in segments:
            first, last = max(start, begin), min(start + len(audio), end)
            if first < last:
                block[first - begin : last - begin] += audio[first - start : last - start] * np.float32(
                    gain * _FULL_SCALE
                )
        channel[begin:end] = np.rint(block, out=block)


def _lay(block: NDArray[np.float32], noise: Loop, begin: int, gain: np.float32) -> None:
    """Fill a block with the noise heard from `begin` on, a round at a time."""
    at = 0
    while at < len(block):
        for piece in _pieces(noise, begin + at, begin + min(len(block), at + len(noise.audio))):
            np.multiply(piece, gain, out=block[at : at + len(piece)])
            at += len(piece)
