"""Every key has a meaning, and what is said about it is what the classes check."""

import json
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from jsonschema import Draft202012Validator

from datagen import resources
from datagen.authoring.authoring_config import WriteRecipe
from datagen.errors import RecipeError
from datagen.recipe import Recipe, commented, load, schema_line, with_schema_line
from datagen.recipe.commented import SCHEMA
from datagen.recipe.reference import keys

KNOWN = {key.path: key for key in keys(Recipe)}


@pytest.mark.parametrize("model", [Recipe, WriteRecipe])
def test_every_key_has_a_meaning_of_one_line(model):
    assert len(keys(model)) > 50
    assert [key.path for key in keys(model) if not key.meaning or "\n" in key.meaning] == []


def test_the_reference_has_every_value_of_a_recipe():
    """No key is lost on the way through optional, listed and named sections."""

    def paths(values: object, path: str) -> set[str]:
        key = KNOWN.get(path)
        if not isinstance(values, dict) or (key and not key.section):
            return {path}
        return {each for name, value in values.items() for each in paths(value, f"{path}.{name}".lstrip("."))}

    assert {
        path for path in paths(Recipe(name="r").dump(), "") if not path.startswith("timing.tokens.")
    } <= KNOWN.keys()
    assert {"timing.tokens.*.fillers", "mix.noise[].weight", "verify.asr.name", "pools.*.gpus"} <= KNOWN.keys()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("seed", ("integer", "from 0, below 2^63", "", "0", "")),
        ("name", ("text", "", "", "", "")),
        ("timing.user_fto", ("distribution", "-60,000 to 120,000", "ms", "{kind: uniform, low: 500, high: 2000}", "")),
        ("timing.assistant_fto", ("distribution", "-60,000 to 120,000", "ms", "0", "")),
        ("mix.user_level.value", ("distribution", "-100 to 0", "", "{kind: uniform, low: -26, high: -20}", "")),
        ("mix.assistant_level.value", ("distribution", "-100 to 0", "", "-23", "")),
        ("flatten.max_tokens", ("integer", "64 to 16,777,216", "tokens", "8192", "N")),
        ("flatten.assistant_silence", ("`special`, `codes`", "", "", "special", "?")),
        ("verify.min_ms_per_syllable", ("number", "0 to 10,000", "ms per syllable", "100", "")),
        ("input.near_duplicates", ("number or null", "above 0.1, below 1", "", "null", "")),
        ("engines.tts.name", ("text", "", "", "hibari", "")),
        ("mix.keep_audio", ("true or false or `auto`", "", "", "auto", "")),
        ("input.mapping.turns", ("list of text", "at most 32 long", "", "[]", "")),
        ("timing.tokens", ("section by name", "", "", "...", "")),
    ],
)
def test_what_is_said_of_a_key(path, expected):
    key = KNOWN[path]
    assert (key.type, key.range, key.unit, key.default, key.source) == expected


def test_the_stated_default_is_the_default():
    values = Recipe(name="r").dump()
    for path, key in KNOWN.items():
        if key.default in ("", "...") or any(
            sign in path for sign in ("[]", "*", "input.mapping.", "input.recordings.", "verify.asr.", "verify.mos.")
        ):
            continue
        value: object = values
        for name in path.split("."):
            value = value[name]
        said = yaml.safe_load(key.default)
        same = (
            {"kind": "constant", "value": said} if key.type == "distribution" and not isinstance(said, dict) else said
        )
        assert same == value, path


@pytest.mark.parametrize("name", ["omniflatten", "chinese", "cosyvoice2"])
def test_comments_change_nothing(name):
    recipe = load(name)
    text = recipe.to_yaml()
    plain = yaml.safe_dump(recipe.dump(), sort_keys=False, allow_unicode=True)
    assert "".join(line for line in text.splitlines(True) if not line.lstrip().startswith("#")) == plain
    assert Recipe.model_validate(yaml.safe_load(text)) == recipe
    assert recipe.to_yaml() == text


def test_every_key_in_a_stored_recipe_has_its_meaning_above_it():
    lines = load("omniflatten").to_yaml().splitlines()
    above = {line: before for before, line in pairwise(lines)}
    for line, path in {
        "seed: 0": "seed",
        "  barge_in:": "timing.barge_in",
        "  min_turns: 2": "select.min_turns",
        "  - name: generated": "mix.noise[].name",
        "      fillers:": "timing.tokens.*.fillers",
    }.items():
        assert above[line].lstrip().startswith(f"# {KNOWN[path].meaning}"), line
    meaning = "Maximum number of tokens in a dialogue row; of parallel, of columns"
    assert above["  max_tokens: 8192"] == f"  # {meaning} [tokens, 64 to 16,777,216]"


def test_text_of_a_recipe_cannot_become_a_comment_or_a_key():
    recipe = load("fake", (r'description="a\n# b: c\nseed: 9 # x"', 'input.paths=["# x", "a: b"]'))
    assert Recipe.model_validate(yaml.safe_load(recipe.to_yaml())) == recipe


def test_flow_mappings_and_unknown_keys_have_no_comment():
    text = "nonesuch: 1\nmix: {keep_audio: true}\n"
    assert commented(text, Recipe) == "nonesuch: 1\n# Levels, noise and acoustics\nmix: {keep_audio: true}\n"
    assert commented("[1]\n", Recipe) == "[1]\n"


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("timing.bargein=1", "timing.bargein: unknown key; did you mean barge_in?"),
        ("keep_audio=true", "keep_audio: unknown key; did you mean mix.keep_audio?"),
        ("mix.noise=[{nam: x}]", "mix.noise.0.nam: unknown key; did you mean name?"),
        ("pools={speak: {gpu: 1}}", "pools.speak.gpu: unknown key; did you mean gpus?"),
        ("timing.user_fto={kind: uniform, low: 1, hig: 2}", "hig: unknown key; did you mean high?"),
        ("probability=1", "probability: unknown key, check its spelling"),
        ("zzz=1", "zzz: unknown key, check its spelling"),
    ],
)
def test_a_misspelled_key_is_corrected(override, says):
    with pytest.raises(RecipeError) as error:
        load("fake", (override,))
    assert says in str(error.value)


# -- the schema that editors use ----------------------------------------------------------------------------------

SCHEMA_FILE = resources.directory("schemas") / "recipe.schema.json"


@pytest.fixture(scope="module")
def schema():
    return Draft202012Validator(json.loads(SCHEMA_FILE.read_text("utf-8")))


@pytest.mark.parametrize("name", resources.recipes())
def test_shipped_recipes_name_a_schema_that_is_there_and_keep_it(name, schema):
    file = resources.directory("pipelines") / f"{name}.yaml"
    text = file.read_text("utf-8")
    first = text.splitlines()[0]
    assert first.startswith(SCHEMA)
    assert (file.parent / first.removeprefix(SCHEMA)).resolve() == SCHEMA_FILE.resolve()
    assert [error.message for error in schema.iter_errors(yaml.safe_load(text))] == []


def test_a_full_recipe_and_the_keys_of_a_file_keep_the_schema(schema):
    assert schema.is_valid(yaml.safe_load(load("natural").to_yaml()))
    own = {"name": "r", "extends": "natural", "timing": {"user_fto": 200}, "input": {"mapping": {"turns": "x"}}}
    assert [error.message for error in schema.iter_errors(own)] == []
    for wrong in ({"timing": {"user_fto": 10**9}}, {"sede": 1}, {"write": {"llm": {}}}, {"extends": ""}):
        assert not schema.is_valid({"name": "r", **wrong})


def test_a_recipe_elsewhere_names_the_schema_by_a_path_that_is_there(tmp_path):
    address = schema_line(str(tmp_path)).removeprefix(SCHEMA)
    assert json.loads(Path(unquote(urlsplit(address).path)).read_bytes())["title"] == "Recipe"
    inside = schema_line(str(SCHEMA_FILE.parents[1]))
    assert inside == f"{SCHEMA}schemas/recipe.schema.json"
    assert with_schema_line("name: a\n", str(tmp_path)) == f"{SCHEMA}{address}\nname: a\n"
    assert with_schema_line(f"{SCHEMA}old\nname: a\n", str(tmp_path)) == f"{SCHEMA}{address}\nname: a\n"
