"""Recipes: every shipped one is valid, and every fault is named with its key."""

import pytest
from pydantic import ValidationError

from datagen import resources
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
