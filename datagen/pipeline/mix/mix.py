"""Timeline → Conversation: int16 [2, n_samples], levels set, what is heard beside the user in the user's channel."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from datagen.clock import ms_to_samples
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
from datagen.pipeline.mix.line import CODECS, through
from datagen.pipeline.mix.others import echo
from datagen.pipeline.mix.render import Layer, headroom, render, render_clean
from datagen.pipeline.mix.scene import Noisy, Scene, SpeechPath, Supplies
from datagen.pipeline.mix.scene_draws import SceneDraws
from datagen.pipeline.mix.speaker import arrived, drifting, dull
from datagen.recipe.mix_config import LevelConfig, MixConfig
from datagen.records import CHANNEL, Conversation, Reject, Role, Timeline


class Mix:
    """Mix both channels, in the order of operations that `datagen.pipeline.mix` tells.

    The assistant's channel stays clean; where it is silent it is digital silence. An SNR is the power of the user's
    speech over the time it is heard, against the power of the noise over the whole channel. Turning a channel
    down to avoid clipping turns all in it down alike.
    """

    def __init__(
        self, recipe: MixConfig, supplies: Supplies, sample_rate_hz: int, fade_ms: float, run_seed: int
    ) -> None:
        """Take the recipe, the engines, the clock, the fade of an interrupted take and the seed."""
        self._recipe, self._supplies, self._rate, self._seed = recipe, supplies, sample_rate_hz, run_seed
        self._fade = ms_to_samples(fade_ms, sample_rate_hz)

    def __call__(self, batch: Sequence[Timeline]) -> list[Conversation | Reject]:
        """Mix each conversation."""
        return [self._mix(timeline) for timeline in batch]

    def _mix(self, timeline: Timeline) -> Conversation:
        recipe, n_samples = self._recipe, timeline.n_samples
        draws = SceneDraws.of(self._seed, timeline.takes.script, self._rate)
        aside = draws.aside(recipe.aside) if _says_aside(timeline) else None
        spoken = self._segments(timeline, "user", aside)
        scene = draws.scene(recipe, self._supplies, timeline.takes, spoken, n_samples)
        audio = np.empty((2, n_samples), np.int16)
        audio[CHANNEL["assistant"]] = 0

        assistant = ChannelSpeech.of(self._segments(timeline, "assistant"))
        assistant_gain = self._gain(assistant, recipe.assistant_level, draws, "assistant")
        assistant_gain *= headroom(assistant.peak * assistant_gain, recipe.peak_dbfs)
        render_clean(audio[CHANNEL["assistant"]], assistant.segments, assistant_gain)

        user = self._arriving(spoken, scene.way, n_samples)
        user_gain = self._gain(user, recipe.user_level, draws, "user") * amplitude(scene.way.distance_db or 0)
        layers = [Layer(user.segments, user_gain, user.peak)]
        layers += [_beside(noisy, user, user_gain) for noisy in scene.beside]
        if scene.vocal and not isinstance(scene.vocal.sounds, np.ndarray):
            uttered = self._arriving(scene.vocal.sounds, scene.way, n_samples)
            layers.append(Layer(uttered.segments, _level(scene.vocal, user, user_gain, uttered.power)))
        if scene.echo_delay_samples is not None and scene.echo_db is not None:
            late = echo(assistant.segments, scene.echo_delay_samples, n_samples)
            layers.append(Layer(late, assistant_gain * amplitude(scene.echo_db), assistant.peak))
        down = self._user_channel(audio[CHANNEL["user"]], layers, scene)
        mixing = scene.mixing(user_gain, assistant_gain, down)
        if aside:
            mixing = replace(mixing, aside_db=aside[0], aside_cutoff_hz=aside[1])
        return Conversation(timeline, audio, mixing, scene.events())

    def _segments(self, timeline: Timeline, role: Role, aside: tuple[float, float] | None = None) -> Segments:
        """Start and audio of what one speaker says, interrupted takes faded out, asides quieter and duller."""
        segments = []
        for utterance, take, placed in zip(
            timeline.takes.script.utterances, timeline.takes.takes, timeline.placed, strict=True
        ):
            if utterance.role == role and placed.end_samples > placed.start_samples:
                heard = take.audio[: placed.end_samples - placed.start_samples]
                heard = fade_out(heard, self._fade) if placed.n_cut_samples else heard
                if aside and utterance.kind == "aside":
                    heard = dull(heard, aside[1], self._rate) * np.float32(amplitude(aside[0]))
                segments.append((placed.start_samples, heard))
        return segments

    def _arriving(self, segments: Segments, way: SpeechPath, n_samples: int) -> ChannelSpeech:
        """Speech as it arrives at the microphone, and its power there."""
        heard = None
        if way.cutoff_hz is not None:
            segments = [(start, dull(audio, way.cutoff_hz, self._rate)) for start, audio in segments]
        if way.drift_db is not None and way.drift_period_samples is not None:
            drift = way.drift_db, way.drift_period_samples, way.drift_phase
            segments = [(start, drifting(audio, start, *drift)) for start, audio in segments]
        if way.response is not None:
            segments, heard = arrived(segments, way.response, n_samples)
            segments = joined(segments)
        return ChannelSpeech.of(segments, heard)

    def _gain(self, speech: ChannelSpeech, level: LevelConfig, draws: SceneDraws, role: Role) -> float:
        """The gain that brings speech to its level."""
        target = draws.value(level.value, "level", role)
        if not speech.segments:
            return 1.0
        if level.unit == "lufs":
            return amplitude(target - loudness_lufs(speech, self._rate))
        return amplitude(target) / float(np.sqrt(speech.power))

    def _user_channel(self, channel: NDArray[np.int16], layers: list[Layer], scene: Scene) -> float:
        """Write all layers into the channel and send it through the line; tells by how much it was turned down."""
        down = headroom(sum(layer.peak for layer in layers), self._recipe.peak_dbfs)
        render(channel, [Layer(layer.sounds, layer.gain * down) for layer in layers])
        if scene.codec:
            heard = through(channel, CODECS[scene.codec], scene.compression or 0.0, self._rate)
            further = headroom(peak_of(heard), self._recipe.peak_dbfs)
            channel[:] = np.rint(heard * np.float32(further * FULL_SCALE))
            down *= further
        return down


def _says_aside(timeline: Timeline) -> bool:
    utterances = zip(timeline.takes.script.utterances, timeline.placed, strict=True)
    return any(u.kind == "aside" and placed.end_samples > placed.start_samples for u, placed in utterances)


def _beside(noisy: Noisy, user: ChannelSpeech, user_gain: float) -> Layer:
    """A layer at its level against the user's speech; single sounds have power 1."""
    if isinstance(noisy.sounds, np.ndarray):
        power, peak = power_and_peak(noisy.sounds)
        return Layer(noisy.sounds, _level(noisy, user, user_gain, power), peak)
    return Layer(joined(noisy.sounds), _level(noisy, user, user_gain, 1.0))


def _level(noisy: Noisy, user: ChannelSpeech, user_gain: float, power: float) -> float:
    """The gain that brings sounds of a power to their level against the user's speech."""
    return user_gain * float(np.sqrt(user.power / power)) * amplitude(noisy.level_db)
