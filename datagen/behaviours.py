"""What people do with time in a conversation, as a recipe says it: how often, how long, and with which words.

The defaults are the profile `omniflatten`. Another profile is a file of the same keys; a recipe's own keys override
those of the profile it names. Times are in milliseconds, shares between 0 and 1, words as whitespace parts them
(two Chinese characters count as one).
"""

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from datagen import resources
from datagen.distributions import Constant, Distribution, Uniform


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def _uniform(low: float, high: float) -> Uniform:
    return Uniform(kind="uniform", low=low, high=high)


class BargeIns(_Group):
    """The user starts inside the assistant's turn and takes the floor; the assistant yields."""

    probability: float = Field(0.2, ge=0, le=1, description="That a user's turn interrupts the assistant's before it")
    min_words: int = Field(0, ge=0, description="Fewest words of an assistant's turn that is interrupted")
    at: Distribution = Field(_uniform(0.3, 0.9), description="Where, as a share of the interrupted turn's length")
    reaction: Distribution = Field(_uniform(120, 400), description="User starts to assistant stops")
    finish_word_probability: float = Field(0, ge=0, le=1, description="That the assistant ends the word it is in")
    competition_probability: float = Field(0, ge=0, le=1, description="Of barge-ins, that the assistant yields late")
    competition: Distribution = Field(_uniform(600, 1500), description="How long both go on then")
    correction_probability: float = Field(0, ge=0, le=1, description="Of barge-ins, that one opens with a correction")
    correction_pause: Distribution = Field(_uniform(60, 250), description="From that opener to the turn")


class FailedBargeIns(_Group):
    """The user starts inside the assistant's turn and gives up; the assistant goes on."""

    probability: float = Field(0, ge=0, le=1, description="For each assistant's turn that is long enough")
    min_words: int = Field(12, ge=1, description="Fewest words of such a turn")
    at: Distribution = Field(_uniform(0.2, 0.8), description="Where, as a share of the turn's text")
    give_up: Distribution = Field(_uniform(300, 900), description="Start to giving up")


class AssistantBargeIns(_Group):
    """The assistant starts inside a rambling user's turn and takes the floor; the user yields."""

    probability: float = Field(0, ge=0, le=1, description="For each user's turn that is long enough")
    min_words: int = Field(25, ge=1, description="Fewest words of such a turn")
    at: Distribution = Field(_uniform(0.7, 0.95), description="Where, as a share of the turn's length")
    reaction: Distribution = Field(_uniform(200, 600), description="Assistant starts to user stops")


class Hesitations(_Group):
    """The user pauses inside a turn; the assistant must not take over."""

    probability: float = Field(0, ge=0, le=1, description="For each user's turn that is long enough")
    min_words: int = Field(6, ge=3, description="Fewest words of such a turn")
    pause: Distribution = Field(_uniform(500, 1500), description="Silence; with a filler, after the filler")
    filler_probability: float = Field(0, ge=0, le=1, description="That the pause begins with a filler such as `um`")
    filler_delay: Distribution = Field(_uniform(50, 300), description="Last word to filler")
    restart_probability: float = Field(0, ge=0, le=1, description="That the last words are said again")
    restart_words: int = Field(3, ge=1, description="Most words said again")


class Backchannels(_Group):
    """The listener's tokens at ends of phrases inside the other's turn."""

    user_probability: float = Field(0, ge=0, le=1, description="Of a user's backchannel, for each end of a phrase")
    assistant_probability: float = Field(0, ge=0, le=1, description="Of an assistant's, for each end of a phrase")
    min_words: int = Field(5, ge=1, description="Fewest words before the first, and from one to the next")
    phrase_words: int = Field(8, ge=2, description="Words after which a phrase ends even without punctuation")
    delay: Distribution = Field(_uniform(-100, 400), description="End of the phrase to start of the token")


class OverlappingStarts(_Group):
    """Both start a turn at about the same time; the one who spoke before gives way."""

    user_probability: float = Field(0, ge=0, le=1, description="That the user goes on as the assistant starts")
    assistant_probability: float = Field(0, ge=0, le=1, description="That the assistant goes on as the user starts")
    delay: Distribution = Field(_uniform(-150, 250), description="From the start of the turn that wins")
    give_up: Distribution = Field(_uniform(200, 600), description="Start to giving up")


class Silences(_Group):
    """The user says nothing for long where a turn is due; the assistant waits, or asks once."""

    probability: float = Field(0, ge=0, le=1, description="For each user's turn but the first")
    silence: Distribution = Field(_uniform(3000, 8000), description="How long nobody speaks")
    prompt_probability: float = Field(0, ge=0, le=1, description="That the assistant then asks once")


class Tokens(_Group):
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


class Timing(_Group):
    """When things happen. All times in milliseconds."""

    profile: str = Field(
        "omniflatten", description="A shipped profile, or a YAML file of these keys; keys given here override it"
    )
    lead_in: Distribution = Field(_uniform(200, 1000), description="Silence before the first turn")
    assistant_fto: Distribution = Field(
        Constant(value=0), description="Floor-transfer offset of the assistant: user ends to assistant starts"
    )
    user_fto: Distribution = Field(_uniform(500, 2000), description="The user's: assistant ends to user starts")
    tail: Distribution = Field(_uniform(500, 1500), description="Silence after the last turn")
    fade_ms: float = Field(30, ge=0, le=500, description="Fade-out of an interrupted take, before its end")
    barge_in: BargeIns = BargeIns()
    failed_barge_in: FailedBargeIns = FailedBargeIns()
    assistant_barge_in: AssistantBargeIns = AssistantBargeIns()
    hesitation: Hesitations = Hesitations()
    backchannel: Backchannels = Backchannels()
    overlapping_start: OverlappingStarts = OverlappingStarts()
    silence: Silences = Silences()
    tokens: dict[str, Tokens] = Field(
        default_factory=lambda: {name: Tokens(**sets) for name, sets in _packaged_tokens().items()},
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
