"""Timeline → Conversation: int16 [2, n_samples], levels set, noise in the user's channel."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from datagen import seeds
from datagen.engines.base import Audio, Noise
from datagen.recipe import Level
from datagen.recipe import Mix as MixRecipe
from datagen.records import CHANNEL, Conversation, Mixing, Reject, Role, Timeline
from datagen.units import ms_to_samples

_FULL_SCALE = 32767
_BLOCK_SAMPLES = 1 << 16
"""Samples mixed at a time: 256 KiB of float32 stay in the cache however long the conversation is."""


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
        audio = np.zeros((2, timeline.n_samples), np.int16)
        dialogue_id = timeline.takes.script.dialogue.id
        user = self._segments(timeline, "user")
        assistant = self._segments(timeline, "assistant")
        user_gain = self._gain(user, self._recipe.user_level, dialogue_id, "user")
        assistant_gain = self._gain(assistant, self._recipe.assistant_level, dialogue_id, "assistant")
        kind, snr_db, noise = self._noise(dialogue_id, timeline.n_samples)
        noise_gain = 0.0
        if noise is not None and snr_db is not None:
            noise_gain = user_gain * float(np.sqrt(_power(user) / _power([(0, noise)]))) * 10 ** (-snr_db / 20)
        down = self._headroom(_peak(user) * user_gain + (_peak([(0, noise)]) * noise_gain if noise is not None else 0))
        user_gain, noise_gain = user_gain * down, noise_gain * down
        assistant_gain *= self._headroom(_peak(assistant) * assistant_gain)
        _render(audio[CHANNEL["user"]], user, user_gain, noise, noise_gain)
        _render(audio[CHANNEL["assistant"]], assistant, assistant_gain)
        return Conversation(timeline, audio, Mixing(kind, snr_db, _db(user_gain), _db(assistant_gain)))

    def _segments(self, timeline: Timeline, role: Role) -> list[tuple[int, Audio]]:
        """Start and audio of what one speaker is heard saying, interrupted takes faded out."""
        segments = []
        for utterance, take, placed in zip(
            timeline.takes.script.utterances, timeline.takes.takes, timeline.placed, strict=True
        ):
            if utterance.role == role and placed.end_samples > placed.start_samples:
                heard = take.audio[: placed.end_samples - placed.start_samples]
                segments.append((placed.start_samples, fade_out(heard, self._fade) if placed.n_cut_samples else heard))
        return segments

    def _gain(self, segments: list[tuple[int, Audio]], level: Level, dialogue_id: str, role: Role) -> float:
        target = level.value.draw(seeds.rng(self._seed, dialogue_id, "mix", "level", role))
        if not segments:
            return 1.0
        if level.unit == "lufs":
            return 10 ** ((target - loudness_lufs(segments, self._rate)) / 20)
        return 10 ** (target / 20) / float(np.sqrt(_power(segments)))

    def _noise(self, dialogue_id: str, n_samples: int) -> tuple[str, float | None, Audio | None]:
        def rng(purpose: str) -> np.random.Generator:
            return seeds.rng(self._seed, dialogue_id, "mix", purpose)

        if not self._noises or rng("noise").random() >= self._recipe.noise_probability:
            return "", None, None
        engine = self._noises[int(np.searchsorted(self._shares, rng("source").random(), "right"))]
        kinds = engine.kinds()
        kind = kinds[int(rng("kind").integers(len(kinds)))]
        return kind, self._recipe.snr_db.draw(rng("snr")), engine.take(kind, n_samples, rng("offset"))

    def _headroom(self, peak: float) -> float:
        """Gain that brings a peak under the limit; 1 if it is already."""
        limit = 10 ** (self._recipe.peak_dbfs / 20)
        return min(1.0, limit / peak) if peak else 1.0


def fade_out(audio: Audio, n_fade: int) -> Audio:
    """A copy of float32 [n_samples] whose last `n_fade` samples fall to silence as a raised cosine.

    >>> fade_out(np.ones(4, np.float32), 2).round(2).tolist()
    [1.0, 1.0, 0.85, 0.15]
    """
    n_fade = min(n_fade, len(audio))
    faded = audio.copy()
    if n_fade:
        ramp = 0.5 + 0.5 * np.cos(np.pi * (np.arange(n_fade) + 0.5) / n_fade)
        faded[len(faded) - n_fade :] *= ramp.astype(np.float32)
    return faded


def _power(segments: list[tuple[int, Audio]]) -> float:
    """Mean square over all samples of the segments; tiny but positive for silence."""
    n_samples = sum(len(audio) for _, audio in segments)
    return max(sum(float(np.dot(audio, audio)) for _, audio in segments) / max(n_samples, 1), 1e-20)


def _peak(segments: list[tuple[int, Audio]]) -> float:
    return max((max(float(audio.max()), -float(audio.min())) for _, audio in segments), default=0.0)


def _db(gain: float) -> float:
    return round(20 * float(np.log10(gain)), 3) if gain > 0 else float("-inf")


def loudness_lufs(segments: list[tuple[int, Audio]], sample_rate_hz: int) -> float:
    """Loudness of a speaker's segments joined, by ITU-R BS.1770-4 (pyloudnorm)."""
    import pyloudnorm

    speech = np.concatenate([audio for _, audio in segments])
    n_least = int(0.4 * sample_rate_hz) + 1  # one gating block
    return float(pyloudnorm.Meter(sample_rate_hz).integrated_loudness(np.resize(speech, max(len(speech), n_least))))


def _render(
    channel: NDArray[np.int16],
    segments: list[tuple[int, Audio]],
    gain: float,
    noise: Audio | None = None,
    noise_gain: float = 0.0,
) -> None:
    """Write gain x speech + noise_gain x noise into `channel`, int16 [n_samples], which holds zeros."""
    if noise is None:
        for start, audio in segments:
            channel[start : start + len(audio)] = np.rint(audio * np.float32(gain * _FULL_SCALE))
        return
    buffer = np.empty(_BLOCK_SAMPLES, np.float32)
    for begin in range(0, len(channel), _BLOCK_SAMPLES):
        end = min(begin + _BLOCK_SAMPLES, len(channel))
        block = np.multiply(noise[begin:end], np.float32(noise_gain * _FULL_SCALE), out=buffer[: end - begin])
        for start, audio in segments:
            first, last = max(start, begin), min(start + len(audio), end)
            if first < last:
                block[first - begin : last - begin] += audio[first - start : last - start] * np.float32(gain * _FULL_SCALE)
        channel[begin:end] = np.rint(block, out=block)
