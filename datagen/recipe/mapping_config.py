"""The shape of a record as data: where its turns, roles and texts are.

A path is a key name, or several joined by dots for a key inside a key (`data.conv`); a number is a
place in a list, -1 the last. Text on the way that holds JSON is opened.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from datagen.recipe.distributions import ConfigPart

RoleKind = Literal["user", "assistant", "system", "tool"]


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


_Name = Annotated[str, Field(min_length=1, max_length=200)]
Names = Annotated[
    tuple[_Name, ...], BeforeValidator(_listed, json_schema_input_type=str | tuple[str, ...]), Field(max_length=32)
]
"""One or several names; a single one needs no list."""


class RowsConfig(ConfigPart):
    """One row per turn: consecutive rows of a group are one record."""

    group: Names = Field(min_length=1, description="Field that the rows of a dialogue have in common; becomes its id")
    order: Names = Field((), description="Field of a time or number by which the rows of a dialogue are sorted")
    id: _Name | None = Field(None, description="Field of a row's own id, if the rows are a tree")
    parent: _Name | None = Field(None, description="Field of the id of the row that it replies to")


class LabelsConfig(ConfigPart):
    """Exact role labels that separate the turns within one text, such as `### Human:`."""

    user: Names = Field(description="Labels of the user")
    assistant: Names = Field(description="Labels of the assistant")
    system: Names = Field((), description="Labels of system prompts")


class MappingConfig(ConfigPart):
    """Shape of the records. Of several paths or fields, the first that a record has counts, unless stated."""

    turns: Names = Field((), description="Path of the list of turns: objects, pairs, or alternating texts")
    role: Names = Field((), description="Field of a turn's role; without it turns alternate")
    text: Names = Field((), description="Field of a turn's text")
    user: Names = Field((), description="All fields of the user's words, in a pair of `turns` or in the record")
    assistant: Names = Field((), description="All fields of the assistant's words, likewise")
    tool: Names = Field((), description="All fields of a tool's calls and answers, likewise")
    first: Literal["user", "assistant"] = Field("user", description="Who begins, where turns alternate without roles")
    history: Names = Field((), description="Path of earlier turns or pairs")
    answer: Names = Field((), description="Path of the chosen answer: text, a turn, or turns")
    candidates: Names = Field((), description="Path of candidate answers, of which the last is the true one")
    system: Names = Field((), description="All paths of system prompts")
    speakers: Names = Field((), description="Path of the list of the turns' speakers, beside the turns")
    names: bool = Field(False, description="Roles are names of two speakers: the first is the user")
    numbered: str = Field("", max_length=50, description="`turns` is an object; its keys are this prefix and a number")
    replies: _Name | None = Field(None, description="`turns` is the root of a tree; the field of a turn's replies")
    rank: Names = Field((), description="Field by which replies are ranked; the lowest is the best")
    labels: LabelsConfig | None = Field(None, description="`turns` is one text; its role labels")
    strip: Names = Field((), description="Marks to remove at both ends of each text")
    replace: dict[_Name, str] = Field(default_factory=dict, description="What to write for marks inside each text")
    rows: RowsConfig | None = Field(None, description="A record is one turn, and several make a dialogue")
    label: Names = Field(("label", "kto_tag"), description="Path of a label; false: the answer is undesirable")
    id: Names = Field(("id", "conversation_id", "dialogue_id", "uuid"), description="Path of the id")
    language: Names = Field((), description="Path of the language")
    roles: dict[str, RoleKind] = Field(default_factory=dict, description="Roles by name, in addition to the known ones")

    @model_validator(mode="after")
    def _has_words(self) -> "MappingConfig":
        pairs = bool(self.user) and bool(self.assistant)
        if not (self.turns or self.rows or self.answer or self.candidates or pairs):
            raise ValueError("name the list of `turns`, or the fields `user` and `assistant`")
        if self.rows and not self.text:
            raise ValueError("rows need the field `text`")
        if self.rows and (self.rows.id is None) != (self.rows.parent is None):
            raise ValueError("a tree of rows needs both `rows.id` and `rows.parent`")
        if not self.turns and not self.rows and (self.names or self.numbered or self.replies or self.labels):
            raise ValueError("names, numbered, replies and labels describe `turns`; name its path")
        if self.labels and (self.role or self.text or self.user or self.assistant):
            raise ValueError("`turns` with labels is one text; leave out role, text, user and assistant")
        return self
