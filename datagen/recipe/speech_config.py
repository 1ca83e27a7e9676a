"""The part of a recipe that speaks: engines, voices, takes, and what makes a take bad."""

from typing import Literal

from pydantic import Field

from datagen.recipe.mix_config import ConfigPart, EngineConfig


class EnginesConfig(ConfigPart):
    """Which engine does what."""

    tts: EngineConfig = EngineConfig(name="hibari")
    speech_tokenizer: EngineConfig = EngineConfig(name="kmeans")
    text_tokenizer: EngineConfig = EngineConfig(name="qwen2")


class VoicesConfig(ConfigPart):
    """Who speaks."""

    assistant: str | dict[str, str] = Field(
        "heart", description="The assistant's voice, fixed (omniflatten.md: N); or one a language: {en: NAME, zh: NAME}"
    )
    users: tuple[str, ...] = Field((), description="User voices to draw from; empty: all but the assistant's speaker's")
    deal: Literal["hash", "even"] = Field(
        "hash",
        description="How a dialogue gets its user voice: by its id alone, or evenly by its place in the input, where "
        "counts differ by no more than one but for rejects and splits",
    )

    def assistant_of(self, language: str) -> str:
        """The assistant's voice in a language; empty if the recipe names none.

        >>> VoicesConfig(assistant={"en": "heart"}).assistant_of("zh"), VoicesConfig().assistant_of("zh")
        ('', 'heart')
        """
        return self.assistant if isinstance(self.assistant, str) else self.assistant.get(language, "")

    @property
    def assistants(self) -> tuple[str, ...]:
        """All voices an assistant may have."""
        return (self.assistant,) if isinstance(self.assistant, str) else tuple(dict.fromkeys(self.assistant.values()))


class SpeakConfig(ConfigPart):
    """How utterances are spoken. A take that fails, or that `verify` finds bad, is spoken again with another seed."""

    attempts: int = Field(3, ge=1, le=20, description="Then the dialogue is a reject")
    trim_below_db: float = Field(
        -45, lt=0, description="Ends quieter than this against the take's own level are trimmed"
    )
    trim_margin_ms: float = Field(20, ge=0, description="Kept on both sides of what is heard")


class VerifyConfig(ConfigPart):
    """What makes a take bad. Limits are ours, set where good takes pass and broken ones don't (docs/engines.md)."""

    min_ms_per_syllable: float = Field(100, ge=0, description="Less speech: words are missing. Of Chinese, a character")
    max_ms_per_syllable: float = Field(270, gt=0, description="More speech: repeats, or a runaway voice")
    short_slack_ms: float = Field(200, ge=0, description="Less speech than that limit by so much is still right")
    long_slack_ms: float = Field(500, ge=0, description="More by so much: the last word of a short text is drawn out")
    min_level_dbfs: float = Field(-50, le=0, description="A quieter take is silent")
    max_pause_ms: float = Field(2000, gt=0, description="Longest silence within a take")
    max_tail_ms: float = Field(1500, gt=0, description="Longest time after the last loud sound, silence included")
    max_clipped_share: float = Field(0.005, ge=0, le=1, description="Share of samples that may be clipped")
    max_floor_db: float = Field(-12, le=0, description="Most noise between words, against loud speech")
    asr: EngineConfig | None = Field(None, description="Recognizer that listens to every take, such as {name: whisper}")
    min_units: int = Field(3, ge=1, description="Shorter texts (words, Chinese characters) are not judged by it")
    max_error_rate: float = Field(0.1, ge=0, description="Errors a word (WER; of Chinese a character, CER)")
    max_letter_error_rate: float = Field(
        0.16, ge=0, description="Errors a letter; a take is bad if both are exceeded, so that spellings don't count"
    )
    max_repeated: int = Field(3, ge=0, description="Words said over again at once that the text does not repeat")
    mos: EngineConfig | None = Field(None, description="Judge of how speech sounds, such as {name: dnsmos}")
    min_mos: float = Field(2.2, ge=1, le=5, description="Lowest score of that judge")
