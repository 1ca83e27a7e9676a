"""The timing of conversations in a recipe: rates, durations and words of events.

The defaults are the profile `omniflatten`. A profile is a file with the same keys; a recipe's own
keys override those of its profile. Times are in milliseconds and shares between 0 and 1. Words are
separated by whitespace; two Chinese characters count as one word.
"""

from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, model_validator

from datagen import resources
from datagen.errors import RecipeError
from datagen.recipe.distributions import ConfigPart, Constant, Duration, Offset, Share, uniform
from datagen.recipe.merge import merged
from datagen.recipe.yaml_values import read_file, read_yaml
from datagen.suggest import did_you_mean

_Weight = Annotated[float, Field(ge=0, le=1e6)]
"""Weight of one choice among several; 0: never."""


class FamiliesConfig(ConfigPart):
    """Families of user barge-ins, by weight. If the drawn family fits nowhere, nobody interrupts."""

    next_turn: _Weight = Field(
        3, description="The user starts the next turn of the dialogue, after the words that it refers to"
    )
    repeat_request: _Weight = Field(0, description="The user asks to repeat; the assistant says its last clause again")
    wait_request: _Weight = Field(0, description="The user asks to wait; the assistant is silent until it may continue")
    stop_request: _Weight = Field(1, description="The user asks to stop; the assistant's turn ends")
    got_it: _Weight = Field(0, description="The user signals understanding; the assistant skips to its next sentence")

    @model_validator(mode="after")
    def _some(self) -> "FamiliesConfig":
        if not any(self.model_dump().values()):
            raise ValueError("at least one family needs a weight above 0")
        return self


class BargeInConfig(ConfigPart):
    """The user starts inside the assistant's turn and takes the floor; the assistant yields with words unsaid."""

    probability: float = Field(
        0.4,
        ge=0,
        le=1,
        description="Per assistant turn that is long enough; turns without a fitting place are not interrupted",
    )
    min_words: int = Field(0, ge=0, le=1000, description="Minimum length of an interrupted turn, in words")
    min_words_left: int = Field(4, ge=2, le=1000, description="Minimum number of words that the barge-in leaves unsaid")
    at: Share = Field(
        uniform(0.3, 0.9),
        description="Place of the barge-in as a share of the turn's text; moved to the nearest fitting clause end",
    )
    delay: Offset = Field(uniform(0, 300), description="From the end of that clause to the user's start")
    families: FamiliesConfig = FamiliesConfig()
    reaction: Duration = Field(uniform(120, 400), description="From the user's start to the assistant's stop")
    finish_word_probability: float = Field(
        0, ge=0, le=1, description="Probability that the assistant finishes its current word"
    )
    competition_probability: float = Field(
        0, ge=0, le=1, description="Probability that the assistant yields late to a barge-in with the next turn"
    )
    competition: Duration = Field(uniform(600, 1500), description="Overlap before the assistant yields late")
    wait: Duration = Field(uniform(2000, 6000), description="Length of the wait after a request to wait")
    pause: Duration = Field(uniform(200, 800), description="From a request to stop to the user's next turn")


class FalseStartConfig(ConfigPart):
    """The user starts inside the assistant's turn and breaks off within about a syllable; the assistant continues."""

    probability: float = Field(0, ge=0, le=1, description="Per assistant turn that is long enough")
    min_words: int = Field(8, ge=1, le=1000, description="Minimum length of such a turn, in words")
    at: Share = Field(uniform(0.1, 0.9), description="Place as a share of the turn's text")
    break_off: Duration = Field(uniform(120, 250), description="Duration of the false start")


class AsideTimingConfig(ConfigPart):
    """The user says a few words to somebody else in the room; the assistant continues."""

    probability: float = Field(0, ge=0, le=1, description="Per assistant turn that is long enough")
    min_words: int = Field(12, ge=1, le=1000, description="Minimum length of such a turn, in words")
    at: Share = Field(uniform(0.1, 0.8), description="Place as a share of the turn's text")


class CorrectionConfig(ConfigPart):
    """The user says a wrong value first and corrects it at once, as in `at three, no, at four`."""

    probability: float = Field(0, ge=0, le=1, description="Per user turn that names a number, day or month")


class HesitationConfig(ConfigPart):
    """The user pauses inside a turn; the assistant must not take over."""

    probability: float = Field(0, ge=0, le=1, description="Per user turn that is long enough")
    min_words: int = Field(6, ge=3, le=1000, description="Minimum length of such a turn, in words")
    pause: Duration = Field(uniform(500, 1500), description="Length of the silence, after the filler if any")
    filler_probability: float = Field(
        0, ge=0, le=1, description="Probability that the pause begins with a filler such as `um`"
    )
    filler_delay: Duration = Field(uniform(50, 300), description="From the last word to the filler")
    restart_probability: float = Field(
        0, ge=0, le=1, description="Probability that the last words are repeated after the pause"
    )
    restart_words: int = Field(3, ge=1, le=1000, description="Maximum number of repeated words")


class BackchannelConfig(ConfigPart):
    """Listener tokens at phrase ends inside the other's turn. The assistant's are neutral continuers."""

    user_probability: float = Field(
        0, ge=0, le=1, description="Probability of a user backchannel per phrase end of the assistant"
    )
    assistant_probability: float = Field(
        0, ge=0, le=1, description="Probability of an assistant backchannel per phrase end of the user"
    )
    min_words: int = Field(
        5, ge=1, le=1000, description="Minimum number of words before the first backchannel and between two of them"
    )
    phrase_words: int = Field(
        8, ge=2, le=1000, description="Number of words after which a phrase ends without punctuation"
    )
    delay: Offset = Field(uniform(-100, 400), description="From the end of the phrase to the start of the token")


class SilenceConfig(ConfigPart):
    """The user stays silent for long when a turn is due; the assistant waits, or prompts once."""

    probability: float = Field(0, ge=0, le=1, description="Per user turn except the first")
    silence: Duration = Field(uniform(3000, 8000), description="Length of the silence")
    prompt_probability: float = Field(
        0, ge=0, le=1, description="Probability that the assistant asks once whether the user is still there"
    )


class ToolCallTimingConfig(ConfigPart):
    """The assistant calls a tool: it says so, is silent until the result is there, and answers.

    The call is text that nobody hears. The time in which the text stream can write it comes before
    `wait`.
    """

    wait: Duration = Field(uniform(500, 3000), description="The tool's own time, from the written call to its result")
    answer: Duration = Field(uniform(100, 400), description="From the result to the assistant's answer")
    break_in_probability: float = Field(
        0, ge=0, le=1, description="Probability that the user speaks during the wait, per turn with a call"
    )
    break_in: Duration = Field(
        uniform(400, 2000), description="From the assistant's words to the user's; shortened to fall into the wait"
    )
    cancel_share: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Share of such users who cancel the call, if no later turn needs the answer; others ask to wait",
    )


class TokensConfig(ConfigPart):
    """Words of one language that are not in the dialogue, each with its weight."""

    backchannels: dict[str, _Weight] = Field(min_length=1, description="The user's listener tokens")
    continuers: dict[str, _Weight] = Field(
        min_length=1, description="The assistant's listener tokens; they express no agreement"
    )
    fillers: dict[str, _Weight] = Field(min_length=1, description="Begin a pause inside a turn")
    corrections: dict[str, _Weight] = Field(min_length=1, description="Said between a wrong value and the right one")
    repeat_requests: dict[str, _Weight] = Field(min_length=1, description="The user asks to repeat")
    wait_requests: dict[str, _Weight] = Field(min_length=1, description="The user asks to wait")
    resumes: dict[str, _Weight] = Field(min_length=1, description="The user's words that end a wait")
    stop_requests: dict[str, _Weight] = Field(min_length=1, description="The user asks to stop")
    got_its: dict[str, _Weight] = Field(min_length=1, description="The user signals understanding")
    false_starts: dict[str, _Weight] = Field(min_length=1, description="Words that are cut off within a syllable")
    asides: dict[str, _Weight] = Field(min_length=1, description="Words that clearly address somebody else")
    prompts: dict[str, _Weight] = Field(min_length=1, description="The assistant's questions to a silent user")
    checks: dict[str, _Weight] = Field(
        default_factory=dict, description="The assistant's words before it calls a tool, if the dialogue has none"
    )
    cancels: dict[str, _Weight] = Field(default_factory=dict, description="The user cancels a call of a tool")


@cache
def _packaged_tokens() -> dict[str, Any]:
    values: dict[str, Any] = resources.values_of(resources.directory("data") / "tokens.yaml")
    return values


STORED = "stored"
"""Context of the validation of a recipe out of a build, whose profile is not read if it is a file."""


class TimingConfig(ConfigPart):
    """Timing of events. All times in milliseconds."""

    profile: str = Field(
        "omniflatten",
        description="A shipped profile, or a YAML file with these keys; the recipe's own keys override it",
    )
    lead_in: Duration = Field(uniform(200, 1000), description="Silence before the first turn")
    assistant_fto: Offset = Field(
        Constant(value=0),
        description="Floor-transfer offset of the assistant: from the user's end to the assistant's start",
    )
    user_fto: Offset = Field(
        uniform(500, 2000),
        description="Floor-transfer offset of the user: from the assistant's end to the user's start",
    )
    early_ms: float = Field(
        300,
        ge=0,
        le=10_000,
        description="Longest time by which the assistant answers before the user's end; never before the middle of "
        "the last content word",
    )
    user_early_ms: float = Field(
        600,
        ge=0,
        le=10_000,
        description="Longest time by which the user answers before the assistant's end, with the same restriction",
    )
    tail: Duration = Field(uniform(500, 1500), description="Silence after the last turn")
    fade_ms: float = Field(30, ge=0, le=500, description="Fade-out at the end of an interrupted take")
    barge_in: BargeInConfig = BargeInConfig()
    false_start: FalseStartConfig = FalseStartConfig()
    aside: AsideTimingConfig = AsideTimingConfig()
    correction: CorrectionConfig = CorrectionConfig()
    hesitation: HesitationConfig = HesitationConfig()
    backchannel: BackchannelConfig = BackchannelConfig()
    silence: SilenceConfig = SilenceConfig()
    tool_call: ToolCallTimingConfig = ToolCallTimingConfig()
    tokens: dict[str, TokensConfig] = Field(
        default_factory=lambda: {name: TokensConfig(**sets) for name, sets in _packaged_tokens().items()},
        description="By ISO 639-1 code; events that need such words do not occur in other languages",
    )

    @model_validator(mode="before")
    @classmethod
    def _from_profile(cls, values: Any, info: ValidationInfo) -> Any:
        """Add missing keys from the profile. A complete set of values needs no profile."""
        if not isinstance(values, dict) or set(cls.model_fields) <= set(values):
            return values
        profile = values.get("profile", "omniflatten")
        if not isinstance(profile, str) or (info.context == STORED and profile not in profiles()):
            return values
        return merged(profile_values(profile), values)


def profile_values(name: str) -> dict[str, Any]:
    """The keys and values of a profile, as in its file.

    Args:
        name: Name of a shipped profile, or path of a YAML file.

    Raises:
        ValueError: If there is no such profile or it holds no keys.
    """
    file = Path(name)
    if file.suffix not in (".yaml", ".yml"):
        file = resources.directory("pipelines") / "profiles" / f"{name}.yaml"
    try:
        values = read_yaml(read_file(file, name), name)
    except RecipeError as error:
        meant = "" if file.exists() else did_you_mean(file.stem, profiles())
        raise ValueError(f"{error}{meant}{' ' if meant else '; '}shipped profiles: {', '.join(profiles())}") from error
    if not isinstance(values, dict):
        raise ValueError(f"{name} must be a mapping of keys to values")
    return {key: value for key, value in values.items() if key not in ("profile", "description")}


def profiles() -> list[str]:
    """Names of the shipped profiles, sorted.

    >>> profiles()
    ['half_duplex', 'hard', 'natural', 'omniflatten']
    """
    return sorted(file.stem for file in (resources.directory("pipelines") / "profiles").glob("*.yaml"))
