"""The public data formats as files: JSON Schema of input, recipe, plan, marker and manifest, Arrow table schemas.

`python -m datagen.schemas DIRECTORY` writes them. They are checked in under `schemas/`, and a test
fails if they are stale.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from typing_extensions import NotRequired, TypedDict

from datagen.authoring.authoring_config import WriteRecipe
from datagen.recipe import EXTENDS, WRITE, Recipe
from datagen.records import EngineInfo, InputFile, Judged, Mark, Origin, Turn, Voice
from datagen.shards.identity import Clock, EncodedFrom, KeptApart, Silence
from datagen.shards.manifest import IndexPart, Reproducible, Sums
from datagen.shards.schema import SCHEMAS
from datagen.shards.unit import Marker


@dataclass
class _Dialogue:
    """One dialogue in our own shape; other shapes can be read too, see docs/format.md."""

    turns: Annotated[list[Turn], Meta(min_length=1)]
    id: (
        Annotated[str, Meta(max_length=200, description="Unique in the input; made from file and record if missing")]
        | None
    ) = None
    language: Annotated[str, Meta(description="ISO 639-1; detected if missing")] | None = None
    marks: Annotated[list[Mark], Meta(description="Events inside turns, instead of the rules of `timing`")] | None = (
        None
    )
    scores: Annotated[Judged, Meta(description="Scores of a judge, 1 to 10")] | None = None
    written_by: Annotated[list[Origin], Meta(max_length=100)] | None = None


class _Vocabulary(TypedDict):
    n_text: int
    special_offset: int
    speech_offset: int
    codebook_size: int
    codebook_sizes: NotRequired[list[int]]
    specials: dict[str, int]


_Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
_Seal = Annotated[_Sha256, Field(description="SHA-256 of the file with zeros in place of these 64 digits")]


class _Identity(BaseModel):
    """All values that decide the content of a build."""

    datagen: str
    data_version: int
    recipe: Recipe
    recipe_sha256: str
    inputs: list[InputFile]
    engines: dict[str, EngineInfo]
    voices: dict[str, Voice] = Field(description="Each voice that may occur, by name")
    vocabulary: _Vocabulary
    clock: Clock
    silence: Silence
    kept_apart: KeptApart | None = None
    encoded: EncodedFrom | None = None


class _Plan(BaseModel):
    """plan.json: frozen before the first unit."""

    model_config = ConfigDict(title="plan")
    seal: _Seal
    identity: _Identity
    n_records: int
    unit_dialogues: int = Field(description="Records of a unit; the last may have fewer")
    parts: list[_Sha256] = Field(description="SHA-256 of each file of `input/` with records")
    groups: list[str] = Field(description="SHA-256 of the file with the groups of each part; empty if it has none")
    twins: dict[str, int] = Field(description="Counts of near-duplicates; empty if they were not looked for")
    moved: dict[str, str] = Field(description="Split of each group that is not in the split of its hash")
    too_small: list[str] = Field(description="Splits with fewer dialogues than splits.min_dialogues")
    keep_audio: bool | None = Field(description="True if conversations have their audio")


class _Manifest(_Identity):
    """manifest.json: written last, so its existence means the build is complete."""

    model_config = ConfigDict(title="manifest")
    seal: _Seal
    beside: dict[str, _Sha256] = Field(description="SHA-256 of plan.json, recipe.yaml and README.md")
    n_records: int
    n_conversations: int
    n_rejects: int
    rejects: dict[str, int] = Field(description="Count by stage/reason")
    notices: dict[str, int] = Field(
        description="Kept conversations with a fault that cost no dialogue, by reason; cut/REASON: cut short"
    )
    added: dict[str, int] = Field(
        description="Utterances by kind, and corrections, that the recipe added to what the dialogues say"
    )
    keep_audio: bool | None = Field(description="True if conversations have their audio; null: as the recipe says")
    hours: float
    n_units: int
    digest: str = Field(pattern="^[0-9a-f]{32}$", description="Order-independent hash over all rows and rejects")
    tables: dict[str, dict[str, Sums]]
    reproducible: Reproducible = Field(
        description="Reproducibility of the digest: the promise of the weakest engine, the engines that limit it, and "
        "units by the kind of processor that finished them"
    )
    index: list[IndexPart] = Field(description="Files of the index, which has one row per data file")


def documents() -> dict[str, Any]:
    """File name → JSON document of every schema."""
    found: dict[str, Any] = {
        "dialogue.schema.json": _dialogue_schema(),
        "recipe.schema.json": _recipe_schema(),
        "plan.schema.json": _Plan.model_json_schema(),
        "manifest.schema.json": _Manifest.model_json_schema(),
        "marker.schema.json": _marker_schema(),
    }
    for name, schema in SCHEMAS.items():
        found[f"{name}.arrow.json"] = [_describe(field) for field in schema]
    return found


def _recipe_schema() -> dict[str, Any]:
    """A recipe's file: keys of a build, its parent, and the section of `datagen write`, which has the build's name."""
    found, write = Recipe.model_json_schema(), WriteRecipe.model_json_schema()
    parts = {**write.pop("$defs"), **found["$defs"]}
    parts["EngineConfig"].pop("required")  # the name may come from the parent
    write["required"] = [name for name in write["required"] if name != "name"]
    parent = {"type": "string", "minLength": 1, "description": "Shipped recipe, or file beside this one, to start from"}
    section = {"$ref": "#/$defs/WriteRecipe", "description": "Section of `datagen write`; a build ignores it"}
    found["properties"] |= {EXTENDS: parent, WRITE: section}
    return {**found, "$defs": {**parts, "WriteRecipe": write}}


def _marker_schema() -> dict[str, Any]:
    found = TypeAdapter(Marker).json_schema()
    found["properties"] = {"seal": TypeAdapter(_Seal).json_schema(), **found["properties"]}
    found["required"] = ["seal", *found["required"]]
    return found


def _dialogue_schema() -> dict[str, Any]:
    (top,), parts = msgspec.json.schema_components([_Dialogue], ref_template="#/$defs/{name}")
    name = top["$ref"].rpartition("/")[2]
    return {**parts.pop(name), "title": "dialogue", "$defs": parts}


def _describe(field: Any) -> dict[str, Any]:
    unit = (field.metadata or {}).get(b"unit", b"").decode()
    return {"name": field.name, "type": str(field.type), "nullable": field.nullable, **({"unit": unit} if unit else {})}


def render(document: Any) -> str:
    """The text of a schema file."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write all schemas into the directory named on the command line."""
    directory = Path(sys.argv[1])
    for name, document in documents().items():
        (directory / name).write_text(render(document), "utf-8")


if __name__ == "__main__":
    main()
