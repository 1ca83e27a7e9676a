"""Timeline → Conversation: int16 [2, n_samples], levels set, background sounds in the user's channel."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datagen.clock import ms_to_samples
from datagen.engines.base import Audio
from datagen.pipeline.draws import Draws
from datagen.pipeline.levels import (
    FULL_SCALE,
    ChannelSpeech,
    Segments,
    amplitude,
    fade_out,
    joined,
    loudness_lufs,
    peak_of,
    power_and_peak,
)
from datagen.pipeline.mix.scene import Noisy, Scene, SceneDraws, SpeechPath, Supplies
from datagen.pipeline.mix.sound_path import CODECS, arrived, drifting, dull, through
from datagen.pipeline.step import PipelineStage
from datagen.recipe.mix_config import LevelConfig, MixConfig
from datagen.records import CHANNEL, Conversation, Role, Timeline

_BLOCK_SAMPLES = 1 << 16
"""Samples mixed at a time: 256 KiB of float32 fit in the cache for any length of conversation."""


@dataclass(frozen=True)
class Layer:
    """Sounds of one kind in a channel, or one continuous sound, and their gain."""

    sounds: Segments | Audio
    """Segments must not overlap: their peak is that of the layer. Audio is as long as the channel."""
    gain: float
    loudest: float | None = None
    """The largest magnitude of the sounds, if known."""

    @property
    def peak(self) -> float:
        """An upper bound of the magnitude of all samples in the layer."""
        if self.loudest is not None:
            return self.loudest * self.gain
        if isinstance(self.sounds, np.ndarray):
            return peak_of(self.sounds) * self.gain
        return max((peak_of(audio) for _, audio in self.sounds), default=0.0) * self.gain


def headroom(peak: float, peak_dbfs: float) -> float:
    """Gain that brings a peak under a limit; 1 if it is already.

    >>> headroom(2.0, 0.0), headroom(0.5, 0.0)
    (0.5, 1.0)
    """
    limit = 10 ** (peak_dbfs / 20)
    return min(1.0, limit / peak) if peak else 1.0


def render_clean(channel: NDArray[np.int16], segments: Segments, gain: float) -> None:
    """Write gain x sound into `channel`, int16 [n_samples] of zeros; segments must not overlap."""
    for start, audio in segments:
        for begin in range(0, len(audio), _BLOCK_SAMPLES):
            scaled = audio[begin : begin + _BLOCK_SAMPLES] * np.float32(gain * FULL_SCALE)
            channel[start + begin : start + begin + len(scaled)] = np.rint(scaled, out=scaled)


def render(channel: NDArray[np.int16], layers: Sequence[Layer]) -> None:
    """Write the sum of layers into `channel`, int16 [n_samples]. The sum must not exceed full scale."""
    buffer = np.empty(_BLOCK_SAMPLES, np.float32)
    gained = [(layer.sounds, np.float32(layer.gain * FULL_SCALE)) for layer in layers]
    beds = [(sounds, gain) for sounds, gain in gained if isinstance(sounds, np.ndarray)]
    singles = [(sounds, gain) for sounds, gain in gained if not isinstance(sounds, np.ndarray)]
    for begin in range(0, len(channel), _BLOCK_SAMPLES):
        end = min(begin + _BLOCK_SAMPLES, len(channel))
        block = buffer[: end - begin]
        if not beds:
            block.fill(0)
        for index, (bed, gain) in enumerate(beds):
            if index:
                block += bed[begin:end] * gain
            else:
                np.multiply(bed[begin:end], gain, out=block)
        for segments, gain in singles:
            _add(block, segments, begin, gain)
        channel[begin:end] = np.rint(block, out=block)


def _add(block: NDArray[np.float32], segments: Segments, begin: int, gain: np.float32) -> None:
    """Add the parts of segments in [begin, begin + len(block))."""
    end = begin + len(block)
    for start, audio in segments:
        first, last = max(start, begin), min(start + len(audio), end)
        if first < last:
            block[first - begin : last - begin] += audio[first - start : last - start] * gain


class Mix(PipelineStage[Timeline, Conversation]):
    """Mix both channels, in the order of operations of `datagen.pipeline.mix`.

    The assistant's channel stays clean, with digital silence between utterances. An SNR is the
    power of the user's speech while audible, relative to the power of the noise over the whole
    channel. Attenuation against clipping applies to the whole channel.
    """

    def __init__(
        self, recipe: MixConfig, supplies: Supplies, sample_rate_hz: int, fade_ms: float, run_seed: int
    ) -> None:
        """Set the recipe, the engines, the clock, the fade-out of interrupted takes and the seed."""
        self._recipe, self._supplies, self._rate, self._seed = recipe, supplies, sample_rate_hz, run_seed
        self._fade = ms_to_samples(fade_ms, sample_rate_hz)

    def run(self, timeline: Timeline) -> Conversation:
        """Mix a conversation."""
        recipe, n_samples = self._recipe, timeline.n_samples
        draws = Draws.of_sound(self._seed, timeline.takes.script, self._rate)
        aside = self._aside(timeline, draws)
        spoken = self._segments(timeline, "user", aside)
        scene = SceneDraws(recipe, self._supplies, draws, n_samples).scene(timeline.takes, spoken, aside)
        audio = np.empty((2, n_samples), np.int16)
        audio[CHANNEL["assistant"]] = 0

        assistant = _whole(timeline, "assistant", self._segments(timeline, "assistant"))
        assistant_gain = self._gain(assistant, recipe.assistant_level, draws, "assistant")
        assistant_gain *= headroom(assistant.peak * assistant_gain, recipe.peak_dbfs)
        render_clean(audio[CHANNEL["assistant"]], assistant.segments, assistant_gain)

        user = self._arriving(spoken, scene.way, n_samples, timeline.channels)
        user_gain = self._gain(user, recipe.user_level, draws, "user") * amplitude(scene.way.distance_db or 0)
        layers = self._layers(scene, user, user_gain, n_samples)
        if scene.echo_delay_samples is not None and scene.echo_db is not None:
            late = echo(assistant.segments, scene.echo_delay_samples, n_samples)
            layers.append(Layer(late, assistant_gain * amplitude(scene.echo_db), assistant.peak))
        down = headroom(sum(layer.peak for layer in layers), recipe.peak_dbfs)
        render(audio[CHANNEL["user"]], [Layer(layer.sounds, layer.gain * down) for layer in layers])
        events, scene = scene.events(), scene.silent()
        del layers, user, assistant, spoken  # the line needs their memory
        down *= self._through_line(audio[CHANNEL["user"]], scene)
        return Conversation(timeline, audio, scene.mixing(user_gain, assistant_gain, down), events)

    def _aside(self, timeline: Timeline, draws: Draws) -> tuple[float, float] | None:
        """Level in decibels and cutoff in hertz of asides, if any are audible."""
        if not any(placed.utterance.kind == "aside" and placed.is_heard for placed in timeline.placed):
            return None
        aside = self._recipe.aside
        return draws.value(aside.gain_db, "aside", "gain"), draws.value(aside.cutoff_hz, "aside", "cutoff")

    def _layers(self, scene: Scene, user: ChannelSpeech, user_gain: float, n_samples: int) -> list[Layer]:
        """The user's speech, background sounds, and the user's laughter and coughs."""
        layers = [Layer(user.segments, user_gain, user.peak)]
        layers += [_beside(noisy, user, user_gain) for noisy in scene.beside]
        if scene.vocal and not isinstance(scene.vocal.sounds, np.ndarray):
            uttered = self._arriving(scene.vocal.sounds, scene.way, n_samples)
            layers.append(Layer(uttered.segments, _level(scene.vocal, user, user_gain, uttered.power)))
        return layers

    def _segments(self, timeline: Timeline, role: Role, aside: tuple[float, float] | None = None) -> Segments:
        """Start and audio of a speaker's utterances: interrupted takes faded out, asides dulled."""
        segments = []
        for placed in timeline.placed:
            if placed.utterance.role == role and placed.is_heard:
                heard = placed.take.audio[: placed.end_samples - placed.start_samples]
                heard = fade_out(heard, self._fade) if placed.n_cut_samples else heard
                if aside and placed.utterance.kind == "aside":
                    heard = dull(heard, aside[1], self._rate) * np.float32(amplitude(aside[0]))
                segments.append((placed.start_samples, heard))
        return segments

    def _arriving(
        self, spoken: Segments, way: SpeechPath, n_samples: int, channels: NDArray[np.float32] | None = None
    ) -> ChannelSpeech:
        """Speech at the microphone, and its power there; of a recording all of the user's channel arrives."""
        segments: Segments = spoken if channels is None else [(0, channels[CHANNEL["user"]])]
        heard: Sequence[Audio] | None = None
        if way.cutoff_hz is not None:
            segments = [(start, dull(audio, way.cutoff_hz, self._rate)) for start, audio in segments]
        if way.drift_db is not None and way.drift_period_samples is not None:
            drift = way.drift_db, way.drift_period_samples, way.drift_phase
            segments = [(start, drifting(audio, start, *drift)) for start, audio in segments]
        if way.response is not None:
            segments, heard = arrived(segments, way.response, n_samples)
            segments = joined(segments)
        if channels is not None:
            heard = _parts(segments[0], spoken)
        return ChannelSpeech.of(segments, heard)

    def _gain(self, speech: ChannelSpeech, level: LevelConfig, draws: Draws, role: Role) -> float:
        """The gain that brings speech to its level."""
        target = draws.value(level.value, "level", role)
        if not speech.segments:
            return 1.0
        if level.unit == "lufs":
            return amplitude(target - loudness_lufs(speech, self._rate))
        return amplitude(target) / float(np.sqrt(speech.power))

    def _through_line(self, channel: NDArray[np.int16], scene: Scene) -> float:
        """Pass the channel through the line, if there is one, and return the attenuation that it needs."""
        if not scene.codec:
            return 1.0
        heard = through(channel, CODECS[scene.codec], scene.compression or 0.0, self._rate)
        down = headroom(peak_of(heard), self._recipe.peak_dbfs)
        render_clean(channel, [(0, heard)], down)
        return down


def _whole(timeline: Timeline, role: Role, spoken: Segments) -> ChannelSpeech:
    """A speaker's channel: its utterances in digital silence, or all of it if it was recorded and holds any."""
    if timeline.channels is None or not spoken:
        return ChannelSpeech.of(spoken)
    return ChannelSpeech.of([(0, timeline.channels[CHANNEL[role]])], [audio for _, audio in spoken])


def _parts(whole: tuple[int, Audio], spoken: Segments) -> list[Audio]:
    """The parts of a channel in which its speaker speaks.

    >>> [part.tolist() for part in _parts((1, np.arange(6)), [(2, np.zeros(2)), (5, np.zeros(9))])]
    [[1, 2], [4, 5]]
    """
    begin, audio = whole
    return [audio[max(start - begin, 0) : start - begin + len(own)] for start, own in spoken]


def _beside(noisy: Noisy, user: ChannelSpeech, user_gain: float) -> Layer:
    """A layer at its level relative to the user's speech; single sounds have power 1."""
    if isinstance(noisy.sounds, np.ndarray):
        power, peak = power_and_peak(noisy.sounds)
        return Layer(noisy.sounds, _level(noisy, user, user_gain, power), peak)
    return Layer(joined(noisy.sounds), _level(noisy, user, user_gain, 1.0))


def _level(noisy: Noisy, user: ChannelSpeech, user_gain: float, power: float) -> float:
    """The gain that brings sounds of a given power to their level relative to the user's speech."""
    return user_gain * float(np.sqrt(user.power / power)) * amplitude(noisy.level_db)


def echo(assistant: Segments, delay_samples: int, n_samples: int) -> Segments:
    """The assistant's speech, delayed, and cut at the end of the conversation.

    >>> [(start, len(audio)) for start, audio in echo([(10, np.ones(5, np.float32))], 3, n_samples=16)]
    [(13, 3)]
    """
    late = ((start + delay_samples, audio) for start, audio in assistant)
    return [(start, audio[: n_samples - start]) for start, audio in late if start < n_samples]
