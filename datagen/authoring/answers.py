"""Answer types of the model, one per task, with limits and the JSON schema for the server."""

import json
import unicodedata
from functools import cache
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from datagen.recipe import explain
from datagen.records import Emotion, Pace

MAX_TURNS = 60
MAX_TURN_CHARACTERS = 2000
_JOINER = "\u200d"
"""Inside emoji."""


class UnfitAnswerError(Exception):
    """An invalid answer: the request is repeated, then the record is a reject."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        """A short stable name to count by."""
        self.detail = detail

    def __str__(self) -> str:
        """Reason and detail."""
        return f"{self.reason}: {self.detail}"


def _printable(text: str) -> str:
    """Text without control characters, halves of surrogate pairs and private use; stripped.

    Characters that only format, such as soft hyphens and zero-width spaces, are dropped.
    """
    text = "".join(c for c in text if c == _JOINER or unicodedata.category(c) != "Cf")
    for character in text:
        if not (character.isprintable() or character.isspace() or character == _JOINER):
            raise ValueError(f"holds the character U+{ord(character):04X}, which nobody can say")
    return text.strip()


Text = Annotated[str, Field(min_length=1, max_length=MAX_TURN_CHARACTERS), AfterValidator(_printable)]
ShortText = Annotated[str, Field(max_length=60), AfterValidator(_printable)]
Why = Annotated[str, Field(min_length=1, max_length=600), AfterValidator(_printable)]
Quote = Annotated[str, Field(max_length=300), AfterValidator(_printable)]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class TurnAnswer(_Answer):
    """One turn."""

    role: Literal["user", "assistant"]
    text: Text


class Turns(_Answer):
    """A whole dialogue: what `dialogue`, `spoken` and `translate` give."""

    turns: list[TurnAnswer] = Field(min_length=1, max_length=MAX_TURNS)


class BargeInAnswer(_Answer):
    """The other speaker interrupts a turn and takes the floor."""

    turn: int = Field(ge=0, lt=MAX_TURNS, description="number of the turn that is interrupted")
    why: Why = Field(description="why somebody would interrupt just here, one short sentence")
    after: Quote = Field(description="the last words said before the interruption, copied from the turn")
    occurrence: int | None = Field(
        ge=1, le=100, description="which one, from 1, if those words are in the turn several times; else null"
    )
    says: Text | None = Field(description="what the interrupter says; null: the next turn of the dialogue")
    goes_on: Text | None = Field(description="what the interrupted speaker then says; null exactly if `says` is null")


class BesideAnswer(_Answer):
    """A hesitation of the speaker, or a backchannel of the listener."""

    turn: int = Field(ge=0, lt=MAX_TURNS, description="number of the turn in which it is")
    why: Why = Field(description="why here, one short sentence")
    after: Quote = Field(description="the last words said before it, copied from the turn")
    occurrence: int | None = Field(
        ge=1, le=100, description="which one, from 1, if those words are in the turn several times; else null"
    )
    text: ShortText = Field(description="what is said; empty: a silent pause of the speaker")


class ScriptAnswer(_Answer):
    """What happens in a dialogue beside its turns."""

    barge_ins: list[BargeInAnswer] = Field(max_length=MAX_TURNS)
    hesitations: list[BesideAnswer] = Field(max_length=2 * MAX_TURNS)
    backchannels: list[BesideAnswer] = Field(max_length=2 * MAX_TURNS)


class FollowUpAnswer(_Answer):
    """The turn that follows an interruption."""

    text: Text


class StyleAnswer(_Answer):
    """The manner in which a turn is said; the reason comes first, so that the style follows from it."""

    turn: int = Field(ge=0, lt=MAX_TURNS, description="number of the turn")
    why: Why = Field(description="why it is said so, one short sentence")
    emotion: Emotion
    pace: Pace
    whisper: bool
    laughter: bool


class StylesAnswer(_Answer):
    """The turns of a dialogue that are not said as usual."""

    styles: list[StyleAnswer] = Field(max_length=MAX_TURNS)


class ScoreAnswer(_Answer):
    """One score and what it rests on; the reason comes first, so that the score follows from it."""

    reason: Why
    score: int = Field(ge=1, le=10, description="1 (worst) to 10 (best)")


class JudgeAnswer(_Answer):
    """How good a dialogue is as training data for a spoken assistant."""

    spokenness: ScoreAnswer
    coherence: ScoreAnswer
    safety: ScoreAnswer


ANSWERS: dict[str, type[BaseModel]] = {
    answer.__name__: answer for answer in (Turns, ScriptAnswer, FollowUpAnswer, StylesAnswer, JudgeAnswer, ScoreAnswer)
}
"""Types by the name that a prompt's front matter gives."""

_A = TypeVar("_A", bound=BaseModel)
_UNSENT = frozenset(
    ("title", "default", "minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum", "exclusiveMaximum")
)


@cache
def strict_schema(answer: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of an answer in the subset that all servers with structured outputs take.

    All fields are required, none may be added, nothing refers elsewhere, and limits are left out: they are checked
    when the answer is read.

    >>> strict_schema(FollowUpAnswer)["required"], strict_schema(FollowUpAnswer)["additionalProperties"]
    (['text'], False)
    """
    whole = answer.model_json_schema()
    found = _plain(whole, whole.get("$defs", {}))
    assert isinstance(found, dict)  # noqa: S101 - a model's schema is an object
    return found


def _plain(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_plain(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _plain(definitions[node["$ref"].rsplit("/", 1)[1]], definitions)
    plain = {}
    for key, value in node.items():
        if key == "properties":
            plain[key] = {name: _plain(child, definitions) for name, child in value.items()}
        elif key not in _UNSENT and key != "$defs":
            plain[key] = _plain(value, definitions)
    return plain


def parse(text: str, answer: type[_A]) -> _A:
    r"""Read an answer; a code fence or a model's spoken thoughts around the object are taken off.

    Raises:
        UnfitAnswerError: `broken_json` or `wrong_schema`.

    >>> parse('<think>Hm.</think>\n```json\n{"text": "Sure."}\n```', FollowUpAnswer).text
    'Sure.'
    """
    try:
        return answer.model_validate(_value(text))
    except ValidationError as error:
        raise UnfitAnswerError("wrong_schema", explain(error)[:1000]) from None


def _value(text: str) -> Any:
    """Parse the JSON of an answer; thoughts are stripped only if necessary."""
    for bare in (text, text.partition("</think>")[2], text.rpartition("</think>")[2]):
        bare = bare.strip()
        if bare.startswith("```"):
            bare = bare.removeprefix("```json").removeprefix("```").removesuffix("```").strip()
        try:
            return json.loads(bare, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            fault = error
    raise UnfitAnswerError("broken_json", f"the answer is not one JSON object: {fault}")


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")
