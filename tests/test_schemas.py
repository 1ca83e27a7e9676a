"""The checked-in contract is that of the code, and what is written keeps it."""

import json
import sys

import msgspec
import pyarrow.parquet as pq
import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from datagen import schemas
from datagen.records import Turn
from tests.run.builds import ROOT, made, markers_of, talk

CHECKED_IN = ROOT / "schemas"


def test_the_checked_in_schemas_are_those_of_the_code():
    documents = schemas.documents()
    assert {path.name for path in CHECKED_IN.glob("*.json")} == set(documents)
    for name, document in documents.items():
        assert (CHECKED_IN / name).read_text("utf-8") == schemas.render(document), (
            f"{name} is stale: run `make schemas`"
        )


def test_the_command_writes_all_of_them(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["schemas", str(tmp_path)])
    schemas.main()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        path.name: path.read_bytes() for path in CHECKED_IN.glob("*.json")
    }


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return made(tmp_path_factory.mktemp("built"))


def test_a_manifest_keeps_its_schema(built):
    """Every key is known, each value of its type."""
    _, manifest = built
    schemas._Manifest.model_validate_json(manifest.to_json(), strict=True)
    values = json.loads(manifest.to_json())
    assert set(values) == set(schemas._Manifest.model_fields) - {"encoded"}  # of an encoded build only
    for name in ("vocabulary", "clock", "silence"):
        known = set(schemas._Manifest.model_fields[name].annotation.__annotations__)
        assert set(values[name]) == known - {"codebook_sizes", "silence_codes"}  # of several codebooks only
    with pytest.raises(ValidationError):
        schemas._Manifest.model_validate({**values, "digest": "x"})


def test_a_plan_keeps_its_schema(built):
    out, _ = built
    data = (out / "plan.json").read_bytes()
    schemas._Plan.model_validate_json(data, strict=True)
    assert set(json.loads(data)) == set(schemas._Plan.model_fields)


def test_markers_keep_their_schema(built):
    out, _ = built
    schema = Draft202012Validator(schemas.documents()["marker.schema.json"])
    for marker in markers_of(out):
        values = json.loads(marker.to_json())
        schema.validate(values)
        assert set(values) == set(schema.schema["properties"])


def test_tables_keep_their_schema(built):
    out, manifest = built
    documents = {name: json.loads((CHECKED_IN / f"{name}.arrow.json").read_text()) for name in schemas.SCHEMAS}
    for file in manifest.files():
        kind = file.table if file.table in documents else "rows"
        found = [schemas._describe(field) for field in pq.read_schema(out / file.key)]
        assert json.dumps(found).replace("element: ", "item: ") == json.dumps(documents[kind])  # Parquet's word for it


def test_a_dialogue_of_our_shape_keeps_its_schema():
    assert msgspec.convert(talk("Hello.", "Hi.", id="x"), schemas._Dialogue).turns[1] == Turn("assistant", "Hi.")


@pytest.mark.parametrize(
    "field",
    [
        {"turns": []},
        {"id": "x" * 201},
        {"turns": [{"role": "judge", "text": "Hi."}]},
        {"marks": [{"kind": "hesitation", "turn": -1, "word": 0, "role": "user"}]},
        {"marks": [{"kind": "backchannel", "turn": 1, "word": 1, "role": "user", "text": "mm" * 101}]},
        {"scores": {"safety": 11}},
        {"written_by": [{"task": "script"}]},
    ],
    ids=str,
)
def test_an_invalid_field_of_a_dialogue_breaks_its_schema(field):
    """By the declaration, and by the file that others validate with."""
    values = {**talk("Hello.", "Hi.", id="x"), **field}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(values, schemas._Dialogue)
    document = json.loads((CHECKED_IN / "dialogue.schema.json").read_text("utf-8"))
    assert not Draft202012Validator(document).is_valid(values)
    assert Draft202012Validator(document).is_valid(talk("Hello.", "Hi.", id="x"))
