"""The recipe of an authoring run: all values and their defaults. Unknown keys are errors."""

import hashlib
import ipaddress
import json
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, model_validator

from datagen.errors import RecipeError
from datagen.recipe import WRITE, MappingConfig, RoleKind, SelectConfig, validated, values_of
from datagen.recipe.distributions import ConfigPart
from datagen.recipe.recipe import RejectedShare
from datagen.records import STYLE_PARTS, StylePart

TaskName = Literal["dialogue", "spoken", "translate", "script", "follow_up", "style", "judge"]


Weight = Annotated[float, Field(ge=0, le=1e6)]


class Scenarios(ConfigPart):
    """A grid of briefs: topics x situations x personas x settings x moods, from tables."""

    count: int = Field(ge=1, le=10_000_000, description="Briefs in all languages together")
    tables: str = Field(
        "package:scenarios.yaml", description="File of tables; `package:scenarios.yaml` is the shipped one"
    )
    languages: dict[str, Weight] = Field(
        default_factory=dict, description="Share of each language; empty: equal shares of `languages`"
    )
    domains: dict[str, Weight] = Field(
        default_factory=dict, description="Weight of each domain of topics; those left out have weight 1"
    )

    @model_validator(mode="after")
    def _weights(self) -> "Scenarios":
        for name, weights in (("languages", self.languages), ("domains", self.domains)):
            if weights and not any(weights.values()):
                raise ValueError(f"{name}: at least one weight must be above 0")
        return self


class WriteInput(ConfigPart):
    """Input of authoring: topics, a grid of scenarios, or existing dialogues."""

    scenarios: Scenarios | None = Field(
        None, description="A grid of briefs from tables of topics, situations and personas"
    )
    topics: str = Field("", description="File of topics: one per line, or JSONL with topic, language, persona, style")
    paths: tuple[str, ...] = Field((), description="Dialogues, as `input.paths` of a build names them")
    shape: str = Field("auto", description="Shape of the dialogues' records, or `auto`")
    mapping: MappingConfig | None = Field(None, description="Their shape, if it is no known one")
    roles: dict[str, RoleKind] = Field(default_factory=dict, description="Roles by their names in the records")
    limit: int | None = Field(None, ge=1, le=10**12, description="Stop after this many records")

    @model_validator(mode="after")
    def _one_kind(self) -> "WriteInput":
        if bool(self.topics) + bool(self.paths) + bool(self.scenarios) != 1:
            raise ValueError("set either topics or paths or scenarios")
        return self

    @property
    def has_briefs(self) -> bool:
        """True if dialogues are authored from briefs, not from existing dialogues."""
        return not self.paths


class Prices(ConfigPart):
    """Prices per million tokens, in any currency. Null: unknown, and no price is reported."""

    input_per_million: float | None = Field(None, ge=0, le=1e9, description="Price of a million input tokens")
    output_per_million: float | None = Field(None, ge=0, le=1e9, description="Price of a million output tokens")

    @property
    def known(self) -> bool:
        """True if a price is set, be it 0; the other one then counts as 0."""
        return self.input_per_million is not None or self.output_per_million is not None


class Budget(ConfigPart):
    """Budget for all answers of an output, over all its runs. Null: no limit."""

    tokens: int | None = Field(None, ge=1, le=10**15, description="Input and output tokens together")
    money: float | None = Field(None, gt=0, le=1e12, description="In the currency of `llm.prices`")


_OWN_FIELDS = frozenset(
    {
        *("messages", "model", "stream", "stream_options", "response_format", "tools", "tool_choice", "max_tokens"),
        *("max_completion_tokens", "temperature", "top_p", "seed", "reasoning_effort"),
    }
)
"""Fields of a request that have keys of their own."""


class Llm(ConfigPart):
    """The model and its request parameters."""

    model: str = Field(min_length=1, max_length=200, description="Name of the model on the server")
    base_url: str = Field("https://api.openai.com/v1", description="Base URL of any server with chat completions")
    more_base_urls: tuple[str, ...] = Field(
        (), max_length=64, description="More servers of the same kind with the same model, which share the requests"
    )
    api_key_env: str = Field(
        "OPENAI_API_KEY",
        pattern="^[A-Za-z_][A-Za-z0-9_]*$|^$",
        description="Environment variable that contains the key; empty: no key. Servers in the local network need none",
    )
    transport: Literal["live", "batch"] = Field(
        "live", description="`batch`: through the server's files and batches, slower and often at half the price"
    )
    batch_requests: int = Field(5000, ge=1, le=50_000, description="Most requests in a batch; with `transport: batch`")
    batch_poll_seconds: float = Field(30, gt=0, le=3600, description="Seconds between two looks at a batch")
    examples: Literal[0, 1, 2] = Field(2, description="Examples in each prompt; fewer fit into a smaller context")
    context_tokens: int | None = Field(
        None, ge=256, le=100_000_000, description="Context length of the server; null: as the server states it"
    )
    reasoning_effort: str | None = Field(
        None, pattern="^[a-z]{1,20}$", description="Effort of a reasoning model, such as `low`; null: none is sent"
    )
    extra_body: dict[str, Any] = Field(
        default_factory=dict, description="More fields of each request, such as `chat_template_kwargs`"
    )
    temperature: float | None = Field(None, ge=0, le=2, description="Null: the value of each prompt")
    top_p: float | None = Field(None, gt=0, le=1, description="Null: the server's default")
    seed: int | None = Field(0, ge=0, lt=2**31, description="For servers that support one; null: none is sent")
    max_tokens: int | None = Field(
        None, ge=16, le=10_000_000, description="Longest answer; null: the value of each prompt"
    )
    structured: Literal["auto", "json_schema", "json_object_schema", "json_object", "tools", "text"] = Field(
        "auto", description="Request of structured answers; auto: the strictest way that the server supports"
    )
    stream: bool = Field(False, description="Stream answers, for servers that close idle connections")
    concurrency: int = Field(16, ge=1, le=1024, description="Maximum number of simultaneous requests")
    requests_per_minute: int | None = Field(None, ge=1, le=10_000_000, description="Limit of the rate; null: none")
    tokens_per_minute: int | None = Field(None, ge=1, le=10**12, description="Estimated input plus longest output")
    timeout_seconds: float = Field(180, gt=0, le=3600, description="A request that takes longer counts as hung")
    retries: int = Field(6, ge=0, le=50, description="Retries of a request after network failures")
    max_wait_seconds: float = Field(120, gt=0, le=3600, description="Longest wait before a retry")
    attempts: int = Field(3, ge=1, le=20, description="Maximum number of requested answers until one is valid")
    prices: Prices = Prices()
    budget: Budget = Budget()

    @model_validator(mode="after")
    def _fits(self) -> "Llm":
        for place in (self.base_url, *self.more_base_urls):
            url = urlsplit(place)
            if url.scheme not in ("http", "https") or not url.hostname:
                raise ValueError("base_url must be http://... or https://...")
            if url.username or url.password or url.query or url.fragment:
                raise ValueError("base_url must have no user, no query and no fragment: put the key in the environment")
        if self.budget.money is not None and not (self.prices.input_per_million or self.prices.output_per_million):
            raise ValueError("budget.money needs prices")
        if taken := set(self.extra_body) & _OWN_FIELDS:
            raise ValueError(f"extra_body: {sorted(taken)[0]} is set by datagen; see the keys of llm")
        return self

    @property
    def n_open(self) -> int:
        """Most questions that are under way at once."""
        return self.batch_requests if self.transport == "batch" else self.concurrency

    @property
    def is_local(self) -> bool:
        """True if all servers are on this machine or in its network, where keys are rare."""
        return all(_is_local(urlsplit(place)) for place in (self.base_url, *self.more_base_urls))


def _is_local(url: SplitResult) -> bool:
    """True for this machine, addresses of private networks, and names without a domain.

    >>> [_is_local(urlsplit(f"http://{h}/v1")) for h in ("localhost:1", "10.0.0.7", "gpu3:8000", "api.openai.com")]
    [True, True, True, False]
    """
    host = url.hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".local", ".localhost", ".internal", ".lan"))
    return address.is_private or address.is_loopback


class Dialogues(ConfigPart):
    """Sizes of the requested dialogues."""

    min_turns: int = Field(6, ge=2, le=60, description="Minimum number of turns")
    max_turns: int = Field(12, ge=2, le=60, description="Maximum number of turns")
    max_words: int = Field(
        60, ge=5, le=300, description="Maximum number of words per turn; two Chinese characters count as one"
    )

    @model_validator(mode="after")
    def _in_order(self) -> "Dialogues":
        if self.max_turns // 2 * 2 < self.min_turns:
            raise ValueError("the range from min_turns to max_turns must contain an even number")
        return self


class Marks(ConfigPart):
    """Maximum numbers of marks per script."""

    barge_ins: int = Field(2, ge=0, le=30, description="Maximum number of barge-ins per script")
    hesitations: int = Field(4, ge=0, le=60, description="Maximum number of hesitations per script")
    backchannels: int = Field(4, ge=0, le=60, description="Maximum number of backchannels per script")


class Styling(ConfigPart):
    """Limits of the task style."""

    turns: int = Field(4, ge=1, le=60, description="Maximum number of turns with a style per dialogue")
    parts: tuple[StylePart, ...] = Field(
        STYLE_PARTS, min_length=1, description="Parts that a style may have, such as those that the voice follows"
    )


class Gates(ConfigPart):
    """Lowest passing scores of the judge, 1 to 10. Null: not checked."""

    spokenness: int | None = Field(None, ge=1, le=10, description="Lowest score of how much it sounds like speech")
    coherence: int | None = Field(None, ge=1, le=10, description="Lowest score of how well the turns fit together")
    safety: int | None = Field(None, ge=1, le=10, description="Lowest score of how harmless it is")


class Judging(ConfigPart):
    """Tests of the judge by dialogues of known rank. They decide no content."""

    canaries_every: int = Field(
        500, ge=0, le=10**9, description="Test the judge before a run and after that many judged dialogues; 0: never"
    )
    second_share: float = Field(
        0.05, ge=0, le=1, description="Share of dialogues that a second wording of the prompt judges too, for agreement"
    )


class WriteLimits(ConfigPart):
    """Limits of a run. They decide no content, so they may change between runs."""

    max_rejected_share: RejectedShare = 0.9
    reject_unanswered: bool = Field(
        False, description="Reject records that the server cannot answer; else their units stay open, and the run fails"
    )
    max_near_duplicates: float = Field(
        0.2, ge=0, le=1, description="Largest share of kept dialogues that nearly repeat another"
    )


class WriteRecipe(ConfigPart):
    """All values of an authoring run."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$",
        description="Name of the run, or of the build around it",
    )
    description: str = Field("", description="A line about the run, for people")
    seed: int = Field(0, ge=0, lt=2**63, description="Seed of every random draw")
    input: WriteInput
    select: SelectConfig = Field(
        SelectConfig(), description="Limits on existing dialogues before they are paid for; keys as in a build"
    )
    tasks: tuple[TaskName, ...] = Field(min_length=1, description="Tasks, in this order")
    languages: tuple[str, ...] = Field(
        ("en",), min_length=1, description="Languages of dialogues from topics; each topic is used in each"
    )
    n_per_topic: int = Field(1, ge=1, le=100_000, description="Dialogues per topic and language")
    personas: tuple[str, ...] = Field((), description="Descriptions of the user; one is drawn per dialogue")
    styles: tuple[str, ...] = Field((), description="Conversational styles; one is drawn per dialogue")
    translate_to: str = Field(
        "", pattern="^([a-z]{2})?$", description="Target language of the task translate, ISO 639-1"
    )
    prompts: str = Field("", description="Folder of your own prompts; empty: the shipped ones")
    unit_records: int = Field(32, ge=1, le=4096, description="Records that are committed and resumed as one")
    llm: Llm
    dialogues: Dialogues = Dialogues()
    marks: Marks = Marks()
    styling: Styling = Styling()
    gates: Gates = Gates()
    judging: Judging = Judging()
    limits: WriteLimits = WriteLimits()

    @model_validator(mode="after")
    def _in_order(self) -> "WriteRecipe":
        tasks = self.tasks
        if len(set(tasks)) < len(tasks):
            raise ValueError("tasks: each task may appear only once")
        if ("dialogue" in tasks) != self.input.has_briefs or "dialogue" in tasks[1:]:
            raise ValueError(
                "tasks: `dialogue` must come first if the input is topics or scenarios, and must be omitted otherwise"
            )
        if "script" in tasks and set(tasks[tasks.index("script") :]) & {"spoken", "translate"}:
            raise ValueError(
                "tasks: `spoken` and `translate` must come before `script`, because they change the text that it marks"
            )
        if "follow_up" in tasks and "script" not in tasks[: tasks.index("follow_up")]:
            raise ValueError("tasks: `follow_up` must come after `script`")
        if "style" in tasks and set(tasks[tasks.index("style") :]) - {"style", "judge"}:
            raise ValueError("tasks: `style` must come after all tasks but `judge`, because they change the turns")
        if "judge" in tasks[:-1]:
            raise ValueError("tasks: `judge` must come last, because it rates the final text")
        return self

    @model_validator(mode="after")
    def _together(self) -> "WriteRecipe":
        tasks = self.tasks
        if len(set(self.languages)) < len(self.languages):
            raise ValueError("languages: each language may appear only once")
        if ("translate" in tasks) != bool(self.translate_to):
            raise ValueError("set translate_to if and only if the task translate is used")
        grid = self.input.scenarios
        if grid and (unknown := sorted(set(grid.languages) - set(self.languages))):
            raise ValueError(f"input.scenarios.languages: {unknown[0]} is not in languages")
        if any(score is not None for score in self.gates.model_dump().values()) and "judge" not in tasks:
            raise ValueError("lowest scores need the task judge")
        return self

    def identity(self) -> dict[str, Any]:
        """Values that decide the content; excludes the form of requests, speed and price."""
        how = set(Llm.model_fields) - {"model", "temperature", "top_p", "seed"}
        return self.model_dump(mode="json", exclude={"llm": how, "limits": True, "judging": True})

    def dump(self) -> dict[str, Any]:
        """All values in a form that can be sent to a worker."""
        return self.model_dump(mode="json")

    def sha256(self) -> str:
        """Hash of the identity."""
        return hashlib.sha256(json.dumps(self.identity(), sort_keys=True).encode()).hexdigest()


def parse(text: str, name: str, overrides: tuple[str, ...] = ()) -> WriteRecipe:
    """Read an authoring recipe from YAML, or from the section `write` of a build's recipe.

    Args:
        text: The YAML.
        name: Name for errors, such as that of its file.
        overrides: `key=value` pairs; the key is dotted (`llm.model`), the value is YAML.

    Raises:
        RecipeError: If a key or value is invalid.
    """
    values = values_of(text, name)
    if isinstance(values.get(WRITE), dict):
        values = {"name": values.get("name"), **values[WRITE]}
    elif "llm" not in values:
        raise RecipeError(f"{name} has no section `{WRITE}`; see docs/writing.md")
    return validated(WriteRecipe, values, name, overrides)
