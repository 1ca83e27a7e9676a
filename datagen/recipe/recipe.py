"""A recipe: every value of a build and its default, in one place.

Milliseconds and decibels are used only here and in reports. Unknown keys are errors.
"""

import hashlib
import json
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, model_validator

from datagen.recipe.commented import commented
from datagen.recipe.distributions import ConfigPart
from datagen.recipe.mapping_config import MappingConfig, RoleKind
from datagen.recipe.mix_config import EngineConfig, MixConfig
from datagen.recipe.recordings_config import RecordingsConfig
from datagen.recipe.timing_config import TimingConfig

Task = Literal["asr", "tts", "four_stream", "interleaved", "chat", "three_stream", "two_stream", "parallel"]
Role = Literal["user", "assistant"]


class InputConfig(ConfigPart):
    """Input of a build."""

    paths: tuple[str, ...] = Field(
        (), description="Files, directories, their URLs, `package:NAME`, or `hf:NAME[:CONFIG][@REVISION]`"
    )
    shape: str = Field("auto", description="Shape of the records, or `auto` to detect it per record")
    mapping: MappingConfig | None = Field(
        None, description="Where the records have turns, roles and texts, if they have no known shape"
    )
    roles: dict[str, RoleKind] = Field(
        default_factory=dict,
        description="Roles by their names in the records, such as {Kunde: user, Bot: assistant}",
    )
    hf_split: str = Field("train", description="Split of a Hugging Face data set")
    licence: str = Field(
        "",
        pattern=r"^([a-z0-9][a-z0-9.+-]{1,63})?$",
        description="Licence of the dialogues, as the Hub writes it, such as cc-by-4.0; the card states it",
    )
    limit: int | None = Field(None, ge=1, le=10**12, description="Stop after this many records")
    max_record_bytes: int = Field(1 << 20, ge=1024, le=1 << 30, description="Larger records are rejected")
    exact_duplicates: bool = Field(
        True, description="Reject dialogues that repeat an earlier one, ignoring case, spaces and punctuation"
    )
    near_duplicates: float | None = Field(
        None,
        gt=0.1,
        lt=1,
        description="Reject dialogues at or above this estimated similarity to an earlier one (Jaccard, character "
        "5-grams); null: off",
    )
    tool_calls: Literal["cut", "keep"] = Field(
        "cut",
        description="Calls of tools in records. cut: a dialogue ends before its first one. keep: the assistant says a "
        "filler, calls, waits and answers (docs/tools.md)",
    )
    recordings: RecordingsConfig | None = Field(
        None, description="Recordings, instead of dialogues in `paths` (docs/recordings.md)"
    )

    @model_validator(mode="after")
    def _one_shape(self) -> "InputConfig":
        if self.recordings is not None and self.paths:
            raise ValueError("set paths or recordings, not both; `datagen merge` joins two builds")
        if self.mapping is not None and self.shape != "auto":
            raise ValueError("set shape or mapping, not both")
        return self


class MinScoresConfig(ConfigPart):
    """Lowest passing scores of a judge, 1 to 10. Null: not checked."""

    spokenness: int | None = Field(None, ge=1, le=10, description="Lowest score of how much it sounds like speech")
    coherence: int | None = Field(None, ge=1, le=10, description="Lowest score of how well the turns fit together")
    safety: int | None = Field(None, ge=1, le=10, description="Lowest score of how harmless it is")


class SelectConfig(ConfigPart):
    """Limits on dialogues. (ours): tuned on Alpaca, MOSS and ShareGPT."""

    languages: tuple[str, ...] = Field(
        ("en",), min_length=1, description="languages to keep, ISO 639-1; detected if the input states none (ours)"
    )
    trim: bool = Field(
        True,
        description="cut a dialogue before a tool call that is not kept, or before the turn that exceeds max_turns, "
        "max_words or max_words_per_turn, if what is left passes the minimums; false rejects it (ours)",
    )
    min_turns: int = Field(2, ge=1, le=10_000, description="minimum number of turns (ours)")
    max_turns: int = Field(60, ge=1, le=10_000, description="maximum number of turns (ours)")
    min_words: int = Field(4, ge=1, le=1_000_000, description="minimum number of words per dialogue (ours)")
    max_words: int = Field(1000, ge=1, le=1_000_000, description="maximum number of words per dialogue (ours)")
    max_words_per_turn: int = Field(
        200,
        ge=1,
        le=1_000_000,
        description="maximum number of words per turn; the paper drops samples over 200 words (N)",
    )
    characters_per_word: float = Field(
        1.6, ge=1, le=4, description="number of Chinese or Japanese characters that count as one word (ours)"
    )
    max_code_share: float = Field(
        0.1,
        ge=0,
        le=1,
        description="maximum share of a turn's characters that are code; the paper drops samples with much code (N)",
    )
    max_math_symbols: int = Field(
        3,
        ge=0,
        le=10_000,
        description="maximum number of operators and LaTeX commands per turn; the paper drops samples with much "
        "mathematics (N)",
    )
    max_rare_share: float = Field(
        0.02,
        ge=0,
        le=1,
        description="maximum share of characters other than letters, digits and punctuation; the paper drops samples "
        "with rare symbols (N)",
    )
    max_list_items: int = Field(
        3, ge=0, le=10_000, description="maximum number of bullets or numbered items per turn (ours)"
    )
    max_table_rows: int = Field(0, ge=0, le=10_000, description="maximum number of Markdown table rows per turn (ours)")
    max_html_tags: int = Field(0, ge=0, le=10_000, description="maximum number of HTML tags per turn (ours)")
    max_urls: int = Field(1, ge=0, le=10_000, description="maximum number of web addresses per turn (ours)")
    max_placeholders: int = Field(
        0, ge=0, le=10_000, description='maximum number of placeholders per turn, such as "[Name]" or "____" (ours)'
    )
    max_call_characters: int = Field(
        200, ge=1, le=100_000, description="maximum length of a call of a tool, where calls are kept (ours)"
    )
    max_result_characters: int = Field(
        1000, ge=1, le=1_000_000, description="maximum length of a tool's answer, where calls are kept (ours)"
    )
    max_word_length: int = Field(
        40, ge=10, le=10_000, description="maximum number of characters in a word, except in web addresses (ours)"
    )
    max_repeated_share: float = Field(
        0.4, ge=0, le=1, description="maximum share of a turn's word groups that repeat earlier ones in the turn (ours)"
    )
    min_scores: MinScoresConfig = Field(
        MinScoresConfig(),
        description="lowest passing scores of the judge of authored dialogues, such as {spokenness: 6}",
    )
    require_scores: bool = Field(False, description="reject dialogues that lack a score required by `min_scores`")


class ScriptConfig(ConfigPart):
    """The words of turns, and the source of events inside them: the rules of `timing`, or the marks of the dialogue."""

    normalizer: dict[Annotated[str, Field(pattern="^[a-z]{2,3}$")], EngineConfig] = Field(
        default_factory=dict,
        description="Normalizer per language, such as {pt: {name: mymodule:Portuguese}}; others have the rules of "
        "the package, or `plain`, which rejects turns with digits or symbols",
    )
    marked_share: float = Field(
        1,
        ge=0,
        le=1,
        description="Share of dialogues with marks that follow them, chosen by id; the others follow the rules",
    )


class EnginesConfig(ConfigPart):
    """The engines of a build."""

    tts: EngineConfig = Field(EngineConfig(name="hibari"), description="The voices of both speakers")
    speech_tokenizer: EngineConfig = Field(EngineConfig(name="kmeans"), description="Speech to codes, and back")
    text_tokenizer: EngineConfig = Field(EngineConfig(name="qwen2"), description="Text to ids, and back")


class VoicesConfig(ConfigPart):
    """Voices of the assistant and of users."""

    assistant: str | tuple[str, ...] | dict[str, str | tuple[str, ...]] = Field(
        "heart",
        description="The assistant's voice (N); or a list, from which each dialogue draws one that speaks its "
        "language; or one of these per language: {en: NAME, zh: [NAME, NAME]}",
    )
    prompts: int = Field(
        0,
        ge=0,
        le=1000,
        description="Sentences of `mix.sentences` that each voice of the assistant speaks for voice prompts; each "
        "conversation draws one; 0: no voice prompts",
    )
    users: tuple[str, ...] = Field(
        (), description="User voices to draw from; empty: all except those of the assistant's speaker"
    )
    deal: Literal["hash", "even"] = Field(
        "hash",
        description="Choice of a dialogue's user voice. hash: by the dialogue's id alone. even: by its place in the "
        "input, so that each voice gets the same number of dialogues, apart from rejects and splits",
    )

    @model_validator(mode="after")
    def _named(self) -> "VoicesConfig":
        choices = self.assistant.values() if isinstance(self.assistant, dict) else [self.assistant]
        if not choices or not all(map(_several, choices)):
            raise ValueError("assistant names no voice")
        return self

    def assistants_of(self, language: str) -> tuple[str, ...]:
        """The assistant's voices for a language; empty if the recipe names none.

        >>> VoicesConfig(assistant={"en": "heart"}).assistants_of("zh"), VoicesConfig().assistants_of("zh")
        ((), ('heart',))
        """
        return _several(self.assistant.get(language, ()) if isinstance(self.assistant, dict) else self.assistant)

    @property
    def assistants(self) -> tuple[str, ...]:
        """All voices that the assistant may have."""
        choices = self.assistant.values() if isinstance(self.assistant, dict) else [self.assistant]
        return tuple(dict.fromkeys(voice for choice in choices for voice in _several(choice)))


def _several(choice: str | tuple[str, ...]) -> tuple[str, ...]:
    return (choice,) if isinstance(choice, str) else tuple(dict.fromkeys(choice))


class SpeakConfig(ConfigPart):
    """Synthesis of utterances. A take that fails `verify` is synthesized again with another seed."""

    attempts: int = Field(3, ge=1, le=20, description="Attempts per utterance; if all fail, the dialogue is rejected")
    trim_below_db: float = Field(
        -45,
        lt=0,
        ge=-200,
        description="Trim both ends of a take where it is quieter than this, relative to its own level",
    )
    trim_margin_ms: float = Field(20, ge=0, le=10_000, description="Time kept before and after the audible part")


class VerifyConfig(ConfigPart):
    """Limits on takes. They are ours, set to separate correct from broken takes (docs/engines.md)."""

    min_ms_per_syllable: float = Field(
        100,
        ge=0,
        le=10_000,
        description="Shortest speech time per syllable (Chinese: per character); below it, words are missing",
    )
    max_ms_per_syllable: float = Field(
        270,
        gt=0,
        le=60_000,
        description="Longest speech time per syllable; above it, the voice repeats words or runs away",
    )
    short_slack_ms: float = Field(
        200, ge=0, le=60_000, description="Tolerance below the shortest speech time of the whole text"
    )
    long_slack_ms: float = Field(
        500,
        ge=0,
        le=60_000,
        description="Tolerance above the longest speech time of the whole text, for drawn-out last words",
    )
    min_level_dbfs: float = Field(-50, le=0, ge=-200, description="Quieter takes count as silent")
    max_pause_ms: float = Field(2000, gt=0, le=600_000, description="Longest silence within a take")
    max_tail_ms: float = Field(
        1500, gt=0, le=600_000, description="Longest time after the last loud sound, silence included"
    )
    max_clipped_share: float = Field(0.005, ge=0, le=1, description="Maximum share of clipped samples")
    max_floor_db: float = Field(
        -12, le=0, ge=-200, description="Maximum noise level between words, relative to loud speech"
    )
    asr: EngineConfig | None = Field(
        None, description="Speech recognizer that transcribes every take, such as {name: whisper}; null: none"
    )
    min_units: int = Field(
        3,
        ge=1,
        le=1_000_000,
        description="Texts with fewer words (Chinese: characters) are not checked by the recognizer",
    )
    max_error_rate: float = Field(
        0.1, ge=0, le=100, description="Maximum word error rate (Chinese: character error rate) of the transcript"
    )
    max_letter_error_rate: float = Field(
        0.16,
        ge=0,
        le=100,
        description="Maximum letter error rate of the transcript; a take fails only if both rates are exceeded, so "
        "that spelling variants pass",
    )
    max_repeated: int = Field(
        3, ge=0, le=1_000_000, description="Maximum number of immediately repeated words that the text does not repeat"
    )
    mos: EngineConfig | None = Field(
        None, description="Speech quality predictor (MOS), such as {name: dnsmos}; null: none"
    )
    min_mos: float = Field(2.2, ge=1, le=5, description="Lowest passing MOS")


class InterleaveConfig(ConfigPart):
    """Blocks of text and speech in turns of `interleaved`."""

    text: int = Field(13, ge=1, le=1000, description="Text tokens per block; 13 in GLM-4-Voice, 3 in LLaMA-Omni 2")
    speech: int = Field(
        26,
        ge=1,
        le=1000,
        description="Frames of speech per block; 26 in GLM-4-Voice (12.5 frames per second), 10 in LLaMA-Omni 2 (25)",
    )


class FlattenConfig(ConfigPart):
    """Formats of training sequences."""

    tasks: tuple[Task, ...] = Field(
        ("asr", "tts", "four_stream", "three_stream", "two_stream"),
        min_length=1,
        description="Kinds of training rows to make",
    )
    speech_chunk_tokens: int = Field(
        10,
        ge=1,
        le=250,
        description="Speech tokens per chunk and stream; of a tokenizer with several codebooks, frames (S)",
    )
    text_chunk_tokens: int = Field(2, ge=1, le=250, description="Text tokens per chunk (S)")
    codebooks: int | None = Field(
        None,
        ge=1,
        le=64,
        description="Number of codebooks of the speech tokenizer in rows, from the first; null: all (ours)",
    )
    text_alignment: Literal["relaxed", "words"] = Field(
        "relaxed",
        description="three_stream, parallel: place of the assistant's text. relaxed: without gaps from the beginning "
        "of an utterance on. words: each word from the chunk on in which it is said (ours)",
    )
    acoustic_delay: int = Field(
        0,
        ge=0,
        le=32,
        description="parallel: frames by which all codebooks but the first lag behind; 0 for models that delay by "
        "themselves (ours)",
    )
    interleave: InterleaveConfig = Field(
        default_factory=InterleaveConfig,
        description="interleaved: sizes of the blocks in which text and speech take turns",
    )
    chat_turns: int | None = Field(
        None,
        ge=1,
        le=10_000,
        description="chat: maximum number of turns before the answer; null: all that fit (ours)",
    )
    max_tokens: int = Field(
        8192, ge=64, le=1 << 24, description="Maximum number of tokens in a dialogue row; of parallel, of columns (N)"
    )
    max_alignment_tokens: int = Field(
        1024, ge=64, le=1 << 24, description="Maximum number of tokens in an ASR or TTS row (N)"
    )
    assistant_silence: Literal["special", "codes"] = Field(
        "special",
        description="Tokens for the assistant's silence. special: one special token. codes: the speech tokenizer's "
        "own codes (?)",
    )
    asr_roles: tuple[Role, ...] = Field(("user", "assistant"), description="Speakers whose utterances become asr rows")
    system_prompt: bool = Field(
        False,
        description="All tasks but asr, tts and parallel: the system prompt at the head of each row, not learned",
    )
    voice_prompt: bool = Field(
        False,
        description="All tasks but asr, tts and parallel: a sentence of the assistant's voice at the head of each "
        "row, not learned; needs `voices.prompts`",
    )
    tool_results: bool = Field(
        True,
        description="four_stream, interleaved, chat, three_stream: the answer of a tool where it comes, not learned",
    )
    max_given_tokens: int = Field(
        2048,
        ge=1,
        le=1 << 24,
        description="Maximum number of tokens of prompts and results in a row; a conversation with more of them has no "
        "rows of that task (ours)",
    )
    tts_roles: tuple[Role, ...] = Field(("assistant",), description="Speakers whose utterances become tts rows")
    loss_on_user_text: bool = Field(True, description="four_stream: learn to transcribe the user (?)")
    interrupted_text: Literal["causal", "heard"] = Field(
        "causal",
        description="three_stream, parallel, and interleaved and chat with half_duplex heard: text of an interrupted "
        "turn. causal: the whole text until the assistant stops. heard: only the spoken words, which reveals the "
        "coming interruption; for comparison (ours)",
    )
    half_duplex: Literal["whole", "heard"] = Field(
        "whole",
        description="four_stream, interleaved, chat: keep an interrupted turn whole, or only its audible part (ours)",
    )
    alignment_takes: Literal["whole", "heard"] = Field(
        "whole", description="asr, tts: keep an interrupted utterance whole, or only its audible part (ours)"
    )
    max_canned_share: float = Field(
        0.05,
        ge=0,
        le=1,
        description="asr, tts: maximum share of rows with listener tokens, fillers and other words that are not in "
        "the dialogue (ours)",
    )

    @model_validator(mode="after")
    def _chunk_fits(self) -> "FlattenConfig":
        if 2 * self.speech_chunk_tokens * (self.codebooks or 1) + self.text_chunk_tokens > self.max_tokens:
            raise ValueError("one chunk of three streams is longer than max_tokens")
        return self


class SplitsConfig(ConfigPart):
    """Shares of dialogues per split, dealt by a hash of the id of the dialogue or its cluster."""

    validation: float = Field(0.01, ge=0, lt=1, description="Share of dialogues for validation (N)")
    test: float = Field(0.01, ge=0, lt=1, description="Share of dialogues for tests (N)")
    min_dialogues: int = Field(
        1,
        ge=0,
        le=1000,
        description="Dialogues that each split with a share gets at least, if the input has enough: in inputs of up to "
        "10,000 records, groups of near-duplicates move, the smallest first, then in order of their hashes; 0: none "
        "moves (ours)",
    )
    share_voices: bool = Field(False, description="Allow one user voice in several splits")
    keep_together: float | None = Field(
        0.4,
        gt=0.1,
        lt=1,
        description="Keep dialogues in one split if their texts are at least this similar (Jaccard, character "
        "5-grams, estimated to within 0.1), or if they share a long user turn; null: deal each dialogue by itself",
    )

    @model_validator(mode="after")
    def _leaves_train(self) -> "SplitsConfig":
        if self.validation + self.test >= 1:
            raise ValueError("validation and test leave nothing to train on")
        return self


class RunConfig(ConfigPart):
    """Division of the work."""

    unit_dialogues: int = Field(
        32, ge=1, le=4096, description="Records per unit; a unit is processed, committed and resumed as a whole"
    )
    units_per_file: int = Field(
        1,
        ge=1,
        le=1024,
        description="Number of such units that share one file per table and split, and one marker: then they are "
        "blocks of a larger unit. Each block is still processed and resumed as a whole, and kept in `blocks/` until "
        "the unit is committed. The digest is the same for any number",
    )


class TakesConfig(ConfigPart):
    """Reuse of synthetic speech across builds. Decides no content, so it may change between runs."""

    keep: bool = Field(False, description="Keep every take under `takes/`")
    reuse: tuple[str, ...] = Field(
        (), description="Outputs whose kept takes are reused instead of being synthesized again"
    )


RejectedShare = Annotated[
    float,
    Field(
        gt=0,
        le=1,
        description="Stop the run if a larger share of the input is rejected for one reason; a run that keeps nothing "
        "always fails",
    ),
]
"""Limit of a build and of an authoring run."""


class LimitsConfig(ConfigPart):
    """Limits of a run. They decide no content, so they may change between runs of a build."""

    attempts: int = Field(
        3, ge=1, le=20, description="Attempts per unit when its workers crash, and then per dialogue of the unit"
    )
    dialogue_seconds: float = Field(
        600,
        gt=0,
        le=86_400,
        description="A dialogue that takes longer counts as hung: its worker is ended and the dialogue retried",
    )
    stage_cpu_seconds: float = Field(
        60,
        ge=1,
        le=86_400,
        description="A dialogue that uses more processor time in a step without an engine (select, script, place) is "
        "rejected as too_slow; its worker continues",
    )
    start_seconds: float = Field(
        1800,
        gt=0,
        le=86_400,
        description="Engines that take longer to load count as hung: the worker is ended and started again",
    )
    max_rejected_share: RejectedShare = 0.9
    max_failed_share: float = Field(
        0.2, gt=0, le=1, description="Stop the build if a larger share of the selected dialogues fails in a later stage"
    )
    min_dialogues: int = Field(
        100, ge=1, le=10**12, description="Number of selected dialogues from which that share is checked"
    )
    cluster_seconds: float = Field(
        30, ge=0, le=86_400, description="Ray: longest wait for the nodes that the pools need"
    )


class PoolConfig(ConfigPart):
    """Resources of each worker of a step on Ray, and the number of workers.

    Neighbouring steps with equal settings share workers.
    """

    cpus: float = Field(1, ge=0, le=4096, description="Cores per worker")
    gpus: float = Field(0, ge=0, le=256, description="GPUs per worker; workers with a fraction share a GPU")
    min_workers: int = Field(1, ge=1, le=100_000, description="Fewest workers")
    max_workers: int | None = Field(
        None, ge=1, le=100_000, description="Most workers; null: limited only by the cluster"
    )

    @model_validator(mode="after")
    def _in_order(self) -> "PoolConfig":
        if self.max_workers is not None and self.max_workers < self.min_workers:
            raise ValueError("max_workers is below min_workers")
        return self


StepName = Literal["select", "script", "speak", "place", "read", "mix", "encode"]


class Recipe(ConfigPart):
    """All values of a build.

    Sources of defaults: (S) stated in the OmniFlatten paper or on its demo page, (N) stated in
    independent notes on the paper, (?) open there, (ours) chosen by us.
    """

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", description="Name of the build; its output goes to out/NAME"
    )
    description: str = Field("", description="A line about the build, for people")
    seed: int = Field(0, ge=0, lt=2**63, description="Seed of every random draw; another seed is another build")
    sample_rate_hz: int = Field(24_000, ge=8_000, le=48_000, description="Sample rate of the conversations")
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
        default_factory=dict, description="Ray: workers by step; by default one core per worker"
    )

    @model_validator(mode="after")
    def _has_voice_prompts(self) -> "Recipe":
        if self.flatten.voice_prompt and not self.voices.prompts:
            raise ValueError("flatten.voice_prompt needs voice prompts; set voices.prompts, such as 8")
        return self

    def identity(self) -> dict[str, Any]:
        """Values that decide the content, as frozen in a plan and stored in a manifest."""
        values = self.model_dump(mode="json", exclude={"takes", "limits", "pools"})
        if not self.script.normalizer:  # so that recipes without it keep their hashes
            del values["script"]["normalizer"]
        if self.input.recordings is None:
            del values["input"]["recordings"]  # absent means none, as before there were recordings
        if self.run.units_per_file == 1:
            del values["run"]["units_per_file"]
        return values

    def dump(self) -> dict[str, Any]:
        """All values in a form that can be sent to a worker."""
        return self.model_dump(mode="json")

    def sha256(self) -> str:
        """Hash of the identity; comments and order of the file do not matter."""
        return sha256_of(self.identity())

    def to_yaml(self) -> str:
        """The recipe as YAML, with all its defaults spelled out and the meaning of each key above it."""
        return commented(yaml.safe_dump(self.dump(), sort_keys=False, allow_unicode=True), Recipe)


def sha256_of(identity: dict[str, Any]) -> str:
    """Hash of an identity, as a manifest stores it; see `Recipe.identity`."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
