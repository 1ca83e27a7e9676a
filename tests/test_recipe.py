"""Recipes: every shipped one is valid, and every fault is named with its key."""

import pytest
from pydantic import ValidationError

from datagen import resources
from datagen.authoring.authoring_config import WriteRecipe
from datagen.errors import RecipeError
from datagen.recipe import Recipe, load, stored
from tests.conftest import make_recipe


@pytest.mark.parametrize("name", resources.recipes())
def test_shipped_recipes_load(name):
    recipe = load(name)
    assert recipe.name == name
    assert recipe.description


def test_overrides_reach_their_value():
    recipe = load("fake", ("timing.barge_in.probability=0.5", "seed=9", "mix.noise=[]", "timing.assistant_fto=150"))
    assert (recipe.timing.barge_in.probability, recipe.seed, recipe.mix.noise) == (0.5, 9, ())
    assert recipe.timing.assistant_fto.at(0.3) == 150


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("timing.bargein=1", "timing.bargein: unknown key"),
        ("seed=-1", "seed: Input should be greater than or equal to 0"),
        ("seed", "use the form key=value"),
        ("seed.x=1", "seed is a single value"),
        ("timing.assistant_fto={kind: normal}", "timing.assistant_fto.normal"),
        ("timing.assistant_fto={kind: uniform, low: 5, high: 1}", "low 5.0 is above high 1.0"),
        ("splits={validation: 0.5, test: 0.5}", "leave nothing to train on"),
        ("name=../evil", "name: String should match pattern"),
        ("flatten.tasks=[]", "flatten.tasks"),
        ("seed={", "not valid YAML"),
    ],
)
def test_faults_name_the_key(override, says):
    with pytest.raises(RecipeError, match=r".") as error:
        load("fake", (override,))
    assert says in str(error.value)


def test_faults_name_the_file(tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("name: [")
    with pytest.raises(RecipeError, match=r"bad\.yaml is not valid YAML"):
        load(str(bad))
    bad.write_text("- 1")
    with pytest.raises(RecipeError, match="mapping of keys to values"):
        load(str(bad))
    bad.write_bytes(b"\xff")
    with pytest.raises(RecipeError, match="not UTF-8"):
        load(str(bad))
    with pytest.raises(RecipeError, match=r"Shipped recipes: .*quickstart"):
        load("nonesuch")


def test_yaml_tags_run_nothing(tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("name: !!python/object/apply:os.getcwd []")
    with pytest.raises(RecipeError, match="not valid YAML"):
        load(str(bad))


def test_the_full_recipe_reads_back_to_itself(tmp_path):
    recipe = load("omniflatten")
    file = tmp_path / "full.yaml"
    file.write_text(recipe.to_yaml())
    assert load(str(file)) == recipe
    assert load(str(file)).sha256() == recipe.sha256()
    assert Recipe(name="a").sha256() != Recipe(name="a", seed=1).sha256()


@pytest.mark.parametrize("name", ["fake", "hard"])
def test_the_name_of_a_shipped_recipe_means_that_whatever_lies_beside_us(name, tmp_path, monkeypatch):
    """Such as the output of the build before it."""
    wanted = load(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()
    assert load(name) == wanted
    (tmp_path / name).rmdir()
    (tmp_path / name).write_text("name: mine\n")
    assert load(name) == wanted
    assert load(f"./{name}").name == "mine"
    (tmp_path / f"{name}.yaml").write_text("name: mine_too\n")
    assert load(f"{name}.yaml").name == "mine_too"


@pytest.mark.parametrize("path", ["folder", "./hard", "folder.yaml"])
def test_a_folder_is_no_recipe(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / path).mkdir()
    with pytest.raises(RecipeError, match=r"is a folder; a recipe is a YAML file"):
        load(path)


def test_a_file_of_any_name_is_a_recipe(tmp_path):
    (tmp_path / "mine").write_text("name: mine\n")
    assert load(str(tmp_path / "mine")).name == "mine"


def test_a_stored_recipe_may_have_keys_that_are_gone():
    values = make_recipe("timing.barge_in.probability=0.25").identity()
    old = {**values, "timing": {**values["timing"], "gone": {"probability": 1}}, "older": 3}
    old["engines"] = {**values["engines"], "tts": {**values["engines"]["tts"], "gone": 1}}
    assert stored(old) == stored(values) == Recipe.model_validate(values)
    with pytest.raises(ValidationError, match="seed"):
        stored({**old, "seed": -1})


@pytest.mark.parametrize("text", ["seed: 1\nseed: 2\n", "mix:\n  snr_db: 5\n  snr_db: 6\n"])
def test_a_key_that_is_there_twice_is_an_error(tmp_path, text):
    file = tmp_path / "twice.yaml"
    file.write_text(f"name: twice\n{text}")
    with pytest.raises(RecipeError, match=r"twice\.yaml is not valid YAML: '(seed|snr_db)' is there twice"):
        load(str(file))


@pytest.mark.parametrize("value", [".nan", ".inf", "-.inf", "{kind: uniform, low: .nan, high: 1}"])
@pytest.mark.parametrize("key", ["mix.snr_db", "timing.user_fto"])
def test_numbers_are_finite(key, value):
    with pytest.raises(RecipeError, match=f"{key}.*finite number"):
        load("fake", (f"{key}={value}",))


def unbounded(schema: object, place: str = "") -> list[str]:
    """Places of numbers and distributions of a JSON schema that lack a lower or an upper bound."""
    if isinstance(schema, list):
        return [found for k, each in enumerate(schema) for found in unbounded(each, f"{place}/{k}")]
    if not isinstance(schema, dict):
        return []
    is_number = schema.get("type") in ("integer", "number") and "enum" not in schema
    is_distribution = "constant" in str(schema.get("discriminator", "")) and not place.startswith("/$defs/MixturePart")
    lacks = not schema.keys() & {"minimum", "exclusiveMinimum"} or not schema.keys() & {"maximum", "exclusiveMaximum"}
    own = [place] if (is_number or is_distribution) and lacks else []
    return own + [
        found for key, each in schema.items() if key != "default" for found in unbounded(each, f"{place}/{key}")
    ]


@pytest.mark.parametrize("model", [Recipe, WriteRecipe])
def test_every_number_has_a_lower_and_an_upper_bound(model):
    schema = model.model_json_schema()
    assert len(str(schema).split("'maximum'")) > 30
    assert unbounded(schema) == []


def test_a_number_without_a_bound_is_found():
    """The law above bites."""
    assert unbounded({"properties": {"x": {"type": "number", "minimum": 0}}}) == ["/properties/x"]
    assert unbounded({"x": {"discriminator": {"mapping": {"constant": ""}}, "minimum": 0}}) == ["/x"]


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("timing.user_fto=3600000", r"timing\.user_fto: .*3\.6e\+06 leave the range from -60000 to 120000"),
        ("timing.user_fto={kind: uniform, low: -1000000, high: 0}", "leave the range"),
        ("timing.user_fto={kind: quantiles, values: [0, 1000000]}", "leave the range"),
        ("timing.user_fto={kind: mixture, parts: [{weight: 1, value: 1000000}]}", "leave the range"),
        ("timing.barge_in.at=1.5", "from 0 to 1"),
        ("timing.silence.silence=-1", "from 0 to 120000"),
        ("mix.snr_db=1000", "from -100 to 100"),
        ("mix.room.width_m=0", "from 0.5 to 100"),
        ("mix.drift.period_ms=0", "from 100"),
        ("timing.user_fto=1.0e+300", "less than or equal"),
        ("flatten.max_tokens=1000000000000", "flatten.max_tokens: .*less than or equal"),
        ("pools={speak: {gpus: 1000000}}", "pools.speak.gpus"),
        ("timing.barge_in.families.next_turn=-1", "greater than or equal"),
    ],
)
def test_absurd_numbers_are_refused_with_their_range(override, says):
    with pytest.raises(RecipeError, match=says):
        load("fake", (override,))


def test_numbers_at_the_ends_of_their_range_pass():
    recipe = load("fake", ("timing.user_fto={kind: uniform, low: -60000, high: 120000}", "timing.barge_in.at=1"))
    assert recipe.timing.user_fto.edges() == (-60_000, 120_000)
    assert load(
        "fake", ("timing.user_fto={kind: mixture, parts: [{weight: 1, value: 5}, {weight: 2, value: 3}]}",)
    ).timing.user_fto.edges() == (3, 5)


HASHES = {
    "chinese": "2ae11121b4cfe5b3",
    "cosyvoice2": "85dd1e387546431f",
    "fake": "17771375b31cb70b",
    "from_topics": "5497d030be1fbda1",
    "hard": "1fb9bea979448092",
    "mixed_voices": "6c41122b801a073d",
    "natural": "6c94963ec84df916",
    "omniflatten": "b36d746608451073",
    "quickstart": "b9c6216c19264ad6",
    "speech_server": "4914d9217fd37076",
}


@pytest.mark.parametrize("name", HASHES)
def test_the_identity_of_a_shipped_recipe_is_as_it_was(name):
    """A range or a check changes no build; another value does, and needs another hash here."""
    assert load(name).sha256()[:16] == HASHES[name]


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + k)}: &{chr(98 + k)} [{', '.join([f'*{chr(97 + k)}'] * 9)}]\n" for k in range(9)
)
MERGE_BOMB = "a: &a {k: 1}\n" + "".join(
    f"{chr(98 + k)}: &{chr(98 + k)} {{<<: [{', '.join([f'*{chr(97 + k)}'] * 9)}]}}\n" for k in range(9)
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (BOMB, "stands for more than 100,000 values; use fewer aliases"),
        (MERGE_BOMB, "stands for more than 100,000 values; use fewer aliases"),
        ("a: &a [*a]\n", "a value contains itself"),
        ("a: " + "[" * 50 + "]" * 50, "nested deeper than 40 levels"),
        ("a: " + "[" * 50_000, "nested deeper than 40 levels"),
        ("# " + "x" * (1 << 20), "larger than 1 MB"),
        ("a: 2024-01-01", "'timestamp' is no kind of value in a recipe; quote it"),
        ("a: !!binary AAAA", "'binary' is no kind of value"),
        ("a: !!bool x", "not valid YAML"),
        ("a: " + "9" * 5000, "not valid YAML"),
        ("[1]: 2", "a key must be text"),
    ],
    ids=["aliases", "merges", "cycle", "deep", "very deep", "large", "date", "binary", "bool", "digits", "key"],
)
def test_a_recipe_that_would_fill_the_memory_is_refused(tmp_path, text, says):
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    with pytest.raises(RecipeError, match=says) as error:
        load(str(file))
    assert "bad.yaml" in str(error.value)


def test_a_recipe_that_is_a_device_ends():
    with pytest.raises(RecipeError, match="/dev/zero is larger than 1 MB"):
        load("/dev/zero")


def test_aliases_and_merges_of_usual_size_are_read(tmp_path):
    file = tmp_path / "good.yaml"
    file.write_text(
        "name: good\ntiming:\n  user_fto: &gap {kind: uniform, low: 1, high: 2}\n  assistant_fto: *gap\n"
        "mix: {user_level: &l {value: -20}, assistant_level: {<<: *l}}\n"
    )
    assert load(str(file)).timing.assistant_fto.edges() == (1, 2)
    assert load(str(file)).mix.assistant_level.value.at(0) == -20
