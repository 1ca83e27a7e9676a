"""Prompts: `prompts/NAME.LANGUAGE.md` → messages.

A prompt is Markdown with front matter (name, version, variables, schema, temperature, max_tokens)
and parts that begin with a line `<!-- system -->`, `<!-- user -->` or `<!-- assistant -->`: the
instruction, examples as question and answer, and last the question. A prompt is split into parts
before it is filled in, so no text of a dialogue can make a part. Texts of dialogues are filled in
as JSON without `<`, between marks that begin with one.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import Field, ValidationError

from datagen import resources
from datagen.authoring.answers import ANSWERS
from datagen.errors import RecipeError
from datagen.recipe import explain
from datagen.recipe.distributions import ConfigPart
from datagen.recipe.yaml_values import read_yaml
from datagen.records import Turn

_FRONT = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_PART = re.compile(r"^<!-- (system|user|assistant) -->\n", re.MULTILINE)


class FrontMatter(ConfigPart):
    """The head of a prompt."""

    name: str = Field(pattern="^[a-z_]+$")
    version: int = Field(ge=1, le=1_000_000)
    variables: tuple[str, ...]
    schema_: str = Field(alias="schema", description="Name of the answer's type in `datagen.authoring.answers`")
    temperature: float = Field(ge=0, le=2)
    max_tokens: int = Field(ge=16, le=10_000_000)


@dataclass(frozen=True, slots=True)
class Message:
    """One message to a model."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt before its variables are filled in."""

    name: str
    language: str
    version: int
    sha256: str
    """Of the file."""
    variables: tuple[str, ...]
    schema: str
    temperature: float
    max_tokens: int
    parts: tuple[Message, ...]
    """Templates."""

    def examples(self, most: int = 2) -> tuple[str, ...]:
        """Answers of the first examples."""
        return tuple(part.content for part in self.parts[2:-1:2])[:most]

    def render(self, examples: int = 2, /, **variables: object) -> tuple[Message, ...]:
        """The messages: instruction, examples, and last the question, so that a server can keep what does not change.

        Args:
            examples: Most examples.
            variables: Values of the variables.

        Raises:
            RecipeError: If the variables are not those of the front matter, or a template is at
                fault.
        """
        if set(variables) != set(self.variables):
            raise RecipeError(f"prompt {self.name}.{self.language} takes {self.variables}, not {sorted(variables)}")
        try:
            parts = (*self.parts[: 1 + 2 * examples], self.parts[-1]) if examples < 2 else self.parts
            return tuple(Message(part.role, _template(part.content).render(**variables)) for part in parts)
        except TemplateError as error:
            raise RecipeError(f"prompt {self.name}.{self.language}: {error}") from error


@cache
def load_prompt(name: str, language: str, folder: str = "") -> Prompt:
    """Read a prompt.

    Args:
        name: Its name, such as `script`.
        language: ISO 639-1 code of the requested texts.
        folder: A folder with your own prompts; empty: the shipped ones.

    Raises:
        RecipeError: If it is missing or invalid.
    """
    where = Path(folder) if folder else resources.directory("prompts")
    file = where / f"{name}.{language}.md"
    try:
        text = file.read_text("utf-8")
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, or a NUL in the name
        known = ", ".join(names(folder)) or "none"
        raise RecipeError(f"no readable prompt {file.name} in {where}; available: {known}") from error
    found = _FRONT.match(text)
    if not found:
        raise RecipeError(f"prompt {file.name} must begin with front matter between lines of ---")
    head = _head(found[1], file.name)
    if head.name != name or head.schema_ not in ANSWERS:
        raise RecipeError(f"prompt {file.name}: name must be {name}, and schema must be one of {', '.join(ANSWERS)}")
    return Prompt(
        name, language, head.version, hashlib.sha256(text.encode()).hexdigest(), head.variables, head.schema_,
        head.temperature, head.max_tokens, _parts(text[found.end() :], file.name),
    )  # fmt: skip


def names(folder: str = "") -> list[str]:
    """All prompts as NAME.LANGUAGE, sorted."""
    where = Path(folder) if folder else resources.directory("prompts")
    try:
        return sorted(file.stem for file in where.glob("*.*.md"))
    except (OSError, ValueError):  # the folder cannot be read
        return []


def shown(turns: Sequence[Turn]) -> list[dict[str, object]]:
    """A dialogue as prompts show it: turns with their numbers.

    >>> shown([Turn("user", "Hi.")])
    [{'turn': 0, 'role': 'user', 'text': 'Hi.'}]
    """
    return [{"turn": k, "role": turn.role, "text": turn.text} for k, turn in enumerate(turns)]


def data(value: object) -> str:
    r"""A value as JSON that cannot end its block: `<` and `>` are escaped.

    >>> print(data({"text": "Ça va? </data>"}))
    {"text": "Ça va? \u003c/data\u003e"}
    >>> print(data([{"turn": 0}, {"turn": 1}]))
    [
    {"turn": 0},
    {"turn": 1}
    ]
    """
    if isinstance(value, Sequence) and not isinstance(value, str) and value:
        return "[\n" + ",\n".join(data(item) for item in value) + "\n]"
    plain = dict(value) if isinstance(value, Mapping) else value
    return json.dumps(plain, ensure_ascii=False).replace("<", "\\u003c").replace(">", "\\u003e")


def _head(text: str, name: str) -> FrontMatter:
    try:
        return FrontMatter.model_validate(read_yaml(text, f"prompt {name}: the front matter"))
    except ValidationError as error:
        raise RecipeError(f"prompt {name}: {explain(error, model=FrontMatter)}") from error


def _parts(body: str, name: str) -> tuple[Message, ...]:
    """The parts of a prompt: system, then user and assistant in turn, the user's last."""
    before, *pieces = _PART.split(body)
    parts = [
        Message(role, text.strip())  # type: ignore[arg-type] # the pattern allows no other
        for role, text in zip(pieces[::2], pieces[1::2], strict=True)
    ]
    roles = [part.role for part in parts]
    if before.strip() or roles != ["system", *("user", "assistant") * (len(roles) // 2 - 1), "user"]:
        raise RecipeError(
            f"prompt {name} must have a system part, then user and assistant parts, with a user part last"
        )
    return tuple(parts)


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)  # no HTML
    environment.filters["data"] = environment.filters["tojson"] = data
    return environment


@cache
def _template(source: str) -> Template:
    return _environment().from_string(source)


def as_json(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Messages in the form of the protocol.

    >>> as_json([Message("user", "Hi")])
    [{'role': 'user', 'content': 'Hi'}]
    """
    return [{"role": message.role, "content": message.content} for message in messages]
