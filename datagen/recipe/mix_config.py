"""The acoustic part of a recipe: levels, noise, and what happens to the user's channel.

Every behaviour has a per-conversation probability and distributions; all but noise are off by default. Values are ours
unless a source is given. `datagen.pipeline.mix` says in which order they are applied.
"""

from typing import Annotated, Any, Literal

import yaml
from pydantic import Field

from datagen import resources
from datagen.recipe.distributions import ConfigPart, Constant, Distribution, LogNormal, uniform


class EngineConfig(ConfigPart):
    """An engine by name, or outside the package as `module:Class`, with its own options."""

    name: str
    options: dict[str, Any] = Field(default_factory=dict)


class LevelConfig(ConfigPart):
    """Level of a channel's speech, over the time it is heard."""

    unit: Literal["dbfs", "lufs"] = Field(
        "dbfs", description="RMS of speech against full scale, or ITU-R BS.1770 loudness"
    )
    value: Distribution = Constant(value=-23)


class NoiseSourceConfig(ConfigPart):
    """One supply of noise and its share of conversations."""

    name: str = Field("generated", description="`generated`, `directory`, `bursts`, or `module:Class`")
    weight: float = Field(1, gt=0)
    options: dict[str, Any] = Field(default_factory=dict)


class BehaviourConfig(ConfigPart):
    """Something that happens in a share of conversations."""

    probability: float = Field(0, ge=0, le=1, description="Share of conversations")


class BabbleConfig(BehaviourConfig):
    """Several other talkers at once, all through the conversation. Spoken by the voice engine."""

    n_lines: int = Field(32, ge=1, le=1024, description="Lines spoken per split, language and worker, to draw from")
    n_talkers: Distribution = Field(uniform(4, 8), description="Rounded; at least 1")
    snr_db: Distribution = Field(uniform(10, 25), description="User against babble")


class OtherTalkersConfig(BehaviourConfig):
    """Now and then one other talker says a sentence; each is an event `other_talker`. Spoken by the voice engine."""

    per_minute: Distribution = uniform(1, 4)
    level_db: Distribution = Field(uniform(-20, -8), description="Against the user's speech")


class BurstsConfig(BehaviourConfig):
    """Short noises; each is an event `noise_burst`."""

    per_minute: Distribution = uniform(2, 8)
    level_db: Distribution = Field(uniform(-12, 3), description="Against the user's speech")
    longest_ms: float = Field(1500, gt=0, description="A longer sound is faded out there")
    sources: tuple[NoiseSourceConfig, ...] = Field(
        (NoiseSourceConfig(name="bursts"),),
        min_length=1,
        description="For recordings: {name: directory, options: {path: ..., from_start: true}}",
    )


VocalSound = Literal["cough", "laughter"]


class AsideMixConfig(ConfigPart):
    """Sound of words to somebody else (`timing.aside`): turned away from the microphone."""

    gain_db: Distribution = Field(uniform(-14, -7), description="Against the user's speech")
    cutoff_hz: Distribution = Field(uniform(1500, 3000), description="6 dB an octave above")


class VocalSoundsConfig(BehaviourConfig):
    """The user laughs or coughs while he is not speaking; each is an event `laughter` or `cough`."""

    per_minute: Distribution = Field(
        uniform(0.5, 3), description="One that would meet the user's own speech is left out"
    )
    level_db: Distribution = Field(uniform(-12, 0), description="Against the user's speech")
    kinds: dict[VocalSound, Annotated[float, Field(gt=0)]] = Field(
        {"laughter": 1, "cough": 1}, min_length=1, description="Weights"
    )


class RoomConfig(BehaviourConfig):
    """The user speaks in a room. Responses of `n_rooms` rooms are computed once per worker."""

    engine: EngineConfig = Field(
        EngineConfig(name="pyroomacoustics"), description="`pyroomacoustics`, or `module:Class`"
    )
    n_rooms: int = Field(16, ge=1, le=1024)
    rt60_ms: Distribution = Field(uniform(150, 600), description="Reverberation time; dwellings and offices")
    width_m: Distribution = uniform(2.5, 6)
    length_m: Distribution = uniform(3, 8)
    height_m: Distribution = uniform(2.4, 3.2)
    distance_m: Distribution = Field(uniform(0.4, 2.5), description="Talker to microphone")


class DistanceConfig(BehaviourConfig):
    """The user is farther away than usual: quieter and duller."""

    gain_db: Distribution = Field(uniform(-12, -3), description="On top of the user's level")
    cutoff_hz: Distribution = Field(
        LogNormal(kind="lognormal", median=5000, sigma=0.3, low=2500, high=10_000), description="6 dB an octave above"
    )


class DriftConfig(BehaviourConfig):
    """The user's level swells and falls slowly, as of someone who moves about."""

    range_db: Distribution = Field(uniform(2, 8), description="Quietest to loudest")
    period_ms: Distribution = uniform(5_000, 30_000)


class EchoConfig(BehaviourConfig):
    """The assistant's own voice leaks back into the user's channel."""

    delay_ms: Distribution = Field(
        uniform(20, 300), description="Sound card, air, and what echo cancelling leaves over"
    )
    gain_db: Distribution = Field(uniform(-40, -15), description="Against the assistant's channel")


Codec = Literal["band", "pcmu", "pcma", "gsm", "opus", "vorbis", "mp3"]


class LineConfig(BehaviourConfig):
    """The user's channel comes over a telephone or a codec."""

    codecs: dict[Codec, Annotated[float, Field(gt=0)]] = Field(
        {"band": 1, "pcmu": 1, "pcma": 1},
        min_length=1,
        description="Weights. `band`, `pcmu`, `pcma`, `gsm` have a telephone's band; opus, vorbis, mp3 cost much time",
    )
    compression: Distribution = Field(uniform(0.5, 1), description="0 best, 1 smallest; for opus, vorbis and mp3")


def _sentences() -> dict[str, tuple[str, ...]]:
    text = (resources.directory("data") / "sentences.yaml").read_text("utf-8")
    return {language: tuple(lines) for language, lines in yaml.safe_load(text).items()}


class MixConfig(ConfigPart):
    """Levels, noise and acoustics."""

    user_level: LevelConfig = LevelConfig(value=uniform(-26, -20))
    assistant_level: LevelConfig = LevelConfig()
    peak_dbfs: float = Field(-0.5, lt=0, description="No sample is louder; the channel is turned down before")
    noise_probability: float = Field(
        1, ge=0, le=1, description="Share of conversations with noise on the user's channel"
    )
    snr_db: Distribution = Field(uniform(15, 30), description="15-30 dB (omniflatten.md: N)")
    noise: tuple[NoiseSourceConfig, ...] = (NoiseSourceConfig(),)
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
        _sentences(), description="What babble and other talkers say, by language"
    )
    talker_pace: Distribution = Field(
        uniform(1.06, 1.18),
        description="Babble and other talkers are this much faster and higher than the voices of users",
    )
    keep_audio: bool = Field(False, description="Store the audio in `conversations` as FLAC")
