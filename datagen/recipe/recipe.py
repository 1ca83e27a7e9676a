"""A recipe: every value of a build, and its default, in one place.

Milliseconds and decibels appear here and in reports only. Unknown keys are errors.
"""

import hashlib
import json
from typing import Any, Literal

import yaml
from pydantic import Field, model_validator

from datagen.recipe.distributions import ConfigPart
from datagen.recipe.mix_config import EngineConfig, MixConfig
from datagen.recipe.timing_config import TimingConfig

Task = Literal["asr", "tts", "four_stream", "three_stream", "two_stream"]
Role = Literal["user", "assistant"]


class InputConfig(ConfigPart):
    """Input of a build."""

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


class MinScoresConfig(ConfigPart):
    """The lowest scores of a judge that are kept, 1 to 10. Empty: not asked."""

    spokenness: int | None = Field(None, ge=1, le=10)
    coherence: int | None = Field(None, ge=1, le=10)
    safety: int | None = Field(None, ge=1, le=10)


class SelectConfig(ConfigPart):
    """Limits of dialogues. (N): notes on the paper; (ours): tuned on Alpaca, MOSS, ShareGPT."""

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


class ScriptConfig(ConfigPart):
    """Source of events inside turns: the rules of `timing`, or the marks of the dialogue."""

    marked_share: float = Field(
        1, ge=0, le=1, description="Of dialogues with marks, how many follow them; the rest, by their id, the rules"
    )


class EnginesConfig(ConfigPart):
    """Which engine does what."""

    tts: EngineConfig = EngineConfig(name="hibari")
    speech_tokenizer: EngineConfig = EngineConfig(name="kmeans")
    text_tokenizer: EngineConfig = EngineConfig(name="qwen2")


class VoicesConfig(ConfigPart):
    """Voices."""

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
    """Synthesis of utterances. A take that fails `verify` is synthesized again with another seed."""

    attempts: int = Field(3, ge=1, le=20, description="Then the dialogue is a reject")
    trim_below_db: float = Field(
        -45, lt=0, description="Ends quieter than this against the take's own level are trimmed"
    )
    trim_margin_ms: float = Field(20, ge=0, description="Kept on both sides of what is heard")


class VerifyConfig(ConfigPart):
    """Limits of takes. They are ours, set to separate correct from broken takes (docs/engines.md)."""

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


class FlattenConfig(ConfigPart):
    """Formats of training sequences."""

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


class SplitsConfig(ConfigPart):
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


class RunConfig(ConfigPart):
    """Division of the work."""

    unit_dialogues: int = Field(
        32, ge=1, le=4096, description="Records a unit: what is done, committed and resumed as one"
    )


class TakesConfig(ConfigPart):
    """Speech that is kept beyond a build, and found again. Decides no content, so it may change from run to run."""

    keep: bool = Field(False, description="Keep every take under `takes/`")
    reuse: tuple[str, ...] = Field((), description="Outputs whose kept takes are used instead of speaking them again")


class LimitsConfig(ConfigPart):
    """Limits of a run. They decide no content, so they may change between runs of a build."""

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
        1800, gt=0, le=86_400, description="Engines that take longer to load have hung; the same"
    )
    max_failed_share: float = Field(
        0.2, gt=0, le=1, description="Stop when more of the dialogues that were selected fail later on"
    )
    min_dialogues: int = Field(100, ge=1, description="... of at least so many")
    cluster_seconds: float = Field(30, ge=0, description="How long to wait for nodes that the pools need, on Ray")


class PoolConfig(ConfigPart):
    """Needs of a worker of a step on Ray, and limits of their number; equal neighbours share workers."""

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


class Recipe(ConfigPart):
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
        """Values that decide the content, as a plan freezes and a manifest stores them."""
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
