"""Plans and manifests of data version 4 open typed and keep every byte; damaged ones are named with file and field."""

import json
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest

from datagen.errors import ResumeError, StoreError
from datagen.records import EngineInfo
from datagen.shards.identity import Identity
from datagen.shards.manifest import MANIFEST, FlattenedFrom, Manifest, Sums
from datagen.shards.plan import PLAN, load_plan, refuse_another
from datagen.shards.store import LocalStore

STORED = Path(__file__).parent.parent / "golden" / "version_4"
"""Written by the datagen that stored plain dicts: `datagen build quickstart`."""


def store_with(folder: Path, name: str, values: Any) -> LocalStore:
    store = LocalStore(folder)
    store.create(name, json.dumps(values, indent=1, sort_keys=True, ensure_ascii=name == PLAN).encode())
    return store


def stored(name: str) -> Any:
    return json.loads((STORED / name).read_bytes())


def values_of(data: bytes) -> Any:
    """A document without what later data versions added."""
    values = json.loads(data)
    return {name: values[name] for name in values if name not in ("seal", "beside", "notices", "added")}


def test_a_stored_manifest_keeps_every_value():
    manifest = Manifest.load(LocalStore(STORED))
    assert values_of(manifest.to_json()) == stored(MANIFEST)
    assert manifest.tables["asr"]["test"] == Sums(106, 17_559, 59_424)
    assert manifest.engines["tts"] == EngineInfo(
        "hibari", "0.2.1", "Apache-2.0 (code and weights)", "machine", word_times="model"
    )
    assert manifest.voices["heart"].languages == ("en",)
    assert (manifest.clock.hop_samples, manifest.vocabulary["<|eot|>"], manifest.origin) == (960, 151_670, None)
    assert manifest.reproducible.because[:2] == ("bursts.0 bursts", "noise.0 generated")


SINCE_7 = {"moved": {}, "too_small": []}
"""Fields that a plan of version 4 lacks."""


def test_a_stored_plan_keeps_every_value():
    plan = load_plan(LocalStore(STORED))
    assert (values_of(plan.to_json()), plan.seal) == (stored(PLAN) | SINCE_7, "")
    assert plan.identity == Manifest.load(LocalStore(STORED)).identity
    assert type(Manifest.load(LocalStore(STORED)).identity) is Identity


def test_a_manifest_of_flattened_shards_keeps_its_origin(tmp_path):
    values = stored(MANIFEST) | {"from": {"url": "s3://b/ö", "digest": "00"}, "conversations": "00"}
    store = store_with(tmp_path, MANIFEST, values)
    manifest = Manifest.load(store)
    assert (manifest.origin, manifest.conversations) == (FlattenedFrom("s3://b/ö", "00"), "00")
    assert values_of(manifest.to_json()) == values


def test_a_value_that_is_null_in_the_recipe_stays_there(tmp_path):
    values = stored(MANIFEST)
    values["recipe"]["input"]["limit"] = None
    assert values_of(Manifest.load(store_with(tmp_path, MANIFEST, values)).to_json()) == values


def test_nothing_in_it_can_be_set():
    with pytest.raises(FrozenInstanceError):
        Manifest.load(LocalStore(STORED)).hours = 1.0


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        (("hours",), "long", r"Expected `float`, got `str` - at `\$.hours`"),
        (("digest",), None, r"Expected `str`, got `null` - at `\$.digest`"),
        (("clock", "hop_samples"), 1.5, r"Expected `int`, got `float` - at `\$.clock.hop_samples`"),
        (
            ("tables", "asr", "test", "n_rows"),
            "106",
            r"got `str` - at `\$.tables\[...\]\[...\].n_rows`",
        ),
        (("engines", "tts", "bit_exact"), "often", r"Invalid enum value 'often' - at `\$.engines\[...\].bit_exact`"),
        (("vocabulary", "special_offset"), 7, r"ranges overlap.* - at `\$.vocabulary`"),
        (("index", 0, "sha256"), 3, r"Expected `str`, got `int` - at `\$.index\[0\].sha256`"),
        (("silence", "user"), "special", r"Invalid enum value 'special' - at `\$.silence.user`"),
    ],
)
def test_a_damaged_manifest_is_named_with_its_field(tmp_path, place, value, says):
    values = stored(MANIFEST)
    inner = values
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    message = rf"{tmp_path}/manifest\.json is damaged \(.*{says}\); restore it from a copy, or build again$"
    with pytest.raises(StoreError, match=message):
        Manifest.load(store_with(tmp_path, MANIFEST, values))


@pytest.mark.parametrize("name", [MANIFEST, PLAN])
@pytest.mark.parametrize(
    ("data", "says"), [(b"", "Expecting value"), (b"[]", "Expected `object`"), (b"\xff", "decode")]
)
def test_a_file_that_is_no_json_object_is_named(tmp_path, name, data, says):
    store = LocalStore(tmp_path)
    store.create(name, data)
    with pytest.raises(StoreError, match=rf"{name} is damaged \(.*{says}"):
        Manifest.load(store) if name == MANIFEST else load_plan(store)


@pytest.mark.parametrize("field", ["digest", "tables", "index", "clock", "recipe"])
def test_a_field_that_is_missing_is_named(tmp_path, field):
    values = stored(MANIFEST)
    del values[field]
    with pytest.raises(StoreError, match=rf"missing required field `{field}`"):
        Manifest.load(store_with(tmp_path, MANIFEST, values))


def test_a_damaged_plan_is_named_with_its_field(tmp_path):
    values = stored(PLAN)
    values["identity"]["inputs"][0]["n_bytes"] = "many"
    with pytest.raises(StoreError, match=r"plan\.json is damaged \(.*at `\$.identity.inputs\[0\].n_bytes`\); choose"):
        load_plan(store_with(tmp_path, PLAN, values))


def test_a_plan_that_differs_in_an_engine_is_told_which_value(tmp_path):
    plan = load_plan(LocalStore(STORED))
    values = stored(PLAN)
    values["identity"]["engines"]["tts"]["word_times"] = "estimated"
    wanted = load_plan(store_with(tmp_path, PLAN, values)).identity
    with pytest.raises(ResumeError, match=r"engines\.tts\.word_times is 'model' there and 'estimated' now\."):
        refuse_another(LocalStore(STORED), plan, wanted)
    refuse_another(LocalStore(STORED), plan, plan.identity)
