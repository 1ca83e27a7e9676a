"""The acoustic part of a recipe: levels, noise, and effects on the user's channel.

Every behaviour has a per-conversation probability and distributions; all but noise are off by
default. Values are ours unless a source is given. `datagen.pipeline.mix` documents the order in
which they are applied.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from datagen import resources
from datagen.recipe.distributions import (
    ConfigPart,
    Constant,
    Decibels,
    Distribution,
    Duration,
    Hertz,
    LogNormal,
    PerMinute,
    Share,
    Weight,
    Within,
    uniform,
)


class EngineConfig(ConfigPart):
    """An engine with its options: a name, or `module:Class` for one outside the package."""

    name: str = Field(description="Name of an engine (`datagen engines`), or `module:Class`")
    options: dict[str, Any] = Field(default_factory=dict, description="Arguments of its class (docs/engines.md)")


class LevelConfig(ConfigPart):
    """Level of a channel's speech, measured while it is audible."""

    unit: Literal["dbfs", "lufs"] = Field(
        "dbfs", description="dbfs: RMS relative to full scale. lufs: loudness by ITU-R BS.1770"
    )
    value: Annotated[Distribution, Within(-100, 0)] = Field(
        Constant(value=-23), description="The level, drawn once per conversation"
    )


class NoiseSourceConfig(ConfigPart):
    """A source of noise and its share of conversations."""

    name: str = Field("generated", description="`generated`, `directory`, `bursts`, or `module:Class`")
    weight: Weight = Field(1, description="Weight among all sources")
    options: dict[str, Any] = Field(default_factory=dict, description="Arguments of its class (docs/engines.md)")


class BehaviourConfig(ConfigPart):
    """Something that happens in a share of conversations."""

    probability: float = Field(0, ge=0, le=1, description="Share of conversations")


class BabbleConfig(BehaviourConfig):
    """Several other talkers at once, throughout the conversation. Synthesized by the voice engine."""

    n_lines: int = Field(
        32, ge=1, le=1024, description="Lines to draw from, synthesized per split, language and worker"
    )
    n_talkers: Annotated[Distribution, Within(0, 64, "talkers")] = Field(
        uniform(4, 8), description="Number of talkers; rounded, at least 1"
    )
    snr_db: Decibels = Field(uniform(10, 25), description="Level of the user relative to the babble")


class OtherTalkersConfig(BehaviourConfig):
    """Occasional sentences of a single other talker; each is an event `other_talker`.

    Synthesized by the voice engine.
    """

    per_minute: PerMinute = Field(uniform(1, 4), description="Rate of sentences")
    level_db: Decibels = Field(uniform(-20, -8), description="Relative to the user's speech")


class BurstsConfig(BehaviourConfig):
    """Short noises; each is an event `noise_burst`."""

    per_minute: PerMinute = Field(uniform(2, 8), description="Rate of noises")
    level_db: Decibels = Field(uniform(-12, 3), description="Relative to the user's speech")
    longest_ms: float = Field(1500, gt=0, le=60_000, description="Longer sounds are faded out at this length")
    sources: tuple[NoiseSourceConfig, ...] = Field(
        (NoiseSourceConfig(name="bursts"),),
        min_length=1,
        description="For recordings: {name: directory, options: {path: ..., from_start: true}}",
    )


VocalSound = Literal["cough", "laughter"]


class AsideMixConfig(ConfigPart):
    """Sound of asides (`timing.aside`), spoken away from the microphone."""

    gain_db: Decibels = Field(uniform(-14, -7), description="Relative to the user's speech")
    cutoff_hz: Hertz = Field(uniform(1500, 3000), description="Low-pass, 6 dB per octave above this")


class VocalSoundsConfig(BehaviourConfig):
    """Laughter and coughs of the user between utterances; each is an event `laughter` or `cough`."""

    per_minute: PerMinute = Field(
        uniform(0.5, 3), description="Rate; sounds that would overlap the user's own speech are left out"
    )
    level_db: Decibels = Field(uniform(-12, 0), description="Relative to the user's speech")
    kinds: dict[VocalSound, Weight] = Field(
        {"laughter": 1, "cough": 1}, min_length=1, description="Weight of each kind"
    )


Metres = Annotated[Distribution, Within(0.5, 100, "m")]
"""A length of a room."""


class RoomConfig(BehaviourConfig):
    """Reverberation of the user's speech. Responses of `n_rooms` rooms are computed once per worker."""

    engine: EngineConfig = Field(
        EngineConfig(name="pyroomacoustics"), description="`pyroomacoustics`, or `module:Class`"
    )
    n_rooms: int = Field(16, ge=1, le=1024, description="Number of rooms to draw from")
    rt60_ms: Annotated[Distribution, Within(10, 10_000, "ms")] = Field(
        uniform(150, 600), description="Reverberation time; the default covers homes and offices"
    )
    width_m: Metres = Field(uniform(2.5, 6), description="Width of the room")
    length_m: Metres = Field(uniform(3, 8), description="Length of the room")
    height_m: Metres = Field(uniform(2.4, 3.2), description="Height of the room")
    distance_m: Annotated[Distribution, Within(0.01, 100, "m")] = Field(
        uniform(0.4, 2.5), description="Talker to microphone"
    )


class DistanceConfig(BehaviourConfig):
    """A user farther from the microphone than usual: quieter and duller."""

    gain_db: Decibels = Field(uniform(-12, -3), description="Relative to the user's usual level")
    cutoff_hz: Hertz = Field(
        LogNormal(kind="lognormal", median=5000, sigma=0.3, low=2500, high=10_000),
        description="Low-pass, 6 dB per octave above this",
    )


class DriftConfig(BehaviourConfig):
    """Slow rise and fall of the user's level, as when a talker moves about."""

    range_db: Annotated[Distribution, Within(0, 100, "dB")] = Field(
        uniform(2, 8), description="From the quietest to the loudest level"
    )
    period_ms: Annotated[Distribution, Within(100, 600_000, "ms")] = Field(
        uniform(5_000, 30_000), description="Duration of one rise and fall"
    )


class EchoConfig(BehaviourConfig):
    """The assistant's own voice leaks back into the user's channel."""

    delay_ms: Duration = Field(uniform(20, 300), description="Delay of the residual echo, including sound card and air")
    gain_db: Decibels = Field(uniform(-40, -15), description="Relative to the assistant's channel")


Codec = Literal["band", "pcmu", "pcma", "gsm", "opus", "vorbis", "mp3"]


class LineConfig(BehaviourConfig):
    """Transmission of the user's channel over a telephone line or a codec."""

    codecs: dict[Codec, Weight] = Field(
        {"band": 1, "pcmu": 1, "pcma": 1},
        min_length=1,
        description="Weights. `band`, `pcmu`, `pcma` and `gsm` have telephone bandwidth; `opus`, `vorbis` and `mp3` "
        "are slow",
    )
    compression: Share = Field(
        uniform(0.5, 1), description="From 0, best quality, to 1, smallest size; for `opus`, `vorbis` and `mp3`"
    )


def _sentences() -> dict[str, tuple[str, ...]]:
    shipped = resources.values_of(resources.directory("data") / "sentences.yaml")
    return {language: tuple(lines) for language, lines in shipped.items()}


class MixConfig(ConfigPart):
    """Levels, noise and acoustics."""

    user_level: LevelConfig = Field(
        LevelConfig(value=uniform(-26, -20)), description="Level of the user's speech, measured while it is audible"
    )
    assistant_level: LevelConfig = Field(
        LevelConfig(), description="Level of the assistant's speech, measured while it is audible"
    )
    peak_dbfs: float = Field(-0.5, lt=0, ge=-60, description="Maximum peak; a louder channel is attenuated as a whole")
    noise_probability: float = Field(
        1, ge=0, le=1, description="Share of conversations with noise on the user's channel"
    )
    snr_db: Decibels = Field(uniform(15, 30), description="Level of the user relative to the noise (N)")
    noise: tuple[NoiseSourceConfig, ...] = Field(
        (NoiseSourceConfig(),), description="Sources of noise; one is drawn per conversation, by weight"
    )
    babble: BabbleConfig = BabbleConfig()
    other_talkers: OtherTalkersConfig = OtherTalkersConfig()
    bursts: BurstsConfig = BurstsConfig()
    vocal_sounds: VocalSoundsConfig = VocalSoundsConfig()
    aside: AsideMixConfig = AsideMixConfig()
    room: RoomConfig = RoomConfig()
    distance: DistanceConfig = DistanceConfig()
    drift: DriftConfig = DriftConfig()
    echo: EchoConfig = EchoConfig()
    line: LineConfig = LineConfig()
    sentences: dict[str, tuple[str, ...]] = Field(
        _sentences(), description="Sentences of babble and other talkers, by language"
    )
    talker_pace: Annotated[Distribution, Within(0.5, 2, "factor")] = Field(
        uniform(1.06, 1.18),
        description="Factor by which babble and other talkers are faster and higher than the users' voices",
    )
    keep_audio: bool | Literal["auto"] = Field(
        "auto",
        description="Store the audio in `conversations` as FLAC. auto: if the build has at most `keep_audio_hours`",
    )
    keep_audio_hours: float = Field(
        10,
        ge=0,
        le=1_000_000,
        description="keep_audio: auto: longest build whose audio is kept, in hours of conversation, estimated from the "
        "words of the input before any speech (ours)",
    )
