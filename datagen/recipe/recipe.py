"""A recipe: every value of a build, and its default, in one place.

Milliseconds and decibels appear here and in reports only. Unknown keys are errors.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from datagen import resources
from datagen.errors import RecipeError
from datagen.recipe.mix_config import ConfigPart as _Part
from datagen.recipe.mix_config import MixConfig
from datagen.recipe.speech_config import EnginesConfig, SpeakConfig, VerifyConfig, VoicesConfig
from datagen.recipe.timing_config import TimingConfig

Task = Literal["asr", "tts", "four_stream", "three_stream", "two_stream"]
Role = Literal["user", "assistant"]


class InputConfig(_Part):
    """What to read."""

    paths: tuple[str, ...] = Field(
        (), description="Files, directories, their URLs, `package:NAME`, or `hf:NAME[:CONFIG][@REVISION]`"
    )
    shape: str = Field("auto", description="Shape of the records, or `auto` to detect it per record")
    hf_split: str = Field("train", description="Split of a Hugging Face data set")
    limit: int | None = Field(None, ge=1, description="Stop after this many records")
    max_record_bytes: int = Field(1 << 20, ge=1024, description="A larger record is a reject")
    exact_duplicates: bool = Field(True, description="Reject dialogues whose normalized text came before")
    near_duplicates: float | None = Field(
        None, gt=0.1, lt=1, description="Reject above this Jaccard similarity of words"
    )


class MinScoresConfig(_Part):
    """The lowest scores of a judge that are kept, 1 to 10. Empty: not asked."""

    spokenness: int | None = Field(None, ge=1, le=10)
    coherence: int | None = Field(None, ge=1, le=10)
    safety: int | None = Field(None, ge=1, le=10)


class SelectConfig(_Part):
    """What a dialogue must be like to be spoken. (N): notes on the paper; (ours): tuned on Alpaca, MOSS, ShareGPT."""

    languages: tuple[str, ...] = Field(
        ("en",), min_length=1, description="ISO 639-1 codes kept; detected where the input does not say (ours)"
    )
    min_turns: int = Field(2, ge=1, description="fewest turns (ours)")
    max_turns: int = Field(60, ge=1, description="most turns (ours)")
    min_words: int = Field(4, ge=1, description="fewest words of a dialogue (ours)")
    max_words: int = Field(1000, ge=1, description="most words of a dialogue (ours)")
    max_words_per_turn: int = Field(
        200, ge=1, description="most words of a turn; the paper drops samples over 200 words (N)"
    )
    characters_per_word: float = Field(
        1.6, ge=1, le=4, description="Chinese or Japanese characters that count as one word (ours)"
    )
    max_code_share: float = Field(
        0.1, ge=0, le=1, description="most of a turn's characters that may be code; the paper drops much code (N)"
    )
    max_math_symbols: int = Field(
        3, ge=0, description="most operators and LaTeX commands in a turn; the paper drops much mathematics (N)"
    )
    max_rare_share: float = Field(
        0.02, ge=0, le=1, description="most characters outside letters, digits and punctuation; rare symbols go (N)"
    )
    max_list_items: int = Field(3, ge=0, description="most bullets or numbered items in a turn (ours)")
    max_table_rows: int = Field(0, ge=0, description="most rows of a Markdown table in a turn (ours)")
    max_html_tags: int = Field(0, ge=0, description="most HTML tags in a turn (ours)")
    max_urls: int = Field(1, ge=0, description="most web addresses in a turn (ours)")
    max_placeholders: int = Field(
        0, ge=0, description='most blanks to fill in a turn, such as "[Name]" or "____" (ours)'
    )
    max_word_length: int = Field(40, ge=10, description="most characters without a space, addresses aside (ours)")
    max_repeated_share: float = Field(
        0.4, ge=0, le=1, description="most of a turn's word groups that may have occurred in it before (ours)"
    )
    min_scores: MinScoresConfig = Field(
        MinScoresConfig(), description="lowest scores of the judge of written dialogues, such as {spokenness: 6}"
    )
    require_scores: bool = Field(False, description="reject dialogues without a score that `min_scores` asks for")


class ScriptConfig(_Part):
    """Who says what happens inside a dialogue's turns: the rules of `timing`, or marks that came with the dialogue."""

    marked_share: float = Field(
        1, ge=0, le=1, description="Of dialogues with marks, how many follow them; the rest, by their id, the rules"
    )


class FlattenConfig(_Part):
    """How conversations become sequences."""

    tasks: tuple[Task, ...] = Field(("asr", "tts", "four_stream", "three_stream", "two_stream"), min_length=1)
    speech_chunk_tokens: int = Field(
        10, ge=1, le=250, description="Speech tokens a chunk and stream (omniflatten.md: S)"
    )
    text_chunk_tokens: int = Field(2, ge=1, le=250, description="Text tokens a chunk (omniflatten.md: S)")
    max_tokens: int = Field(8192, ge=64, description="Longest dialogue row (omniflatten.md: N)")
    max_alignment_tokens: int = Field(1024, ge=64, description="Longest ASR or TTS row (omniflatten.md: N)")
    assistant_silence: Literal["special", "codes"] = Field(
        "special",
        description="Where the assistant is silent: one special id, or the tokenizer's codes (omniflatten.md: ?)",
    )
    asr_roles: tuple[Role, ...] = ("user", "assistant")
    tts_roles: tuple[Role, ...] = ("assistant",)
    loss_on_user_text: bool = Field(True, description="four_stream: learn to transcribe the user (omniflatten.md: ?)")
    interrupted_text: Literal["causal", "heard"] = Field(
        "causal",
        description="three_stream: text of a turn that is interrupted: all of it until the assistant stops, or, to "
        "compare, only the words that are heard, which tells that an interruption is coming (ours)",
    )
    half_duplex: Literal["whole", "heard"] = Field(
        "whole", description="four_stream: a turn that is interrupted is there whole, or as far as it is heard (ours)"
    )
    alignment_takes: Literal["whole", "heard"] = Field(
        "whole", description="asr, tts: an utterance that is interrupted is there whole, or as far as heard (ours)"
    )
    max_canned_share: float = Field(
        0.05,
        ge=0,
        le=1,
        description="asr, tts: most rows that are listener tokens, fillers and other words that no dialogue has (ours)",
    )

    @model_validator(mode="after")
    def _chunk_fits(self) -> "FlattenConfig":
        if 2 * self.speech_chunk_tokens + self.text_chunk_tokens > self.max_tokens:
            raise ValueError("one chunk of three streams is longer than max_tokens")
        return self


class SplitsConfig(_Part):
    """Shares of dialogues, dealt by a hash of the id of each, or of its cluster (98/1/1: omniflatten.md, N)."""

    validation: float = Field(0.01, ge=0, lt=1)
    test: float = Field(0.01, ge=0, lt=1)
    share_voices: bool = Field(False, description="Allow one user voice in several splits")
    keep_together: float | None = Field(
        0.4,
        gt=0.1,
        lt=1,
        description="Dialogues that share this much of their text (Jaccard similarity of character 5-grams, estimated "
        "to within 0.1), or a long turn of the user, share a split; null deals each by itself",
    )

    @model_validator(mode="after")
    def _leaves_train(self) -> "SplitsConfig":
        if self.validation + self.test >= 1:
            raise ValueError("validation and test leave nothing to train on")
        return self


class RunConfig(_Part):
    """How the work is cut."""

    unit_dialogues: int = Field(
        32, ge=1, le=4096, description="Records a unit: what is done, committed and resumed as one"
    )


class TakesConfig(_Part):
    """Speech that is kept beyond a build, and found again. Decides no content, so it may change from run to run."""

    keep: bool = Field(False, description="Keep every take under `takes/`")
    reuse: tuple[str, ...] = Field((), description="Outputs whose kept takes are used instead of speaking them again")


class LimitsConfig(_Part):
    """When to give up. They decide no content, so they may change from one run of a build to the next."""

    attempts: int = Field(
        3, ge=1, le=20, description="How often a worker may die on one unit, and then on one dialogue of it"
    )
    dialogue_seconds: float = Field(
        600,
        gt=0,
        le=86_400,
        description="A dialogue that takes longer has hung: its worker is ended, and it tried again",
    )
    start_seconds: float = Field(
        1800, gt=0, le=86_400, description="EnginesConfig that take longer to load have hung; the same"
    )
    max_failed_share: float = Field(
        0.2, gt=0, le=1, description="Stop when more of the dialogues that were selected fail later on"
    )
    min_dialogues: int = Field(100, ge=1, description="... of at least so many")
    cluster_seconds: float = Field(30, ge=0, description="How long to wait for nodes that the pools need, on Ray")


class PoolConfig(_Part):
    """What one worker of a step needs on Ray, and how many there may be; neighbouring steps with equal pools share."""

    cpus: float = Field(1, ge=0, description="Cores a worker")
    gpus: float = Field(0, ge=0, description="GPUs a worker; a fraction shares one")
    min_workers: int = Field(1, ge=1)
    max_workers: int | None = Field(None, ge=1, description="Empty: as many as the cluster holds")

    @model_validator(mode="after")
    def _in_order(self) -> "PoolConfig":
        if self.max_workers is not None and self.max_workers < self.min_workers:
            raise ValueError("max_workers is below min_workers")
        return self


StepName = Literal["select", "script", "speak", "place", "mix", "encode"]


class Recipe(_Part):
    """All values of a build."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    description: str = ""
    seed: int = Field(0, ge=0, lt=2**63)
    sample_rate_hz: int = Field(24_000, ge=8_000, le=48_000, description="Of the conversation's audio")
    input: InputConfig = InputConfig()
    select: SelectConfig = SelectConfig()
    script: ScriptConfig = ScriptConfig()
    engines: EnginesConfig = EnginesConfig()
    voices: VoicesConfig = VoicesConfig()
    timing: TimingConfig = TimingConfig()
    speak: SpeakConfig = SpeakConfig()
    verify: VerifyConfig = VerifyConfig()
    mix: MixConfig = MixConfig()
    flatten: FlattenConfig = FlattenConfig()
    splits: SplitsConfig = SplitsConfig()
    run: RunConfig = RunConfig()
    takes: TakesConfig = TakesConfig()
    limits: LimitsConfig = LimitsConfig()
    pools: dict[StepName, PoolConfig] = Field(
        default_factory=dict, description="By step; one core a worker where not given"
    )

    def identity(self) -> dict[str, Any]:
        """What decides the content, as plain values: what a plan freezes and a manifest stores."""
        return self.model_dump(mode="json", exclude={"takes", "limits", "pools"})

    def dump(self) -> dict[str, Any]:
        """All values, as can be sent to a worker."""
        return self.model_dump(mode="json")

    def sha256(self) -> str:
        """Hash of all values, whatever the file's comments and order."""
        return sha256_of(self.identity())

    def to_yaml(self) -> str:
        """The recipe with all its defaults spelled out."""
        return yaml.safe_dump(self.dump(), sort_keys=False, allow_unicode=True)


def sha256_of(identity: dict[str, Any]) -> str:
    """Hash of what decides the content, as a manifest stores it; see `Recipe.identity`."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


_TOKENS = ("timing", "tokens")


def stored(values: dict[str, Any]) -> Recipe:
    """The recipe of a finished build, without keys that only older versions of datagen know.

    Words of older versions for what dialogues do not hold are replaced by today's.

    Args:
        values: As its manifest has them.

    Raises:
        ValidationError: If a value is wrong.
    """
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        gone = {fault["loc"] for fault in error.errors() if fault["type"] == "extra_forbidden"}
        if any(fault["type"] == "missing" and fault["loc"][:2] == _TOKENS for fault in error.errors()):
            gone.add(_TOKENS)
        if not gone:
            raise
        return stored(_without(values, gone))


def _without(values: dict[str, Any], gone: set[tuple[int | str, ...]]) -> dict[str, Any]:
    """Nested values without some of their keys.

    >>> _without({"a": {"b": 1, "c": 2}, "d": 3}, {("a", "b")})
    {'a': {'c': 2}, 'd': 3}
    """
    return {
        key: _without(value, {place[1:] for place in gone if place[0] == key and len(place) > 1})
        if isinstance(value, dict)
        else value
        for key, value in values.items()
        if (key,) not in gone
    }


WRITE = "write"
"""The part of a recipe file that `datagen write` reads; it is no part of a build."""


def load(path: str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe.

    Args:
        path: The name of a recipe shipped with the package, such as `quickstart`, or a YAML file; write `./quickstart`
            for a file that has the name of a shipped recipe.
        overrides: `key=value` pairs; the key is dotted (`timing.barge_in.probability`), the value YAML.

    Raises:
        RecipeError: If there is no such recipe, or a key or value is wrong; names file, key and mend.
    """
    values = values_of(read_text(path), path)
    values.pop(WRITE, None)
    for override in overrides:
        set_value(values, override)
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise RecipeError(f"{path}: {explain(error)}") from error


def values_of(text: str, name: str) -> dict[str, Any]:
    """The keys and values at the top of a YAML file.

    Raises:
        RecipeError: If it holds something else; `name` says where.
    """
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RecipeError(f"{name} is not valid YAML: {error}") from error
    if not isinstance(values, dict):
        raise RecipeError(f"{name} must hold keys and values at the top, not {type(values).__name__}")
    return values


def read_text(path: str) -> str:
    """The text of a recipe file, or of a shipped recipe by its name, whatever lies beside us under that name.

    Raises:
        RecipeError: If there is none.
    """
    shipped = path in resources.recipes()
    file = resources.directory("pipelines") / f"{path}.yaml" if shipped else Path(path)
    if file.is_dir():
        raise RecipeError(f"{path} is a folder; a recipe is a YAML file, or the name of a shipped one")
    try:
        return file.read_text("utf-8")
    except OSError as error:
        known = ", ".join(resources.recipes())
        raise RecipeError(f"cannot read recipe {path}: {error.strerror}. Shipped recipes: {known}") from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path} is not UTF-8 text (byte {error.start})") from error


def set_value(
    values: dict[str, Any], override: str, option: str = "--set", example: str = "timing.barge_in.probability=0.5"
) -> None:
    """Set a dotted key of nested values, in place, from `key=value`; the value is YAML.

    Args:
        values: What is changed.
        override: As the command line gives it.
        option: What it was given to, and
        example: ... how that is written right, for errors.

    Raises:
        RecipeError: If it is written otherwise.
    """
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise RecipeError(f"{option} {override}: write it as key=value, for example {example}")
    *parents, last = key.strip().split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise RecipeError(f"{option} {override}: {parent} holds a value, not keys")
    try:
        values[last] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RecipeError(f"{option} {override}: the value is not valid YAML") from error


def explain(error: ValidationError, part: str = "") -> str:
    """What pydantic found wrong, as `key: fault; key: fault`; `part` of a recipe if not all of it was read."""
    lines = []
    for fault in error.errors(include_url=False, include_input=False):
        key = ".".join(str(name) for name in (part, *fault["loc"]) if name != "") or "recipe"
        lines.append(f"{key}: {'unknown key' if fault['type'] == 'extra_forbidden' else fault['msg']}")
    return "; ".join(lines)
