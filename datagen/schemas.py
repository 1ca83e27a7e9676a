"""The outward contract as files: JSON Schema of input, recipe and manifest, Arrow schemas of all tables.

`python -m datagen.schemas DIRECTORY` writes them; they are checked in under `schemas/`, and a test fails where
they are stale.
"""

import json
import sys
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from typing_extensions import TypedDict

from datagen.marks import MarkKind
from datagen.recipe import Recipe
from datagen.records import EngineInfo, InputFile, Voice
from datagen.shards.identity import Clock, Silence
from datagen.shards.manifest import IndexPart, Reproducible, Sums
from datagen.shards.schema import SCHEMAS
from datagen.shards.unit import Marker


class _Turn(BaseModel):
    role: Literal["user", "assistant"]
    text: str


class _Mark(BaseModel):
    kind: MarkKind
    turn: int = Field(ge=0, description="Index of the turn in which it happens")
    word: int = Field(
        ge=0, description="Units of the turn's spoken text before it: words, Chinese characters; 0 only of a hesitation"
    )
    role: Literal["user", "assistant"] = Field(description="Who interrupts, hesitates or listens")
    text: str = Field("", max_length=200, description="A hesitation's filler, if any, or what the listener says")
    why: str = Field("", max_length=1000)


class _Scores(BaseModel):
    spokenness: int | None = Field(None, ge=1, le=10)
    coherence: int | None = Field(None, ge=1, le=10)
    safety: int | None = Field(None, ge=1, le=10)


class _Origin(BaseModel):
    task: str
    prompt: str
    version: int = Field(ge=0)
    prompt_sha256: str
    model: str
    answer_sha256: str
    attempt: int = Field(0, ge=0)


class _Dialogue(BaseModel):
    """One dialogue of our own shape; other shapes are read too, see docs/format.md."""

    model_config = ConfigDict(title="dialogue")
    id: str | None = Field(
        None, max_length=200, description="Unique in the input; made from file and record if missing"
    )
    language: str | None = Field(None, description="ISO 639-1; detected if missing")
    turns: list[_Turn] = Field(min_length=1)
    marks: list[_Mark] | None = Field(None, description="What happens inside turns, instead of the rules of `timing`")
    scores: _Scores | None = Field(None, description="A judge's, 1 to 10")
    written_by: list[_Origin] | None = Field(None, max_length=100)


class _Vocabulary(TypedDict):
    n_text: int
    special_offset: int
    speech_offset: int
    codebook_size: int
    specials: dict[str, int]


class _Manifest(BaseModel):
    """manifest.json: written last, so its existence means the build is complete."""

    model_config = ConfigDict(title="manifest")
    datagen: str
    data_version: int
    recipe: Recipe
    recipe_sha256: str
    inputs: list[InputFile]
    engines: dict[str, EngineInfo]
    voices: dict[str, Voice] = Field(description="What is known of each voice that may be heard, by name")
    vocabulary: _Vocabulary
    clock: Clock
    silence: Silence
    n_records: int
    n_conversations: int
    n_rejects: int
    rejects: dict[str, int] = Field(description="Count by stage/reason")
    hours: float
    n_units: int
    digest: str = Field(pattern="^[0-9a-f]{32}$", description="Order-independent hash over all rows and rejects")
    tables: dict[str, dict[str, Sums]]
    reproducible: Reproducible = Field(
        description="What the digest can be held against: the promise of the weakest engine, which engines those are, "
        "and units by the kind of processor that finished them"
    )
    index: list[IndexPart] = Field(description="Files of the index, which has a row a data file")


def documents() -> dict[str, Any]:
    """File name → JSON document of every schema."""
    found: dict[str, Any] = {
        "dialogue.schema.json": _Dialogue.model_json_schema(),
        "recipe.schema.json": Recipe.model_json_schema(),
        "manifest.schema.json": _Manifest.model_json_schema(),
        "marker.schema.json": TypeAdapter(Marker).json_schema(),
    }
    for name, schema in SCHEMAS.items():
        found[f"{name}.arrow.json"] = [_describe(field) for field in schema]
    return found


def _describe(field: Any) -> dict[str, Any]:
    unit = (field.metadata or {}).get(b"unit", b"").decode()
    return {"name": field.name, "type": str(field.type), "nullable": field.nullable, **({"unit": unit} if unit else {})}


def render(document: Any) -> str:
    """A schema as it stands in its file."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write all schemas into the directory named on the command line."""
    directory = Path(sys.argv[1])
    for name, document in documents().items():
        (directory / name).write_text(render(document), "utf-8")


if __name__ == "__main__":
    main()
