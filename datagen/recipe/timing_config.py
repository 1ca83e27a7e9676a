"""Timing of conversations in a recipe: how often, how long, and with which words.

The defaults are the profile `omniflatten`. Another profile is a file of the same keys; a recipe's own keys override
those of the profile it names. Times are in milliseconds, shares between 0 and 1, words as whitespace parts them
(two Chinese characters count as one).
"""

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, model_validator

from datagen import resources
from datagen.recipe.distributions import ConfigPart, Constant, Distribution, uniform


class FamiliesConfig(ConfigPart):
    """Families of a user's barge-in by weight. If the drawn one fits nowhere, nobody interrupts."""

    next_turn: float = Field(3, ge=0, description="The next turn of the dialogue, where what it refers to was said")
    repeat_request: float = Field(0, ge=0, description="Asks to repeat; the assistant says its last clause again")
    wait_request: float = Field(0, ge=0, description="Asks to wait; the assistant is silent until it may continue")
    stop_request: float = Field(1, ge=0, description="Asks to stop; the assistant's turn ends")
    got_it: float = Field(0, ge=0, description="Signals understanding; the assistant skips to its next sentence")

    @model_validator(mode="after")
    def _some(self) -> "FamiliesConfig":
        if not any(self.model_dump().values()):
            raise ValueError("at least one family needs a weight above 0")
        return self


class BargeInConfig(ConfigPart):
    """The user starts inside the assistant's turn and takes the floor; the assistant yields with words unsaid."""

    probability: float = Field(
        0.4, ge=0, le=1, description="For each of the assistant's turns that is long enough; fewer have a fitting place"
    )
    min_words: int = Field(0, ge=0, description="Fewest words of an assistant's turn that is interrupted")
    min_words_left: int = Field(4, ge=2, description="Fewest words that the assistant still has to say there")
    at: Distribution = Field(
        uniform(0.3, 0.9), description="Where, as a share of the turn's text; the nearest fitting end of a clause"
    )
    delay: Distribution = Field(uniform(0, 300), description="End of that clause to the user's start")
    families: FamiliesConfig = FamiliesConfig()
    reaction: Distribution = Field(uniform(120, 400), description="User starts to assistant stops")
    finish_word_probability: float = Field(0, ge=0, le=1, description="That the assistant ends the word it is in")
    competition_probability: float = Field(
        0, ge=0, le=1, description="Of barge-ins with the next turn, that the assistant yields late"
    )
    competition: Distribution = Field(uniform(600, 1500), description="How long both continue then")
    wait: Distribution = Field(uniform(2000, 6000), description="How long the user lets the assistant wait")
    pause: Distribution = Field(uniform(200, 800), description="After a request to stop, to the user's next turn")


class FalseStartConfig(ConfigPart):
    """The user starts inside the assistant's turn and breaks off within about a syllable; the assistant continues."""

    probability: float = Field(0, ge=0, le=1, description="For each of the assistant's turns that is long enough")
    min_words: int = Field(8, ge=1, description="Fewest words of such a turn")
    at: Distribution = Field(uniform(0.1, 0.9), description="Where, as a share of the turn's text")
    break_off: Distribution = Field(uniform(120, 250), description="Start to breaking off")


class AsideTimingConfig(ConfigPart):
    """The user says a word to somebody else in the room; the assistant continues."""

    probability: float = Field(0, ge=0, le=1, description="For each of the assistant's turns that is long enough")
    min_words: int = Field(12, ge=1, description="Fewest words of such a turn")
    at: Distribution = Field(uniform(0.1, 0.8), description="Where, as a share of the turn's text")


class CorrectionConfig(ConfigPart):
    """The user says a wrong value first and corrects it at once, as in `at three, no, at four`."""

    probability: float = Field(0, ge=0, le=1, description="For each user's turn that names a number, day or month")


class HesitationConfig(ConfigPart):
    """The user pauses inside a turn; the assistant must not take over."""

    probability: float = Field(0, ge=0, le=1, description="For each user's turn that is long enough")
    min_words: int = Field(6, ge=3, description="Fewest words of such a turn")
    pause: Distribution = Field(uniform(500, 1500), description="Silence; with a filler, after the filler")
    filler_probability: float = Field(0, ge=0, le=1, description="That the pause begins with a filler such as `um`")
    filler_delay: Distribution = Field(uniform(50, 300), description="Last word to filler")
    restart_probability: float = Field(0, ge=0, le=1, description="That the last words are said again")
    restart_words: int = Field(3, ge=1, description="Most words said again")


class BackchannelConfig(ConfigPart):
    """Listener tokens at ends of phrases inside the other's turn. The assistant's are neutral continuers."""

    user_probability: float = Field(0, ge=0, le=1, description="Of a user's backchannel, for each end of a phrase")
    assistant_probability: float = Field(0, ge=0, le=1, description="Of an assistant's, for each end of a phrase")
    min_words: int = Field(5, ge=1, description="Fewest words before the first, and from one to the next")
    phrase_words: int = Field(8, ge=2, description="Words after which a phrase ends even without punctuation")
    delay: Distribution = Field(uniform(-100, 400), description="End of the phrase to start of the token")


class SilenceConfig(ConfigPart):
    """The user says nothing for long where a turn is due; the assistant waits, or asks once."""

    probability: float = Field(0, ge=0, le=1, description="For each user's turn but the first")
    silence: Distribution = Field(uniform(3000, 8000), description="How long nobody speaks")
    prompt_probability: float = Field(0, ge=0, le=1, description="That the assistant then asks once")


class TokensConfig(ConfigPart):
    """Words of one language for all that a dialogue does not hold, each with its weight."""

    backchannels: dict[str, float] = Field(min_length=1, description="The user's listener tokens")
    continuers: dict[str, float] = Field(min_length=1, description="The assistant's; they agree with nothing")
    fillers: dict[str, float] = Field(min_length=1)
    corrections: dict[str, float] = Field(min_length=1, description="Between a wrong value and the right one")
    repeat_requests: dict[str, float] = Field(min_length=1)
    wait_requests: dict[str, float] = Field(min_length=1)
    resumes: dict[str, float] = Field(min_length=1, description="The words that end a wait")
    stop_requests: dict[str, float] = Field(min_length=1)
    got_its: dict[str, float] = Field(min_length=1)
    false_starts: dict[str, float] = Field(min_length=1, description="Cut off within a syllable")
    asides: dict[str, float] = Field(min_length=1, description="Plainly to somebody else")
    prompts: dict[str, float] = Field(min_length=1, description="The assistant's, to a silent user")


@cache
def _packaged_tokens() -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((resources.directory("data") / "tokens.yaml").read_text("utf-8"))
    return values


class TimingConfig(ConfigPart):
    """Timing of events. All times in milliseconds."""

    profile: str = Field(
        "omniflatten", description="A shipped profile, or a YAML file of these keys; keys given here override it"
    )
    lead_in: Distribution = Field(uniform(200, 1000), description="Silence before the first turn")
    assistant_fto: Distribution = Field(
        Constant(value=0), description="Floor-transfer offset of the assistant: user ends to assistant starts"
    )
    user_fto: Distribution = Field(uniform(500, 2000), description="The user's: assistant ends to user starts")
    early_ms: float = Field(
        300,
        ge=0,
        description="Most that an answer starts before the user's end; never before half of the last content word",
    )
    user_early_ms: float = Field(
        600,
        ge=0,
        description="The same for the user's turns, before the assistant's end",
    )
    tail: Distribution = Field(uniform(500, 1500), description="Silence after the last turn")
    fade_ms: float = Field(30, ge=0, le=500, description="Fade-out of an interrupted take, before its end")
    barge_in: BargeInConfig = BargeInConfig()
    false_start: FalseStartConfig = FalseStartConfig()
    aside: AsideTimingConfig = AsideTimingConfig()
    correction: CorrectionConfig = CorrectionConfig()
    hesitation: HesitationConfig = HesitationConfig()
    backchannel: BackchannelConfig = BackchannelConfig()
    silence: SilenceConfig = SilenceConfig()
    tokens: dict[str, TokensConfig] = Field(
        default_factory=lambda: {name: TokensConfig(**sets) for name, sets in _packaged_tokens().items()},
        description="By ISO 639-1 code; in other languages nothing that needs them happens",
    )

    @model_validator(mode="before")
    @classmethod
    def _from_profile(cls, values: Any) -> Any:
        """Fill keys that are missing from the profile. Values that are spelled out need no profile any more."""
        if not isinstance(values, dict) or set(cls.model_fields) <= set(values):
            return values
        return _merged(profile_values(values.get("profile", "omniflatten")), values)


def profile_values(name: str) -> dict[str, Any]:
    """The keys of a profile, as its file has them.

    Args:
        name: Of a shipped profile, or a path to a YAML file.

    Raises:
        ValueError: If there is no such profile or it holds no keys.
    """
    file = Path(name)
    if file.suffix not in (".yaml", ".yml"):
        file = resources.directory("pipelines") / "profiles" / f"{name}.yaml"
    try:
        values = yaml.safe_load(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"cannot read {name}; shipped: {', '.join(profiles())} ({error})") from error
    if not isinstance(values, dict):
        raise ValueError(f"{name} must hold keys and values at the top")
    return {key: value for key, value in values.items() if key not in ("profile", "description")}


def profiles() -> list[str]:
    """Names of the shipped profiles, sorted.

    >>> profiles()
    ['half_duplex', 'hard', 'natural', 'omniflatten']
    """
    return sorted(file.stem for file in (resources.directory("pipelines") / "profiles").glob("*.yaml"))


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """The keys of both, those of `over` first; groups key by key, distributions whole.

    >>> _merged({"a": {"x": 1, "y": 2}, "b": {"kind": "c", "v": 1}}, {"a": {"y": 3}, "b": {"kind": "d"}})
    {'a': {'x': 1, 'y': 3}, 'b': {'kind': 'd'}}
    """
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        both_groups = isinstance(old, dict) and isinstance(value, dict) and "kind" not in value
        merged[key] = _merged(old, value) if both_groups and old else value
    return merged
