"""A recipe starts from another one, and only what results counts."""

import json
from pathlib import Path

import pytest

from datagen.authoring.authoring_config import parse
from datagen.errors import RecipeError, TrustError
from datagen.recipe import load, read_text, values_of


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder, and a function that writes files there."""
    monkeypatch.chdir(tmp_path)

    def write(**files: str) -> None:
        for name, text in files.items():
            (tmp_path / f"{name}.yaml").write_text(text, "utf-8")

    return write


def test_the_values_of_a_shipped_recipe_are_the_defaults(folder):
    folder(mine="name: mine\nextends: fake\ntiming: {barge_in: {probability: 0.25}}\n")
    mine, wanted = load("mine.yaml"), load("fake", ("name=mine", "timing.barge_in.probability=0.25", "description=''"))
    assert mine.sha256() == wanted.sha256()
    assert mine == wanted


def test_name_and_description_are_never_inherited(folder):
    folder(mine="extends: fake\n")
    with pytest.raises(RecipeError, match=r"mine\.yaml: name: Field required"):
        load("mine.yaml")
    folder(mine="name: mine\nextends: fake\n")
    assert load("mine.yaml").description == ""


def test_a_chain_of_files_is_merged_from_its_end(folder):
    folder(
        a="name: a\nextends: b.yaml\nseed: 1\n",
        b="name: b\nextends: sub/c.yaml\nseed: 2\nmix: {keep_audio: true}\n",
    )
    Path("sub").mkdir()
    Path("sub/c.yaml").write_text("name: c\nextends: ../d.yml\nseed: 3\nmix: {keep_audio: false, peak_dbfs: -3}\n")
    Path("d.yml").write_text("name: d\nextends: fake\nrun: {unit_dialogues: 9}\n")
    found = load("a.yaml")
    assert (found.name, found.seed, found.mix.keep_audio, found.mix.peak_dbfs) == ("a", 1, True, -3)
    assert found.run.unit_dialogues == 9
    assert found.engines.tts.name == "tone"
    Path("far").mkdir()
    assert load(str(Path("far") / ".." / "a.yaml")) == found


def test_an_engine_of_another_name_has_no_options_of_the_old_one(folder):
    folder(mine="name: mine\nextends: speech_server\nengines: {tts: {name: tone}}\n")
    assert load("mine.yaml").engines.tts.options == {}
    folder(mine="name: mine\nextends: speech_server\nengines: {tts: {options: {concurrency: 2}}}\n")
    tts = load("mine.yaml").engines.tts
    assert (tts.name, tts.options["concurrency"], tts.options["model"]) == ("speech_server", 2, "kokoro")


def test_distributions_and_lists_replace_the_whole(folder):
    folder(
        mine="name: mine\nextends: quickstart\nmix: {snr_db: {kind: constant, value: 3}, noise: []}\n"
        "input: {paths: [x.jsonl]}\n"
    )
    found = load("mine.yaml")
    assert (found.mix.snr_db.edges(), found.mix.noise, found.input.paths) == ((3, 3), (), ("x.jsonl",))


def test_overrides_come_last_and_cannot_extend(folder):
    folder(mine="name: mine\nextends: fake\nseed: 3\n")
    assert load("mine.yaml", ("seed=4",)).seed == 4
    with pytest.raises(RecipeError, match="extends: belongs into the recipe's file"):
        load("fake", ("extends=natural",))


def test_authoring_starts_from_a_recipe_too(folder):
    folder(mine="name: mine\nextends: from_topics\nwrite: {llm: {model: other}}\n")
    found = parse(read_text("mine.yaml"), "mine.yaml")
    assert (found.name, found.llm.model, found.tasks[0]) == ("mine", "other", "dialogue")


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"mine": "name: m\nextends: mine.yaml\n"}, r"mine\.yaml: extends: mine\.yaml extends itself"),
        (
            {"mine": "name: m\nextends: b.yaml\n", "b": "extends: ./mine.yaml\n"},
            r"b\.yaml: extends: .*mine\.yaml extends",
        ),
        ({"mine": "name: m\nextends: none.yaml\n"}, r"mine\.yaml: extends: recipe none\.yaml: No such file"),
        ({"mine": "name: m\nextends: naturl\n"}, r"mine\.yaml: extends: .*did you mean natural\? Shipped recipes: "),
        (
            {"mine": "name: m\nextends: [fake]\n"},
            r"mine\.yaml: extends must be the name of a shipped recipe, or the path",
        ),
        ({"mine": "name: m\nextends: ''\n"}, r"mine\.yaml: extends must be the name"),
        (
            {"mine": "name: m\nextends: b.yaml\n", "b": "- 1\n"},
            r"b\.yaml must be a mapping of keys to values, not list",
        ),
        ({"mine": "name: m\nextends: b.yaml\n", "b": "a: [\n"}, r"b\.yaml is not valid YAML"),
        (
            {"mine": "name: m\nextends: b.yaml\n", "b": "sede: 1\n"},
            r"mine\.yaml: sede: unknown key; did you mean seed\?",
        ),
    ],
    ids=[
        "itself",
        "cycle",
        "missing",
        "misspelled",
        "list",
        "empty",
        "parent of another kind",
        "broken",
        "unknown key",
    ],
)
def test_a_fault_of_a_parent_is_named(folder, files, says):
    folder(**files)
    with pytest.raises(RecipeError, match=says):
        load("mine.yaml")


def test_a_chain_has_an_end(folder):
    folder(**{f"r{k}": f"name: r\nextends: r{k + 1}.yaml\n" for k in range(20)}, r20="name: r\n")
    with pytest.raises(RecipeError, match="more than 16 recipes extend each other"):
        load("r0.yaml")
    assert load("r10.yaml").name == "r"


@pytest.fixture
def data_set(tmp_path):
    """A folder that is a data set of somebody."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "manifest.json").write_text(json.dumps({"data_version": 1}))
    return out


def test_nothing_extends_a_file_of_a_data_set(folder, data_set):
    (data_set / "recipe.yaml").write_text("name: theirs\nseed: 5\n")
    folder(mine="name: mine\nextends: out/recipe.yaml\n")
    with pytest.raises(TrustError, match=r"mine\.yaml: extends: out/recipe\.yaml lies in a data set"):
        load("mine.yaml")


def test_a_recipe_of_a_data_set_extends_only_shipped_ones(folder, data_set, tmp_path):
    """So it reads no file of ours, whose text an error might show."""
    folder(secret="key: [\n")
    recipe = data_set / "recipe.yaml"
    for parent in (str(tmp_path / "secret.yaml"), "../secret.yaml", "other.yaml"):
        recipe.write_text(f"name: theirs\nextends: {parent}\n")
        with pytest.raises(TrustError, match="lies in a data set, so it may extend shipped recipes only"):
            values_of(read_text(str(recipe)), str(recipe))
    recipe.write_text("name: theirs\nextends: fake\n")
    assert load(str(recipe)).engines.tts.name == "tone"


def test_a_file_that_a_data_set_links_to_is_as_untrusted(folder, data_set, tmp_path):
    (data_set / "theirs.yaml").write_text("seed: 5\n")
    (tmp_path / "link.yaml").symlink_to(data_set / "theirs.yaml")
    folder(mine="name: mine\nextends: link.yaml\n")
    with pytest.raises(TrustError):
        load("mine.yaml")
